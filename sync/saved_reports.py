"""A saved report: a named question to Market, and what it is used for (REPORT-1, DEL-3, DEL-4).

A report is of people, accounts, opportunities, a custom object, or of what people did (opens, visits …): one row of that table is one row
of the report. Its conditions nest:

    all_of = [{ field = "crm_type", op = "equals", value = "Lead" }, { any_of = [… , …] }]

Every condition is true or false, never unknown; what an empty value means to each operator stands in `sync.saved_report_fields`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from sync.brake import must_ask, rows_worth_counting
from sync.records import CUSTOM_KEY, Kind
from sync.setting import doc

Value = str | int | float | bool | date | datetime

MOST_CONDITIONS = 200
MOST_DEPTH = 8
MOST_VALUES = 500


class Of(StrEnum):
    """What the rows of a report are."""

    PEOPLE = "people"
    ACCOUNTS = "accounts"
    OPPORTUNITIES = "opportunities"
    SENDS = "sends"
    OPENS = "opens"
    CLICKS = "clicks"
    VISITS = "visits"
    PAGE_VIEWS = "page_views"
    COMPLETIONS = "completions"
    REGISTRATIONS = "registrations"
    TASKS = "tasks"
    SCORES = "scores"

    @classmethod
    def _missing_(cls, value: object) -> Of | None:
        """Rows of a custom object are named after its table, as its kind is (CUST-2); see `Kind`."""
        if not isinstance(value, str) or not is_custom(value):
            return None
        if value not in _custom:
            of = str.__new__(cls, value)
            of._name_ = of._value_ = value
            _custom.setdefault(value, of)
        return _custom[value]

    @property
    def is_custom(self) -> bool:
        """Whether the rows are those of a custom object."""
        return self.value in _custom

    @property
    def is_activity(self) -> bool:
        """Whether the rows are what people did or what was done for them: such rows stay for good, and no report deletes them."""
        return self in _ACTIVITY

    @property
    def table(self) -> str:
        """The Market table."""
        return _TABLES.get(self, self.value)

    @property
    def key(self) -> str:
        """The integer key of that table; of scores, which have none of their own, the person's."""
        return CUSTOM_KEY if self.is_custom else _KEYS[self]

    @property
    def order(self) -> tuple[str, ...]:
        """What tells two rows apart."""
        return ("contact_id", "profile_id") if self is Of.SCORES else (self.key,)


_custom: dict[str, Of] = {}
_ACTIVITY = frozenset(Of) - {Of.PEOPLE, Of.ACCOUNTS, Of.OPPORTUNITIES}
_TABLES = {Of.PEOPLE: "contacts", Of.SENDS: "email_sends", Of.OPENS: "email_events", Of.CLICKS: "email_events", Of.VISITS: "web_visits"}
_KEYS = {
    Of.PEOPLE: "contact_id",
    Of.ACCOUNTS: "account_id",
    Of.OPPORTUNITIES: "opportunity_id",
    Of.SENDS: "send_id",
    Of.OPENS: "email_event_id",
    Of.CLICKS: "email_event_id",
    Of.VISITS: "visit_id",
    Of.PAGE_VIEWS: "page_view_id",
    Of.COMPLETIONS: "completion_id",
    Of.REGISTRATIONS: "registration_id",
    Of.TASKS: "task_id",
    Of.SCORES: "contact_id",
}


