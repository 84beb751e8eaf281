"""The table of rules: for each kind of record, what must hold for its rows before they may go on.

Each rule is said twice, on purpose. Great Expectations evaluates `expectation`, which gives the verdict and the report; `bad_rows`, a
DuckDB condition over the view `staged`, fills the quarantine. `gate.py` counts both ways; a rule whose counts differ has failed (GATE-4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from expectations.sql import any_of, first_of, literal, quote, rows_query
from sync.fields import ColumnType, ValueType
from sync.gate import Severity
from sync.records import PUSHED, Kind

Columns = Mapping[str, ColumnType]

# RE2, both for DuckDB's functions and for `~`. \pZ: blanks of all scripts; \pC: control and invisible characters.
ID_PATTERN = r"^[^\s\pZ\pC]+$"
_PART = r"[^@\s\pZ\pC<>,;]+"
_LABEL = r"[^@\s\pZ\pC<>,;.]+"
# Blanks around the address do no harm: addresses are trimmed wherever they are compared (MATCH-2). An empty one is no address.
EMAIL_PATTERN = rf"^\s*({_PART}@{_LABEL}(\.{_LABEL})+)?\s*$"
EMAIL_LENGTH = 254
CRM_TYPES = ("Lead", "Contact", "Candidate")
REFERENCES = ("account_ref", "contact_ref", "owner_ref")
# Some CRMs say "no reference" with an empty text.
REFERENCE_PATTERN = r"^[^\s\pZ\pC]*$"


@dataclass(frozen=True, slots=True)
class Expectation:
    """An expectation of Great Expectations by name, so that a table of rules needs none of its three seconds of import."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CheckRule:
    """One rule. `column` and `value` are DuckDB expressions that tell, for a bad row, what failed and what stands there.

    `asks_elsewhere`: the condition looks beyond its own row, at other rows or at another table of the parcel.
    """

    name: str
    title: str
    reason: str
    severity: Severity
    expectation: Expectation
    bad_rows: str
    column: str = "NULL"
    value: str = "NULL"
    asks_elsewhere: bool = False

    @property
    def count(self) -> str:
        """The aggregate that counts the bad rows."""
        return f"count(*) FILTER (WHERE {self.bad_rows})"


def rules_for(kind: Kind, columns: Columns) -> tuple[CheckRule, ...]:
    """The rules of one kind, for the columns that its batch fills. A rule about a column that the batch does not fill is left out."""
    rules = [_id_repeated(), _id_present(), _id_well_formed(), *_stamp(columns), *_texts_fit(columns), _readable(), *_references(columns)]
    for applies, rule in _BY_COLUMN.get(kind.table, ()):
        if applies in columns:
            rules.append(rule())
    return tuple(rules)


def mandatory(kind: Kind) -> tuple[str, ...]:
    """Columns without which a batch makes no sense. Users are read whole each time, and members of lists, so they need no stamp. What is
    sent is made by us, and has all its columns."""
    if kind in PUSHED:
        return ()
    return ("crm_id",) if kind in (Kind.USER, Kind.LIST_MEMBER) else ("crm_id", "crm_modified_at")


def _id_repeated() -> CheckRule:
    return CheckRule(
        "id_repeated",
        "Each record comes once",
        "The same record twice in one batch would be written twice, and nobody could say which version is the right one.",
        Severity.BATCH,
        Expectation("ExpectColumnValuesToBeUnique", {"column": "crm_id"}),
        "crm_id IN (SELECT crm_id FROM staged GROUP BY crm_id HAVING count(*) > 1)",
        asks_elsewhere=True,
    )


def _id_present() -> CheckRule:
    return CheckRule(
        "id_present",
        "Each record has its CRM id",
        "Without the id a record can't be found again, so it would be created anew at every sync.",
        Severity.ROW,
        Expectation("ExpectColumnValuesToNotBeNull", {"column": "crm_id"}),
        "crm_id IS NULL",
        literal("crm_id"),
    )


def _id_well_formed() -> CheckRule:
    return _matches("id_well_formed", "CRM ids are well formed", _ID_REASON, "crm_id", ID_PATTERN)


def _stamp(columns: Columns) -> tuple[CheckRule, ...]:
    if "crm_modified_at" not in columns:
        return ()
    return (
        CheckRule(
            "stamp_present",
            "Each record says when it was last changed",
            "The sync finds changes by this date. Without it a record's later changes would be missed.",
            Severity.ROW,
            Expectation("ExpectColumnValuesToNotBeNull", {"column": "crm_modified_at"}),
            "crm_modified_at IS NULL",
            literal("crm_modified_at"),
        ),
    )


def _readable() -> CheckRule:
    bad = "seq IN (SELECT seq FROM unreadable)"
    of_row = "FROM unreadable AS u WHERE u.seq = staged.seq"
    return CheckRule(
        "value_readable",
        "Dates and numbers can be read",
        "A value that is not what its field promises (a date that is no date) would be lost silently.",
        Severity.ROW,
        Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": rows_query(bad)}),
        bad,
        f"(SELECT string_agg(u.column_name || ' (' || u.wanted || ')', ', ' ORDER BY u.column_name) {of_row})",
        f"(SELECT string_agg(u.value, ', ' ORDER BY u.column_name) {of_row})",
        asks_elsewhere=True,
    )


