"""Two people turn out to be one (MATCH-7, MATCH-8): everything of the loser moves to the winner. Or, later, two after all (DEL-2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from adapters.market.lists import move_members
from adapters.market.outbox_merging import move_activity
from adapters.market.schema import contacts, opportunities
from adapters.market.schema_books import consent_ledger, crm_links, outbox
from adapters.market.schema_custom import custom_tables
from adapters.market.types import BIGINT, INSTANT, KEY
from adapters.market.unsubscribing import queue_for_others
from sync.records import Kind, Rows

_LOSER, _WINNER = bindparam("loser", type_=BIGINT), bindparam("winner", type_=BIGINT)
_NOW = bindparam("now", type_=INSTANT)
_PEOPLE = (Kind.LEAD.value, Kind.CONTACT.value)
_MERGED = "a person who opted out was merged into this one (MATCH-8)"
_SHARED = "the row that was this record's before it was deleted is out (CONSENT-10)"


def merge_people(connection: Connection, rows: Rows, who: str, now: datetime) -> int:
    """Pairs of (loser, winner), as `merge_pairs` takes them. → how many rows were merged away."""
    return merge_pairs(connection, {int(loser): int(winner) for batch in rows.tuples() for loser, winner in batch}, who, now)


def merge_pairs(connection: Connection, pairs: dict[int, int], who: str, now: datetime) -> int:
    """Merges are few, so the pairs pass through Python; chains of them end at the row that nobody merges away.

    The winner is out when either was (CONSENT-10), with an entry in the ledger; a merge that is there already is left
    alone. → how many rows were merged away.
    """
    ends = {loser: _end(connection, loser, pairs) for loser in pairs}
    moves: list[dict[str, Any]] = [{"loser": loser, "winner": winner, "now": now} for loser, winner in ends.items() if loser != winner]
    moves = [move for move in moves if not _is_merged(connection, move)]
    children = (opportunities, *custom_tables(connection)) if moves else ()
    statements = (*_consent(who), *_references(children), _farewell())
    for move in moves:  # one after the other: a winner that the first loser put out is out for the second
        for statement in statements:
            connection.execute(statement, move)
        move_activity(connection, move["loser"], move["winner"], now)
        queue_for_others(connection, move["winner"], now)
    return len(moves)


def pass_opt_outs_on(connection: Connection, pairs: dict[int, int], who: str, now: datetime, *, why: str = _MERGED) -> None:
    """Pairs whose loser stays, because somebody else's record holds the row: of the loser only the opt-out goes on, as in a merge
    (CONSENT-10), and the CRM is told (CONSENT-8). Again for as long as somebody is out by it: a winner may be the next one's loser.
    """
    moves: list[dict[str, Any]] = [{"loser": loser, "winner": _end(connection, winner, {}), "now": now} for loser, winner in pairs.items()]
    entry, opted_out = _consent(who, why)
    anybody = bool(moves)
    while anybody:
        anybody = False
        for move in moves:
            connection.execute(entry, move)
            anybody |= connection.execute(opted_out, move).rowcount > 0
    for move in moves:
        queue_for_others(connection, move["winner"], now, told_of=move["loser"])


def _end(connection: Connection, person: int, pairs: dict[int, int]) -> int:
    """Where the chain of merges ends, those of this batch and those of old. A circle ends at its smallest key."""
    path = [person]
    while (after := pairs.get(path[-1]) or _merged_into(connection, path[-1])) is not None:
        if after in path:
            return min(path[path.index(after) :])
        path.append(after)
    return path[-1]


def _merged_into(connection: Connection, person: int) -> int | None:
    return connection.execute(select(contacts.c.merged_into).where(contacts.c.contact_id == person)).scalar()


def _is_merged(connection: Connection, move: dict[str, Any]) -> bool:
    return bool(_merged_into(connection, move["loser"]) == move["winner"])


def _consent(who: str, why: str = _MERGED) -> tuple[Any, Any]:
    """The ledger first: it tells what the update that follows changes."""
    winner, loser = contacts.alias("winner"), contacts.alias("loser_row")
    is_out = and_(loser.c.contact_id == _LOSER, loser.c.opt_out.is_(True))
    columns = ["contact_id", "email_key", "at", "who", "source", "old", "new", "why"]
    entry = select(
        winner.c.contact_id,
        winner.c.email_key,
        _NOW,
        literal(who),
        literal("merge"),
        literal(False),
        literal(True),
        literal(why),
    )
    entry = entry.select_from(winner.join(loser, is_out)).where(winner.c.contact_id == _WINNER, winner.c.opt_out.is_(False))
    out = select(loser.c.opt_out_date).where(loser.c.contact_id == _LOSER).scalar_subquery()
    loser_is_out = select(loser.c.contact_id).where(is_out).exists()
    opted_out = (
        update(contacts)
        .where(contacts.c.contact_id == _WINNER, contacts.c.opt_out.is_(False), loser_is_out)
        .values(opt_out=true(), opt_out_date=func.coalesce(out, _NOW), updated_at=_NOW)
    )
    return insert(consent_ledger).from_select(columns, entry), opted_out


def _references(children: tuple[Table, ...]) -> tuple[Any, ...]:
    """Links, and the tables whose rows belong to a person. The ledger stays: it is history.

    A record that was deleted before stays with the loser's row: should it live again, the winner's may be another record's (MATCH-4).
    """
    goes_along = or_(crm_links.c.living, crm_links.c.alias_of.is_not(None))
    links = update(crm_links).where(crm_links.c.market_id == _LOSER, crm_links.c.kind.in_(_PEOPLE), goes_along)
    return (
        links.values(market_id=_WINNER, origin=false()),  # the loser's record did not make the winner's row
        *(update(child).where(child.c.contact_id == _LOSER).values(contact_id=_WINNER, updated_at=_NOW) for child in children),
        move_members(_LOSER, _WINNER, _PEOPLE),
        update(contacts).where(contacts.c.merged_into == _LOSER).values(merged_into=_WINNER),
    )


def _farewell() -> Any:
    gone = func.coalesce(contacts.c.deleted_date, _NOW)
    return (
        update(contacts)
        .where(contacts.c.contact_id == _LOSER, or_(contacts.c.merged_into.is_(None), contacts.c.merged_into != _WINNER))
        .values(merged_into=_WINNER, deleted_date=gone, updated_at=_NOW)
    )


def own_row() -> ColumnElement[int]:
    """Of a link: its row; where its record was merged away, the row that was the record's own before, if it had one (MATCH-8)."""
    was_merged = and_(crm_links.c.alias_of.is_not(None), crm_links.c.living.is_(False))
    named = and_(contacts.c.connector == crm_links.c.connector, func.lower(contacts.c.crm_type) == crm_links.c.kind)
    own = select(func.min(contacts.c.contact_id)).where(
        contacts.c.merged_into == crm_links.c.market_id, contacts.c.crm_id == crm_links.c.crm_id, named
    )
    found = case((was_merged, func.coalesce(own.scalar_subquery(), crm_links.c.market_id)), else_=crm_links.c.market_id)
    return found.label("market_id")


