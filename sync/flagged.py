"""Opt-outs that a CRM keeps with the address: which of the addresses that moved are worth asking about (CONSENT-3, CONSENT-4, FLOW-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sync.records import Window

MOST_REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class FlaggedAddress:
    """An address that moved. `at` and `created_at` are the CRM's clock, UTC; `created_at` None: the CRM does not say."""

    address_id: str
    address: str
    at: datetime
    out: bool
    invalid: bool
    created_at: datetime | None = None

    @property
    def mark(self) -> str:
        """Changes whenever the address does. Its stamp alone does not: a CRM counts whole seconds, and somebody may be put out within the
        very second in which we read that they are in."""
        return f"{self.at.isoformat()} {'out' if self.out else 'in'}{' invalid' if self.invalid else ''}"


def worth_asking(found: Iterable[FlaggedAddress], window: Window, seen: Mapping[str, str]) -> tuple[FlaggedAddress, ...]:
    """Without those that the last window brought already, and without new addresses that carry no flag.

    Who holds a new address was saved with it, so its holders' own stamps moved: they came as changes. `seen`: what is `remembered`.
    """
    return tuple(each for each in found if seen.get(each.address_id) != each.mark and not _came_with_its_holder(each, window, seen))


def _came_with_its_holder(each: FlaggedAddress, window: Window, seen: Mapping[str, str]) -> bool:
    """One that moved after it was made, or that was seen before, may have carried a flag when its holder was read."""
    made = each.created_at
    is_new = made is not None and window.lower is not None and made >= window.lower and each.at <= made
    return is_new and not each.out and not each.invalid and each.address_id not in seen


def remembered(found: Iterable[FlaggedAddress], since: datetime) -> dict[str, str]:
    """What the next window's overlap will bring again, by id, with its mark. Empty when it is too much to remember: then it is asked
    about once more, which is harmless."""
    edge = {each.address_id: each.mark for each in found if each.at >= since}
    return edge if len(edge) <= MOST_REMEMBERED else {}
