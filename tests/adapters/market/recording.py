"""Records lines as a marketing application does, for the tests of the Market."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from adapters.market.engine import Market
from sync.push import Sink
from sync.recording import Told, read_entries
from sync.recording_fields import Recordable
from sync.recording_pushes import Destination
from sync.records import PUSHED, Kind
from tests.adapters.market.building import NOW, ask

COLUMNS = frozenset({"first_name", "last_name", "title", "company", "region"})
_CUSTOM = dict.fromkeys(PUSHED, Sink.CUSTOM) | {Kind.OPENED: Sink.CAMPAIGN, Kind.CLICKED: Sink.CAMPAIGN}
_NATIVE = dict.fromkeys(PUSHED, Sink.NATIVE)

ACME = Destination("acme", frozenset(PUSHED), _CUSTOM, frozenset({"default"}), COLUMNS)
NATIVE = Destination("acme", frozenset(PUSHED), _NATIVE, frozenset({"default"}), COLUMNS)
QUIET = Destination("acme", frozenset(), _CUSTOM, frozenset(), COLUMNS)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 2, 1, hour, minute, tzinfo=UTC)


def record(market: Market, kind: str, *lines: dict[str, Any], to: tuple[Destination, ...] = (ACME,), dry_run: bool = False) -> Told:
    """Lines with the numbers 1, 2, …; those that can't be read are among the refused."""
    entries, refused = read_entries(Recordable(kind), enumerate(lines, start=1))
    return Told(refused=tuple(refused)) + market.marketing.record(Recordable(kind), entries, to, now=NOW, dry_run=dry_run)


def why(told: Told) -> list[tuple[int, str]]:
    return [(refused.number, refused.why) for refused in told.refused]


def waiting(market: Market) -> list[tuple[Any, ...]]:
    """What waits: kind, person, subject, version."""
    return ask(market, "SELECT kind, contact_id, subject_id, version FROM outbox ORDER BY outbox_id")
