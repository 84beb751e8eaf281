"""Marketing lists in Market: what the planner asks, and the writes that need more than a key (LIST-1, LIST-2)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from adapters.market.engine import Market
from adapters.market.schema_lists import marketing_list_members
from sync.lists import ListState, Unlinked
from sync.records import Kind
from tests.adapters.market.building import AT, ask, commit, execute, link, records
from tests.rows import one


def make_list(market: Market, list_id: int, connector: str = "acme", *, deleted: bool = False, read: bool = True) -> None:
    values = {
        "id": list_id,
        "connector": connector,
        "crm": f"list-{list_id}",
        "gone": AT if deleted else None,
        "read": AT if read else None,
    }
    sql = """INSERT INTO marketing_lists (list_id, connector, crm_id, list_name, crm_members, deleted_date, members_read_at, updated_at)
        VALUES (:id, :connector, :crm, 'Spring', 3, :gone, :read, :at)"""
    execute(market, sql, **values, at=AT)


def add(market: Market, list_id: int, kind: str, crm_id: str, market_id: int | None = None, left: str | None = None) -> None:
    sql = (
        "INSERT INTO marketing_list_members (list_id, kind, crm_id, market_id, first_seen_at, left_at) VALUES (:l, :k, :c, :m, :at, :left)"
    )
    execute(market, sql, l=list_id, k=kind, c=crm_id, m=market_id, at=AT, left=left)


def linked(market: Market) -> dict[tuple[int, str], int | None]:
    return {(list_id, crm_id): row for list_id, crm_id, row in ask(market, "SELECT list_id, crm_id, market_id FROM marketing_list_members")}


def test_list_1_living_lists_of_one_connector_are_known_with_what_makes_them_due(market: Market) -> None:
    make_list(market, 1)
    make_list(market, 2, read=False)
    make_list(market, 3, deleted=True)
    make_list(market, 4, "other")
    at = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)
    assert market.lists.states("acme") == (ListState("list-1", 3, at, at), ListState("list-2", 3, None, at))
    assert market.lists.known("acme", one("crm_id", ["list-1", "list-3", "list-4", "x"])).to_pydict() == {
        "crm_id": ["list-1", "list-3"],
        "list_id": [1, 3],
    }


def test_list_2_a_record_that_arrives_is_linked_where_it_stands_on_lists(market: Market) -> None:
    """Also in the first parcel of its kind, and only for its own connector and kind."""
    make_list(market, 1)
    make_list(market, 2, "other")
    for list_id in (1, 2):
        add(market, list_id, "contact", "c1")
    add(market, 1, "lead", "c1")
    add(market, 1, "contact", "c2")
    for crm_id, row in (("c1", 7), ("c2", 8)):
        with commit(market) as tx:
            tx.put_links(records([link(crm_id, row)]))
    assert linked(market)[1, "c2"] == 8
    assert ask(market, "SELECT market_id FROM marketing_list_members WHERE list_id = 1 AND kind = 'contact' AND crm_id = 'c1'") == [(7,)]
    assert ask(market, "SELECT market_id FROM marketing_list_members WHERE kind = 'lead'") == [(None,)]
    assert linked(market)[2, "c1"] is None


def test_match_8_places_on_lists_follow_a_merged_person(market: Market) -> None:
    make_list(market, 1)
    add(market, 1, "contact", "c1", 7)
    add(market, 1, "account", "a1", 7)
    with commit(market) as tx:
        tx.merge_people(records([{"loser_id": 7, "winner_id": 9}]))
    assert linked(market) == {(1, "c1"): 9, (1, "a1"): 7}


def test_pull_8_only_members_that_differ_are_written(market: Market) -> None:
    make_list(market, 1)
    add(market, 1, "contact", "c1", 7)
    add(market, 1, "contact", "c2", 8)
    rows = records(
        [{"list_id": 1, "kind": "contact", "crm_id": crm, "market_id": row, "left_at": None} for crm, row in (("c1", 7), ("c2", 9))]
    )
    with commit(market, Kind.LIST_MEMBER) as tx:
        assert tx.put_members(rows) == 1
    assert linked(market) == {(1, "c1"): 7, (1, "c2"): 9}


def test_list_2_who_has_no_row_is_counted_by_kind_on_living_lists(market: Market) -> None:
    make_list(market, 1)
    make_list(market, 2)
    make_list(market, 3, deleted=True)
    for list_id in (1, 2, 3):
        add(market, list_id, "lead", "l1")
    add(market, 1, "lead", "l2")
    add(market, 1, "lead", "l3", left=AT)
    add(market, 1, "contact", "c1", 7)
    add(market, 2, "contact", "c1", 7)
    assert market.lists.unlinked("acme") == (Unlinked("lead", 2, ("l1", "l2")),)
    counts = market.lists.counts("acme")
    assert (counts.members, counts.people, counts.unlinked, counts.left, counts.counted) == (5, 1, 3, 1, 6)
    assert market.lists.counts("nobody").members == 0


def test_list_2_looking_for_who_waits_reads_an_index(market: Market) -> None:
    """Cost follows who waits, never the size of the table. PostgreSQL would read an empty table from end to end: it is told not to."""
    member = marketing_list_members.c
    waits = select(member.list_id).where(member.market_id.is_(None), member.kind == "lead")
    for query in (waits, waits.where(member.crm_id == "l1")):
        sql = str(query.compile(market.database.engine, compile_kwargs={"literal_binds": True}))
        with market.database.reading() as connection:
            if market.database.lite:
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}").all()
                assert "SEARCH marketing_list_members USING COVERING INDEX" in str(plan)
            else:
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
                assert "ix_marketing_list_members_unlinked" in str(connection.exec_driver_sql(f"EXPLAIN {sql}").all())
