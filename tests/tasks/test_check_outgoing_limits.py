"""The gate before sending asks the CRM what it takes (GATE-1, GATE-2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from adapters.staging import outgoing
from sync.push import Outgoing, Target
from sync.records import Kind
from tasks.check_outgoing import check_outgoing
from tests.outgoing_rows import row
from tests.pull_road import PullRoad, pull_road

NOBODY = SugarSandboxSettings(accounts=1, leads=0, contacts=0, opportunities=0, users=2, prospect_lists=0, campaigns=0, nastiness=CALM)


@pytest.fixture
def road(tmp_path: Path) -> Iterator[PullRoad]:
    with start_sandbox(NOBODY) as crm, pull_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", crm.url) as opened:
        yield opened


def refused(road: PullRoad, kind: Kind, *rows: Outgoing) -> dict[int, str]:
    """outbox_id → why it is not sent."""
    ref = outgoing.stage(road.home.parcels, road.connector, kind, "push-1", rows)
    held = check_outgoing.fn(road.run, ref)
    with road.home.parcels.open(ref) as parcel:
        found = {each.outbox_id: each.said.removeprefix("held back: ") for each in outgoing.refused_by_gate(parcel)}
        assert len(found) == held and len(outgoing.outgoing(parcel)) == len(rows) - held
    return found


def test_gate_2_new_leads_are_held_for_what_the_crm_would_refuse(road: PullRoad) -> None:
    """A new lead whom the CRM turned out to know is an update of their record: it needs neither address nor name."""
    there = {"kind": Kind.UPDATE, "targets": (Target(Kind.CONTACT, "c1"),)}
    rows = [
        row(Kind.NEW_LEAD, 1, fields={"last_name": "Ada", "lead_source": ""}),
        row(Kind.NEW_LEAD, 2, fields={"title": "Dr"}),
        row(Kind.NEW_LEAD, 3, fields={"last_name": "Ada", "lead_source": "From the moon"}),
        replace(row(Kind.NEW_LEAD, 4, of={"fields": {"title": "Dr"}}, address=None), **there),
        replace(row(Kind.NEW_LEAD, 5, fields={"title": "x" * 256}), **there),
    ]
    assert refused(road, Kind.NEW_LEAD, *rows) == {
        2: "last_name is missing",
        3: "lead_source is none of the CRM's choices: From the moon",
        5: f"title (100 characters at most) is too long: {'x' * 79}…",
    }


def test_gate_2_updates_are_held_by_what_the_record_takes_that_they_go_to(road: PullRoad) -> None:
    fields = {"account_name": "x" * 256}
    lead = replace(row(Kind.UPDATE, 1, fields=fields), targets=(Target(Kind.LEAD, "l1"),))
    assert list(refused(road, Kind.UPDATE, lead, row(Kind.UPDATE, 2, fields=fields))) == [1], "a contact's is no field of its own"


def test_gate_2_activity_is_held_by_what_its_place_takes(road: PullRoad) -> None:
    good, long = row(Kind.SENT, 1, subject="x" * 255), row(Kind.SENT, 2, subject="x" * 256)
    assert list(refused(road, Kind.SENT, good, long)) == [2]
