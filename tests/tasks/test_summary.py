"""The summary on a run's page in the Prefect UI: in words, with counts and reasons, and never a person's data (GATE-5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sync.gate import CheckResult, Severity, Status
from sync.records import CommitCounts, Finding, Kind, RunRef
from sync.report import HeldRow, ParcelReport, RunReport
from tasks.pulse import artifact_key
from tasks.summary import as_markdown

AT = datetime(2026, 11, 2, 14, 5, tzinfo=UTC)
PAGE = Path("/data/reports/r1/index.html")
CHECK = CheckResult(
    rule="contact_birthdate",
    title="A date of birth is a date",
    reason="A value that is no date would be lost.",
    severity=Severity.ROW,
    status=Status.HELD,
    failed=2,
)
HELD = tuple(HeldRow(f"c{number}", "contact_birthdate", CHECK.reason, "birthdate", "0000-00-00") for number in (1, 2))


def report(state: str = "completed", **more: object) -> RunReport:
    part = ParcelReport(Kind.CONTACT, "acme-contact-1", "committed", CommitCounts(read=12, inserted=10, held=2), (CHECK,), (), HELD)
    values = {"parcels": (part,), "findings": (Finding(Kind.CONTACT, "drift", "the field x is new", 1),), **more}
    return RunReport("r1", "core-sync", "acme", AT, AT + timedelta(seconds=9), state, **values)  # type: ignore[arg-type]


def test_it_tells_counts_what_was_held_and_why_and_what_is_worth_knowing() -> None:
    told = as_markdown(report(), "", PAGE)
    assert "| contacts | 12 | 10 | 0 | 0 | 2 |" in told
    assert "- **contacts**, A date of birth is a date: 2 do not meet it. A value that is no date would be lost." in told
    assert "- the field x is new" in told
    assert f"`{PAGE}`" in told and "](" not in told, "a browser opens no file from a page that came over HTTP"
    assert "0000-00-00" not in told and "c1" not in told


def test_a_failed_run_says_what_to_do_and_that_it_can_be_retried_where_that_is_so() -> None:
    steps = ("marketsync run core\ngoes on where this run stopped",)
    failed = report("failed", error="acme: it broke\nWhat to do: mend it", next_steps=steps, shown_at="http://ui")
    told = as_markdown(failed, "http://r/r1", PAGE)
    assert "> acme: it broke  \n> What to do: mend it" in told
    assert "- `marketsync run core`: goes on where this run stopped\n- or the button Retry" in told
    assert "[The whole quality report](http://r/r1)" in told
    assert "Retry" not in as_markdown(report("failed", error="x"), "", PAGE) and "Retry" not in as_markdown(report(), "", PAGE)


def test_its_name_is_one_that_prefect_takes() -> None:
    run = RunRef("r1", "core-sync", "my_crm", "marketsync.toml")
    assert (artifact_key(run), artifact_key(run, "report")) == ("my-crm-core-sync", "my-crm-core-sync-report")
