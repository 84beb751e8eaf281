"""Reports as pages: one folder per run with `index.html` and `report.json`, and one list of all runs."""

from adapters.reports.pages import prune, write_index, write_report

__all__ = ["prune", "write_index", "write_report"]
