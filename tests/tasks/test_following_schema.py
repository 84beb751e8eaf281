"""PULL-4 over real HTTP and both databases: fields come, go, come back, change type, are hidden, and are filled in for old rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SandboxControl, SugarSandboxSettings, start_sandbox
from flows.schema import backfill_fields
from sync.errors import AccessDenied, MarketUnavailable
from sync.records import Kind, ParcelRef
from tasks.backfill import commit_backfill, extract_backfill, kinds_to_backfill, plan_backfill
from tasks.check import check
from tasks.operate import status_of
from tasks.report import noted_findings
from tasks.schema import follow_schema, readings_of
from tests.pull_road import PullRoad, pull_road

KINDS = (Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT)
PULL = "page_rows = 2\nconnections = 1\n[connectors.acme.pull]\nusers = false\nopportunities = false\n"
FEW = f"{PULL}accounts = false\nleads = false\n"
FAR = datetime(9999, 1, 1, tzinfo=UTC)
PAST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """One CRM and its Market after an initial sync. Every run has a number."""

    road: PullRoad
    sandbox: RunningSandbox

    @property
    def crm(self) -> SandboxControl:
        return self.sandbox.control

    def in_run(self, number: int) -> World:
        return replace(self, road=replace(self.road, run_id=f"run-{number}"))

    def follow(self) -> str:
        schema: str = follow_schema.fn(self.road.run)
        return schema

    def said(self) -> list[tuple[str, str]]:
        """Topic and message of this run's findings about fields."""
        found = noted_findings(self.road.home, self.road.run)
        return [(finding.topic, finding.message) for finding in found if finding.topic.startswith("field")]

    def fill(self, kind: Kind, schema: str) -> int:
        ref = extract_backfill.fn(self.road.run, kind, schema, FAR)
        assert ref is not None
        return self.commit(ref)

    def commit(self, ref: ParcelRef) -> int:
        plan_backfill.fn(self.road.run, ref)
        check.fn(self.road.run, ref)
        updated: int = commit_backfill.fn(self.road.run, ref).updated
        return updated

    def pull(self, schema: str, *kinds: Kind) -> None:
        """Everything once more, with this run's schema; the gate looks at few records and need not."""
        for kind in kinds:
            self.road.bring_in(self.road.extract(kind, schema), gate=False)

    def column(self, column: str, kind: Kind = Kind.CONTACT) -> dict[str, Any]:
        """CRM id → what the row of that record holds."""
        query = f'SELECT crm_links.crm_id AS id, "{column}" AS value FROM {kind.table} JOIN crm_links ON market_id = {kind.key} '
        rows = self.road.rows(f"{query} WHERE kind = :kind", kind=kind.value)
        return {row["id"]: row["value"] for row in rows}

    def catalogue(self, field: str, kind: Kind = Kind.CONTACT) -> tuple[str, str, str]:
        entries = self.road.market.columns.entries("acme", kind)
        return next((each.column, str(each.type), each.status) for each in entries if each.crm_field == field)

    def ids(self, module: str) -> list[str]:
        return [record["id"] for record in self.crm.dump(module, deleted=False)]

    def give(self, module: str, field: str, value: Any = "{id}") -> list[str]:
        """Every record gets a value, without a new stamp; returns their ids."""
        ids = self.ids(module)
        for each in ids:
            self.crm.edit(module, each, {field: value.format(id=each) if isinstance(value, str) else value}, silent=True)
        return ids


@contextmanager
def opened(folder: Path, market_url: str, connector: str, *kinds: Kind) -> Iterator[World]:
    settings = SugarSandboxSettings(
        accounts=3, leads=3, contacts=5, opportunities=0, users=2, prospect_lists=0, campaigns=0, nastiness=CALM
    )
    with start_sandbox(settings) as sandbox, pull_road(folder, market_url, sandbox.url, connector=connector) as road:
        schema = road.schema()
        for kind in kinds:
            road.bring_in(road.extract(kind, schema), gate=False)
        yield World(road, sandbox).in_run(2)


