"""The gate's decisions, without a database: limits met exactly, counts that disagree, history (GATE-2 to GATE-4)."""

from __future__ import annotations

from typing import Any

import pytest

from sync.errors import GateRejected
from sync.gate import BatchContext, CheckResult, Severity, Status, Verdict, blanked_columns, decide, held_share, judge, percent, row_count
from sync.records import Kind


def context(**changes: Any) -> BatchContext:
    values: dict[str, Any] = {
        "connector": "acme",
        "kind": Kind.CONTACT,
        "parcel_id": "p1",
        "columns": {},
        "rows_read": 1000,
        "known_rows": 1000,
        "previous_rows": None,
        "max_held_share": 0.07,
        "mass_blanking_share": 0.3,
        "collapse_share": 0.5,
        "min_rows_for_share": 20,
    }
    return BatchContext(**{**values, **changes})


def check(status: Status, rule: str = "id_present") -> CheckResult:
    return CheckResult(rule, f"Title of {rule}", "why", Severity.ROW, status, 10, 1, "1 of 10 rows")


@pytest.mark.parametrize(
    ("severity", "counted", "expected", "status"),
    [
        (Severity.ROW, 0, 0, Status.PASSED),
        (Severity.ROW, 3, 3, Status.HELD),
        (Severity.BATCH, 0, 0, Status.PASSED),
        (Severity.BATCH, 3, 3, Status.FAILED),
        (Severity.ROW, 3, 2, Status.FAILED),
        (Severity.ROW, 0, 1, Status.FAILED),
        (Severity.ROW, None, 0, Status.NOT_EVALUATED),
        (Severity.ROW, 0, None, Status.NOT_EVALUATED),
        (Severity.BATCH, None, None, Status.NOT_EVALUATED),
    ],
)
def test_two_counts_become_one_status(severity: Severity, counted: int | None, expected: int | None, status: Status) -> None:
    """GATE-4: no count, or two that differ, is never a pass."""
    assert judge(severity, counted, expected) is status


@pytest.mark.parametrize(
    ("status", "rejected"), [(Status.PASSED, False), (Status.HELD, False), (Status.FAILED, True), (Status.NOT_EVALUATED, True)]
)
def test_held_rows_alone_do_not_reject_a_batch(status: Status, rejected: bool) -> None:
    """GATE-2, GATE-3, GATE-4."""
    assert bool(decide([check(Status.PASSED), check(status)])) is rejected


@pytest.mark.parametrize(
    ("held", "rows", "status"), [(7, 100, Status.PASSED), (8, 100, Status.FAILED), (70, 1000, Status.PASSED), (71, 1000, Status.FAILED)]
)
def test_the_allowed_share_of_held_rows_is_exact(held: int, rows: int, status: Status) -> None:
    """GATE-3: exactly the limit passes, one row more does not (0.07 * 100 is not 7 in binary)."""
    assert held_share(context(), rows, held, 0).status is status


def test_shares_of_very_few_rows_are_not_judged() -> None:
    """GATE-3: one bad record in a window of three changes is no reason to stop."""
    assert held_share(context(min_rows_for_share=20), 19, 19, 0).status is Status.PASSED
    assert held_share(context(min_rows_for_share=20), 20, 20, 0).status is Status.FAILED


def test_rows_that_were_held_before_do_not_stop_every_later_batch() -> None:
    """GATE-2: held records are read again at every run; without this, forty of them would outweigh twenty good changes for ever."""
    assert held_share(context(), 60, 40, 0).status is Status.FAILED
    assert held_share(context(), 60, 40, 40).status is Status.PASSED


@pytest.mark.parametrize(("rows", "status"), [(500, Status.PASSED), (499, Status.FAILED), (0, Status.FAILED), (5000, Status.PASSED)])
def test_a_collapsed_row_count_fails_a_whole_read(rows: int, status: Status) -> None:
    """GATE-3: at least the set share of what was there must come."""
    result = row_count(context(whole=True, rows_read=rows))
    assert result is not None and result.status is status


def test_the_last_whole_read_counts_more_than_what_market_holds() -> None:
    """GATE-3: a filter that was set since is in the last read already."""
    result = row_count(context(whole=True, rows_read=100, known_rows=1000, previous_rows=110))
    assert result is not None and result.status is Status.PASSED


def test_a_window_of_changes_is_not_compared_with_history() -> None:
    """FLOW-4: most windows are nearly empty, and that is well."""
    assert row_count(context(whole=False, rows_read=0, previous_rows=10_000)) is None


def test_a_first_read_has_no_history_to_collapse_against() -> None:
    result = row_count(context(whole=True, rows_read=0, known_rows=0))
    assert result is not None and result.status is Status.PASSED


@pytest.mark.parametrize(("blank", "blanked"), [(40, ()), (41, ("phone",)), (100, ("phone",)), (0, ())])
def test_a_column_may_lose_values_up_to_the_limit_exactly(blank: int, blanked: tuple[str, ...]) -> None:
    """GATE-3: a tenth was blank before and 0.3 more is allowed; 0.1 + 0.3 is more than 0.4 in binary, and must not matter."""
    assert blanked_columns(context(blank_shares={"phone": 0.1}), 100, {"phone": blank}) == blanked


def test_a_column_that_was_always_blank_may_stay_blank() -> None:
    assert blanked_columns(context(blank_shares={"fax": 1.0}), 100, {"fax": 100}) == ()


def test_blanking_is_not_judged_on_very_few_updates() -> None:
    assert blanked_columns(context(blank_shares={"phone": 0.0}), 19, {"phone": 19}) == ()


def test_a_rejection_says_where_why_and_where_the_report_is() -> None:
    """GATE-3: the run fails with the report's place."""
    verdict = Verdict("acme", Kind.CONTACT, "p1", (check(Status.FAILED, "id_repeated"),), (), "", 10, 0)
    error = verdict.rejection("reports/r1/index.html")
    assert not verdict.passed
    assert isinstance(error, GateRejected)
    assert "acme, contacts, parcel p1" in str(error)
    assert "Title of id_repeated: 1 of 10 rows" in str(error)
    assert "reports/r1/index.html" in str(error)


@pytest.mark.parametrize(
    ("part", "whole", "text"), [(0, 10, "0%"), (1, 100_000, "0.1%"), (99_999, 100_000, "99.9%"), (10, 10, "100%"), (0, 0, "0%")]
)
def test_a_share_never_rounds_something_to_nothing(part: int, whole: int, text: str) -> None:
    assert percent(part, whole) == text
