"""How the tables of a saved report lead to one another: rows that a row belongs to, and rows that belong to it (REPORT-1, CUST-2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.activity_columns import ACTIVITY_COLUMNS
from sync.columns import CUSTOM_COLUMNS, FIXED_COLUMNS
from sync.fields import ValueType
from sync.saved_reports import Of, is_custom

_PERSON = {"person": "contacts"}
_OF_CHILDREN = {"account": "accounts", "owner": "users", **_PERSON}
_PARENTS: Mapping[Of, Mapping[str, str]] = {
    Of.PEOPLE: {"account": "accounts", "owner": "users"},
    Of.ACCOUNTS: {"owner": "users"},
    Of.OPPORTUNITIES: _OF_CHILDREN,
    Of.SENDS: {**_PERSON, "campaign": "campaigns"},
    Of.OPENS: {**_PERSON, "campaign": "campaigns"},
    Of.CLICKS: {**_PERSON, "campaign": "campaigns"},
    Of.VISITS: _PERSON,
    Of.PAGE_VIEWS: {"visit": "web_visits"},
    Of.COMPLETIONS: {**_PERSON, "page": "landing_pages"},
    Of.REGISTRATIONS: {**_PERSON, "event": "marketing_events"},
    Of.TASKS: {**_PERSON, "owner": "users"},
    Of.SCORES: {**_PERSON, "profile": "scoring_profiles"},
}
_DONE = (Of.SENDS, Of.OPENS, Of.CLICKS, Of.VISITS, Of.COMPLETIONS, Of.REGISTRATIONS, Of.TASKS, Of.SCORES)
_COUNTED: Mapping[Of, tuple[Of, ...]] = {
    Of.PEOPLE: (Of.OPPORTUNITIES, *_DONE),
    Of.ACCOUNTS: (Of.OPPORTUNITIES, Of.PEOPLE),
    Of.VISITS: (Of.PAGE_VIEWS,),
}
_WITH_CUSTOM = (Of.PEOPLE, Of.ACCOUNTS)

_DEFAULT_COLUMNS: Mapping[Of, tuple[str, ...]] = {
    Of.PEOPLE: ("contact_id", "crm_type", "first_name", "last_name", "email", "account.account_name"),
    Of.ACCOUNTS: ("account_id", "account_name", "industry", "billing_country", "owner.email"),
    Of.OPPORTUNITIES: ("opportunity_id", "opportunity_name", "stage", "amount", "currency", "close_date", "account.account_name"),
    Of.SENDS: ("send_id", "campaign.name", "person.email", "sent_at", "delivery_status", "opens", "clicks"),
    Of.OPENS: ("email_event_id", "campaign.name", "person.email", "at"),
    Of.CLICKS: ("email_event_id", "campaign.name", "person.email", "at", "url"),
    Of.VISITS: ("visit_id", "person.email", "started_at", "landing_page"),
    Of.PAGE_VIEWS: ("page_view_id", "at", "url", "title"),
    Of.COMPLETIONS: ("completion_id", "page.name", "person.email", "completed_at"),
    Of.REGISTRATIONS: ("registration_id", "event.name", "person.email", "registered_at", "attended_at"),
    Of.TASKS: ("task_id", "person.email", "subject", "due_at", "priority"),
    Of.SCORES: ("contact_id", "person.email", "profile.profile_key", "score", "scored_at"),
}


@dataclass(frozen=True, slots=True)
class Known:
    """Table → column → type. `whole`: these are all there are; else there may be replicated columns, and custom objects, besides."""

    tables: Mapping[str, Mapping[str, ValueType]]
    whole: bool

    def columns(self, table: str) -> Mapping[str, ValueType]:
        """The columns of a table; none of one that is not there."""
        return self.tables.get(table) or ({} if self.whole or not is_custom(table) else CUSTOM_BY_DESIGN)

    def is_open(self, table: str) -> bool:
        """Whether the table may have more columns than those that are known."""
        return not self.whole and (table in ("contacts", "accounts") or is_custom(table))

    def is_there(self, of: Of) -> bool:
        """Whether rows of this kind can be asked about at all."""
        return not of.is_custom or not self.whole or of.table in self.tables


CUSTOM_BY_DESIGN: Mapping[str, ValueType] = {name: type_.value for name, type_ in CUSTOM_COLUMNS.items()}
BY_DESIGN = Known(
    {table: {name: type_.value for name, type_ in columns.items()} for table, columns in {**FIXED_COLUMNS, **ACTIVITY_COLUMNS}.items()},
    whole=False,
)
"""What is known without a database."""


def parents(of: Of) -> Mapping[str, str]:
    """Relation → the table of the one row that it leads to."""
    return _PARENTS.get(of, _OF_CHILDREN)


def counted(of: Of, known: Known) -> tuple[Of, ...]:
    """What belongs to such a row, as far as it is known by name."""
    custom = tuple(Of(table) for table in known.tables if is_custom(table)) if of in _WITH_CUSTOM else ()
    return (*_COUNTED.get(of, ()), *custom)


def child(of: Of, relation: str, known: Known) -> Of | None:
    """What is counted by that name; None: nothing."""
    if is_custom(relation) and of in _WITH_CUSTOM:
        return Of(relation) if known.is_there(Of(relation)) else None
    return next((each for each in _COUNTED.get(of, ()) if each.value == relation), None)


def default_columns(of: Of) -> tuple[str, ...]:
    """What is listed of each row where the report does not say."""
    return _DEFAULT_COLUMNS.get(of, (of.key, "crm_id", "person.email", "account.account_name"))
