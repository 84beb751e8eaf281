"""What the gate has to know of an outgoing row (GATE-1)."""

from __future__ import annotations

import pytest

from sync.outgoing import Said, counts_only, last_counts, needed_values, needs_target, said, same_thing
from sync.push import Outgoing, Target
from sync.records import PUSHED, Kind
from tests.outgoing_rows import COUNTERS, VALUES, row


@pytest.mark.parametrize("kind", PUSHED)
def test_what_each_kind_needs_is_in_a_good_row(kind: Kind) -> None:
    one = row(kind)
    assert set(needed_values(one)) <= VALUES[kind].keys()
    assert needs_target(one) is (kind is not Kind.NEW_LEAD)
    assert not counts_only(one)


def test_counters_of_a_campaign_need_no_person_sink_1() -> None:
    one = row(Kind.OPENED, of=COUNTERS)
    assert counts_only(one) and not needs_target(one) and last_counts(one)
    assert needed_values(one) == ("campaign_key", "campaign", "opens", "people_opened")


def test_values_are_told_as_texts_and_what_is_needed_and_absent_as_well() -> None:
    one = row(Kind.VISIT, of={"pages": 2, "referrer": None, "page_views": [{"title": "Home", "at": "now"}], "bot": False})
    assert list(said(one)) == [
        Said("pages", "2", "number", "number"),
        Said("referrer", None, "nothing"),
        Said("page_views.title", "Home", "text"),
        Said("page_views.at", "now", "text", "instant"),
        Said("bot", "false", "truth"),
        Said("started_at", None, "nothing", "instant", needed=True),
    ]


def test_of_a_persons_record_the_values_are_the_crms_fields() -> None:
    one = row(Kind.UPDATE, fields={"at": "noon", "tags": ["a", "b"]}, address="a@example.com")
    assert list(said(one)) == [Said("at", "noon", "text"), Said("tags", "a", "text"), Said("tags", "b", "text")]


def score(field: str, *targets: str) -> Outgoing:
    return Outgoing(1, 1, Kind.SCORE, "", {"field": field}, tuple(Target(Kind.LEAD, each) for each in targets))


def test_the_same_thing_is_the_same_whoever_says_it() -> None:
    assert same_thing(score("a", "l1")) == same_thing(score("a", "l1", "l2")) != same_thing(score("b", "l1"))
    assert same_thing(row(Kind.NEW_LEAD, address=" A@x.example")) == same_thing(row(Kind.NEW_LEAD, address="a@X.example "))
    assert same_thing(row(Kind.NEW_LEAD, address=None)) is None
    assert same_thing(row(Kind.TASK, 1)) != same_thing(row(Kind.TASK, 2)), "two people"
    assert same_thing(row(Kind.CLICKED)) is None
