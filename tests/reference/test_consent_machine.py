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
from tests.reference.pushing_machine import PUSH, PushingMachine

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory) -> NewRoad:
    """A fresh Market in SQLite each time it is called, copied from one that was upgraded once."""
    folder = tmp_path_factory.mktemp("law")
    template = folder / "template.sqlite"
    with pull_road(folder / "template", f"sqlite:///{template}") as road:
        prepare(road)

    @contextmanager
    def fresh() -> Iterator[PullRoad]:
        place = folder / str(next(_numbers))
        place.mkdir()
        shutil.copy(template, place / "market.sqlite")
        with pull_road(place, f"sqlite:///{place / 'market.sqlite'}", connector=PUSH) as road:
            yield road
        shutil.rmtree(place)

    return fresh


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory, postgres_address: str) -> Iterator[NewRoad]:
    """The same in PostgreSQL."""
    folder = tmp_path_factory.mktemp("law_postgres")
    with pull_road(folder / "template", create_database(postgres_address, "law_template")) as road:
        prepare(road)

    @contextmanager
    def fresh() -> Iterator[PullRoad]:
        name = f"law_{next(_numbers)}"
        with psycopg.connect(f"{postgres_address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE law_template".encode())
        with pull_road(folder / name, f"{postgres_address}/{name}", connector=PUSH) as road:
            yield road
        drop_database(postgres_address, name)

    yield fresh
    drop_database(postgres_address, "law_template")


_SOAK = settings.default.max_examples > 100  # type: ignore[union-attr]


def _walk(new_road: NewRoad, examples: int) -> None:
    walk = settings(
        derandomize=not _SOAK,
        max_examples=examples,
        stateful_step_count=40 if _SOAK else 25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(lambda: PushingMachine(new_road), settings=walk)  # type: ignore[no-untyped-call]


def test_consent_10_no_sequence_makes_an_opted_out_person_mailable(lite: NewRoad) -> None:
    _walk(lite, settings.default.max_examples if _SOAK else 3)  # type: ignore[union-attr]


def test_consent_10_the_same_on_postgresql(postgres: NewRoad) -> None:
    _walk(postgres, 200 if _SOAK else 1)
