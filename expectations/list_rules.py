"""What must hold for the members of marketing lists before they may go on (GATE-2, GATE-3)."""

from __future__ import annotations

from expectations.rules import ID_PATTERN, CheckRule, Expectation
from expectations.sql import literal, number, rows_query
from sync.gate import Severity

_LEAVING = "CAST((SELECT count(*) FROM staged WHERE action = 'leave') AS DOUBLE)"
_BEFORE = "(SELECT count(*) FROM plan WHERE present)"


def member_rules(mass_leaving_share: float, min_rows: int) -> tuple[CheckRule, ...]:
    """The rules of a parcel of members. Shares of fewer than `min_rows` members that were there are not judged."""
    return (_once(), _id_present(), _id_well_formed(), _mass_leaving(mass_leaving_share, max(min_rows, 1)))


def _once() -> CheckRule:
    key = "list_id, kind, crm_id"
    bad = f"({key}) IN (SELECT ({key}) FROM staged WHERE crm_id IS NOT NULL GROUP BY {key} HAVING count(*) > 1)"
    return CheckRule(
        "member_once",
        "Each member stands on a list once",
        "The same member twice in one batch would be written twice, and nobody could say which of the two is right.",
        Severity.BATCH,
        Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": rows_query(bad)}),
        bad,
        asks_elsewhere=True,
    )


def _id_present() -> CheckRule:
    return CheckRule(
        "member_id_present",
        "Each member has its CRM id",
        "Without the id nobody can say who stands on the list.",
        Severity.ROW,
        Expectation("ExpectColumnValuesToNotBeNull", {"column": "crm_id"}),
        "crm_id IS NULL",
        literal("crm_id"),
    )


def _id_well_formed() -> CheckRule:
    return CheckRule(
        "member_id_well_formed",
        "CRM ids of members are well formed",
        "An id with blanks or invisible characters in it would not be found again in the CRM.",
        Severity.ROW,
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "crm_id", "regex": ID_PATTERN}),
        f"NOT regexp_full_match(crm_id, {literal(ID_PATTERN)})",
        literal("crm_id"),
        "crm_id",
    )


def _mass_leaving(share: float, least: int) -> CheckRule:
    too_many = f"{_BEFORE} >= {least} AND {_LEAVING} / {_BEFORE} - {number(share)} > {number(1e-9)}"
    bad = f"action = 'leave' AND {too_many}"
    return CheckRule(
        "mass_leaving",
        "Members do not leave their lists in mass",
        "When most members vanish at once, a right or a relationship in the CRM has changed more often than the lists have.",
        Severity.BATCH,
        Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": rows_query(bad)}),
        bad,
        asks_elsewhere=True,
    )
