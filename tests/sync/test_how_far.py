"""How far a run has come: the bar never runs backwards within a kind, and the words say what is behind it."""

from __future__ import annotations

from sync.how_far import HowFar
from sync.records import Kind


def test_the_bar_goes_by_the_records_of_each_kind() -> None:
    far = HowFar()
    assert (far.percent, far.words) == (0.0, "")
    far.hear(Kind.USER, "extract", 10, 10, ended=True)
    far.hear(Kind.CONTACT, "extract", 0, 990, ended=False)
    assert far.percent == 0.6
    far.hear(Kind.CONTACT, "extract", 495, 990, ended=False)
    assert far.percent == 30.3
    for verb in ("plan", "check", "commit"):
        far.hear(Kind.USER, verb, 10, 10, ended=True)
    assert far.words == "users done; contacts: 495 of 990 read"
    for verb in ("extract", "plan", "check", "commit"):
        far.hear(Kind.CONTACT, verb, 990, 990, ended=True)
    assert (far.percent, far.words) == (100.0, "users, contacts done")


def test_records_that_nobody_counted_are_told_as_they_come() -> None:
    far = HowFar()
    far.hear(Kind.LEAD, "extract", 4_975, None, ended=False)
    assert (far.percent, far.words) == (0.0, "leads: 4,975 read")
    far.hear(Kind.LEAD, "plan", 0, None, ended=False)
    far.hear(Kind.LEAD, "extract", 4_975, None, ended=True)
    assert far.percent == 60.0


def test_what_is_read_a_second_time_is_not_done() -> None:
    far = HowFar()
    for verb in ("extract", "commit"):
        far.hear(Kind.USER, verb, 5, 5, ended=True)
    far.hear(Kind.USER, "extract", 0, 2, ended=False)
    assert far.words == "users: 0 of 2 read"
