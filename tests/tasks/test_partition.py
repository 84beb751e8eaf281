"""The shares of a large kind over HTTP, without Prefect's engine: read by processes of their own, killed, taken in (INIT-7)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.sugarcrm import RunningSandbox, SugarSandboxSettings, start_sandbox
from adapters.staging.shares import make_shares
from sync.errors import ConfigError, ShareFailed
from sync.partitions import split
from sync.records import Kind, ParcelRef, ReadRequest, RunRef
from tasks.extract import asked, fields_of
from tasks.extract_share import extract_share, kind_named
from tasks.operate import PARTITION_FLOW
from tasks.report import noted_findings
from tasks.schema import readings_of
from tasks.wiring import open_crm
from tests.flows.command import ROOT
from tests.flows.market_state import differences, market_state
from tests.pull_road import PullRoad, pull_road

DIVIDED = "page_rows = 10\npartitions = 3\npartition_from_rows = 100"
KILLED = """
import os, signal, sys
import tasks.extract
from sync.records import Kind, RunRef
from tasks.extract_share import extract_share
from tasks.progress import listening
tasks.extract._FLUSH_BYTES = 1
steps = iter(range(8))
def die(step):
    if next(steps, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
with listening(die):
    extract_share.fn(RunRef("killed", "initial-sync-partition", "acme", sys.argv[1]), Kind.CONTACT, int(sys.argv[2]), sys.argv[3])
"""


@pytest.fixture(scope="module")
def crm() -> Iterator[RunningSandbox]:
    """Nobody changes anything in it: its clock stands still, and it is as nasty as it can be."""
    few: dict[str, Any] = {"accounts": 12, "leads": 20, "opportunities": 4, "users": 4, "prospect_lists": 0, "campaigns": 0}
    with start_sandbox(SugarSandboxSettings(contacts=240, clock_fixed=1_790_000_000.0, **few)) as sandbox:
        yield sandbox


def begun(road: PullRoad, schema: str) -> tuple[ParcelRef, ...]:
    """The initial parcel of contacts, empty, and its shares as the settings want them."""
    readings = readings_of(road.run, schema, Kind.CONTACT)
    request = ReadRequest(Kind.CONTACT, fields_of(readings))
    crm = open_crm(road.config, road.connector)
    about = {"baseline": crm.now().isoformat(), "begun_at": crm.now().isoformat(), "asked": asked(request), "whole": "yes"}
    ref = road.home.parcels.create(road.connector, Kind.CONTACT, "initial", request.fields, readings, about)
    streams: dict[str, str | None] = dict.fromkeys((stream.name for stream in crm.streams(request)), None)
    with road.home.parcels.open(ref) as parcel:
        return make_shares(road.home.parcels, parcel, split(streams, 3))


def read(road: PullRoad, number: int, share: ParcelRef) -> int:
    run = RunRef(f"share-{number}", PARTITION_FLOW, road.connector, road.config)
    return int(extract_share.fn(run, Kind.CONTACT, number, share.parcel_id))


def pages_asked(crm: RunningSandbox) -> list[str]:
    calls = crm.control.calls(method="POST")
    return [json.dumps(each["summary"]["filter"], sort_keys=True) for each in calls if each["path"].endswith("Contacts/filter")]


def whole(road: PullRoad, schema: str) -> None:
    """Accounts, then contacts as they are staged, into Market."""
    for kind in (Kind.USER, Kind.ACCOUNT, Kind.CONTACT):
        road.bring_in(road.extract(kind, schema, "initial"), schema)


def test_init_7_shares_make_the_market_that_one_reader_makes_also_when_one_was_killed(crm: RunningSandbox, tmp_path: Path) -> None:
    """With everything that is held back and counted. What was staged before the kill is not asked for again."""
    urls = {name: f"sqlite:///{tmp_path / name / 'market.db'}" for name in ("alone", "divided")}
    with pull_road(tmp_path / "alone", urls["alone"], crm.url, connector="page_rows = 10") as road:
        whole(road, road.schema())
    with pull_road(tmp_path / "divided", urls["divided"], crm.url, connector=DIVIDED) as road:
        schema = road.schema()
        shares = begun(road, schema)
        crm.control.reset_calls()
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, road.config, "2", shares[1].parcel_id], cwd=ROOT, capture_output=True, text=True
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        staged = [read(road, number, share) for number, share in enumerate(shares, 1)]
        asked_for = Counter(pages_asked(crm))
        crm.control.reset_calls()
        whole(road, schema)
        assert pages_asked(crm) == []
        assert sum(staged) > 200 and all(staged)
        # Of three threads each may have had one page in its hands that was not staged yet.
        assert sum(asked_for.values()) - len(asked_for) <= 3
    assert differences(market_state(urls["divided"]), market_state(urls["alone"])) == []


def test_init_7_what_a_stopped_share_has_staged_is_not_read_again_by_whoever_goes_on(crm: RunningSandbox, tmp_path: Path) -> None:
    """No server, no workers: the same command reads what is missing, and says that nobody helped."""
    with pull_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", crm.url, connector=DIVIDED) as road:
        schema = road.schema()
        shares = begun(road, schema)
        crm.control.reset_calls()
        read(road, 1, shares[0])
        first = set(pages_asked(crm))
        crm.control.reset_calls()
        ref = road.extract(Kind.CONTACT, schema, "initial")
        assert first and not first & set(pages_asked(crm))
        with road.home.parcels.open(ref) as parcel:
            living = len(list(crm.control.dump("Contacts", deleted=False)))
            assert parcel.rows() + parcel.scalar("SELECT count(*) FROM broken") == living
        [told] = [each for each in noted_findings(road.home, road.run) if each.topic == "read by one worker"]
        assert "contacts were not divided into 3 shares: only a run that a Prefect server started" in told.message
        assert not list((tmp_path / "data" / "parcels").rglob("*-share-*"))


def test_a_share_that_does_not_lie_here_or_was_asked_for_otherwise_is_refused_in_words(crm: RunningSandbox, tmp_path: Path) -> None:
    """A worker with a data directory or a configuration of its own."""
    with pull_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", crm.url, connector=DIVIDED) as road:
        share = begun(road, road.schema())[0]
        run = RunRef("one", PARTITION_FLOW, road.connector, road.config)
        for number, name in ((2, share.parcel_id), (9, share.parcel_id)):
            with pytest.raises(ShareFailed, match=r"does not lie in .*data"):
                extract_share.fn(run, Kind.CONTACT, number, name)
        assert kind_named(run, "contacts") is Kind.CONTACT
        with pytest.raises(ConfigError, match='"people" is no kind'):
            kind_named(run, "people")
        here = Path(road.config).read_text()
        other = tmp_path / "other.toml"
        other.write_text(here + '[connectors.acme.filters]\ncontacts = [{ field = "title", op = "not_null" }]\n')
        with pytest.raises(ConfigError, match="sync filter is another one"):
            extract_share.fn(RunRef("one", PARTITION_FLOW, "acme", str(other)), Kind.CONTACT, 1, share.parcel_id)


def test_a_small_kind_is_read_by_the_run_itself_and_nothing_is_said_of_it(crm: RunningSandbox, tmp_path: Path) -> None:
    with pull_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", crm.url, connector=DIVIDED) as road:
        road.extract(Kind.ACCOUNT, road.schema(), "initial")
        assert not [each for each in noted_findings(road.home, road.run) if each.topic == "read by one worker"]
