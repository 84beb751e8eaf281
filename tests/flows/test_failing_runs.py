"""A run that fails looks failed: the flow ends with the error that stopped it, and the error can be read where people look."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from adapters.sandbox.sugarcrm import RunningSandbox
from flows.initial_sync import initial_sync
from sync.errors import AccessDenied, AlreadyRunning, ConfigError, CredentialError, MarketsyncError, MarketUnavailable
from tasks.wiring import now
from tests.adapters.scripted_server import Step, scripted
from tests.flows.command import typed
from tests.flows.place import USER, Driver, Place, lite_place, sandbox
from tests.flows.prefect_server import artifacts_of, run_id_of
from tests.flows.test_bad_input import FEW, hold_back

pytestmark = pytest.mark.usefixtures("prefect_server", "crm_password")


def run(place: Place, connector: str = "acme") -> State[Any]:
    state: State[Any] = initial_sync(connector, config=str(place.config), return_state=True)
    return state


def failure(state: State[Any]) -> MarketsyncError:
    """What the run failed with, which has to be one of our own errors."""
    assert state.is_failed(), state
    error = state.result(raise_on_failure=False)
    assert isinstance(error, MarketsyncError), repr(error)
    return error


def deny(crm: RunningSandbox) -> None:
    crm.control.deny(USER, "Accounts", "list")


def lock(crm: RunningSandbox) -> None:
    crm.control.lock_user(USER)


@pytest.mark.parametrize(("spoil", "error", "word"), [(deny, AccessDenied, "Accounts"), (lock, CredentialError, "locked")])
def test_the_report_and_the_summary_tell_the_error_that_stopped_the_run(spoil: Any, error: type, word: str, tmp_path: Path) -> None:
    """GATE-5, CONN-4."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector=FEW)
        spoil(crm)
        state = run(place)
        found = failure(state)
    assert isinstance(found, error)
    assert word in str(found)
    page = (place.data / "reports" / run_id_of(state) / "index.html").read_text(encoding="utf-8")
    assert word in page
    assert word in artifacts_of(state)["acme-initial-sync"].data


def test_conn_4_a_dead_credential_is_told_once_and_again_when_the_crm_lets_us_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sandbox() as crm, scripted(Step(body=b"ok")) as receiver:
        monkeypatch.setenv("ALERT_TEST_WEBHOOK", receiver.url)
        place = lite_place(tmp_path).write(crm.url, connector=FEW, more='[alerts]\nwebhook = { env = "ALERT_TEST_WEBHOOK" }')
        lock(crm)
        assert isinstance(failure(run(place)), CredentialError) and isinstance(failure(run(place)), CredentialError)
        [text] = [json.loads(body)["text"] for body in receiver.bodies]
        assert text.startswith("🔴 marketsync, acme: the CRM refuses the login, and is not asked again: the account is locked")
        assert f"refused since {now():%Y-%m-%d}" in typed(tmp_path, "status").output
        crm.control.lock_user(USER, False)
        assert typed(tmp_path, "check").exit_code in (0, 4)
        assert run(place).is_completed()
    assert [json.loads(body)["alerts"][0]["event"] for body in receiver.bodies] == ["raised", "over"]
    assert "All is well" in (place.data / "reports" / "overview.html").read_text(encoding="utf-8")


def test_a_wrong_connector_is_told_as_what_it_is(tmp_path: Path) -> None:
    """The Market has no tables yet, but that is not what went wrong."""
    with sandbox() as crm:
        found = failure(run(lite_place(tmp_path).write(crm.url), "acne"))
    assert isinstance(found, ConfigError)
    assert "acne" in str(found)


def test_a_secret_that_is_missing_is_told_as_what_it_is(tmp_path: Path) -> None:
    with sandbox() as crm:
        found = failure(run(lite_place(tmp_path).write(crm.url, password='{ env = "NOBODY_HAS_SET_THIS" }')))
    assert isinstance(found, ConfigError)
    assert "NOBODY_HAS_SET_THIS" in str(found)


def test_a_market_that_is_down_is_told_as_what_it_is(tmp_path: Path) -> None:
    with sandbox() as crm:
        found = failure(run(Place(tmp_path, "postgresql://market@127.0.0.1:9/market").write(crm.url)))
        assert crm.control.call_count() == 0
    assert isinstance(found, MarketUnavailable)


def test_a_report_that_cannot_be_written_does_not_hide_what_went_wrong(tmp_path: Path) -> None:
    """The disk may be full, or the folder may belong to somebody else."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url)
        lock(crm)
        place.data.mkdir()
        (place.data / "reports").write_text("a file where the folder should be", encoding="utf-8")
        found = failure(run(place))
    assert isinstance(found, CredentialError)


def test_a_run_beside_another_one_is_told_so_and_leaves_no_report(tmp_path: Path, driver: Driver) -> None:
    """FLOW-1."""
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector=FEW)
        with hold_back(crm, driver, place):
            state = run(place)
            assert isinstance(failure(state), AlreadyRunning)
            assert not (place.data / "reports" / run_id_of(state)).exists()
