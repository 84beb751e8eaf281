"""The outbox desk: what waits for a CRM, what it refused and why, trying again, parking (PUSH-2, PUSH-4). No flow is needed."""

from __future__ import annotations

import getpass

from adapters.market.outbox import OutboxCount as OutboxCount  # the commands show them
from adapters.market.outbox import OutboxRow as OutboxRow
from adapters.market.outbox import WhichRows
from sync.errors import ConfigError
from sync.near_names import did_you_mean
from sync.push import State
from sync.records import PUSHED, Kind
from tasks.wiring import installation, read_settings

WAITS_FOR = {
    "person": "the person is deleted in Market",
    "record": "the CRM does not have the person yet, or only as a converted lead",
    "delivery": "whether the mail arrived is not known yet",
}


def which_rows(config: str, connector: str | None, kind: str | None, state: str | None) -> WhichRows:
    """Raises ConfigError that lists near names. A kind may stand in the plural."""
    if connector is not None:
        read_settings(config).connector(connector)
    return WhichRows(connector, None if kind is None else _kind_named(kind), None if state is None else _state_named(state))


def _kind_named(text: str) -> Kind:
    for kind in PUSHED:
        if text in (kind.value, kind.plural):
            return kind
    words = [kind.plural for kind in PUSHED]
    raise ConfigError(
        f'nothing is pushed that is called "{text}"{did_you_mean(text, words)}', where="--kind", todo=f"One of {', '.join(words)}."
    )


def _state_named(text: str) -> State:
    if text in set(State):
        return State(text)
    raise ConfigError(f'there is no state "{text}"{did_you_mean(text, list(State))}', where="--state", todo=f"One of {', '.join(State)}.")


def outbox_counts(config: str, connector: str | None = None) -> tuple[OutboxCount, ...]:
    """What no CRM has acknowledged yet, by connector, kind, state and reason. Needs `has_market`, as everything below."""
    return installation(config).market.outbox.counts(connector)


def outbox_rows(config: str, which: WhichRows, limit: int) -> tuple[OutboxRow, ...]:
    """The oldest first; without a state only what is not acknowledged."""
    return installation(config).market.outbox.rows(which, limit=limit)


def outbox_row(config: str, outbox_id: int) -> OutboxRow:
    """Raises ConfigError when there is no such row."""
    row = installation(config).market.outbox.row(outbox_id)
    if row is None:
        raise ConfigError(f"there is no row {outbox_id}", where="outbox", todo="`marketsync outbox list` shows the rows.")
    return row


def retry_rows(config: str, outbox_ids: tuple[int, ...]) -> int:
    """The next run tries these again. → how many could be. Raises ConfigError when one does not exist; then none is."""
    for outbox_id in outbox_ids:
        outbox_row(config, outbox_id)
    return installation(config).market.outbox.retry(outbox_ids)


def retry_all_parked(config: str, connector: str | None) -> int:
    """The next run tries every parked row again. → how many there are."""
    return installation(config).market.outbox.retry_parked(connector)


def park_rows(config: str, outbox_ids: tuple[int, ...], why: str) -> int:
    """These wait until somebody has them tried again. → how many. Raises ConfigError without a reason, or for no such row."""
    if not why.strip():
        raise ConfigError("a row is parked only for a reason", where="outbox", todo='Say why: --why "…".')
    for outbox_id in outbox_ids:
        outbox_row(config, outbox_id)
    return installation(config).market.outbox.park(outbox_ids, f"parked by {getpass.getuser()}: {why.strip()}")
