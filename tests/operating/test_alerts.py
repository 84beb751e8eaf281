"""What the Prefect server tells by itself: a real server, a real receiver."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.objects import State, StateType

from tasks.up_alerts import BLOCK, FAILED, LATE, NO_WORKER, WELL_AGAIN, WORKER_BACK, alert_automations, late
from tasks.up_automations import ensure_automations
from tests.adapters.scripted_server import Scripted, Step, scripted
from tests.flows.command import configured
from tests.operating.engine import Engine

ALERTS = '[alerts]\nwebhook = { env = "ALERT_TEST_WEBHOOK" }'
TELLING = (NO_WORKER, WORKER_BACK, LATE, FAILED, WELL_AGAIN)


@pytest.fixture
def receiver(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """The receiver, and a server that was told of it."""
    with scripted(Step(body=b"ok")) as running:
        monkeypatch.setenv("ALERT_TEST_WEBHOOK", f"{running.url}/very-secret-key")
        config = str(configured(tmp_path, more=ALERTS) / "marketsync.toml")
        made = ensure_automations(alert_automations(config))
        assert set(TELLING) <= set(made)
        assert not set(TELLING) & set(ensure_automations(alert_automations(config)))  # what is there stays as it is
        yield running
        for name in TELLING:
            for found in engine.client.read_automations_by_name(name):
                engine.client.delete_automation(found.id)


def texts(receiver: Scripted) -> list[str]:
    return [json.loads(body)["text"] for body in receiver.bodies]


def goes_well_until_that_is_seen(engine: Engine, go_well: Callable[[], None]) -> None:
    for _ in range(10):
        go_well()
        with suppress(AssertionError):
            return engine.until(lambda: engine.follows_up(FAILED), patience_s=30)
    raise AssertionError("the server never saw that a run went well")


def test_the_server_tells_the_first_failed_run_and_when_one_is_well_again_and_when_no_worker_is_left(
    engine: Engine, receiver: Scripted
) -> None:
    deployment = engine.deploy("flows.core_sync.core_sync", pool="alerts-test", connector="acme")

    def run(name: str, kind: StateType) -> None:
        ended = engine.start(deployment)
        for state in (State(type=StateType.RUNNING, name="Running"), State(type=kind, name=name, message="somebody@example.com")):
            engine.client.set_flow_run_state(ended, state, force=True)

    # The server takes up an automation a moment after it was made, and may look at two ends of one moment in either order.
    goes_well_until_that_is_seen(engine, lambda: run("Completed", StateType.COMPLETED))
    run("Crashed", StateType.CRASHED)
    engine.until(lambda: len(receiver.bodies) >= 1 and engine.follows_up(WELL_AGAIN))
    run("Failed", StateType.FAILED)
    time.sleep(1)  # that nothing is told of it is the point, so there is nothing to wait for
    run("Completed", StateType.COMPLETED)
    engine.until(lambda: len(receiver.bodies) >= 2)
    pool = {"prefect.resource.id": "prefect.work-pool.of-a-test", "prefect.resource.name": "marketsync"}
    engine.emit("prefect.work-pool.not-ready", **pool)
    engine.until(lambda: len(receiver.bodies) >= 3 and engine.follows_up(WORKER_BACK))
    engine.emit("prefect.work-pool.ready", **pool)
    engine.until(lambda: len(receiver.bodies) >= 4)
    failed, well, gone, back = texts(receiver)
    assert failed.startswith(
        "🔴 marketsync, acme: a run of core-sync ended as Crashed\n      What to do: Its page in the Prefect UI says why: http"
    )
    assert well == "🟢 marketsync, acme: over: core-sync came to its end again"
    assert gone.startswith("🔴 marketsync: no worker of the pool marketsync is at work, so nothing is synced")
    assert back == "🟢 marketsync: over: a worker of the pool marketsync is at work again"
    alert = json.loads(receiver.bodies[0])["alerts"][0]
    assert (alert["event"], alert["topic"], alert["connector"], alert["subject"]) == ("raised", "failed run", "acme", "core-sync")
    assert b"somebody@example.com" not in b"".join(receiver.bodies)  # what a run says may hold anything
    assert receiver.seen[0] == ("POST", "/very-secret-key") and receiver.heads[0]["Content-Type"].startswith("application/json")


def test_the_server_tells_that_runs_are_late_and_none_begins(engine: Engine, receiver: Scripted) -> None:
    """No worker looks for work of this pool; what is an hour in earnest is eleven seconds here."""
    [made] = engine.client.read_automations_by_name(LATE)
    block = UUID(str(made.actions[0].model_dump()["block_document_id"]))
    engine.client.delete_automation(made.id)
    assert ensure_automations((lambda: late(block, "", 11),)) == (LATE,)
    deployment = engine.deploy("flows.core_sync.core_sync", pool="nobody-at-work", connector="acme")
    waiting = engine.start(deployment)
    engine.until(lambda: engine.state(waiting) == "Late")
    engine.until(lambda: receiver.bodies)
    assert texts(receiver)[0].startswith(
        "🔴 marketsync: runs have been late for 0 minutes, and none has begun\n      What to do: Is a worker"
    )
    engine.client.delete_flow_run(waiting)


def test_the_receivers_address_is_kept_as_a_secret_and_renewed(
    engine: Engine, receiver: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONN-4"""
    monkeypatch.setenv("ALERT_TEST_WEBHOOK", f"{receiver.url}/a-new-key")
    alert_automations(str(tmp_path / "marketsync.toml"))
    shown = engine.client.read_block_document_by_name(BLOCK, "webhook", include_secrets=False)
    assert "key" not in str(shown.data["url"])
    known = engine.client.read_block_document_by_name(BLOCK, "webhook", include_secrets=True)
    assert str(known.data["url"]).endswith("/a-new-key")


def test_without_a_webhook_or_without_leave_nothing_is_made(tmp_path: Path) -> None:
    assert alert_automations(str(configured(tmp_path) / "marketsync.toml")) == ()
    assert alert_automations(str(configured(tmp_path, more=f"{ALERTS}\nprefect = false") / "marketsync.toml")) == ()
