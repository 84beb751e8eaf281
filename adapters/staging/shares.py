"""Shares of one large read: each is a file of its own that another process fills, and then its rows go over into the parcel (INIT-7).

A share is a parcel beside the one that it belongs to, and knows which streams it is to hold and where they go on. It is taken whole, in
one transaction that also notes that it was, and deleted after that: taken twice it is there once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import duckdb

from adapters.staging.duck import literal, quote, staging_errors
from adapters.staging.parcel import Parcel, ParcelStore
from sync.partitions import Streams
from sync.records import ParcelRef

OF, ASKED, _STREAMS = "of", "asked", "streams"
_TOLD = "SELECT value FROM share.about WHERE key = ?"
_TAKE = (
    "INSERT INTO raw SELECT {fields} FROM share.raw",  # as they come: to sort them would take more memory than there is
    "INSERT INTO pages SELECT * FROM share.pages ORDER BY rowid",
    "INSERT INTO removed SELECT * FROM share.removed ORDER BY rowid",
    "INSERT INTO broken SELECT * FROM share.broken ORDER BY rowid",
)
_NOTE = "INSERT INTO about VALUES (?, ?)"


def share_purpose(purpose: str, number: int) -> str:
    """What the share of that number is called beside the parcel of this purpose."""
    return f"{purpose}-share-{number}"


def make_shares(store: ParcelStore, parcel: Parcel, split: Sequence[Streams]) -> tuple[ParcelRef, ...]:
    """New, empty ones, numbered from 1. What lay in their places is gone, so `take_shares` comes before."""
    ref, purpose = parcel.ref, parcel.path.stem.removeprefix(f"{parcel.ref.kind}-")
    about = {OF: ref.parcel_id, ASKED: parcel.told(ASKED) or ""}
    return tuple(
        store.create(
            ref.connector,
            ref.kind,
            share_purpose(purpose, number),
            parcel.fields,
            parcel.readings,
            {**about, _STREAMS: json.dumps(dict(streams))},
        )
        for number, streams in enumerate(split, 1)
    )


def streams_of_share(share: Parcel) -> Streams:
    """What it is to hold."""
    told: Streams = json.loads(share.told(_STREAMS) or "{}")
    return told


def take_shares(store: ParcelStore, parcel: Parcel) -> int:
    """Takes in every share that lies beside the parcel, finished or not; → how many. One that belongs to another parcel is only deleted.

    Raises StagingFailed while another process fills one of them.
    """
    taken = 0
    for path in sorted(parcel.path.parent.glob(f"{parcel.path.stem}-share-*.duckdb")):
        taken += _take(parcel, path)
        store.discard(ParcelRef("", parcel.ref.connector, parcel.ref.kind, str(path.relative_to(store.root))))
    return taken


def _take(parcel: Parcel, path: Path) -> bool:
    with staging_errors(f"{parcel.where}, share {path}"), closing(parcel.cursor()) as con:
        con.execute(f"ATTACH {literal(str(path))} AS share")
        try:
            mark = f"taken {_told(con, 'parcel_id')}"
            wanted = _told(con, OF) == parcel.ref.parcel_id and parcel.told(mark) is None
            if wanted:
                _take_rows(parcel, mark)
        finally:
            con.execute("DETACH share")
    return wanted


def _take_rows(parcel: Parcel, mark: str) -> None:
    fields = ", ".join(map(quote, parcel.fields))
    with closing(parcel.cursor()) as con:  # closed before its commit, it has done nothing
        con.execute("BEGIN")
        for statement in _TAKE:
            con.execute(statement.format(fields=fields))
        con.execute(_NOTE, [mark, "yes"])
        con.execute("COMMIT")


def _told(con: duckdb.DuckDBPyConnection, key: str) -> str | None:
    row = con.execute(_TOLD, [key]).fetchone()
    return None if row is None else str(row[0])
