"""Marketing lists follow the CRM (LIST-1, LIST-2), over real HTTP, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.errors import GateRejected
from sync.records import Kind, ParcelRef
from tasks.operate import check_connector, status_of
from tasks.report import kept_verification
from tests.adapters.market.building import commit
from tests.flows.market_state import market_state
from tests.list_road import PULL, ListRoad, list_road, plainly
from tests.rows import MemoryRows

IDLE = ["ProspectLists/filter", "bulk"]


@pytest.fixture
def road(tmp_path: Path, market_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ListRoad]:
    with list_road(tmp_path, market_url, monkeypatch) as opened:
        opened.people()
        yield opened


def test_list_1_a_new_list_comes_with_its_members_of_every_kind(road: ListRoad) -> None:
    """INIT-1, CONN-5."""
    [contact], [lead], [account], [user] = (road.ids(module, 1) for module in ("Contacts", "Leads", "Accounts", "Users"))
    list_id = road.make_list("Spring", contact=[contact], lead=[lead], account=[account], user=[user])
    done = road.cycle()
    assert (done[Kind.LIST].inserted, done[Kind.LIST_MEMBER].inserted) == (1, 4)
    found = road.the_list(list_id)
    assert (found["list_name"], found["list_type"], found["crm_members"], found["deleted_date"]) == ("Spring", "default", 4, None)
    assert road.members(list_id) == dict.fromkeys((contact, lead, account, user), (True, True))
    assert road.findings() == ()


def test_list_1_a_renamed_list_is_read_at_once_and_its_members_stay_as_they_are(road: ListRoad) -> None:
    """PULL-8: nothing of a member is written when nothing of it changed."""
    contacts = road.ids("Contacts", 3)
    list_id = road.make_list("Spring", contact=contacts)
    road.cycle()
    before = road.road.rows("SELECT * FROM marketing_list_members ORDER BY crm_id")
    road.crm.control.edit("ProspectLists", list_id, {"name": "Summer"})
    done = road.cycle()
    assert (done[Kind.LIST].updated, done[Kind.LIST_MEMBER].updated, done[Kind.LIST_MEMBER].unchanged) == (1, 0, 3)
    assert road.the_list(list_id)["list_name"] == "Summer"
    assert road.road.rows("SELECT * FROM marketing_list_members ORDER BY crm_id") == before


def test_list_1_members_who_come_and_go_are_seen_although_nothing_has_a_new_stamp(road: ListRoad) -> None:
    first, second, third = road.ids("Contacts", 3)
    list_id = road.make_list("Spring", contact=[first, second])
    road.cycle()
    stamp = road.the_list(list_id)["crm_modified_at"]
    road.add(list_id, "contact", third)
    road.cycle()
    assert road.members(list_id) == dict.fromkeys((first, second, third), (True, True))
    road.take_off(list_id, "contact", first)
    road.cycle()
    assert road.members(list_id)[first] == (False, True)
    road.add(list_id, "contact", first)
    road.cycle()
    assert road.members(list_id)[first] == (True, True)
    assert road.the_list(list_id)["crm_modified_at"] == stamp


def test_list_1_a_swap_that_leaves_the_count_as_it_was_is_seen(road: ListRoad) -> None:
    first, second = road.ids("Contacts", 2)
    list_id = road.make_list("Spring", contact=[first])
    road.cycle()
    road.take_off(list_id, "contact", first)
    road.add(list_id, "contact", second)
    assert Kind.LIST not in road.cycle()
    assert road.members(list_id) == {first: (False, True), second: (True, True)}


def test_list_2_a_member_that_market_does_not_know_is_fetched_and_linked(road: ListRoad) -> None:
    """PULL-2: the cursor of its kind stays where it is."""
    cursor = road.road.market.cursors.read("acme", Kind.CONTACT)
    fresh = road.crm.control.create("Contacts", {"last_name": "Newcomer"})
    list_id = road.make_list("Spring", contact=[fresh])
    road.cycle()
    assert road.members(list_id) == {fresh: (True, True)}
    assert road.road.market.cursors.read("acme", Kind.CONTACT) == cursor
    assert road.findings() == ()


def test_list_2_a_member_that_the_filter_keeps_out_is_reported_and_linked_when_it_arrives(
    tmp_path: Path, market_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FILT-1."""
    only = '[connectors.acme.filters]\nleads = [{ field = "title", op = "equals", value = "Wanted" }]\n'
    with list_road(tmp_path, market_url, monkeypatch, connector=PULL + only) as road:
        road.people()
        [lead] = road.ids("Leads", 1)
        list_id = road.make_list("Spring", lead=[lead])
        road.cycle()
        assert road.members(list_id) == {lead: (True, False)}
        [finding] = road.findings()
        assert (finding.topic, finding.count, finding.examples) == ("list members without a row", 1, (lead,))
        assert "filtered out, hidden or deleted" in finding.message
        road.calls()
        road.cycle()
        assert road.calls() == IDLE  # it is not asked for again
        road.crm.control.edit("Leads", lead, {"title": "Wanted"})
        road.road.bring_in(road.road.extract(Kind.LEAD, road.schema), gate=False)
        assert road.members(list_id) == {lead: (True, True)}


