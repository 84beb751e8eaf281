"""The settings of one installation, typed. Every setting carries its own documentation; template and reference are made from it.

Durations are in seconds or days, sizes in MiB, shares from 0 to 1: the unit stands in the name or in `Setting.unit`.
Secrets are references (`sync.secrets`), never values (CONN-4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sync.connection_settings import ConnectionSettings
from sync.consent import FirstAdoption
from sync.errors import ConfigError
from sync.mapping import MappingRow
from sync.merge_fields import MergeField
from sync.near_names import did_you_mean
from sync.place_settings import MarketSettings as MarketSettings
from sync.place_settings import StagingSettings as StagingSettings
from sync.pull_settings import CustomObject as CustomObject
from sync.pull_settings import PullOption as PullOption
from sync.pull_settings import PullOptions as PullOptions
from sync.push_settings import PushLimits as PushLimits
from sync.push_settings import PushOptions as PushOptions
from sync.push_settings import ScoreField as ScoreField
from sync.push_settings import SinkSettings as SinkSettings
from sync.records import Filter, Kind
from sync.saved_reports import SavedReport
from sync.setting import Form as Form
from sync.setting import Setting as Setting
from sync.setting import doc as _doc
from sync.setting import share as _share
from sync.watch_settings import AlertSettings as AlertSettings
from sync.watch_settings import OverdueSettings as OverdueSettings
from sync.watch_settings import ReportSettings as ReportSettings


class LeftScope(StrEnum):
    """What happens to a row whose record stopped meeting the filter (FILT-2)."""

    MARK = "mark"
    SOFT_DELETE = "soft_delete"
    KEEP = "keep"


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
class ConnectorSettings(ConnectionSettings):
    """One CRM: where it is, who we are there, what comes and what goes (CONN-1)."""

    page_rows: int = field(default=500, metadata=_doc("How many records to ask for at once.", unit="records", minimum=1, maximum=10_000))
    bulk_from_rows: int = field(
        default=20_000,
        metadata=_doc("Salesforce: from how many records on a whole object is read by Bulk API 2.0.", unit="records", minimum=0),
    )
    connections: int = field(default=3, metadata=_doc("How many streams to read at once.", unit="connections", minimum=1, maximum=64))
    partitions: int = field(
        default=1,
        metadata=_doc(
            "Among how many flow runs the initial sync divides a large kind; each has `connections` of its own and runs on the worker that "
            "takes it. For workers of a Prefect server that share the data directory; a run without such a server reads by itself. "
            "Salesforce hands out a large object as one bulk job, which is not divided.",
            minimum=1,
            maximum=16,
        ),
    )
    partition_from_rows: int = field(
        default=500_000, metadata=_doc("From how many records on a kind is large enough to be divided.", unit="records", minimum=0)
    )
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

    custom_objects: Mapping[Kind, CustomObject] = field(
        default_factory=dict,
        metadata=_doc(
            "Custom objects of the CRM that come down (CUST-1), each into a Market table of its own: NAME into custom_NAME. `object`: its "
            "name in the CRM; `person` and `account`: the fields that hold the ids of the person and the account that a record belongs to; "
            "`expected`: the number of records that you expect. Filters and mapping name it custom_NAME.",
            example='subscription = { object = "mkt_Subscription", person = "contact_id_c", account = "account_id_c" }',
        ),
    )

    def kinds(self) -> tuple[Kind, ...]:
        """All kinds that are pulled like core ones, in the order of INIT-1: custom objects follow the core."""
        return (*self.pull.kinds(), *(self.custom_objects if self.pull.custom_objects.on else ()))

    def expected(self, kind: Kind) -> int | None:
        """How many records the operator expects, None if that was not said."""
        return self.custom_objects[kind].expected if kind.is_custom else self.pull.expected(kind)

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
    merge_fields: Mapping[str, MergeField] = field(default_factory=dict)

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

    def merge_field(self, name: str) -> MergeField:
        """Raises ConfigError that lists near names."""
        if name not in self.merge_fields:
            raise ConfigError(
                f'there is no merge field "{name}"{did_you_mean(name, self.merge_fields)}',
                where="merge_fields",
                todo=f"name one that is configured, or add [merge_fields.{name}] to the configuration",
            )
        return self.merge_fields[name]