def _texts_fit(columns: Columns) -> tuple[CheckRule, ...]:
    """One rule, and so one query, for all texts that have a limit."""
    limits = {name: kind.length for name, kind in columns.items() if kind.value is ValueType.TEXT and kind.length is not None}
    if not limits:
        return ()
    # Bytes first: cheap to know, never fewer than the characters. Limits are in characters.
    tests = {name: f"strlen({quote(name)}) > {limit} AND length({quote(name)}) > {limit}" for name, limit in limits.items()}
    return (
        CheckRule(
            "text_fits",
            "Texts fit their columns",
            "A text longer than its column would be cut off, or the database would refuse it.",
            Severity.ROW,
            Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": rows_query(any_of(tests.values()))}),
            any_of(tests.values()),
            first_of({test: literal(f"{name} ({limits[name]} characters at most)") for name, test in tests.items()}),
            first_of({test: f"left({quote(name)}, 200)" for name, test in tests.items()}),
        ),
    )


def _references(columns: Columns) -> tuple[CheckRule, ...]:
    """Only malformed references: one that points to a record which has not arrived yet is linked later (PULL-6, PULL-7)."""
    names = [name for name in REFERENCES if name in columns]
    if not names:
        return ()
    tests = {name: f"NOT regexp_full_match({quote(name)}, {literal(REFERENCE_PATTERN)})" for name in names}
    return (
        CheckRule(
            "reference_well_formed",
            "References to other records are well formed",
            "A reference that is no id can never be linked to its account or owner.",
            Severity.ROW,
            Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": rows_query(any_of(tests.values()))}),
            any_of(tests.values()),
            first_of({test: literal(name) for name, test in tests.items()}),
            first_of({test: quote(name) for name, test in tests.items()}),
        ),
    )


def _matches(name: str, title: str, reason: str, column: str, pattern: str) -> CheckRule:
    return CheckRule(
        name,
        title,
        reason,
        Severity.ROW,
        Expectation("ExpectColumnValuesToMatchRegex", {"column": column, "regex": pattern}),
        f"NOT regexp_full_match({quote(column)}, {literal(pattern)})",
        literal(column),
        quote(column),
    )


def _between(name: str, title: str, reason: str, column: str, lowest: int, highest: int) -> CheckRule:
    return CheckRule(
        name,
        title,
        reason,
        Severity.ROW,
        Expectation("ExpectColumnValuesToBeBetween", {"column": column, "min_value": lowest, "max_value": highest}),
        f"{quote(column)} < {lowest} OR {quote(column)} > {highest}",
        literal(column),
        f"CAST({quote(column)} AS VARCHAR)",
    )


def _email_well_formed() -> CheckRule:
    return _matches(
        "email_well_formed",
        "E-mail addresses are well formed",
        "A malformed address can't be mailed, and it would never match the person it belongs to.",
        "email",
        EMAIL_PATTERN,
    )


def _email_length() -> CheckRule:
    return CheckRule(
        "email_length",
        "E-mail addresses are not too long",
        f"No mail system delivers to an address of more than {EMAIL_LENGTH} characters.",
        Severity.ROW,
        Expectation("ExpectColumnValueLengthsToBeBetween", {"column": "email", "max_value": EMAIL_LENGTH}),
        f"length(email) > {EMAIL_LENGTH}",
        literal("email"),
        "email",
    )


def _crm_type_known() -> CheckRule:
    return CheckRule(
        "crm_type_known",
        "Each person is a lead, a contact or a candidate",
        "The type decides which CRM record is written to when something is sent back.",
        Severity.ROW,
        Expectation("ExpectColumnValuesToBeInSet", {"column": "crm_type", "value_set": list(CRM_TYPES)}),
        f"crm_type NOT IN ({', '.join(map(literal, CRM_TYPES))})",
        literal("crm_type"),
        "crm_type",
    )


def _del_status_known() -> CheckRule:
    return _between(
        "del_status_known",
        "The delivery status is unknown, delivered or bounced",
        "Any other number would make the person count as neither reachable nor unreachable.",
        "del_status",
        0,
        2,
    )


def _probability_is_percent() -> CheckRule:
    return _between(
        "probability_is_percent",
        "Probabilities lie between 0 and 100",
        "Forecasts multiply by it; a probability outside of this range makes them wrong.",
        "probability",
        0,
        100,
    )


_ID_REASON = "An id with blanks or invisible characters in it, or an empty one, would not be found again in the CRM."
_ADDRESS = (("email", _email_well_formed), ("email", _email_length))
_BY_COLUMN: Mapping[str, tuple[tuple[str, Callable[[], CheckRule]], ...]] = {
    Kind.USER.table: _ADDRESS,
    Kind.CONTACT.table: (*_ADDRESS, ("crm_type", _crm_type_known), ("del_status", _del_status_known)),
    Kind.OPPORTUNITY.table: (("probability", _probability_is_percent),),
}
