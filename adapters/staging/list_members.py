"""A parcel of list members: what the CRM named, what Market knows, and the plan for each member (LIST-1, LIST-2).

`raw` holds `sync.lists.MEMBER_FIELDS`. Market's answers: known_lists, known_members, known_refs. `asked`: records that were missing on
their list and of which the CRM was asked whether they live; it is kept when the plan is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

import pyarrow as pa

from adapters.staging.export import Stamp
from adapters.staging.parcel import Parcel
from adapters.staging.rows import Column, ParcelRows
from sync.lists import MemberAction, MemberFacts, MemberMark
from sync.records import Kind

_EMPTY: Mapping[str, str] = {
    "known_lists": "crm_id VARCHAR, list_id BIGINT",
    "known_members": "list_id BIGINT, kind VARCHAR, crm_id VARCHAR, market_id BIGINT, present BOOLEAN",
    "known_refs": "kind VARCHAR, crm_id VARCHAR, market_id BIGINT, living BOOLEAN, alias_of VARCHAR",
    "pulled": "kind VARCHAR",
}
_ASKED = "CREATE TABLE IF NOT EXISTS asked (kind VARCHAR, crm_id VARCHAR, living BOOLEAN)"

# A record that was merged into another one is not deleted: the winner stands on the list in its place.
_SITUATED = """
CREATE OR REPLACE TABLE situated AS
WITH named AS (
    SELECT min(raw.rowid) AS seq, known_lists.list_id, member_kind AS kind, nullif(id, '') AS crm_id,
        bool_or(state IS NOT NULL) AS told_left
    FROM raw JOIN known_lists ON known_lists.crm_id = raw.list_id WHERE state IS NULL OR state = '{left}'
    GROUP BY known_lists.list_id, member_kind, nullif(id, '')
), whole AS (
    SELECT DISTINCT known_lists.list_id, member_kind AS kind FROM raw JOIN known_lists ON known_lists.crm_id = raw.list_id
    WHERE state = '{complete}'
), both_sides AS (
    SELECT named.seq, coalesce(named.list_id, known.list_id) AS list_id, coalesce(named.kind, known.kind) AS kind,
        coalesce(named.crm_id, known.crm_id) AS crm_id, coalesce(named.told_left, false) AS told_left,
        known.market_id AS old_id, known.crm_id IS NOT NULL AS known, coalesce(known.present, false) AS present
    FROM named FULL JOIN known_members AS known
        ON known.list_id = named.list_id AND known.kind = named.kind AND known.crm_id = named.crm_id
)
SELECT *, {situation} AS situation FROM (
    SELECT each.* EXCLUDE (seq), coalesce(each.seq, -1 - row_number() OVER ()) AS seq, ref.market_id AS new_id,
        each.seq IS NOT NULL AND NOT each.told_left AS came,
        whole.list_id IS NOT NULL AS complete,
        each.kind IN (SELECT kind FROM pulled) AS pulled,
        CASE WHEN ref.alias_of IS NOT NULL THEN true WHEN NOT ref.living THEN false ELSE asked.living END AS living,
        coalesce(ref.market_id <> each.old_id OR (each.old_id IS NULL AND ref.market_id IS NOT NULL), false) AS relinked
    FROM both_sides AS each
    LEFT JOIN whole ON whole.list_id = each.list_id AND whole.kind = each.kind
    LEFT JOIN known_refs AS ref ON ref.kind = each.kind AND ref.crm_id = each.crm_id
    LEFT JOIN (SELECT DISTINCT * FROM asked) AS asked ON asked.kind = each.kind AND asked.crm_id = each.crm_id
    WHERE each.seq IS NOT NULL OR each.present
)
"""
_FACTS = [each.name for each in fields(MemberFacts)]
_SITUATION = " + ".join(f"{3**place} * (CASE {name} WHEN true THEN 2 WHEN false THEN 1 ELSE 0 END)" for place, name in enumerate(_FACTS))
_PLAN = """
CREATE OR REPLACE TABLE plan AS
SELECT seq, list_id, kind, crm_id, coalesce(new_id, old_id) AS market_id, present, action
FROM situated JOIN decided ON decided.situation = situated.situation
"""
_STAGED = "CREATE OR REPLACE VIEW staged AS SELECT * FROM plan WHERE action IN ('join', 'return', 'link', 'leave')"
_NOTHING_HELD = (
    "CREATE OR REPLACE TABLE set_aside (seq BIGINT, crm_id VARCHAR, rule VARCHAR, reason VARCHAR, column_name VARCHAR, value VARCHAR)"
)
_NOT_HELD = "seq NOT IN (SELECT seq FROM set_aside)"


def forget(parcel: Parcel, pulled: Sequence[Kind]) -> None:
    """Empties what Market said, because it may have moved. `pulled`: the kinds whose records come into Market."""
    parcel.execute_together([*(f"CREATE OR REPLACE TABLE {table} ({columns})" for table, columns in _EMPTY.items()), _ASKED])
    parcel.learn("pulled", pa.table({"kind": pa.array([kind.value for kind in pulled], pa.string())}))


def named_lists(parcel: Parcel) -> ParcelRows:
    """The CRM ids of the lists that this parcel is about."""
    return ParcelRows(parcel, (Column("crm_id", "list_id"),), "(SELECT DISTINCT list_id FROM raw WHERE list_id IS NOT NULL)")


def known_lists(parcel: Parcel) -> ParcelRows:
    """Their keys in Market."""
    return ParcelRows(parcel, (Column("list_id", "list_id", "BIGINT"),), "known_lists")


def record_ids(parcel: Parcel, kind: Kind) -> ParcelRows:
    """The CRM ids of all members of one kind, those that came and those that Market has on these lists."""
    ids = f"""(SELECT id AS crm_id FROM raw WHERE member_kind = '{kind.value}' AND id <> ''
        UNION SELECT crm_id FROM known_members WHERE kind = '{kind.value}')"""
    return ParcelRows(parcel, (Column("crm_id", "crm_id"),), ids)


def keep_references(parcel: Parcel, kind: Kind, links: pa.Table) -> None:
    """Adds the links that Market has of one kind: crm_id, market_id, living, alias_of."""
    parcel.con.register("found", links)
    parcel.execute("INSERT INTO known_refs SELECT ?, crm_id, market_id, living, alias_of FROM found", [kind.value])
    parcel.con.unregister("found")


def situations(parcel: Parcel) -> dict[int, MemberFacts]:
    """The distinct situations of the members, by number."""
    parcel.execute(_SITUATED.format(situation=_SITUATION, left=MemberMark.LEFT, complete=MemberMark.COMPLETE))
    asked = ", ".join(f"any_value({name})" for name in _FACTS)
    rows = parcel.execute(f"SELECT situation, {asked} FROM situated GROUP BY situation").fetchall()
    return {number: MemberFacts(*facts) for number, *facts in rows}


def write_plan(parcel: Parcel, decisions: Mapping[int, MemberAction]) -> None:
    """Makes `plan`, `staged` (what will be written) and an empty `set_aside`."""
    numbers, actions = list(decisions), [action.value for action in decisions.values()]
    parcel.learn("decided", pa.table({"situation": pa.array(numbers, pa.int64()), "action": pa.array(actions, pa.string())}))
    parcel.execute_together((_PLAN, _STAGED, _NOTHING_HELD))


def unknown_members(parcel: Parcel) -> dict[Kind, tuple[str, ...]]:
    """LIST-2: new members of kinds that are pulled and that Market does not know, to be fetched."""
    return _ids_by_kind(parcel, "action = 'join' AND market_id IS NULL AND kind IN (SELECT kind FROM pulled)")


def members_to_ask(parcel: Parcel) -> dict[Kind, tuple[str, ...]]:
    """DEL-6: members that are missing on their list although Market takes their records for living."""
    return _ids_by_kind(parcel, f"action = '{MemberAction.ASK}'")


def _ids_by_kind(parcel: Parcel, condition: str) -> dict[Kind, tuple[str, ...]]:
    query = (
        f"SELECT kind, list(DISTINCT crm_id ORDER BY crm_id) FROM plan WHERE {condition} AND crm_id IS NOT NULL GROUP BY kind ORDER BY kind"
    )
    return {Kind(kind): tuple(ids) for kind, ids in parcel.execute(query).fetchall()}


def keep_asked(parcel: Parcel, kind: Kind, ids: Sequence[str], living: Iterable[str]) -> None:
    """What the CRM said of the records that were missing."""
    shown = frozenset(living)
    parcel.learn("answers", pa.table({"crm_id": pa.array(ids, pa.string()), "living": pa.array([one in shown for one in ids], pa.bool_())}))
    parcel.execute("INSERT INTO asked SELECT ?, crm_id, living FROM answers", [kind.value])


def unread(parcel: Parcel) -> dict[str, tuple[str, ...]]:
    """Kinds (by their word) whose members the syncing user may not see → the CRM ids of the lists."""
    query = f"""SELECT member_kind, list(DISTINCT list_id ORDER BY list_id) FROM raw
        WHERE state = '{MemberMark.DENIED}' GROUP BY member_kind ORDER BY member_kind"""
    return {kind: tuple(lists) for kind, lists in parcel.execute(query).fetchall()}


def changes(parcel: Parcel) -> int:
    """How many members are to be written; 0: Market has these lists as the CRM does."""
    return parcel.scalar("SELECT count(*) FROM staged")


def counts(parcel: Parcel) -> dict[str, int]:
    """What the plan comes to, in members, by the names of `CommitCounts`."""
    query = f"""SELECT count(*) FILTER (seq >= 0) AS read, count(*) FILTER (action = 'join' AND {_NOT_HELD}) AS inserted,
        count(*) FILTER (action IN ('return', 'link', 'leave') AND {_NOT_HELD}) AS updated,
        count(*) FILTER (action IN ('stay', 'ask')) AS unchanged, count(*) FILTER (NOT {_NOT_HELD}) AS held FROM plan"""
    result = parcel.execute(query)
    names = [column[0] for column in result.description]
    return dict(zip(names, result.fetchall()[0], strict=True))


def joined_rows(parcel: Parcel, stamp: Stamp) -> ParcelRows:
    """One row per new member."""
    columns = (*_member_key(), Column("market_id", "market_id", "BIGINT"), Column("first_seen_at", stamp.sql, "TIMESTAMP"))
    return ParcelRows(parcel, columns, f"plan WHERE action = 'join' AND {_NOT_HELD} ORDER BY list_id, kind, crm_id")


def changed_rows(parcel: Parcel, stamp: Stamp) -> ParcelRows:
    """One row per member that left, came back or has another Market row."""
    left = Column("left_at", f"CASE WHEN action = 'leave' THEN {stamp.sql} END", "TIMESTAMP")
    columns = (*_member_key(), Column("market_id", "market_id", "BIGINT"), left)
    return ParcelRows(parcel, columns, f"plan WHERE action IN ('return', 'link', 'leave') AND {_NOT_HELD}")


def read_rows(parcel: Parcel, begun_at: str) -> ParcelRows:
    """One row per list: when its members were read, ours, UTC (`begun_at`: ISO 8601)."""
    at = f"make_timestamp(epoch_us(TIMESTAMPTZ '{begun_at}'))"
    return ParcelRows(parcel, (Column("list_id", "list_id", "BIGINT"), Column("members_read_at", at, "TIMESTAMP")), "known_lists")


def _member_key() -> tuple[Column, ...]:
    return Column("list_id", "list_id", "BIGINT"), Column("kind", "kind"), Column("crm_id", "crm_id")
