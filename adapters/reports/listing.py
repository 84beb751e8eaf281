"""The files behind the list of all runs. What one run adds to it costs the same however many runs there are.

<reports>/list.json                  the latest lines, what each day adds up to, the newest run of each flow
<reports>/days/2026-11-28.jsonl      one line per run of that day
<reports>/index.jsonl                the list of an earlier release; taken over once
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sync.report_list import LATEST, Line, day_counts, day_of, is_line, newest_of, routine, with_run, without_page

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LIST, _DAYS, _EARLIER = "list.json", "days", "index.jsonl"


@dataclass
class RunList:
    """`latest`: rows as the front page shows them. `days`: day → its counts (`sync.report_list.day_counts`). `newest`: connector and
    flow → run id. `tidied`: the day on which old pages were last removed."""

    latest: list[Line] = field(default_factory=list)
    days: dict[str, Line] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    tidied: str = ""


def replace_file(path: Path, text: str) -> None:
    """The whole file or the old one: a reader never sees half a page. Lone surrogates from a CRM must not stop a report."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8", errors="replace")
    draft.replace(path)


@contextmanager
def locked(reports_dir: Path) -> Iterator[None]:
    """Several runs end at the same time: one after the other writes the list. The lock dies with its process."""
    reports_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(reports_dir / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read_list(reports_dir: Path) -> RunList:
    """What stands in the file; made anew from the days' lines if it is missing or damaged."""
    try:
        return RunList(**json.loads((reports_dir / _LIST).read_text(encoding="utf-8")))
    except (FileNotFoundError, json.JSONDecodeError, TypeError):
        return _made_anew(reports_dir)


def _write_list(reports_dir: Path, runs: RunList) -> None:
    replace_file(reports_dir / _LIST, json.dumps(vars(runs), ensure_ascii=False))


def add(reports_dir: Path, line: Line) -> tuple[RunList, list[Line]]:
    """Notes a run down. → the list, and the lines of its day. The caller holds the lock."""
    runs, day = read_list(reports_dir), day_of(line)
    if not any(each["run_id"] == line["run_id"] for each in runs.latest):
        flow = f"{line['connector']} {line['flow']}"
        runs.newest[flow] = line["run_id"]
    runs.latest = with_run(runs.latest, line, LATEST)
    path = _path(reports_dir, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(_text([line]))
    lines = lines_of(reports_dir, day)
    runs.days = dict(sorted({**runs.days, day: day_counts(lines)}.items(), reverse=True))
    _write_list(reports_dir, runs)
    return runs, lines


def lines_of(reports_dir: Path, day: str) -> list[Line]:
    """One line per run of that day, the last one of a run that was written twice. What a crash cut off is passed over: the report is
    there, only its line is lost."""
    runs: dict[str, Line] = {}
    for found in _read(_path(reports_dir, day)):
        runs[found["run_id"]] = found
    return list(runs.values())


def _read(path: Path) -> Iterator[Line]:
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found = json.loads(text)
        except json.JSONDecodeError:
            continue
        if is_line(found) and RUN_ID.fullmatch(str(found["run_id"])) and _DAY.fullmatch(day_of(found)):
            yield found


def _path(reports_dir: Path, day: str) -> Path:
    return reports_dir / _DAYS / f"{day}.jsonl"


def _text(lines: Iterable[Line]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _made_anew(reports_dir: Path) -> RunList:
    """Once, after an upgrade or a damage: reads every line there is, and no report."""
    earlier = reports_dir / _EARLIER
    by_day: dict[str, list[Line]] = {}
    for line in _read(earlier):
        by_day.setdefault(day_of(line), []).append(line)
    for day, lines in by_day.items():
        path = _path(reports_dir, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, _text([*lines, *_read(path)]))
    runs = RunList()
    every: list[Line] = []
    for day in sorted(path.stem for path in (reports_dir / _DAYS).glob("*.jsonl")):
        lines = lines_of(reports_dir, day)
        runs.days = {day: day_counts(lines), **runs.days}
        every = [*every, *lines]
        for line in sorted(lines, key=lambda each: str(each["started_at"])):
            runs.latest = with_run(runs.latest, line, LATEST)
    runs.newest = newest_of(every)
    _write_list(reports_dir, runs)
    earlier.unlink(missing_ok=True)
    return runs


@dataclass(frozen=True, slots=True)
class Kept:
    """How long: `all_days` whatever it is, `routine_days` the pages that say nothing beyond their line."""

    all_days: int
    routine_days: int


def tidy(reports_dir: Path, keep: Kept, now: datetime) -> tuple[frozenset[str], frozenset[str]]:
    """Removes old pages; → the runs whose pages went, and the days whose lines changed or went. The newest run of each connector and
    flow stays. `now` is aware. The caller holds the lock."""
    runs = read_list(reports_dir)
    oldest, plain = (str((now - timedelta(days=days)).date()) for days in (keep.all_days, keep.routine_days))
    newest = frozenset(runs.newest.values())
    gone: set[str] = set()
    changed: set[str] = set()
    for day in [day for day, counts in runs.days.items() if day < oldest or (day < plain and not counts.get("thinned"))]:
        lines = lines_of(reports_dir, day)
        went = _old(lines, newest) if day < oldest else routine(lines, newest)
        for run_id in went:
            shutil.rmtree(reports_dir / run_id, ignore_errors=True)
        left = [without_page(line) if line["run_id"] in went else line for line in lines if day >= oldest or line["run_id"] not in went]
        _settle_day(reports_dir, runs, day, left)
        gone |= went
        changed.add(day)
    runs.latest = [
        without_page(row) if row["run_id"] in gone else row for row in runs.latest if day_of(row) >= oldest or row["run_id"] in newest
    ]
    runs.tidied = str(now.date())
    _write_list(reports_dir, runs)
    return frozenset(gone), frozenset(changed)


def _old(lines: list[Line], newest: frozenset[str]) -> frozenset[str]:
    return frozenset(line["run_id"] for line in lines) - newest


def _settle_day(reports_dir: Path, runs: RunList, day: str, left: list[Line]) -> None:
    path = _path(reports_dir, day)
    if left:
        replace_file(path, _text(left))
        runs.days[day] = {**day_counts(left), "thinned": True}
        return
    path.unlink(missing_ok=True)
    path.with_suffix(".html").unlink(missing_ok=True)
    del runs.days[day]


def is_due(reports_dir: Path, now: datetime) -> bool:
    """Whether old pages are to be looked for: once a day, because that reads more than one day's lines."""
    return read_list(reports_dir).tidied != str(now.date())