@pytest.fixture
def world(tmp_path: Path, market_url: str) -> Iterator[World]:
    """Of contacts only: quick."""
    with opened(tmp_path, market_url, FEW, Kind.CONTACT) as made:
        yield made


@pytest.fixture
def whole(tmp_path: Path, market_url: str) -> Iterator[World]:
    """Of accounts, leads and contacts."""
    with opened(tmp_path, market_url, PULL, *KINDS) as made:
        yield made


# -- nothing new ----------------------------------------------------------------------------------------------------


def test_flow_4_a_run_without_a_new_schema_makes_one_call_and_writes_nothing(whole: World) -> None:
    """PULL-4: the initial sync has left what the first core run compares with."""
    statements: list[str] = []
    whole.crm.reset_calls()
    listen = event.listens_for(whole.road.market.database.engine, "before_cursor_execute")
    listen(lambda _con, _cur, statement, *_: statements.append(statement))
    schema = whole.follow()
    backfill_fields(whole.road.run, schema, FAR)
    assert [(call["method"], call["path"].rpartition("/rest/")[2]) for call in whole.crm.calls()] == [("GET", "v11_24/metadata/_hash")]
    assert statements and all(each.lstrip().startswith(("SELECT", "BEGIN", "PRAGMA")) for each in statements)
    first = whole.in_run(1).road
    assert [readings_of(whole.road.run, schema, kind) for kind in KINDS] == [
        readings_of(first.run, "runs/run-1/schema.json", kind) for kind in KINDS
    ]
    assert (whole.said(), kinds_to_backfill(whole.road.run)) == ([], ())


def test_pull_4_a_drop_down_that_changed_is_described_and_changes_nothing(world: World) -> None:
    world.crm.set_list("industry_dom", {"": "", "Rockets": "Rockets"})
    world.follow()
    assert (world.said(), status_of(world.road.config, "acme").backfills) == ([], ())
    world.crm.reset_calls()
    world.in_run(3).follow()
    assert world.crm.call_count() == 1


def test_pull_4_nothing_is_ever_written_to_the_crms_schema(world: World) -> None:
    """Fields made in Market are never created in the CRM."""
    world.road.execute("ALTER TABLE contacts ADD COLUMN made_here TEXT")
    world.crm.add_field("Contacts", "grade_c")
    world.crm.reset_calls()
    world.fill(Kind.CONTACT, world.follow())
    asked = {(call["method"], call["path"].partition("/v11_24/")[2]) for call in world.crm.calls()}
    assert asked == {
        ("GET", "metadata/_hash"),
        ("GET", "metadata"),
        ("POST", "Contacts/filter/count"),
        ("POST", "Contacts/filter"),
    }


# -- fields come ----------------------------------------------------------------------------------------------------


def test_pull_4_a_new_field_becomes_a_column_and_is_filled_in_for_the_rows_that_are_here(world: World) -> None:
    world.crm.add_field("Contacts", "renewal_tier_c", length=50)
    ids = world.give("Contacts", "renewal_tier_c")
    schema = world.follow()
    assert world.said() == [("field added", "field renewal_tier_c added to contacts: column renewal_tier_c")]
    assert world.catalogue("renewal_tier_c") == ("renewal_tier_c", "text(50)", "active")
    assert [(each.kind, each.crm_field, each.rows_done) for each in status_of(world.road.config, "acme").backfills] == [
        (Kind.CONTACT, "renewal_tier_c", None)
    ]
    before = world.road.rows("SELECT crm_id, row_hash, written_at FROM crm_links ORDER BY kind, crm_id"), _cursors(world)
    assert world.fill(Kind.CONTACT, schema) == len(ids)
    assert world.column("renewal_tier_c") == {each: each for each in ids}
    assert (world.road.rows("SELECT crm_id, row_hash, written_at FROM crm_links ORDER BY kind, crm_id"), _cursors(world)) == before
    assert status_of(world.road.config, "acme").backfills == ()
    assert world.road.rows("SELECT rows_filled FROM backfills") == [{"rows_filled": len(ids)}]
    assert world.said()[1] == ("field filled in", "field renewal_tier_c of contacts filled in: 5 rows got a value")


