"""One engine after the other's file: what an idle one keeps, and what it must not keep."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from adapters.staging import ParcelStore
from adapters.staging.engines import OpenFile, open_file
from adapters.staging.rows import Column, ParcelRows
from sync.errors import StagingFailed
from sync.records import Kind, ParcelRef

_MANY = "CREATE OR REPLACE TABLE many AS SELECT range AS n, hash(range)::VARCHAR AS text FROM range({rows})"


def opened(path: Path, memory_limit_mb: int = 100) -> OpenFile:
    return open_file(path, memory_limit_mb=memory_limit_mb, threads=2)


def another_process(path: Path) -> str:
    """What another process counts in the table `many` of the file."""
    ask = "import sys, duckdb; print(duckdb.connect(sys.argv[1]).execute('SELECT count(*) FROM many').fetchone()[0])"
    done = subprocess.run([sys.executable, "-c", ask, str(path)], capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr


@pytest.fixture
def store(tmp_path: Path) -> ParcelStore:
    return ParcelStore(tmp_path)


@pytest.fixture
def ref(store: ParcelStore) -> ParcelRef:
    return store.create("acme", Kind.LEAD, "test", ("id",), (), {})


def test_an_idle_engine_takes_the_next_file_and_holds_none(tmp_path: Path) -> None:
    first = opened(tmp_path / "first.duckdb")
    first.con.execute(_MANY.format(rows=3))
    assert "lock" in another_process(first.path)
    first.close()
    assert another_process(first.path) == "3"
    second = opened(tmp_path / "second.duckdb")
    assert second.engine is first.engine
    assert second.con.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,), "nothing of the first is left"
    second.close()


def test_an_engine_that_failed_or_had_a_large_file_is_not_used_again(tmp_path: Path) -> None:
    failed = opened(tmp_path / "failed.duckdb")
    failed.con.execute(_MANY.format(rows=3))
    failed.throw_away()
    large = opened(tmp_path / "large.duckdb")
    assert large.engine is not failed.engine
    large.con.execute(_MANY.format(rows=1_500_000))
    large.close()
    assert large.path.stat().st_size > 6 << 20
    after = opened(failed.path)
    assert after.engine is not large.engine
    assert after.con.execute("SELECT count(*) FROM many").fetchone() == (3,), "what was committed before the failure is there"
    after.close()


def test_temporary_files_lie_beside_the_file_that_they_are_for(tmp_path: Path) -> None:
    """An engine can't change their place once it has made some, and takes them away when it ends."""
    spill = "CREATE TEMP TABLE kept AS SELECT range AS n, repeat('x', 40) AS x FROM range(1_000_000) ORDER BY hash(range); DROP TABLE kept"
    for name in ("first", "second"):
        file = opened(tmp_path / f"{name}.duckdb", memory_limit_mb=60)
        file.con.execute(spill)
        assert file.con.execute("SELECT current_setting('temp_directory')").fetchone() == (f"{file.path}.tmp",)
        assert Path(f"{file.path}.tmp").exists(), "it has spilled"
        file.close()
        assert not Path(f"{file.path}.tmp").exists(), "small as the file is, its engine is not kept"


def test_every_connection_to_a_file_reads_instants_as_utc_wherever_the_machine_is(tmp_path: Path) -> None:
    ask = """
import sys
from pathlib import Path
from adapters.staging.engines import open_file
file = open_file(Path(sys.argv[1]), memory_limit_mb=100, threads=1)
for con in (file.con, file.cursor()):
    print(con.execute("SELECT TIMESTAMPTZ '2026-11-29 12:00:00+00'::TIMESTAMP::VARCHAR").fetchone()[0])
"""
    place = {"TZ": "America/New_York", "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", ask, str(tmp_path / "p.duckdb")], capture_output=True, text=True, check=True, env=place)
    assert done.stdout.split("\n") == ["2026-11-29 12:00:00"] * 2 + [""]


@pytest.mark.parametrize("way", ["tuples", "arrow", "csv"])
def test_a_query_that_was_left_halfway_by_an_error_does_not_hold_its_parcel(store: ParcelStore, ref: ParcelRef, way: str) -> None:
    """Whoever keeps the error keeps the frames that still have the reader."""
    with pytest.raises(ConnectionError) as kept, store.open(ref) as parcel:
        parcel.execute(_MANY.format(rows=100_000))
        rows = ParcelRows(parcel, (Column("n", "n", "BIGINT"), Column("text", "text")), "many")
        some: Iterator[object] = {"tuples": rows.tuples(10), "arrow": iter(rows.arrow()), "csv": rows.csv()}[way]
        next(some)
        raise ConnectionError
    with store.open(ref) as parcel:
        assert parcel.scalar("SELECT count(*) FROM many") == 100_000
    assert kept.value is not None


def test_what_was_not_committed_before_an_error_is_gone(store: ParcelStore, ref: ParcelRef) -> None:
    with pytest.raises(ConnectionError), store.open(ref) as parcel:
        parcel.execute("INSERT INTO raw VALUES ('kept')")
        parcel.execute("BEGIN")
        parcel.execute("INSERT INTO raw VALUES ('lost')")
        raise ConnectionError
    with store.open(ref) as parcel:
        assert parcel.execute("SELECT id FROM raw").fetchall() == [("kept",)]


def test_a_parcel_that_is_open_in_this_process_is_not_opened_again(store: ParcelStore, ref: ParcelRef) -> None:
    with store.open(ref), pytest.raises(StagingFailed, match="works on the parcel already"), store.open(ref):
        pass


def test_names_that_are_wrong_stay_errors_of_ours(store: ParcelStore, ref: ParcelRef) -> None:
    with pytest.raises(duckdb.BinderException, match="no_such_column"), store.open(ref) as parcel:
        parcel.execute("SELECT no_such_column FROM raw")


def test_tables_that_are_made_together_are_all_there_or_none_and_the_parcel_goes_on(store: ParcelStore, ref: ParcelRef) -> None:
    with store.open(ref) as parcel:
        with pytest.raises(duckdb.CatalogException):
            parcel.execute_together(("CREATE TABLE one (n INTEGER)", "CREATE TABLE one (n INTEGER)"))
        assert parcel.scalar("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'one'") == 0


def test_a_parcel_is_set_aside_with_what_is_only_in_its_log(store: ParcelStore, ref: ParcelRef) -> None:
    """A full disk kept it from being written into the file."""
    with store.open(ref) as parcel:
        parcel.execute("INSERT INTO raw VALUES ('kept')")
        path, log = parcel.path, Path(f"{parcel.path}.wal")
        written = (path.read_bytes(), log.read_bytes())
    path.write_bytes(written[0])
    log.write_bytes(written[1])
    aside = store.keep_aside(ref, "rejected")
    with duckdb.connect(str(aside)) as con:
        assert con.execute("SELECT id FROM raw").fetchall() == [("kept",)]
    assert not log.exists()
