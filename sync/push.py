"""What is written to a CRM: one waiting row, what the CRM said of it, and when a refused one is tried again (PUSH)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sync.records import Kind

CORE: tuple[Kind, ...] = (Kind.OPT_OUT, Kind.SCORE)
EMAIL_ACTIVITY: tuple[Kind, ...] = (Kind.SENT, Kind.OPENED, Kind.CLICKED)
TIME_SENSITIVE: tuple[Kind, ...] = (
    Kind.OPT_OUT,
    Kind.NEW_LEAD,
    Kind.UPDATE,
    Kind.TASK,
    Kind.VISIT,
    Kind.COMPLETION,
    Kind.REGISTRATION,
)
"""What each flow writes, in this order: opt-outs first (CONSENT-9), and people before what they did."""

BATCH_ROWS = 500
"""How many rows one batch of a push has: the number that the source sets for sent emails (PUSH-ES), and enough for every other kind where
the CRM has no better way for more (`sync.crm.Writing.rows_per_batch`)."""


class Sink(StrEnum):
    """Where a kind of activity lands (SINK-1, SINK-2)."""

    CUSTOM = "custom"  # a custom object that ships with the product
    NATIVE = "native"  # the CRM's own activity records
    CAMPAIGN = "campaign"  # counters on the campaign's custom object


class State(StrEnum):
    """Of a row of the outbox.

    | state        | means                                                                              |
    |--------------|------------------------------------------------------------------------------------|
    | pending      | waits; `next_try_at` says not before when                                          |
    | sending      | was handed to the CRM and nothing is known yet: looked up before it is sent again  |
    | acknowledged | the CRM has it                                                                     |
    | refused      | the CRM, or our own checks, refused it; it is tried again at `next_try_at`         |
    | parked       | refused too often: waits for an operator                                           |
    """

    PENDING = "pending"
    SENDING = "sending"
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Target:
    """A CRM record of a person: what is written, or what an activity is about."""

    kind: Kind
    crm_id: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One row of the outbox, ready to be sent: everything that an adapter needs, in Market's words.

    `targets`: the person's records; those of an opt-out or a score are written, all of them; an activity is about the first and only
    one; none for a new lead and for a campaign's counters. `push_key`: our own key of the record that is to be made, chosen when the
    row was queued and the same at every attempt (PUSH-3). `remote_id`: the CRM's key of what an earlier push of this row made, which is
    then changed instead; empty: nothing was made yet. `repeated`: an earlier attempt was under way when its run died.
    `values`, by kind (instants are ISO text, UTC; what is unknown is None):

    | kind                     | values                                                                                             |
    |--------------------------|----------------------------------------------------------------------------------------------------|
    | opt-out                  | address                                                                                            |
    | score                    | field, score (a number), date_field or None, scored_at                                             |
    | new lead, record update  | fields: CRM field → value; address (absent: not written), and opt_out: true where it may not be mailed |
    | sent email               | campaign, subject, from_address, address, sent_at, delivery_status (delivered, bounced), opens, clicks |
    | opened, clicked email    | campaign, subject, address, at, url                                                                |
    | the same, sink campaign  | campaign_key, campaign, opens, people_opened, clicks, people_clicked                               |
    | task                     | subject, description, due_at, priority (low, normal, high), owner (the CRM's id of a user)         |
    | web visit                | started_at, ended_at, duration_s, pages, referrer, landing_page, page_views: list of key, url, title, at |
    | landing page completion  | page, url, form, completed_at, answers: name → text                                                |
    | event registration       | event, place, starts_at, registered_at, attended_at                                                |
    """

    outbox_id: int
    version: int
    kind: Kind
    push_key: str
    values: Mapping[str, Any]
    targets: tuple[Target, ...] = ()
    remote_id: str = ""
    repeated: bool = False


