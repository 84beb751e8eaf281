"""A run in words."""

from __future__ import annotations

from sync.happened import Happened, What, in_words, of_counts, of_pushes, sentence
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


def test_pushes_are_one_phrase_in_the_order_in_which_they_went_out() -> None:
    pushes = [*of_pushes(Kind.SENT, 500, 2, 1), *of_pushes(Kind.OPT_OUT, 2, 0, 0), *of_pushes(Kind.NEW_LEAD, 1, 1, 0)]
    told = in_words([*pushes, Happened(Kind.CONTACT, What.UPDATED, 3)])
    assert told == ("3 contacts updated", "2 opt-outs, 1 new lead and 500 sent emails pushed; 3 refused, 1 parked")
    assert in_words(of_pushes(Kind.VISIT, 0, 2, 1)) == ("2 web visits refused, 1 web visit parked",)


def test_push_6_an_echo_of_our_own_writing_is_no_news_but_what_was_held_of_it_is() -> None:
    counts = CommitCounts(read=5, inserted=1, updated=3, held=1, newly_held=1)
    assert in_words(of_counts(Kind.LEAD, counts, echo=True)) == ("1 lead held back",)
    assert len(of_counts(Kind.LEAD, counts)) == 3


def test_a_run_in_which_nothing_happened_says_nothing() -> None:
    assert of_counts(Kind.LEAD, CommitCounts(read=9, unchanged=9)) == () and sentence(in_words(())) == ""


def test_every_event_has_words() -> None:
    for what in What:
        assert in_words([Happened(Kind.OPPORTUNITY, what, 2)])[0].startswith("2 ")
