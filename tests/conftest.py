"""Fixtures that several folders of tests share: an empty Market on each of the two databases."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.postgres import NoServer, create_database, drop_database, postgres_server

_numbers = itertools.count(1)

# Workers take whole files, in this order: the long ones first, so that no worker is left alone with one at the end. What is named by its
# own takes more than a minute.
_LONG = (
    "reference/test_following",
    "flows/test_core_sync_removals",
    "flows/test_whole_ways",
    "tasks/test_",
    "flows/test_",
    "reference/",
    "expectations/",
    "adapters/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((place for place, name in enumerate(_LONG) if name in item.path.as_posix()), len(_LONG)))


# HYPOTHESIS_PROFILE=soak looks for hours at what the default looks at for seconds.
_NO_SHRINKING = tuple(set(Phase) - {Phase.shrink, Phase.explain})
settings.register_profile("default", max_examples=8, deadline=None, print_blob=True, phases=_NO_SHRINKING)
_SOAKED = int(os.environ.get("MARKETSYNC_SCRIPTS", "2000"))  # as many lives of a machine as scripts
settings.register_profile("soak", max_examples=_SOAKED, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def postgres_address() -> Iterator[str]:
    """A running PostgreSQL server; without one the tests that ask for it fail."""
    try:
        with postgres_server() as address:
            yield address
    except NoServer as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def postgres_url(postgres_address: str) -> Iterator[str]:
    """A database of its own for one test."""
    name = f"market_{next(_numbers)}"
    yield create_database(postgres_address, name)
    drop_database(postgres_address, name)


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without a table, once for SQLite and once for PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'market.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def market_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a Market with its tables and nothing in them, once for SQLite and once for PostgreSQL."""
    from tests.kept_market import make_tables  # not for tests of pure functions

    if request.param == "sqlite":
        yield make_tables(f"sqlite:///{tmp_path / 'market.sqlite'}")
        return
    address, name = request.getfixturevalue("postgres_address"), f"market_{next(_numbers)}"
    yield make_tables(f"{address}/{name}")
    drop_database(address, name)
