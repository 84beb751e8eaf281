"""Core sync, cycle after cycle, over HTTP: changes, deletions, merges, opt-outs, filters (PULL, DEL, FILT, CONSENT, FLOW-4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.brake import Answer
from sync.errors import ConfigError, DeletionHeld
from tasks.runs import begin_following
from tasks.wiring import now
from tests.core_road import CoreRoad, core_road
from tests.pull_road import pull_road

ROUND_S = 1_200


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    with core_road(tmp_path, market_url) as opened:
        opened.control.advance_clock(ROUND_S)
        yield opened


def living(road: CoreRoad, module: str) -> list[dict[str, Any]]:
    return list(road.control.dump(module, deleted=False))


def person(road: CoreRoad, crm_id: str, kind: str = "contact") -> dict[str, Any]:
    [row] = road.rows(
        "SELECT c.*, l.living AS link_living, l.alias_of AS link_alias, l.left_scope AS link_left FROM crm_links l"
        " JOIN contacts c ON c.contact_id = l.market_id WHERE l.kind = :kind AND l.crm_id = :id",
        kind=kind,
        id=crm_id,
    )
    return row


def everything(road: CoreRoad) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    tables = [row["name"] for row in road.rows(_TABLES[road.road.market.database.lite])]
    return {table: sorted((tuple(row.values()) for row in road.rows(f'SELECT * FROM "{table}"')), key=repr) for table in tables}


_TABLES = {
    True: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    False: "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()",
}


def test_flow_4_a_cycle_without_a_change_makes_one_data_call_per_object_and_writes_nothing(road: CoreRoad) -> None:
    road.follow()
    before = everything(road)
    road.control.reset_calls()
    assert road.follow().words == ()
    asked = [call["module"] for call in road.control.calls(path_part="/filter")]
    assert sorted(asked) == ["Accounts", "Contacts", "EmailAddresses", "Leads", "Opportunities", "Users"]
    assert [call["path"] for call in road.control.calls() if "/filter" not in call["path"]] == ["/rest/v11_24/metadata/_hash"]
    assert everything(road) == before


def test_flow_4_the_cycle_right_after_a_change_writes_nothing_either(road: CoreRoad) -> None:
    [first, second, *_] = living(road, "Contacts")
    road.control.edit("Contacts", first["id"], {"title": "Head of Sales"})
    road.control.delete("Contacts", second["id"])
    road.control.opt_out(living(road, "Leads")[0]["email"][0]["email_address"])
    road.follow()
    before = everything(road)
    assert road.follow().words == ()
    assert everything(road) == before


def test_pull_1_what_changed_arrives_and_is_told_in_words(road: CoreRoad) -> None:
    [contact, *_] = living(road, "Contacts")
    road.control.edit("Contacts", contact["id"], {"title": "Head of Sales", "email1": "new.address@example.com"})
    made = road.control.create("Leads", {"last_name": "Newman", "email1": "newman@example.com"})
    followed = road.follow()
    assert followed.words == ("1 lead new", "1 contact updated", "1 address of a contact changed (delivery status reset)")
    row = person(road, contact["id"])
    assert (row["title"], row["email"], row["del_message"]) == ("Head of Sales", "new.address@example.com", "Reset by Sync")
    assert person(road, made, "lead")["last_name"] == "Newman"


def test_pull_1_a_change_that_becomes_visible_late_is_caught_by_the_overlap(road: CoreRoad) -> None:
    [contact, *_] = living(road, "Contacts")
    road.control.edit("Contacts", contact["id"], {"title": "Late"}, delay_s=90)
    road.follow()
    assert person(road, contact["id"])["title"] != "Late"
    road.control.edit("Contacts", living(road, "Contacts")[1]["id"], {"title": "moves the cursor"})
    road.follow()
    road.control.advance_clock(100)
    road.follow()
    assert person(road, contact["id"])["title"] == "Late"


def test_pull_2_the_cursor_moves_with_the_rows_and_only_with_them(road: CoreRoad) -> None:
    query = "SELECT at FROM cursors WHERE kind = 'contact'"
    before = road.one(query)
    road.follow()
    assert road.one(query) == before, "nothing moved"
    road.control.edit("Contacts", living(road, "Contacts")[0]["id"], {"title": "x"})
    road.follow()
    assert road.one(query) > before


def test_pull_3_thousands_of_equal_stamps_are_paged_within_the_stamp(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, connector="page_rows = 7", contacts=60) as road:
        road.control.advance_clock(ROUND_S)
        ids = [row["id"] for row in living(road, "Contacts")]
        for crm_id in ids:
            road.control.edit("Contacts", crm_id, {"title": "mass update"}, silent=True)
        road.control.touch("Contacts", ids)
        assert road.follow().words == ("60 contacts updated",)
        assert road.one("SELECT count(*) FROM contacts WHERE title = 'mass update'") == 60


def test_del_1_del_2_a_deletion_marks_the_row_and_an_undeletion_clears_it(road: CoreRoad) -> None:
    [contact, *_] = living(road, "Contacts")
    road.control.delete("Contacts", contact["id"])
    assert road.follow().words == ("1 contact deleted in the CRM",)
    row = person(road, contact["id"])
    assert row["deleted_date"] is not None and not row["link_living"]
    road.control.advance_clock(ROUND_S)
    road.control.undelete("Contacts", contact["id"])
    assert road.follow().words == ("1 contact updated", "1 contact back after a deletion")
    row = person(road, contact["id"])
    assert row["deleted_date"] is None and row["link_living"]


@pytest.mark.parametrize(
    "module, table", [("Users", "users"), ("Accounts", "accounts"), ("Leads", "contacts"), ("Opportunities", "opportunities")]
)
def test_del_1_holds_for_every_kind(road: CoreRoad, module: str, table: str) -> None:
    [record, *_] = living(road, module)
    before = road.one(f"SELECT count(*) FROM {table} WHERE deleted_date IS NOT NULL")
    road.control.delete(module, record["id"])
    road.follow()
    assert road.one(f"SELECT count(*) FROM {table} WHERE deleted_date IS NOT NULL") == before + 1


def test_del_1_is_a_pull_option(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, connector="[connectors.acme.pull]\ndeletions = false") as road:
        road.control.advance_clock(ROUND_S)
        [contact, *_] = living(road, "Contacts")
        road.control.delete("Contacts", contact["id"])
        assert road.follow().words == ()
        assert person(road, contact["id"])["deleted_date"] is None


def test_del_7_a_row_that_was_deleted_here_comes_back_when_its_record_changes_unless_it_is_barred(road: CoreRoad) -> None:
    first, second, third, *_ = living(road, "Contacts")
    for contact, barred in ((first, False), (second, True), (third, False)):
        row = person(road, contact["id"])["contact_id"]
        road.road.execute(
            "UPDATE contacts SET deleted_date = :at, do_not_pull = :bar WHERE contact_id = :id", at="2026-01-01", bar=barred, id=row
        )
    road.control.edit("Contacts", first["id"], {"title": "x"})
    road.control.edit("Contacts", second["id"], {"title": "x"})
    road.follow()
    deleted = [person(road, contact["id"])["deleted_date"] is not None for contact in (first, second, third)]
    assert deleted == [False, True, True]


def test_del_8_a_mass_deletion_stops_and_asks_and_goes_on_when_allowed(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, more="[gate]\nmin_rows_for_share = 10\n") as road:
        road.control.advance_clock(ROUND_S)
        contacts = living(road, "Contacts")
        for contact in contacts[:6]:
            road.control.delete("Contacts", contact["id"])
        road.control.edit("Contacts", contacts[-1]["id"], {"title": "goes on"})
        for _ in range(2):
            with pytest.raises(DeletionHeld, match="6 contacts"):
                road.follow()
        assert person(road, contacts[-1]["id"])["title"] == "goes on"
        assert road.one("SELECT count(*) FROM contacts WHERE deleted_date IS NOT NULL") == 0
        [brake] = road.road.market.brakes.open()
        road.road.market.brakes.answer(brake.brake_id, Answer.ALLOW, who="ann", now=now())
        assert road.follow().words == ("6 contacts deleted in the CRM",)
        assert road.follow().words == ()


def test_del_8_refused_deletions_leave_the_rows(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, more="[gate]\nmin_rows_for_share = 10\n") as road:
        road.control.advance_clock(ROUND_S)
        for contact in living(road, "Contacts")[:6]:
            road.control.delete("Contacts", contact["id"])
        with pytest.raises(DeletionHeld):
            road.follow()
        [brake] = road.road.market.brakes.open()
        road.road.market.brakes.answer(brake.brake_id, Answer.REFUSE, who="ann", now=now())
        road.follow()
        assert road.one("SELECT count(*) FROM contacts WHERE deleted_date IS NOT NULL") == 0


def test_match_8_a_merge_without_a_pointer_is_seen_by_its_addresses(road: CoreRoad) -> None:
    winner = road.control.create("Contacts", {"last_name": "Winner", "email1": "winner@example.com"})
    loser = road.control.create("Contacts", {"last_name": "Loser", "email1": "loser@example.com"})
    road.follow()
    road.control.advance_clock(ROUND_S)
    road.control.merge("Contacts", winner, loser)
    words = road.follow().words
    assert "1 contact merged into another" in words
    [link] = road.rows("SELECT living, alias_of, market_id FROM crm_links WHERE crm_id = :id", id=loser)
    assert (bool(link["living"]), link["alias_of"]) == (False, winner)
    assert link["market_id"] == person(road, winner)["contact_id"]


def test_del_2_match_8_a_merged_record_that_is_brought_back_stands_for_itself_again(road: CoreRoad) -> None:
    """Its row is its own again, with the values that the CRM has and the opt-out that it went with (CONSENT-10)."""
    account = next(row["id"] for row in road.control.dump("Accounts", deleted=False))
    winner = road.control.create("Contacts", {"last_name": "Winner", "email1": "winner@example.com"})
    loser = road.control.create("Contacts", {"last_name": "Loser", "email1": "loser@example.com", "account_id": account})
    road.follow()
    own = person(road, loser)["contact_id"]
    road.road.market.consent.unsubscribe(own, who="ann", why="clicked", now=now())
    road.control.advance_clock(ROUND_S)
    road.control.merge("Contacts", winner, loser)
    road.follow()
    assert person(road, loser)["contact_id"] == person(road, winner)["contact_id"] != own
    road.control.advance_clock(ROUND_S)
    road.control.undelete("Contacts", loser)
    road.control.edit("Contacts", loser, {"title": "Back"})
    road.follow()
    back, stays = person(road, loser), person(road, winner)
    assert (back["contact_id"], back["title"], back["deleted_date"], back["merged_into"]) == (own, "Back", None, None)
    assert (back["link_living"], back["link_alias"], back["opt_out"]) == (True, None, True)
    assert (stays["last_name"], stays["title"], stays["link_living"]) == ("Winner", None, True)
    assert road.follow().words == ()


def test_match_7_a_converted_lead_gives_its_row_to_the_contact(road: CoreRoad) -> None:
    lead = road.control.create("Leads", {"last_name": "Prospect", "email1": "prospect@example.com"})
    road.follow()
    row = person(road, lead, "lead")["contact_id"]
    road.control.advance_clock(ROUND_S)
    contact = road.control.convert_lead(lead)["contact_id"]
    assert "1 contact made of a lead" in road.follow().words
    assert person(road, contact)["contact_id"] == person(road, lead, "lead")["contact_id"] == row
    assert person(road, contact)["crm_type"] == "Contact"


def test_del_1_a_contact_that_goes_leaves_the_row_to_its_lead(road: CoreRoad) -> None:
    lead = road.control.create("Leads", {"last_name": "Both", "email1": "both@example.com", "title": "Lead's title"})
    road.follow()
    contact = road.control.create("Contacts", {"last_name": "Both", "email1": "both@example.com", "title": "Contact's title"})
    road.follow()
    assert person(road, lead, "lead")["crm_type"] == "Contact"
    road.control.advance_clock(ROUND_S)
    road.control.delete("Contacts", contact)
    road.follow()
    row = person(road, lead, "lead")
    assert (row["crm_type"], row["title"], row["deleted_date"]) == ("Lead", "Lead's title", None)


def test_consent_3_an_opt_out_on_a_shared_address_arrives_although_no_stamp_moved(road: CoreRoad) -> None:
    lead = road.control.create("Leads", {"last_name": "Shared", "email1": "shared@example.com"})
    contact = road.control.create("Contacts", {"last_name": "Other", "email1": "other@example.com"})
    road.follow()
    stamp = road.control.stored("Leads", lead)["date_modified"]
    road.control.advance_clock(ROUND_S)
    road.control.opt_out("shared@example.com")
    assert road.control.stored("Leads", lead)["date_modified"] == stamp
    assert road.follow().words == ("1 lead updated", "1 lead opted out in the CRM")
    assert (person(road, lead, "lead")["opt_out"], person(road, contact)["opt_out"]) == (True, False)


def test_consent_4_a_resubscription_on_the_address_arrives(road: CoreRoad) -> None:
    lead = road.control.create("Leads", {"last_name": "Shared", "email1": "shared@example.com"})
    road.control.opt_out("shared@example.com")
    road.follow()
    assert person(road, lead, "lead")["opt_out"]
    road.control.advance_clock(ROUND_S)
    road.control.opt_out("shared@example.com", False)
    road.follow()
    assert not person(road, lead, "lead")["opt_out"]


FILTERED = 'filters.leads = [{ field = "status", op = "in", value = ["New", "Assigned"] }]'


@pytest.mark.parametrize(("behaviour", "marked", "deleted"), [("mark", True, False), ("keep", False, False), ("soft_delete", False, True)])
def test_filt_2_a_record_that_leaves_the_filter_is_treated_as_the_setting_says_and_comes_back(
    tmp_path: Path, market_url: str, behaviour: str, marked: bool, deleted: bool
) -> None:
    with core_road(tmp_path, market_url, connector=f'{FILTERED}\nscope = {{ left = "{behaviour}" }}') as road:
        road.control.advance_clock(ROUND_S)
        lead = road.control.create("Leads", {"last_name": "Scope", "status": "New"})
        never = road.control.create("Leads", {"last_name": "Never", "status": "Dead"})
        road.follow()
        road.control.advance_clock(ROUND_S)
        road.control.edit("Leads", lead, {"status": "Dead"})
        road.follow()
        row = person(road, lead, "lead")
        assert (row["left_scope"] is not None, row["deleted_date"] is not None, bool(row["link_left"])) == (marked, deleted, True)
        assert road.rows("SELECT * FROM crm_links WHERE crm_id = :id", id=never) == []
        road.control.advance_clock(ROUND_S)
        assert road.follow().words == ()
        road.control.edit("Leads", lead, {"status": "Assigned"})
        assert "1 lead within the sync filter again" in road.follow().words
        row = person(road, lead, "lead")
        assert (row["left_scope"], row["deleted_date"], bool(row["link_left"])) == (None, None, False)


def test_filt_1_an_idle_cycle_with_a_filter_makes_one_call_per_object_too(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, connector=FILTERED) as road:
        road.control.advance_clock(ROUND_S)
        road.follow()
        road.control.reset_calls()
        road.follow()
        asked = [call["module"] for call in road.control.calls(path_part="/filter")]
        assert sorted(asked) == ["Accounts", "Contacts", "EmailAddresses", "Leads", "Opportunities", "Users"]


def test_flow_2_core_sync_refuses_to_start_before_the_initial_sync_has_completed(tmp_path: Path, market_url: str) -> None:
    from sync.records import RunRef

    with pull_road(tmp_path, market_url) as road, pytest.raises(ConfigError, match="has not completed"):
        begin_following(RunRef("core-1", "core-sync", "acme", road.config))


def test_gate_2_a_held_record_that_is_corrected_in_the_crm_releases_itself(road: CoreRoad) -> None:
    lead = road.control.create("Leads", {"last_name": "Held", "email1": "held@example.com"})
    road.control.write_raw("Leads", lead, {"date_entered": "not a date"})
    assert "1 lead held back" in road.follow().words
    assert road.rows("SELECT * FROM crm_links WHERE crm_id = :id", id=lead) == []
    road.control.advance_clock(ROUND_S)
    road.control.write_raw("Leads", lead, {"date_entered": "2026-01-02T03:04:05+00:00"})
    road.control.touch("Leads", [lead])
    assert "1 lead no longer held back" in road.follow().words
    assert person(road, lead, "lead")["last_name"] == "Held"


@pytest.mark.parametrize("skew_s", [-7_200, 7_200])
def test_pull_1_windows_go_by_the_clock_of_the_crm_however_wrong_it_is(tmp_path: Path, market_url: str, skew_s: int) -> None:
    with core_road(tmp_path, market_url) as road:
        road.control.set_clock(fixed=1_790_000_000.0 + skew_s)
        [contact, *_] = living(road, "Contacts")
        road.control.edit("Contacts", contact["id"], {"title": "by a wrong clock"}, stamp=1_790_000_000 + max(skew_s, 0))
        road.follow()
        assert person(road, contact["id"])["title"] == "by a wrong clock"


def test_pull_1_the_hour_that_comes_twice_loses_nothing(tmp_path: Path, market_url: str) -> None:
    before_fall_back = 1_793_512_200.0  # 1 November 2026, 01:50 in New York, daylight saving: 05:50 UTC
    with core_road(tmp_path, market_url, clock_fixed=before_fall_back) as road:
        road.control.set_zone("mkt_sync", "America/New_York")
        [contact, *_] = living(road, "Contacts")
        for turn in range(7):
            road.control.advance_clock(ROUND_S)
            road.control.edit("Contacts", contact["id"], {"title": f"turn {turn}"})
            assert road.follow().words == ("1 contact updated",)
            row = person(road, contact["id"])
            assert row["title"] == f"turn {turn}"
        at = road.one("SELECT crm_modified_at FROM crm_links WHERE crm_id = :id", id=contact["id"])
        assert str(at).startswith("2026-11-01 08:10")


def test_pull_3_edits_while_pages_are_read_are_neither_lost_nor_repeated(tmp_path: Path, market_url: str) -> None:
    with core_road(tmp_path, market_url, connector="page_rows = 5", contacts=40, clock_fixed=None) as road:
        contacts = living(road, "Contacts")
        road.control.touch("Contacts", [contact["id"] for contact in contacts])
        road.control.set_editors({"module": "Contacts", "rows": 3, "every": 1, "before": True, "seed": 7})
        road.follow()
        assert any(editor["edits"] for editor in road.control.editor_state())
        road.control.set_editors()
        road.follow()
        wanted = {contact["id"]: contact["description"] or None for contact in living(road, "Contacts")}
        rows = road.rows(
            "SELECT l.crm_id, c.description FROM crm_links l JOIN contacts c ON c.contact_id = l.market_id WHERE l.kind = 'contact'"
        )
        assert {row["crm_id"]: row["description"] or None for row in rows} == wanted


def test_consent_3_an_opt_out_counts_although_the_rest_of_the_record_is_held_back(road: CoreRoad) -> None:
    lead = road.control.create("Leads", {"last_name": "Held", "email1": "held@example.com"})
    road.follow()
    assert not person(road, lead, "lead")["opt_out"]
    road.control.advance_clock(ROUND_S)
    road.control.write_raw("Leads", lead, {"date_entered": "not a date"})
    road.control.edit("Leads", lead, {"title": "not before it is corrected"})
    road.control.opt_out("held@example.com")
    assert "1 lead held back" in road.follow().words
    row = person(road, lead, "lead")
    assert (row["opt_out"], row["title"] or "") == (True, "")
    [entry] = road.rows("SELECT old, new, why FROM consent_ledger WHERE contact_id = :id", id=row["contact_id"])
    assert (bool(entry["old"]), bool(entry["new"])) == (False, True) and "held back" in entry["why"]
    road.control.advance_clock(ROUND_S)
    road.control.write_raw("Leads", lead, {"date_entered": "2026-01-02T03:04:05+00:00"})
    road.control.touch("Leads", [lead])
    road.follow()
    row = person(road, lead, "lead")
    assert (row["opt_out"], row["title"]) == (True, "not before it is corrected")
    assert road.one("SELECT count(*) FROM consent_ledger WHERE contact_id = :id", id=row["contact_id"]) == 1
