"""Shares that other processes have filled go over into the parcel, once each, whatever died in between (INIT-7)."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.staging import Parcel, ParcelStore
from adapters.staging.shares import make_shares, share_purpose, streams_of_share, take_shares
from sync.errors import StagingFailed
from sync.fields import TEXT, Reading
from sync.records import Kind, Page, ParcelRef, Removal
from tests.flows.command import ROOT

FIELDS = ("id", "last_name")
READINGS = (Reading("crm_id", "id", TEXT), Reading("last_name", "last_name", TEXT))
GONE = Removal("gone", datetime(2026, 1, 31, 8, tzinfo=UTC), "winner")
STREAMS = ("a", "b", "c", "d")
TABLES = {
    "raw": "SELECT * FROM raw",
    "pages": "SELECT * EXCLUDE (staged_at) FROM pages",
    "removed": "SELECT * FROM removed",
    "broken": "SELECT * FROM broken",
}
DYING = """
import os, signal, sys
from pathlib import Path
from adapters.staging import ParcelStore, shares
from sync.records import Kind
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
def dying(statements):
    yield from statements
    die()
if sys.argv[2] == "before the commit":
    shares._TAKE = dying(shares._TAKE)
else:
    ParcelStore.discard = die
store = ParcelStore(Path(sys.argv[1]))
with store.open(store.find("acme", Kind.CONTACT, "initial"), filling=True) as parcel:
    shares.take_shares(store, parcel)
"""


def pages(stream: str) -> list[Page]:
    """Two pages; the second has a NUL character, a record that no reader takes, and tells of a removal."""
    good = f'{{"id": "{stream}1", "last_name": "Ä, \\"{stream}\\""}}\n{{"id": "{stream}2"}}'.encode()
    bad = f'{{"id": "{stream}3", "last_name": "N\\u0000L"}}\n{{"id": "{stream}4", '.encode()
    return [Page(stream, good, 2, f"{stream} after 2", 70), Page(stream, bad, 2, None, 60, (GONE,))]


def fill(parcel: Parcel, stream: str, count: int = 2, skip: int = 0) -> None:
    spool = parcel.spool()
    for page in pages(stream)[skip:count]:
        spool.add(page)
        spool.flush()
    spool.close()


def held(parcel: Parcel) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, in an order of its own."""
    return {name: sorted(parcel.execute(query).fetchall(), key=repr) for name, query in TABLES.items()}


