"""Held records on the pull road: read again by name until they pass (GATE-2)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.records import Kind
from tasks.changes import extract_again
from tasks.desk import retry_held
from tasks.held import note_read, read_held
from tasks.wiring import now
from tests.pull_road import OPEN_GATE, PullRoad, pull_road

FEW = SugarSandboxSettings(accounts=1, leads=0, contacts=6, opportunities=0, users=2, prospect_lists=0, campaigns=0, nastiness=CALM)


@pytest.fixture
def crm() -> Iterator[RunningSandbox]:
    with start_sandbox(FEW) as sandbox:
        yield sandbox


@pytest.fixture
def road(tmp_path: Path, market_url: str, crm: RunningSandbox) -> Iterator[PullRoad]:
    with pull_road(tmp_path, market_url, crm.url, more=OPEN_GATE) as opened:
        yield opened


def read_again(road: PullRoad, ids: tuple[str, ...]) -> int:
    """As a run does it. → how many were released."""
    ref = extract_again.fn(road.run, Kind.CONTACT, "held", road.schema(), ids)
    released = road.bring_in(ref).released
    note_read(road.run, Kind.CONTACT, ids)
    return released


def rest(road: PullRoad, for_: timedelta) -> None:
    """As if the held records had been read so long ago."""
    for column in ("last_held_at", "asked_at"):
        road.execute(f"UPDATE quarantine SET {column} = :at WHERE {column} IS NOT NULL", at=_text(road, for_))


def _text(road: PullRoad, for_: timedelta) -> object:
    at = now() - for_
    return at if road.market.database.engine.dialect.name == "postgresql" else at.strftime("%Y-%m-%d %H:%M:%S.%f")


def test_a_held_record_says_what_is_wrong_and_comes_in_when_it_is_corrected_gate_2(road: PullRoad, crm: RunningSandbox) -> None:
    one = next(crm.control.dump("Contacts", deleted=False))["id"]
    crm.control.write_raw("Contacts", one, {"birthdate": "0000-00-\x1b[31m"})
    road.bring_in(road.extract(Kind.CONTACT, road.schema()))
    (held,) = road.market.quarantine.list("acme", Kind.CONTACT)
    assert held.crm_id == one and held.column.startswith("birthdate") and held.value == "0000-00- [31m"
    assert read_held(road.run, Kind.CONTACT) == (), "it was read just now"
    assert retry_held(road.config, (held.quarantine_id,)).asked == 1
    assert read_held(road.run, Kind.CONTACT) == (one,) and read_held(road.run, Kind.LEAD) == ()
    assert read_again(road, (one,)) == 0
    assert read_held(road.run, Kind.CONTACT) == () and road.market.quarantine.list()[0].times_held == 2
    crm.control.write_raw("Contacts", one, {"birthdate": "1980-01-31"})
    rest(road, timedelta(minutes=61))
    assert read_held(road.run, Kind.CONTACT) == (one,), "no stamp moved, and it is read again all the same"
    assert read_again(road, (one,)) == 1
    assert road.market.quarantine.counts() == ()
    assert road.rows("SELECT count(*) AS n FROM crm_links WHERE crm_id = :id", id=one) == [{"n": 1}]


def test_a_record_that_the_crm_gives_no_more_is_not_asked_for_in_every_run_flow_4(road: PullRoad, crm: RunningSandbox) -> None:
    """GATE-2, FLOW-4"""
    one = next(crm.control.dump("Contacts", deleted=False))["id"]
    crm.control.write_raw("Contacts", one, {"birthdate": "0000-00-00"})
    road.bring_in(road.extract(Kind.CONTACT, road.schema()))
    crm.control.delete("Contacts", one)
    rest(road, timedelta(minutes=61))
    assert read_again(road, read_held(road.run, Kind.CONTACT)) == 0
    assert read_held(road.run, Kind.CONTACT) == ()
    assert [held.crm_id for held in road.market.quarantine.list()] == [one], "until its removal is told"


def test_what_a_run_that_died_had_staged_of_held_records_is_read_afresh_gate_2(road: PullRoad, crm: RunningSandbox) -> None:
    one = next(crm.control.dump("Contacts", deleted=False))["id"]
    crm.control.write_raw("Contacts", one, {"birthdate": "0000-00-00"})
    road.bring_in(road.extract(Kind.CONTACT, road.schema()))
    extract_again.fn(road.run, Kind.CONTACT, "held", road.schema(), (one,))
    crm.control.write_raw("Contacts", one, {"birthdate": "1980-01-31"})
    assert read_again(road, (one,)) == 1
