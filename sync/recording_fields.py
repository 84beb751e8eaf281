"""What a marketing application can record: the kinds, and the fields of each. docs/recording.md shows the same tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Recordable(StrEnum):
    """What can be recorded, by the word that the command line takes. The order is one in which a day's files can be recorded."""

    PROFILES = "profiles"
    CAMPAIGNS = "campaigns"
    LANDING_PAGES = "landing-pages"
    EVENTS = "events"
    LEADS = "leads"
    SCORES = "scores"
    SENDS = "sends"
    DELIVERIES = "deliveries"
    BOUNCES = "bounces"
    OPENS = "opens"
    CLICKS = "clicks"
    VISITS = "visits"
    PAGE_VIEWS = "page-views"
    COMPLETIONS = "completions"
    REGISTRATIONS = "registrations"
    ATTENDANCE = "attendance"
    TASKS = "tasks"
    PUSHES = "push-into-crm"
    UPDATES = "update-in-crm"
    UNSUBSCRIBES = "unsubscribes"
    RESUBSCRIBES = "resubscribes"


class FieldType(StrEnum):
    """What a field holds, in the words of an error message."""

    TEXT = "text"
    INSTANT = "instant"  # ISO 8601 with an offset
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "true or false"
    ADDRESS = "e-mail address"
    TEXTS = "texts by name"  # a JSON object, or CSV columns FIELD.NAME
    VALUES = "values by column"  # the same; checked against the columns of people
    PAGES = "list of page views"  # a JSON array


@dataclass(frozen=True, slots=True)
class RecordField:
    """One field. `mandatory`: a line without it is refused. `choices`: the only texts that it takes."""

    name: str
    type: FieldType
    meaning: str
    mandatory: bool = False
    choices: tuple[str, ...] = ()


_T, _I = FieldType.TEXT, FieldType.INSTANT


def _must(name: str, type_: FieldType, meaning: str) -> RecordField:
    return RecordField(name, type_, meaning, mandatory=True)


def _may(name: str, type_: FieldType, meaning: str, *choices: str) -> RecordField:
    return RecordField(name, type_, meaning, choices=choices)


_EVENT = _must("event_id", _T, "your own id of this event: the same one twice is recorded once")
_CONTACT = _may("contact_id", FieldType.INTEGER, "the person, by the key of their row in Market")
_ADDRESS = _may("address", FieldType.ADDRESS, "the person, by address, where there is no contact_id")
_MADE = _may("address", FieldType.ADDRESS, "the person, by address; an address that nobody has makes a new person")
_CAMPAIGN = _must("campaign", _T, "campaign_key of the campaign")
_VALUES = _may("values", FieldType.VALUES, "columns of the person and their new values; only mapped ones that go to a CRM")
_SEND = _must("send", _T, "event_id of the send")
_MAIL = (
    _EVENT,
    _may("send", _T, "event_id of the send; then the others follow from it. Without: the newest mail of the campaign to the person"),
    _may("campaign", _T, "campaign_key; mandatory where the send is not given, or not known"),
    _CONTACT,
    _ADDRESS,
    _must("at", _I, "when"),
)
_DELIVERY = (_SEND, _must("at", _I, "when that became known"), _may("message", _T, "what the mail server said"))
_SAID = (
    _CONTACT,
    _may("address", FieldType.ADDRESS, "everybody who has this address, where there is no contact_id"),
    _must("at", _I, "when they said so; the same person and instant again are recorded once"),
    _must("why", _T, "how they said so, for the ledger"),
    _may("who", _T, 'who wrote it down; else "marketing application"'),
)

