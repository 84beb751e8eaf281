"""The initial sync's road, or a flow's pushes, without Prefect, run by processes that are there to be killed.

`python -m tests.flows.crash_driver` imports everything once (seconds), then forks one process per order (milliseconds). An order is a line
of JSON on standard input, the answer a line on standard output: `signal` (9: it was killed), or `error`, `text` and `exit_code` of what it
raised, or nothing: it came to its end. An order says

    config, run_id, connector      what to run
    again                          true: read everything once more
    flow                           the pushes of this flow instead of the initial sync
    gate                           false: what is pushed passes unchecked, which is quick
    after_s                        kill it from outside, so long after the start
    kills                          a list of {"kind", "verb", "ended", "nth", "after_s"}: it dies at the first of these signs of life that
                                   comes for the n-th time, or so long after it; the answer's `hit` says which
    full                           {"bytes"} or {"bytes", "kind", "verb"}: files can't grow beyond, from the start or from a sign of life on
    flush_bytes                    how much of a stream is staged at once
    secrets                        environment variables of this run
    leave                          true: answer {"left": id} at once; the order {"wait": id} gives that run's answer
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import great_expectations.expectations
from prefect import Task

import flows.changes
import flows.pull
import flows.push
import tasks.extract
from adapters.staging.outgoing import CHECKED
from sync.errors import MarketsyncError
from sync.push import CORE, EMAIL_ACTIVITY, TIME_SENSITIVE
from sync.records import ParcelRef, RunRef
from tasks.extract import extract
from tasks.operate import CORE_FLOW, EMAIL_FLOW, INITIAL_FLOW, TIME_SENSITIVE_FLOW
from tasks.progress import Step, listening
from tasks.runs import INITIAL, begin, begin_following, finished_kinds, is_complete, only_run
from tasks.schema import replicate_schema
from tasks.verify import verify
from tasks.wiring import installation, now

assert great_expectations  # imported for the seconds that it takes: a fork has it at once

# The real road, step by step, with the bare functions in place of Prefect's tasks.
for module in (flows.pull, flows.changes, flows.push):
    for step, made in list(vars(module).items()):
        if isinstance(made, Task):
            setattr(module, step, made.fn)
PUSHES = {CORE_FLOW: CORE, EMAIL_FLOW: EMAIL_ACTIVITY, TIME_SENSITIVE_FLOW: TIME_SENSITIVE}

Order = dict[str, Any]


def road(config: str, run_id: str, connector: str, *, again: bool) -> None:
    """What `flows.initial_sync` does, in its order."""
    run = RunRef(run_id, INITIAL_FLOW, connector, config)
    with only_run(run):
        kinds = begin(run)
        if is_complete(run) and not again:
            return
        done = frozenset() if again else finished_kinds(run, kinds)
        schema = replicate_schema.fn(run)
        with ThreadPoolExecutor() as pool:
            futures = {kind: pool.submit(extract.fn, run, kind, INITIAL, schema) for kind in kinds if kind not in done}
            for future in futures.values():
                flows.pull.bring_in(run, future.result(), schema)
        verify.fn(run)
        installation(config).market.runs.finish(run_id, "completed", now(), summary={}, report="")


def pass_unchecked(run: RunRef, ref: ParcelRef) -> None:
    with installation(run.config).parcels.open(ref) as parcel:
        parcel.tell("state", CHECKED)


def push_road(config: str, run_id: str, connector: str, flow: str, *, gate: bool) -> None:
    """What `flows.push_only` does, in its order."""
    if not gate:
        setattr(flows.push, "check_outgoing", pass_unchecked)  # noqa: B010  the module names a task there
    run = RunRef(run_id, flow, connector, config)
    with only_run(run):
        begin_following(run)
        flows.push.push(run, PUSHES[flow], now())


def say(answer: int, **words: Any) -> None:
    os.write(answer, json.dumps(words).encode() + b"\n")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


class Trouble:
    """Makes at the chosen signs of life what the order asks for."""

    def __init__(self, order: Order, answer: int) -> None:
        self._kills: list[Order] = order.get("kills") or []
        self._left = [int(kill["nth"]) for kill in self._kills]
        self._full: Order = order.get("full") or {}
        self._answer = answer
        self._lock = threading.Lock()
        if self._full and "verb" not in self._full:
            fill_disk(self._full["bytes"])

    def __call__(self, step: Step) -> None:
        if (step.kind, step.verb) == (self._full.get("kind"), self._full.get("verb")):
            fill_disk(self._full["bytes"])
        with self._lock:
            for number, kill in enumerate(self._kills):
                if (step.kind, step.verb, step.ended) == (kill["kind"], kill["verb"], kill["ended"]):
                    self._left[number] -= 1
                    if self._left[number] == 0:
                        self._strike(number, kill["after_s"])

    def _strike(self, number: int, after_s: float) -> None:
        self._kills = []
        say(self._answer, hit=number)
        if not after_s:
            die()
        timer = threading.Timer(after_s, die)
        timer.daemon = True
        timer.start()


def work(order: Order, answer: int) -> None:
    """One run in its own process; what it raises goes to the pipe."""
    os.environ.update(order.get("secrets") or {})
    if order.get("flush_bytes"):
        assert hasattr(tasks.extract, "_FLUSH_BYTES")
        tasks.extract._FLUSH_BYTES = order["flush_bytes"]
    try:
        with listening(Trouble(order, answer)):
            if "flow" in order:
                push_road(order["config"], order["run_id"], order["connector"], order["flow"], gate=order.get("gate", True))
            else:
                road(order["config"], order["run_id"], order["connector"], again=bool(order.get("again")))
    except MarketsyncError as error:
        say(answer, error=type(error).__name__, text=str(error), exit_code=error.exit_code)
    except BaseException as error:  # noqa: BLE001  the test shows it
        say(answer, error=type(error).__name__, text=traceback.format_exc()[-4000:])


def start(order: Order) -> tuple[int, int]:
    """→ the id of the new process, and where its answer will come from."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(2, 1)
        work(order, writing)
        os._exit(0)
    os.close(writing)
    return child, reading


def finish(child: int, reading: int) -> Order:
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    _, status = os.waitpid(child, 0)
    found: Order = {key: value for line in said.splitlines() for key, value in json.loads(line).items()}
    return {**found, "signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else found


def obey(order: Order, left: dict[int, int]) -> Order:
    if "wait" in order:
        return finish(order["wait"], left.pop(order["wait"]))
    child, reading = start(order)
    if order.get("leave"):
        left[child] = reading
        return {"left": child}
    if "after_s" in order:
        time.sleep(order["after_s"])
        os.kill(child, signal.SIGKILL)
    return finish(child, reading)


def only_thread() -> None:
    """What is forked must have no other thread: one that holds a lock of a library would never give it back in the new process.

    DuckDB starts one when it is imported; numpy's and Arrow's are switched off by `running_driver`.
    """
    duckdb.default_connection().execute("SET threads = 1")
    threads = [(each / "comm").read_text().strip() for each in Path("/proc/self/task").glob("*")]  # Linux says which there are
    assert len(threads) <= 1, threads


def main() -> None:
    faulthandler.enable()  # a process that crashes by itself says where
    only_thread()
    left: dict[int, int] = {}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line), left)), flush=True)


if __name__ == "__main__":
    main()
