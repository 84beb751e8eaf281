"""Where the next window starts and ends (PULL-1). Every clock here is the CRM's, UTC."""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.records import Window

CATCH_UP = timedelta(days=1)


def next_window(cursor: datetime, overlap: timedelta, now: datetime) -> Window:
    """Changes since the cursor, and `overlap` before it, because stamps become visible late; reading a change twice is harmless.

    Open at its end, so that nothing is missed; after an outage of days it ends now, which lets it be shared among connections. What
    comes later is the next run's.
    """
    lower = cursor - overlap
    return Window(lower, now if now - lower > CATCH_UP else None)
