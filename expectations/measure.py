"""Counting bad rows in DuckDB: the second of the two answers, and the one that the quarantine is filled by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from expectations.rules import CheckRule
from expectations.sql import Batch, quote
from sync.gate import BatchContext

_COLUMNS = "SELECT column_name FROM (DESCRIBE staged)"
_COUNTS = "SELECT count(*), {aggregates} FROM staged"
_BLANKS = "SELECT count(*), {aggregates} FROM staged WHERE action = 'update'"
_EXAMPLES = "SELECT coalesce(crm_id, 'row ' || min(seq)) FROM staged WHERE {predicate} GROUP BY crm_id ORDER BY min(seq) LIMIT 5"
_HELD = "SELECT count(*), count(*) FILTER (WHERE crm_id IN (SELECT unnest($before))) FROM staged WHERE {predicate}"

# NULL in these columns of `staged` means "leave it as it is" (CONSENT-6, ADDR-1), so it blanks nothing.
_KEPT_WHERE_NULL = frozenset({"opt_out", "del_status", "del_message"})


@dataclass(frozen=True, slots=True)
class Measured:
    """What DuckDB counted in one parcel. `staged_rows` is None if the view can't be read at all; a rule without a count in `bad` has none.

    `filled`: of each mandatory column, the rows with a value. `blanks`: of each compared column, the updates without a value.
    """

    staged_rows: int | None
    columns: frozenset[str]
    bad: Mapping[str, int]
    filled: Mapping[str, int]
    updates: int = 0
    blanks: Mapping[str, int] = field(default_factory=dict)


def measure(batch: Batch, context: BatchContext, rules: Sequence[CheckRule], needed: Sequence[str]) -> Measured:
    """All counts in two or three scans. A rule whose condition can't be run has no count; the others have theirs."""
    cursor = batch.cursor()
    try:
        columns = frozenset(str(name) for (name,) in cursor.execute(_COLUMNS).fetchall())
        fills = {name: f"count({quote(name)})" for name in needed if name in columns}
        rows, counts = _count(cursor, _together(rules) | {f"filled:{name}": sql for name, sql in fills.items()})
        counts |= _one_by_one(cursor, {rule.name: rule.count for rule in rules if rule.asks_elsewhere})
        updates, blanks = _blanks(cursor, context, columns)
    except duckdb.Error:
        # The view itself can't be read. Great Expectations will not be able to either, and then every check fails (GATE-4).
        return Measured(None, frozenset(), {}, {})
    finally:
        cursor.close()
    bad = {rule.name: counts[rule.name] for rule in rules if rule.name in counts}
    return Measured(rows, columns, bad, {name: counts[f"filled:{name}"] for name in fills}, updates, blanks)


def _together(rules: Sequence[CheckRule]) -> dict[str, str]:
    """Conditions on the row itself share one scan. One that asks elsewhere is a join, which would carry the columns of all the others."""
    return {rule.name: rule.count for rule in rules if not rule.asks_elsewhere}


def _count(cursor: duckdb.DuckDBPyConnection, aggregates: Mapping[str, str]) -> tuple[int, dict[str, int]]:
    try:
        return _counts(cursor, _COUNTS, aggregates)
    except duckdb.Error:
        rows, _ = _counts(cursor, _COUNTS, {})
    return rows, _one_by_one(cursor, aggregates)


def _one_by_one(cursor: duckdb.DuckDBPyConnection, aggregates: Mapping[str, str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, aggregate in aggregates.items():
        try:
            counts |= _counts(cursor, _COUNTS, {name: aggregate})[1]
        except duckdb.Error:
            # No count for this rule: the gate reports it as not evaluated and rejects the batch.
            continue
    return counts


def _counts(cursor: duckdb.DuckDBPyConnection, query: str, aggregates: Mapping[str, str]) -> tuple[int, dict[str, int]]:
    row = cursor.execute(query.format(aggregates=", ".join(aggregates.values()) or "0")).fetchone() or (0,)
    return int(row[0]), dict(zip(aggregates, map(int, row[1:]), strict=False))


def _blanks(cursor: duckdb.DuckDBPyConnection, context: BatchContext, columns: Collection[str]) -> tuple[int, dict[str, int]]:
    """Of the columns whose history is known. Inserts don't count: nothing is blanked by them."""
    compared = [name for name in context.columns if name in context.blank_shares and name in columns and name not in _KEPT_WHERE_NULL]
    if not compared:
        return 0, {}
    return _counts(cursor, _BLANKS, {name: f"count(*) - count({quote(name)})" for name in compared})


def held(batch: Batch, predicate: str, before: Collection[str]) -> tuple[int, int]:
    """How many rows are held, each once; and how many of them were in quarantine before."""
    cursor = batch.cursor()
    try:
        row = cursor.execute(_HELD.format(predicate=predicate), {"before": sorted(before)}).fetchone()
    finally:
        cursor.close()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def examples(batch: Batch, predicate: str) -> tuple[str, ...]:
    """A few CRM ids of bad rows, never more of them than their ids."""
    cursor = batch.cursor()
    try:
        return tuple(str(crm_id) for (crm_id,) in cursor.execute(_EXAMPLES.format(predicate=predicate)).fetchall())
    finally:
        cursor.close()
