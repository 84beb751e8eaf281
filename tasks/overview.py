"""The page that shows all connectors: written at the end of every run that left a report, by `status --page` and by `alerts`."""

from __future__ import annotations

from pathlib import Path

from adapters.reports.overview import write_overview as write
from sync.disk import disk_errors
from tasks.standing import standing_of
from tasks.wiring import installation, now


def write_overview(config: str) -> Path:
    """→ the page. Needs `has_market`. Raises MarketUnavailable, StagingFailed. Asks no CRM."""
    home = installation(config)
    standings = tuple(standing_of(config, name) for name in home.settings.connectors)
    with disk_errors("overview"):
        return write(standings, home.market.alerts.list(), home.reports_dir, now())
