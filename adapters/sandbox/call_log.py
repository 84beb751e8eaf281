"""What clients asked for: one entry per request, so that a test can count calls."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request. `rows` is the number of records in the answer, `fault` the rule kind that hit it, `summary` the
    filter, order and page of a read or the names of the fields of a write; values of a write are not kept. `route` is
    the path without version and ids."""

    number: int
    method: str
    path: str
    module: str
    status: int
    rows: int
    user: str
    summary: dict[str, Any]
    fault: str = ""
    in_bulk: bool = False
    route: str = ""


class CallLog:
    """The last `keep` calls, and counters that never forget."""

    def __init__(self, keep: int = 20000) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=keep)
        self._total = 0
        self._counted: Counter[tuple[str, str, str, int, bool, str]] = Counter()

    def add(
        self,
        method: str,
        path: str,
        status: int,
        *,
        module: str = "",
        rows: int = 0,
        user: str = "",
        summary: dict[str, Any] | None = None,
        fault: str = "",
        in_bulk: bool = False,
        route: str = "",
    ) -> None:
        """Keep one call."""
        with self._lock:
            self._total += 1
            self._calls.append(Call(self._total, method, path, module, status, rows, user, summary or {}, fault, in_bulk, route))
            self._counted[module, method, route, status, in_bulk, fault] += 1

    def reset(self) -> None:
        """Forget all."""
        with self._lock:
            self._calls.clear()
            self._counted.clear()
            self._total = 0

    def entries(self) -> list[dict[str, Any]]:
        """All kept calls, oldest first."""
        with self._lock:
            return [asdict(call) for call in self._calls]

    def total(self) -> int:
        """Calls since the start or the last reset, forgotten ones included."""
        with self._lock:
            return self._total

    def counts(self) -> list[dict[str, Any]]:
        """How many calls of each module, method, route, status, `in_bulk` and fault, forgotten ones included."""
        names = ("module", "method", "route", "status", "in_bulk", "fault", "calls")
        with self._lock:
            return [dict(zip(names, (*group, calls), strict=True)) for group, calls in sorted(self._counted.items())]
