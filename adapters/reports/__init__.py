"""Reports as pages: one folder per run with `index.html` and `report.json`, and the list of all runs."""

from adapters.reports.listing import Kept
from adapters.reports.pages import prune, write_index, write_report

__all__ = ["Kept", "prune", "write_index", "write_report"]
