"""Results of queries that have more than one page: which rows, in which order; what is in them is read when a page is asked for."""

from __future__ import annotations

import itertools
from array import array
from dataclasses import dataclass

from adapters.sandbox.clock import Clock
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.ids import numbered
from adapters.sandbox.salesforce.soql_plan import Plan

_LIFE_S = 2 * 86_400


@dataclass
class Cursor:
    """One result. `seqs` are its rows; `rows` the size of a page that the client asked for."""

    locator: str
    user: str
    plan: Plan
    seqs: array[int]
    rows: int
    everything: bool
    made_at: float


class Cursors:
    """Of each user only the latest few results live."""

    def __init__(self, most: int, clock: Clock) -> None:
        self.most = most
        self._clock = clock
        self._open: dict[str, Cursor] = {}
        self._number = itertools.count(1)

    def make(self, user: str, plan: Plan, seqs: array[int], rows: int, everything: bool) -> Cursor:
        """A result that is not kept yet: one page may be all of it."""
        return Cursor(numbered("01g", next(self._number)), user, plan, seqs, rows, everything, self._clock.now())

    def keep(self, cursor: Cursor) -> None:
        """There will be further pages; the oldest result of the same user goes when there are too many."""
        if cursor.locator in self._open:
            return
        mine = [one.locator for one in self._open.values() if one.user == cursor.user]
        for old in mine[: max(0, len(mine) - self.most + 1)]:
            del self._open[old]
        self._open[cursor.locator] = cursor

    def need(self, locator: str, user: str) -> Cursor:
        """A result that lives; raises ApiError INVALID_QUERY_LOCATOR."""
        cursor = self._open.get(locator)
        if cursor is None or cursor.user != user or self._clock.now() - cursor.made_at > _LIFE_S:
            self._open.pop(locator, None)
            raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
        return cursor

    def drop(self, locator: str) -> None:
        """A result was read to its end."""
        self._open.pop(locator, None)

    def count(self) -> int:
        """How many results are kept."""
        return len(self._open)
