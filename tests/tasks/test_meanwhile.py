"""What happens in Market between a batch's plan and its commit counts: the plan is made anew (MATCH-2, CONSENT-10, DEL-7)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.records import Kind, ParcelRef
from tasks.commit import commit
from tasks.plan import plan
from tasks.recording import Recorder
from tests.pull_road import PullRoad, pull_road
from tests.reference.stories import READINGS, raw
from tests.tasks.test_linking import contact

PUSH = "[connectors.acme.push]\nnew_leads = true\nunsubscribes = true"


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[PullRoad]:
    with pull_road(tmp_path, market_url, connector=PUSH) as opened:
        opened.make_columns(Kind.CONTACT, READINGS[Kind.CONTACT])
        yield opened


def planned(road: PullRoad, *records: dict[str, object]) -> ParcelRef:
    ref = road.stage(Kind.CONTACT, READINGS[Kind.CONTACT], [[[raw(Kind.CONTACT, record) for record in records]]])
    plan.fn(road.run, ref)
    return ref


def test_match_2_who_fills_in_a_form_between_plan_and_commit_is_one_person_still(road: PullRoad) -> None:
    """Neither knew of the other when the plan was made."""
    ref = planned(road, contact("c1", email="Ann@x.test"))
    Recorder(road.config).leads({"address": "ann@x.test", "push_into_crm": True})
    commit.fn(road.run, ref, True)
    rows = road.rows("SELECT contact_id, crm_id FROM contacts WHERE email_key = 'ann@x.test'")
    assert [row["crm_id"] for row in rows] == ["c1"]
    assert [row["contact_id"] for row in road.rows("SELECT contact_id FROM outbox")] == [rows[0]["contact_id"]]