def test_list_2_members_of_a_kind_that_is_not_pulled_are_kept_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with list_road(
        tmp_path, lite(tmp_path), monkeypatch, connector=PULL.replace("opportunities", "accounts = false\nopportunities")
    ) as road:
        road.schema = road.road.schema()
        accounts = road.ids("Accounts", 2)
        list_id = road.make_list("Companies", account=accounts)
        road.cycle()
        assert road.members(list_id) == dict.fromkeys(accounts, (True, False))
        assert [finding.message for finding in road.findings()] == [
            "2 accounts stand on marketing lists and are not in Market: this kind is not pulled"
        ]
        road.take_off(list_id, "account", accounts[0])
        road.cycle()
        assert road.members(list_id)[accounts[0]] == (False, False)


def test_list_1_a_deleted_list_is_marked_and_one_that_comes_back_is_read_again(road: ListRoad) -> None:
    """DEL-1, DEL-2."""
    contacts = road.ids("Contacts", 2)
    list_id = road.make_list("Spring", contact=contacts)
    road.cycle()
    road.crm.control.delete("ProspectLists", list_id)
    road.cycle()
    assert road.the_list(list_id)["deleted_date"] is not None
    assert road.members(list_id) == dict.fromkeys(contacts, (True, True))
    assert road.road.rows("SELECT living FROM crm_links WHERE kind = 'list'")[0]["living"] in (0, False)
    assert road.cycle() == {}
    road.crm.control.advance_clock(5)
    road.crm.control.undelete("ProspectLists", list_id)
    road.take_off(list_id, "contact", contacts[0])
    road.cycle()
    assert road.the_list(list_id)["deleted_date"] is None
    assert road.members(list_id) == {contacts[0]: (False, True), contacts[1]: (True, True)}


def test_list_1_a_list_that_vanishes_between_two_reads_loses_nobody(road: ListRoad) -> None:
    """Hidden by the CRM's rights: not a word about its members is no word that they left."""
    contacts = road.ids("Contacts", 2)
    list_id = road.make_list("Spring", contact=contacts)
    road.cycle()
    road.crm.control.hide_rows("mkt_sync", "ProspectLists", [list_id])
    assert road.cycle() == {}
    assert road.members(list_id) == dict.fromkeys(contacts, (True, True))


def test_pull_3_more_members_than_a_page_holds_all_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with list_road(tmp_path, lite(tmp_path), monkeypatch, connector=f"page_rows = 3\n{PULL}", contacts=11, leads=5) as road:
        road.people()
        contacts, leads = road.ids("Contacts", 11), road.ids("Leads", 5)
        spring, summer = road.make_list("Spring", contact=contacts, lead=leads), road.make_list("Summer", contact=contacts[:4])
        assert road.cycle()[Kind.LIST_MEMBER].inserted == 20
        assert road.members(spring) == dict.fromkeys([*contacts, *leads], (True, True))
        assert road.members(summer) == dict.fromkeys(contacts[:4], (True, True))


def test_flow_4_a_large_list_is_compared_over_several_cycles_one_call_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """INIT-7: what a cycle staged is not asked for again by the next one."""
    with list_road(tmp_path, lite(tmp_path), monkeypatch, connector=f"page_rows = 3\n{PULL}", contacts=12) as road:
        road.people()
        contacts = sorted(road.ids("Contacts", 12))
        list_id = road.make_list("Large", contact=contacts[:11])
        road.cycle()
        road.take_off(list_id, "contact", contacts[0])
        road.add(list_id, "contact", contacts[11])
        road.calls()
        for _ in range(3):
            assert road.cycle() == {}
            assert road.calls() == IDLE
        done = road.cycle()[Kind.LIST_MEMBER]
        assert (done.read, done.inserted, done.updated) == (11, 1, 1)
        assert road.members(list_id)[contacts[0]] == (False, True)


