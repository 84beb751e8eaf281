"""CONN-4: the password and the tokens of the CRM appear nowhere but in the session file, which never holds the password."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State

from adapters.sandbox.sugarcrm import FaultRule, RunningSandbox
from flows.initial_sync import initial_sync
from tests.flows.place import PASSWORD_VARIABLE, USER, Place, lite_place, sandbox

FEW = "[connectors.acme.pull]\ncontacts = false\nopportunities = false"


def run(place: Place) -> State[Any]:
    state: State[Any] = initial_sync("acme", config=str(place.config), return_state=True)
    return state


def session_files(place: Place) -> list[Path]:
    return sorted((place.data / "sessions").glob("*.json"))


def tokens(place: Place) -> set[str]:
    known = [json.loads(path.read_text(encoding="utf-8")) for path in session_files(place)]
    return {each[name] for each in known for name in ("access", "refresh") if each.get(name)}


def files(roots: Iterable[Path]) -> Iterator[Path]:
    for root in roots:
        yield from (path for path in root.rglob("*") if path.is_file())


def holders(secrets: Iterable[str], roots: Iterable[Path]) -> list[str]:
    """Files in which one of the secrets stands; names of files count as well."""
    wanted = [secret.encode() for secret in secrets]
    return [str(path) for path in files(roots) if any(secret in path.read_bytes() + str(path).encode() for secret in wanted)]


def fail_in_every_way(crm: RunningSandbox, place: Place) -> set[str]:
    """A page for people, a refusal, a password that is dead: each ends the run. → the tokens that were given meanwhile."""
    crm.control.set_faults(FaultRule("status", "POST", r"/Leads/filter$", status=400, count=1))
    assert run(place).is_failed()
    given = tokens(place)
    crm.control.set_faults()
    crm.control.expire_tokens(USER, refresh=True)
    crm.control.deny(USER, "Leads", "list")
    assert run(place).is_failed()
    given |= tokens(place)
    crm.control.deny(USER, "Leads", "list", denied=False)
    crm.control.set_password(USER, "changed-by-an-administrator")
    assert run(place).is_failed()
    assert run(place).is_failed()
    assert len(given) == 4, "two logins, each with a pair"
    return given


def test_password_and_tokens_stand_nowhere_but_in_the_session_file(
    tmp_path: Path, prefect_server: list[Path], caplog: pytest.LogCaptureFixture, crm_password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs of every level, Prefect's database and results, parcels, reports, Market, locks; after good and failed runs."""
    caplog.set_level("DEBUG")
    with sandbox() as crm:
        place = lite_place(tmp_path / "here").write(crm.url, connector=FEW)
        given = fail_in_every_way(crm, place)
        monkeypatch.setenv(PASSWORD_VARIABLE, "changed-by-an-administrator")
        assert run(place).is_completed()
        given |= tokens(place)
    roots = [tmp_path, *prefect_server]
    said = caplog.text
    assert "acme" in said
    for secret in (crm_password, "changed-by-an-administrator", *given):
        assert secret not in said
    assert holders([crm_password, "changed-by-an-administrator"], roots) == []
    sessions = session_files(place)
    assert set(holders(given, roots)) <= {str(path) for path in sessions}
    assert len(list(files(roots))) > 20, "the search saw the files"
    for path in sessions:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
