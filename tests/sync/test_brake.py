"""The brake's decisions (DEL-8)."""

from __future__ import annotations

import pytest

from sync.brake import Answer, answer_now, must_ask, rows_worth_counting


@pytest.mark.parametrize(
    ("affected", "before", "asks"),
    [(10, 100, False), (11, 100, True), (0, 100, False), (19, 19, False), (20, 20, True), (3, 20, True), (2, 20, False)],
)
def test_del_8_more_than_the_set_share_of_a_table_is_asked_about_and_tiny_tables_are_not_judged(
    affected: int, before: int, asks: bool
) -> None:
    assert must_ask(affected, before, limit_share=0.1, min_rows=20) is asks


@pytest.mark.parametrize("affected", [1, 7, 20, 1_000, 123_456])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 1.0])
def test_del_8_counting_further_than_needed_never_changes_the_decision(affected: int, share: float) -> None:
    enough = rows_worth_counting(affected, limit_share=share, min_rows=20)
    decision = must_ask(affected, enough, limit_share=share, min_rows=20)
    for rows in (enough + 1, enough * 10):
        assert must_ask(affected, rows, limit_share=share, min_rows=20) == decision


@pytest.mark.parametrize(
    ("said", "answered", "affected", "now"),
    [
        (Answer.ALLOW, 100, 100, Answer.ALLOW),
        (Answer.ALLOW, 100, 40, Answer.ALLOW),
        (Answer.ALLOW, 100, 101, Answer.WAIT),
        (Answer.REFUSE, 100, 100, Answer.REFUSE),
        (Answer.REFUSE, 100, 200, Answer.WAIT),
        (Answer.WAIT, 100, 1, Answer.WAIT),
    ],
)
def test_del_8_an_answer_holds_for_what_was_asked_and_not_for_more(said: Answer, answered: int, affected: int, now: Answer) -> None:
    assert answer_now(said, answered, affected) is now
