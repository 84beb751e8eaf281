"""prefect.yaml names flows that exist, with parameters that they take (FLOW-1, FLOW cadence)."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = {
    f"{each['entrypoint'].rpartition('.')[2]}/{each['name']}": each
    for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
}


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_every_entrypoint_is_a_flow_that_takes_the_parameters(deployment: dict[str, Any]) -> None:
    module, _, name = deployment["entrypoint"].rpartition(".")
    flow = getattr(import_module(module), name)
    assert isinstance(flow, Flow)
    assert set(deployment["parameters"]) <= set(inspect.signature(flow.fn).parameters)


def test_flow_1_a_second_start_is_skipped_and_never_queued() -> None:
    assert {tuple(each["concurrency_limit"].items()) for each in DEPLOYMENTS.values()} == {
        (("limit", 1), ("collision_strategy", "CANCEL_NEW"))
    }


def test_the_cadences_are_those_of_the_flows() -> None:
    names = sorted(f"{import_module(d['entrypoint'].rpartition('.')[0]).__name__}: {d['name']}" for d in DEPLOYMENTS.values())
    assert names == [
        "flows.core_sync: every-20-minutes",
        "flows.email_activity_sync: every-10-minutes",
        "flows.initial_sync: on-demand",
        "flows.reconcile: daily",
        "flows.time_sensitive_sync: every-2-minutes",
    ]
    for minutes in (20, 10, 2):
        [deployment] = [each for each in DEPLOYMENTS.values() if each["name"] == f"every-{minutes}-minutes"]
        assert deployment["schedules"][0]["interval"] == minutes * 60
