"""marketsync's own route, in a process of its own: the steps of the flow, with all rules on, without the Prefect engine around them.

`python -m bench.ours CONFIG CONNECTOR` prints one JSON line: rows, seconds per step, peak memory. Prefect and Great Expectations are
loaded all the same, so the memory is that of a real run.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sync.records import Kind, RunRef


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


class MemoryWatch:
    """The most memory since the last question, looked at twenty times a second."""

    def __init__(self) -> None:
        self._most = 0.0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            self._most = max(self._most, _resident_mb())
            time.sleep(0.05)

    def peak(self) -> float:
        most, self._most = self._most, 0.0
        return most


def main() -> None:
    from expectations import engine
    from tasks import check, commit, extract, plan, runs, schema
    from tasks.wiring import installation, now

    engine.load()  # its import belongs to the process, not to a step
    run = RunRef(f"bench-{time.time_ns()}", "initial-sync", sys.argv[2], sys.argv[1])
    seconds: dict[str, float] = {}
    cpu: dict[str, float] = {}
    memory: dict[str, float] = {"start": _resident_mb()}
    watch = MemoryWatch()

    def timed(name: str, step: Any, *arguments: Any) -> Any:
        began, worked = time.perf_counter(), time.process_time()
        result = step(*arguments)
        cpu[name] = cpu.get(name, 0.0) + time.process_time() - worked
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
        memory[name] = watch.peak()
        return result

    runs.begin(run)
    described = schema.replicate_schema.fn(run)
    for kind, counted in ((Kind.USER, False), (Kind.ACCOUNT, False), (Kind.CONTACT, True)):
        said = timed if counted else lambda _, step, *arguments: step(*arguments)
        parcel = said("extract", extract.extract.fn, run, kind, "initial", described)
        said("plan", plan.plan.fn, run, parcel)
        said("check", check.check.fn, run, parcel)
        counts = said("commit", commit.commit.fn, run, parcel)
    installation(run.config).market.runs.finish(run.run_id, "completed", now())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "rows": counts.inserted,
                "held": counts.held,
                "seconds": seconds,
                "cpu_seconds": cpu,
                "step_peak_mb": memory,
                "peak_mb": usage.ru_maxrss / 1024,
            }
        )
    )


if __name__ == "__main__":
    main()