def _cursors(world: World) -> list[dict[str, Any]]:
    return world.road.rows("SELECT kind, at, updated_at FROM cursors ORDER BY kind")


def test_pull_4_a_run_backfills_every_kind_that_has_a_new_field(whole: World) -> None:
    """In one run, through the flow's own function; several fields of a kind share one read."""
    for module in ("Accounts", "Leads"):
        whole.crm.add_field(module, "one_c")
        whole.crm.add_field(module, "two_c", "int")
        whole.give(module, "one_c", "one")
        whole.give(module, "two_c", 2)
    schema = whole.follow()
    whole.crm.reset_calls()
    for kind in kinds_to_backfill(whole.road.run):
        whole.fill(kind, schema)
    assert {kind: (set(whole.column("one_c", kind).values()), set(whole.column("two_c", kind).values())) for kind in KINDS[:2]} == {
        Kind.ACCOUNT: ({"one"}, {2}),
        Kind.LEAD: ({"one"}, {2}),
    }
    pages = [call for call in whole.crm.calls(module="Leads", method="POST") if call["path"].endswith("/filter")]
    assert {call["summary"]["fields"] for call in pages} == {4}  # id, stamp and the two new ones


def test_pull_4_a_kind_that_was_never_committed_gets_its_values_with_its_first_pull(world: World) -> None:
    world.road.execute("DELETE FROM cursors")
    world.crm.add_field("Contacts", "grade_c")
    world.follow()
    assert kinds_to_backfill(world.road.run) == ()
    assert world.catalogue("grade_c")[2] == "active"


def test_pull_4_match_6_a_lead_on_a_contacts_row_fills_only_what_is_empty(whole: World) -> None:
    one, other = whole.ids("Contacts")[:2]
    address = {each["id"]: each["email"][0]["email_address"] for each in whole.crm.dump("Contacts")}
    for lead, contact in (("lead-1", one), ("lead-2", other)):
        whole.crm.create("Leads", {"id": lead, "last_name": lead, "email": [{"email_address": address[contact], "primary_address": True}]})
    whole.pull("runs/run-1/schema.json", Kind.LEAD)
    for module in ("Leads", "Contacts"):
        whole.crm.add_field(module, "grade_c")
    whole.give("Leads", "grade_c", "lead")
    whole.crm.edit("Contacts", one, {"grade_c": "contact"}, silent=True)
    schema = whole.follow()
    whole.fill(Kind.CONTACT, schema)
    whole.fill(Kind.LEAD, schema)
    found = whole.column("grade_c")
    assert (found[one], found[other]) == ("contact", "lead")
    assert set(whole.column("grade_c", Kind.LEAD).values()) == {"contact", "lead"}


def test_pull_4_records_whose_link_does_not_live_are_passed_over(world: World) -> None:
    ids = world.ids("Contacts")
    world.road.execute("UPDATE crm_links SET living = false WHERE crm_id = :id", id=ids[0])
    world.road.execute("UPDATE contacts SET do_not_pull = true WHERE crm_id = :id", id=ids[1])
    world.crm.create("Contacts", {"id": "not-here-yet", "last_name": "New"})
    world.crm.add_field("Contacts", "grade_c")
    world.give("Contacts", "grade_c")
    assert world.fill(Kind.CONTACT, world.follow()) == len(ids) - 2
    assert world.column("grade_c") == {**{each: each for each in ids}, ids[0]: None, ids[1]: None}


