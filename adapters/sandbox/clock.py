"""The sandbox's own time: it may be skewed, or stand still."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from email.utils import formatdate


class Clock:
    """Seconds since the epoch as this server believes them.

    `skew_s` shifts a running clock; `fixed` stops it at one instant until it is released or advanced.
    """

    def __init__(self, skew_s: float = 0.0, fixed: float | None = None) -> None:
        self._lock = threading.Lock()
        self._skew_s = skew_s
        self._fixed = fixed

    def now(self) -> float:
        """The server's present instant, in epoch seconds."""
        with self._lock:
            return self._fixed if self._fixed is not None else time.time() + self._skew_s

    def whole_second(self) -> int:
        """What a `DATETIME` column without fractions would store now."""
        return int(self.now())

    def utc(self) -> datetime:
        """The server's present instant, aware, UTC."""
        return datetime.fromtimestamp(self.now(), UTC)

    def http_date(self) -> str:
        """The `Date` header: clients measure the server's skew by it."""
        return formatdate(self.now(), usegmt=True)

    def set(self, skew_s: float | None = None, fixed: float | None = None, release: bool = False) -> None:
        """Change the skew, stop the clock at `fixed`, or let it run again."""
        with self._lock:
            if skew_s is not None:
                self._skew_s = skew_s
            if release:
                self._fixed = None
            if fixed is not None:
                self._fixed = fixed

    def advance(self, seconds: float) -> None:
        """Move on without waiting, whether the clock runs or stands."""
        with self._lock:
            if self._fixed is not None:
                self._fixed += seconds
            else:
                self._skew_s += seconds
