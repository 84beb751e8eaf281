"""The Market's tables as a page for people who write SQL, made from the comments that the schema carries."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql

from adapters.market.engine import metadata  # there every module of the schema is loaded

_FIRST = ("users", "accounts", "contacts", "opportunities")


def market_tables() -> str:
    """Markdown: one table per table, the main ones first, the others by name: in whatever order the schema was loaded."""
    parts: list[str] = []
    others = sorted(metadata.tables.keys() - set(_FIRST))
    for table in (metadata.tables[name] for name in (*_FIRST, *others)):
        parts += [f"### {table.name}", "", table.comment or "", "", "| column | type | what it holds |", "|---|---|---|"]
        for column in table.columns:
            key = " (**key**)" if column.primary_key else ""
            kind = str(column.type.compile(dialect=postgresql.dialect())).lower().replace(' collate "c"', "")  # type: ignore[no-untyped-call]
            parts.append(f"| `{column.name}` | {kind} | {(column.comment or '').replace('|', chr(92) + '|')}{key} |")
        parts.append("")
    return "\n".join(parts) + "\n"
