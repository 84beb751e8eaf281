"""The initial sync's road without Prefect, run by processes that are there to be killed.

`python -m tests.flows.crash_driver` imports everything once (seconds), then forks one process per order (milliseconds). An order is a line
of JSON on standard input: {"config", "run_id", "kill", "full", "flush_bytes"}; the answer, a line on standard output, is a JSON object with `signal`
(9: it was killed), `error` (the type of what it raised, and its text), or neither: it came to its end.

`kill` is one of
    {"after_s": seconds}                          from outside, so long after the start
    {"kind", "verb", "ended", "nth", "after_s"}   when that sign of life comes for the n-th time, or so long after it
`full` is the largest size in bytes that a file may grow to: a disk that has no more room for it. `flush_bytes`: how much of a stream is
staged at once.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import great_expectations.expectations
import flows.pull
import tasks.extract
from sync.errors import MarketsyncError
from sync.records import RunRef
from tasks.extract import extract
from tasks.progress import Step, listening
from tasks.runs import INITIAL, INITIAL_FLOW, begin, finished_kinds, is_complete, only_run
from tasks.schema import replicate_schema
from tasks.verify import verify
from tasks.wiring import installation, now

assert great_expectations  # imported for the seconds that it takes: a fork has it at once

# The real road, step by step, with the bare functions in place of Prefect's tasks.
for step in ("extract_named", "plan", "check", "commit", "set_rejected_aside"):
    setattr(flows.pull, step, getattr(flows.pull, step).fn)


def road(config: str, run_id: str) -> None:
    """What `flows.initial_sync` does, in its order."""
    run = RunRef(run_id, INITIAL_FLOW, "acme", config)
    with only_run(run):
        kinds = begin(run)
        if is_complete(run):
            return
        done = finished_kinds(run, kinds)
        schema = replicate_schema.fn(run)
        with ThreadPoolExecutor() as pool:
            futures = {kind: pool.submit(extract.fn, run, kind, INITIAL, schema) for kind in kinds if kind not in done}
            for future in futures.values():
                flows.pull.bring_in(run, future.result(), schema)
        verify.fn(run)
        installation(config).market.runs.finish(run_id, "completed", now(), summary={}, report="")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Assassin:
    """Kills its own process at the sign of life that the order names."""

    def __init__(self, kill: dict[str, Any]) -> None:
        self._kill = kill
        self._left = int(kill.get("nth", 1))
        self._lock = threading.Lock()

    def __call__(self, step: Step) -> None:
        wanted = self._kill
        if (step.kind, step.verb, step.ended) != (wanted["kind"], wanted["verb"], wanted["ended"]):
            return
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
        if wanted.get("after_s"):
            timer = threading.Timer(wanted["after_s"], die)
            timer.daemon = True
            timer.start()
        else:
            die()


def work(order: dict[str, Any], answer: int) -> None:
    """One run in its own process; what it raises goes to the pipe."""
    if order.get("full"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["full"], resource.RLIM_INFINITY))
    if order.get("flush_bytes"):
        assert hasattr(tasks.extract, "_FLUSH_BYTES")
        tasks.extract._FLUSH_BYTES = order["flush_bytes"]
    kill = order.get("kill") or {}
    try:
        with listening(Assassin(kill) if "verb" in kill else lambda _: None):
            road(order["config"], order["run_id"])
    except MarketsyncError as error:
        os.write(answer, json.dumps({"error": type(error).__name__, "text": str(error), "exit_code": error.exit_code}).encode())
    except BaseException as error:
        os.write(answer, json.dumps({"error": type(error).__name__, "text": traceback.format_exc()[-4000:]}).encode())


def obey(order: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(2, 1)
        work(order, writing)
        os._exit(0)
    os.close(writing)
    after_s = None if "verb" in (order.get("kill") or {}) else (order.get("kill") or {}).get("after_s")
    if after_s is not None:
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    return json.loads(said) if said else {}


def main() -> None:
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
