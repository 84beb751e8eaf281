"""What goes to the CRM and where it lands there: the settings of the pushes (CONN-6, SINK)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.push import Sink
from sync.records import PUSHED, Kind
from sync.setting import doc as _doc
from sync.setting import share as _share

_CUSTOM_OR_NATIVE = (Sink.CUSTOM.value, Sink.NATIVE.value)
_NATIVE_OR_CAMPAIGN = (Sink.NATIVE.value, Sink.CAMPAIGN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOptions:
    """What goes to the CRM (CONN-6). All off until you switch it on."""

    scores: bool = field(default=False, metadata=_doc("Scores of leads and contacts."))
    unsubscribes: bool = field(default=False, metadata=_doc("Opt-outs that were made in Market."))
    sent_emails: bool = field(default=False, metadata=_doc("Sent emails."))
    opened_emails: bool = field(default=False, metadata=_doc("Opened emails."))
    clicked_emails: bool = field(default=False, metadata=_doc("Clicked emails."))
    tasks: bool = field(default=False, metadata=_doc("Tasks for the CRM's users."))
    new_leads: bool = field(default=False, metadata=_doc("People who are new in Market."))
    record_updates: bool = field(default=False, metadata=_doc("Changed values of people that the CRM knows."))
    web_activity: bool = field(default=False, metadata=_doc("Visits to the web site."))
    landing_pages: bool = field(default=False, metadata=_doc("Completed landing pages."))
    events: bool = field(default=False, metadata=_doc("Registrations for events, and attendance."))

    def kinds(self) -> tuple[Kind, ...]:
        """The kinds that are pushed, in the order of `Kind`."""
        return tuple(kind for kind in PUSHED if getattr(self, _OPTIONS[kind]))


_OPTIONS: Mapping[Kind, str] = {
    Kind.OPT_OUT: "unsubscribes",
    Kind.SCORE: "scores",
    Kind.NEW_LEAD: "new_leads",
    Kind.UPDATE: "record_updates",
    Kind.SENT: "sent_emails",
    Kind.OPENED: "opened_emails",
    Kind.CLICKED: "clicked_emails",
    Kind.TASK: "tasks",
    Kind.VISIT: "web_activity",
    Kind.COMPLETION: "landing_pages",
    Kind.REGISTRATION: "events",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSettings:
    """Where each kind of activity lands in the CRM (SINK-1, SINK-2)."""

    sent_emails: Sink = field(
        default=Sink.CUSTOM,
        metadata=_doc(
            "Sent emails: a row of the custom object for email activity, with open and click counts (custom), or an activity of the CRM's "
            "own (native).",
            choices=_CUSTOM_OR_NATIVE,
        ),
    )
    opened_emails: Sink = field(
        default=Sink.CAMPAIGN,
        metadata=_doc("Opened emails: counters on the campaign's custom object (campaign), or native.", choices=_NATIVE_OR_CAMPAIGN),
    )
    clicked_emails: Sink = field(
        default=Sink.CAMPAIGN,
        metadata=_doc("Clicked emails: counters on the campaign's custom object (campaign), or native.", choices=_NATIVE_OR_CAMPAIGN),
    )
    web_activity: Sink = field(
        default=Sink.CUSTOM, metadata=_doc("Visits: custom objects for visit and page views, or native.", choices=_CUSTOM_OR_NATIVE)
    )
    landing_pages: Sink = field(
        default=Sink.CUSTOM, metadata=_doc("Completed landing pages: a custom object, or native.", choices=_CUSTOM_OR_NATIVE)
    )
    events: Sink = field(
        default=Sink.CUSTOM, metadata=_doc("Registrations and attendance: a custom object, or native.", choices=_CUSTOM_OR_NATIVE)
    )
    object_prefix: str = field(
        default="mkt",
        metadata=_doc("What the names of the custom objects begin with; the administrator who made them knows. `marketsync check` looks."),
    )

    def of(self, kind: Kind) -> Sink:
        """Where this kind lands; what has no choice is the CRM's own."""
        return getattr(self, _OPTIONS[kind], Sink.NATIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushLimits:
    """How hard a push tries, and what it leaves for others."""

    most_attempts: int = field(
        default=5, metadata=_doc("A row that was refused this often is parked for you.", unit="attempts", minimum=1, maximum=20)
    )
    opt_out_reserve_share: float = field(
        default=0.1, metadata=_share("This share of the CRM's allowance of calls is left to opt-outs (CONSENT-9).")
    )
    daily_calls: int = field(
        default=0,
        metadata=_doc(
            "Most calls per day that this connector may make, where the CRM does not say so itself; 0: no limit.", unit="calls", minimum=0
        ),
    )


@dataclass(frozen=True, slots=True)
class ScoreField:
    """The CRM's fields, on lead and contact alike, that a scoring profile's score and its time go to. No `date_field`: only the score."""

    field: str
    date_field: str | None = None
