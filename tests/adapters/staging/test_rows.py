"""Rows on their way out: both forms of PostgreSQL's COPY bring the same values."""

from __future__ import annotations

import threading
from pathlib import Path

import duckdb
import psycopg
import pytest
import sqlalchemy as sa

from adapters.market.loading import load
from adapters.staging import ParcelStore
from adapters.staging.rows import Column, ParcelRows
from sync.records import Kind

_ROWS = 130_000  # more than one slice
_TYPES = {
    "n": "int8",
    "small": "int4",
    "text": "text",
    "at": "timestamptz",
    "day": "date",
    "exact": "numeric",
    "flag": "bool",
    "said": "text",
}
_COLUMNS = (
    Column("n", "raw.rowid", "BIGINT"),
    Column("small", "2", "INTEGER"),
    Column("text", "raw.a || chr(10) || '\"ä🚲\\N,'"),
    Column("at", "if(raw.rowid % 3 = 0, NULL, TIMESTAMP '1999-12-31 23:59:59.000001' + INTERVAL (raw.rowid) HOUR)", "TIMESTAMP"),
    Column("day", "DATE '0001-01-01' + CAST(raw.rowid AS INTEGER)", "DATE"),
    Column("exact", "CAST(raw.rowid AS DECIMAL(26,6)) / 1000 * -1", "DECIMAL(26,6)"),
    Column("flag", "raw.rowid % 2 = 0", "BOOLEAN"),
    Column("said", "raw.rowid % 2 = 0", "BOOLEAN"),  # a boolean into a column of texts
)


def test_pull_2_the_binary_form_brings_what_csv_brings(tmp_path: Path, postgres_url: str) -> None:
    store = ParcelStore(tmp_path)
    ref = store.create("crm", Kind.CONTACT, "initial", ("a",), (), {})
    with store.open(ref) as parcel, psycopg.connect(postgres_url) as connection:
        parcel.execute(f"INSERT INTO raw SELECT if(i % 5 = 0, '', 'a' || i) FROM range({_ROWS}) AS r(i)")
        rows = ParcelRows(parcel, _COLUMNS, "raw WHERE true", "raw.rowid")
        binary = rows.binary(list(_TYPES.values()))
        assert binary is not None
        for table, form, streams in (("as_csv", "csv", [rows.csv()]), ("as_binary", "binary", binary)):
            connection.execute(f"CREATE TEMP TABLE {table} ({', '.join(f'{name} {type_}' for name, type_ in _TYPES.items())})".encode())
            for stream in streams:
                with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN (FORMAT {form})".encode()) as copy:
                    for chunk in stream:
                        copy.write(chunk)
        for one, other in (("as_csv", "as_binary"), ("as_binary", "as_csv")):
            assert connection.execute(f"SELECT * FROM {one} EXCEPT SELECT * FROM {other} LIMIT 1".encode()).fetchall() == []
        assert connection.execute("SELECT count(*) FROM as_binary").fetchone() == (_ROWS,)


def test_a_reader_that_stops_half_way_leaves_nothing_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.staging.rows._SLICE_ROWS", 10_000)
    store = ParcelStore(tmp_path)
    ref = store.create("crm", Kind.CONTACT, "initial", ("a",), (), {})
    with store.open(ref) as parcel:
        parcel.execute("INSERT INTO raw SELECT repeat('a', 100) || i FROM range(60_000) AS r(i)")
        parcel.feed()  # as a commit reads: one engine thread, and the next slice at work
        rows = ParcelRows(parcel, (Column("a", "raw.a"),), "raw WHERE true", "raw.rowid")
        before = threading.active_count()
        chunks = rows.csv()
        assert next(chunks)
        assert threading.active_count() > before
        chunks.close()
        assert threading.active_count() == before
        assert sum(chunk.count(b"\n") for chunk in rows.csv()) == 60_000
        broken = ParcelRows(parcel, (Column("a", "error('no such value')"),), "raw WHERE true", "raw.rowid")
        with pytest.raises(duckdb.InvalidInputException, match="no such value"):
            list(broken.csv())
        assert threading.active_count() == before


@pytest.mark.parametrize("rows", [8_000, 60_000])  # as CSV, and in the binary form
def test_a_load_that_fails_half_way_ends_and_sets_the_staging_file_free(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """The slice after the broken one is at work by then, and nobody will ever read it."""
    monkeypatch.setattr("adapters.staging.rows._SLICE_ROWS", rows // 6)
    store = ParcelStore(tmp_path)
    ref = store.create("crm", Kind.CONTACT, "initial", ("a",), (), {})
    engine = sa.create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    table = sa.Table("taken", sa.MetaData(), sa.Column("a", sa.Text))
    with engine.connect() as connection:
        table.create(connection)
        with pytest.raises(duckdb.InvalidInputException, match="no such value"), store.open(ref) as parcel:
            parcel.execute(f"INSERT INTO raw SELECT repeat('a', 2_000) || i FROM range({rows}) AS r(i)")
            broken = f"if(raw.rowid = {rows // 6 - 1}, error('no such value'), raw.a)"
            load(connection, table, ParcelRows(parcel, (Column("a", broken),), "raw WHERE true", "raw.rowid"))
        with store.open(ref) as parcel:
            assert parcel.rows() == rows
    engine.dispose()
