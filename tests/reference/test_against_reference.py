"""The product and the slow reference see the same Market: MATCH-9, PULL-6, PULL-8, CONSENT-10, over many small worlds."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sync.records import CommitCounts, Kind
from tests.postgres import create_database, drop_database
from tests.pull_road import PullRoad, pull_road
from tests.reference.compare import differences, picture_of_market, picture_of_world
from tests.reference.dialects import DIALECTS, Dialect
from tests.reference.stories import IMPORTS, Batch, batches
from tests.reference.world import World

_numbers = itertools.count(1)
_EXAMPLES = settings.default.max_examples // len(DIALECTS)  # type: ignore[union-attr]
_AS_MANY_AS_THE_PROFILE = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=_EXAMPLES)
_FEW = settings(_AS_MANY_AS_THE_PROFILE, max_examples=max(3, _EXAMPLES // 4))
Import = tuple[str | None, bool, int, bool, bool]
NewRoad = Callable[[], AbstractContextManager[PullRoad]]


def _prepare(road: PullRoad, dialect: Dialect) -> None:
    for kind in (Kind.LEAD, Kind.CONTACT):
        road.make_columns(kind, dialect.readings[kind])


@pytest.fixture(scope="module", params=DIALECTS, ids=str)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each CRM has its share of the examples."""
    found: Dialect = request.param
    return found


@pytest.fixture(scope="module")
def lite(tmp_path_factory: pytest.TempPathFactory, dialect: Dialect) -> NewRoad:
    """A fresh Market in SQLite each time it is called, copied from one that was upgraded once."""
    folder = tmp_path_factory.mktemp("lite")
    template = folder / "template.sqlite"
    with pull_road(folder / "template", f"sqlite:///{template}", who=dialect.login) as road:
        _prepare(road, dialect)

    @contextmanager
    def fresh() -> Iterator[PullRoad]:
        place = folder / str(next(_numbers))
        place.mkdir()
        shutil.copy(template, place / "market.sqlite")
        with pull_road(place, f"sqlite:///{place / 'market.sqlite'}", who=dialect.login) as road:
            yield road
        shutil.rmtree(place)

    return fresh


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory, postgres_address: str, dialect: Dialect) -> Iterator[NewRoad]:
    """The same in PostgreSQL."""
    folder = tmp_path_factory.mktemp("postgres")
    with pull_road(folder / "template", create_database(postgres_address, "story_template"), who=dialect.login) as road:
        _prepare(road, dialect)

    @contextmanager
    def fresh() -> Iterator[PullRoad]:
        name = f"story_{next(_numbers)}"
        with psycopg.connect(f"{postgres_address}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE story_template".encode())
        with pull_road(folder / name, f"{postgres_address}/{name}", who=dialect.login) as road:
            yield road
        drop_database(postgres_address, name)

    yield fresh
    drop_database(postgres_address, "story_template")


def _put_imports(road: PullRoad, world: World, imports: list[Import]) -> dict[int, int]:
    """The same rows in both, before any CRM; → contact_id → number in the reference."""
    known = {}
    for at, (email, out, updated, deleted, barred) in enumerate(imports, start=1):
        row = world.import_person(email, out=out, updated=updated, deleted=deleted or barred, barred=barred)
        known[1_000_000 + at] = row
        road.execute(
            "INSERT INTO contacts (contact_id, email, email_key, opt_out, updated_at, deleted_date, do_not_pull) "
            "VALUES (:id, :email, :key, :out, :updated, :deleted, :barred)",
            id=1_000_000 + at,
            email=email,
            key=(email or "").strip().lower() or None,
            out=out,
            updated=f"2020-01-0{updated} 00:00:00.000000",
            deleted="2020-02-01 00:00:00.000000" if deleted or barred else None,
            barred=barred,
        )
    return known


def _commit(road: PullRoad, dialect: Dialect, batch: Batch) -> CommitCounts:
    """The ways in which the CRM writes a page take turns."""
    written = dialect.formats[batch.cuts % len(dialect.formats)]
    return road.commit_records(batch.kind, dialect.readings[batch.kind], batch.flushes(dialect.sent), gate=False, written=written)


def _in(dialect: Dialect, batch: Batch, cuts: int | None = None) -> Batch:
    """The records as far as this CRM can hold them."""
    records = tuple(dialect.can_be(batch.kind, record) for record in batch.records)
    return Batch(batch.kind, records, batch.cuts if cuts is None else cuts)


def _walk(road: PullRoad, dialect: Dialect, story: list[Batch], imports: list[Import]) -> None:
    world = World()
    known = _put_imports(road, world, imports)
    for clock, batch in enumerate(story, start=10):
        if not batch.records:
            continue
        said = _in(dialect, batch)
        _commit(road, dialect, said)
        world.pull(batch.kind.value, said.records, clock)
        assume(not world.crowded)  # several leads of one contact in one batch: `tests/tasks` has them
        found = differences(picture_of_market(road, known), picture_of_world(world))
        assert not found, "\n".join([f"after batch {clock - 10} ({batch.kind.plural}):", *found])


@_AS_MANY_AS_THE_PROFILE
@given(story=batches(), imports=IMPORTS)
def test_match_9_any_order_and_any_split_of_pages_gives_what_one_record_after_the_other_gives(
    lite: NewRoad, dialect: Dialect, story: list[Batch], imports: list[Import]
) -> None:
    """After every batch, so several consecutive ones too, with edits, conversions and re-reads between them."""
    with lite() as road:
        _walk(road, dialect, story, imports)


@_FEW
@given(story=batches(), imports=IMPORTS)
def test_match_9_the_same_on_postgresql(postgres: NewRoad, dialect: Dialect, story: list[Batch], imports: list[Import]) -> None:
    with postgres() as road:
        _walk(road, dialect, story, imports)


def _everything(road: PullRoad) -> list[list[dict[str, object]]]:
    tables = ("users", "accounts", "contacts", "crm_links", "consent_ledger", "outbox", "quarantine")
    return [sorted(road.rows(f"SELECT * FROM {table}"), key=repr) for table in tables]


@_FEW
@given(story=batches(cycles=1), imports=IMPORTS, cuts=st.integers(0, 1000))
def test_pull_8_the_same_records_a_second_time_write_nothing(
    lite: NewRoad, dialect: Dialect, story: list[Batch], imports: list[Import], cuts: int
) -> None:
    """However the CRM writes them the second time."""
    with lite() as road:
        _put_imports(road, World(), imports)
        for _ in range(2):  # the first time everything arrives, the second time the leads find the contacts that they became
            for batch in story:
                _commit(road, dialect, _in(dialect, batch))
        before = _everything(road)
        for batch in story:
            counts = _commit(road, dialect, _in(dialect, batch, cuts))
            assert (counts.inserted, counts.updated) == (0, 0)
        assert _everything(road) == before
