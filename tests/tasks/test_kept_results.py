"""What a retried run needs is kept for a week and no longer (FLOW-3)."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tasks.report import prune_runs
from tests.pull_road import pull_road


def test_results_of_finished_steps_go_after_a_week_wherever_they_lie(tmp_path: Path) -> None:
    with pull_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}") as road:
        road.home.run_dir("run-1")
        for folder in ("results", "engine/results"):
            place = road.home.data_dir / folder
            place.mkdir(parents=True)
            for name, days in (("fresh", 6), ("old", 8)):
                (place / name).write_text("{}")
                os.utime(place / name, (0, time.time() - days * 86_400))
        prune_runs(road.home, ())
        left = [path.name for path in road.home.data_dir.rglob("results/*")]
    assert left == ["fresh", "fresh"]