def test_gate_1_and_2_a_value_that_does_not_fit_holds_its_row_back(world: World) -> None:
    ids = world.ids("Contacts")
    world.crm.add_field("Contacts", "grade_c", length=10)
    world.crm.add_field("Contacts", "since_c", "date")
    world.give("Contacts", "grade_c", "gold")
    world.crm.write_raw("Contacts", ids[0], {"grade_c": "x" * 11, "since_c": "2026-01-31"})
    world.crm.write_raw("Contacts", ids[1], {"since_c": "0000-00-00"})
    assert world.fill(Kind.CONTACT, world.follow()) == len(ids) - 2
    assert world.column("grade_c") == {**dict.fromkeys(ids, "gold"), ids[0]: None, ids[1]: None}
    held = world.road.rows("SELECT crm_id, rule, kind FROM quarantine ORDER BY rule")
    assert held == [
        {"crm_id": ids[0], "rule": "text_fits", "kind": "contact"},
        {"crm_id": ids[1], "rule": "value_readable", "kind": "contact"},
    ]


def test_pull_4_a_backfill_that_ran_out_of_time_asks_for_no_staged_page_again(world: World) -> None:
    """INIT-7: page positions are kept in the parcel; what is left goes on in the next run."""
    for number in range(4):
        world.crm.create("Contacts", {"id": f"more-{number}", "last_name": "More"})
    world.pull("runs/run-1/schema.json", Kind.CONTACT)
    world.crm.add_field("Contacts", "grade_c")
    ids = world.give("Contacts", "grade_c")
    world.crm.reset_calls()
    done: list[int | None] = []
    for number in range(2, 20):
        one = world.in_run(number)
        ref = extract_backfill.fn(one.road.run, Kind.CONTACT, one.follow(), PAST)
        if ref is not None:
            break
        done += [each.rows_done for each in status_of(world.road.config, "acme").backfills]
    assert ref is not None and done == [2, 4, 6, 8]
    asked = [str(call["summary"]["filter"]) for call in world.crm.calls() if call["path"].endswith("/filter")]
    assert len(asked) == 5 and len(set(asked)) == 5
    assert one.commit(ref) == len(ids) == 9
    assert kinds_to_backfill(one.road.run) == ()


def test_pull_4_a_field_that_comes_during_a_backfill_starts_it_afresh_for_both(world: World) -> None:
    world.crm.add_field("Contacts", "one_c")
    assert extract_backfill.fn(world.road.run, Kind.CONTACT, world.follow(), PAST) is None
    world.crm.add_field("Contacts", "two_c")
    for field in ("one_c", "two_c"):
        world.give("Contacts", field, field)
    later = world.in_run(3)
    later.fill(Kind.CONTACT, later.follow())
    assert set(world.column("one_c").values()) == {"one_c"} and set(world.column("two_c").values()) == {"two_c"}


def test_pull_2_a_backfill_that_died_after_its_commit_is_not_done_twice(world: World) -> None:
    """The parcel is still at its place: what stands in Market's parcels counts."""
    world.crm.add_field("Contacts", "grade_c")
    ids = world.give("Contacts", "grade_c", "old")
    schema = world.follow()
    ref = extract_backfill.fn(world.road.run, Kind.CONTACT, schema, FAR)
    assert ref is not None
    place = world.road.home.data_dir / ref.path
    copy = place.read_bytes()
    assert world.commit(ref) == len(ids)
    place.write_bytes(copy)
    again = world.in_run(3)
    world.road.execute("UPDATE contacts SET grade_c = 'changed since'")
    assert again.commit(ref) == 0
    place.write_bytes(copy)
    assert extract_backfill.fn(again.road.run, Kind.CONTACT, again.follow(), FAR) is None
    assert set(world.column("grade_c").values()) == {"changed since"}


def test_pull_4_a_committed_parcel_that_lies_about_is_not_taken_for_a_fresh_read(world: World) -> None:
    world.crm.add_field("Contacts", "grade_c")
    world.give("Contacts", "grade_c", "old")
    ref = extract_backfill.fn(world.road.run, Kind.CONTACT, world.follow(), FAR)
    assert ref is not None
    place = world.road.home.data_dir / ref.path
    copy = place.read_bytes()
    world.commit(ref)
    place.write_bytes(copy)
    world.crm.remove_field("Contacts", "grade_c")
    world.in_run(3).follow()
    world.crm.add_field("Contacts", "grade_c")
    world.give("Contacts", "grade_c", "new")
    last = world.in_run(4)
    last.fill(Kind.CONTACT, last.follow())
    assert set(world.column("grade_c").values()) == {"new"}


