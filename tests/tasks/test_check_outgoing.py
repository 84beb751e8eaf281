"""The gate before sending, in an installation: what it keeps, what it stops, what it tells (GATE-1, GATE-3, GATE-5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.staging import outgoing
from sync.errors import GateRejected
from sync.push import Outcome
from sync.records import CommitCounts, Kind, ParcelRef
from sync.report import HeldRow
from tasks.check_outgoing import check_outgoing, check_parcel_of_outgoing
from tasks.report import kept_parts
from tests.outgoing_rows import row
from tests.pull_road import PullRoad, pull_road

FEW = "[gate]\nmin_rows_for_share = 5\nmax_held_share = 0.2\n"


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[PullRoad]:
    with pull_road(tmp_path, market_url, more=FEW) as opened:
        yield opened


def stage(road: PullRoad, kind: Kind, bad: int, good: int) -> ParcelRef:
    rows = [replace(row(kind, number), targets=()) for number in range(1, bad + 1)]
    rows += [row(kind, number) for number in range(bad + 1, bad + good + 1)]
    return outgoing.stage(road.home.parcels, road.connector, kind, "push-1", rows)


def test_gate_1_what_passed_may_be_sent_and_what_was_held_is_refused_and_told_gate_5(road: PullRoad) -> None:
    ref = stage(road, Kind.OPT_OUT, 1, 5)
    assert check_outgoing.fn(road.run, ref) == 1, "no CRM is asked: there is none"
    with road.home.parcels.open(ref) as parcel:
        assert [each.outbox_id for each in outgoing.outgoing(parcel)] == [2, 3, 4, 5, 6]
        [refused] = outgoing.refused_by_gate(parcel)
    assert (refused.outbox_id, refused.outcome, refused.final) == (1, Outcome.REFUSED, False)
    assert refused.said == "held back: There is no record of this person in the CRM that this could be written to."
    [part] = kept_parts(road.home, road.run)
    assert (part.kind, part.state, part.counts) == (Kind.OPT_OUT, "checked", CommitCounts(read=6, held=1))
    assert part.held == (HeldRow("1", "target_present", refused.said.removeprefix("held back: ")),)


def test_gate_3_of_a_batch_that_is_bad_as_a_whole_nothing_is_sent(road: PullRoad) -> None:
    ref = stage(road, Kind.OPT_OUT, 2, 4)
    with pytest.raises(GateRejected, match=r"nothing of it was sent(.|\n)*index.html"):
        check_outgoing.fn(road.run, ref)
    with road.home.parcels.open(ref) as parcel, pytest.raises(GateRejected):
        outgoing.outgoing(parcel)
    [part] = kept_parts(road.home, road.run)
    assert part.state == "rejected" and part.rejected_because


def test_gate_3_rows_that_are_held_again_do_not_stop_the_batch_that_they_are_tried_in(road: PullRoad) -> None:
    """Else three rows that can't pass would stop every later batch, and would never be parked (PUSH-4)."""
    for number, refusal in ((1, "held back: x"), (2, "held back: x"), (3, "The CRM said: held back: no")):
        road.execute(
            "INSERT INTO outbox (outbox_id, connector, kind, crm_kind, crm_id, value, created_at, state, refusal)"
            " VALUES (:id, 'acme', 'task', '', '', '{}', '2026-11-24 10:00:00', 'refused', :refusal)",
            id=number,
            refusal=refusal,
        )
    for bad, passes in ((2, True), (4, False)):
        ref = stage(road, Kind.TASK, bad, 7 - bad)
        with road.home.parcels.open(ref) as parcel:
            assert check_parcel_of_outgoing(road.run, parcel).passed is passes


def test_gate_4_a_check_that_can_not_be_evaluated_stops_the_batch_before_it_is_sent(road: PullRoad) -> None:
    ref = stage(road, Kind.TASK, 0, 1)
    with road.home.parcels.open(ref) as parcel:
        parcel.execute("DROP TABLE said")
        verdict = check_parcel_of_outgoing(road.run, parcel)
        assert not verdict.passed
        with pytest.raises(GateRejected):
            outgoing.outgoing(parcel)
