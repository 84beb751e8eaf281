"""Opt-outs through plan and commit: CONSENT-3 to CONSENT-8 and CONSENT-10 as a Market sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sync.records import Kind
from tasks.consent import unsubscribe
from tests.pull_road import PullRoad, pull_road
from tests.reference.stories import READINGS, raw
from tests.tasks.test_linking import bring, contact, lead, person

PUSH = "[connectors.acme.push]\nunsubscribes = true"


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[PullRoad]:
    with pull_road(tmp_path, market_url, connector=PUSH) as opened:
        for kind in (Kind.LEAD, Kind.CONTACT):
            opened.make_columns(kind, READINGS[kind])
        yield opened
        assert opened.market.consent.violations() == ()


def out(road: PullRoad, crm_id: str) -> bool:
    return bool(person(road, crm_id)["opt_out"])


def words(road: PullRoad, crm_id: str) -> list[tuple[bool | None, bool, str]]:
    """What the ledger says of the row: old, new, rule."""
    entries = road.market.consent.ledger(contact_id=person(road, crm_id)["contact_id"])
    return [(entry.old, entry.new, entry.why.partition(":")[0]) for entry in entries]


def unsubscribed(road: PullRoad, crm_id: str) -> list[int]:
    """The person says so in Market; → numbers of the outbox rows that wait."""
    unsubscribe(road.config, person(road, crm_id)["contact_id"], who="the person", why="clicked")
    return waiting(road)


def waiting(road: PullRoad) -> list[int]:
    return [row["outbox_id"] for row in road.rows("SELECT outbox_id FROM outbox WHERE state = 'pending' ORDER BY outbox_id")]


def acknowledged(road: PullRoad, numbers: Sequence[int], minute: int) -> None:
    """The CRM took them at that minute of its clock; a record's `modified` is a minute too."""
    road.market.consent.acknowledge(numbers, at=datetime(2026, 1, 1, 0, minute, tzinfo=UTC))


def read_at(road: PullRoad, minute: int, record: dict[str, Any]) -> None:
    """A contact, read at that minute of the CRM's clock."""
    pages = [[[raw(Kind.CONTACT, record)]]]
    road.bring_in(road.stage(Kind.CONTACT, READINGS[Kind.CONTACT], pages, f"2026-01-01T00:{minute:02}:00+00:00"), gate=False)


def test_consent_3_an_opt_out_in_the_crm_counts(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True, modified=2))
    assert out(road, "c1") and person(road, "c1")["opt_out_date"] is not None
    assert words(road, "c1") == [(False, True, "CONSENT-3")]
    assert not road.market.consent.may_be_mailed("ann@x.test")


def test_consent_4_a_re_subscribe_in_the_crm_counts_once_it_knew_of_the_opt_out(road: PullRoad) -> None:
    """CONSENT-7: and still nobody is mailed whose address is on the guarded watch."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    acknowledged(road, unsubscribed(road, "c1"), 5)
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=False, modified=6))
    assert not out(road, "c1") and words(road, "c1")[-1] == (True, False, "CONSENT-4")
    assert not road.market.consent.may_be_mailed("ann@x.test")
    road.market.consent.unwatch("ann@x.test", who="olga", why="subscribed again", now=datetime(2026, 3, 1, tzinfo=UTC))
    assert road.market.consent.may_be_mailed("ann@x.test")


def test_consent_5_while_our_opt_out_is_on_its_way_it_wins(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", out=True))
    numbers = unsubscribed(road, "c1")
    bring(road, Kind.CONTACT, contact("c1", out=False, modified=2))
    assert out(road, "c1") and waiting(road) == numbers != []


@pytest.mark.parametrize("minute", [4, 5])
def test_consent_5_what_was_read_before_the_crm_took_our_opt_out_re_subscribes_nobody(road: PullRoad, minute: int) -> None:
    """Neither its stamp nor the time of reading is newer than the acknowledgement: it does not know of it."""
    bring(road, Kind.CONTACT, contact("c1"))
    acknowledged(road, unsubscribed(road, "c1"), 5)
    record = contact("c1", out=False, modified=2, values={"title": "Dr"})
    read_at(road, minute, record)
    assert (out(road, "c1"), person(road, "c1")["title"]) == (True, "Dr")
    read_at(road, 6, record)
    assert not out(
        road, "c1"
    )  # a CRM that keeps opt-outs with the address moves no stamp: this is a re-subscribe, and is still seen as one


def test_consent_6_a_hidden_field_and_an_unchanged_value_change_nothing(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", out=None))
    unsubscribed(road, "c1")
    for modified, says in enumerate((None, False, None, False), start=2):
        bring(road, Kind.CONTACT, contact("c1", out=says, modified=modified))
    assert out(road, "c1") and len(words(road, "c1")) == 1


def test_consent_8_an_unsubscribe_waits_for_lead_and_contact_of_the_person(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test"))
    assert len(unsubscribed(road, "c1")) == 2
    assert len(unsubscribed(road, "c1")) == 2
    assert [entry.address for entry in road.market.consent.watched()] == ["ann@x.test"]


# -- one person, several records ----------------------------------------------------------------------------------------


def both(road: PullRoad, **values: Any) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", **values))
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test", **values))


def test_consent_10_the_re_subscribe_of_one_record_does_not_outvote_the_other(road: PullRoad) -> None:
    both(road, out=True)
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test", out=False, modified=2))
    assert out(road, "c1")
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=False, modified=3))
    assert not out(road, "c1")


@pytest.mark.parametrize("order", [(2, 3), (3, 2)], ids=["l1 first", "l2 first"])
@pytest.mark.parametrize(
    ("first", "second", "says", "entries"),
    [
        ((True, False), (False, True), True, []),
        ((True, False), (True, False), False, [(True, False)]),
        ((False, True), (False, False), True, [(False, True)]),
    ],
)
def test_consent_10_several_leads_of_a_contact_in_one_batch_are_decided_in_turn(
    road: PullRoad, order: tuple[int, int], first: tuple[bool, bool], second: tuple[bool, bool], says: bool, entries: list[Any]
) -> None:
    """MATCH-9: whichever came first, and whatever the other said."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    hers: dict[str, Any] = {"email": "ann@x.test", "converted_to": "c1"}
    before = [lead("l1", **hers, out=first[0]), lead("l2", **hers, out=second[0])]
    for each in before:
        bring(road, Kind.LEAD, each)
    told = len(words(road, "c1"))
    after = [(lead("l1", **hers, out=first[1]), order[0]), (lead("l2", **hers, out=second[1]), order[1])]
    bring(road, Kind.LEAD, *({**each, "modified": modified} for each, modified in after))
    assert out(road, "c1") is says
    assert [entry[:2] for entry in words(road, "c1")[told:]] == entries


