"""Kill -9 at chosen and at random points; whatever was killed, the Market ends as if nothing had happened (INIT-7, PULL-2).

`MARKETSYNC_KILLS=200` adds so many kills at random times; `MARKETSYNC_SEED` chooses them.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.sugarcrm import Nastiness, RunningSandbox
from tests.flows.market_state import State, differences, market_state
from tests.flows.place import Driver, Place, lite_place, page_requests, sandbox, staged_requests

SEED = int(os.environ.get("MARKETSYNC_SEED", "7"))
MORE = int(os.environ.get("MARKETSYNC_KILLS", "0"))
FLUSH = 30_000  # bytes: a stream is staged in several parts, as a large one would be
NASTY = {"sqlite": Nastiness(unknown_owner=0.0), "postgresql": Nastiness()}  # owners that are fetched in between cost time; tried on one
CROWD = {"accounts": 40, "leads": 60, "contacts": 320, "opportunities": 10}


def at(kind: str, verb: str, *, ended: bool = False, nth: int = 1, after_s: float = 0.0) -> dict[str, Any]:
    return {"kind": kind, "verb": verb, "ended": ended, "nth": nth, "after_s": after_s}


COMMITS = (("account", 0.02), ("lead", 0.03), ("contact", 0.02), ("contact", 0.05), ("contact", 0.09))
BETWEEN_PAGES = [at("contact", "extract", nth=nth) for nth in (3, 4, 6)]
IN_THE_PLAN = [at("account", "plan", after_s=0.03), at("contact", "plan", after_s=0.1)]
IN_THE_CHECK = [at("lead", "check", after_s=0.1), at("opportunity", "check", ended=True)]
IN_THE_COMMIT = [at(kind, "commit", after_s=after_s) for kind, after_s in COMMITS]
OWNERS = [at("user", "commit", after_s=0.01), at("user", "commit", ended=True)]  # besides the users' own: of those that are fetched
AFTER_THE_COMMIT = [at(kind, "commit", ended=True) for kind in ("user", "lead", "contact", "opportunity")]


class Killed:
    """One installation whose runs are killed one after the other."""

    def __init__(self, driver: Driver, place: Place, crm: RunningSandbox) -> None:
        self.driver = driver
        self.place = place
        self.crm = crm
        self.deaths = 0
        self._staged: list[tuple[int, list[tuple[str, str]]]] = []

    def kill(self, points: list[dict[str, Any]], **order: Any) -> dict[str, Any]:
        """One run that dies at the first of these points, which is taken off the list, or by `after_s`."""
        answer = self.driver.run_on(self.place, kills=points, flush_bytes=FLUSH, **order)
        assert "error" not in answer, answer["text"]
        self.deaths += answer.get("signal") == 9
        self._staged.append((len(page_requests(self.crm)), staged_requests(self.place)))
        if "hit" in answer:
            del points[answer["hit"]]
        return answer

    def kill_at_all(self, points: list[dict[str, Any]]) -> None:
        """Until no point is left, or a run came to its end because it passed the others in the dark."""
        while points and "hit" in self.kill(points):
            pass

    def finish(self) -> None:
        answer = self.driver.run_on(self.place, flush_bytes=FLUSH)
        assert answer == {}, answer

    def asked_again(self) -> list[tuple[str, str]]:
        """Pages that lay in a parcel at some death and were asked for after it. Each of them had been asked for before."""
        log, again = page_requests(self.crm), []
        for calls, staged in self._staged:
            before, after = Counter(log[:calls]), Counter(log[calls:])
            unknown = [request for request in staged if not before[request]]
            assert not unknown, f"the test does not understand the call log: {unknown[:3]}"
            again += [request for request in staged if after[request]]
        return again

    @property
    def most_staged(self) -> int:
        return max(len(staged) for _, staged in self._staged)


def undisturbed(driver: Driver, place: Place, crm: RunningSandbox) -> State:
    answer = driver.run(place.write(crm.url, connector="page_rows = 10"))
    assert answer == {}, answer
    crm.control.reset_calls()
    return market_state(place.market_url)


def points_for(market: str) -> list[dict[str, Any]]:
    """SQLite and PostgreSQL share the road up to the commit, so most of what lies before is tried on one of them."""
    if market == "sqlite":
        return [*BETWEEN_PAGES, *IN_THE_PLAN, *IN_THE_CHECK, *IN_THE_COMMIT, *AFTER_THE_COMMIT]
    return [*OWNERS, *IN_THE_COMMIT[2:], AFTER_THE_COMMIT[0], AFTER_THE_COMMIT[2]]


@pytest.mark.parametrize("market", ["sqlite", "postgresql"])
def test_a_killed_sync_ends_like_an_undisturbed_one_and_asks_for_no_staged_page_again(
    market: str, request: pytest.FixtureRequest, driver: Driver, tmp_path: Path
) -> None:
    """INIT-7, PULL-2, MATCH-9."""
    with sandbox(**CROWD, nastiness=NASTY[market]) as crm:
        expected = undisturbed(driver, _place(market, request, tmp_path / "calm"), crm)
        killed = Killed(driver, _place(market, request, tmp_path / "killed").write(crm.url, connector="page_rows = 10"), crm)
        dice, points = random.Random(f"{SEED} {market}"), points_for(market)
        wanted = len(points)
        for _ in range(2 + MORE // 2):
            killed.kill(points, after_s=dice.uniform(0.1, 1.5))
        killed.kill_at_all(points)
        killed.finish()
        found = market_state(killed.place.market_url)
        again, reached = killed.asked_again(), killed.most_staged
    assert differences(found, expected) == [], f"seed {SEED}"
    assert again == []
    assert reached > 20, "the kills have to leave something staged"
    assert killed.deaths >= 0.8 * wanted, f"most of these kills have to hit; left: {points}"


@pytest.mark.parametrize("kind", ["account", "opportunity"])
def test_a_parcel_that_was_committed_when_the_run_died_is_not_taken_for_a_fresh_read(kind: str, driver: Driver, tmp_path: Path) -> None:
    """Killed between the commit and the tidying, then completed: reading everything once more sees what changed in the CRM since."""
    few = "[connectors.acme.pull]\nleads = false\ncontacts = false"
    module, name = ("Accounts", "account_name") if kind == "account" else ("Opportunities", "opportunity_name")
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector=few)
        assert driver.run(place, kills=[at(kind, "commit", ended=True)]) == {"hit": 0, "signal": 9}
        assert driver.run(place) == {}
        one = next(crm.control.dump(module, deleted=False))["id"]
        crm.control.edit(module, one, {"name": "Renamed Since"})
        assert driver.run(place, again=True) == {}
        rows = [dict(row) for row in market_state(place.market_url)[module.lower()]]
        assert [row[name] for row in rows if row["crm_id"] == one] == ["Renamed Since"]
        assert [path for path in place.parcels() if "committed" not in path.parts] == []


def _place(market: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    if market == "sqlite":
        return Place(folder, f"sqlite:///{folder / 'market.db'}")
    return Place(folder, request.getfixturevalue("postgres_market")())
