"""What the tests of whole runs share: the process that may be killed, and a Prefect server that is started once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.flows.place import PASSWORD, PASSWORD_VARIABLE, Driver, running_driver
from tests.postgres import create_database, drop_database

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    with running_driver() as running:
        yield running


@pytest.fixture
def crm_password(monkeypatch: pytest.MonkeyPatch) -> str:
    """The secret that the configuration refers to."""
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
    return PASSWORD


@pytest.fixture
def postgres_market(postgres_address: str) -> Iterator[Callable[[], str]]:
    """Makes as many empty databases as one test needs."""
    names: list[str] = []

    def make() -> str:
        names.append(f"flows_{next(_numbers)}")
        return create_database(postgres_address, names[-1])

    yield make
    for name in names:
        drop_database(postgres_address, name)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """One Prefect server for all tests of flows; only tests that ask for it pay for it. → where it keeps things."""
    from tests.flows.prefect_server import calm_server  # the import costs seconds

    with calm_server(tmp_path_factory.mktemp("prefect")) as places:
        yield places
