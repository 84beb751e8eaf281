"""Flows of several connectors at once over one Market: no lock-ups, no lost updates, nothing pushed twice (FLOW-1, PULL-2, PUSH-3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sync.errors import AlreadyRunning
from tests.core_road import initial
from tests.flows.place import PASSWORD, PASSWORD_VARIABLE
from tests.two_crms import CONNECTORS, FLOWS, TASKS, TwoCrms, two_crms, unchecked

Found = Mapping[Any, Mapping[Any, int]]
_PATIENCE_S = 120


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    """What comes of it if one run follows the other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_VARIABLE, PASSWORD)
        folder = tmp_path_factory.mktemp("one")
        with unchecked(), two_crms(folder, f"sqlite:///{folder}/market.db") as alone:
            one_after_the_other(alone)
            found = found_in(alone)
        yield found


def one_after_the_other(crms: TwoCrms) -> None:
    for connector in CONNECTORS:
        initial(crms.road(connector))
    crms.advance()
    crms.day(1)
    _all_flows(crms)
    _catch_up(crms)


def all_at_once(crms: TwoCrms) -> None:
    """Every flow of both connectors in a thread with connections of its own, and a second start of each, while the CRMs change."""
    crms.road(CONNECTORS[0]).market.upgrade()
    with ThreadPoolExecutor(2 * len(CONNECTORS) * len(FLOWS)) as pool:
        for start in [pool.submit(initial, crms.road(connector)) for connector in CONNECTORS]:
            start.result(_PATIENCE_S)
        crms.advance()
        crms.day(1)
        starts = [pool.submit(_unless_at_work, crms, flow, connector) for connector in CONNECTORS for flow in FLOWS for _ in range(2)]
        for connector in CONNECTORS:
            crms.change(connector, "day 1")  # once more, in the same words
        for start in starts:
            start.result(_PATIENCE_S)
    _catch_up(crms)


def _unless_at_work(crms: TwoCrms, flow: str, connector: str) -> None:
    """A schedule that comes too early is skipped (FLOW-1)."""
    try:
        crms.run(flow, connector)
    except AlreadyRunning:
        return


def _catch_up(crms: TwoCrms) -> None:
    crms.advance()
    _all_flows(crms)


def _all_flows(crms: TwoCrms) -> None:
    for connector in CONNECTORS:
        for flow in FLOWS:
            crms.run(flow, connector)


def found_in(crms: TwoCrms) -> Found:
    """SQLite has no truth values of its own."""
    market = {
        name: {tuple(int(value) if isinstance(value, bool) else value for value in row): many for row, many in rows.items()}
        for name, rows in crms.market().items()
    }
    return {**market, **crms.crm()}


def test_what_runs_at_once_makes_the_market_and_the_crms_that_runs_one_after_the_other_make(
    expected: Found, tmp_path: Path, postgres_url: str
) -> None:
    with unchecked(), two_crms(tmp_path, postgres_url) as together:
        all_at_once(together)
        found = found_in(together)
    assert found == expected
    for connector in CONNECTORS:
        tasks = found[connector, "Tasks"]
        assert sum(tasks.values()) == TASKS  # each was made exactly once
