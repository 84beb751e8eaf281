"""The bare route, what the machine can do without rules, checks or durable staging: HTTP bytes → DuckDB's JSON reader → COPY.

`python -m bench.bare SERVER ROWS POSTGRES_URL` prints one JSON line. Typed columns, one table without a key, nothing is looked at.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import psycopg
import requests

from bench.contacts import FIELDS

PAGE_ROWS = 2_000
GROUP = 20
_DUCK = {
    "bool": "BOOLEAN",
    "int": "BIGINT",
    "date": "DATE",
    "datetime": "TIMESTAMPTZ",
    "datetimecombo": "TIMESTAMPTZ",
    "decimal": "DECIMAL(18,6)",
}
_POSTGRES = {**_DUCK, "decimal": "NUMERIC(26,6)"}


def main() -> None:
    server, rows, url = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    began = time.perf_counter()
    with psycopg.connect(url) as market, tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(3) as pool:
        columns = ", ".join(f'"{name}" {_POSTGRES.get(kind, "TEXT")}' for name, (kind, _) in FIELDS.items())
        market.execute("DROP TABLE IF EXISTS bare")
        market.execute(f"CREATE TABLE bare ({columns})")
        con = duckdb.connect(config={"threads": 2})
        firsts = range(0, rows, PAGE_ROWS)
        groups = [firsts[at : at + GROUP] for at in range(0, len(firsts), GROUP)]
        fetched = pool.map(lambda group: _fetch(server, folder, group), groups)
        for files in fetched:
            _copy(con, market, files)
        count = market.execute("SELECT count(*) FROM bare").fetchone()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rows": count[0] if count else 0, "seconds": {"all": seconds}, "peak_mb": peak}))


_local = threading.local()


def _fetch(server: str, folder: str, firsts: range) -> list[str]:
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
    files = []
    for first in firsts:
        body = _local.session.get(f"{server}/contacts?first={first}&rows={PAGE_ROWS}", headers={"Accept-Encoding": "identity"}).content
        path = Path(folder, f"{first}.json")
        path.write_bytes(body[body.index(b"[") : -1])
        files.append(str(path))
    return files


def _copy(con: duckdb.DuckDBPyConnection, market: psycopg.Connection, files: list[str]) -> None:
    spec = ", ".join(f"'{name}': '{_DUCK.get(kind, 'VARCHAR')}'" for name, (kind, _) in FIELDS.items())
    query = f"SELECT * FROM read_json({files!r}, format = 'array', columns = {{{spec}}}, maximum_object_size = 4194304)"
    with market.cursor() as cursor, cursor.copy("COPY bare FROM STDIN (FORMAT csv)") as copy:
        for chunk in _csv(con, query):
            copy.write(chunk)
    for file in files:
        Path(file).unlink()


def _csv(con: duckdb.DuckDBPyConnection, query: str) -> Iterator[bytes]:
    read_end, write_end = os.pipe()

    def write() -> None:
        try:
            con.cursor().execute(f"COPY ({query}) TO '/dev/fd/{write_end}' (FORMAT csv, HEADER false)")
        finally:
            os.close(write_end)

    writer = threading.Thread(target=write)
    writer.start()
    while chunk := os.read(read_end, 1 << 18):
        yield chunk
    writer.join()
    os.close(read_end)


if __name__ == "__main__":
    main()
