"""Writing report pages. Each page is one file: no script, no address of another machine, everything from outside escaped.

<reports>/index.html             the latest runs, and the days
<reports>/days/2026-11-28.html   all runs of one day
<reports>/checks.html            which check failed how often, over the last days
<reports>/overview.html          where the sync stands
<reports>/<run_id>/index.html    the page of one run
<reports>/<run_id>/report.json   the same as data

What a run adds costs the same however many runs there are: its own page, its day's, and the three at the top (`listing`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from adapters.reports import listing, words
from adapters.reports.listing import RUN_ID, Kept, RunList, locked, replace_file
from sync.errors import ConfigError
from sync.report import RunReport, to_json
from sync.report_list import Line, line_of, rows_of
from sync.trend import check_trends, days_until, runs_by_day

_PAGE = "index.html"

_ENVIRONMENT = Environment(
    loader=PackageLoader("adapters.reports"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(words.FILTERS)


def render(template: str, **shown: Any) -> str:
    """A page made of one of our templates."""
    return _ENVIRONMENT.get_template(template).render(**shown)


def write_report(report: RunReport, reports_dir: Path) -> Path:
    """Writes the page and the data of one run, puts the run into the list, and returns the page. Writing a run again replaces it.

    ConfigError if the run id can't be a folder's name. OSError if the disk refuses.
    """
    if not RUN_ID.fullmatch(report.run_id):
        raise ConfigError(
            "the run id can't be used as a folder name",
            where="quality report",
            todo="Use letters, digits, dots, dashes and underscores only.",
        )
    folder = reports_dir / report.run_id
    folder.mkdir(parents=True, exist_ok=True)
    page = render("run.html", report=report, **words.sections(report))
    replace_file(folder / "report.json", to_json(report))
    replace_file(folder / _PAGE, page)
    line = line_of(report)
    with locked(reports_dir):
        runs, lines = listing.add(reports_dir, line)
        _write_day(reports_dir, line["started_at"][:10], lines)
        _write_top(reports_dir, runs)
    return folder / _PAGE


def write_index(reports_dir: Path) -> Path:
    """Writes the front page and that of the checks; returns the front page."""
    with locked(reports_dir):
        _write_top(reports_dir, listing.read_list(reports_dir))
    return reports_dir / _PAGE


def prune(reports_dir: Path, keep: Kept, now: datetime) -> frozenset[str]:
    """Removes the pages that are old enough (`listing.tidy`); → the ids of their runs. Looks once a day; `now` is aware."""
    with locked(reports_dir):
        if not listing.is_due(reports_dir, now):
            return frozenset()
        gone, changed = listing.tidy(reports_dir, keep, now)
        runs = listing.read_list(reports_dir)
        for day in changed & runs.days.keys():
            _write_day(reports_dir, day, listing.lines_of(reports_dir, day))
        _write_top(reports_dir, runs)
    return gone


def _write_day(reports_dir: Path, day: str, lines: Iterable[Line]) -> None:
    rows = rows_of(lines)
    page = render("day.html", day=date.fromisoformat(day), rows=rows, runs=sum(r.get("times", 1) for r in rows))
    replace_file(reports_dir / "days" / f"{day}.html", page)


def _write_top(reports_dir: Path, runs: RunList) -> None:
    """The front page and the checks. The days end with the newest that has a run, so that a page that nobody rewrites stays right."""
    last = date.fromisoformat(max(runs.days)) if runs.days else datetime.now(UTC).date()
    days = days_until(last)
    shown = {
        "days": days,
        "counts": runs.days,
        "runs_by_day": {what: runs_by_day(runs.days, days, what) for what in ("runs", "failed", "held")},
    }
    index = render("runs.html", rows=runs.latest, overview=(reports_dir / "overview.html").exists(), **shown)
    checks = render("checks.html", trends=check_trends(runs.days, days), **shown)
    replace_file(reports_dir / "checks.html", checks)
    replace_file(reports_dir / _PAGE, index)
