"""What a time-sensitive run with nothing to do costs: a whole process, as the command line and as a worker run it, and where it goes.

    python -m bench.idle [--runs 5]

Real databases, a real Prefect server on PostgreSQL. Seconds of a busy machine say little: CPU is what a run takes from others, and the wall
clock is that of this machine while nothing else ran. Byte-code lies on disk, as `pip` leaves it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.__main__ import new_database
from tests.operating.engine import ROOT, Engine, real_engine
from tests.postgres import postgres_server
from tests.push_road import push_road

Cost = dict[str, dict[str, float]]
_DRIVER = ("-m", "bench.idle_run")


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--runs", type=int, default=5)
    runs = asked.parse_args().runs
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marketsync-idle-")))
        postgres = stack.enter_context(postgres_server())
        (folder / "engine").mkdir()
        engine = stack.enter_context(real_engine(folder / "engine", new_database(postgres, "prefect")))
        found = []
        for backend in ("sqlite", "postgresql"):
            market = f"sqlite:///{folder}/market.db" if backend == "sqlite" else new_database(postgres, "idle")
            road = stack.enter_context(push_road(folder / backend, market))
            found += measured(backend, engine, road.core.road.config, runs)
    print(table(found))
    results = Path(__file__).parent / "results"
    (results / "idle.json").write_text(json.dumps({"runs": runs, "idle": found}, indent=1) + "\n", encoding="utf-8")


def measured(backend: str, engine: Engine, config: str, runs: int) -> Iterator[dict[str, Any]]:
    """Every way of running it, the median of some runs after a first one that leaves byte-code on disk."""
    deployment = engine.deploy("flows.time_sensitive_sync.time_sensitive_sync", connector="acme", config=config)
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = ["-m", "flows.cli", "--config", config, "run", "time-sensitive"]

    def under_a_worker() -> Cost:
        run = engine.start(deployment)
        cost = process(["-m", "prefect.engine"], {**engine.environment, "PREFECT__FLOW_RUN_ID": str(run)})
        if engine.state(run) != "Completed":
            raise SystemExit(f"the run ended as {engine.state(run)}: {engine.message(run)}")
        return cost

    ways = {
        "command line": (lambda: process(command, alone), lambda: phases("command", config, alone)),
        "command line, on a Prefect server": (
            lambda: process(command, engine.environment),
            lambda: phases("flow", config, engine.environment),
        ),
        "under a worker": (under_a_worker, lambda: phases("flow", config, engine.environment)),
    }
    for name, (whole, parts) in ways.items():
        print(f"{backend}, {name} …", file=sys.stderr)
        costs = [{**whole(), **parts()} for _ in range(runs + 1)][1:]
        yield {"backend": backend, "way": name, **{phase: middle([cost[phase] for cost in costs]) for phase in costs[0]}}


def middle(costs: Sequence[dict[str, float]]) -> dict[str, float]:
    return {clock: round(statistics.median(cost[clock] for cost in costs), 3) for clock in costs[0]}


def process(arguments: Sequence[str], environment: dict[str, str]) -> Cost:
    """A whole process, from its start to its end."""
    began = time.perf_counter()
    clean = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=clean, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    trouble = child.stderr.read().decode(errors="replace")
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {child.returncode}: {trouble}")
    return {"process": {"wall": time.perf_counter() - began, "cpu": used.ru_utime + used.ru_stime}}


def phases(way: str, config: str, environment: dict[str, str]) -> Cost:
    clean = {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, *_DRIVER, way, config], cwd=ROOT, env=clean, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the phases of {way}: {done.stderr}")
    told: Cost = json.loads(done.stdout.splitlines()[-1])
    return told


def table(found: Sequence[dict[str, Any]]) -> str:
    lines = [f"{'Market':12} {'way':36} {'wall s':>8} {'CPU s':>8}  CPU of its parts"]
    for one in found:
        parts = ", ".join(f"{name} {spent['cpu']:.2f}" for name, spent in one.items() if isinstance(spent, dict) and name != "process")
        whole = one["process"]
        lines.append(f"{one['backend']:12} {one['way']:36} {whole['wall']:>8.2f} {whole['cpu']:>8.2f}  {parts}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
