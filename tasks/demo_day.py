"""The demo's day of marketing: it is recorded as an application would do it, and afterwards counted what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from adapters.market.outbox import OutboxRow, WhichRows
from sync.demo_day import Recipient, make_day
from sync.push import Sink, State
from sync.recording_fields import Recordable
from sync.records import PUSHED, Kind
from tasks.demo import AUDIENCE, CONNECTOR
from tasks.outbox_desk import outbox_counts
from tasks.recording import Recorder, Told
from tasks.saved_reports import run_report
from tasks.wiring import installation, now, read_settings

SEED = 20
_DAY = timedelta(hours=10)
_ALL = 1_000_000


@dataclass(frozen=True, slots=True)
class Went:
    """What became of one kind's rows of the outbox. `refused`: by the CRM or by our own checks, parked ones included."""

    kind: Kind
    pushed: int
    refused: int
    waiting: int
    remark: str = ""

    @property
    def numbers(self) -> tuple[int, int, int]:
        return self.pushed, self.refused, self.waiting


def record_day(config: str, seed: int = SEED) -> Mapping[Recordable, Told]:
    """A day that has just ended, for the people of the saved report. → what became of the lines of each kind."""
    _, rows = run_report(config, AUDIENCE, None)
    audience = [Recipient(int(contact_id), str(address)) for contact_id, address in rows]
    recorder = Recorder(config)
    return {kind: recorder.record(kind, records) for kind, records in make_day(seed, audience, now() - _DAY)}


def went(config: str) -> tuple[Went, ...]:
    """Kind by kind, in the order in which they go out; kinds of which there is nothing are left out."""
    left, sinks = outbox_counts(config, CONNECTOR), read_settings(config).connector(CONNECTOR).sinks
    told = []
    for kind in PUSHED:
        refused = sum(each.rows for each in left if each.kind is kind and each.state in (State.REFUSED, State.PARKED))
        waiting = sum(each.rows for each in left if each.kind is kind) - refused
        remark = "counters of the campaign" if sinks.of(kind) is Sink.CAMPAIGN else ""
        told.append(Went(kind, len(acknowledged(config, kind)), refused, waiting, remark))
    return tuple(each for each in told if any(each.numbers))


def acknowledged(config: str, kind: Kind) -> tuple[OutboxRow, ...]:
    """What the CRM has taken."""
    return installation(config).market.outbox.rows(WhichRows(CONNECTOR, kind, State.ACKNOWLEDGED), limit=_ALL)


def refusals(config: str) -> tuple[tuple[Kind, str, int], ...]:
    """Every refusal with the words that were said, and how often."""
    rows = [row for state in (State.REFUSED, State.PARKED) for row in installation(config).market.outbox.rows(_of(state), limit=_ALL)]
    said = [(Kind(row.kind), row.refusal or "") for row in rows]
    return tuple((kind, words, said.count((kind, words))) for kind, words in dict.fromkeys(said))


def _of(state: State) -> WhichRows:
    return WhichRows(CONNECTOR, state=state)
