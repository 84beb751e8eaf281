"""What a connector's traffic amounted to, and how much of it may be under way at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

GROWTH = 0.25  # of a lane for each round of good answers: four good rounds open one lane


@dataclass(frozen=True, slots=True)
class TrafficCounts:
    """Totals since the client was made. `received_bytes` is what came over the wire, before unpacking."""

    calls: int = 0
    received_bytes: int = 0
    retries: int = 0
    waits: int = 0
    waited_s: float = 0.0


class Traffic:
    """The counters of one connector, safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = TrafficCounts()

    def called(self, received_bytes: int) -> None:
        """One request went out; so many bytes came back."""
        with self._lock:
            was = self._counts
            self._counts = TrafficCounts(was.calls + 1, was.received_bytes + received_bytes, was.retries, was.waits, was.waited_s)

    def retried(self, pause_s: float) -> None:
        """A request is about to be repeated after a pause."""
        with self._lock:
            was = self._counts
            self._counts = TrafficCounts(was.calls, was.received_bytes, was.retries + 1, was.waits + 1, was.waited_s + pause_s)

    def counts(self) -> TrafficCounts:
        """A snapshot for reports."""
        with self._lock:
            return self._counts


class Lanes:
    """How many requests may be in flight: halved when the CRM pushes back, opened again slowly while all goes well.

    One push-back per round counts. The requests that were under way when the CRM got busy all report it, and halving for
    each of them would close every lane for one event.
    """

    def __init__(self, most: int) -> None:
        self._most = max(1, most)
        self._limit = float(self._most)
        self._in_flight = 0
        self._round = 0
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """Requests that may be in flight now; never less than one."""
        with self._changed:
            return int(self._limit)

    @contextmanager
    def lane(self) -> Iterator[int]:
        """Waits for a free lane and holds it; gives the round to report back with."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < int(self._limit))
            self._in_flight += 1
            entered = self._round
        try:
            yield entered
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def pushed_back(self, entered: int) -> None:
        """The CRM answered that it is too busy."""
        with self._changed:
            if entered == self._round:
                self._round += 1
                self._limit = max(1.0, self._limit / 2)

    def went_well(self) -> None:
        """The CRM answered."""
        with self._changed:
            if self._limit < self._most:
                self._limit = min(float(self._most), self._limit + GROWTH / self._limit)
                self._changed.notify_all()
