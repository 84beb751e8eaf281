"""CONSENT-10 and what both sides agree on in the end, walked at random on both databases; `pushing_machine` has the steps."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.postgres import create_database, drop_database
from tests.pull_road import PullRoad, pull_road
from tests.reference.consent_machine import NewRoad, prepare
from tests.reference.dialects import DIALECTS, Dialect
from tests.reference.pushing_machine import PUSH, PushingMachine

_numbers = itertools.count(1)


@pytest.fixture(scope="module", params=DIALECTS, ids=str)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> NewRoad:
    """A fresh Market in SQLite each time it is called, copied from one that was upgraded once."""
    folder = tmp_path_factory.mktemp("law")
    template = folder / "template.sqlite"
    with pull_road(folder / "template", f"sqlite:///{template}", who=dialect.login) as road:
        prepare(road, dialect)

    @contextmanager
    def fresh() -> Iterator[PullRoad]:
        place = folder / str(next(_numbers))
        place.mkdir()
        shutil.copy(template, place / "market.sqlite")
        with pull_road(place, f"sqlite:///{place / 'market.sqlite'}", connector=PUSH, who=dialect.login) as road:
            yield road
        shutil.rmtree(place)

    return fresh


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory, postgres_address: str, dialect: Dialect) -> Iterator[NewRoad]:
    """The same in PostgreSQL."""
    folder = tmp_path_factory.mktemp("law_postgres")
    with pull_road(folder / "template", create_database(postgres_address, "law_template"), who=dialect.login) as road:
        prepare(road, dialect)

    @contextmanager
    def fresh() -> Iterator[PullRoad]:
        name = f"law_{next(_numbers)}"
        with psycopg.connect(f"{postgres_address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE law_template".encode())
        with pull_road(folder / name, f"{postgres_address}/{name}", connector=PUSH, who=dialect.login) as road:
            yield road
        drop_database(postgres_address, name)

    yield fresh
    drop_database(postgres_address, "law_template")


_SOAK = settings.default.max_examples > 100  # type: ignore[union-attr]


def _walk(new_road: NewRoad, dialect: Dialect, examples: int) -> None:
    walk = settings(
        derandomize=not _SOAK,
        max_examples=examples,
        stateful_step_count=40 if _SOAK else 25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: PushingMachine(new_road, dialect), settings=walk)  # type: ignore[no-untyped-call]


def _share(few: dict[str, int], soaking: int, dialect: Dialect) -> int:
    """Each CRM has its share of the examples."""
    return soaking // len(DIALECTS) if _SOAK else few[dialect.crm]


def test_consent_10_no_sequence_makes_an_opted_out_person_mailable(lite: NewRoad, dialect: Dialect) -> None:
    _walk(lite, dialect, _share({"sugarcrm": 2, "salesforce": 2}, settings.default.max_examples, dialect))  # type: ignore[union-attr]


def test_consent_10_the_same_on_postgresql(postgres: NewRoad, dialect: Dialect) -> None:
    _walk(postgres, dialect, _share({"sugarcrm": 1, "salesforce": 1}, 200, dialect))
