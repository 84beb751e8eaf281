"""What loading Great Expectations costs, that nothing is missing afterwards, and its own pages."""

from __future__ import annotations

import subprocess
import sys

import duckdb

from expectations import engine
from expectations.rules import Expectation

_LOADS = """
import sys
from expectations import engine
engine.load()
assert "scipy.stats._continuous_distns" not in sys.modules, "loaded although nobody asked for it"
from scipy import stats
assert round(stats.norm.cdf(0.0), 6) == 0.5
"""


def test_distributions_are_loaded_only_when_somebody_asks_for_one() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _LOADS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_gate_4_a_check_that_can_not_be_evaluated_has_its_place_in_data_docs_as_well() -> None:
    """The page is an extra: nothing that a batch may hold keeps it from being made, or changes the answers."""
    con = duckdb.connect()
    con.execute("CREATE VIEW staged AS SELECT 'c1' AS crm_id")
    asked = {
        "gone": Expectation("ExpectColumnValuesToNotBeNull", {"column": "email"}),
        "never": Expectation("ExpectNothingOfTheKind", {}),
        "there": Expectation("ExpectColumnValuesToNotBeNull", {"column": "crm_id"}),
    }
    pages: list[str] = []
    answers = engine.evaluate(con, asked, "acme-contact-1", pages.append)
    assert answers == engine.evaluate(con, asked, "acme-contact-1")
    assert (answers["gone"].bad, answers["never"].bad, answers["there"].bad) == (None, None, 0)
    assert len(pages) == 1 and "acme-contact-1" in pages[0]
    assert engine.evaluate(con, {"never": asked["never"]}, "acme-contact-1", pages.append)["never"].bad is None
