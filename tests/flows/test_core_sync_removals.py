"""Core sync, cycle after cycle, over HTTP: deletions, merges, opt-outs, filters, held records (DEL, MATCH, CONSENT, FILT, GATE-2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.brake import Answer
from sync.errors import DeletionHeld
from tasks.wiring import now
from tests.core_road import CoreRoad, core_road
from tests.flows.test_core_sync_steps import ROUND_S, living, person


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    """What comes is good in these tests, so nothing checks it."""
    with core_road(tmp_path, market_url, gate=False) as opened:
        opened.control.advance_clock(ROUND_S)
        yield opened


@pytest.fixture
def checked_road(tmp_path: Path, market_url: str) -> Iterator[CoreRoad]:
    with core_road(tmp_path, market_url) as opened:
        opened.control.advance_clock(ROUND_S)
        yield opened


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
    with core_road(tmp_path, market_url, gate=False, connector="[connectors.acme.pull]\ndeletions = false") as road:
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
    with core_road(tmp_path, market_url, gate=False, more="[gate]\nmin_rows_for_share = 10\n") as road:
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
    with core_road(tmp_path, market_url, gate=False, more="[gate]\nmin_rows_for_share = 10\n") as road:
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


def test_consent_3_an_opt_out_within_the_second_in_which_the_sync_read_the_contrary_arrives(road: CoreRoad) -> None:
    """The CRM counts whole seconds: the address has the stamp that was seen already."""
    lead = road.control.create("Leads", {"last_name": "Wavering", "email1": "wavering@example.com"})
    road.follow()
    road.control.advance_clock(ROUND_S)
    for out in (True, False, True, False):
        road.control.opt_out("wavering@example.com", out)
        road.follow()
        assert bool(person(road, lead, "lead")["opt_out"]) is out
    assert road.follow().words == ()


FILTERED = 'filters.leads = [{ field = "status", op = "in", value = ["New", "Assigned"] }]'


@pytest.mark.parametrize(("behaviour", "marked", "deleted"), [("mark", True, False), ("keep", False, False), ("soft_delete", False, True)])
def test_filt_2_a_record_that_leaves_the_filter_is_treated_as_the_setting_says_and_comes_back(
    tmp_path: Path, market_url: str, behaviour: str, marked: bool, deleted: bool
) -> None:
    with core_road(tmp_path, market_url, gate=False, connector=f'{FILTERED}\nscope = {{ left = "{behaviour}" }}') as road:
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
    with core_road(tmp_path, market_url, gate=False, connector=FILTERED) as road:
        road.control.advance_clock(ROUND_S)
        road.follow()
        road.control.reset_calls()
        road.follow()
        asked = [call["module"] for call in road.control.calls(path_part="/filter")]
        assert sorted(asked) == ["Accounts", "Contacts", "EmailAddresses", "Leads", "Opportunities", "Users"]


def test_gate_2_a_held_record_that_is_corrected_in_the_crm_releases_itself(checked_road: CoreRoad) -> None:
    road = checked_road
    lead = road.control.create("Leads", {"last_name": "Held", "email1": "held@example.com"})
    road.control.write_raw("Leads", lead, {"date_entered": "not a date"})
    assert "1 lead held back" in road.follow().words
    assert road.rows("SELECT * FROM crm_links WHERE crm_id = :id", id=lead) == []
    road.control.advance_clock(ROUND_S)
    road.control.write_raw("Leads", lead, {"date_entered": "2026-01-02T03:04:05+00:00"})
    road.control.touch("Leads", [lead])
    assert "1 lead no longer held back" in road.follow().words
    assert person(road, lead, "lead")["last_name"] == "Held"


def test_consent_3_an_opt_out_counts_although_the_rest_of_the_record_is_held_back(checked_road: CoreRoad) -> None:
    road = checked_road
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


def test_del_2_match_4_a_contact_that_lives_again_does_not_come_back_onto_a_row_that_is_another_contacts_by_now(road: CoreRoad) -> None:
    """While it was gone, the lead that had shared its row was merged into one that shares another contact's (MATCH-8)."""
    pair = {name: {"last_name": name.capitalize(), "email1": f"{name}@example.com"} for name in ("first", "second")}
    leads = {name: road.control.create("Leads", values) for name, values in pair.items()}
    contacts = {name: road.control.create("Contacts", values) for name, values in pair.items()}
    road.follow()
    own = person(road, contacts["first"])["contact_id"]
    assert person(road, leads["first"], "lead")["contact_id"] == own
    road.road.market.consent.unsubscribe(own, who="ann", why="clicked", now=now())
    for happens in (
        lambda: road.control.delete("Contacts", contacts["first"]),
        lambda: road.control.merge("Leads", leads["second"], leads["first"]),
        lambda: road.control.undelete("Contacts", contacts["first"]),
    ):
        road.control.advance_clock(ROUND_S)
        happens()
        road.follow()
    back, stays = person(road, contacts["first"]), person(road, contacts["second"])
    assert (back["contact_id"], back["last_name"], back["deleted_date"], back["merged_into"]) == (own, "First", None, None)
    assert (stays["last_name"], stays["link_living"]) == ("Second", True)
    assert back["opt_out"] and stays["opt_out"]
    assert road.follow().words == ()


def test_del_2_match_4_a_contact_that_is_brought_back_after_another_took_its_row_has_a_row_of_its_own(road: CoreRoad) -> None:
    """Made anew with the same address, another contact adopts the row of one that is gone (MATCH-2). Who unsubscribed stays out in both
    rows (CONSENT-10), and each record is told once (CONSENT-8)."""
    old = road.control.create("Contacts", {"last_name": "Old", "email1": "one@example.com"})
    road.follow()
    own = person(road, old)["contact_id"]
    road.road.market.consent.unsubscribe(own, who="ann", why="clicked", now=now(), push=["acme"])
    made: list[str] = []
    for happens in (
        lambda: road.control.delete("Contacts", old),
        lambda: made.append(road.control.create("Contacts", {"last_name": "New", "email1": "one@example.com"})),
        lambda: road.control.undelete("Contacts", old),
    ):
        road.control.advance_clock(ROUND_S)
        happens()
        road.follow()
    [new] = made
    back, stays = person(road, old), person(road, new)
    assert (stays["contact_id"], stays["last_name"], stays["deleted_date"]) == (own, "New", None)
    assert (back["contact_id"] == own, back["last_name"], back["deleted_date"]) == (False, "Old", None)
    assert back["opt_out"] and stays["opt_out"]
    waiting = road.rows("SELECT contact_id, crm_id, count(*) AS n FROM outbox WHERE kind = 'opt-out' GROUP BY contact_id, crm_id")
    told = {(row["contact_id"], row["crm_id"], row["n"]) for row in waiting}
    assert {entry for entry in told if entry[1] == old} <= {(back["contact_id"], old, 1)}
    assert road.follow().words == ()


def test_del_2_match_9_who_is_brought_back_has_its_row_before_a_newcomer_of_the_same_window(road: CoreRoad) -> None:
    """MATCH-1, MATCH-4: both have one address, and come together."""
    old = road.control.create("Contacts", {"last_name": "Old", "email1": "one@example.com"})
    road.follow()
    own = person(road, old)["contact_id"]
    road.control.advance_clock(ROUND_S)
    road.control.delete("Contacts", old)
    road.follow()
    road.control.advance_clock(ROUND_S)
    new = road.control.create("Contacts", {"last_name": "New", "email1": "one@example.com"})
    road.control.undelete("Contacts", old)
    road.follow()
    assert person(road, old)["contact_id"] == own and person(road, new)["contact_id"] != own
    assert road.follow().words == ()