def row_taken() -> ColumnElement[bool]:
    """Of a link: its record is gone, and meanwhile another living one of the same CRM and kind has its row (MATCH-4)."""
    other = crm_links.alias("other")
    gone = and_(crm_links.c.living.is_(False), crm_links.c.alias_of.is_(None), crm_links.c.converted_to.is_(None))
    same = and_(*(other.c[name] == crm_links.c[name] for name in ("market_id", "kind", "connector")))
    return and_(gone, exists().where(same, other.c.living))


def leave_taken_rows(connection: Connection, connector: str, kind: Kind, moved: Sequence[tuple[str, int, int]], now: datetime) -> None:
    """(crm_id, row, new row) of records that are back and found their row taken, after their links are put.

    What waits for the record, and what the CRM says is its own, goes with it. Whoever is out stays out in both rows (CONSENT-10).
    """
    for record, row, new in moved:
        for statement in _follow_record(connection, connector, kind):
            connection.execute(statement, {"record": record, "old": row, "row": new, "now": now})
        pass_opt_outs_on(connection, {row: new}, "sync", now, why=_SHARED)


def _follow_record(connection: Connection, connector: str, kind: Kind) -> Iterator[Any]:
    record, old, row = bindparam("record", type_=KEY), bindparam("old", type_=BIGINT), bindparam("row", type_=BIGINT)
    waits = and_(outbox.c.connector == connector, outbox.c.crm_kind == kind.value, outbox.c.crm_id == record, outbox.c.contact_id == old)
    yield update(outbox).where(waits).values(contact_id=row)
    for child in (opportunities, *custom_tables(connection)):
        its_own = and_(child.c.contact_id == old, child.c.connector == connector, child.c.contact_ref == record)
        yield update(child).where(its_own).values(contact_id=row, updated_at=_NOW)


def part_people(connection: Connection, connector: str, kind: Kind, rows: Rows, now: datetime) -> int:
    """Pairs of (crm_id, contact_id): records whose row was merged away and that live again. → how many rows stand for themselves again.

    What the CRM says is the record's own goes back with it; activity stays with the winner, as nobody can tell whose it is (MATCH-8).
    """
    pairs = [{"record": record, "row": int(row), "now": now} for batch in rows.tuples() for record, row in batch]
    record, row = bindparam("record", type_=KEY), bindparam("row", type_=BIGINT)
    waits = (outbox.c.connector == connector) & (outbox.c.crm_kind == kind.value) & (outbox.c.crm_id == record)
    children = (opportunities, *custom_tables(connection)) if pairs else ()
    winner = select(contacts.c.merged_into).where(contacts.c.contact_id == row).scalar_subquery()
    statements = (
        update(outbox).where(waits).values(contact_id=row),
        *(
            update(child)
            .where(child.c.contact_id == winner, child.c.connector == connector, child.c.contact_ref == record)
            .values(contact_id=row, updated_at=_NOW)
            for child in children
        ),
        update(contacts).where(contacts.c.contact_id == row).values(merged_into=None, updated_at=_NOW),
    )
    for pair in pairs:
        for statement in statements:
            connection.execute(statement, pair)
    return len(pairs)
