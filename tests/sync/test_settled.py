"""Where a row of the outbox stands after the CRM's answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.push import Outcome, Receipt, Standing, State, next_try, settled

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
A, R, P = Outcome.ACCEPTED, Outcome.REFUSED, Outcome.POSTPONED


@pytest.mark.parametrize(
    ("version", "attempts", "outcome", "final", "doubtful", "state", "then"),
    [
        (1, 0, A, False, False, State.ACKNOWLEDGED, 0),
        (1, 2, A, False, True, State.ACKNOWLEDGED, 2),
        (2, 0, A, False, False, State.PENDING, 0),
        (1, 0, R, False, False, State.REFUSED, 1),
        (1, 1, R, False, True, State.REFUSED, 2),
        (1, 2, R, False, False, State.PARKED, 3),
        (1, 0, R, True, False, State.PARKED, 1),
        (2, 0, R, True, False, State.PENDING, 0),
        (1, 0, P, False, False, State.PENDING, 0),
        (1, 2, P, False, False, State.REFUSED, 2),
        (1, 2, P, False, True, State.SENDING, 2),
        (2, 0, P, False, False, State.PENDING, 0),
    ],
)
def test_push_2_push_4_what_a_receipt_makes_of_a_row(
    version: int, attempts: int, outcome: Outcome, final: bool, doubtful: bool, state: State, then: int
) -> None:
    """The row was sent at version 1."""
    row = Standing(version, State.SENDING, attempts, NOW if doubtful else None)
    after = settled(row, Receipt(1, 1, outcome, "r", "no", final), NOW, 3)
    assert (after.state, after.attempts, after.version) == (state, then, version)
    assert after.remote_id == ("r" if outcome is A else "")
    assert after.refusal == ("no" if state in (State.REFUSED, State.PARKED) and outcome is R else "")
    assert (after.next_try_at is not None) == (state is State.SENDING or (state is State.REFUSED and outcome is R))


def test_push_2_an_acknowledged_row_stays_whatever_else_is_said_of_that_version() -> None:
    row = Standing(1, State.ACKNOWLEDGED, remote_id="r")
    assert {settled(row, Receipt(1, 1, outcome, "other"), NOW, 3) for outcome in Outcome} == {row}


def test_push_4_pauses_grow_up_to_a_day() -> None:
    pauses = [next_try(attempts, 7, NOW) for attempts in range(1, 8)]
    minutes = [2, 10, 60, 360, 1440, 1440]
    assert pauses == [*(NOW + timedelta(minutes=each) for each in minutes), None]
