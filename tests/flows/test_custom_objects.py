"""CUST-1: a custom object comes down like a core one, over HTTP, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sync.records import Kind
from tasks.desk import held_records, which_held
from tasks.operate import check_connector, purge_connector, status_of
from tasks.verify import verify
from tests.core_road import CoreRoad
from tests.custom_objects import MODULE, SUBSCRIPTION, person_of, row_of, subscription_id, subscription_road
from tests.flows.test_core_sync_steps import ROUND_S, everything, living
from tests.reconciling import reconcile


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    with subscription_road(tmp_path, market_url) as opened:
        yield opened


def _values(row: dict[str, Any]) -> tuple[Any, ...]:
    return (*(str(row[name]) for name in ("name", "status", "end_date", "seats")), str(Decimal(row["price"]).normalize()))


def test_cust_1_every_field_comes_down_into_a_table_of_its_own_linked_to_person_and_account(road: CoreRoad) -> None:
    contact = living(road, "Contacts")[0]["id"]
    account = living(road, "Accounts")[0]["id"]
    first = row_of(road, subscription_id(0))
    assert _values(first) == ("Subscription 0", "active", "2026-01-15", "0", "0.25")
    assert first["contact_id"] == person_of(road, contact) and first["contact_ref"] == contact
    assert first["account_id"] == person_of(road, account, "account") and first["owner_id"] is None
    of_a_lead = row_of(road, subscription_id(5))
    assert of_a_lead["contact_id"] == person_of(road, living(road, "Leads")[0]["id"], "lead")
    assert of_a_lead["account_id"] == 1, "without an account it belongs to No Company, like every row"
    catalogue = {
        row["column_name"]: row["value_type"]
        for row in road.rows("SELECT column_name, value_type FROM field_catalogue WHERE kind = 'custom_subscription'")
    }
    assert {name: catalogue[name] for name in ("name", "status", "end_date", "seats", "price")} == {
        "name": "text",
        "status": "text",
        "end_date": "date",
        "seats": "integer",
        "price": "decimal",
    }


def test_init_6_counts_of_a_custom_object_are_compared_and_status_shows_them(road: CoreRoad) -> None:
    verify.fn(road.road.run)
    found = {kind.kind: kind for kind in status_of(road.road.config, "acme").kinds}[SUBSCRIPTION]
    assert found.counts.rows == 8 and found.synced_until is not None
    assert any(line.subject == f"read {MODULE}" and line.ok for line in check_connector(road.road.config, "acme"))


def test_flow_4_an_idle_cycle_costs_one_call_for_the_custom_object_and_writes_nothing(road: CoreRoad) -> None:
    road.follow()
    before = everything(road)
    road.control.reset_calls()
    assert road.follow().words == ()
    assert [call["path"] for call in road.control.calls(module=MODULE)] == [f"/rest/v11_24/{MODULE}/filter"]
    assert everything(road) == before


def test_pull_1_changes_deletions_and_undeletions_are_followed(road: CoreRoad) -> None:
    road.control.edit(MODULE, subscription_id(1), {"status": "active", "seats": 12})
    new = road.control.create(MODULE, {"name": "Late", "contact_id_c": living(road, "Contacts")[3]["id"]})
    assert road.follow().words == ("1 custom_subscription new", "1 custom_subscription updated")
    assert _values(row_of(road, subscription_id(1)))[1:4] == ("active", "2026-02-15", "12")
    assert row_of(road, new)["contact_id"] == person_of(road, living(road, "Contacts")[3]["id"])
    road.control.advance_clock(ROUND_S)
    road.control.delete(MODULE, new)
    assert road.follow().words == ("1 custom_subscription deleted in the CRM",)
    assert row_of(road, new)["deleted_date"] is not None
    road.control.advance_clock(ROUND_S)
    road.control.undelete(MODULE, new)
    assert road.follow().words == ("1 custom_subscription updated", "1 custom_subscription back after a deletion")
    assert row_of(road, new)["deleted_date"] is None


def test_pull_6_a_subscription_waits_for_its_person_and_moves_with_a_merge(road: CoreRoad) -> None:
    """CUST-1, MATCH-8."""
    waiting = row_of(road, subscription_id(7))
    assert waiting["contact_id"] is None and waiting["contact_ref"].endswith("nobo")
    road.control.create("Contacts", {"id": waiting["contact_ref"], "last_name": "Late", "email1": "late@example.com"})
    road.follow()
    assert row_of(road, subscription_id(7))["contact_id"] == person_of(road, waiting["contact_ref"])
    road.control.advance_clock(ROUND_S)
    winner, loser = (row_of(road, subscription_id(number))["contact_ref"] for number in (0, 1))
    road.control.merge("Contacts", winner, loser)
    road.follow()
    row = person_of(road, winner)
    assert row_of(road, subscription_id(0))["contact_id"] == row
    assert row_of(road, subscription_id(1))["contact_id"] == row
    assert road.one("SELECT merged_into FROM contacts WHERE crm_id = :id", id=loser) == row


def test_pull_4_a_new_field_becomes_a_column_and_is_filled_in(road: CoreRoad) -> None:
    road.control.add_field(MODULE, "tier_c", "varchar", length=20)
    road.control.edit(MODULE, subscription_id(2), {"tier_c": "gold"}, silent=True)
    road.follow()
    assert row_of(road, subscription_id(2))["tier_c"] == "gold"


def test_filt_1_filt_2_a_filter_names_the_custom_object_by_its_table(tmp_path: Path, market_url: str) -> None:
    lines = '[connectors.acme.filters]\ncustom_subscription = [{ field = "status", op = "equals", value = "active" }]\n'
    with subscription_road(tmp_path, market_url, connector=lines) as road:
        assert road.one("SELECT count(*) FROM custom_subscription") == 4
        road.control.edit(MODULE, subscription_id(0), {"status": "ended"})
        road.control.edit(MODULE, subscription_id(1), {"status": "active"})
        road.follow()
        assert row_of(road, subscription_id(0))["left_scope"] is not None
        assert row_of(road, subscription_id(1))["left_scope"] is None


def test_gate_2_a_bad_record_is_held_and_comes_when_it_is_corrected(tmp_path: Path, market_url: str) -> None:
    with subscription_road(tmp_path, market_url, gate=True) as road:
        road.control.write_raw(MODULE, subscription_id(3), {"end_date": "31.12.2026"})
        road.control.edit(MODULE, subscription_id(3), {"seats": 99})
        assert road.follow().words == ("1 custom_subscription held back",)
        [held] = held_records(road.road.config, which_held(road.road.config, "acme", "custom_subscription", None), 10)
        assert (held.kind, held.crm_id, held.column) == (SUBSCRIPTION, subscription_id(3), "end_date (date)")
        road.control.advance_clock(ROUND_S)
        road.control.edit(MODULE, subscription_id(3), {"end_date": "2026-12-31"})
        road.follow()
        assert _values(row_of(road, subscription_id(3)))[2:4] == ("2026-12-31", "99")


def test_a_silent_change_of_a_custom_object_is_found_by_reconciling(road: CoreRoad) -> None:
    """DEL-1, PULL-8."""
    road.control.edit(MODULE, subscription_id(4), {"seats": 400}, silent=True)
    schema = road.road.schema()
    found = reconcile(road.road, schema, (SUBSCRIPTION,), gate=False)[SUBSCRIPTION]
    assert (found.records, found.healed, dict(found.columns)) == (8, 1, {"seats": 1})
    assert row_of(road, subscription_id(4))["seats"] == 400


def test_init_10_a_purge_takes_the_custom_object_with_it(road: CoreRoad) -> None:
    counts = purge_connector(road.road.config, "acme", "tests")
    assert counts.removed["custom_subscription"] == 8
    assert road.one("SELECT count(*) FROM custom_subscription") == 0
    assert not road.rows("SELECT 1 FROM crm_links WHERE kind = 'custom_subscription'")


def test_a_custom_objects_kind_is_one_and_the_same_wherever_it_is_asked_for() -> None:
    import pickle

    kind = Kind("custom_subscription")
    assert kind is SUBSCRIPTION and pickle.loads(pickle.dumps(kind)) is kind
    assert (kind.table, kind.key, kind.counted(1), kind.counted(2)) == (
        "custom_subscription",
        "record_id",
        "1 custom_subscription",
        "2 custom_subscription records",
    )
    assert kind not in tuple(Kind) and sorted([Kind.LEAD, kind, Kind.USER], key=lambda each: each.place)[-1] is kind
    with pytest.raises(ValueError):
        Kind("subscription")
