"""What is wrong now and what was told before → what to tell now. Each once, and once more when it is over. Never a person's data.

Pure: the state is kept in Market (`adapters.market.alerts`), the message is sent by `adapters.webhook`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sync.gate import percent
from sync.standing import FlowStanding, Standing, how_long
from sync.watch_settings import AlertSettings

VERSION = 1
"""Of the message's form: it grows when a receiver has to read it differently; new keys alone do not count."""

_CREDENTIAL_ERROR = "CredentialError"


class Topic(StrEnum):
    """What an alert is about."""

    RUN = "failed run"
    CREDENTIAL = "dead credential"
    HELD = "held rows"
    OVERDUE = "overdue sync"
    MARKET = "Market away"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that is wrong. `subject`: the flow or the kind that it is about, else empty. `since`: UTC."""

    connector: str
    topic: Topic
    subject: str
    since: datetime
    message: str
    todo: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """The same thing has the same key, however its words change."""
        return self.connector, self.topic.value, self.subject


@dataclass(frozen=True, slots=True)
class Alert:
    """A concern that was noted. `told_at`: when the receiver took it, None: not yet. `over_at`: since when it is over although nobody was
    told that yet. `trouble`: why telling failed last."""

    concern: Concern
    told_at: datetime | None = None
    over_at: datetime | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """`keep`: alerts to write, new ones and changed ones. `drop`: alerts that are done with. `tell`: those to tell now, raised or over."""

    keep: tuple[Alert, ...] = ()
    drop: tuple[Alert, ...] = ()
    tell: tuple[Alert, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keep or self.drop or self.tell)


def concerns(standing: Standing, limits: AlertSettings) -> tuple[Concern, ...]:
    """What is wrong with one connector. While its credential is dead the runs that fail for that reason are not told one by one."""
    found: list[Concern] = []
    credential = standing.credential
    dead = credential is not None and not credential.accepted
    if credential is not None and dead:
        todo = "Put the right password where the configuration refers to, then `marketsync check`; the next run goes on."
        message = f"the CRM refuses the login, and is not asked again: {_first_line(credential.said)}"
        found.append(Concern(standing.connector, Topic.CREDENTIAL, "", credential.since, message, todo))
    for flow in standing.flows:
        if flow.runs.failures >= limits.failures and not (dead and flow.runs.error_type == _CREDENTIAL_ERROR):
            found.append(_failed(standing, flow))
        elif flow.overdue(standing.at):
            found.append(_overdue(standing, flow))
    for held in standing.held:
        if held.records >= limits.held_rows and held.share > limits.held_share:
            share = percent(held.records, max(held.known, held.records))
            message = f"{held.kind.counted(held.records)} held back, {share} of them; allowed: {limits.held_share:.1%}"
            todo = "`marketsync quarantine list` shows which, and why."
            found.append(Concern(standing.connector, Topic.HELD, held.kind.plural, held.since, message, todo))
    return tuple(found)


def _failed(standing: Standing, flow: FlowStanding) -> Concern:
    runs = flow.runs
    said, _, todo = runs.error.partition("\nWhat to do: ")
    word = "was stopped before its end" if runs.state == "stopped" else "failed"
    message = f"{flow.flow} {word}" + (f": {said}" if said and runs.state != "stopped" else "")
    todo = "The same command, or the next run, goes on; nothing is lost." if runs.state == "stopped" else todo
    return Concern(standing.connector, Topic.RUN, flow.flow, runs.failing_since or standing.at, message, todo)


def _overdue(standing: Standing, flow: FlowStanding) -> Concern:
    since, allowed = flow.last_success or flow.due_from or standing.at, flow.due_after or timedelta()
    ago = how_long(standing.at - since)
    last = f"last came to its end {ago} ago" if flow.last_success else f"has not run since the initial sync, {ago} ago"
    message = f"{flow.flow} {last}; allowed: {how_long(allowed)}"
    if flow.runs.at_work_since is not None:
        message += f"; a run that began {how_long(standing.at - flow.runs.at_work_since)} ago has not ended"
    todo = "Is a worker at work, or cron? Is the deployment paused? Not to be watched: 0 in [alerts.overdue]."
    return Concern(standing.connector, Topic.OVERDUE, flow.flow, since, message, todo)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def decide(now_wrong: Iterable[Concern], before: Sequence[Alert], now: datetime, *, listened: bool) -> Decision:
    """| wrong now | before               | then                                                                |
    |-----------|----------------------|---------------------------------------------------------------------|
    | yes       | nothing              | noted, told                                                         |
    | yes       | not told yet         | told (again)                                                        |
    | yes       | told                 | nothing; new words are kept                                         |
    | yes       | over, not told       | told before: it goes on as if it had never been over                |
    | no        | told                 | told that it is over, then forgotten                                |
    | no        | not told yet         | told both at once, then forgotten: nothing gets lost in silence     |

    `listened`: there is somebody to tell. Nobody: alerts are kept while they last, and forgotten when they are over.
    """
    wrong = {each.key: each for each in now_wrong}
    there = {each.concern.key: each for each in before}
    keep: list[Alert] = []
    drop: list[Alert] = []
    tell: list[Alert] = []
    for key, concern in wrong.items():
        old = there.get(key)
        alert = Alert(concern) if old is None else replace(old, concern=replace(concern, since=old.concern.since), over_at=None)
        if alert != old:
            keep.append(alert)
        if listened and alert.told_at is None:
            tell.append(alert)
    for key, old in there.items():
        if key in wrong:
            continue
        over = replace(old, over_at=old.over_at or now)
        if not listened:
            drop.append(old)
            continue
        if over != old:
            keep.append(over)
        tell.append(over)
    return Decision(tuple(keep), tuple(drop), tuple(tell))


def payload(told: Sequence[Alert], now: datetime) -> dict[str, Any]:
    """The body of the message: `text` for people (and for Slack and its like), the rest for programs. Instants are ISO 8601, UTC."""
    return {
        "version": VERSION,
        "text": "\n".join(_line(alert) for alert in told),
        "at": now.isoformat(timespec="seconds"),
        "alerts": [
            {
                "event": "raised" if alert.over_at is None else "over",
                "topic": alert.concern.topic.value,
                "connector": alert.concern.connector,
                "subject": alert.concern.subject,
                "since": alert.concern.since.isoformat(timespec="seconds"),
                "until": None if alert.over_at is None else alert.over_at.isoformat(timespec="seconds"),
                "message": alert.concern.message,
                "todo": alert.concern.todo,
            }
            for alert in told
        ],
    }


def _line(alert: Alert) -> str:
    concern = alert.concern
    place = f"marketsync, {concern.connector}: " if concern.connector else "marketsync: "
    if alert.over_at is None:
        return f"🔴 {place}{concern.message}" + (f"\n      What to do: {concern.todo}" if concern.todo else "")
    lasted = f"it lasted {how_long(alert.over_at - concern.since)}"
    subject = f" of {concern.subject}" if concern.subject else ""
    late = "" if alert.told_at else f"; it could not be told before: {concern.message}"
    return f"🟢 {place}over: {concern.topic.value}{subject}; {lasted}{late}"


def trial_alert(now: datetime) -> Alert:
    """What `marketsync alerts --test` sends."""
    message = "this is a test: whoever reads it will be told when a sync fails, is overdue, or holds too many rows back"
    return Alert(Concern("", Topic.TEST, "", now, message))
