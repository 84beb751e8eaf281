"""What a run did, in words that a person reads without a table: "3 contacts updated", "2 opt-outs and 500 sent emails pushed"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    PUSHED = "pushed"
    REFUSED = "refused"
    PARKED = "parked"


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
    What.PUSHED: "pushed",
    What.REFUSED: "refused",
    What.PARKED: "parked",
}


_PUSHES = (What.PUSHED, What.REFUSED, What.PARKED)


@dataclass(frozen=True, slots=True)
class Happened:
    """So many records (for ADDRESS: addresses) of one kind."""

    kind: Kind
    what: What
    count: int


def of_counts(kind: Kind, counts: CommitCounts, *, echo: bool = False) -> tuple[Happened, ...]:
    """What a commit's counts tell. `echo`: we wrote these records ourselves, so that neither new nor updated ones are news (PUSH-6)."""
    news = () if echo else ((What.NEW, counts.inserted), (What.UPDATED, counts.updated))
    told = (*news, (What.HELD, counts.newly_held), (What.RELEASED, counts.released))
    return tuple(Happened(kind, what, count) for what, count in told if count)


def of_pushes(kind: Kind, accepted: int, refused: int, parked: int) -> tuple[Happened, ...]:
    """What became of the rows of one batch. `parked` ones are not among the `refused`."""
    told = ((What.PUSHED, accepted), (What.REFUSED, refused), (What.PARKED, parked))
    return tuple(Happened(kind, what, count) for what, count in told if count)


def in_words(happened: Iterable[Happened]) -> tuple[str, ...]:
    """One phrase per kind and event, by event and then by kind; what happened several times in one run is added up.

    All pushes are one phrase, the last one: "2 opt-outs, 1 new lead and 500 sent emails pushed; 3 refused, 1 parked".
    """
    sums: Counter[tuple[Kind, What]] = Counter()
    for each in happened:
        sums[each.kind, each.what] += each.count
    ordered = sorted(sums, key=lambda pair: (list(What).index(pair[1]), pair[0].place))
    pulled = tuple(_phrase(kind, what, sums[kind, what]) for kind, what in ordered if sums[kind, what] and what not in _PUSHES)
    return (*pulled, *_pushes(sums))


def _pushes(sums: Mapping[tuple[Kind, What], int]) -> tuple[str, ...]:
    """One phrase, or none. Beside what was pushed the others are only counted."""
    counted = {what: [kind.counted(sums[kind, what]) for kind in Kind if sums.get((kind, what))] for what in _PUSHES}
    pushed, failed = counted.pop(What.PUSHED), {what: words for what, words in counted.items() if words}
    if not pushed:
        return (", ".join(f"{listed(words)} {_TAILS[what]}" for what, words in failed.items()),) if failed else ()
    totals = {what: sum(count for (_, each), count in sums.items() if each is what) for what in failed}
    parts = [f"{listed(pushed)} {_TAILS[What.PUSHED]}", ", ".join(f"{count:,} {_TAILS[what]}" for what, count in totals.items())]
    return ("; ".join(filter(None, parts)),)


def listed(words: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _phrase(kind: Kind, what: What, count: int) -> str:
    if what is What.ADDRESS:
        subject = "address of a" if count == 1 else "addresses of"
        return f"{count:,} {subject} {kind.value if count == 1 else kind.plural} {_TAILS[what]}"
    return f"{count:,} {kind.value if count == 1 else kind.plural} {_TAILS[what]}"


def sentence(phrases: tuple[str, ...]) -> str:
    """Empty when nothing happened."""
    return f"{', '.join(phrases)}." if phrases else ""