# -- no update is lost ----------------------------------------------------------------------------------------------


def test_pull_4_what_a_pull_committed_since_the_backfill_read_stays(world: World) -> None:
    """The backfill staged the old value, the record changed, a later run pulled it: its value is newer."""
    world.crm.add_field("Contacts", "grade_c")
    ids = world.give("Contacts", "grade_c", "old")
    schema = world.follow()
    ref = extract_backfill.fn(world.road.run, Kind.CONTACT, schema, FAR)
    assert ref is not None
    world.crm.edit("Contacts", ids[0], {"grade_c": "new"})
    world.crm.edit("Contacts", ids[1], {"grade_c": ""})
    later = world.in_run(3)
    later.pull(later.follow(), Kind.CONTACT)
    later.commit(ref)
    assert world.column("grade_c") == {**dict.fromkeys(ids, "old"), ids[0]: "new", ids[1]: ""}


def test_pull_4_a_change_between_the_backfills_read_and_its_commit_arrives_with_the_next_window(world: World) -> None:
    """Its stamp is not before the cursor, which the backfill does not move; so the next window holds it."""
    world.crm.add_field("Contacts", "grade_c")
    ids = world.give("Contacts", "grade_c", "old")
    schema = world.follow()
    world.pull(schema, Kind.CONTACT)
    cursor = world.road.market.cursors.read("acme", Kind.CONTACT)
    ref = extract_backfill.fn(world.road.run, Kind.CONTACT, schema, FAR)
    assert ref is not None and cursor is not None
    world.crm.edit("Contacts", ids[0], {"grade_c": "new"})
    world.commit(ref)
    stamp = datetime.fromisoformat(str((world.crm.stored("Contacts", ids[0]) or {})["date_modified"]))
    after = world.road.market.cursors.read("acme", Kind.CONTACT)
    assert after == cursor and stamp >= cursor.at - timedelta(minutes=2)
    later = world.in_run(3)
    later.pull(later.follow(), Kind.CONTACT)
    assert world.column("grade_c") == {**dict.fromkeys(ids, "old"), ids[0]: "new"}


# -- fields go, and come back ---------------------------------------------------------------------------------------


def test_pull_4_a_vanished_field_keeps_its_column_and_its_values_and_is_asked_for_no_more(world: World) -> None:
    world.crm.add_field("Contacts", "grade_c")
    ids = world.give("Contacts", "grade_c", "gold")
    world.fill(Kind.CONTACT, world.follow())
    world.crm.remove_field("Contacts", "grade_c")
    later = world.in_run(3)
    schema = later.follow()
    assert later.said() == [
        ("field vanished", "field grade_c of contacts is no longer shown by the CRM: column grade_c keeps its values"),
    ]
    assert world.catalogue("grade_c") == ("grade_c", "text", "vanished")
    for each in ids:
        world.crm.edit("Contacts", each, {"title": "Changed"})
    assert all(each.source != "grade_c" for each in readings_of(later.road.run, schema, Kind.CONTACT))
    later.pull(schema, Kind.CONTACT)
    assert (world.column("grade_c"), set(world.column("title").values())) == (dict.fromkeys(ids, "gold"), {"Changed"})
    world.in_run(4).follow()
    assert world.in_run(4).said() == []


