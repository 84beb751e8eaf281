"""What pushes cost: calls, time and CPU of every kind against a SugarCRM sandbox, and of cycles in which nothing waits.

    python -m bench.pushing [--rows 1000] [--waiting 20000] [--acknowledged 100000]

Each kind is recorded and then pushed by the flow's own steps, gate and read-back included, without the flow engine. Calls are those that
the sandbox counted, told apart by step: metadata (what the CRM takes), look-ups (before something is written), writes, read-backs. CPU is
that of our thread; the sandbox works in the same process, so that rows per second are less than a real CRM would let through.
Rows read and written in idle cycles are counted by PostgreSQL itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

import flows.push
from bench.__main__ import new_database
from bench.following import touched
from bench.marketing_day import prepare, record, unsettled_sends
from sync.push import EMAIL_ACTIVITY, TIME_SENSITIVE
from sync.records import Kind, RunRef
from tasks.operate import EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tasks.recording import Recorder
from tasks.runs import begin_following, only_run
from tasks.wiring import now
from tests.core_road import without_engine
from tests.postgres import postgres_server
from tests.push_road import EVERYTHING, PushRoad, push_road

_KINDS = (
    Kind.SENT,
    Kind.OPENED,
    Kind.CLICKED,
    Kind.TASK,
    Kind.VISIT,
    Kind.COMPLETION,
    Kind.REGISTRATION,
    Kind.SCORE,
    Kind.UPDATE,
    Kind.NEW_LEAD,
    Kind.OPT_OUT,
)
_SINKS = '[connectors.acme.sinks]\nopened_emails = "native"\nclicked_emails = "native"\n'
_STEPS = ("count_waiting", "collect", "check_outgoing", "look_up_new_leads", "send", "settle", "read_again", "read_back")
_IDLE = {TIME_SENSITIVE_FLOW: TIME_SENSITIVE, EMAIL_FLOW: EMAIL_ACTIVITY}
_IDLE_CYCLES = 5
_numbers = count(1)


@dataclass
class Cost:
    """Of one kind. `calls` by what they are for, `cpu_s` and `seconds` by step."""

    backend: str
    kind: str
    rows: int
    calls: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    cpu_s: Counter[str] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        thousands, seconds, cpu = self.rows / 1_000, self.seconds.total(), self.cpu_s.total()
        return {
            "backend": self.backend,
            "kind": self.kind,
            "rows": self.rows,
            "calls_per_1000": {name: round(calls / thousands, 1) for name, calls in sorted(self.calls.items())},
            "all_calls_per_1000": round(self.calls.total() / thousands, 1),
            "rows_per_s": round(self.rows / seconds),
            "cpu_ms_per_row": round(cpu * 1_000 / self.rows, 3),
            "cpu_share": {name: round(spent / cpu, 2) for name, spent in self.cpu_s.most_common()},
        }


def main() -> None:
    asked = argparse.ArgumentParser(
        prog="python -m bench.pushing", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--rows", type=int, default=1_000)
    asked.add_argument("--waiting", type=int, default=20_000)
    asked.add_argument("--acknowledged", type=int, default=100_000)
    options = asked.parse_args()
    print(table(measured(options.rows, options.acknowledged, options.waiting)))


def measured(rows: int, acknowledged: int, waiting: int) -> dict[str, Any]:
    """All figures; they are in bench/results/pushing.json afterwards."""
    kinds: list[dict[str, Any]] = []
    idle: list[dict[str, Any]] = []
    with postgres_server() as postgres, tempfile.TemporaryDirectory(prefix="marketsync-pushing-") as folder:
        for backend in ("sqlite", "postgresql"):
            print(f"{backend}: preparing …", file=sys.stderr)
            market = f"sqlite:///{folder}/market.db" if backend == "sqlite" else new_database(postgres, "pushing")
            people = {"contacts": rows, "leads": 50, "accounts": 50, "users": 10, "opportunities": 5}
            with push_road(Path(folder, backend), market, push=EVERYTHING + _SINKS, **people) as road:
                recorder = Recorder(road.core.road.config)
                prepare(recorder)
                idle += [{"backend": backend, "outbox": 0, **cost} for cost in idle_cycles(road, backend)]
                ids = [market_id for market_id, _ in road.people(Kind.CONTACT, rows)]
                kinds += [pushed(road, recorder, backend, kind, ids, rows).told() for kind in _KINDS]
                fill(road, recorder, ids, acknowledged, waiting)
                idle += [{"backend": backend, "outbox": acknowledged + waiting, **cost} for cost in idle_cycles(road, backend)]
    found = {"kinds": kinds, "idle": idle}
    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "pushing.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


# -- kinds --------------------------------------------------------------------------------------------------------------


def pushed(road: PushRoad, recorder: Recorder, backend: str, kind: Kind, people: Sequence[int], rows: int) -> Cost:
    """Records and pushes one kind, and nothing else that its recording queued."""
    record(recorder, kind, people, rows)
    cost = Cost(backend, kind.value, rows)
    with without_engine(), watched(road, cost):
        follow(road, TIME_SENSITIVE_FLOW, (kind,))
    if not road.states(kind).get("acknowledged", 0) >= rows:
        raise SystemExit(f"{backend}: {kind.plural}: {road.states(kind)} instead of {rows:,} acknowledged")
    return cost


@contextmanager
def watched(road: PushRoad, cost: Cost) -> Iterator[None]:
    """Whatever the push road calls meanwhile is measured, step by step."""
    steps = {name: getattr(flows.push, name) for name in _STEPS}
    for name, step in steps.items():
        setattr(flows.push, name, _watched(road, cost, name, step))
    road.control.reset_calls()
    began, worked = time.perf_counter(), time.thread_time()
    try:
        yield
    finally:
        for name, step in steps.items():
            setattr(flows.push, name, step)
    cost.seconds["the rest"] = time.perf_counter() - began - cost.seconds.total()
    cost.cpu_s["the rest"] = time.thread_time() - worked - cost.cpu_s.total()


def _watched(road: PushRoad, cost: Cost, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any) -> Any:
        before = _calls(road)
        began, worked = time.perf_counter(), time.thread_time()
        result = step(*given)
        cost.seconds[name] += time.perf_counter() - began
        cost.cpu_s[name] += time.thread_time() - worked
        for route, calls in (_calls(road) - before).items():
            cost.calls[_purpose(name, route)] += calls
        return result

    return call


def _calls(road: PushRoad) -> Counter[str]:
    counted: Counter[str] = Counter()
    for line in road.control.call_counts(in_bulk=False):
        counted[line["route"]] += line["calls"]
    return counted


def _purpose(step: str, route: str) -> str:
    if step.startswith("read_"):
        return "read back"
    if step == "send" and route == "bulk":
        return "write"
    return "metadata" if route in ("metadata", "me", "ping") else "look up"


# -- nothing to do ------------------------------------------------------------------------------------------------------


def idle_cycles(road: PushRoad, backend: str) -> Iterator[dict[str, Any]]:
    """Medians of cycles in which nothing is ready; the first one, which writes on waiting rows what they wait for, does not count."""
    for flow, kinds in _IDLE.items():
        with without_engine():
            follow(road, flow, kinds)
            cycles = [_idle_cycle(road, backend, flow, kinds) for _ in range(_IDLE_CYCLES)]
        yield {"flow": flow, **{name: round(statistics.median(cycle[name] for cycle in cycles), 2) for name in cycles[0]}}


def _idle_cycle(road: PushRoad, backend: str, flow: str, kinds: Sequence[Kind]) -> dict[str, float]:
    road.control.reset_calls()
    before = touched(road.core, backend)
    worked = time.thread_time()
    follow(road, flow, kinds)
    cpu_ms = (time.thread_time() - worked) * 1_000
    after = touched(road.core, backend)
    return {"calls": road.control.call_count(), "cpu ms": cpu_ms, **{name: after[name] - before[name] for name in after}}


def fill(road: PushRoad, recorder: Recorder, people: Sequence[int], acknowledged: int, waiting: int) -> None:
    """Rows that are done, and rows that can't go out: half of them mails on their way, half tasks of people who have no record."""
    taken = (people[number % len(people)] for number in count())
    recorder.sends(line for line, _ in zip(unsettled_sends(taken), range(waiting // 2), strict=False))
    columns = "connector, kind, contact_id, subject_id, crm_kind, crm_id, value, version, state, attempts, created_at, push_key"
    numbers = "WITH RECURSIVE n(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM n WHERE n + 1 < :first + :rows)"
    values = "'acme', 'task', 1000000000, n, '', '', '{}', 1, :state, 0, CURRENT_TIMESTAMP, 'key ' || n"
    statement = text(f"INSERT INTO outbox ({columns}) {numbers} SELECT {values} FROM n")
    with road.core.road.market.database.writing() as connection:
        connection.execute(statement, {"first": 1_000_000_000, "rows": acknowledged, "state": "acknowledged"})
        connection.execute(statement, {"first": 2_000_000_000, "rows": waiting - waiting // 2, "state": "pending"})
        connection.execute(text("ANALYZE"))


def follow(road: PushRoad, flow: str, kinds: Sequence[Kind]) -> None:
    """One run, from its lock to its last batch."""
    run = RunRef(f"bench-{next(_numbers)}", flow, road.core.road.connector, road.core.road.config)
    with only_run(run):
        begin_following(run)
        flows.push.push(run, kinds, now())


# -- telling ------------------------------------------------------------------------------------------------------------


def table(found: dict[str, Any]) -> str:
    purposes = ("write", "metadata", "look up", "read back")
    lines = ["calls per 1,000 rows", f"{'':11} {'kind':24} {'rows':>7} " + "".join(f"{name:>10}" for name in (*purposes, "all"))]
    lines[-1] += f" {'rows/s':>8} {'CPU ms/row':>11}  where the CPU goes"
    for one in found["kinds"]:
        calls = "".join(f"{one['calls_per_1000'].get(name, 0):>10}" for name in purposes)
        spent = ", ".join(f"{name} {share:.0%}" for name, share in one["cpu_share"].items() if share >= 0.03)
        lines.append(
            f"{one['backend']:11} {one['kind']:24} {one['rows']:>7,} {calls}{one['all_calls_per_1000']:>10}"
            f" {one['rows_per_s']:>8,} {one['cpu_ms_per_row']:>11.2f}  {spent}"
        )
    lines += ["", "cycles in which nothing is ready", f"{'':11} {'flow':24} {'outbox':>8}  cost"]
    for one in found["idle"]:
        costs = ", ".join(f"{name} {value:,.1f}" for name, value in one.items() if name not in ("backend", "flow", "outbox"))
        lines.append(f"{one['backend']:11} {one['flow']:24} {one['outbox']:>8,}  {costs}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
