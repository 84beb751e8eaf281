"""A run with nothing to do is as cheap as it can be: it ends before anything heavy is loaded (FLOW-4), and keeps the rules all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sync.records import RunRef
from tasks.idle import only_run
from tasks.operate import EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tests.flows.command import ROOT, clean_environment, run, typed
from tests.push_road import PushRoad, push_road

HEAVY = {"prefect", "great_expectations", "pandas", "numpy", "pyarrow", "duckdb", "adbc_driver_sqlite", "requests", "alembic", "jinja2"}
_LOADED = (
    "import json, sys; sys.argv = ['marketsync', *{words!r}]\ntry:\n    from flows.cli import main; main()\nexcept SystemExit as end:\n"
)
_LOADED += "    print(json.dumps([end.code, sorted(set(sys.modules) & set({heavy!r}))]))\n"


def loaded_by(config: str, *words: str) -> tuple[int, str, set[str]]:
    """Exit code, what was said, and which heavy libraries the process had loaded at its end."""
    program = _LOADED.format(words=["--config", config, *words], heavy=sorted(HEAVY))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True)
    *said, last = done.stdout.strip().splitlines()
    code, heavy = json.loads(last)
    return code or 0, "\n".join(said), set(heavy)


def traces(road: PushRoad) -> tuple[int, int, int]:
    """Runs in Market, calls of the CRM, folders of runs."""
    home = road.core.road.home
    return len(home.market.runs.list()), road.control.call_count(), len(list(home.data_dir.glob("runs/*")))


def test_a_push_run_by_command_with_nothing_to_do_loads_no_engine_and_leaves_a_pulse_and_no_trace_in_market_flow_4(
    tmp_path: Path, market_url: str
) -> None:
    with push_road(tmp_path, market_url) as road:
        before = traces(road)
        for words, flow in ((("run", "time-sensitive"), TIME_SENSITIVE_FLOW), (("run", "emails"), EMAIL_FLOW)):
            code, said, heavy = loaded_by(road.core.road.config, *words)
            assert (code, heavy) == (0, set())
            assert said.startswith("Nothing waited for acme.")
            pulse = json.loads((tmp_path / "data" / "pulse" / f"acme-{flow}.json").read_text())
            assert (pulse["flow"], pulse["headline"]) == (flow, "Nothing waited for acme.")
        assert traces(road) == before
        assert not (tmp_path / "data" / "reports").exists()


def test_a_second_start_of_an_idle_run_is_refused_flow_1_and_one_before_the_initial_sync_as_well_flow_2(tmp_path: Path) -> None:
    with push_road(tmp_path, f"sqlite:///{tmp_path}/market.db") as road:
        config = road.core.road.config
        with only_run(RunRef("other", TIME_SENSITIVE_FLOW, "acme", config)):
            twice = run("--config", config, "run", "time-sensitive")
        assert twice.returncode == 5 and "the same flow is at work already" in twice.stderr.lower()
        assert typed(tmp_path, "run", "emails").exit_code == 0
        road.core.road.execute("DELETE FROM runs")
        early = typed(tmp_path, "run", "time-sensitive")
        assert early.exit_code == 2 and "the initial sync of acme has not completed" in early.output.lower()


def test_a_worker_that_loads_a_push_flow_loads_the_road_only_when_something_waits() -> None:
    for flow in ("flows.time_sensitive_sync", "flows.email_activity_sync"):
        program = f"import sys, {flow}; print(sorted(set(sys.modules) & set({sorted(HEAVY - {'prefect'})!r})))"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "[]", flow