def test_flow_4_a_list_that_changes_overtakes_its_own_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a turn read before is older than what Market holds by then, and must not come back."""
    with list_road(tmp_path, lite(tmp_path), monkeypatch, connector=f"page_rows = 3\n{PULL}", contacts=12) as road:
        road.people()
        contacts = sorted(road.ids("Contacts", 12))
        list_id = road.make_list("Large", contact=contacts)
        road.cycle()
        road.cycle()  # begins a turn, which holds the first contacts
        road.take_off(list_id, "contact", contacts[0])
        road.crm.control.edit("ProspectLists", list_id, {"name": "Changed"})
        for _ in range(5):
            road.cycle()
            assert road.members(list_id)[contacts[0]] == (False, True)


def test_flow_3_a_run_that_dies_before_its_commit_goes_on_with_what_it_read(road: ListRoad, monkeypatch: pytest.MonkeyPatch) -> None:
    import flows.lists

    list_id = road.make_list("Spring", contact=road.ids("Contacts", 2))
    commit = flows.lists.commit_members

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(flows.lists, "commit_members", dies)
    with pytest.raises(KeyboardInterrupt):
        road.cycle()
    monkeypatch.setattr(flows.lists, "commit_members", commit)
    assert road.members(list_id) == {}
    road.calls()
    assert road.cycle()[Kind.LIST_MEMBER].inserted == 2
    assert road.calls() == IDLE[:1]


def test_pull_2_a_run_that_dies_after_its_commit_commits_nothing_twice(road: ListRoad, monkeypatch: pytest.MonkeyPatch) -> None:
    from adapters.staging import ParcelStore

    list_id = road.make_list("Spring", contact=road.ids("Contacts", 2))
    keep_aside = ParcelStore.keep_aside

    def dies(store: ParcelStore, ref: ParcelRef, folder: str) -> Path:
        if ref.kind is Kind.LIST_MEMBER:
            raise KeyboardInterrupt
        return keep_aside(store, ref, folder)

    monkeypatch.setattr(ParcelStore, "keep_aside", dies)
    with pytest.raises(KeyboardInterrupt):
        road.cycle()
    monkeypatch.undo()
    read_at = road.the_list(list_id)["members_read_at"]
    with monkeypatch.context() as again:
        plainly(again)
        assert road.cycle() == {}
    assert road.the_list(list_id)["members_read_at"] == read_at
    assert len(road.members(list_id)) == 2


def test_flow_4_a_cycle_without_changes_costs_two_calls_and_writes_nothing(road: ListRoad) -> None:
    for number in range(6):
        road.make_list(f"List {number}", contact=road.ids("Contacts", number))
    road.cycle()
    before = everything(road)
    road.calls()
    for _ in range(3):
        assert road.cycle() == {}
        assert road.calls() == IDLE
        assert road.findings() == ()
    assert everything(road) == before


def test_list_1_every_list_has_its_turn(road: ListRoad) -> None:
    """More lists than one call holds: a silent change in any of them is found within a round."""
    first, second = road.ids("Contacts", 2)
    lists = [road.make_list(f"List {number}", contact=[first]) for number in range(9)]
    road.cycle()
    for list_id in lists:
        road.add(list_id, "contact", second)
    for _ in range(3):
        road.cycle()
    assert [road.members(list_id).get(second) for list_id in lists] == [(True, True)] * 9


def test_del_6_a_person_is_not_taken_off_a_list_by_deletion(road: ListRoad) -> None:
    """The CRM no longer shows who is deleted, so absence alone says nothing."""
    gone, off, stays = road.ids("Contacts", 3)
    list_id = road.make_list("Spring", contact=[gone, off, stays])
    road.cycle()
    road.crm.control.delete("Contacts", gone)
    road.take_off(list_id, "contact", off)
    road.cycle()
    assert road.members(list_id) == {gone: (True, True), off: (False, True), stays: (True, True)}


def test_gate_2_members_that_the_syncing_user_may_not_see_stay_and_are_told(road: ListRoad) -> None:
    [lead], [contact] = road.ids("Leads", 1), road.ids("Contacts", 1)
    list_id = road.make_list("Spring", lead=[lead], contact=[contact])
    road.cycle()
    road.crm.control.deny("mkt_sync", "Leads")
    road.take_off(list_id, "lead", lead)
    road.crm.control.edit("ProspectLists", list_id, {"name": "Changed"})
    road.cycle()
    assert road.members(list_id) == {lead: (True, True), contact: (True, True)}
    assert [finding.topic for finding in road.findings()] == ["list members not shown"]


def test_gate_3_members_who_leave_in_mass_stop_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the share that the configuration allows."""
    with list_road(tmp_path, lite(tmp_path), monkeypatch, more="[gate]\nmin_rows_for_share = 4\n", gate=True) as road:
        road.people()
        contacts = road.ids("Contacts", 8)
        list_id = road.make_list("Spring", contact=contacts)
        road.cycle()
        for one in contacts[:4]:
            road.take_off(list_id, "contact", one)
        road.cycle()
        assert sum(present for present, _ in road.members(list_id).values()) == 4
        for one in contacts[4:7]:
            road.take_off(list_id, "contact", one)
        with pytest.raises(GateRejected, match="Members do not leave their lists in mass"):
            road.cycle()
        assert sum(present for present, _ in road.members(list_id).values()) == 4


