"""Rows that were deleted in Market come back only when the CRM's people touch their record later (DEL-7, PUSH-6, CONSENT-3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.fields import TEXT, Reading
from sync.records import Kind
from tests.pull_road import PullRoad, pull_road
from tests.reference.stories import READINGS, raw
from tests.tasks.test_linking import bring, contact, person

NEW_FIELD = Reading("lead_source", "lead_source", TEXT, mapped=True)


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[PullRoad]:
    """One contact, deleted here."""
    with pull_road(tmp_path, market_url) as opened:
        opened.make_columns(Kind.CONTACT, READINGS[Kind.CONTACT])
        bring(opened, Kind.CONTACT, contact("c1", email="ann@x.test"))
        opened.execute("UPDATE contacts SET deleted_date = updated_at")
        yield opened


def is_deleted(road: PullRoad) -> bool:
    return person(road, "c1")["deleted_date"] is not None


def test_del_7_a_field_that_is_new_in_the_crm_brings_nobody_back(road: PullRoad) -> None:
    """Every record is another one then, although nobody touched it: else all that was ever deleted here would come back."""
    records: list[dict[str, Any]] = [raw(Kind.CONTACT, contact("c1", email="ann@x.test")) | {"lead_source": "fair"}]
    road.commit_records(Kind.CONTACT, (*READINGS[Kind.CONTACT], NEW_FIELD), [[records]], gate=False)
    assert (is_deleted(road), person(road, "c1")["lead_source"]) == (True, "fair")
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", modified=2))
    assert not is_deleted(road)


def test_consent_3_an_opt_out_that_moves_no_stamp_counts_and_brings_nobody_back(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True))
    assert is_deleted(road) and bool(person(road, "c1")["opt_out"])


def test_push_6_what_we_wrote_ourselves_brings_nobody_back(road: PullRoad) -> None:
    """An opt-out goes to the records of deleted people as well."""
    pages = [[[raw(Kind.CONTACT, contact("c1", email="ann@x.test", out=True, modified=2))]]]
    ref = road.stage(Kind.CONTACT, READINGS[Kind.CONTACT], pages)
    with road.home.parcels.open(ref) as parcel:
        parcel.tell("echo", "yes")
    road.bring_in(ref, gate=False)
    assert is_deleted(road) and bool(person(road, "c1")["opt_out"])
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True, modified=2))
    assert is_deleted(road), "the same again, through the next window"
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True, modified=3))
    assert not is_deleted(road)
