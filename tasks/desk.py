"""The quarantine as a desk: what an operator looks at, asks for again, and lets go (GATE-2). No flow is needed."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from adapters.market.quarantine import Held as Held
from adapters.market.quarantine import HeldCount as HeldCount
from adapters.market.quarantine import Which
from sync.errors import ConfigError, MarketsyncError
from sync.near_names import did_you_mean
from sync.records import PULL_ORDER, Kind
from tasks.wiring import installation, now, open_crm, read_settings


@dataclass(frozen=True, slots=True)
class Asked:
    """`asked`: entries that the next run reads again. `nameless`: of records without a CRM id, which nobody can ask for."""

    asked: int
    nameless: int
    released: int


def which_held(config: str, connector: str | None, kind: str | None, rule: str | None, *, released: bool = False) -> Which:
    """Entries as an operator names them. Raises ConfigError with near names for a connector, kind or rule that does not exist."""
    if connector is not None:
        read_settings(config).connector(connector)
    which = Which(connector, None if kind is None else kind_named(config, kind), rule, released)
    if rule is not None:
        rules = {each.rule for each in held_counts(config, Which(released=released))}
        if rules and rule not in rules:
            raise ConfigError(
                f'no record is held by a rule "{rule}"{did_you_mean(rule, rules)}',
                where="--rule",
                todo=f"One of {', '.join(sorted(rules))}.",
            )
    return which


def kind_named(config: str, text: str) -> Kind:
    """A kind that is pulled, by its singular or plural. Raises ConfigError with near names."""
    custom = {kind for connector in read_settings(config).connectors.values() for kind in connector.custom_objects}
    kinds = (*PULL_ORDER, *sorted(custom, key=lambda kind: kind.place))
    for kind in kinds:
        if text in (kind.value, kind.plural):
            return kind
    words = [kind.value if kind.is_custom else kind.plural for kind in kinds]
    raise ConfigError(f'there is no kind "{text}"{did_you_mean(text, words)}', where="--kind", todo=f"One of {', '.join(words)}.")


def held_counts(config: str, which: Which) -> tuple[HeldCount, ...]:
    """Entries by connector, kind and rule. Needs `has_market`, as everything below."""
    return installation(config).market.quarantine.count(which)


def held_records(config: str, which: Which, limit: int) -> tuple[Held, ...]:
    """Open entries, the oldest first; or the released ones, those released last first."""
    desk = installation(config).market.quarantine
    return desk.list(which.connector, which.kind, which.rule, released=which.released, limit=limit)


def held_record(config: str, quarantine_id: int) -> Held:
    """Raises ConfigError when there is no such entry."""
    held = installation(config).market.quarantine.show(quarantine_id)
    if held is None:
        todo = "`marketsync quarantine list` shows the entries."
        raise ConfigError(f"there is no entry {quarantine_id}", where="quarantine", todo=todo)
    return held


def place_in_crm(config: str, held: Held) -> str:
    """Where a person opens the record to correct it; empty: it has no id, or its connector is configured no more."""
    if not held.crm_id or held.connector not in read_settings(config).connectors:
        return ""
    try:
        return open_crm(config, held.connector).place_of(held.kind, held.crm_id)
    except MarketsyncError:
        return ""  # a connector that can't work is told by `check`; the record can be looked at all the same


def retry_held(config: str, quarantine_ids: tuple[int, ...]) -> Asked:
    """The next run reads these records again. Raises ConfigError when an entry does not exist; then none is asked for."""
    entries = [held_record(config, quarantine_id) for quarantine_id in dict.fromkeys(quarantine_ids)]
    asked = installation(config).market.quarantine.ask_again(quarantine_ids, now())
    still = [each for each in entries if each.released_at is None]
    return Asked(asked, sum(not each.crm_id for each in still), len(entries) - len(still))


def retry_all_held(config: str, which: Which) -> Asked:
    """The next runs read all of these again."""
    there = sum(each.records for each in held_counts(config, which))
    asked = installation(config).market.quarantine.ask_all_again(which, now())
    return Asked(asked, there - asked, 0)


def release_held(config: str, quarantine_ids: tuple[int, ...], reason: str) -> int:
    """GATE-2: an operator lets records go. → how many entries were open. ConfigError when one does not exist; then none is released."""
    if not reason.strip():
        raise ConfigError("a record is released only for a reason", where="quarantine", todo='Say why: --reason "…".')
    for quarantine_id in quarantine_ids:
        held_record(config, quarantine_id)
    desk = installation(config).market.quarantine
    return desk.release(quarantine_ids, reason.strip(), now(), who=getpass.getuser())
