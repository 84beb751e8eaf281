"""Small files beside the session that all threads and processes share: what is known of the CRM's schema, and the calls of the day."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import msgspec

from sync.errors import QuotaExhausted
from sync.push import Quota


class _SharedFile:
    """A JSON file that is replaced as a whole, by one thread of one process at a time. Missing or damaged, it is an empty one."""

    def __init__(self, folder: Path, purpose: str, whose: str) -> None:
        name = f"{purpose}-{hashlib.sha256(whose.encode()).hexdigest()[:20]}"
        self._path = folder / f"{name}.json"
        self._lock_path = folder / f"{name}.lock"

    def read(self, kind: Any) -> Any:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=kind)
        except (FileNotFoundError, msgspec.DecodeError):
            return kind()

    def write(self, content: Any) -> None:
        """Whoever calls holds the lock."""
        draft = self._path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(msgspec.json.encode(content))
        draft.replace(self._path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


class _Known(msgspec.Struct):
    fingerprint: str = ""
    told: dict[str, Any] = {}


class SchemaMemory:
    """Answers that hold as long as the CRM's schema does. `saw` is told the fingerprint by whoever has asked for it anyway."""

    def __init__(self, session_dir: Path, crm: str, whose: str) -> None:
        self._file = _SharedFile(session_dir, f"{crm}-known", whose)

    @property
    def fingerprint(self) -> str:
        """As it was seen last; empty: never."""
        found: _Known = self._file.read(_Known)
        return found.fingerprint

    def saw(self, fingerprint: str) -> None:
        """Another schema than before: everything else is forgotten. The same: nothing is written."""
        if self.fingerprint != fingerprint:
            with self._file.locked():
                self._file.write(_Known(fingerprint))

    def told(self) -> dict[str, Any]:
        """Question → answer."""
        found: _Known = self._file.read(_Known)
        return found.told

    def keep(self, fingerprint: str, told: Mapping[str, Any]) -> None:
        """Adds answers that were got under this fingerprint; dropped when another one was seen meanwhile."""
        with self._file.locked():
            known: _Known = self._file.read(_Known)
            if known.fingerprint == fingerprint:
                self._file.write(_Known(fingerprint, {**known.told, **told}))


class _Day(msgspec.Struct):
    day: str = ""
    calls: int = 0


class DailyCalls:
    """An allowance that we give ourselves: so many calls per UTC day, counted for all processes of this connector."""

    def __init__(
        self, session_dir: Path, crm: str, whose: str, most: int, wall: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._file = _SharedFile(session_dir, f"{crm}-calls", whose)
        self._most = most
        self._wall = wall
        self._whose = whose

    def take(self) -> None:
        """One call more. Raises QuotaExhausted, and counts nothing, when the day's are used up."""
        today = self._wall().date()
        with self._file.locked():
            calls = self._calls(today)
            if calls < self._most:
                self._file.write(_Day(today.isoformat(), calls + 1))
                return
        raise QuotaExhausted(
            f"the {self._most:,} calls that this connector may make per day are used up",
            where=f"connector {self._whose.partition(' ')[0]}",
            todo="wait for the next day (UTC), or raise push_limits.daily_calls",
            resets_at=_midnight(today),
        )

    def quota(self) -> Quota:
        today = self._wall().date()
        return Quota(max(0, self._most - self._calls(today)), self._most, _midnight(today))

    def _calls(self, today: date) -> int:
        known: _Day = self._file.read(_Day)
        return known.calls if known.day == today.isoformat() else 0


def _midnight(today: date) -> datetime:
    return datetime.combine(today + timedelta(days=1), time(), UTC)
