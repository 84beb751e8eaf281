"""The gate: runs the rules of one kind over one parcel and gives a verdict (GATE-1 to GATE-5).

parcel ──▶ measure (DuckDB) ────────────▶ counts ─┐
      └──▶ evaluate (Great Expectations) ▶ counts ┴▶ judge ▶ Verdict
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from expectations import measure
from expectations.engine import Outcome, evaluate
from expectations.measure import Measured
from expectations.rules import CheckRule, Expectation, mandatory, rules_for
from expectations.sql import Batch, any_of, literal
from expectations.whole import blanking_expectation, blanking_result, column_gone, gone_result
from sync.gate import BatchContext, CheckResult, Hold, Status, Verdict, held_share, judge, percent, row_count

_NOTHING = Outcome(0)


def run_gate(
    batch: Batch,
    context: BatchContext,
    rules: Sequence[CheckRule] | None = None,
    keep_page: Callable[[str], None] | None = None,
) -> Verdict:
    """The verdict on the batch. Reads only, and never raises because of what stands in the batch.

    `rules` defaults to the table of rules for the kind. The parcel's last transaction must be committed: the check reads through a
    cursor of its own. `keep_page` is given Great Expectations' own page, unless there was nothing to ask.
    """
    rules = rules_for(context.kind, context.columns) if rules is None else rules
    measured = measure.measure(batch, context, rules, mandatory(context.kind))
    outcomes = _ask(batch, context, rules, measured, keep_page)
    checks = [_row_result(batch, rule, measured, outcomes[rule.name]) for rule in rules]
    can_hold = "crm_id" in measured.columns  # else the batch is rejected for that, and there is nothing to name a row by
    holds = tuple(_hold(rule) for rule, check in zip(rules, checks, strict=True) if can_hold and check.status is Status.HELD)
    held, again = measure.held(batch, any_of(hold.predicate for hold in holds), context.held_before) if holds else (0, 0)
    whole = [
        *(gone_result(column, measured, outcomes[f"column_gone:{column}"]) for column in mandatory(context.kind)),
        None if context.outgoing else blanking_result(context, measured, outcomes["mass_blanking"]),
        held_share(context, measured.staged_rows or 0, held, again),
        row_count(context),
    ]
    return Verdict(
        context.connector,
        context.kind,
        context.parcel_id,
        (*checks, *(check for check in whole if check is not None)),
        holds,
        held_query(holds),
        measured.staged_rows or 0,
        held,
    )


def _ask(
    batch: Batch,
    context: BatchContext,
    rules: Sequence[CheckRule],
    measured: Measured,
    keep_page: Callable[[str], None] | None,
) -> Mapping[str, Outcome]:
    """Great Expectations' counts by rule. With no rows there is nothing to ask, and its import is saved."""
    questions: dict[str, Expectation] = {rule.name: rule.expectation for rule in rules}
    questions |= {f"column_gone:{name}": column_gone(name, measured.columns) for name in mandatory(context.kind)}
    blanking = blanking_expectation(context, measured.blanks)
    questions |= {"mass_blanking": blanking} if blanking else {}
    answers = {} if measured.staged_rows == 0 else evaluate(batch, questions, context.parcel_id, keep_page)
    missing = _NOTHING if measured.staged_rows == 0 else Outcome(None, "no result")
    return {"mass_blanking": _NOTHING} | {name: answers.get(name, missing) for name in questions}


def _row_result(batch: Batch, rule: CheckRule, measured: Measured, outcome: Outcome) -> CheckResult:
    counted, rows = measured.bad.get(rule.name), measured.staged_rows or 0
    status = judge(rule.severity, counted, outcome.bad)
    return CheckResult(
        rule.name,
        rule.title,
        rule.reason,
        rule.severity,
        status,
        evaluated=0 if status is Status.NOT_EVALUATED else rows,
        failed=max(counted or 0, outcome.bad or 0),
        observed=_observed(counted, outcome, rows),
        examples=measure.examples(batch, rule.bad_rows) if counted and "crm_id" in measured.columns else (),
    )


def _observed(counted: int | None, outcome: Outcome, rows: int) -> str:
    if counted is None or outcome.bad is None:
        return f"could not be evaluated ({outcome.note or 'the count of bad rows failed'})"
    if counted != outcome.bad:
        return f"the check found {outcome.bad:,} bad rows, the quarantine {counted:,}: the two must agree"
    if counted == 0:
        return f"all {rows:,} rows" if rows else "nothing to check"
    return f"{counted:,} of {rows:,} rows ({percent(counted, rows)})"


def _hold(rule: CheckRule) -> Hold:
    return Hold(rule.name, rule.reason, rule.bad_rows, rule.column, rule.value)


_HELD = """SELECT seq, crm_id, {rule} AS rule, {reason} AS reason, CAST({column} AS VARCHAR) AS column_name,
  left(CAST({value} AS VARCHAR), 200) AS value FROM staged WHERE {predicate}"""
_NO_ROWS = Hold("", "", "FALSE", "NULL", "NULL")


def held_query(holds: Sequence[Hold]) -> str:
    """One SELECT of the rows to set aside: seq, crm_id, rule, reason, column_name, value; one row per held row and rule."""
    return "\nUNION ALL\n".join(
        _HELD.format(rule=literal(h.rule), reason=literal(h.reason), column=h.column, value=h.value, predicate=h.predicate)
        for h in (holds or (_NO_ROWS,))
    )
