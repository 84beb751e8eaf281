"""The gate's nouns and its decision: is a batch good enough to go on, and which rows stay behind (GATE-1 to GATE-5).

    counts of the rules ─┐
    the batch as a whole ┼─▶ CheckResult per rule ─▶ decide ─▶ Verdict
    history and limits  ─┘

A check that holds rows sets those rows aside and lets the others go on (GATE-2). A check that fails stops the batch (GATE-3).
A check that could not be evaluated stops it as well (GATE-4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sync.errors import GateRejected
from sync.fields import ColumnType
from sync.records import PUSHED, Kind

# Shares are ratios of floats; a limit that is met exactly must not fail because of the last binary digit.
_NOISE = 1e-9


class Severity(StrEnum):
    """What a failed check does: hold back the rows that fail (ROW), or stop the whole batch (BATCH)."""

    ROW = "row"
    BATCH = "batch"


class Status(StrEnum):
    """How one check ended. The last two stop the batch."""

    PASSED = "passed"
    HELD = "held"
    FAILED = "failed"
    NOT_EVALUATED = "not_evaluated"


@dataclass(frozen=True, slots=True)
class BatchContext:
    """What is known of one batch before its rows are looked at.

    `columns`: the Market columns that the batch fills. `rows_read`: records that the CRM sent, before planning.
    `known_rows`: living rows of this kind and connector in Market before this batch. `whole`: the batch was asked for every record,
    not for a window of changes; only then is its size compared with history. `previous_rows`: what the last such whole read brought,
    None if there was none. `blank_shares`: for each column the share of NULL (0 to 1) among this kind's rows in Market.
    `held_before`: CRM ids that lie in quarantine already; they are read again at every run until they are repaired (GATE-2), so
    holding them once more says nothing about this batch and does not count towards the share.

    All limits are shares from 0 to 1: `max_held_share` of the rows to be written may be held; `mass_blanking_share` is by how much the
    share of blanks may grow; `collapse_share` of the rows of history must at least come. Shares of fewer than
    `min_rows_for_share` rows are not judged.
    """

    connector: str
    kind: Kind
    parcel_id: str
    columns: Mapping[str, ColumnType]
    rows_read: int
    known_rows: int
    previous_rows: int | None
    max_held_share: float
    mass_blanking_share: float
    collapse_share: float
    min_rows_for_share: int
    blank_shares: Mapping[str, float] = field(default_factory=dict)
    whole: bool = False
    held_before: frozenset[str] = frozenset()

    @property
    def outgoing(self) -> bool:
        """Whether the batch waits to be sent to the CRM; its rows are then named by their outbox_id."""
        return self.kind in PUSHED


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check on one batch. `evaluated` and `failed` count rows (columns, for a check of columns); `examples` are CRM ids."""

    rule: str
    title: str
    reason: str
    severity: Severity
    status: Status
    evaluated: int = 0
    failed: int = 0
    observed: str = ""
    examples: tuple[str, ...] = ()

    @property
    def stops(self) -> bool:
        return self.status in (Status.FAILED, Status.NOT_EVALUATED)


@dataclass(frozen=True, slots=True)
class Hold:
    """Rows to set aside: those of the parcel's view `staged` that meet `predicate`, a DuckDB condition.

    `column` and `value` are DuckDB expressions over the same row: which column failed, and what stands in it.
    """

    rule: str
    reason: str
    predicate: str
    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer for one parcel. `held_query` selects the rows to set aside, one row per held row and rule:
    seq, crm_id, rule, reason, column_name, value (shortened). `held_rows` counts each row once, whatever the number of its rules.
    """

    connector: str
    kind: Kind
    parcel_id: str
    checks: tuple[CheckResult, ...]
    holds: tuple[Hold, ...]
    held_query: str
    staged_rows: int
    held_rows: int

    @property
    def passed(self) -> bool:
        return not any(check.stops for check in self.checks)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the batch is rejected; empty if it passed."""
        return decide(self.checks)

    def rejection(self, report: str) -> GateRejected:
        """The error that a rejected batch ends its run with; `report` is where the quality report lies (GATE-3)."""
        done, place = ("sent", "Market") if self.kind in PUSHED else ("committed", "the CRM")
        return GateRejected(
            f"the batch failed its checks, nothing of it was {done}: " + "; ".join(self.reasons),
            where=f"{self.connector}, {self.kind.plural}, parcel {self.parcel_id}",
            todo=f"Read the quality report {report}, correct the records in {place} or the limits in the configuration, then run again.",
        )


