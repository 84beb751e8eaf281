"""What a marketing application does, written into Market together with what the CRMs are to be told of it (PUSH-1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from adapters.market.database import Database
from adapters.market.marketing_activity import record_page_views, record_scores, record_tasks, record_visits
from adapters.market.marketing_batch import Batch
from adapters.market.marketing_consent import record_resubscribes, record_unsubscribes
from adapters.market.marketing_forms import (
    record_attendance,
    record_completions,
    record_leads,
    record_pushes,
    record_registrations,
    record_updates,
)
from adapters.market.marketing_mail import record_deliveries, record_email_events, record_sends
from adapters.market.marketing_named import TABLES, record_named
from sync.recording import Entry, Told
from sync.recording_fields import Recordable
from sync.recording_pushes import Destination

_RECORDING: Mapping[Recordable, Callable[[Batch], None]] = {
    **{kind: partial(record_named, kind=kind) for kind in TABLES},
    Recordable.LEADS: record_leads,
    Recordable.SCORES: record_scores,
    Recordable.SENDS: record_sends,
    Recordable.DELIVERIES: partial(record_deliveries, kind=Recordable.DELIVERIES),
    Recordable.BOUNCES: partial(record_deliveries, kind=Recordable.BOUNCES),
    Recordable.OPENS: partial(record_email_events, kind=Recordable.OPENS),
    Recordable.CLICKS: partial(record_email_events, kind=Recordable.CLICKS),
    Recordable.VISITS: record_visits,
    Recordable.PAGE_VIEWS: record_page_views,
    Recordable.COMPLETIONS: record_completions,
    Recordable.REGISTRATIONS: record_registrations,
    Recordable.ATTENDANCE: record_attendance,
    Recordable.TASKS: record_tasks,
    Recordable.PUSHES: record_pushes,
    Recordable.UPDATES: record_updates,
    Recordable.UNSUBSCRIBES: record_unsubscribes,
    Recordable.RESUBSCRIBES: record_resubscribes,
}


class Marketing:
    """Raises MarketUnavailable; then nothing of the batch was kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self, kind: Recordable, entries: Sequence[Entry], destinations: Sequence[Destination], *, now: datetime, dry_run: bool = False
    ) -> Told:
        """One batch in one transaction, in a number of statements that does not depend on how many lines it has.

        What can't be recorded is told and the other lines are kept. `dry_run`: everything is decided, and nothing is kept.
        """
        with self._database.writing(kept=not dry_run) as connection:
            batch = Batch(connection, entries, now, destinations)
            _RECORDING[kind](batch)
            return batch.finish()
