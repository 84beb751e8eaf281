"""A Market as an initial sync left it, kept for other tests of this process that begin with the very same one."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg

from adapters.market.engine import open_market
from tests.postgres import create_database

_FOLDER = tempfile.TemporaryDirectory(prefix="marketsync-kept-")
_numbers = itertools.count(1)


@dataclass
class KeptMarket:
    """One Market, in a copy per database."""

    number: int = field(default_factory=lambda: next(_numbers))
    kept: set[str] = field(default_factory=set)

    def give(self, market_url: str) -> bool:
        """Makes the Market at this address a copy. False: there is none yet."""
        place = _place(market_url)
        if place not in self.kept:
            return False
        if market_url.startswith("sqlite"):
            _copy(self._file, _file_of(market_url))
        else:
            _copy_database(market_url, self._database(market_url), _name_of(market_url))
        return True

    def keep(self, market_url: str) -> None:
        """Takes a copy. Nobody may be connected."""
        if market_url.startswith("sqlite"):
            _copy(_file_of(market_url), self._file)
        else:
            _copy_database(market_url, _name_of(market_url), self._database(market_url))
        self.kept.add(_place(market_url))

    @property
    def _file(self) -> Path:
        return Path(_FOLDER.name) / f"{self.number}.db"

    def _database(self, market_url: str) -> str:
        return f"kept_{self.number}"


@cache
def _kept(description: str) -> KeptMarket:
    return KeptMarket()


def market_kept(description: object) -> KeptMarket:
    """The one that was made from this description: what the CRM held and how it was read."""
    return _kept(repr(description))


def make_tables(market_url: str) -> str:
    """A Market with every table and nothing in it, at this address; migrating each one costs half a second. → the address."""
    kept = market_kept("the tables")
    if not kept.give(market_url):
        if not market_url.startswith("sqlite"):
            create_database(*market_url.rsplit("/", 1))
        market = open_market(market_url)
        market.upgrade()
        market.close()
        kept.keep(market_url)
    return market_url


def _place(market_url: str) -> str:
    return "sqlite" if market_url.startswith("sqlite") else market_url.rpartition("/")[0]


def _file_of(market_url: str) -> Path:
    return Path(market_url.partition(":///")[2])


def _name_of(market_url: str) -> str:
    return market_url.rpartition("/")[2]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)


def _copy_database(market_url: str, source: str, target: str) -> None:
    with psycopg.connect(f"{market_url.rpartition('/')[0]}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}" STRATEGY wal_log'.encode())
