"""Opt-outs that the CRM keeps with the address: whose record must be read again although its stamp did not move (CONSENT-3, CONSENT-4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from prefect import task

from sync.flagged import remembered, worth_asking
from sync.records import Cursor, Kind, RunRef
from sync.watermark import next_window
from tasks.wiring import RETRY, installation, now, open_crm, settings_of

_WITHOUT_ADDRESS = frozenset({Kind.OPPORTUNITY})


@dataclass(frozen=True, slots=True)
class Flagged:
    """Records to read again, by kind. `at` is where the next window starts; None: nothing moved, and the cursor stays."""

    records: tuple[tuple[Kind, tuple[str, ...]], ...] = ()
    at: datetime | None = None
    edge: dict[str, str] = field(default_factory=dict)


def begin_following_addresses(run: RunRef) -> None:
    """The first core run starts where the initial sync's reading began: it read every record's opt-out as it was then, or later."""
    home = installation(run.config)
    kinds = settings_of(run).pull.kinds()
    if not settings_of(run).pull.unsubscribes.on or home.market.cursors.read(run.connector, Kind.ADDRESS) is not None:
        return
    starts = [cursor.at for kind in kinds if (cursor := home.market.cursors.read(run.connector, kind)) is not None]
    if starts:
        home.market.cursors.settle(Cursor(run.connector, Kind.ADDRESS, min(starts)), {}, now())


@task(name="extract opt-outs", task_run_name="extract opt-outs of {run.connector}", **RETRY)
def extract_flagged(run: RunRef) -> Flagged:
    """Asks for the addresses that moved, then for who carries them. One call when none did."""
    home = installation(run.config)
    crm = open_crm(run.config, run.connector)
    cursor = home.market.cursors.read(run.connector, Kind.ADDRESS)
    if cursor is None:
        return Flagged()
    started_at = crm.now()
    window = next_window(cursor.at, crm.overlap, started_at)
    found = crm.flagged_addresses(window)
    asked = worth_asking(found, window, home.market.cursors.edge(run.connector, Kind.ADDRESS))
    if not asked:
        return Flagged()
    kinds = tuple(kind for kind in settings_of(run).pull.kinds() if kind not in _WITHOUT_ADDRESS)
    holders = crm.holders_of(kinds, [each.address for each in asked])
    records = tuple((kind, holders[kind]) for kind in kinds if holders.get(kind))
    return Flagged(records, started_at, remembered(found, started_at - crm.overlap))


@task(name="settle opt-outs", task_run_name="settle opt-outs of {run.connector}", **RETRY)
def settle_flagged(run: RunRef, flagged: Flagged) -> None:
    """Moves the cursor, now that every record is committed."""
    if flagged.at is not None:
        market = installation(run.config).market
        market.cursors.settle(Cursor(run.connector, Kind.ADDRESS, flagged.at), flagged.edge, now())