def test_consent_10_who_may_be_mailed_at_another_address_has_not_re_subscribed(road: PullRoad) -> None:
    """CONSENT-4: the lead takes back what it said, and under an address that is not the one that the person is mailed at."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="ann@home.test", converted_to="c1", out=True))
    bring(road, Kind.LEAD, lead("l1", email="ann@home.test", converted_to="c1", out=False, modified=2))
    assert out(road, "c1")


def test_consent_10_a_lead_that_joins_another_row_brings_its_opt_out(road: PullRoad) -> None:
    """MATCH-7: its old row stays with the contact that holds it, so nothing is merged."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"), contact("c2", email="bob@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test", out=True))
    assert person(road, "l1")["contact_id"] == person(road, "c1")["contact_id"]
    bring(road, Kind.LEAD, lead("l1", email="ann@x.test", out=None, converted_to="c2", modified=2))
    assert person(road, "l1")["contact_id"] == person(road, "c2")["contact_id"]
    assert out(road, "c1") and out(road, "c2")


# -- addresses that are left behind ---------------------------------------------------------------------------------------


def test_consent_10_the_address_that_somebody_leaves_while_out_is_nobody_elses_to_be_mailed_at(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True))
    bring(road, Kind.CONTACT, contact("c1", email="new@x.test", out=True, modified=2))
    bring(road, Kind.CONTACT, contact("c2", email="ann@x.test"))
    assert not road.market.consent.may_be_mailed("ann@x.test")
    assert [entry.address for entry in road.market.consent.watched()] == ["ann@x.test"]


@pytest.mark.parametrize("way", [["new@x.test"], [None, "new@x.test"]], ids=["at once", "without any in between"])
def test_consent_10_a_new_address_re_subscribes_nobody(road: PullRoad, way: list[str | None]) -> None:
    """Where a CRM keeps the opt-out with the address, a new one may be mailed there: nobody said so. The CRM is told again, and a
    re-subscribe after that counts."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True))
    for minute, address in enumerate(way, start=2):
        bring(road, Kind.CONTACT, contact("c1", email=address, modified=minute))
    assert out(road, "c1") and not road.market.consent.may_be_mailed("new@x.test")
    bring(road, Kind.CONTACT, contact("c1", email="new@x.test", modified=5), contact("c2", email="ann@x.test"))
    assert out(road, "c1") and not road.market.consent.may_be_mailed("ann@x.test"), "the address that they left while out is guarded"
    assert [row["crm_id"] for row in road.rows("SELECT crm_id FROM outbox")] == ["c1"]
    acknowledged(road, waiting(road), 6)
    bring(road, Kind.CONTACT, contact("c1", email="new@x.test", out=True, modified=7))
    bring(road, Kind.CONTACT, contact("c1", email="new@x.test", modified=8))
    assert not out(road, "c1") and road.market.consent.may_be_mailed("new@x.test")


def test_consent_10_a_lead_elsewhere_does_not_re_subscribe_its_contact(road: PullRoad) -> None:
    """The lead said out under an address of its own, and has a new one: nobody said that the contact may be mailed."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="lead@x.test", converted_to="c1", out=True))
    bring(road, Kind.LEAD, lead("l1", email="other@x.test", converted_to="c1", modified=2))
    bring(road, Kind.LEAD, lead("l1", email="other@x.test", converted_to="c1", modified=3, values={"title": "Dr"}))
    assert out(road, "c1") and not road.market.consent.may_be_mailed("ann@x.test")
    assert [row["crm_id"] for row in road.rows("SELECT crm_id FROM outbox")] == ["l1"]


def test_consent_10_the_address_of_a_lead_that_says_out_on_its_contacts_row_is_guarded(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="lead@x.test", converted_to="c1", out=True))
    bring(road, Kind.CONTACT, contact("c2", email="lead@x.test"))
    assert out(road, "c1") and not road.market.consent.may_be_mailed("lead@x.test")


def test_init_10_a_purge_guards_the_address_of_who_was_merged_into_somebody_who_is_out(road: PullRoad) -> None:
    """CONSENT-10: read in again, the two stand apart for a while."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True))
    bring(road, Kind.LEAD, lead("l1", email="lead@x.test"))
    bring(road, Kind.LEAD, lead("l1", email="lead@x.test", converted_to="c1", modified=2))
    road.market.purge("acme", who="test", now=datetime(2026, 3, 1, tzinfo=UTC))
    for kind in (Kind.LEAD, Kind.CONTACT):
        road.make_columns(kind, READINGS[kind])
    bring(road, Kind.LEAD, lead("l1", email="lead@x.test", converted_to="c1", modified=2))
    assert not road.market.consent.may_be_mailed("lead@x.test")