def alone(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What one process stages."""
    store = ParcelStore(folder)
    with store.open(made(store)) as parcel:
        for stream in STREAMS:
            fill(parcel, stream)
        return held(parcel)


def made(store: ParcelStore) -> ParcelRef:
    return store.create("acme", Kind.CONTACT, "initial", FIELDS, READINGS, {"asked": "what was asked"})


def divided(store: ParcelStore) -> ParcelRef:
    """A parcel whose stream `a` has one page and goes on in a share; two shares, filled to their end."""
    ref = made(store)
    with store.open(ref) as parcel:
        fill(parcel, "a", count=1)
        shares = make_shares(store, parcel, [{"a": "a after 2", "c": None}, {"b": None, "d": None}])
    for share in shares:
        with store.open(share) as parcel:
            for stream, position in streams_of_share(parcel).items():
                fill(parcel, stream, skip=1 if position else 0)
    return ref


def test_init_7_a_share_is_a_parcel_that_knows_what_it_is_to_hold(tmp_path: Path) -> None:
    store = ParcelStore(tmp_path)
    with store.open(made(store)) as parcel:
        first, second = make_shares(store, parcel, [{"a": "page 7"}, {"b": None}])
        assert store.find("acme", Kind.CONTACT, share_purpose("initial", 2)) == second
        with store.open(first) as share:
            assert (share.fields, share.readings, share.told("asked")) == (FIELDS, READINGS, "what was asked")
            assert (share.told("of"), streams_of_share(share)) == (parcel.ref.parcel_id, {"a": "page 7"})


@pytest.mark.parametrize("filling", [False, True])
def test_init_7_shares_that_are_taken_in_make_the_parcel_that_one_process_makes(tmp_path: Path, filling: bool) -> None:
    """Rows, pages with their positions, records that no reader takes, removals; and nothing is left beside it."""
    store = ParcelStore(tmp_path / "shares")
    ref = divided(store)
    with store.open(ref, filling=filling) as parcel:
        assert take_shares(store, parcel) == 2 and take_shares(store, parcel) == 0
        assert held(parcel) == alone(tmp_path / "alone")
        assert {name: (at.position, at.ended) for name, at in parcel.progress().items()} == dict.fromkeys(STREAMS, (None, True))
        numbers = [row[0] for row in parcel.execute("SELECT rowid FROM raw ORDER BY rowid").fetchall()]
        assert len(set(numbers)) == len(numbers) == parcel.rows()
    assert [path.name for path in (tmp_path / "shares" / ref.path).parent.iterdir()] == ["contact-initial.duckdb"]


def test_init_7_a_share_that_is_not_finished_says_where_its_stream_goes_on(tmp_path: Path) -> None:
    store = ParcelStore(tmp_path)
    ref = made(store)
    with store.open(ref) as parcel:
        (share,) = make_shares(store, parcel, [{"a": None}])
    with store.open(share) as parcel:
        fill(parcel, "a", count=1)
    with store.open(ref) as parcel:
        take_shares(store, parcel)
        assert (parcel.progress()["a"].position, parcel.progress()["a"].ended, parcel.rows()) == ("a after 2", False, 2)


def test_init_7_a_share_that_is_taken_twice_is_there_once(tmp_path: Path) -> None:
    store = ParcelStore(tmp_path / "shares")
    ref = divided(store)
    place = (tmp_path / "shares" / ref.path).parent
    shutil.copytree(place, tmp_path / "copies")
    with store.open(ref) as parcel:
        take_shares(store, parcel)
        for copy in (tmp_path / "copies").glob("*-share-*"):
            shutil.copy(copy, place)
        assert take_shares(store, parcel) == 0
        assert held(parcel) == alone(tmp_path / "alone")
    assert not list(place.glob("*-share-*"))


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
def test_init_7_a_process_that_is_killed_while_it_takes_a_share_leaves_it_whole_or_not_at_all(tmp_path: Path, when: str) -> None:
    store = ParcelStore(tmp_path / "shares")
    ref = divided(store)
    died = subprocess.run([sys.executable, "-c", DYING, str(store.root), when], cwd=ROOT, capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    with store.open(ref) as parcel:
        assert parcel.rows() == {"before the commit": 2, "after the commit": 6}[when]
        take_shares(store, parcel)
        assert held(parcel) == alone(tmp_path / "alone")
    assert not list((tmp_path / "shares" / ref.path).parent.glob("*-share-*"))


def test_init_7_a_share_of_a_parcel_that_is_gone_is_not_taken(tmp_path: Path) -> None:
    """Its records were read for another schema, or before a correction was made in the CRM (GATE-3)."""
    store = ParcelStore(tmp_path)
    divided(store)
    ref = made(store)
    with store.open(ref) as parcel:
        assert take_shares(store, parcel) == 0 and parcel.rows() == 0
    assert not list((tmp_path / ref.path).parent.glob("*-share-*"))


def test_a_share_that_somebody_fills_is_left_alone_and_the_error_names_it(tmp_path: Path) -> None:
    store = ParcelStore(tmp_path)
    ref = divided(store)
    share = next((tmp_path / ref.path).parent.glob("*-share-1.duckdb"))
    hold = "import sys, duckdb; con = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold, str(share)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        with store.open(ref) as parcel, pytest.raises(StagingFailed, match="another process holds this parcel") as caught:
            take_shares(store, parcel)
        other.communicate()
    assert share.name in str(caught.value) and share.exists()
    with duckdb.connect(str(share)) as con:
        assert con.execute("SELECT count(*) FROM raw").fetchone() == (4,)
