"""Saved reports are asked (REPORT-1): listed, counted, explained, and looked at before somebody deletes by them (DEL-4).

Nothing here can write: the statements are made of looked-up names only, and run in transactions that the database keeps read-only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ClauseElement, Executable

from adapters.market.database import Database
from adapters.market.loading import is_lite
from adapters.market.saved_reports_sql import Asking, known_columns, living
from adapters.market.schema_custom import table_of
from sync.errors import ConfigError
from sync.saved_report_fields import report_mistakes
from sync.saved_report_words import in_words
from sync.saved_reports import BrakeLimits, Explanation, Of, Preview, SavedReport

_BATCH_ROWS = 1_000
_EXAMPLES = 10
_TYPE = {Of.PEOPLE: "crm_type", Of.ACCOUNTS: "type", Of.OPPORTUNITIES: "stage"}
_NO_TYPE = {Of.PEOPLE: "made in Market", Of.ACCOUNTS: "without a type", Of.OPPORTUNITIES: "without a stage"}


class SavedReports:
    """Every method raises MarketUnavailable, and ConfigError for a report that these tables can't answer. `now` is UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, reports: Sequence[SavedReport]) -> None:
        """Raises one ConfigError that names every mistake in all of them."""
        with self._database.reading() as connection:
            refuse_impossible(connection, reports)

    def rows(self, report: SavedReport, now: datetime, limit: int | None = None) -> Iterator[tuple[Any, ...]]:
        """The listed columns of each row, in the report's order; read as they are taken. `limit` instead of the report's own."""
        with self._asking(report, now) as (connection, asking):
            streamed = connection.execution_options(stream_results=True, yield_per=_BATCH_ROWS)
            for row in streamed.execute(asking.rows(report, limit)):
                yield tuple(row)

    def count(self, report: SavedReport, now: datetime) -> int:
        """How many rows meet the conditions, whatever the limit."""
        with self._asking(report, now) as (connection, asking):
            return count_rows(connection, asking.keys(report))

    def explain(self, report: SavedReport, now: datetime) -> Explanation:
        """The report laid open."""
        with self._asking(report, now) as (connection, asking):
            query = asking.rows(report)
            dialect: Any = (sqlite if is_lite(connection) else postgresql).dialect(paramstyle="named")
            shown = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
            values = tuple((name, str(value)) for name, value in shown.params.items())
            plan = tuple(_plan(connection, query))
            return Explanation(in_words(report), str(shown), values, plan, count_rows(connection, asking.keys(report)))

    def preview(self, report: SavedReport, now: datetime, limits: BrakeLimits | None = None) -> Preview:
        """What deleting by it would do. With `limits` the table's rows are counted only as far as the brake needs it."""
        with self._asking(report, now) as (connection, asking):
            return preview_of(connection, asking, report, limits)

    @contextmanager
    def _asking(self, report: SavedReport, now: datetime) -> Iterator[tuple[Connection, Asking]]:
        with self._database.reading() as connection, read_only(connection):
            asking = Asking(connection, now)
            refuse_impossible(connection, [report])
            yield connection, asking


def refuse_impossible(connection: Connection, reports: Sequence[SavedReport]) -> None:
    """Raises one ConfigError that names every field, operator and value that these tables can't answer."""
    known = known_columns(connection)
    found = [f"  {place}: {what}" for report in reports for place, what in report_mistakes(report, known)]
    wrong = dict.fromkeys(report.place for report in reports if any(report_mistakes(report, known)))
    if found:
        raise ConfigError(
            "a saved report can't be answered:\n" + "\n".join(found),
            where=", ".join(wrong),
            todo="correct these lines of the configuration; a new field of the CRM becomes a column with the next sync",
        )


def preview_of(connection: Connection, asking: Asking, report: SavedReport, limits: BrakeLimits | None = None) -> Preview:
    """In the caller's transaction. Costs nothing more than the condition when no row meets it."""
    by_type = connection.execute(asking.grouped(report, _TYPE.get(report.of, "connector"))).all()
    if not by_type:
        return Preview(report.name, report.of, 0, 0)
    types = tuple((word or _NO_TYPE.get(report.of, "made in Market"), int(rows)) for word, rows in by_type)
    examples = connection.execute(asking.examples(report, _EXAMPLES)).all()
    named = tuple(crm_id or f"{report.of.key} {key}" for key, crm_id in examples)
    rows = sum(rows for _, rows in types)
    before = _living_rows(connection, report.of, limits.rows_worth_counting(rows) if limits else None)
    return Preview(report.name, report.of, rows, before, types, named)


def count_rows(connection: Connection, query: Select[Any]) -> int:
    return int(connection.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one())


def _living_rows(connection: Connection, of: Of, most: int | None) -> int:
    table = table_of(of.table)
    query = select(table.c[of.key]).where(*living(table, of))
    return count_rows(connection, query if most is None else query.limit(most))


@contextmanager
def read_only(connection: Connection) -> Iterator[None]:
    """Until the block ends the database itself refuses to write."""
    if not is_lite(connection):
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        yield
        return
    connection.exec_driver_sql("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.exec_driver_sql("PRAGMA query_only = OFF")


class _Explain(Executable, ClauseElement):
    """A statement's plan, with the statement's own bound values."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _compile_explain(element: _Explain, compiler: SQLCompiler, **options: Any) -> str:
    word = "EXPLAIN QUERY PLAN " if compiler.dialect.name == "sqlite" else "EXPLAIN "
    return word + compiler.process(element.statement, **options)


def _plan(connection: Connection, query: Select[Any]) -> Iterator[str]:
    """The database's own lines; those of SQLite are indented as their parents say."""
    depths: dict[int, int] = {0: 0}
    cursor = connection.execute(_Explain(query)).cursor
    assert cursor is not None
    for row in cursor.fetchall():  # the driver's own rows: these are lines of a plan, not the query's typed columns
        if not is_lite(connection):
            yield str(row[0])
            continue
        depths[row[0]] = depths[row[1]] + 1
        yield f"{'  ' * depths[row[1]]}{row[3]}"