def test_pull_4_a_field_of_markets_own_column_that_vanishes_blanks_nothing(whole: World) -> None:
    """Not the values of mapped columns, and not the links that follow from references."""
    whole.give("Contacts", "title", "Director")
    whole.pull("runs/run-1/schema.json", Kind.CONTACT)
    owners, accounts = whole.column("owner_ref"), whole.column("account_id")
    for field in ("title", "assigned_user_id", "account_id"):
        whole.crm.hide_field("mkt_sync", "Contacts", field)
    schema = whole.follow()
    assert [topic for topic, _ in whole.said()] == ["field vanished"] * 3
    ids = whole.give("Contacts", "phone_work", "1234")
    whole.pull(schema, Kind.CONTACT)
    assert set(whole.column("phone").values()) == {"1234"}
    assert (whole.column("title"), whole.column("owner_ref"), whole.column("account_id")) == (
        dict.fromkeys(ids, "Director"),
        owners,
        accounts,
    )
    assert set(accounts.values()) != {1}


def test_pull_4_a_returned_field_is_active_again_and_filled_in(world: World) -> None:
    world.crm.add_field("Contacts", "grade_c")
    world.give("Contacts", "grade_c", "gold")
    world.fill(Kind.CONTACT, world.follow())
    world.crm.hide_field("mkt_sync", "Contacts", "grade_c")
    world.in_run(3).follow()
    world.give("Contacts", "grade_c", "silver")
    world.crm.hide_field("mkt_sync", "Contacts", "grade_c", hidden=False)
    back = world.in_run(4)
    schema = back.follow()
    assert back.said() == [("field returned", "field grade_c of contacts is back: column grade_c is filled again")]
    assert world.catalogue("grade_c")[2] == "active"
    back.fill(Kind.CONTACT, schema)
    assert set(world.column("grade_c").values()) == {"silver"}


def test_pull_4_a_field_that_vanishes_again_is_no_longer_to_be_filled_in(world: World) -> None:
    world.crm.add_field("Contacts", "grade_c")
    world.follow()
    world.crm.remove_field("Contacts", "grade_c")
    later = world.in_run(3)
    schema = later.follow()
    assert kinds_to_backfill(later.road.run) == ()
    assert extract_backfill.fn(later.road.run, Kind.CONTACT, schema, FAR) is None


def test_pull_4_a_renamed_field_is_told_as_such_and_its_new_column_is_filled(world: World) -> None:
    world.crm.add_field("Contacts", "zone_c")
    ids = world.give("Contacts", "zone_c", "north")
    world.fill(Kind.CONTACT, world.follow())
    world.crm.rename_field("Contacts", "zone_c", "area_zone_c")
    later = world.in_run(3)
    schema = later.follow()
    assert later.said() == [
        ("field added", "field area_zone_c added to contacts: column area_zone_c"),
        (
            "field renamed",
            "field zone_c of contacts is gone and area_zone_c of its type has come: probably renamed. Column zone_c keeps its values",
        ),
    ]
    later.fill(Kind.CONTACT, schema)
    assert world.column("area_zone_c") == world.column("zone_c") == dict.fromkeys(ids, "north")


# -- fields change their type ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "value", "later", "column"),
    [
        (("varchar", 10), ("varchar", 200), "gold", "x" * 150, "text(200)"),
        (("int", None), ("decimal", None), 7, "7.250000", "decimal(26,6)"),
        (("varchar", 10), ("text", None), "gold", "x" * 5000, "text"),
    ],
)
def test_pull_4_a_retyped_field_whose_column_can_be_widened_goes_on(
    world: World, old: tuple[str, int | None], new: tuple[str, int | None], value: Any, later: Any, column: str
) -> None:
    world.crm.add_field("Contacts", "size_c", old[0], length=old[1])
    ids = world.give("Contacts", "size_c", value)
    world.fill(Kind.CONTACT, world.follow())
    world.crm.retype_field("Contacts", "size_c", new[0], length=new[1])
    again = world.in_run(3)
    schema = again.follow()
    assert world.catalogue("size_c") == ("size_c", column, "active")
    [(topic, message)] = again.said()
    assert topic == "field retyped" and f"is now {column}: column size_c was widened from " in message
    assert {str(each) for each in world.column("size_c").values()} == {str(value)}
    world.crm.edit("Contacts", ids[0], {"size_c": later})
    again.pull(schema, Kind.CONTACT)
    assert float(world.column("size_c")[ids[0]]) == 7.25 if new[0] == "decimal" else world.column("size_c")[ids[0]] == later
    assert kinds_to_backfill(again.road.run) == ()


