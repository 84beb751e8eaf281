"""FLOW-1: a flow never overlaps itself for one connector."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.market.engine import Market, hold_lock
from sync.errors import AlreadyRunning

_HOLDER = """
import sys, time
from pathlib import Path
from adapters.market.engine import hold_lock, open_market
with hold_lock(open_market(sys.argv[1]), "core-sync acme", Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_start_is_skipped_and_the_next_one_works(market: Market, tmp_path: Path) -> None:
    """FLOW-1: a second start is skipped, not queued; different flows and connectors may run at once."""
    with hold_lock(market, "core-sync acme", tmp_path / "locks"):
        with pytest.raises(AlreadyRunning), hold_lock(market, "core-sync acme", tmp_path / "locks"):
            pytest.fail("two runs at once")
        with hold_lock(market, "core-sync ../other", tmp_path / "locks"), hold_lock(market, "email-activity-sync acme", tmp_path / "locks"):
            pass
    with hold_lock(market, "core-sync acme", tmp_path / "locks"):
        pass


def test_failure_inside_the_lock_comes_out_as_it_is(market: Market, tmp_path: Path) -> None:
    """FLOW-1: and the lock is free afterwards."""
    for _ in range(2):
        with pytest.raises(BlockingIOError), hold_lock(market, "core-sync acme", tmp_path):
            raise BlockingIOError("somebody else's trouble")


def test_lock_vanishes_with_a_process_that_is_killed(market: Market, market_url: str, tmp_path: Path) -> None:
    """FLOW-1: kill -9 leaves no lock behind."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, market_url, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning), hold_lock(market, "core-sync acme", tmp_path):
            pytest.fail("two runs at once")
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    _wait_for(market, tmp_path)


def _wait_for(market: Market, lock_dir: Path) -> None:
    """The server notices a dead client in its own time, within a moment."""
    until = time.monotonic() + 10
    while True:
        try:
            with hold_lock(market, "core-sync acme", lock_dir):
                return
        except AlreadyRunning:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
