"""Instants on the wire: stored in UTC, rendered in the zone of the user who asks, read with whatever offset comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.sandbox.sugarcrm.errors import ApiError


def zone(name: str) -> ZoneInfo:
    """The zone of that name, or 422."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ApiError("invalid_parameter", f"Unknown time zone {name}") from None


def utc_literal(epoch: int) -> bytes:
    """JSON text of an instant, as it is stored: `"2026-01-02T03:04:05+00:00"`."""
    return b'"%s"' % datetime.fromtimestamp(epoch, UTC).isoformat().encode()


@lru_cache(maxsize=200_000)
def in_zone(literal: bytes, name: str) -> bytes:
    """A stored instant as a user of that zone sees it; what is no instant (null, malformed) stays as it is."""
    try:
        moment = datetime.fromisoformat(literal[1:-1].decode())
    except (ValueError, UnicodeDecodeError):
        return literal
    if moment.tzinfo is None:
        return literal
    return b'"%s"' % moment.astimezone(zone(name)).isoformat(timespec="seconds").encode()


def parse_instant(text: object, zone_name: str) -> int:
    """Epoch seconds; a text without an offset is local time of the user; fractions are cut off. Raises ValueError."""
    if not isinstance(text, str) or len(text) < 10:
        raise ValueError(f"not a date: {text!r}")
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone(zone_name))
    return int(moment.timestamp())


def is_day(text: object) -> bool:
    """A date without a time."""
    return isinstance(text, str) and len(text.strip()) == 10


def day_bounds(text: str, zone_name: str) -> tuple[int, int]:
    """First second of a user's day, and the first one after it."""
    start = datetime.fromisoformat(text.strip()[:10]).replace(tzinfo=zone(zone_name))
    return int(start.timestamp()), int((start + timedelta(days=1)).timestamp())


def _month(moment: datetime, months: int) -> datetime:
    index = moment.year * 12 + moment.month - 1 + months
    return moment.replace(year=index // 12, month=index % 12 + 1, day=1)


def named_range(name: str, now: datetime, zone_name: str) -> tuple[int, int]:
    """The half-open range behind a `$dateRange` name, in the user's zone; 422 for a name Sugar does not have."""
    today = now.astimezone(zone(zone_name)).replace(hour=0, minute=0, second=0, microsecond=0)
    year = today.replace(month=1, day=1)

    def days(first: int, after: int) -> tuple[datetime, datetime]:
        return today + timedelta(days=first), today + timedelta(days=after)

    ranges = {
        "today": days(0, 1),
        "yesterday": days(-1, 0),
        "tomorrow": days(1, 2),
        "last_7_days": days(-6, 1),
        "next_7_days": days(0, 7),
        "last_30_days": days(-29, 1),
        "next_30_days": days(0, 30),
        "this_month": (_month(today, 0), _month(today, 1)),
        "last_month": (_month(today, -1), _month(today, 0)),
        "next_month": (_month(today, 1), _month(today, 2)),
        "this_year": (year, year.replace(year=year.year + 1)),
        "last_year": (year.replace(year=year.year - 1), year),
        "next_year": (year.replace(year=year.year + 1), year.replace(year=year.year + 2)),
    }
    if name not in ranges:
        raise ApiError("invalid_parameter", f"Unknown date range {name}")
    start, end = ranges[name]
    return int(start.timestamp()), int(end.timestamp())
