"""The tree of a SOQL query."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

AGGREGATES = ("COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG")
FUNCTIONS = ("CALENDAR_YEAR", "CALENDAR_QUARTER", "CALENDAR_MONTH", "DAY_ONLY", "DAY_IN_MONTH", "HOUR_IN_DAY", "TOLABEL", "FORMAT")


class Value(NamedTuple):
    """A literal; `kind`: string, number, date, datetime, boolean, null, or period (a date literal such as LAST_N_DAYS:3).

    `pattern`: a string as LIKE reads it.
    """

    kind: str
    value: Any
    pattern: str = ""


class Term(NamedTuple):
    """A field by its dotted path, perhaps inside a function; `path` is empty for COUNT()."""

    path: tuple[str, ...]
    function: str = ""
    alias: str = ""


class Compare(NamedTuple):
    """One condition; `op` is =, !=, <, <=, >, >=, like, in, not in, includes or excludes. `values` has one entry for the single ones."""

    term: Term
    op: str
    values: tuple[Value, ...]


class InQuery(NamedTuple):
    """A semi-join: the field is (not) among what another query finds."""

    term: Term
    query: Query
    negated: bool


class Logic(NamedTuple):
    """`op` is and, or, or not (which has one part)."""

    op: str
    parts: tuple[Condition, ...]


Condition = Compare | InQuery | Logic


class Order(NamedTuple):
    """One entry of ORDER BY."""

    term: Term
    descending: bool
    nulls_last: bool


@dataclass
class Query:
    """One SELECT. `nested`: queries for children in the select list."""

    terms: list[Term] = field(default_factory=list)
    nested: list[Query] = field(default_factory=list)
    everything: str = ""
    object: str = ""
    alias: str = ""
    where: Condition | None = None
    group: list[Term] = field(default_factory=list)
    having: Condition | None = None
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
    all_rows: bool = False

    @property
    def counts(self) -> bool:
        """SELECT COUNT() FROM …: no records, only `totalSize`."""
        return len(self.terms) == 1 and self.terms[0].function == "COUNT" and not self.terms[0].path and not self.terms[0].alias

    @property
    def aggregates(self) -> bool:
        """Does it group?"""
        return bool(self.group) or any(term.function in AGGREGATES for term in self.terms)