def test_gate_2_a_member_with_an_id_that_is_none_is_held_and_the_others_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with list_road(tmp_path, lite(tmp_path), monkeypatch, gate=True) as road:
        road.people()
        bad = road.crm.control.create("Contacts", {"id": "no id", "last_name": "Blank"})
        [good] = road.ids("Contacts", 1)
        list_id = road.make_list("Spring", contact=[good, bad])
        assert road.cycle()[Kind.LIST_MEMBER].held == 1
        assert road.members(list_id) == {good: (True, True)}
        assert {(entry.kind, entry.rule) for entry in road.road.market.quarantine.list()} >= {(Kind.LIST_MEMBER, "member_id_well_formed")}


def test_match_8_a_merged_person_keeps_its_place_under_the_winner(road: ListRoad) -> None:
    winner, loser = road.ids("Contacts", 2)
    list_id = road.make_list("Spring", contact=[loser])
    road.cycle()
    keys = {row["crm_id"]: row["contact_id"] for row in road.road.rows("SELECT crm_id, contact_id FROM contacts")}
    with commit(road.road.market, Kind.CONTACT) as tx:
        tx.merge_people(MemoryRows(("loser_id", "winner_id"), [(keys[loser], keys[winner])]))
    assert road.road.rows("SELECT market_id FROM marketing_list_members") == [{"market_id": keys[winner]}]
    assert road.members(list_id) == {loser: (True, True)}


def lite(folder: Path) -> str:
    """For tests of what has nothing to do with the database."""
    return f"sqlite:///{folder / 'market.sqlite'}"


def everything(road: ListRoad) -> list[object]:
    """All of Market, the parcels and cursors included: what a cycle without changes leaves as it is."""
    books = ("parcels", "cursors", "findings", "key_sequences")
    return [market_state(str(road.road.home.settings.market.url)), *(road.road.rows(f"SELECT * FROM {book}") for book in books)]


def test_init_6_and_conn_3_lists_are_probed_counted_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted and not shown is told, and what a status says of lists is what is there."""
    with list_road(tmp_path, lite(tmp_path), monkeypatch) as road:
        road.people()
        config = road.road.config
        assert ("read ProspectLists", True) in {(line.subject, line.ok) for line in check_connector(config, "acme")}
        hidden, *others = road.ids("Contacts", 3)
        road.make_list("Spring", contact=[hidden, *others])
        road.crm.control.hide_rows("mkt_sync", "Contacts", [hidden])
        road.cycle()
        lists, members = (one for one in status_of(config, "acme").kinds if one.kind in (Kind.LIST, Kind.LIST_MEMBER))
        assert (lists.counts.linked, lists.synced_until is not None) == (1, True)
        assert (members.counts.linked, members.counts.rows, members.synced_until is not None) == (2, 2, True)
        road.crm.control.hide_rows("mkt_sync", "Contacts", [hidden], hidden=False)
        road.road.verify()
        told = {line.kind: line for line in kept_verification(road.road.home, road.road.run)}
        assert (told[Kind.LIST].crm, told[Kind.LIST].market) == (1, 1)
        assert told[Kind.LIST_MEMBER].lines == ("1 counted by the CRM and not shown to the syncing user",)


def test_del_8_lists_that_go_in_mass_wait_for_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with list_road(tmp_path, lite(tmp_path), monkeypatch, more="[gate]\nmin_rows_for_share = 2\n") as road:
        road.people()
        lists = [road.make_list(f"List {number}") for number in range(4)]
        road.cycle()
        for list_id in lists[:3]:
            road.crm.control.delete("ProspectLists", list_id)
        road.cycle()
        assert [road.the_list(list_id)["deleted_date"] for list_id in lists] == [None] * 4
        assert [finding.message for finding in road.findings()] == [
            "3 lists (75%) would be deleted, which is more than may go unasked; none was"
        ]
