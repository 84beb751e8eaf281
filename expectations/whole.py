"""Rules about the batch as a whole that need its rows: mandatory columns, and columns that are blanked in mass (GATE-3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from expectations.engine import Outcome
from expectations.measure import Measured
from expectations.rules import Expectation
from expectations.sql import literal, number, quote, template
from sync.gate import BatchContext, CheckResult, Severity, Status, blanked_columns, judge

_GONE = """WITH b AS (SELECT * FROM {{batch}}), n AS (SELECT count(*) AS n, count({column}) AS filled FROM b)
SELECT n FROM n WHERE n > 0 AND filled = 0"""
_BLANKED = """WITH b AS (SELECT * FROM {{batch}}),
n AS (SELECT count(*) AS n, {counts} FROM b WHERE action = 'update'),
c AS (SELECT unnest([{cases}]) AS name FROM n WHERE n >= {least})
SELECT name FROM c WHERE name IS NOT NULL"""
_CASE = "CASE WHEN CAST(n - {filled} AS DOUBLE) / n - {limit} > {noise} THEN {name} END"


def column_gone(column: str, present: Collection[str]) -> Expectation:
    """Fails if the column is not in the batch, or holds nothing but NULL."""
    if column not in present:
        return Expectation("ExpectColumnToExist", {"column": column})
    return Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": template(_GONE.format(column=quote(column)))})


def gone_result(column: str, measured: Measured, outcome: Outcome) -> CheckResult:
    gone = None if measured.staged_rows is None else int(measured.staged_rows > 0 and measured.filled.get(column, 0) == 0)
    status = judge(Severity.BATCH, gone, outcome.bad)
    return CheckResult(
        rule=f"column_gone:{column}",
        title=f"The column {column} is there and filled",
        reason="The sync can't do without it. When it is gone, the CRM hides the field from the syncing user, or the mapping is wrong.",
        severity=Severity.BATCH,
        status=status,
        evaluated=0 if status is Status.NOT_EVALUATED else 1,
        failed=gone or 0,
        observed=_gone_text(column, measured, outcome),
    )


def _gone_text(column: str, measured: Measured, outcome: Outcome) -> str:
    if measured.staged_rows is None or outcome.bad is None:
        return f"could not be evaluated ({outcome.note or 'the batch can not be read'})"
    if measured.staged_rows == 0:
        return "nothing to check"
    if column not in measured.columns:
        return f"the batch has no column {column}"
    return f"{measured.filled[column]:,} of {measured.staged_rows:,} rows have a value"


def blanking_expectation(context: BatchContext, compared: Iterable[str]) -> Expectation | None:
    """The question which columns lose their values; None where no history is known."""
    names = list(compared)
    if not names:
        return None
    counts = ", ".join(f"count({quote(name)}) AS c{i}" for i, name in enumerate(names))
    cases = ", ".join(_case(context, name, f"c{i}") for i, name in enumerate(names))
    query = _BLANKED.format(counts=counts, cases=cases, least=max(context.min_rows_for_share, 1))
    return Expectation("UnexpectedRowsExpectation", {"unexpected_rows_query": template(query)})


def _case(context: BatchContext, name: str, filled: str) -> str:
    limit = number(context.blank_shares[name] + context.mass_blanking_share)
    return _CASE.format(filled=filled, limit=limit, noise=number(1e-9), name=literal(name))


def blanking_result(context: BatchContext, measured: Measured, outcome: Outcome) -> CheckResult:
    blanked = blanked_columns(context, measured.updates, measured.blanks)
    counted = None if measured.staged_rows is None else len(blanked)
    status = judge(Severity.BATCH, counted, outcome.bad)
    return CheckResult(
        rule="mass_blanking",
        title="No column loses its values in mass",
        reason="When a filled field comes back empty for most records, the CRM usually hides it; writing that would erase real data.",
        severity=Severity.BATCH,
        status=status,
        evaluated=0 if status is Status.NOT_EVALUATED else len(measured.blanks),
        failed=len(blanked),
        observed=_blanked_text(context, measured, blanked, outcome),
    )


def _blanked_text(context: BatchContext, measured: Measured, blanked: tuple[str, ...], outcome: Outcome) -> str:
    if measured.staged_rows is None or outcome.bad is None:
        return f"could not be evaluated ({outcome.note or 'the batch can not be read'})"
    if outcome.bad != len(blanked):
        return f"the check found {outcome.bad} blanked columns, the count {len(blanked)}: the two must agree"
    if not blanked:
        return f"{len(measured.blanks)} columns of {measured.updates:,} updates compared with Market"
    return ", ".join(
        f"{name}: {measured.blanks[name] / measured.updates:.0%} of the updates are blank, {context.blank_shares[name]:.0%} were before"
        for name in blanked
    )
