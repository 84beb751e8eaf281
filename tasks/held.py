"""Held records are read again by their CRM id until they pass (GATE-2): advancing the cursor loses nothing."""

from __future__ import annotations

from datetime import timedelta

from sync.records import Kind, RunRef
from tasks.wiring import installation, now

MOST_AT_ONCE = 1_000
"""Held records of one kind that one run reads again by name; the others have their turn in the next runs."""


def read_held(run: RunRef, kind: Kind) -> tuple[str, ...]:
    """CRM ids of the held records that this run reads again by name, at most MOST_AT_ONCE; none is the usual answer.

    Those that an operator asked for, and those that were not read for `gate.retry_held_minutes`: a record that changes comes with
    the window anyway. When they were read and brought in, `note_read` says so.
    """
    home = installation(run.config)
    before = now() - timedelta(minutes=home.settings.gate.retry_held_minutes)
    return home.market.quarantine.due_ids(run.connector, kind, before, MOST_AT_ONCE)


def note_read(run: RunRef, kind: Kind, ids: tuple[str, ...]) -> None:
    """These held records were asked for, and what came was committed. Also for those that the CRM did not give."""
    if ids:
        installation(run.config).market.quarantine.note_asked(run.connector, kind, ids, now())
