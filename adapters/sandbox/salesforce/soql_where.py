"""Conditions of a query → SQL. SOQL knows no third truth value: what is null is unequal to everything, and NOT turns round all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.fields import IDS, TEXTS, FieldSpec
from adapters.sandbox.salesforce.soql_paths import Column
from adapters.sandbox.salesforce.soql_tree import AGGREGATES, Compare, Condition, InQuery, Logic, Query, Term
from adapters.sandbox.salesforce.soql_values import bound, period

if TYPE_CHECKING:
    from adapters.sandbox.salesforce.soql_paths import Paths

_OPPOSITE = {"=": "!=", "!=": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<", "in": "not in", "not in": "in"}
_OPPOSITE |= {"includes": "excludes", "excludes": "includes", "like": "not like"}
_AS_IS = ("=", "<", "<=", ">", ">=")


@dataclass
class Where:
    """Turns one condition into SQL; `values` are bound in the order of the text. `semi_join` gives the ids that an inner query finds."""

    paths: Paths
    now: datetime
    zone: str
    strict_ids: bool
    semi_join: Callable[[Query], list[str]]
    values: list[Any] = field(default_factory=list)

    def sql(self, condition: Condition, negated: bool = False) -> str:
        """The text; raises ApiError for what the fields do not allow."""
        if isinstance(condition, Logic):
            if condition.op == "not":
                return self.sql(condition.parts[0], not negated)
            op = condition.op if not negated else {"and": "or", "or": "and"}[condition.op]
            return "(" + f" {op} ".join(self.sql(part, negated) for part in condition.parts) + ")"
        if isinstance(condition, InQuery):
            return self._in_query(condition, negated)
        return self._compare(condition, _OPPOSITE[condition.op] if negated else condition.op, negated)

    def _column(self, term: Term) -> Column:
        if term.function in AGGREGATES:
            inner = self.paths.column(term).sql if term.path else "*"
            name = "count(distinct " if term.function == "COUNT_DISTINCT" else f"{term.function.lower()}("
            return Column(f"{name}{inner})", FieldSpec("expr0", "double"), ())
        column = self.paths.column(term)
        if not column.spec.filterable:
            raise ApiError("INVALID_FIELD", f"field '{column.spec.name}' can not be filtered in a query call")
        return column

    def _compare(self, condition: Compare, op: str, negated: bool) -> str:
        column = self._column(condition.term)
        spec, sql = column.spec, column.sql
        if condition.values[0].kind == "period" and len(condition.values) == 1:
            return self._period(column, op, condition.values[0].value)
        if op in ("like", "not like"):
            return self._like(column, condition, op)
        values = [bound(spec, value, self.strict_ids) for value in condition.values]
        if op in ("includes", "excludes"):
            return self._includes(column, [str(value) for value in values], op == "excludes")
        if op in ("in", "not in"):
            return self._among(column, values, op == "not in")
        (value,) = values
        if value is None:
            if op not in ("=", "!="):
                return "0" if not negated else "1"
            return f"{sql} is {'not ' if op == '!=' else ''}null"
        self.values.append(value)
        folded = _folded(spec)
        if op == "!=":
            return f"({sql} is null or {sql} <> ?{folded})"
        # A comparison that was turned round holds for null too: not (x < 3) is true of a row without x.
        text = f"{sql} {op} ?{folded}"
        return f"({sql} is null or {text})" if negated and condition.op in _AS_IS[1:] else text

    def _like(self, column: Column, condition: Compare, op: str) -> str:
        if column.spec.type not in TEXTS or condition.values[0].kind != "string":
            raise ApiError("INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {column.spec.type} field")
        self.values.append(condition.values[0].pattern)
        text = f"{column.sql} like ? escape '\\'"
        return f"({column.sql} is null or not ({text}))" if op == "not like" else text

    def _among(self, column: Column, values: list[Any], negated: bool) -> str:
        present = [value for value in values if value is not None]
        self.values.append(json.dumps(present))
        folded = _folded(column.spec)
        text = f"{column.sql}{folded} in (select value from json_each(?))"
        if negated:
            text = f"({column.sql} is null or not {text})"
        if len(present) == len(values):
            return text
        return f"({text} and {column.sql} is not null)" if negated else f"({text} or {column.sql} is null)"

    def _includes(self, column: Column, wanted: list[str], negated: bool) -> str:
        if column.spec.type != "multipicklist":
            raise ApiError("INVALID_QUERY_FILTER_OPERATOR", "includes and excludes are for multi-select picklists only")
        parts = []
        for one in wanted:  # 'a;b': both of them
            each = one.split(";")
            self.values += [f";{word};" for word in each]
            parts.append("(" + " and ".join(f"instr(';' || coalesce({column.sql}, '') || ';', ?) > 0" for _ in each) + ")")
        text = "(" + " or ".join(parts) + ")"
        return f"not {text}" if negated else text

    def _period(self, column: Column, op: str, word: str) -> str:
        begin, end = period(column.spec, word, self.now, self.zone)
        sql = column.sql
        if op in ("=", "!="):
            self.values += [begin, end]
            text = f"({sql} >= ? and {sql} < ?)"
            return text if op == "=" else f"({sql} is null or not {text})"
        self.values.append(begin if op in ("<", ">=") else end)
        return f"{sql} {'<' if op in ('<', '<=') else '>='} ?"

    def _in_query(self, condition: InQuery, negated: bool) -> str:
        column = self._column(condition.term)
        if column.spec.type not in IDS:
            raise ApiError("MALFORMED_QUERY", "a semi-join needs an id or a reference field on its left")
        self.values.append(json.dumps(self.semi_join(condition.query)))
        text = f"{column.sql} in (select value from json_each(?))"
        return f"({column.sql} is null or not {text})" if condition.negated != negated else text


def _folded(spec: FieldSpec) -> str:
    return " collate nocase" if spec.type in TEXTS else ""
