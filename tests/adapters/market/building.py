"""Rows, links and commits with defaults, for the tests of the Market."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import text

from adapters.market.commit import Commit
from adapters.market.engine import Market
from sync.records import CommitCounts, Kind, ParcelRef
from tests.rows import MemoryRows

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
AT = "2026-02-01 08:00:00.000000"  # an instant as rows carry it

_numbers = count(1)


def parcel(kind: Kind = Kind.CONTACT, connector: str = "acme", parcel_id: str = "") -> ParcelRef:
    return ParcelRef(parcel_id or f"parcel-{next(_numbers)}", connector, kind, "parcel.duckdb")


@contextmanager
def commit(market: Market, kind: Kind = Kind.CONTACT, connector: str = "acme") -> Iterator[Commit]:
    """A commit that is finished when the block ends."""
    with market.commit(parcel(kind, connector), "run-1", NOW) as tx:
        yield tx
        tx.finish(CommitCounts())


def records(rows: Sequence[dict[str, Any]]) -> MemoryRows:
    """Rows from dicts; what one of them lacks is NULL there."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    return MemoryRows(columns, [tuple(row.get(name) for name in columns) for row in rows])


def person(contact_id: int, **values: Any) -> dict[str, Any]:
    email = values.get("email", f"person{contact_id}@example.com")
    given = {"contact_id": contact_id, "connector": "acme", "crm_id": f"c{contact_id}", "email": email}
    return given | {"email_key": email.strip().lower() if email else None, "account_id": 1, "opt_out": False} | values


def link(crm_id: str, market_id: int, **values: Any) -> dict[str, Any]:
    given = {"connector": "acme", "kind": "contact", "crm_id": crm_id, "market_id": market_id, "living": True, "row_hash": 1}
    return given | {"origin": True, "left_scope": False, "first_seen_at": AT, "written_at": AT} | values


def put(market: Market, table: str, *rows: dict[str, Any]) -> None:
    with commit(market) as tx:
        tx.insert(table, records(rows))


def put_links(market: Market, *rows: dict[str, Any]) -> None:
    """One commit per connector and kind, as in life."""
    for connector, kind in sorted({(row["connector"], row["kind"]) for row in rows}):
        own = [row for row in rows if (row["connector"], row["kind"]) == (connector, kind)]
        with commit(market, Kind(kind), connector) as tx:
            tx.put_links(records(own))


def ask(market: Market, query: str, **values: Any) -> list[tuple[Any, ...]]:
    with market.database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def execute(market: Market, statement: str, **values: Any) -> None:
    with market.database.writing() as connection:
        connection.execute(text(statement), values)


def say(market: Market, table: str, **values: Any) -> None:
    """One row of a table of the marketing side or of the books, as plain SQL."""
    names = ", ".join(values)
    execute(market, f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)})", **values)
