"""A rerun by a worker on another machine, which has Market but not the data directory of the first one (FLOW-3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect import flow, task

import tasks.wiring
from sync.records import RunRef
from tasks.wiring import RETRY, installation
from tests.flows.command import configured


@pytest.mark.usefixtures("prefect_server")
def test_flow_3_a_finished_step_is_repeated_only_where_what_it_staged_is_not(tmp_path: Path) -> None:
    config = str(configured(tmp_path) / "marketsync.toml")
    run = RunRef("one", "core-sync", "acme", config)
    staged: list[str] = []

    @task(**RETRY)
    def stage(run: RunRef) -> str:
        staged.append(installation(run.config).mark)
        return run.run_id

    @flow
    def tried_twice_here_and_then_on_another_machine() -> None:
        stage(run)
        stage(run)
        assert len(staged) == 1
        (tmp_path / "data").rename(tmp_path / "data of the first machine")
        tasks.wiring._mark_of.cache_clear()  # another machine is another process
        stage(run)
        stage(run)

    tried_twice_here_and_then_on_another_machine()
    assert len(staged) == len(set(staged)) == 2
