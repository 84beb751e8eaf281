"""Which addresses that moved are worth a question (CONSENT-3, CONSENT-4, FLOW-4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync.flagged import MOST_REMEMBERED, FlaggedAddress, remembered, worth_asking
from sync.records import Window

T = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WINDOW = Window(T, None)
OUT = FlaggedAddress("a1", "ann@example.com", T + timedelta(minutes=1), out=True, invalid=False, created_at=T - timedelta(days=9))


def test_consent_3_an_opt_out_on_an_address_is_asked_about() -> None:
    assert worth_asking([OUT], WINDOW, {}) == (OUT,)


def test_consent_4_a_flag_that_was_taken_off_an_old_address_is_asked_about() -> None:
    assert worth_asking([replace(OUT, out=False)], WINDOW, {}) == (replace(OUT, out=False),)
    assert worth_asking([replace(OUT, out=False, created_at=None)], WINDOW, {}) != ()


def test_a_new_address_without_a_flag_comes_with_its_holder() -> None:
    new = replace(OUT, out=False, created_at=OUT.at)
    assert worth_asking([new], WINDOW, {}) == ()
    moved = replace(new, at=OUT.at + timedelta(seconds=1))
    assert worth_asking([moved], WINDOW, {}) == (moved,), "it may have had a flag when its holder came"


def test_a_new_address_that_carries_a_flag_is_asked_about() -> None:
    assert worth_asking([replace(OUT, created_at=T + timedelta(seconds=3))], WINDOW, {}) != ()


def test_flow_4_what_the_overlap_brings_again_is_not_asked_about_again_unless_it_moved() -> None:
    seen = remembered([OUT], T)
    assert worth_asking([OUT], WINDOW, seen) == ()
    assert worth_asking([replace(OUT, at=OUT.at + timedelta(seconds=1))], WINDOW, seen) != ()


@pytest.mark.parametrize(
    ("was", "after"), [((False, False), (True, False)), ((True, False), (False, False)), ((True, False), (True, True))]
)
def test_consent_3_a_flag_that_moved_within_the_second_of_the_last_look_is_asked_about(
    was: tuple[bool, bool], after: tuple[bool, bool]
) -> None:
    before, now = (replace(OUT, out=out, invalid=invalid) for out, invalid in (was, after))
    assert worth_asking([now], WINDOW, remembered([before], T)) == (now,)


def test_consent_4_a_new_address_that_was_seen_with_a_flag_is_asked_about_when_it_has_none() -> None:
    """Its holder came with the flag, and stays out until somebody asks."""
    new = replace(OUT, created_at=OUT.at)
    taken_off = replace(new, out=False)
    assert worth_asking([taken_off], WINDOW, remembered([new], T)) == (taken_off,)


def test_what_lies_before_the_overlap_is_forgotten_and_so_is_too_much() -> None:
    assert remembered([OUT], OUT.at + timedelta(seconds=1)) == {}
    many = [replace(OUT, address_id=str(number)) for number in range(MOST_REMEMBERED + 1)]
    assert remembered(many, T) == {} and len(remembered(many[1:], T)) == MOST_REMEMBERED
