"""Dates and instants as this CRM stores, sends and reads them: always UTC, whole seconds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?")


def literal(seconds: float) -> str:
    """An instant as it is stored: `2026-01-02T03:04:05.000Z`. Text order is time order."""
    days, second = divmod(int(seconds), 86_400)
    return _day(days) + _clock(second)


@lru_cache(maxsize=20_000)
def _day(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


@lru_cache(maxsize=86_400)
def _clock(second: int) -> str:
    return f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000Z"


def spoken(stored: str) -> str:
    """A stored instant as JSON answers spell it: an offset without colon."""
    return f"{stored[:-1]}+0000"


def seconds_of(stored: str) -> float:
    """Epoch seconds of any instant that `parse` reads."""
    found = parse(stored)
    if found is None:
        raise ValueError(f"no instant: {stored!r}")
    return found.timestamp()


def parse(text: str) -> datetime | None:
    """An ISO instant with any offset, or without one (UTC); None for what is none."""
    found = _INSTANT.fullmatch(text.strip())
    if found is None:
        return None
    day, clock, offset = found.groups()
    offset = "+00:00" if offset in (None, "Z") else offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"
    try:
        return datetime.fromisoformat(f"{day}T{clock}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def normal(text: str) -> str | None:
    """An instant as it is stored; fractions of a second are cut off."""
    found = parse(text)
    return found.strftime("%Y-%m-%dT%H:%M:%S.000Z") if found else None


def is_date(text: str) -> bool:
    """Is it a day of the calendar?"""
    try:
        return len(text) == 10 and bool(date.fromisoformat(text))
    except ValueError:
        return False


def first_of(unit: str, day: date) -> date:
    """The first day of the week (Sunday), month, quarter or year of a day."""
    if unit == "WEEK":
        return day - timedelta(days=(day.weekday() + 1) % 7)
    if unit == "MONTH":
        return day.replace(day=1)
    if unit == "QUARTER":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if unit == "YEAR" else day


def moved(unit: str, day: date, count: int) -> date:
    """`count` weeks, months, quarters or years after a first day; days for any other unit."""
    if unit in ("MONTH", "QUARTER", "YEAR"):
        months = day.year * 12 + day.month - 1 + count * {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
        return day.replace(year=months // 12, month=months % 12 + 1)
    return day + timedelta(days=count * (7 if unit == "WEEK" else 1))
