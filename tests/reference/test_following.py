"""Following a CRM ends where a fresh initial sync would (PULL-1 to PULL-8, DEL-1, DEL-2, MATCH-1, MATCH-7, MATCH-8, CONSENT-3, CONSENT-4).

Two dozen random scripts run with every test run, half of them on each database; `make soak` runs thousands (MARKETSYNC_SCRIPTS).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.http import PATIENT
from tests.core_road import core_road
from tests.reference.scripts import Life, differences, fresh_market, picture

SCRIPTS = int(os.environ.get("MARKETSYNC_SCRIPTS", "24"))
FIRST = int(os.environ.get("MARKETSYNC_FIRST_SCRIPT", "1"))
PER_SANDBOX = 6
STEPS = 18


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    """Waiting for a faulty CRM costs a test no time."""
    before = {name: getattr(PATIENT, name) for name in ("first_s", "longest_s")}
    for name in before:
        object.__setattr__(PATIENT, name, 0.001)
    yield
    for name, value in before.items():
        object.__setattr__(PATIENT, name, value)


def _rounds() -> list[Any]:
    """(database, seeds): rounds take turns, so that no script is played twice."""
    seeds = range(FIRST, FIRST + SCRIPTS)
    rounds = [tuple(seeds[first : first + PER_SANDBOX]) for first in range(0, len(seeds), PER_SANDBOX)]
    turns = itertools.cycle(("sqlite", "postgresql"))
    return [pytest.param(database, some, id=f"{database}-{some[0]}-{some[-1]}") for database, some in zip(turns, rounds, strict=False)]


@pytest.mark.parametrize(("market_url", "seeds"), _rounds(), indirect=["market_url"])
def test_after_any_script_market_equals_a_fresh_initial_sync(tmp_path: Path, market_url: str, seeds: tuple[int, ...]) -> None:
    few: dict[str, Any] = {"accounts": 5, "leads": 8, "contacts": 12, "opportunities": 4, "users": 4}
    with core_road(tmp_path / "followed", market_url, connector="page_rows = 9", seed=seeds[0], **few) as road:
        numbers = itertools.count(1)
        for seed in seeds:
            life = Life(road, seed)
            life.play(STEPS)
            life.settle()
            wrong = differences(picture(road.road), fresh_market(road, tmp_path / f"fresh-{next(numbers)}"))
            assert wrong == [], "\n".join([f"script {seed}", *wrong, "", *life.told])
