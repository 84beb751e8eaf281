"""The settings for watching a sync: how long reports are kept, who is told of what, and when a flow is overdue."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.secrets import SecretRef
from sync.setting import Form
from sync.setting import doc as _doc
from sync.setting import share as _share


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """The quality reports of the runs (GATE-5)."""

    keep_days: int = field(
        default=90, metadata=_doc("How long reports are kept. The newest of each connector and flow always stays.", unit="days", minimum=1)
    )
    routine_days: int = field(
        default=7,
        metadata=_doc(
            "How long the pages of runs are kept in which all went well and nothing was held, refused or found: a flow that runs every 2 "
            "minutes makes up to 720 of them a day. Their lines stay in the list as long as the other reports.",
            unit="days",
            minimum=1,
        ),
    )
    data_docs: bool = field(
        default=False,
        metadata=_doc(
            "Keep Great Expectations' own page of each checked batch (Data Docs) beside the report, which links to it. Its looks come from "
            "the internet: a browser without gets bare tables. The report itself never needs it."
        ),
    )
    url: str | None = field(
        default=None,
        metadata=_doc(
            "Where the folder of reports is served for people's browsers, if a web server of yours does: the link on a run's page in the "
            "Prefect UI then leads there. Let it ask who they are: reports show held rows. None: the link names the file on the disk.",
            form=Form.SERVICE_URL,
            example='"https://reports.example.com"',
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueSettings:
    """After how long without a run that came to its end a flow is overdue; 0: not watched. One that never ran is not, but for core-sync."""

    core_sync_minutes: int = field(default=60, metadata=_doc("core-sync, which runs every 20 minutes.", unit="minutes", minimum=0))
    email_activity_sync_minutes: int = field(
        default=60, metadata=_doc("email-activity-sync, which runs every 10 minutes.", unit="minutes", minimum=0)
    )
    time_sensitive_sync_minutes: int = field(
        default=20, metadata=_doc("time-sensitive-sync, which runs every 2 minutes.", unit="minutes", minimum=0)
    )
    reconciliation_minutes: int = field(default=2_880, metadata=_doc("reconciliation, which runs once a day.", unit="minutes", minimum=0))

    def minutes(self, flow: str) -> int:
        """0: this flow is not watched."""
        found: int = getattr(self, f"{flow.replace('-', '_')}_minutes", 0)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """Who is told, once, when a flow fails, a credential is dead, too many rows are held or a sync is overdue, and when it is over."""

    webhook: SecretRef | None = field(
        default=None,
        metadata=_doc(
            "The address that is told, with a POST of JSON, by reference because it often holds a key. Slack and what understands its "
            "messages show it as it is. None: alerts are kept in Market and shown by `marketsync status` only.",
            example='{ env = "ALERT_WEBHOOK" }',
        ),
    )
    allow_plain_http: bool = field(
        default=False, metadata=_doc("Allow a webhook over http on another machine. The key in its address then travels readable.")
    )
    timeout_s: float = field(
        default=10.0, metadata=_doc("How long to wait for the receiver. The run waits meanwhile.", unit="seconds", minimum=0.1, maximum=60)
    )
    failures: int = field(default=1, metadata=_doc("How many runs of a flow have to fail in a row.", minimum=1, maximum=100))
    held_share: float = field(
        default=0.02,
        metadata=_share(
            "Told if more than this share of a kind's records is held back. `gate.max_held_share` stops a batch; this is about all records "
            "that wait in quarantine."
        ),
    )
    held_rows: int = field(default=20, metadata=_doc("Fewer held records than this are never told.", unit="records", minimum=1))
    prefect: bool = field(
        default=True,
        metadata=_doc(
            "Let the Prefect server tell the webhook too what no run can tell: no worker, late, crashed and failed runs. `up` and `deploy` "
            "set it up; the address is then kept in that server's database, as a block."
        ),
    )
    overdue: OverdueSettings = field(default_factory=OverdueSettings)
