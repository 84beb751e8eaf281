"""What a run did, in words that a person reads without a table: "3 contacts updated", "1 address of a lead changed"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sync.records import CommitCounts, Kind


class What(StrEnum):
    """What happened to records of one kind, in the order in which it is told."""

    NEW = "new"
    UPDATED = "updated"
    CONVERTED = "converted"
    ADDRESS = "address"
    OPTED_OUT = "opted out"
    RESUBSCRIBED = "re-subscribed"
    RESTORED = "restored"
    DELETED = "deleted"
    MERGED = "merged"
    LEFT = "left"
    RETURNED = "returned"
    HELD = "held"
    RELEASED = "released"


_TAILS = {
    What.NEW: "new",
    What.UPDATED: "updated",
    What.CONVERTED: "made of a lead",
    What.ADDRESS: "changed (delivery status reset)",
    What.OPTED_OUT: "opted out in the CRM",
    What.RESUBSCRIBED: "re-subscribed in the CRM",
    What.RESTORED: "back after a deletion",
    What.DELETED: "deleted in the CRM",
    What.MERGED: "merged into another",
    What.LEFT: "no longer within the sync filter",
    What.RETURNED: "within the sync filter again",
    What.HELD: "held back",
    What.RELEASED: "no longer held back",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """So many records (for ADDRESS: addresses) of one kind."""

    kind: Kind
    what: What
    count: int


def of_counts(kind: Kind, counts: CommitCounts) -> tuple[Happened, ...]:
    """What a commit's counts tell."""
    told = ((What.NEW, counts.inserted), (What.UPDATED, counts.updated), (What.HELD, counts.newly_held), (What.RELEASED, counts.released))
    return tuple(Happened(kind, what, count) for what, count in told if count)


def in_words(happened: Iterable[Happened]) -> tuple[str, ...]:
    """One phrase per kind and event, by event and then by kind; what happened several times in one run is added up."""
    sums: Counter[tuple[Kind, What]] = Counter()
    for each in happened:
        sums[each.kind, each.what] += each.count
    ordered = sorted(sums, key=lambda pair: (list(What).index(pair[1]), list(Kind).index(pair[0])))
    return tuple(_phrase(kind, what, sums[kind, what]) for kind, what in ordered if sums[kind, what])


def _phrase(kind: Kind, what: What, count: int) -> str:
    if what is What.ADDRESS:
        subject = "address of a" if count == 1 else "addresses of"
        return f"{count:,} {subject} {kind.value if count == 1 else kind.plural} {_TAILS[what]}"
    return f"{count:,} {kind.value if count == 1 else kind.plural} {_TAILS[what]}"


def sentence(phrases: tuple[str, ...]) -> str:
    """Empty when nothing happened."""
    return f"{', '.join(phrases)}." if phrases else ""
