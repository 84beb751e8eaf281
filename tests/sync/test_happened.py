"""A run in words."""

from __future__ import annotations

from sync.happened import Happened, What, in_words, of_counts, sentence
from sync.records import CommitCounts, Kind


def test_what_happened_is_told_by_event_and_then_by_kind_and_added_up() -> None:
    happened = [
        Happened(Kind.CONTACT, What.UPDATED, 11),
        Happened(Kind.LEAD, What.HELD, 3),
        Happened(Kind.CONTACT, What.UPDATED, 1),
        Happened(Kind.LEAD, What.UPDATED, 1_200),
        Happened(Kind.CONTACT, What.ADDRESS, 2),
        Happened(Kind.LEAD, What.ADDRESS, 1),
        Happened(Kind.CONTACT, What.DELETED, 0),
    ]
    assert in_words(happened) == (
        "1,200 leads updated",
        "12 contacts updated",
        "1 address of a lead changed (delivery status reset)",
        "2 addresses of contacts changed (delivery status reset)",
        "3 leads held back",
    )


def test_a_run_in_which_nothing_happened_says_nothing() -> None:
    assert of_counts(Kind.LEAD, CommitCounts(read=9, unchanged=9)) == () and sentence(in_words(())) == ""


def test_every_event_has_words() -> None:
    for what in What:
        assert in_words([Happened(Kind.OPPORTUNITY, what, 2)])[0].startswith("2 ")
