"""FLOW-3 as the person on call meets it: a real Prefect server, a real worker, and runs that fail and are retried."""

from __future__ import annotations

from pathlib import Path

from tests.core_road import core_road
from tests.operating.engine import Engine


def test_a_worker_runs_a_deployment_to_its_end(worker: Engine, tmp_path: Path, postgres_url: str) -> None:
    with core_road(tmp_path, postgres_url) as road:
        deployment = worker.deploy("tests.operating.quick_flows.core_sync", connector="acme", config=road.road.config)
        run = worker.start(deployment)
        assert worker.ended(run) == "Completed", worker.message(run)
