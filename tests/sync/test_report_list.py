"""The lines of the list of runs, and what they add up to (GATE-5)."""

from __future__ import annotations

from datetime import date
from typing import Any

from sync.report_list import Line, day_counts, line_of, rows_of, with_run
from sync.trend import check_trends, days_until, runs_by_day
from tests.adapters.reports.sample import report


def line(run_id: str, at: str = "12:00", **changes: Any) -> Line:
    plain = {
        "flow": "core-sync",
        "connector": "acme",
        "state": "completed",
        "read": 0,
        "written": 0,
        "held": 0,
        "headline": "",
        "error": "",
    }
    return {"run_id": run_id, "started_at": f"2026-11-28T{at}:00+00:00", "ended_at": "", **plain, **changes}


def test_a_line_names_the_checks_that_did_not_pass_and_counts_what_was_checked() -> None:
    told = line_of(report())
    assert [(each["kind"], each["rule"], each["rows"], each["stopped"]) for each in told["failed_checks"]] == [
        ("contact", "email_well_formed", 210, False),
        ("contact", "text_fits", 2, False),
    ]
    assert told["checked"] == {"contact": {"batches": 1, "rows": 9012}}


def test_runs_that_fail_alike_are_one_row_and_another_error_or_a_success_begins_a_new_one() -> None:
    bad = {"state": "failed", "error": "no connection"}
    runs = [
        line("a", "12:00", **bad),
        line("b", "12:02", **bad),
        line("other", "12:03", flow="reconciliation"),
        line("c", "12:04", **bad),
        line("d", "12:06"),
        line("e", "12:08", **bad),
        line("f", "12:10", **{**bad, "error": "the password is wrong"}),
    ]
    rows = rows_of(reversed(runs))
    assert [(row["run_id"], row.get("times")) for row in rows] == [("f", None), ("e", None), ("d", None), ("c", 3), ("other", None)]
    assert rows[3]["since"] == runs[0]["started_at"]


def test_a_run_that_is_told_again_replaces_its_line_and_is_not_counted_twice() -> None:
    bad = {"state": "failed", "error": "no connection"}
    rows = rows_of([line("a", "12:00", **bad), line("b", "12:02", **bad)])
    again = with_run(rows, line("b", "12:02", **bad, findings=1))
    assert [(row["run_id"], row["times"], row.get("findings")) for row in again] == [("b", 2, 1)]
    assert [row["run_id"] for row in with_run(again, line("c", "12:04"), 1)] == ["c"]


def test_trends_add_up_the_days_and_say_whether_it_became_more() -> None:
    days = days_until(date(2026, 11, 28))
    lines = [line_of(report())]
    counts = {str(day): day_counts(lines * (3 if day >= date(2026, 11, 25) else 1)) for day in days[10:]}
    emails, texts = check_trends(counts, days)
    assert (emails.rule, emails.kind, emails.rows, emails.runs, emails.checked_runs) == ("email_well_formed", "contact", 210 * 28, 28, 28)
    assert emails.rows_by_day[:10] == (0,) * 10 and emails.rows_by_day[-1] == 630
    assert (emails.direction, emails.last_day, texts.rows) == ("more", days[-1], 2 * 28)
    assert runs_by_day(counts, days, "runs")[-5:] == (1, 3, 3, 3, 3)
    assert check_trends({}, days) == ()
