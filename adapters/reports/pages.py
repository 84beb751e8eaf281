"""Writing report pages. Each page is one file: no script, no address of another machine, everything from outside escaped.

<reports>/index.html            the list of runs
<reports>/index.jsonl           one line per run; the list is made from it, never from the reports themselves
<reports>/<run_id>/index.html   the page of one run
<reports>/<run_id>/report.json  the same as data
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from adapters.reports import words
from sync.errors import ConfigError
from sync.report import RunReport, summary, to_json

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LISTED_RUNS = 500
_LIST = "index.jsonl"
_PAGE = "index.html"

_ENVIRONMENT = Environment(
    loader=PackageLoader("adapters.reports"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(words.FILTERS)


def write_report(report: RunReport, reports_dir: Path) -> Path:
    """Writes the page and the data of one run, adds the run to the list, and returns the page. Writing a run again replaces it.

    ConfigError if the run id can't be a folder's name. OSError if the disk refuses.
    """
    if not _RUN_ID.fullmatch(report.run_id):
        raise ConfigError(
            "the run id can't be used as a folder name",
            where="quality report",
            todo="Use letters, digits, dots, dashes and underscores only.",
        )
    folder = reports_dir / report.run_id
    folder.mkdir(parents=True, exist_ok=True)
    page = _ENVIRONMENT.get_template("run.html").render(report=report, **words.sections(report))
    _replace(folder / "report.json", to_json(report))
    _replace(folder / _PAGE, page)
    with (reports_dir / _LIST).open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(summary(report), ensure_ascii=False) + "\n")
    return folder / _PAGE


def write_index(reports_dir: Path) -> Path:
    """Writes the list of the latest runs, newest first. Reads one short line per run."""
    runs = sorted(_summaries(reports_dir), key=lambda run: str(run["started_at"]), reverse=True)
    page = _ENVIRONMENT.get_template("runs.html").render(runs=runs[:_LISTED_RUNS], older=max(len(runs) - _LISTED_RUNS, 0))
    reports_dir.mkdir(parents=True, exist_ok=True)
    _replace(reports_dir / _PAGE, page)
    return reports_dir / _PAGE


def prune(reports_dir: Path, keep_days: int, now: datetime) -> int:
    """Removes the reports of runs that started more than `keep_days` days before `now` (aware); returns how many. Rewrites the list."""
    oldest = now - timedelta(days=keep_days)
    runs = _summaries(reports_dir)
    old = [run for run in runs if datetime.fromisoformat(run["started_at"]) < oldest]
    for run in old:
        shutil.rmtree(reports_dir / run["run_id"], ignore_errors=True)
    if old:
        gone = {run["run_id"] for run in old}
        _replace(reports_dir / _LIST, _lines(run for run in runs if run["run_id"] not in gone))
        write_index(reports_dir)
    return len(old)


def _summaries(reports_dir: Path) -> list[dict[str, Any]]:
    """One per run, the last line of a run that was written twice. A line that a crash cut off is passed over."""
    runs: dict[str, dict[str, Any]] = {}
    path = reports_dir / _LIST
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            run = json.loads(line)
        except json.JSONDecodeError:
            # The report itself is there; only its line in the list is lost.
            continue
        if isinstance(run, dict) and _RUN_ID.fullmatch(str(run.get("run_id", ""))):
            runs[run["run_id"]] = run
    return list(runs.values())


def _lines(runs: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(run, ensure_ascii=False) + "\n" for run in runs)


def _replace(path: Path, text: str) -> None:
    """The whole file or the old one: a reader never sees half a page. Lone surrogates from a CRM must not stop a report."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8", errors="replace")
    draft.replace(path)
