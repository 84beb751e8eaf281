"""The settings of one installation, typed. Every setting carries its own documentation; template and reference are made from it.

Durations are in seconds or days, sizes in MiB, shares from 0 to 1: the unit stands in the name or in `Setting.unit`.
Secrets are references (`sync.secrets`), never values (CONN-4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sync.consent import FirstAdoption
from sync.errors import ConfigError
from sync.mapping import MappingRow
from sync.near_names import did_you_mean
from sync.push_settings import PushLimits as PushLimits
from sync.push_settings import PushOptions as PushOptions
from sync.push_settings import ScoreField as ScoreField
from sync.push_settings import SinkSettings as SinkSettings
from sync.records import PULL_ORDER, Filter, Kind
from sync.saved_reports import SavedReport
from sync.secrets import SecretRef
from sync.setting import Form as Form
from sync.setting import Setting as Setting
from sync.setting import doc as _doc
from sync.setting import share as _share
from sync.stock_mappings import STOCK_MAPPINGS
from sync.urls import port_of
from sync.watch_settings import AlertSettings as AlertSettings
from sync.watch_settings import OverdueSettings as OverdueSettings
from sync.watch_settings import ReportSettings as ReportSettings


class LeftScope(StrEnum):
    """What happens to a row whose record stopped meeting the filter (FILT-2)."""

    MARK = "mark"
    SOFT_DELETE = "soft_delete"
    KEEP = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSettings:
    """The marketing database."""

    url: str = field(
        default="sqlite:///marketsync.db",
        metadata=_doc(
            "Where the marketing database is: sqlite:///file.db or postgresql://user@host:5432/database. Never with a password in it.",
            form=Form.MARKET_URL,
        ),
    )
    password: SecretRef | None = field(
        default=None, metadata=_doc("The database user's password, by reference.", example='{ env = "MARKET_PASSWORD" }')
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingSettings:
    """The files in which batches wait for their checks."""

    keep_committed_days: int = field(default=7, metadata=_doc("How long the file of a committed batch is kept.", unit="days", minimum=0))
    memory_limit_mb: int = field(default=192, metadata=_doc("Most memory that staging may use per process.", unit="MiB", minimum=64))
    threads: int = field(default=2, metadata=_doc("Threads that staging may use per process.", unit="threads", minimum=1, maximum=256))


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """When a batch as a whole is too bad to be committed (GATE-3)."""

    max_held_share: float = field(
        default=0.05,
        metadata=_share("A batch stops if more than this share of its rows fail their checks."),
    )
    min_rows_for_share: int = field(
        default=20, metadata=_doc("Shares of batches with fewer rows than this are not judged.", unit="rows", minimum=1)
    )
    retry_held_minutes: int = field(
        default=60,
        metadata=_doc(
            "How long a held record that does not change in the CRM is left alone before it is read again, which costs a call: a run with "
            "nothing to do must stay cheap. One that changes or that you ask for (`marketsync quarantine retry`) comes with the next run.",
            unit="minutes",
            minimum=0,
        ),
    )
    mass_blanking_share: float = field(
        default=0.3,
        metadata=_share("A batch stops if the share of blanks in a column grows by more than this."),
    )
    collapse_share: float = field(
        default=0.5,
        metadata=_share("A full read stops if it brings fewer than this share of the records of the last one."),
    )
    mass_deletion_share: float = field(
        default=0.1,
        metadata=_share("A run stops and asks if it would delete more than this share of a table (DEL-8)."),
    )
    mass_leaving_share: float = field(
        default=0.5,
        metadata=_share("A batch of list members stops if more than this share of the members that were there would leave their lists."),
    )


@dataclass(frozen=True, slots=True)
class PullOption:
    """On or off. `expected_rows`: the number of records that the operator expects; the initial sync compares (CONN-5, INIT-6)."""

    on: bool
    expected_rows: int | None = None


_ON, _OFF = PullOption(True), PullOption(False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """What comes from the CRM (CONN-5): true, false, or { expected = N } with the number of records that you expect."""

    users: PullOption = field(default=_ON, metadata=_doc("The CRM's users: who owns the records."))
    accounts: PullOption = field(default=_ON, metadata=_doc("Accounts."))
    leads: PullOption = field(default=_ON, metadata=_doc("Leads."))
    contacts: PullOption = field(default=_ON, metadata=_doc("Contacts."))
    opportunities: PullOption = field(default=_ON, metadata=_doc("Opportunities."))
    marketing_lists: PullOption = field(default=_OFF, metadata=_doc("Marketing lists and their members."))
    unsubscribes: PullOption = field(default=_ON, metadata=_doc("Opt-outs that the CRM keeps with the address and not with the record."))
    custom_objects: PullOption = field(default=_OFF, metadata=_doc("The custom objects that are configured, for CRMs that have them."))
    deletions: PullOption = field(default=_ON, metadata=_doc("Records that were deleted in the CRM are marked as deleted here (DEL-1)."))

    def option(self, kind: Kind) -> PullOption:
        option: PullOption = getattr(self, "marketing_lists" if kind is Kind.LIST else kind.plural)
        return option

    def kinds(self) -> tuple[Kind, ...]:
        """The core kinds that are on, in the order of INIT-1."""
        return tuple(kind for kind in PULL_ORDER if self.option(kind).on)

    def expected(self, kind: Kind) -> int | None:
        """How many records the operator expects, None if that was not said."""
        return self.option(kind).expected_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSettings:
    """How opt-outs of CRM and Market meet."""

    on_first_adoption: FirstAdoption = field(
        default=FirstAdoption.STRICTEST,
        metadata=_doc("A CRM record adopts a person that was only ours: strictest (out wins) or keep_market (CONSENT-2)."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeSettings:
    """What a sync filter does to rows that are already here."""

    left: LeftScope = field(
        default=LeftScope.MARK,
        metadata=_doc("A record stops meeting the filter: mark it (left_scope), soft_delete it, or keep it as it is (FILT-2)."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSettings:
    """One CRM: where it is, who we are there, what comes and what goes (CONN-1)."""

    name: str
    crm: str = field(metadata=_doc("The type of CRM.", choices=tuple(STOCK_MAPPINGS), example='"sugarcrm"'))
    url: str = field(
        metadata=_doc(
            "The CRM's address, without the API's path. The port follows from it: 443 for https, unless it names one (CONN-2).",
            form=Form.SERVICE_URL,
            example='"https://crm.example.com"',
        )
    )
    username: str = field(metadata=_doc("The syncing user. Give this user the rights that the options below need.", example='"marketsync"'))
    password: SecretRef = field(metadata=_doc("The syncing user's password, by reference.", example='{ env = "CRM_PASSWORD" }'))
    platform: str = field(
        default="mkt_sync", metadata=_doc("The API platform that we log in as; one of our own, or people and we end each other's sessions.")
    )
    client_id: str = field(default="sugar", metadata=_doc("The OAuth client."))
    client_secret: SecretRef | None = field(
        default=None, metadata=_doc("The OAuth client's secret, by reference, if it has one.", example='{ env = "CRM_CLIENT_SECRET" }')
    )
    api_version: str = field(default="v11_24", metadata=_doc("The version of the API that we speak."))
    allow_plain_http: bool = field(
        default=False, metadata=_doc("Allow http to another machine. The password then travels readable (CONN-2).")
    )
    ca_file: str | None = field(
        default=None,
        metadata=_doc(
            "Certificates to trust, a PEM file, if the CRM's is not signed by a public authority.", form=Form.PATH, example='"crm-ca.pem"'
        ),
    )
    verify: bool = field(default=True, metadata=_doc("Check the CRM's certificate."))
    page_rows: int = field(default=500, metadata=_doc("How many records to ask for at once.", unit="records", minimum=1, maximum=10_000))
    connections: int = field(default=3, metadata=_doc("How many streams to read at once.", unit="connections", minimum=1, maximum=64))
    timeout_s: float = field(default=120.0, metadata=_doc("How long to wait for an answer.", unit="seconds", minimum=1, maximum=3600))
    backfill_minutes_per_run: float = field(default=10.0, metadata=_doc("Time per run to fill in new fields.", unit="minutes", minimum=0))
    create_as: Kind = field(
        default=Kind.LEAD, metadata=_doc("What a new person becomes in the CRM: lead or contact (PUSH-7).", choices=("lead", "contact"))
    )
    reconcile_slice_rows: int = field(
        default=5_000,
        metadata=_doc("About how many records are compared with the CRM at a time.", unit="records", minimum=10, maximum=100_000),
    )
    reconcile_minutes: float = field(
        default=15.0, metadata=_doc("How long one run compares records before it leaves the rest to the next.", unit="minutes", minimum=0)
    )
    pull: PullOptions = field(default_factory=PullOptions)
    push: PushOptions = field(default_factory=PushOptions)
    sinks: SinkSettings = field(default_factory=SinkSettings)
    push_limits: PushLimits = field(default_factory=PushLimits)
    scores: Mapping[str, ScoreField] = field(
        default_factory=dict,
        metadata=_doc(
            "The CRM's fields, on leads and contacts, that the score of each scoring profile goes to. None: the profile `default` goes to "
            "the fields that the product's own package makes.",
            example='default = { field = "mkt_score_c", date_field = "mkt_score_date_c" }',
        ),
    )
    consent: ConsentSettings = field(default_factory=ConsentSettings)
    scope: ScopeSettings = field(default_factory=ScopeSettings)
    filters: Mapping[Kind, Filter] = field(
        default_factory=dict,
        metadata=_doc(
            "Only records that meet all conditions come down (FILT-1). Per kind: users, accounts, leads, contacts, opportunities.",
            example='leads = [{ field = "status", op = "in", value = ["New", "Assigned"] }]',
        ),
    )
    mapping: Mapping[Kind, tuple[MappingRow, ...]] = field(
        default_factory=dict,
        metadata=_doc(
            'Market columns that shall hold other CRM fields than by default. Per kind: column = "crm_field", or '
            "column = { field, direction = pull, push or both, policy = overwrite or only_if_empty }.",
            example='contacts = { region = { field = "region_c", direction = "pull", policy = "only_if_empty" } }',
        ),
    )

    @property
    def port(self) -> int:
        """Follows from the URL (CONN-2)."""
        return port_of(self.url)

    @property
    def own_rows(self) -> tuple[MappingRow, ...]:
        """The operator's mapping rows of all kinds."""
        return tuple(row for rows in self.mapping.values() for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One installation."""

    data_dir: str = field(
        default="./marketsync-data", metadata=_doc("Where batches, reports, sessions and locks are kept.", form=Form.PATH)
    )
    market: MarketSettings = field(default_factory=MarketSettings)
    staging: StagingSettings = field(default_factory=StagingSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    reports: ReportSettings = field(default_factory=ReportSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    connectors: Mapping[str, ConnectorSettings] = field(default_factory=dict)
    saved_reports: Mapping[str, SavedReport] = field(default_factory=dict)

    def connector(self, name: str) -> ConnectorSettings:
        """Raises ConfigError that lists near names."""
        if name not in self.connectors:
            raise ConfigError(
                f'there is no connector "{name}"{did_you_mean(name, self.connectors)}',
                where="connectors",
                todo=f"name one that is configured, or add [connectors.{name}] to the configuration",
            )
        return self.connectors[name]

    def saved_report(self, name: str) -> SavedReport:
        """Raises ConfigError that lists near names."""
        if name not in self.saved_reports:
            raise ConfigError(
                f'there is no saved report "{name}"{did_you_mean(name, self.saved_reports)}',
                where="saved_reports",
                todo=f"name one that is configured, or add [saved_reports.{name}] to the configuration",
            )
        return self.saved_reports[name]
