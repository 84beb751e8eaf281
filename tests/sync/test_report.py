"""The headline of a report in its cases, and the report's way to JSON and back (GATE-5)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sync.gate import CheckResult, Severity, Status, Verdict
from sync.records import CommitCounts, Finding, Kind
from sync.report import (
    HeldRow,
    ParcelReport,
    RunReport,
    VerificationLine,
    from_json,
    headline,
    parcel_report,
    shorten,
    step_parts,
    summary,
    to_json,
)


def parcel(kind: Kind = Kind.LEAD, because: tuple[str, ...] = (), **counts: int) -> ParcelReport:
    return ParcelReport(kind, "p1", "rejected" if because else "committed", CommitCounts(**counts), rejected_because=because)


def run(*parcels: ParcelReport, **changes: Any) -> RunReport:
    at = datetime(2026, 11, 2, 14, 5, tzinfo=UTC)
    values: dict[str, Any] = {"state": "completed", "parcels": parcels, **changes}
    return RunReport("r1", "core-sync", "acme", at, at, **values)


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (run(), "Nothing had changed in acme."),
        (run(parcel(read=1)), "1 record came from acme; none was held back."),
        (run(parcel(read=1200), parcel(Kind.USER, read=34)), "1,234 records came from acme; none were held back."),
        (run(parcel(read=10, held=1)), "10 records came from acme; 1 was held back."),
        (run(parcel(read=10, held=2), parcel(held=3)), "10 records came from acme; 5 were held back."),
        (
            run(parcel(read=5, because=("x",)), parcel(Kind.ACCOUNT, because=("x",)), parcel(Kind.USER, because=("y",)), state="rejected"),
            "5 records came from acme; the checks stopped leads, accounts and users, and nothing of them was written.",
        ),
        (run(parcel(read=5, inserted=2), state="failed"), "The run did not finish: 5 records came from acme, 2 were written."),
        (run(state="skipped"), "The run was skipped: 0 records came from acme, 0 were written."),
    ],
)
def test_the_headline_says_what_happened(report: RunReport, sentence: str) -> None:
    """GATE-5: for a reader who reads no further."""
    assert headline(report) == sentence


def test_a_report_survives_json() -> None:
    check = CheckResult("id_present", "Title", "why", Severity.ROW, Status.HELD, 10, 1, "1 of 10 rows", ("c1",))
    full = ParcelReport(
        Kind.CONTACT,
        "p2",
        "committed",
        CommitCounts(read=10, held=1),
        (check,),
        ("stopped",),
        (HeldRow("c1", "id_present", "why", "email", "ünïcode"),),
        (Finding(Kind.CONTACT, "topic", "words", 2, ("c1",)),),
        {"extract": 1.5},
        6.7,
    )
    verification = (VerificationLine(Kind.LEAD, 2, 1, True, ("1 filtered",), ("2 share a row",)),)
    more = {"findings": (Finding(None, "t", "m"),), "next_steps": ("do",), "error": "boom", "earlier": (Kind.USER,)}
    report = run(full, verification=verification, **more)
    assert from_json(to_json(report)) == report


def test_a_report_of_before_there_were_remarks_is_still_read() -> None:
    found = json.loads(to_json(run(parcel(), verification=(VerificationLine(Kind.LEAD, 1, 1, True),))))
    del found["earlier"], found["verification"][0]["remarks"]
    assert from_json(json.dumps(found)).verification[0].remarks == ()


def test_a_next_step_is_a_command_and_what_it_is_for_or_words_only() -> None:
    assert step_parts("marketsync status\nwhere the sync stands") == ("marketsync status", "where the sync stands")
    assert step_parts("Correct the records.") == ("", "Correct the records.")


def test_a_parcels_part_is_made_from_its_verdict() -> None:
    check = CheckResult("id_repeated", "Each record comes once", "why", Severity.BATCH, Status.FAILED, 10, 2, "2 of 10 rows")
    verdict = Verdict("acme", Kind.LEAD, "p3", (check,), (), "", 10, 0)
    part = parcel_report(verdict, CommitCounts(read=10), state="rejected", seconds={"check": 0.5})
    assert (part.kind, part.parcel_id, part.checks, part.seconds) == (Kind.LEAD, "p3", (check,), {"check": 0.5})
    assert part.rejected_because == ("Each record comes once: 2 of 10 rows",)


def test_a_summary_holds_numbers_and_no_rows() -> None:
    """The list of runs stays small, and holds nobody's data."""
    report = run(
        ParcelReport(
            Kind.LEAD,
            "p",
            "committed",
            CommitCounts(read=3, inserted=1, updated=1, held=1),
            held=(HeldRow("c1", "r", "w", "email", "private"),),
        )
    )
    found = summary(report)
    assert (found["read"], found["written"], found["held"]) == (3, 2, 1)
    assert "private" not in str(found)


@pytest.mark.parametrize(("value", "shown"), [(None, ""), ("x" * 80, "x" * 80), ("x" * 81, "x" * 79 + "…")])
def test_values_are_shortened(value: str | None, shown: str) -> None:
    assert shorten(value) == shown
