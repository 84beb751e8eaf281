"""What `make bench` measured last, as tables: docs/measured.md is made of bench/results/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_RESULTS = Path(__file__).parent.parent / "bench" / "results"
_NOTHING = "nothing to do"
_PLURALS = {"web activity": "web activities"}


def measured_tables() -> str:
    """The first sync, the core sync, the pushes, a run with nothing to do; each with its table."""
    return "\n".join([*_first_sync(_read("latest")), *_following(_read("following")), *_pushing(_read("pushing")), *_idle(_read("idle"))])


def _read(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return read


def _first_sync(result: dict[str, Any]) -> list[str]:
    rows = [
        f"| {each['route'].replace('ours', 'marketsync')} | {each['rows']:,} | {each['rows_per_s']:,} | {each['peak_mb']:,.0f} MB |"
        + f" {_steps(each['seconds'])} |"
        for each in result["outcomes"]
        if _NOTHING not in each["route"]
    ]
    head = ["| route | contacts | rows per second | most memory | seconds |", "|---|--:|--:|--:|---|"]
    ratios = [f"| {name.replace('ours', 'marketsync')} | {ratio:.2f} |" for name, ratio in result["ratios"].items()]
    beside = ["| side by side | ratio |", "|---|--:|", *ratios]
    return ["## The first sync", "", _FIRST, "", *head, *rows, "", *beside, "", *_idle_core(result), ""]


def _idle_core(result: dict[str, Any]) -> list[str]:
    found = [each["seconds"]["all"] for each in result["outcomes"] if _NOTHING in each["route"]]
    text = "`marketsync run core` took {:.1f} s from the command line to its end when nothing had changed: nearly all of it is starting up."
    return [text.format(seconds) for seconds in found]


_FIRST = """Contacts of 43 columns, about 1.5 kB each. Every route ran over the same server and database, one after another. "bare" is a
copy without staging, rules or checks, and dlt has no rules or checks either."""


def _steps(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {took:.1f}" for name, took in seconds.items())


def _following(result: dict[str, Any]) -> list[str]:
    rows = [
        f"| {_named(each['backend'])} | {each['size']:,} | {each['changed']['seconds']:.2f} s | {each['idle']['seconds']:.2f} s |"
        + f" {each['idle']['calls']} |"
        for each in result["costs"]
    ]
    text = (
        f"{result['changed']:,} changed contacts, and then nothing changed, against Markets of two sizes: the median of "
        f"{result['cycles']} runs, the flow's own steps without the start of the process."
    )
    head = ["| Market | contacts in it | changes | nothing changed | calls |", "|---|--:|--:|--:|--:|"]
    return ["## A core sync", "", text, "", *head, *rows, ""]


def _pushing(result: dict[str, Any]) -> list[str]:
    head = ["| Market | kind | calls per 1,000 rows | rows per second |", "|---|---|--:|--:|"]
    rows = [
        f"| {_named(each['backend'])} | {_PLURALS.get(each['kind'], each['kind'] + 's')}"
        + f" | {each['all_calls_per_1000']:g} | {each['rows_per_s']:,} |"
        for each in result["kinds"]
    ]
    idle = ["| Market | flow | rows in the outbox | calls | CPU |", "|---|---|--:|--:|--:|"]
    idle += [
        f"| {_named(each['backend'])} | {each['flow']} | {each['outbox']:,} | {each['calls']} | {each['cpu ms']:.0f} ms |"
        for each in result["idle"]
    ]
    said = "Calls count everything: looking up before and reading back after included. The last table is a run that finds nothing ready."
    return ["## Pushes", "", said, "", *head, *rows, "", *idle, ""]


def _idle(result: dict[str, Any]) -> list[str]:
    head = ["| Market | how | wall clock | CPU | CPU of its parts |", "|---|---|--:|--:|---|"]
    rows = [
        f"| {_named(each['backend'])} | {each['way']} | {each['process']['wall']:.1f} s | {each['process']['cpu']:.1f} s"
        + f" | {_parts(each)} |"
        for each in result["idle"]
    ]
    return ["## A run with nothing to do", "", _IDLE, "", *head, *rows, ""]


_IDLE = """A whole process of the time-sensitive flow, from its start to its end. By command line, where no Prefect server is named, it ends
before a flow engine is loaded. Our work is everything from the lock to the pulse: may it run, does anything wait. The parts were
measured in processes of their own, on a machine that was busy with other things: the wall clock is an upper bound, CPU is what counts."""


def _parts(found: dict[str, Any]) -> str:
    parts = {name: spent for name, spent in found.items() if isinstance(spent, dict) and name != "process"}
    return ", ".join(f"{name} {spent['cpu'] * 1_000:.0f} ms" for name, spent in parts.items())


def _named(backend: str) -> str:
    return {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(backend, backend)
