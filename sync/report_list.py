"""The list of all runs as data: one line per run, what a day's lines add up to, and which pages may go.

A line is `sync.report.summary` and what the checks of the run found. The list is made from lines alone, never from the reports themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sync.gate import Status
from sync.report import RunReport, summary
from sync.report_batches import together

Line = dict[str, Any]

LATEST = 100
"""How many lines the front page shows; the others stand on the pages of their days."""

_ALWAYS_KEPT = ("initial-sync",)


def line_of(report: RunReport) -> Line:
    """One run's line. `checked`: per kind how many batches were checked and how many records they had; `failed_checks`: each check that
    did not pass, with the rows that failed it and whether it stopped its batch."""
    checked: dict[str, dict[str, int]] = {}
    failed: list[Line] = []
    for part in together(report.parcels):
        if not part.checks:
            continue
        counts = checked.setdefault(part.kind.value, {"batches": 0, "rows": 0})
        counts["batches"] += 1
        counts["rows"] += part.counts.read
        failed += [
            {
                "kind": part.kind.value,
                "rule": each.rule,
                "title": each.title,
                "reason": each.reason,
                "rows": each.failed,
                "stopped": each.stops,
            }
            for each in part.checks
            if each.status is not Status.PASSED
        ]
    return {**summary(report), "checked": checked, "failed_checks": failed}


def day_of(line: Line) -> str:
    """The day that the run is listed under: that of its start, UTC, as 2026-11-28."""
    return str(line["started_at"])[:10]


def with_run(rows: Sequence[Line], line: Line, most: int | None = None) -> list[Line]:
    """`rows`, the newest first, with one more run. A run that is told again replaces its line.

    A run that failed like the one before it, of the same flow and connector and with the same error, takes that one's line over: `times`
    says how often, `since` since when (a start, ISO). A dead password makes one line, not 720 a day.
    """
    again = next((row for row in rows if row["run_id"] == line["run_id"]), None)
    before = next((row for row in rows if _flow(row) == _flow(line)), None)
    if again is not None:
        line = {**line, **{name: again[name] for name in ("times", "since") if name in again}}
    elif before is not None and _fails_alike(before, line):
        line = {**line, "times": before.get("times", 1) + 1, "since": before.get("since", before["started_at"])}
        again = before
    kept = [row for row in rows if row is not again]
    return sorted([line, *kept], key=lambda row: str(row["started_at"]), reverse=True)[:most]


def _flow(row: Line) -> tuple[str, str]:
    return row["connector"], row["flow"]


def _fails_alike(before: Line, line: Line) -> bool:
    told = ("state", "error", "read", "held")
    return line["state"] == "failed" and line["started_at"] >= before["started_at"] and all(line.get(n) == before.get(n) for n in told)


def rows_of(lines: Iterable[Line]) -> list[Line]:
    """The rows of a day's page, the newest first."""
    rows: list[Line] = []
    for line in sorted(lines, key=lambda each: str(each["started_at"])):
        rows = with_run(rows, line)
    return rows


def day_counts(lines: Collection[Line]) -> Line:
    """What a day's lines add up to. `checks`: per connector, kind and check in how many runs it did not pass, the rows that failed it and
    how often it stopped a batch; `checked`: per connector and kind in how many runs it was checked, and how many records."""
    checks: dict[tuple[str, str, str], Line] = {}
    checked: dict[tuple[str, str], Line] = {}
    for line in lines:
        connector = line["connector"]
        for kind, counts in line.get("checked", {}).items():
            sums = checked.setdefault((connector, kind), {"connector": connector, "kind": kind, "runs": 0, "rows": 0})
            sums["runs"] += 1
            sums["rows"] += counts["rows"]
        for each in line.get("failed_checks", ()):
            none = {"connector": connector, "runs": 0, "rows": 0, "stopped": 0}
            sums = checks.setdefault((connector, each["kind"], each["rule"]), none)
            sums |= {name: each[name] for name in ("kind", "rule", "title", "reason")}
            sums["runs"] += 1
            sums["rows"] += each["rows"]
            sums["stopped"] += bool(each["stopped"])
    return {
        "runs": len(lines),
        "failed": sum(line["state"] in ("failed", "rejected") for line in lines),
        "held": sum(line["held"] for line in lines),
        "refused": sum(line.get("refused", 0) for line in lines),
        "checks": list(checks.values()),
        "checked": list(checked.values()),
    }


def noteworthy(line: Line) -> bool:
    """Whether somebody may want to open the page of this run weeks later."""
    quiet = line["state"] == "completed" and not any(line.get(name) for name in ("held", "refused", "findings", "failed_checks"))
    return not quiet or line["flow"] in _ALWAYS_KEPT


def routine(lines: Iterable[Line], newest: Collection[str]) -> frozenset[str]:
    """Of a day's runs those whose pages say nothing that their line does not: all went well, or they failed like the run before them and
    the one after. `newest` (run ids) stay in any case."""
    by_flow: dict[tuple[str, str], list[Line]] = {}
    for line in sorted(lines, key=lambda each: str(each["started_at"])):
        by_flow.setdefault(_flow(line), []).append(line)
    gone = {line["run_id"] for same in by_flow.values() for line in same if not noteworthy(line)}
    for same in by_flow.values():
        triples = zip(same, same[1:], same[2:], strict=False)
        gone |= {line["run_id"] for first, line, last in triples if _fails_alike(first, line) and _fails_alike(line, last)}
    return frozenset(gone) - frozenset(newest)


def newest_of(lines: Iterable[Line]) -> dict[str, str]:
    """Connector and flow → the run id of their newest line."""
    newest: dict[str, Line] = {}
    for line in lines:
        key = " ".join(_flow(line))
        if key not in newest or str(line["started_at"]) >= str(newest[key]["started_at"]):
            newest[key] = line
    return {key: line["run_id"] for key, line in newest.items()}


def without_page(line: Line) -> Line:
    """A line whose page was removed."""
    return {**line, "page": False}


def is_line(found: object) -> bool:
    """Whether what stands in the file is a line: a crash cuts lines off, and a person may write one."""
    needed = {"run_id", "flow", "connector", "started_at", "ended_at", "state", "read", "written", "held", "headline"}
    return isinstance(found, Mapping) and needed <= found.keys()
