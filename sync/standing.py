"""Where one connector stands: what an overview shows, and what alerts are decided on. Known without asking the CRM."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sync.push import Quota
from sync.reconciled import Staleness
from sync.records import Kind

INITIAL, CORE = "initial-sync", "core-sync"
FLOWS = (INITIAL, CORE, "email-activity-sync", "time-sensitive-sync", "reconciliation")


@dataclass(frozen=True, slots=True)
class LatestRuns:
    """What Market's book of runs says of one flow. `last_success`: the start of the newest run that came to its end; `failures`: how many
    have ended otherwise since, the first of them at `failing_since`; `state`, `error`, `error_type`: of the newest one that has ended;
    `at_work_since`: the start of a run that has not (or was killed). Instants are UTC."""

    last_success: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    state: str = ""
    error: str = ""
    error_type: str = ""
    report: str = ""
    at_work_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class FlowStanding:
    """One flow. `last_success`: when a run last came to its end, also one that found nothing to do; None: never. `due_after`: how long
    that may be ago, or `due_from` where it never was, before the flow is overdue; None: it is not watched. `said`: what that run did."""

    flow: str
    last_success: datetime | None
    runs: LatestRuns = field(default_factory=LatestRuns)
    due_after: timedelta | None = None
    due_from: datetime | None = None
    said: str = ""

    @property
    def failing(self) -> bool:
        return self.runs.failures > 0

    def overdue(self, now: datetime) -> bool:
        """A flow that fails is told as that."""
        since = self.last_success or self.due_from
        return not self.failing and self.due_after is not None and since is not None and now - since > self.due_after


@dataclass(frozen=True, slots=True)
class KindSeen:
    """One kind of the pull. `changed_at`: up to where its changes are here, on the CRM's clock, UTC; stays while nothing changes. None:
    never committed."""

    kind: Kind
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldOfKind:
    """Records of one kind that wait in quarantine, since when the oldest. `known`: how many records of the kind Market is linked to,
    counted only as far as it matters for the limit."""

    kind: Kind
    records: int
    since: datetime
    known: int

    @property
    def share(self) -> float:
        return self.records / max(self.known, self.records)


@dataclass(frozen=True, slots=True)
class Credential:
    """What the CRM last said to our user and password, and since when it says so (UTC). `said`: its refusal in our words."""

    accepted: bool
    since: datetime
    said: str = ""


@dataclass(frozen=True, slots=True)
class QuotaSeen:
    """The CRM's allowance of calls as it was last known, at `at` (UTC)."""

    quota: Quota
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """One connector at `at` (UTC). `waiting`: rows that go to the CRM by themselves, the oldest since `waiting_since`; `parked`: rows that
    wait for a person; `questions`: deletions that wait for an answer."""

    connector: str
    crm: str
    url: str
    at: datetime
    complete: bool
    flows: tuple[FlowStanding, ...] = ()
    kinds: tuple[KindSeen, ...] = ()
    held: tuple[HeldOfKind, ...] = ()
    waiting: int = 0
    waiting_since: datetime | None = None
    parked: int = 0
    questions: int = 0
    reconciled: Staleness | None = None
    credential: Credential | None = None
    quota: QuotaSeen | None = None

    @property
    def records_held(self) -> int:
        return sum(each.records for each in self.held)

    @property
    def held_since(self) -> datetime | None:
        return min((each.since for each in self.held), default=None)

    @property
    def in_step_at(self) -> datetime | None:
        """When everything that the CRM had was last here, or held back: the end of the last core sync, else of the initial sync.

        None: never. The cursors do not tell: where nothing changes they stay.
        """
        if not self.complete:
            return None
        return max((each.last_success for each in self.flows if each.flow in (INITIAL, CORE) and each.last_success), default=None)


def flow_state(flow: FlowStanding, now: datetime) -> tuple[str, str]:
    """Tone and word: how a flow is."""
    if flow.failing:
        return "bad", "stopped" if flow.runs.state == "stopped" else "failing"
    if flow.overdue(now):
        return "warn", "overdue"
    if flow.runs.at_work_since is not None and flow.last_success is None:
        return "calm", "at work, or was killed"
    return ("good", "well") if flow.last_success is not None else ("calm", "never ran here")


def how_long(span: timedelta) -> str:
    """In the largest unit that says something: 3 days, 1 hour, 12 minutes."""
    seconds = max(span.total_seconds(), 0)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
