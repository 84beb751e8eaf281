"""A query as SQL that can be run: what is selected, joined, kept and how it is ordered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from adapters.sandbox.salesforce.errors import ApiError, no_type
from adapters.sandbox.salesforce.fields import TEXTS, FieldSpec
from adapters.sandbox.salesforce.schema import Schema, SObject
from adapters.sandbox.salesforce.sessions import Login
from adapters.sandbox.salesforce.soql_paths import Column, Paths
from adapters.sandbox.salesforce.soql_tree import AGGREGATES, Order, Query, Term
from adapters.sandbox.salesforce.soql_where import Where

MAX_OFFSET = 2000
MAX_FIELDS_ROWS = 200
_NEVER_NULL = ("Id", "SystemModstamp", "CreatedDate", "LastModifiedDate")


@dataclass
class Plan:
    """SQL in pieces. `columns`: what is selected; `parents`: the ids behind relationships, by path; `values` belong to `where`."""

    object: SObject
    query: Query
    columns: list[Column]
    parents: list[tuple[tuple[str, ...], str]]
    joins: str
    where: str
    values: list[Any]
    order: str
    group: str = ""
    having: str = ""
    nested: list[tuple[Query, SObject, FieldSpec]] = field(default_factory=list)

    def keys(self) -> tuple[str, list[Any]]:
        """The statement that finds the rows: their seqs, in order."""
        return f"select t0.seq {self._rest()}", self.values

    def total(self) -> tuple[str, list[Any]]:
        """The statement that counts them."""
        if self.query.limit is None and not self.query.offset:
            return f"select count(*) {self._from()} where {self.where}", self.values
        return f"select count(*) from (select 1 {self._rest()})", self.values

    def rows(self) -> str:
        """The statement that reads rows by their seqs, a JSON array; seq comes first, then columns, then parents."""
        wanted = [column.sql for column in self.columns] + [sql for _, sql in self.parents]
        return f"select {', '.join(['t0.seq', *wanted])} {self._from()} where t0.seq in (select value from json_each(?))"

    def groups(self) -> tuple[str, list[Any]]:
        """The statement of an aggregate query."""
        return f"select {', '.join(column.sql for column in self.columns)} {self._rest()}", self.values

    def _from(self) -> str:
        return f'from "{self.object.name}" t0 {self.joins}'

    def _rest(self) -> str:
        limit = -1 if self.query.limit is None else self.query.limit
        tail = f" limit {limit} offset {self.query.offset}" if limit >= 0 or self.query.offset else ""
        return f"{self._from()} where {self.where}{self.group}{self.having}{self.order}{tail}"


@dataclass
class Planner:
    """Plans queries for one user at one instant. `everything`: deleted and archived rows as well (queryAll)."""

    schema: Schema
    login: Login
    now: datetime
    strict_ids: bool
    everything: bool
    semi_join: Callable[[Query], list[str]]

    def plan(self, query: Query) -> Plan:
        """Raises ApiError for what the user, the schema or SOQL itself does not allow."""
        owner = self.schema.object(query.object)
        if not self.login.may(owner.name, "list"):
            raise no_type(query.object)
        if query.offset > MAX_OFFSET:
            raise ApiError("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        paths = Paths(self.schema, self.login, owner, alias=query.alias)
        terms = self._terms(query, owner)
        columns = [] if query.counts else self._columns(query, terms, paths)
        names = sorted({column.path[:size] for column in columns for size in range(1, len(column.path))})
        parents = [] if query.aggregates else [(one, paths.parent_id(one)) for one in names]
        where = Where(paths, self.now, self.login.zone, self.strict_ids, self.semi_join)
        kept = [*self._scope(owner, where), *([where.sql(query.where)] if query.where else [])]
        group = ", ".join(paths.column(term).sql for term in query.group)
        having = where.sql(query.having) if query.having else ""
        order = ", ".join(self._order(paths, order, columns, query) for order in query.order)
        nested = [(inner, *self.schema.child(owner, inner.object)) for inner in query.nested]
        return Plan(
            owner,
            query,
            columns,
            parents,
            " ".join(paths.joins),
            " and ".join(kept) or "1",
            where.values,
            f" order by {order}" if order else "",
            f" group by {group}" if group else "",
            f" having {having}" if having else "",
            nested,
        )

    def _scope(self, owner: SObject, where: Where) -> list[str]:
        kept = []
        if not self.everything:
            kept.append("t0.\"IsDeleted\" = 'false'")
            if owner.name == "Task":
                kept.append("coalesce(t0.\"IsArchived\", 'false') = 'false'")
        if hidden := self.login.hidden_rows.get(owner.name):
            kept.append('t0."Id" not in (select value from json_each(?))')
            where.values.append(json.dumps(sorted(hidden)))
        return kept

    def _terms(self, query: Query, owner: SObject) -> list[Term]:
        terms = [Term(("count",), "COUNT", term.alias) if term.function == "COUNT" and not term.path else term for term in query.terms]
        if not query.everything:
            return terms
        if query.everything not in ("ALL", "STANDARD", "CUSTOM"):
            raise ApiError("MALFORMED_QUERY", f"unexpected token: '{query.everything}'")
        if query.everything != "STANDARD" and (query.limit is None or query.limit > MAX_FIELDS_ROWS):
            raise ApiError("MALFORMED_QUERY", "The SOQL FIELDS function must have a LIMIT of at most 200")
        hidden = self.login.hidden.get(owner.name, ())
        custom = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[query.everything]
        return terms + [Term((name,)) for name, spec in owner.fields.items() if spec.custom in custom and name not in hidden]

    def _columns(self, query: Query, terms: list[Term], paths: Paths) -> list[Column]:
        columns: list[Column] = []
        seen: set[tuple[str, ...]] = set()
        grouped = {paths.column(term).sql for term in query.group}
        unnamed = 0
        for term in terms:
            if term.function in AGGREGATES or (query.aggregates and (term.function or term.alias)):
                name = term.alias or f"expr{unnamed}"
                unnamed += not term.alias
                columns.append(_aggregate(term, paths, name))
                continue
            column = paths.column(term)
            if query.aggregates and column.sql not in grouped:
                raise ApiError("MALFORMED_QUERY", f"Field must be grouped or aggregated: {'.'.join(term.path)}")
            if column.path in seen:
                raise ApiError("INVALID_FIELD", f"duplicate field selected: {'.'.join(column.path)}")
            seen.add(column.path)
            columns.append(column if not query.aggregates else column._replace(path=column.path[-1:]))
        return columns

    def _order(self, paths: Paths, order: Order, columns: list[Column], query: Query) -> str:
        if query.aggregates and order.term.function in AGGREGATES:
            sql = _aggregate(order.term, paths, "").sql
        else:
            column = paths.column(order.term)
            if not column.spec.sortable:
                raise ApiError("INVALID_FIELD", f"field '{column.spec.name}' can not be sorted in a query call")
            sql = column.sql + (" collate nocase" if column.spec.type in TEXTS else "")
            if column.spec.name in _NEVER_NULL:
                return f"{sql} {'desc' if order.descending else 'asc'}"
        return f"{sql} {'desc' if order.descending else 'asc'} nulls {'last' if order.nulls_last else 'first'}"


def _aggregate(term: Term, paths: Paths, name: str) -> Column:
    if term.function == "COUNT" and term.path in ((), ("count",)):
        return Column("count(*)", FieldSpec(name or "expr0", "int"), (name,))
    column = paths.column(term)
    if term.function not in AGGREGATES:
        return column._replace(path=(name,))
    spec = column.spec if term.function in ("MIN", "MAX") else FieldSpec("expr", "double" if term.function in ("SUM", "AVG") else "int")
    sql = f"count(distinct {column.sql})" if term.function == "COUNT_DISTINCT" else f"{term.function.lower()}({column.sql})"
    return Column(sql, replace(spec, name=name or "expr0"), (name,))
