"""Following a CRM ends where a fresh initial sync would (PULL-1 to PULL-8, DEL-1, DEL-2, MATCH-1, MATCH-7, MATCH-8, CONSENT-3, CONSENT-4).

Two dozen random scripts run with every test run, a quarter of them for each CRM on each database; `make soak` runs thousands
(MARKETSYNC_SCRIPTS).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.http import PATIENT
from sync.records import Kind
from tests.reference.following import CRMS, differences, followed
from tests.reference.scripts import Life

SCRIPTS = int(os.environ.get("MARKETSYNC_SCRIPTS", "24"))
FIRST = int(os.environ.get("MARKETSYNC_FIRST_SCRIPT", "1"))
SOAKING = "MARKETSYNC_SCRIPTS" in os.environ
PER_SANDBOX = 6
STEPS = 18


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    """Waiting for a faulty CRM costs a test no time."""
    before = {name: getattr(PATIENT, name) for name in ("first_s", "longest_s")}
    for name in before:
        object.__setattr__(PATIENT, name, 0.001)
    yield
    for name, value in before.items():
        object.__setattr__(PATIENT, name, value)


def _rounds() -> list[Any]:
    """(CRM, database, seeds): rounds take turns, so that no script is played twice."""
    seeds = range(FIRST, FIRST + SCRIPTS)
    rounds = [tuple(seeds[first : first + PER_SANDBOX]) for first in range(0, len(seeds), PER_SANDBOX)]
    turns = itertools.cycle(itertools.product(CRMS, ("sqlite", "postgresql")))
    return [
        pytest.param(crm, database, some, id=f"{crm}-{database}-{some[0]}-{some[-1]}")
        for (crm, database), some in zip(turns, rounds, strict=False)
    ]


@pytest.mark.parametrize(("crm", "market_url", "seeds"), _rounds(), indirect=["market_url"])
def test_after_any_script_market_equals_a_fresh_initial_sync(tmp_path: Path, crm: str, market_url: str, seeds: tuple[int, ...]) -> None:
    few: dict[str, Any] = {"accounts": 5, "leads": 8, "contacts": 12, "opportunities": 4, "users": 4}
    with followed(crm, tmp_path, market_url, connector="page_rows = 9", seed=seeds[0], **few) as place:
        for seed in seeds:
            life = Life(place, seed, gate=SOAKING or seed == seeds[0])  # a calm CRM has nothing that the gate would hold
            life.play(STEPS)
            life.settle()
            wrong = place.wrong(seed)
            assert wrong == [], "\n".join([f"script {seed}", *wrong, "", *life.told])


@pytest.mark.parametrize("crm", CRMS)
def test_every_act_of_a_script_can_be_done_in_each_crm_or_its_colleagues_say_why_not(tmp_path: Path, crm: str) -> None:
    with followed(crm, tmp_path, f"sqlite:///{tmp_path / 'market.db'}") as place:
        life = Life(place, 0, gate=False)
        for kind in (Kind.OPPORTUNITY, Kind.CONTACT, Kind.LEAD, Kind.ACCOUNT):
            place.they.delete(kind, place.they.records(kind)[0].crm_id)
        said = {name: act() for name, (_, act) in life.acts().items()}
    assert {name: words for name, words in said.items() if words.startswith(("no", "cycle failed"))} == {}
    assert set(place.they.cannot) & set(said) == set()


@pytest.mark.parametrize("market_url", ["sqlite"], indirect=True)
def test_consent_10_who_shared_a_row_stays_out_where_a_fresh_sync_sees_two_people(tmp_path: Path, market_url: str) -> None:
    """Lead and contact had one address, and so one row. The contact has a new address; the lead said out before that, said so afterwards,
    said so and was deleted, or took it back under the address that the contact has left: that re-subscribes nobody."""
    few: dict[str, Any] = {"accounts": 1, "leads": 0, "contacts": 1, "opportunities": 0, "users": 1}
    names = ("before", "after", "deleted", "took it back")
    with followed("sugarcrm", tmp_path, market_url, **few) as place:
        control, life = place.road.control, Life(place, 0, gate=False)
        people = {name: {"last_name": name, "email1": f"{name.replace(' ', '.')}@example.com"} for name in names}
        leads = {name: control.create("Leads", values) for name, values in people.items()}
        contacts = {name: control.create("Contacts", values) for name, values in people.items()}
        control.opt_out("before@example.com")
        life.settle()
        for name, contact in contacts.items():
            control.edit("Contacts", contact, {"email1": f"new.{name.replace(' ', '.')}@example.com"})
        life.settle()
        for name in names[1:]:
            control.opt_out(str(people[name]["email1"]))
        life.settle()
        control.delete("Leads", leads["deleted"])
        control.opt_out(str(people["took it back"]["email1"]), False)
        life.settle()
        ours, theirs = place.picture(), place.fresh()
    stricter = {name for name, contact in contacts.items() if ours["contact", contact]["opt_out"] != theirs["contact", contact]["opt_out"]}
    assert stricter == set(names)
    assert differences(ours, theirs, place.they) == []
    stricter_by_the_rules = dict.fromkeys(("_another_is_out", "_untold", "_put_out_by_a_lead_that_left"), False)
    alone = {key: values | stricter_by_the_rules for key, values in ours.items()}
    assert [line.partition(":")[0] for line in differences(alone, theirs, place.they)] == sorted(
        f"contact {contacts[name]}" for name in stricter
    )


def test_consent_10_a_lead_of_a_contact_that_is_back_from_a_merge_puts_the_winner_out_too(tmp_path: Path) -> None:
    """Leads come before the contacts of their window: the winner's row still stands for the one who is back. Stricter, never laxer."""
    few: dict[str, Any] = {"accounts": 1, "leads": 0, "contacts": 0, "opportunities": 0, "users": 1}
    with followed("sugarcrm", tmp_path, f"sqlite:///{tmp_path / 'market.db'}", **few) as place:
        they, control, life = place.they, place.road.control, Life(place, 0, gate=False)
        back, winner = (control.create("Contacts", {"last_name": name, "email1": f"{name}@example.com"}) for name in ("back", "winner"))
        life.settle()
        they.merge(Kind.CONTACT, winner, back)
        life.settle()
        lead = control.create("Leads", {"last_name": "lead", "email1": "lead@example.com"})
        control.opt_out("lead@example.com")
        they.undelete(Kind.CONTACT, back)
        they.convert(lead, contact=back)
        life.settle()
        ours, theirs = place.picture(), place.fresh()
    assert [(bool(int(each["contact", winner]["opt_out"])), each["contact", winner]["_merged"]) for each in (ours, theirs)] == [
        (True, True),
        (False, False),
    ]
    assert differences(ours, theirs, they) == []