def is_custom(name: str) -> bool:
    """Whether a custom object's table may be called so (CUST-1)."""
    try:
        return Kind(name).is_custom
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `place` is where it stands in the configuration, for error messages.

    `field`: a column of the row, or a dotted name such as account.industry, owner.email, opportunities.count, lists.name,
    consent.guarded. `where`: which rows a count counts; all of it must hold.
    """

    field: str
    op: str
    value: Value | tuple[Value, ...] | None = None
    where: tuple[Part, ...] = ()
    place: str = dataclasses.field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Group:
    """All of the first, at least one of the second (if there are any), and none of the third must hold."""

    all_of: tuple[Part, ...] = ()
    any_of: tuple[Part, ...] = ()
    none_of: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        return (*self.all_of, *self.any_of, *self.none_of)

    def __bool__(self) -> bool:
        return bool(self.parts)


Part = Term | Group


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedReport:
    """A named question to Market: which rows, and what to do with them (REPORT-1)."""

    name: str
    of: Of = field(
        metadata=doc(
            "What a row of the report is: people, accounts, opportunities or custom_NAME; or what people did: sends, opens, clicks, "
            "visits, page_views, completions, registrations, tasks, scores.",
            example='"people"',
        )
    )
    text: str | None = field(default=None, metadata=doc("What the report is for, in a sentence.", example='"Leads that nobody touched"'))
    all_of: tuple[Part, ...] = field(
        default=(),
        metadata=doc(
            "Conditions that must all hold: { field, op, value }, or a group { any_of = […] }.",
            example='[{ field = "crm_type", op = "equals", value = "Lead" }, { field = "created_at", op = "older_than_days", value = 99 }]',
        ),
    )
    any_of: tuple[Part, ...] = field(
        default=(),
        metadata=doc(
            "Conditions of which at least one must hold.",
            example='[{ field = "account.industry", op = "is_null" }, { field = "opportunities.count", op = "equals", value = 0 }]',
        ),
    )
    none_of: tuple[Part, ...] = field(
        default=(),
        metadata=doc("Conditions of which none may hold.", example='[{ field = "lists.name", op = "equals", value = "Newsletter" }]'),
    )
    columns: tuple[str, ...] = field(
        default=(), metadata=doc("What is listed of each row; by default a few columns.", example='["contact_id", "email", "owner.email"]')
    )
    order_by: tuple[str, ...] = field(
        default=(), metadata=doc('The order of the list; "-" before a name: the largest first.', example='["last_name", "-created_at"]')
    )
    limit: int | None = field(default=None, metadata=doc("How many rows are listed at most.", minimum=1, example="1000"))
    include_deleted: bool = field(default=False, metadata=doc("Also rows that are deleted or merged away. For looking only."))
    auto_delete: bool = field(
        default=False, metadata=doc("At the end of each core pull, every row that meets the conditions is deleted in Market (DEL-3).")
    )
    do_not_pull: bool = field(
        default=False, metadata=doc("Rows that this report deletes stay deleted when their record changes in the CRM (DEL-7).")
    )
    segment: bool = field(default=False, metadata=doc("Keep a list of the people who meet the conditions, in segment_members."))

    @property
    def conditions(self) -> Group:
        return Group(self.all_of, self.any_of, self.none_of)

    @property
    def place(self) -> str:
        """Where it stands in the configuration."""
        return f"saved_reports.{self.name}"

    @property
    def uses(self) -> tuple[str, ...]:
        """What it is used for besides listing and deleting by hand."""
        return tuple(word for word, on in (("auto-deletion", self.auto_delete), ("segment", self.segment)) if on)


def count_terms(part: Part) -> int:
    """Conditions in a part, those of counts included."""
    if isinstance(part, Term):
        return 1 + sum(map(count_terms, part.where))
    return sum(map(count_terms, part.parts))


@dataclass(frozen=True, slots=True)
class BrakeLimits:
    """From when on a deletion has to be asked about (DEL-8): the share of a table, and the table's size from which shares are judged."""

    limit_share: float
    min_rows: int

    def holds(self, rows: int, rows_before: int) -> bool:
        """Whether deleting `rows` of `rows_before` living ones needs an answer."""
        return must_ask(rows, rows_before, limit_share=self.limit_share, min_rows=self.min_rows)

    def rows_worth_counting(self, rows: int) -> int:
        """A table with at least this many rows lets so many go, however large it is."""
        return rows_worth_counting(rows, limit_share=self.limit_share, min_rows=self.min_rows) + 1


def brake_subject(report: str) -> str:
    """What the brake's question about a report is called."""
    return f"report {report}"


@dataclass(frozen=True, slots=True)
class Deletion:
    """What one report deleted, or would have. `braked`: more than may go unasked, so nothing was deleted (DEL-8).

    `refused`: somebody was asked and said no. `examples`: as in `Preview`.
    """

    report: str
    of: Of
    rows: int
    braked: bool = False
    examples: tuple[str, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """How one segment's members changed, in people."""

    segment: str
    joined: int
    left: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What deleting by a report would do (DEL-4). `rows` of `rows_before` living ones would go; `by_type`: (type, rows), most first.

    `examples` are keys: the CRM's ids, or Market's where the CRM has none.
    """

    report: str
    of: Of
    rows: int
    rows_before: int
    by_type: tuple[tuple[str, int], ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Of the living rows, from 0 to 1."""
        return self.rows / self.rows_before if self.rows_before else 0.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """A report laid open: the question in words, its SQL with the bound values beside it, the database's plan, and how many rows."""

    words: tuple[str, ...]
    sql: str
    values: tuple[tuple[str, str], ...]
    plan: tuple[str, ...]
    rows: int


def each_term(parts: tuple[Part, ...]) -> Iterator[Term]:
    """Every condition of these parts, without those of counts."""
    for part in parts:
        if isinstance(part, Term):
            yield part
        else:
            yield from each_term(part.parts)
