"""Batches that went out in one run, told as one (GATE-5)."""

from __future__ import annotations

from typing import Any

import pytest

from sync.gate import CheckResult, Severity, Status
from sync.records import CommitCounts, Kind
from sync.report import HeldRow, ParcelReport
from sync.report_batches import checked_words, together


def check(rule: str, status: Status = Status.PASSED, failed: int = 0, observed: str = "x", **more: Any) -> CheckResult:
    return CheckResult(rule, f"Title of {rule}", "why", Severity.ROW, status, 500, failed, observed, **more)


def batch(parcel_id: str, *checks: CheckResult, kind: Kind = Kind.SENT, held: tuple[HeldRow, ...] = (), **more: Any) -> ParcelReport:
    given = {"state": "committed", "counts": CommitCounts(read=500, updated=499, held=1), **more}
    return ParcelReport(kind, parcel_id, checks=checks, held=held, **given)


def test_batches_of_one_kind_are_told_as_one_gate_5() -> None:
    first = batch("p1", check("a"), check("b", Status.HELD, 1, examples=("7",)), check("c"))
    second = batch("p2", check("a"), check("b", Status.HELD, 2, examples=("8", "9")), check("c", Status.FAILED, 3, "3 of 500"))
    came, alone = batch("p0", kind=Kind.LEAD), batch("p3", kind=Kind.OPT_OUT)
    lead, opt_outs, mails = together([came, first, alone, second])
    assert (lead, opt_outs) == (came, alone)
    assert (mails.parcel_id, mails.counts) == ("2 batches", CommitCounts(read=1000, updated=998, held=2))
    found = {each.rule: (each.status, each.evaluated, each.failed, each.observed, each.examples) for each in mails.checks}
    assert found == {
        "a": (Status.PASSED, 1000, 0, "all 1,000 rows", ()),
        "b": (Status.HELD, 1000, 3, "3 of 1,000 rows", ("7", "8", "9")),
        "c": (Status.FAILED, 1000, 3, "3 of 500", ()),
    }


def test_one_stopped_batch_is_not_hidden_by_the_others_gate_3() -> None:
    stopped = batch("p2", state="rejected", rejected_because=("Not too many: 9 of 10",))
    [mails] = together([batch("p1"), stopped])
    assert (mails.state, mails.rejected_because) == ("rejected", ("Not too many: 9 of 10",))


def row(number: str, rule: str = "value_present", column: str = "subject") -> HeldRow:
    return HeldRow(number, rule, "There is no record.", column, "x")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (batch("p", check("a")), "500 sent emails checked, none held back"),
        (batch("p", check("a"), held=(row("1"),)), "500 sent emails checked, 1 held back: subject is missing"),
        (
            batch("p", check("a"), held=(row("1"), row("2"), row("2", "target_present", ""))),
            "500 sent emails checked, 2 held back: subject is missing (2), There is no record (1)",
        ),
        (batch("p", check("a", Status.HELD, 60), held=(row("1"),)), "500 sent emails checked, 60 held back: subject is missing"),
        (batch("p", check("a"), rejected_because=("Too many: 9",)), "500 sent emails checked, none sent: Too many: 9"),
        (batch("p"), ""),
    ],
)
def test_what_the_gate_found_is_one_sentence_gate_5(part: ParcelReport, words: str) -> None:
    assert checked_words(part) == words