def test_pull_4_a_retyped_field_that_does_not_fit_leaves_its_column_alone_and_is_told_once(world: World) -> None:
    world.crm.add_field("Contacts", "size_c", "int")
    ids = world.give("Contacts", "size_c", 7)
    world.fill(Kind.CONTACT, world.follow())
    world.crm.retype_field("Contacts", "size_c", "varchar", length=50)
    again = world.in_run(3)
    schema = again.follow()
    words = "field size_c of contacts is now text(50); column size_c stays integer and is no longer filled from it"
    assert again.said() == [("field retyped", words)]
    assert world.catalogue("size_c") == ("size_c", "integer", "retyped")
    for each in ids:
        world.crm.edit("Contacts", each, {"size_c": "many", "title": "Changed"})
    again.pull(schema, Kind.CONTACT)
    assert (set(world.column("size_c").values()), set(world.column("title").values())) == ({7}, {"Changed"})
    world.crm.add_field("Contacts", "other_c")
    assert [topic for topic, _ in (world.in_run(4).follow(), world.in_run(4).said())[1]] == ["field added"]
    world.crm.retype_field("Contacts", "size_c", "int")
    world.give("Contacts", "size_c", 8)
    last = world.in_run(5)
    last.fill(Kind.CONTACT, last.follow())
    assert world.catalogue("size_c") == ("size_c", "integer", "active")
    assert set(world.column("size_c").values()) == {8}


def test_init_2_and_pull_4_a_shared_column_goes_on_for_the_side_that_fits(whole: World) -> None:
    for module in ("Leads", "Contacts"):
        whole.crm.add_field(module, "size_c", "int")
        whole.give(module, "size_c", 7)
    schema = whole.follow()
    whole.fill(Kind.LEAD, schema)
    whole.fill(Kind.CONTACT, schema)
    whole.crm.retype_field("Contacts", "size_c", "varchar", length=50)
    again = whole.in_run(3)
    schema = again.follow()
    assert [message.partition(" is now")[0] for _, message in again.said()] == ["field size_c of contacts"]
    whole.give("Leads", "size_c", 8)
    whole.give("Contacts", "size_c", "many")
    again.pull(schema, Kind.LEAD, Kind.CONTACT)
    assert (set(whole.column("size_c", Kind.LEAD).values()), set(whole.column("size_c").values())) == ({8}, {7})


# -- fields that nothing goes without -------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["id", "date_modified", "email"])
def test_pull_4_a_hidden_field_that_nothing_goes_without_stops_the_run_and_changes_nothing(world: World, field: str) -> None:
    """CONSENT-6: Sugar's opt-out stands with the address, so nobody's is touched either."""
    world.crm.hide_field("mkt_sync", "Contacts", field)
    world.crm.add_field("Contacts", "grade_c")
    with pytest.raises(AccessDenied, match=field):
        world.follow()
    assert "grade_c" not in world.road.market.columns.types("contacts")
    world.crm.hide_field("mkt_sync", "Contacts", field, hidden=False)
    world.in_run(3).follow()
    assert [topic for topic, _ in world.in_run(3).said()] == ["field added"]


def test_pull_4_what_was_described_is_written_whole_or_not_at_all(world: World) -> None:
    """A run that dies on the way leaves the next one the same to see: the field still counts as new, and is filled in."""
    world.crm.add_field("Contacts", "grade_c")
    world.road.execute("ALTER TABLE backfills RENAME TO elsewhere")
    with pytest.raises(MarketUnavailable):
        world.follow()
    assert "grade_c" not in world.road.market.columns.types("contacts")
    world.road.execute("ALTER TABLE elsewhere RENAME TO backfills")
    again = world.in_run(3)
    again.follow()
    assert [topic for topic, _ in again.said()] == ["field added"]
    assert kinds_to_backfill(again.road.run) == (Kind.CONTACT,)
