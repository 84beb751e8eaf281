"""Pieces of DuckDB SQL that the rules are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import duckdb


class Batch(Protocol):
    """An open parcel. Its connections see what is committed, and no temporary tables of each other."""

    def cursor(self) -> duckdb.DuckDBPyConnection: ...


def quote(identifier: str) -> str:
    """A column name as a DuckDB identifier. The one way that a name from a CRM enters SQL here."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a DuckDB string literal."""
    return "'" + text.replace("'", "''") + "'"


def number(value: float) -> str:
    """A float as DuckDB's DOUBLE; a bare 0.3 would be a DECIMAL there and compare differently."""
    return f"CAST('{value!r}' AS DOUBLE)"


def any_of(conditions: Iterable[str]) -> str:
    """True where one of the conditions is. In brackets, because it becomes part of larger conditions."""
    return "(" + " OR ".join(f"({condition})" for condition in conditions) + ")"


def first_of(cases: Mapping[str, str]) -> str:
    """The expression of the first condition that is met."""
    return "CASE " + " ".join(f"WHEN {condition} THEN {expression}" for condition, expression in cases.items()) + " END"


def template(query: str) -> str:
    """A query for UnexpectedRowsExpectation. Its first `{batch}` stands for the table; all other braces and colons stand for themselves.

    Great Expectations formats the text, and SQLAlchemy would take `:name` for a parameter.
    """
    head, batch, tail = query.partition("{batch}")
    return _plain(head) + batch + _plain(tail)


def _plain(sql: str) -> str:
    return sql.replace("{", "{{").replace("}", "}}").replace(":", "\\:")


def rows_query(condition: str) -> str:
    """Great Expectations' question for bad rows. Asks for `seq` only, so that no person's data gets into its results."""
    return template(f"WITH b AS (SELECT * FROM {{batch}}) SELECT seq FROM b WHERE {condition}")
