"""One comparison of a saved report, so that SQLite and PostgreSQL answer alike (REPORT-1). NULL is never a yes."""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, cast, collate, func, literal, or_, true
from sqlalchemy.types import REAL, TypeEngine

from adapters.market.types import BIGINT, BOOLEAN, DATE, DECIMAL, INSTANT, TEXT
from sync.fields import ValueType
from sync.saved_report_values import days, typed
from sync.saved_reports import Term, Value

Clause = ColumnElement[bool]

_BOUND: dict[ValueType, TypeEngine[Any]] = {
    ValueType.BOOLEAN: BOOLEAN,
    ValueType.INTEGER: BIGINT,
    ValueType.DECIMAL: DECIMAL,
    ValueType.DATE: DATE,
    ValueType.INSTANT: INSTANT,
}
_COMPARES: dict[str, Callable[[Any, Any], Any]] = {
    "equals": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True)
class Comparing:
    """`lite`: on SQLite. `now`, UTC, is what relative dates count from."""

    lite: bool
    now: datetime

    def compare(self, column: ColumnElement[Any], type_: ValueType, term: Term) -> Clause:
        """Every operator that is no negation of another one."""
        if term.op == "is_null":
            return column.is_(None) if type_ in _BOUND else or_(column.is_(None), column == literal("", TEXT))
        if term.op in ("older_than_days", "newer_than_days", "in_next_days"):
            return self._aged(column, type_, term)
        values = [typed(type_, each) for each in term.value] if isinstance(term.value, tuple) else [typed(type_, only(term))]
        if term.op in ("starts", "contains"):
            return self._partly(column, term.op, str(values[0]))
        op = "equals" if term.op == "in" else term.op
        if type_ is ValueType.DECIMAL and self.lite:
            return or_(*(_decimal(column, op, each) for each in values))
        bound = [literal(each, _BOUND.get(type_, TEXT)) for each in values]
        if len(bound) > 1:
            return column.in_(bound)
        left = column if op == "equals" else self._in_order(column, type_)
        clause: Clause = _COMPARES[op](left, bound[0])
        return clause

    def sortable(self, column: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
        """The column to sort by. Decimals of more than 15 digits sort by their first 15 on SQLite."""
        if type_ is ValueType.DECIMAL and self.lite:
            return cast(column, REAL)
        return self._in_order(column, type_)

    def _in_order(self, column: ColumnElement[Any], type_: ValueType) -> ColumnElement[Any]:
        """Texts by the numbers of their characters, and lower() for A to Z only: what SQLite does by itself."""
        return column if self.lite or type_ in _BOUND else collate(column, "C")

    def _aged(self, column: ColumnElement[Any], type_: ValueType, term: Term) -> Clause:
        def at(edge: datetime) -> ColumnElement[Any]:
            return literal(edge.date(), DATE) if type_ is ValueType.DATE else literal(edge, INSTANT)

        away = timedelta(days=days(only(term)))
        if term.op == "in_next_days":
            return and_(column >= at(self.now), column <= at(self.now + away))
        bound = at(self.now - away)
        return column < bound if term.op == "older_than_days" else column >= bound

    def _partly(self, column: ColumnElement[Any], op: str, text: str) -> Clause:
        wanted = literal(text.translate(_LOWER), TEXT)
        folded = self._in_order(column, ValueType.TEXT)
        if op == "starts":
            return func.lower(func.substr(folded, 1, len(text))) == wanted
        position = func.instr if self.lite else func.strpos
        return position(func.lower(folded), wanted) > 0


def negated(clause: Clause) -> Clause:
    """True where the clause is false or NULL."""
    return clause.is_not(true())


def only(term: Term) -> Value:
    """The one value that the operator takes."""
    assert term.value is not None and not isinstance(term.value, tuple)
    return term.value


def teach(connection: Connection) -> None:
    """Gives a connection with SQLite the function that `_decimal` needs."""
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.create_function("decimal_order", 2, _decimal_order, deterministic=True)


def _decimal_order(stored: str, wanted: str) -> int:
    """-1, 0, 1: how a decimal that is kept as text stands to another."""
    one, other = Decimal(stored), Decimal(wanted)
    return (one > other) - (one < other)


def _decimal(column: ColumnElement[Any], op: str, value: Any) -> Clause:
    """SQLite keeps long decimals as text, which sorts after every number; those few are compared digit by digit."""
    as_number = _COMPARES[op](column, literal(value, DECIMAL))
    as_text = _COMPARES[op](func.decimal_order(column, literal(format(value, "f"), TEXT)), 0)
    return case((func.typeof(column) == "text", as_text), else_=as_number)
