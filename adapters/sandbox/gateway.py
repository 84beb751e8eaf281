"""What stands in front of a CRM and counts: calls per day, and calls at once."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.sandbox.clock import Clock

DAY_S = 86_400


@dataclass(frozen=True)
class Refusal:
    """A call that the gateway did not let through; `limit` is `quota` or `concurrency`."""

    limit: str
    status: int
    retry_after_s: int
    message: str


class Gateway:
    """Counts of the sandbox's present day, UTC, by its own clock; a limit of 0 is none. Safe for many threads."""

    def __init__(self, clock: Clock, daily_calls: int = 0, calls_at_once: int = 0) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._day = self._today()
        self._used = 0
        self._inside = 0
        self._most_inside = 0
        self.daily_calls = daily_calls
        self.calls_at_once = calls_at_once

    def admit(self) -> Refusal | None:
        """Let one call in and count it, or say why not. Whoever was let in has to `leave`."""
        with self._lock:
            self._turn_the_day()
            if self.daily_calls and self._used >= self.daily_calls:
                return Refusal("quota", 429, self._to_midnight(), f"The limit of {self.daily_calls} calls per day is reached.")
            if self.calls_at_once and self._inside >= self.calls_at_once:
                return Refusal("concurrency", 503, 1, f"More than {self.calls_at_once} calls at once.")
            self._used += 1
            self._inside += 1
            self._most_inside = max(self._most_inside, self._inside)
            return None

    def leave(self) -> None:
        """A call that was let in is answered."""
        with self._lock:
            self._inside -= 1

    def set(self, daily_calls: int | None = None, used: int | None = None, calls_at_once: int | None = None) -> None:
        """Change what is given; `most_at_once` starts again."""
        with self._lock:
            self._turn_the_day()
            self.daily_calls = self.daily_calls if daily_calls is None else daily_calls
            self.calls_at_once = self.calls_at_once if calls_at_once is None else calls_at_once
            self._used = self._used if used is None else used
            self._most_inside = self._inside

    def state(self) -> dict[str, Any]:
        """`daily_calls`, `used`, `left` (None without a limit), `resets_in_s`, `calls_at_once`, `most_at_once`."""
        with self._lock:
            self._turn_the_day()
            return {
                "daily_calls": self.daily_calls,
                "used": self._used,
                "left": max(0, self.daily_calls - self._used) if self.daily_calls else None,
                "resets_in_s": self._to_midnight(),
                "calls_at_once": self.calls_at_once,
                "most_at_once": self._most_inside,
            }

    def _turn_the_day(self) -> None:
        if (today := self._today()) != self._day:
            self._day, self._used = today, 0

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).date().isoformat()

    def _to_midnight(self) -> int:
        return math.ceil(DAY_S - self._clock.now() % DAY_S)
