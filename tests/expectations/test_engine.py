"""What loading Great Expectations costs, and that nothing is missing afterwards."""

from __future__ import annotations

import subprocess
import sys

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
