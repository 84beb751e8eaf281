"""Core sync over HTTP without Prefect's engine: the flow's own functions, whose tasks are called as the plain functions that they are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from prefect import Task

import flows.changes
import flows.core_sync
import flows.pull
import flows.push
import flows.schema
from adapters.sandbox.sugarcrm import CALM, RunningSandbox, SugarSandboxSettings, start_sandbox
from sync.happened import in_words
from sync.records import Finding, Kind, ParcelRef, RunRef
from tasks.happened import kept_happened
from tasks.operate import CORE_FLOW
from tasks.report import noted_findings
from tasks.runs import begin_following
from tasks.wiring import now, settings_of
from tests.kept_market import market_kept
from tests.pull_road import PullRoad, pull_road

MODULES = {Kind.USER: "Users", Kind.ACCOUNT: "Accounts", Kind.LEAD: "Leads", Kind.CONTACT: "Contacts", Kind.OPPORTUNITY: "Opportunities"}
_numbers = itertools.count(1)
_FLOWS: tuple[ModuleType, ...] = (flows.core_sync, flows.changes, flows.pull, flows.push, flows.schema)


class _Done:
    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


class _Plain:
    """A task as the function that it is made of. `calls`: how many were called."""

    calls = 0

    def __init__(self, function: Any) -> None:
        self._function = function

    def __call__(self, *given: Any, **named: Any) -> Any:
        _Plain.calls += 1
        return self._function(*given, **named)

    def submit(self, *given: Any, **named: Any) -> _Done:
        return _Done(self(*given, **named))


def _unchecked(run: RunRef, ref: ParcelRef) -> int:
    return 0


@contextmanager
def without_engine(modules: Sequence[ModuleType] = _FLOWS, *, gate: bool = True) -> Iterator[None]:
    """Tasks that these modules of flows call are called as functions; without the gate nothing is held (and it is quick)."""
    tasks = [(module, name, task) for module in modules for name, task in vars(module).items() if isinstance(task, Task)]
    for module, name, task in tasks:
        setattr(module, name, _Plain(task.fn if gate or name != "check" else _unchecked))
    try:
        yield
    finally:
        for module, name, task in tasks:
            setattr(module, name, task)


@dataclass(frozen=True, slots=True)
class Followed:
    """One core run: what it did in words, what it noticed, and how many task runs that took."""

    run_id: str
    words: tuple[str, ...]
    findings: tuple[Finding, ...]
    steps: int = 0


@dataclass(frozen=True)
class CoreRoad:
    """A sandbox, and an installation whose initial sync is done. `gate`: whether its cycles check what comes."""

    road: PullRoad
    sandbox: Any
    gate: bool = True

    @property
    def control(self) -> Any:
        return self.sandbox.control

    def follow(self, *, gate: bool | None = None) -> Followed:
        """One cycle."""
        run = RunRef(f"core-{next(_numbers)}", CORE_FLOW, self.road.connector, self.road.config)
        with without_engine(gate=self.gate if gate is None else gate):
            before = _Plain.calls
            flows.core_sync._follow(run, begin_following(run), now())
            steps = _Plain.calls - before
        return Followed(run.run_id, in_words(kept_happened(self.road.home, run)), noted_findings(self.road.home, run), steps)

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        return self.road.rows(query, **values)

    def one(self, query: str, **values: Any) -> Any:
        """The only value of the only row."""
        [row] = self.rows(query, **values)
        [value] = row.values()
        return value

    def calls(self) -> list[tuple[str, str]]:
        """(method, path) of what was asked since the log was cleared."""
        return [(call["method"], call["path"]) for call in self.control.calls()]


def initial(road: PullRoad) -> None:
    """An initial sync, and the run that says that it is complete. A calm CRM has nothing that the gate would hold: it is left out here."""
    schema = road.schema()
    for kind in settings_of(road.run).kinds():
        road.bring_in(road.extract(kind, schema), schema, gate=False)
    road.market.runs.finish(road.run_id, "completed", now())


@contextmanager
def core_road(
    folder: Path,
    market_url: str,
    *,
    connector: str = "",
    more: str = "",
    gate: bool = True,
    colleagues: Callable[[RunningSandbox], None] | None = None,
    **settings: Any,
) -> Iterator[CoreRoad]:
    """`connector`, `more`: lines of the configuration, see `pull_road`. `settings`: of the sandbox. `colleagues`: do the same things in the
    CRM each time, before the initial sync. Without the `gate` nothing is held, and a batch costs a quarter of a second less: for tests in
    which every record is good."""
    few = {"accounts": 8, "leads": 12, "contacts": 24, "opportunities": 5, "users": 4, "prospect_lists": 0, "campaigns": 0}
    chosen: dict[str, Any] = {"clock_fixed": 1_790_000_000.0, "nastiness": CALM, **few, **settings}
    more = more or "[gate]\nmin_rows_for_share = 1000000\n"
    begun = (sorted(chosen.items(), key=repr), connector, more, colleagues and colleagues.__qualname__)
    synced = market_kept(begun) if chosen["clock_fixed"] else None
    with start_sandbox(SugarSandboxSettings(**chosen)) as sandbox:
        if colleagues is not None:
            colleagues(sandbox)
        there = synced is not None and synced.give(market_url)
        with pull_road(folder, market_url, sandbox.url, connector=connector, more=more) as road:
            if not there:
                initial(road)
                road.market.close()
                if synced is not None:
                    synced.keep(market_url)
            yield CoreRoad(road, sandbox, gate)
