"""What a reconciliation found, in numbers and in words. Only counts, ids and names of columns: never a person's data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sync.records import Finding, Kind

_COLUMNS_TOLD = 5
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Compared:
    """One kind, or a part of it, in records. `healed`: differed although no stamp said so; `missing`: were not in Market; `gone`: Market
    had them and the CRM does not; `left`: no longer meet the filter (FILT-2); `recent`: the next core sync would have brought them.

    `columns`: column → in how many of the differing records that were looked at its value differed.
    """

    kind: Kind
    slices: int = 0
    records: int = 0
    healed: int = 0
    missing: int = 0
    gone: int = 0
    left: int = 0
    recent: int = 0
    columns: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    def __add__(self, other: Compared) -> Compared:
        columns = {name: self.columns.get(name, 0) + other.columns.get(name, 0) for name in (*self.columns, *other.columns)}
        return Compared(
            self.kind,
            self.slices + other.slices,
            self.records + other.records,
            self.healed + other.healed,
            self.missing + other.missing,
            self.gone + other.gone,
            self.left + other.left,
            self.recent + other.recent,
            columns,
            (*self.examples, *other.examples)[:_EXAMPLES],
        )


@dataclass(frozen=True, slots=True)
class Staleness:
    """How old the comparison is: `never` of `slices` were never compared; the stalest of the others was at `oldest`, UTC."""

    slices: int
    never: int
    oldest: datetime | None


def by_kind(parts: Iterable[Compared]) -> tuple[Compared, ...]:
    """The parts of each kind together, in the order of the pull."""
    found: dict[Kind, Compared] = {}
    for part in parts:
        found[part.kind] = found.get(part.kind, Compared(part.kind)) + part
    return tuple(found[kind] for kind in sorted(found, key=lambda kind: kind.place))


def findings_of(compared: Compared, *, deletions: bool = True) -> tuple[Finding, ...]:
    """What a person should know about one kind; nothing where Market and CRM agreed. `deletions`: they are pulled (DEL-1)."""
    kind = compared.kind
    found = []
    if compared.healed:
        found.append(Finding(kind, "silent change", f"{_differed(compared)}; healed{_columns(compared)}", compared.healed))
    if compared.missing:
        verb = _one(compared.missing, "was", "were")
        message = f"{_counted(compared.missing, kind)} {verb} not in Market although no new change says why; brought in"
        found.append(Finding(kind, "missing record", message, compared.missing))
    if compared.gone:
        then = "treated as deleted" if deletions else "left as they are, because deletions are not pulled"
        message = f"{_counted(compared.gone, kind)} vanished from the CRM without a trace, or from the syncing user's sight; {then}"
        found.append(Finding(kind, "vanished record", message, compared.gone, compared.examples))
    if compared.left:
        message = f"{_counted(compared.left, kind)} no longer {_one(compared.left, 'meets', 'meet')} the sync filter"
        found.append(Finding(kind, "left the filter", message, compared.left))
    return tuple(found)


def _differed(compared: Compared) -> str:
    return f"{_counted(compared.healed, compared.kind)} differed from the CRM although no stamp had moved"


def _columns(compared: Compared) -> str:
    most = sorted(compared.columns.items(), key=lambda each: (-each[1], each[0]))[:_COLUMNS_TOLD]
    return f", mostly in {', '.join(name for name, _ in most)}" if most else ""


def in_one_sentence(connector: str, found: Iterable[Compared]) -> str:
    """The whole run, for a reader who reads no further."""
    parts = tuple(found)
    records = sum(each.records for each in parts)
    said = f"{records:,} record{'' if records == 1 else 's'} compared with {connector}"
    totals = (
        (sum(each.healed for each in parts), "differed"),
        (sum(each.missing for each in parts), "missing"),
        (sum(each.gone for each in parts), "vanished from the CRM"),
        (sum(each.left for each in parts), "left the sync filter"),
    )
    told = [f"{count:,} {what}" for count, what in totals if count]
    return f"{said}: {', '.join(told)}." if told else f"{said}: no silent change was found."


def staleness_in_words(stale: Staleness, now: datetime) -> str:
    """How stale the oldest unchecked slice is, in one sentence."""
    if not stale.slices:
        return "Market was never compared with the CRM as a whole."
    if stale.never:
        verb = "was" if stale.never == 1 else "were"
        return f"{stale.never:,} of {stale.slices:,} slices {verb} never compared with the CRM."
    age = _age(stale.oldest, now) if stale.oldest else ""
    return f"Every slice was compared with the CRM; the one that was compared longest ago {age}."


def _age(since: datetime, now: datetime) -> str:
    seconds = max((now - since).total_seconds(), 0)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "less than a minute ago"


def _counted(count: int, kind: Kind) -> str:
    return f"1 {kind.value}" if count == 1 else f"{count:,} {kind.plural}"


def _one(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
