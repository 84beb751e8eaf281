"""One Prefect server on PostgreSQL for all tests of this folder; whoever does not ask for it does not pay for it (about ten seconds)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.place import PASSWORD, PASSWORD_VARIABLE
from tests.operating.engine import Engine, real_engine
from tests.postgres import create_database, drop_database


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, postgres_address: str) -> Iterator[Engine]:
    """The server; a test starts the workers that it needs, in a pool of its own if it kills them."""
    database = create_database(postgres_address, "prefect")
    with real_engine(tmp_path_factory.mktemp("prefect"), database) as running:
        running.environment[PASSWORD_VARIABLE] = PASSWORD
        yield running
    drop_database(postgres_address, "prefect")


@pytest.fixture(scope="session")
def worker(engine: Engine) -> Engine:
    """The same with a worker of the pool `marketsync` that nobody kills."""
    engine.worker()
    return engine