class Outcome(StrEnum):
    """What became of one outgoing row.

    `postponed`: the CRM was not asked, or was too busy to look at it; that is no attempt.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    POSTPONED = "postponed"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One per outgoing row (PUSH-4). `remote_id`: the CRM's key of what was written; `said`: the CRM's words when it refused, scrubbed.

    `version` is that of the row as it was sent: a value that changed meanwhile stays pending (PUSH-2). `final`: trying again is of no use.
    """

    outbox_id: int
    version: int
    outcome: Outcome
    remote_id: str = ""
    said: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one row of the outbox stands. `attempts`: how often it was refused since it last changed. `next_try_at`: UTC, None: at once;
    of a row that is `sending` it means that what became of an attempt before this one is not known."""

    version: int
    state: State
    attempts: int = 0
    next_try_at: datetime | None = None
    remote_id: str = ""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """The CRM's allowance of calls: how many are left of how many, and when it is full again (UTC; None: the CRM does not say)."""

    left: int
    of: int
    resets_at: datetime | None = None


_PAUSES_MINUTES = (2, 10, 60, 360, 1440)


def next_try(attempts: int, most_attempts: int, now: datetime) -> datetime | None:
    """When a row that was refused for the `attempts`-th time is tried again, UTC; None: it is parked for an operator (PUSH-4).

    | attempts | 1     | 2      | 3   | 4   | 5 and more | most_attempts |
    |----------|-------|--------|-----|-----|------------|---------------|
    | pause    | 2 min | 10 min | 1 h | 6 h | a day      | parked        |
    """
    if attempts >= most_attempts:
        return None
    return now + timedelta(minutes=_PAUSES_MINUTES[min(attempts, len(_PAUSES_MINUTES)) - 1])


def settled(row: Standing, receipt: Receipt, now: datetime, most_attempts: int) -> Standing:
    """Where a row stands after its receipt (PUSH-2, PUSH-4). Doubtful: what became of an attempt before this one is not known.

    | receipt   | row                        | becomes                                                              |
    |-----------|----------------------------|----------------------------------------------------------------------|
    | any       | acknowledged at that version | stays                                                              |
    | accepted  | as it was sent             | acknowledged                                                         |
    | accepted  | changed meanwhile          | pending, with the CRM's key of what was made                         |
    | refused   | as it was sent             | refused until the next try; parked when that is final or the last one |
    | refused   | changed meanwhile          | pending: the newer value may be taken                                |
    | postponed | doubtful                   | sending: it is looked up before it goes out again                    |
    | postponed | was refused before         | refused                                                              |
    | postponed | others                     | pending                                                              |
    """
    same = receipt.version == row.version
    if same and row.state is State.ACKNOWLEDGED:
        return row
    if receipt.outcome is Outcome.POSTPONED:
        if row.state is State.SENDING and row.next_try_at is not None:
            return row
        return replace(row, state=State.REFUSED if row.attempts else State.PENDING)
    if receipt.outcome is Outcome.ACCEPTED:
        taken = State.ACKNOWLEDGED if same else State.PENDING
        return replace(row, state=taken, next_try_at=None, remote_id=receipt.remote_id or row.remote_id, refusal="")
    if not same:
        return replace(row, state=State.PENDING, next_try_at=None)
    attempts = row.attempts + 1
    again = None if receipt.final else next_try(attempts, most_attempts, now)
    state = State.PARKED if again is None else State.REFUSED
    return replace(row, state=state, attempts=attempts, next_try_at=again, refusal=receipt.said)


def rows_affordable(kind: Kind, quota: Quota | None, reserve_share: float, rows_per_call: float) -> int | None:
    """How many rows of this kind may be sent now without touching the reserve for opt-outs; None: as many as there are.

    | kind     | quota        | rows                                        |
    |----------|--------------|---------------------------------------------|
    | any      | none         | all                                         |
    | opt-out  | some left    | all                                         |
    | others   | some left    | (left - reserve) · rows per call, at least 0 |
    """
    if quota is None or kind is Kind.OPT_OUT:
        return None
    return max(0, int((quota.left - quota.of * reserve_share) * rows_per_call))