SHAPES: Mapping[Recordable, tuple[RecordField, ...]] = {
    Recordable.PROFILES: (_must("profile_key", _T, "name of the profile, as in the configuration"), _must("name", _T, "for people")),
    Recordable.CAMPAIGNS: (
        _must("campaign_key", _T, "your own name of the campaign"),
        _must("name", _T, "for people"),
        _may("subject", _T, "the subject line of its mails"),
        _may("from_address", FieldType.ADDRESS, "who its mails come from"),
    ),
    Recordable.LANDING_PAGES: (
        _must("page_key", _T, "your own name of the page"),
        _must("name", _T, "for people"),
        _may("url", _T, "where it is"),
        _may("sync_with_crm", FieldType.BOOLEAN, "whether a completion pushes the person (PUSH-L, PUSH-R); true at first"),
    ),
    Recordable.EVENTS: (
        _must("event_key", _T, "your own name of the event"),
        _must("name", _T, "for people"),
        _may("place", _T, "where it is"),
        _may("starts_at", _I, "when it begins"),
    ),
    Recordable.LEADS: (
        _must("address", FieldType.ADDRESS, "the person's address; somebody living who has it is not made again (MATCH-5)"),
        _VALUES,
        _may("push_into_crm", FieldType.BOOLEAN, "whether the person is pushed as well (PUSH-L); else false"),
    ),
    Recordable.SCORES: (
        _EVENT,
        _CONTACT,
        _ADDRESS,
        _must("profile", _T, "profile_key of the scoring profile"),
        _must("score", FieldType.NUMBER, "the score from now on"),
        _must("at", _I, "when it changed; one that is older than the last one known changes the history only"),
        _may("why", _T, "what the person did"),
    ),
    Recordable.SENDS: (
        _EVENT,
        _CAMPAIGN,
        _CONTACT,
        _may("address", FieldType.ADDRESS, "where it went, and who it is where there is no contact_id; else the person's address"),
        _may("subject", _T, "its subject line; else the campaign's"),
        _must("sent_at", _I, "when"),
        _may("delivery_status", _T, "what became of it, where that is known already", "unknown", "delivered", "bounced"),
        _may("delivery_message", _T, "what the mail server said"),
        _may("delivery_at", _I, "when that became known; else when it was sent"),
    ),
    Recordable.DELIVERIES: _DELIVERY,
    Recordable.BOUNCES: _DELIVERY,
    Recordable.OPENS: _MAIL,
    Recordable.CLICKS: (*_MAIL, _must("url", _T, "the link")),
    Recordable.VISITS: (
        _EVENT,
        _CONTACT,
        _MADE,
        _must("started_at", _I, "when it began"),
        _may("ended_at", _I, "when it ended"),
        _may("referrer", _T, "where they came from"),
        _may("landing_page", _T, "URL of the first page"),
        _may("pages", FieldType.PAGES, "its page views, each an object of url, at, and title and event_id where they are known"),
    ),
    Recordable.PAGE_VIEWS: (
        _EVENT,
        _must("visit", _T, "event_id of the visit"),
        _must("url", _T, "the page"),
        _may("title", _T, "its title"),
        _must("at", _I, "when"),
    ),
    Recordable.COMPLETIONS: (
        _EVENT,
        _must("page", _T, "page_key of the landing page"),
        _CONTACT,
        _MADE,
        _may("form", _T, "name of the form"),
        _must("completed_at", _I, "when"),
        _may("answers", FieldType.TEXTS, "what was filled in"),
        _VALUES,
    ),
    Recordable.REGISTRATIONS: (
        _EVENT,
        _must("event", _T, "event_key of the event"),
        _CONTACT,
        _MADE,
        _must("registered_at", _I, "when they registered"),
        _may("attended_at", _I, "when they came, where that is known already"),
    ),
    Recordable.ATTENDANCE: (
        _must("event_id", _T, "your own id of this event; counts where they came without having registered"),
        _must("event", _T, "event_key of the event"),
        _CONTACT,
        _MADE,
        _must("attended_at", _I, "when they came"),
    ),
    Recordable.TASKS: (
        _EVENT,
        _CONTACT,
        _ADDRESS,
        _must("subject", _T, "what is to be done"),
        _may("description", _T, "more about it"),
        _may("due_at", _I, "until when"),
        _may("priority", _T, "else normal", "low", "normal", "high"),
        _may("owner", FieldType.ADDRESS, "address of the CRM's user who is to do it; else the person's owner"),
        _may("created_at", _I, "when it was made; else now"),
        _may("created_by", _T, "what made it: an automation, a user"),
    ),
    Recordable.PUSHES: (_CONTACT, _ADDRESS),
    Recordable.UPDATES: (
        _CONTACT,
        _ADDRESS,
        _must("values", FieldType.VALUES, "the columns to push with their values; they are written to the person's row as well"),
    ),
    Recordable.UNSUBSCRIBES: (*_SAID, _may("campaign", _T, "the campaign that they turned down, for the guarded watch")),
    Recordable.RESUBSCRIBES: _SAID,
}
"""Kind → its fields. One line is one record."""

PAGE_VIEW: tuple[RecordField, ...] = (
    _may("event_id", _T, "your own id of this page view"),
    _must("url", _T, "the page"),
    _may("title", _T, "its title"),
    _must("at", _I, "when"),
)
"""The fields of one page view inside of a visit."""

NEEDS_PERSON: frozenset[Recordable] = frozenset(
    kind for kind, shape in SHAPES.items() if {"contact_id", "address"} <= {each.name for each in shape}
) - {Recordable.OPENS, Recordable.CLICKS}
"""Kinds whose lines have to name a person. An open or a click may name its send instead."""
