"""What went to the CRM, on a run's page (GATE-5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.reports import write_report
from sync.gate import Status
from sync.records import CommitCounts, Finding, Kind
from sync.report import HeldRow, ParcelReport
from tests.adapters.reports.sample import check, contacts, report
from tests.adapters.reports.test_pages import page

REASON = "What the CRM would get without it says nothing."
TITLE = "Each row has what it can't go without"


def mails(number: int, held: int = 1, **changes: Any) -> ParcelReport:
    status = Status.HELD if held else Status.PASSED
    values: dict[str, Any] = {
        "kind": Kind.SENT,
        "parcel_id": f"acme-sent email-{number}",
        "state": "committed",
        "counts": CommitCounts(read=500, updated=500 - held, held=held),
        "checks": (check("value_present", TITLE, REASON, status, failed=held, evaluated=500, examples=(f"{number}7",)),),
        "held": tuple(HeldRow(f"{number}{row}", "value_present", REASON, "subject") for row in range(held)),
    }
    return ParcelReport(**{**values, **changes})


def text(folder: Path, *parcels: ParcelReport, **changes: Any) -> str:
    return page(write_report(report(parcels=parcels, verification=(), findings=(), **changes), folder)).text


def test_batches_that_went_out_are_one_line_and_one_sentence_gate_5(tmp_path: Path) -> None:
    found = text(tmp_path, mails(1), mails(2, held=2), mails(3, held=0))
    for words in (
        "Waited for the CRM 1,500 Taken by the CRM 1,497 Refused 3",
        "Sent emails Written 1,500 1,497 3",
        "1,500 sent emails checked, 3 held back: subject is missing",
        f"Sent emails: {TITLE} \N{EN DASH} 3 rows do not meet this",
        "Row of the outbox Field What stands there 10 subject empty 20 subject empty 21 subject empty",
        f"{TITLE} {REASON} Rows held 3 of 1,500 rows",
        "3 batches",
    ):
        assert words in found, words
    assert "Came from the CRM" not in found and "quarantine" not in found


def test_what_came_and_what_went_stand_side_by_side(tmp_path: Path) -> None:
    found = text(tmp_path, contacts(), mails(1, held=0))
    assert "Came from the CRM 9,012 Written to Market 8,750 Held back 212" in found
    assert "500 sent emails checked, none held back" in found


def test_gate_3_a_stopped_batch_says_that_nothing_of_it_was_sent(tmp_path: Path) -> None:
    stopped = mails(1, state="rejected", counts=CommitCounts(read=500, held=90), rejected_because=("Too many: 90 of 500",))
    found = text(tmp_path, stopped, state="rejected", next_steps=())
    assert "Sent emails: stopped, nothing of this batch was sent Too many: 90 of 500" in found
    assert "The rows go on waiting in the outbox; nothing is lost." in found


def test_a_batch_that_was_checked_and_never_sent_does_not_look_as_if_it_was(tmp_path: Path) -> None:
    finding = Finding(Kind.SENT, "push postponed", "500 sent emails were postponed", 500)
    waiting = mails(1, 0, state="checked", counts=CommitCounts(read=500), findings=(finding,))
    found = text(tmp_path, waiting, state="failed", next_steps=())
    assert "Sent emails Checked, not sent 500 0 0" in found
    assert "500 sent emails were postponed" in found
