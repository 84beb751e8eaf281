"""Silent changes are found by comparing slices, healed, and told apart from what core sync brings; over real HTTP, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.reconciled import Compared
from sync.records import Kind, Removal
from tasks.extract import extract_named
from tasks.reconcile import choose_slices, compare_slice, extract_slice, extract_unread, note_absent, settle_slice
from tasks.reconciled import compared_of
from tasks.wiring import now
from tests.kept_market import market_kept
from tests.pull_road import OPEN_GATE, PullRoad, pull_road
from tests.reconciling import bring_in, new_run, reconcile

ONLY_CONTACTS = "reconcile_slice_rows = 10\n[connectors.acme.pull]\nusers = false\naccounts = false\nleads = false\nopportunities = false\n"


@dataclass(frozen=True)
class Stage:
    """Contacts that were synced once, and the CRM that they came from."""

    road: PullRoad
    crm: RunningSandbox
    schema: str

    def reconcile(self, most: int | None = None, *, gate: bool = False) -> Compared:
        found = reconcile(self.road, self.schema, most=most, gate=gate)
        return found.get(Kind.CONTACT, Compared(Kind.CONTACT))

    def contact(self, crm_id: str) -> dict[str, Any]:
        [found] = self.road.rows("SELECT * FROM contacts WHERE crm_id = :id", id=crm_id)
        return found

    def ids(self) -> list[str]:
        return [each["id"] for each in self.crm.control.dump("Contacts", deleted=False)]

    def waiting(self) -> list[str]:
        return [row["crm_id"] for row in self.road.rows("SELECT crm_id FROM removals ORDER BY crm_id")]


@pytest.fixture
def lite_url(tmp_path: Path) -> str:
    """For what happens in tasks and staging; what the databases do differently is tried on both."""
    return f"sqlite:///{tmp_path / 'market.sqlite'}"


@contextmanager
def synced(folder: Path, market_url: str, more: str = "", **settings: Any) -> Iterator[Stage]:
    few = {"accounts": 0, "leads": 0, "contacts": 36, "opportunities": 0, "users": 1, "prospect_lists": 0, "campaigns": 0}
    chosen = {"clock_fixed": 1_790_000_000.0, "nastiness": CALM, **few, **settings}
    kept = market_kept(("compared", sorted(chosen.items(), key=repr), more))
    with start_sandbox(SugarSandboxSettings(**chosen)) as crm:
        there = kept.give(market_url)
        with pull_road(folder, market_url, crm.url, connector=f"{ONLY_CONTACTS}{more}", more=OPEN_GATE) as road:
            schema = road.schema()
            if not there:
                road.bring_in(road.extract(Kind.CONTACT, schema), gate=False)
                road.market.close()
                kept.keep(market_url)
            yield Stage(road, crm, schema)


def test_an_edit_that_moved_no_stamp_is_healed_and_its_column_is_named(tmp_path: Path, market_url: str) -> None:
    """Silent changes: back-end SQL and mass updates; PULL-8: what is equal is not written."""
    with synced(tmp_path, market_url) as stage:
        first, second, *_ = stage.ids()
        stage.crm.control.edit("Contacts", first, {"title": "Director"}, silent=True)
        stage.crm.control.write_raw("Contacts", second, {"department": "Night shift"})
        before = {row["crm_id"]: row["updated_at"] for row in stage.road.rows("SELECT crm_id, updated_at FROM contacts")}
        found = stage.reconcile()
        assert (found.records, found.healed, found.missing, found.gone, found.recent) == (36, 2, 0, 0, 0)
        assert dict(found.columns) == {"title": 1, "department": 1}
        assert stage.contact(first)["title"] == "Director"
        assert stage.contact(second)["department"] == "Night shift"
        after = {row["crm_id"]: row["updated_at"] for row in stage.road.rows("SELECT crm_id, updated_at FROM contacts")}
        assert {crm_id for crm_id in after if after[crm_id] != before[crm_id]} == {first, second}
        stage.crm.control.reset_calls()
        mark = stage.road.market.mark()
        again = stage.reconcile()
        assert (again.records, again.healed, again.columns) == (36, 0, {})
        assert stage.road.market.mark() == mark, "where nothing differs nothing is committed, and other flows need not plan again"
        assert len(stage.crm.control.calls(module="Contacts")) == 4, "one page per slice, and no call beside it"


def test_deletions_without_a_trace_are_noted_as_removals(tmp_path: Path, market_url: str) -> None:
    """DEL-1: pruned records, records that team security hides, and a stub that is still there."""
    with synced(tmp_path, market_url) as stage:
        pruned, hidden, stub, *_ = stage.ids()
        stage.crm.control.delete("Contacts", pruned)
        stage.crm.control.prune()
        stage.crm.control.hide_rows("mkt_sync", "Contacts", [hidden])
        stage.crm.control.delete("Contacts", stub)
        found = stage.reconcile()
        assert (found.records, found.healed, found.gone) == (33, 0, 3)
        assert stage.waiting() == sorted([pruned, hidden, stub])
        removed = {row["crm_id"]: row["removed_at"] for row in stage.road.rows("SELECT crm_id, removed_at FROM removals")}
        assert [crm_id for crm_id, at in removed.items() if at is not None] == [stub]
        assert {row["found_by"] for row in stage.road.rows("SELECT found_by FROM removals")} == {"reconciliation"}


def test_records_that_a_late_stamp_hid_are_brought_in_and_counted_apart(tmp_path: Path, market_url: str) -> None:
    """PULL-1: they became visible behind the cursor. Those that core sync will ask for anyway are no finding."""
    with synced(tmp_path, market_url) as stage:
        late = stage.crm.control.create("Contacts", {"last_name": "Late", "date_modified": "2020-05-05T10:00:00Z"})
        fresh = stage.crm.control.create("Contacts", {"last_name": "Fresh"})
        found = stage.reconcile()
        assert (found.records, found.missing, found.recent, found.healed, found.gone) == (38, 1, 1, 0, 0)
        assert stage.contact(late)["last_name"] == "Late"
        assert stage.contact(fresh)["last_name"] == "Fresh"


def test_slices_hold_about_as_many_records_as_the_setting_says_and_are_dated(tmp_path: Path, lite_url: str) -> None:
    with synced(tmp_path, lite_url) as stage:
        stage.reconcile(most=2)
        slices = stage.road.rows("SELECT low, high, checked_at, records, healed FROM slices ORDER BY low")
        assert len(slices) == 4 and slices[0]["low"] == "" and slices[-1]["high"] == ""
        assert [one["high"] for one in slices[:-1]] == [one["low"] for one in slices[1:]]
        assert [one["records"] for one in slices] == [9, 10, None, None]
        assert [one["checked_at"] is not None for one in slices] == [True, True, False, False]


def test_what_core_sync_committed_meanwhile_is_not_overwritten_with_what_was_read_before(tmp_path: Path, market_url: str) -> None:
    """FLOW-1: different flows may run at once. The slice was read, then somebody edits, and core sync is quicker."""
    with synced(tmp_path, market_url) as stage:
        run = new_run(stage.road)
        one = choose_slices.fn(run, (Kind.CONTACT,))[0]
        edited, gone, silent, *_ = sorted(stage.ids())
        stage.crm.control.write_raw("Contacts", edited, {"title": "Before"})
        stage.crm.control.write_raw("Contacts", gone, {"title": "Before"})
        stage.crm.control.write_raw("Contacts", silent, {"title": "Silent"})
        ref = extract_slice.fn(run, one, stage.schema)
        stage.crm.control.edit("Contacts", edited, {"title": "After"})
        named = extract_named.fn(stage.road.run, Kind.CONTACT, "changes", stage.schema, (edited,))
        stage.road.bring_in(named, gate=False)
        stage.road.market.removals.note("acme", Kind.CONTACT, [Removal(gone)], run_id="core", now=now())
        stage.road.market.removals.apply("acme", Kind.CONTACT, run_id="run-1", now=now())
        compared = compare_slice.fn(run, one, ref)
        assert compared.unread == ()
        bring_in(run, ref)
        settle_slice.fn(run, one, compared, (ref,))
        assert stage.contact(edited)["title"] == "After"
        assert stage.contact(gone)["deleted_date"] is not None and stage.contact(gone)["title"] != "Before"
        assert stage.contact(silent)["title"] == "Silent"
        [found] = compared_of(stage.road.config, run.run_id)
        assert (found.records, found.healed) == (7, 1)


def test_an_older_version_is_left_out_even_if_the_clocks_of_two_machines_differ(tmp_path: Path, lite_url: str) -> None:
    """The other machine's clock says that it wrote before this one began to read; the CRM's stamp tells better."""
    with synced(tmp_path, lite_url) as stage:
        run = new_run(stage.road)
        one = choose_slices.fn(run, (Kind.CONTACT,))[0]
        edited = min(stage.ids())
        stage.crm.control.write_raw("Contacts", edited, {"title": "Before"})
        ref = extract_slice.fn(run, one, stage.schema)
        stage.crm.control.edit("Contacts", edited, {"title": "After"})
        stage.road.bring_in(extract_named.fn(stage.road.run, Kind.CONTACT, "changes", stage.schema, (edited,)), gate=False)
        stage.road.execute("UPDATE crm_links SET written_at = '2020-01-01 00:00:00.000000' WHERE crm_id = :id", id=edited)
        bring_in(run, ref)
        assert stage.contact(edited)["title"] == "After"


def test_ids_that_are_no_guids_are_compared_whatever_order_the_crm_has(tmp_path: Path, market_url: str) -> None:
    """The CRM's order of such ids is its own: a slice may bring a neighbour's records and lack its own. None of them is gone for that."""
    with synced(tmp_path, market_url, contacts=12) as stage:
        odd = [f"{start}-{number}" for number in range(6) for start in ("Zeta", "alpha", "legacy_id", "10", "ÄÖ", "a.b")]
        for crm_id in odd:
            stage.crm.control.create("Contacts", {"id": crm_id, "last_name": "Odd", "date_modified": "2020-05-05T10:00:00Z"})
        assert stage.reconcile().missing == len(odd)
        for _ in range(2):  # the second time the odd ones have been cut at
            found = stage.reconcile()
            assert (found.records, found.healed, found.missing, found.gone) == (12 + len(odd), 0, 0, 0)
        stage.crm.control.write_raw("Contacts", "Zeta-3", {"title": "Silent"})
        stage.crm.control.hide_rows("mkt_sync", "Contacts", ["ÄÖ-2", "a.b-5"])
        found = stage.reconcile()
        assert (found.healed, found.gone) == (1, 2)
        assert stage.contact("Zeta-3")["title"] == "Silent"
        assert stage.waiting() == ["a.b-5", "ÄÖ-2"]


def test_suspects_that_the_crm_still_has_are_brought_in_and_not_removed(tmp_path: Path, lite_url: str) -> None:
    """A record that did not come with its slice is asked for by name before anything is said of it."""
    with synced(tmp_path, lite_url) as stage:
        run = new_run(stage.road)
        one = choose_slices.fn(run, (Kind.CONTACT,))[0]
        hidden = min(stage.ids())
        stage.crm.control.hide_rows("mkt_sync", "Contacts", [hidden])
        ref = extract_slice.fn(run, one, stage.schema)
        stage.crm.control.hide_rows("mkt_sync", "Contacts", [hidden], hidden=False)
        stage.crm.control.write_raw("Contacts", hidden, {"title": "Silent"})
        compared = compare_slice.fn(run, one, ref)
        assert (compared.unread, compared.alike, compared.records) == ((hidden,), True, 8)
        named = extract_unread.fn(run, one, stage.schema, compared.unread)
        note_absent.fn(run, one, named, stage.schema, compared.unread)
        bring_in(run, named)
        settle_slice.fn(run, one, compared, (named,))
        [found] = compared_of(stage.road.config, run.run_id)
        assert (found.records, found.healed, found.gone) == (9, 1, 0)
        assert stage.waiting() == [] and stage.contact(hidden)["title"] == "Silent"


def test_a_record_that_left_the_filter_in_silence_is_marked_filt_2(tmp_path: Path, market_url: str) -> None:
    """FILT-2: it is not gone, it only meets the filter no longer; what is gone is told apart from it."""
    more = '[connectors.acme.filters]\ncontacts = [{ field = "department", op = "not_equals", value = "Secret" }]\n'
    with synced(tmp_path, market_url, more) as stage:
        left, pruned, stub, changed, *_ = [row["crm_id"] for row in stage.road.rows("SELECT crm_id FROM contacts ORDER BY crm_id")]
        for crm_id in (left, stub):
            stage.crm.control.write_raw("Contacts", crm_id, {"department": "Secret"})
        stage.crm.control.write_raw("Contacts", changed, {"department": "Sales"})
        stage.crm.control.delete("Contacts", pruned)
        stage.crm.control.prune()
        stage.crm.control.delete("Contacts", stub)
        found = stage.reconcile()
        assert (found.healed, found.left, found.gone) == (1, 1, 2)
        assert stage.waiting() == sorted([pruned, stub])
        assert stage.contact(left)["left_scope"] is not None and stage.contact(left)["deleted_date"] is None
        assert stage.reconcile().left == 0, "nobody asks for it again"


def test_quarantined_records_are_not_missing_gate_2(tmp_path: Path, lite_url: str) -> None:
    """GATE-2: they are held with their reason; corrected in silence, they are released."""
    with synced(tmp_path, lite_url) as stage:
        bad = stage.crm.control.create("Contacts", {"last_name": "Bad", "date_modified": "2020-05-05T10:00:00Z"})
        stage.crm.control.write_raw("Contacts", bad, {"birthdate": "0000-00-00"})
        assert stage.reconcile(gate=True).missing == 0
        assert stage.road.market.quarantine.open_ids("acme", Kind.CONTACT) == (bad,)
        stage.crm.control.write_raw("Contacts", bad, {"birthdate": "1980-01-01"})
        assert stage.reconcile(gate=True).missing == 0
        assert stage.road.market.quarantine.open_ids("acme", Kind.CONTACT) == ()
        assert stage.contact(bad)["last_name"] == "Bad"


def test_a_stopped_run_goes_on_with_the_slice_that_it_had_staged(tmp_path: Path, lite_url: str) -> None:
    """INIT-7: pages that are staged are not asked for again. An old parcel says nothing about now and is read afresh."""
    with synced(tmp_path, lite_url) as stage:
        run = new_run(stage.road)
        one = choose_slices.fn(run, (Kind.CONTACT,))[0]
        ref = extract_slice.fn(run, one, stage.schema)
        stage.crm.control.reset_calls()
        again = new_run(stage.road)
        assert choose_slices.fn(again, (Kind.CONTACT,))[0] == one
        assert extract_slice.fn(again, one, stage.schema).parcel_id == ref.parcel_id
        assert stage.crm.control.calls(method="POST") == []
        with stage.road.home.parcels.open(ref) as parcel:
            parcel.tell("began_at", "2020-01-01T00:00:00+00:00")
        assert extract_slice.fn(again, one, stage.schema).parcel_id != ref.parcel_id
        other = choose_slices.fn(again, (Kind.CONTACT,))[1]
        assert extract_slice.fn(again, other, stage.schema).parcel_id != ref.parcel_id
        bring_in(again, extract_slice.fn(again, other, stage.schema))
        assert stage.reconcile().records == 36


def test_the_stalest_slices_come_first_and_grown_or_empty_ones_are_cut_again(tmp_path: Path, lite_url: str) -> None:
    with synced(tmp_path, lite_url) as stage:
        slices = stage.road.market.slices
        stage.reconcile(most=2)
        assert slices.stalest("acme", [Kind.CONTACT])[:2] == (4, 2)
        stage.reconcile(most=2)
        count, never, oldest = slices.stalest("acme", [Kind.CONTACT])
        assert (count, never) == (4, 0) and oldest is not None
        first = min(stage.ids())
        for number in range(20):
            crm_id = f"{first[:-4]}{number:04x}"
            stage.crm.control.create("Contacts", {"id": crm_id, "last_name": "New", "date_modified": "2020-05-05T10:00:00Z"})
        assert stage.reconcile().missing == 20
        assert [one.records for one in slices.all("acme", Kind.CONTACT)] == [29, 10, 10, 7]
        last = slices.all("acme", Kind.CONTACT)[-1].keys.low
        stage.crm.control.hide_rows("mkt_sync", "Contacts", [crm_id for crm_id in stage.ids() if crm_id >= last])
        found = stage.reconcile()
        assert (found.records, found.gone, found.slices) == (49, 7, 6)
        choose_slices.fn(new_run(stage.road), (Kind.CONTACT,))
        assert [one.records for one in slices.all("acme", Kind.CONTACT)] == [9, 10, 10, 10, 10]


def test_a_field_that_came_later_changes_every_hash_and_is_no_silent_change(tmp_path: Path, lite_url: str) -> None:
    """PULL-4: what was filled in for old rows is not told once more as a difference."""
    with synced(tmp_path, lite_url) as stage:
        stage.crm.control.add_field("Contacts", "later_c")
        schema = stage.road.schema()
        stage.crm.control.write_raw("Contacts", stage.ids()[0], {"later_c": "blue"})
        found = reconcile(stage.road, schema)[Kind.CONTACT]
        assert (found.records, found.healed, dict(found.columns)) == (36, 1, {"later_c": 1})
        assert stage.contact(stage.ids()[0])["later_c"] == "blue"
