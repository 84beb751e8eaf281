"""The page on which all connectors stand side by side: <reports>/overview.html."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.reports.listing import replace_file
from adapters.reports.pages import render, write_index
from sync.alerts import Alert
from sync.standing import Standing, flow_state, how_long


def write_overview(standings: Sequence[Standing], alerts: Sequence[Alert], reports_dir: Path, now: datetime) -> Path:
    """`now`: when this was so, UTC. Replaces the page as a whole. OSError if the disk refuses."""
    reports_dir.mkdir(parents=True, exist_ok=True)
    wrong = [alert for alert in alerts if alert.over_at is None]
    shown = [_shown(each, now) for each in standings]
    page = render("overview.html", now=now, connectors=shown, alerts=wrong, ago=lambda at: how_long(now - at))
    path = reports_dir / "overview.html"
    first = not path.exists()
    replace_file(path, page)
    if first:
        write_index(reports_dir)  # which leads to it from now on
    return path


def _shown(standing: Standing, now: datetime) -> dict[str, Any]:
    return {"standing": standing, "flows": [(flow, *flow_state(flow, now)) for flow in standing.flows], "report": _report_link}


def _report_link(report: str) -> str:
    """From the page of a run on the disk to a link beside the overview; empty: there is none."""
    path = Path(report)
    return f"{path.parent.name}/{path.name}" if report and path.name == "index.html" else ""
