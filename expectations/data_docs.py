"""Great Expectations' own page of one batch (Data Docs), for whoever knows these pages from elsewhere.

It is plain text and tables without the internet: its style sheets and scripts lie there. Our own report needs nothing from outside
(`adapters.reports`). The page shows counts; where a check could not be evaluated it shows the engine's words, which may repeat a value.
"""

from __future__ import annotations

import importlib
from typing import Any


def page(result: Any) -> str:
    """One HTML page of a validation result."""
    renderer: Any = importlib.import_module("great_expectations.render.renderer")
    view: Any = importlib.import_module("great_expectations.render.view")
    return str(view.DefaultJinjaPageView().render(renderer.ValidationResultsPageRenderer().render(result)))
