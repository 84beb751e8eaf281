"""One run of the time-sensitive flow with nothing to do, in a process of its own, phase by phase: a line of JSON.

    python -m bench.idle_run command|flow CONFIG

`command` is what `marketsync run time-sensitive` does where no Prefect server is named; `flow` calls the flow, for which PREFECT_API_URL
has to name one. Our own work is everything from the lock to the pulse; the engine's is what remains of the flow.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_spent: dict[str, dict[str, float]] = {}


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Seconds of the wall clock, and of the CPU by all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        _spent[name] = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        with phase(name):
            return function(*given, **named)

    return call


def command(config: str) -> None:
    with phase("import"):
        import flows.cli_recurring
        from sync.push import TIME_SENSITIVE
        from tasks import engine, idle, operate, recurring  # noqa: F401

        assert flows.cli_recurring
    with phase("our work"):
        name = operate.connector_named(config, None)
        recurring.refuse_too_early(config, name, operate.TIME_SENSITIVE_FLOW)
        said = idle.whole_idle_run(config, operate.TIME_SENSITIVE_FLOW, name, TIME_SENSITIVE)
    if said is None:
        raise SystemExit("something waited")


def flow(config: str) -> None:
    with phase("import of Prefect"):
        import prefect  # noqa: F401
    with phase("import"):
        import flows.push_only
        import flows.time_sensitive_sync as module
    said = timed("saying it", flows.push_only.create_markdown_artifact)
    vars(flows.push_only)["create_markdown_artifact"] = said
    vars(module)["push_only"] = timed("our work", module.push_only)
    with phase("engine"):
        module.time_sensitive_sync("acme", config=config)
    artifact = _spent.pop("saying it")  # KeyError: something waited
    for spent, of_ours in ((_spent["our work"], artifact), (_spent["engine"], _spent["our work"])):
        for clock in spent:
            spent[clock] -= of_ours[clock]


if __name__ == "__main__":
    {"command": command, "flow": flow}[sys.argv[1]](sys.argv[2])
    print(json.dumps(_spent))
