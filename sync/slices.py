"""Slices: the key space of a kind, cut so that a part of it can be compared with the CRM at a time.

Changes that moved no stamp and deletions that left no trace are found by reading every record again, a slice at a time, the one that was
compared longest ago first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from sync.records import KeyRange, Kind

_PLAIN = re.compile(r"[0-9a-z-]+")
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slice:
    """The records of one kind in one range of keys. `checked_at`: when they were last compared, UTC; None: never.

    `records`: how many the CRM had then; None: nobody has counted since the slice was cut.
    """

    kind: Kind
    keys: KeyRange
    checked_at: datetime | None = None
    records: int | None = None

    @property
    def begins(self) -> str:
        """Where, in words: `the first`, or an id."""
        return self.keys.low or "the first"


def stalest_first(slices: Iterable[Slice]) -> tuple[Slice, ...]:
    """What was never compared, in the order of the pull; then what was compared longest ago."""
    return tuple(sorted(slices, key=lambda each: (each.checked_at or _NEVER, each.kind.place, each.keys.low)))


def cut(kind: Kind, ids: Sequence[str]) -> tuple[Slice, ...]:
    """The whole key space of a kind, cut at these ids. The first slice is open below, the last one above: together they hold every key.

    That is so in whatever order the CRM keeps its keys; where its order is not ours, slices may overlap, which does no harm.
    """
    return tuple(Slice(kind, KeyRange(low, high)) for low, high in pairwise(("", *_edges(ids, ()), "")))


def _edges(ids: Sequence[str], others: Sequence[str]) -> list[str]:
    """Ids to cut at, sorted. Where some are made of digits and small letters only those count: of them every database has the same order.

    `others`: the edges that are there already; they say whether this kind has such ids.
    """
    found = sorted({each for each in ids if each})
    plain = [each for each in found if _PLAIN.fullmatch(each)]
    has_plain = any(_PLAIN.fullmatch(each) for each in others) if others else bool(plain)
    return plain if has_plain else found


def is_too_large(one: Slice, slice_rows: int) -> bool:
    """Grown to twice its size."""
    return one.records is not None and one.records >= 2 * slice_rows


def cut_again(one: Slice, ids: Sequence[str], others: Sequence[str]) -> tuple[Slice, ...]:
    """A slice in parts, which are as stale as it was. `others`: the edges of the kind's slices."""
    inside = [each for each in _edges(ids, others) if each > one.keys.low and (not one.keys.high or each < one.keys.high)]
    return tuple(Slice(one.kind, KeyRange(low, high), one.checked_at) for low, high in pairwise((one.keys.low, *inside, one.keys.high)))


def joined(slices: Sequence[Slice]) -> tuple[Slice, ...]:
    """The slices of one kind without the empty ones, whose keys go to a neighbour. It is as stale as the staler of the two."""
    kept: list[Slice] = []
    for one in sorted(slices, key=lambda each: each.keys.low):
        if kept and (one.records == 0 or kept[-1].records == 0):
            kept[-1] = _both(kept[-1], one)
        else:
            kept.append(one)
    return tuple(kept)


def _both(first: Slice, second: Slice) -> Slice:
    stamps = (first.checked_at, second.checked_at)
    records = None if None in (first.records, second.records) else (first.records or 0) + (second.records or 0)
    checked_at = None if None in stamps else min(stamp for stamp in stamps if stamp is not None)
    return replace(first, keys=KeyRange(first.keys.low, second.keys.high), checked_at=checked_at, records=records)