def decide(checks: Iterable[CheckResult]) -> tuple[str, ...]:
    """The reasons to reject; empty means that the batch may go on. Held rows alone never reject (GATE-2)."""
    return tuple(f"{check.title}: {check.observed}" for check in checks if check.stops)


def exceeds(part: int, whole: int, limit: float) -> bool:
    """Is part/whole more than the limit? Exactly the limit is still allowed."""
    return whole > 0 and part / whole - limit > _NOISE


def judge(severity: Severity, counted: int | None, expected: int | None) -> Status:
    """How a check ended, from the two counts of what is bad: ours, and Great Expectations'.

    | counted | expected | row           | batch         |
    |---------|----------|---------------|---------------|
    | None    | any      | not evaluated | not evaluated |
    | any     | None     | not evaluated | not evaluated |
    | n       | not n    | failed        | failed        | two answers to one question: neither is to be trusted (GATE-4)
    | 0       | 0        | passed        | passed        |
    | n > 0   | n        | held          | failed        |
    """
    if counted is None or expected is None:
        return Status.NOT_EVALUATED
    if counted != expected:
        return Status.FAILED
    if counted == 0:
        return Status.PASSED
    return Status.HELD if severity is Severity.ROW else Status.FAILED


def held_share(context: BatchContext, staged_rows: int, held_rows: int, held_again: int) -> CheckResult:
    """GATE-3: more than the allowed share of rows held. `held_again` of `held_rows` were in quarantine before and don't count."""
    rows, held = staged_rows - held_again, held_rows - held_again
    too_many = rows >= context.min_rows_for_share and exceeds(held, rows, context.max_held_share)
    observed = f"{held:,} of {rows:,} rows are held ({percent(held, rows)}); up to {context.max_held_share:.1%} is allowed"
    if held_again:
        observed += f"; {held_again:,} more were {'held back' if context.outgoing else 'in quarantine'} before"
    return CheckResult(
        rule="held_share",
        title="Not too many rows are held back",
        reason="A few bad records are normal. Many at once mean that something changed in the CRM or on the way.",
        severity=Severity.BATCH,
        status=Status.FAILED if too_many else Status.PASSED,
        evaluated=rows,
        failed=held if too_many else 0,
        observed=observed,
    )


def row_count(context: BatchContext) -> CheckResult | None:
    """GATE-3: the row count collapsed against history. None for a window of changes: how many there are says nothing."""
    if not context.whole:
        return None
    before = context.previous_rows if context.previous_rows is not None else context.known_rows
    collapsed = before >= max(context.min_rows_for_share, 1) and context.rows_read / before - context.collapse_share < -_NOISE
    return CheckResult(
        rule="row_count",
        title="The number of records has not collapsed",
        reason="When most records vanish at once, a filter, a right or a connection is wrong far more often than the records are gone.",
        severity=Severity.BATCH,
        status=Status.FAILED if collapsed else Status.PASSED,
        evaluated=context.rows_read,
        failed=before - context.rows_read if collapsed else 0,
        observed=f"{context.rows_read:,} records came, {before:,} were there before; at least {context.collapse_share:.0%} must come",
    )


def blanked_columns(context: BatchContext, updates: int, blanks: Mapping[str, int]) -> tuple[str, ...]:
    """GATE-3: the columns that this batch would empty. `blanks`: for each column how many of the `updates` carry no value."""
    if updates < max(context.min_rows_for_share, 1):
        return ()
    return tuple(
        column
        for column, count in blanks.items()
        if exceeds(count, updates, context.blank_shares.get(column, 1.0) + context.mass_blanking_share)
    )


def percent(part: int, whole: int) -> str:
    """A share as people read it: never "0.0%" for something, never "100.0%" for not quite all."""
    if part <= 0 or whole <= 0:
        return "0%"
    if part >= whole:
        return "100%"
    return f"{min(max(part / whole, 0.001), 0.999):.1%}"
