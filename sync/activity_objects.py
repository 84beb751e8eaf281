"""The custom objects that an administrator makes in a CRM, so that marketing activity has a place there (SINK-1, SINK-2).

Data only. `name` of a field is its name in the CRM as well, without any suffix; `value` names the entry of `sync.push.Outgoing.values` that
fills it. Texts without a length are unlimited. All instants are UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from sync.fields import INSTANT, INTEGER, TEXT, ColumnType, ValueType
from sync.push import Sink
from sync.records import Kind

_LINE = replace(TEXT, length=255)
_WORD = replace(TEXT, length=20)
_SCORE = ColumnType(ValueType.DECIMAL, precision=18, scale=2)


class Belongs(StrEnum):
    """What a record of a custom object hangs on.

    | belongs to | how                                                                                             |
    |------------|-------------------------------------------------------------------------------------------------|
    | person     | the CRM's flexible parent where it has one, else a link to the lead and one to the contact      |
    | visit      | a link to the record of the visit, and through it to the person                                 |
    | nobody     | it stands for itself                                                                            |
    """

    PERSON = "person"
    VISIT = "visit"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class ActivityField:
    """One field. `value` may equal `name`; of a page view it names an entry of one of the visit's `page_views`."""

    name: str
    type: ColumnType
    holds: str
    value: str


@dataclass(frozen=True, slots=True)
class ActivityObject:
    """One custom object. `base` is its name without the prefix that the administrator chose.

    `titled_by`: the value that becomes the record's name, which every CRM wants, cut to what a name takes there; where it is empty,
    `label`. It is no field to make.
    """

    key: str
    base: str
    label: str
    purpose: str
    belongs_to: Belongs
    titled_by: str
    fields: tuple[ActivityField, ...]

    def named(self, prefix: str) -> str:
        """Its name in the CRM, such as mkt_EmailActivity; SugarCRM's Module Builder composes it like this from the package's key."""
        return f"{prefix}_{self.base}"


def _field(name: str, type_: ColumnType, holds: str, value: str = "") -> ActivityField:
    return ActivityField(name, type_, holds, value or name)


EMAIL_ACTIVITY = ActivityObject(
    "email_activity",
    "EmailActivity",
    "Email activity",
    "one per mail that was sent to a lead or contact, with what became of it",
    Belongs.PERSON,
    "subject",
    (
        _field("campaign", _LINE, "name of the campaign"),
        _field("subject", _LINE, "the mail's subject line"),
        _field("from_address", _LINE, "who it came from"),
        _field("address", _LINE, "where it went"),
        _field("sent_at", INSTANT, "when it was sent"),
        _field("delivery_status", _WORD, "delivered or bounced"),
        _field("opens", INTEGER, "how often it was opened"),
        _field("clicks", INTEGER, "how often a link in it was clicked"),
    ),
)
CAMPAIGN = ActivityObject(
    "campaign",
    "Campaign",
    "Marketing campaign",
    "one per campaign, with how often its mails were opened and clicked, and by how many people",
    Belongs.NOBODY,
    "campaign",
    (
        _field("campaign_key", _LINE, "the marketing application's own name of the campaign; one record each"),
        _field("opens", INTEGER, "openings of all its mails"),
        _field("people_opened", INTEGER, "how many people opened one"),
        _field("clicks", INTEGER, "clicks on links in all its mails"),
        _field("people_clicked", INTEGER, "how many people clicked one"),
    ),
)
VISIT = ActivityObject(
    "visit",
    "Visit",
    "Web visit",
    "one per visit of a lead or contact to the web site",
    Belongs.PERSON,
    "landing_page",
    (
        _field("started_at", INSTANT, "when it began"),
        _field("ended_at", INSTANT, "when it ended; empty: not known"),
        _field("duration_s", INTEGER, "how long it took, in seconds"),
        _field("pages", INTEGER, "how many pages were looked at"),
        _field("referrer", TEXT, "where the visitor came from"),
        _field("landing_page", TEXT, "the first page"),
    ),
)
PAGE_VIEW = ActivityObject(
    "page_view",
    "PageView",
    "Page view",
    "one per page that was looked at during a visit",
    Belongs.VISIT,
    "title",
    (
        _field("url", TEXT, "the page"),
        _field("title", _LINE, "its title"),
        _field("viewed_at", INSTANT, "when it was looked at", "at"),
    ),
)
COMPLETION = ActivityObject(
    "completion",
    "Completion",
    "Landing page completion",
    "one per form of a landing page that a lead or contact filled in",
    Belongs.PERSON,
    "page",
    (
        _field("page", _LINE, "name of the landing page"),
        _field("url", TEXT, "where it is"),
        _field("form", _LINE, "name of the form"),
        _field("completed_at", INSTANT, "when it was filled in"),
        _field("answers", TEXT, "what was filled in, one line per question"),
    ),
)
REGISTRATION = ActivityObject(
    "registration",
    "Registration",
    "Event registration",
    "one per event that a lead or contact registered for, with whether they came",
    Belongs.PERSON,
    "event",
    (
        _field("event", _LINE, "name of the event"),
        _field("place", _LINE, "where it is"),
        _field("starts_at", INSTANT, "when it begins"),
        _field("registered_at", INSTANT, "when they registered; empty: they came without"),
        _field("attended_at", INSTANT, "when they came; empty: not, or not yet"),
    ),
)

ACTIVITY_OBJECTS: tuple[ActivityObject, ...] = (EMAIL_ACTIVITY, CAMPAIGN, VISIT, PAGE_VIEW, COMPLETION, REGISTRATION)

VISIT_LINK = "visit"
"""Name of the field by which a page view names its visit."""

SCORE = ActivityField("mkt_score_c", _SCORE, "the score as it is now", "score")
SCORE_DATE = ActivityField("mkt_score_date_c", INSTANT, "when it last changed", "scored_at")
SCORE_FIELDS: tuple[ActivityField, ...] = (SCORE, SCORE_DATE)
"""The fields on lead and contact alike that a scoring profile is pushed to (PUSH-S); one pair per profile, under names of your choice."""

_LANDS: dict[tuple[Kind, Sink], tuple[ActivityObject, ...]] = {
    (Kind.SENT, Sink.CUSTOM): (EMAIL_ACTIVITY,),
    (Kind.OPENED, Sink.CAMPAIGN): (CAMPAIGN,),
    (Kind.CLICKED, Sink.CAMPAIGN): (CAMPAIGN,),
    (Kind.VISIT, Sink.CUSTOM): (VISIT, PAGE_VIEW),
    (Kind.COMPLETION, Sink.CUSTOM): (COMPLETION,),
    (Kind.REGISTRATION, Sink.CUSTOM): (REGISTRATION,),
}


def objects_for(kind: Kind, sink: Sink) -> tuple[ActivityObject, ...]:
    """The custom objects that this kind needs at this sink, what others hang on first; none for the CRM's own activities."""
    return _LANDS.get((kind, sink), ())
