"""Lists, counts and single records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.http_server import Response
from adapters.sandbox.store import Row
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.filter_match import matcher, sort_key
from adapters.sandbox.sugarcrm.filter_sql import Sql, split
from adapters.sandbox.sugarcrm.filters import Group, Reader, check_field, parse_filter
from adapters.sandbox.sugarcrm.php_query import nested
from adapters.sandbox.sugarcrm.render import stub
from adapters.sandbox.sugarcrm.visit import Visit, reply

_COLUMN = {"date_modified": "modified", "id": "id"}


@dataclass(frozen=True)
class Query:
    """What a list request asks: `where` is answered by SQL, `keep` row by row, `order` pairs a field with `desc`."""

    where: Sql
    rest: Group
    order: tuple[tuple[str, bool], ...]
    limit: int
    offset: int
    deleted: bool

    @property
    def indexed(self) -> bool:
        """Can SQLite answer alone, order included?"""
        return not self.rest.parts and all(name in _COLUMN for name, _ in self.order)

    @property
    def order_sql(self) -> str:
        """The order as far as columns go."""
        return ", ".join(f"{_COLUMN[name]} {'desc' if desc else 'asc'}" for name, desc in self.order if name in _COLUMN)


def list_records(visit: Visit, module: str, among: Sql | None = None) -> Response:
    """A page of a module. `among` narrows it to the far side of a link."""
    visit.instance.check_module(visit.session.login, module, "list")
    query = read_query(visit, module, among)
    visit.instance.edit_around(module, before=True)
    lines, more = _page(visit, module, query)
    visit.instance.edit_around(module, before=False)
    after = query.offset + query.limit if more else -1
    return Response(200, page_body(after, lines), rows=len(lines))


def page_body(next_offset: int, lines: list[bytes]) -> bytes:
    """The answer to a list request, joined once: a page is megabytes and every copy of it shows."""
    head = b'{"next_offset":%d,"records":[' % next_offset
    if not lines:
        return head + b"]}"
    return b",".join([head + lines[0], *lines[1:-1], lines[-1] + b"]}"] if lines[1:] else [head + lines[0] + b"]}"])


def count_records(visit: Visit, module: str, among: Sql | None = None) -> Response:
    """How many records a filter finds."""
    visit.instance.check_module(visit.session.login, module, "list")
    query = read_query(visit, module, among)
    if query.rest.parts:
        return reply({"record_count": len(_matching(visit, module, query))})
    return reply({"record_count": visit.instance.records.tables[module].count(query.where.text, query.where.values)})


def read_record(visit: Visit, module: str, record_id: str) -> Response:
    """One record, 404 when it is missing, deleted or hidden."""
    visit.instance.check_module(visit.session.login, module, "view")
    visit.row(module, record_id)
    return Response(200, visit.shown(module, record_id), rows=1)


def reader_for(visit: Visit, module: str) -> Reader:
    """Through whose eyes a filter is read."""
    return Reader(
        visit.instance.schema.module(module),
        visit.user_id,
        visit.zone,
        visit.instance.clock.utc(),
        visit.hidden(module),
        visit.instance.settings.equals_on_datetime_matches_day,
    )


def read_query(visit: Visit, module: str, among: Sql | None) -> Query:
    """The request's parameters, from body, query or the bracketed form of the query."""
    document = visit.body.get("filter", _asked_filter(visit))
    reader = reader_for(visit, module)
    order = _order(str(visit.asked("order_by") or ""), reader)
    parts = split(parse_filter(document, reader), reader.module, order[0][0])
    deleted = str(visit.asked("deleted")).lower() in ("true", "1")
    conditions = [parts.where, _hidden_rows(visit, module), Sql("1" if deleted else "deleted = 0")]
    conditions += [among] if among else []
    where = Sql(" and ".join(f"({one.text})" for one in conditions), tuple(v for one in conditions for v in one.values))
    limit = _number(visit, "max_num", visit.instance.settings.default_page_rows, visit.instance.max_list_limit)
    offset = _number(visit, "offset", 0, None)
    visit.summary.update(
        filter=document,
        fields=len(visit.field_names()),
        max_num=limit,
        offset=offset,
        deleted=deleted,
        order_by=str(visit.asked("order_by") or ""),
    )
    return Query(where, Group("and", parts.rest), order, limit, offset, deleted)


def _asked_filter(visit: Visit) -> Any:
    """The filter of a query: in brackets, or as one JSON text."""
    found = nested(visit.request.query).get("filter")
    if not isinstance(found, str) or not found:
        return found
    try:
        return json.loads(found)
    except json.JSONDecodeError:
        raise ApiError("invalid_parameter", "Invalid JSON in parameter: filter") from None


def _number(visit: Visit, name: str, default: int, cap: int | None) -> int:
    value = visit.asked(name)
    if value in (None, "", "end"):
        return default
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ApiError("invalid_parameter", f"Invalid value for {name}: {value}") from None
    if number < 0:
        # A negative page size asks for everything; the limit of the instance still holds.
        number = cap if cap is not None else 0
    return min(number, cap) if cap is not None else number


def _order(text: str, reader: Reader) -> tuple[tuple[str, bool], ...]:
    """`a:ASC,b:DESC`; newest first when nothing is said. Ties come in id order, as from an index of the database."""
    order = []
    for part in text.split(","):
        name, _, direction = part.strip().partition(":")
        if name:
            check_field(name, reader)
            order.append((name, direction.strip().upper() == "DESC"))
    order = order or [("date_modified", True)]
    return (*order, *([] if any(name == "id" for name, _ in order) else [("id", order[-1][1])]))


def _hidden_rows(visit: Visit, module: str) -> Sql:
    hidden = visit.session.login.hidden_rows.get(module)
    if not hidden:
        return Sql("1")
    return Sql("id not in (select value from json_each(?))", (json.dumps(sorted(hidden)),))


def _page(visit: Visit, module: str, query: Query) -> tuple[list[bytes], bool]:
    table = visit.instance.records.tables[module]
    projection = visit.projection(module, visit.field_names())
    if query.indexed and not query.deleted:
        seqs = table.seqs(query.where.text, query.where.values, query.order_sql, query.limit + 1, query.offset)
        return visit.instance.renderer.page(module, projection, seqs[: query.limit]), len(seqs) > query.limit
    if query.indexed:
        rows = table.heads(query.where.text, query.where.values, query.order_sql, query.limit + 1, query.offset)
    else:
        rows = _matching(visit, module, query)[query.offset : query.offset + query.limit + 1]
    shown = rows[: query.limit]
    living = [row.seq for row in shown if not row.deleted]
    lines = iter(visit.instance.renderer.page(module, projection, living))
    return [stub(row, visit.zone) if row.deleted else next(lines) for row in shown], len(rows) > query.limit


def _matching(visit: Visit, module: str, query: Query) -> list[Row]:
    """All rows that a filter keeps, sorted: the slow road, for fields without an index."""
    layout = visit.instance.schema.module(module)
    keep = matcher(query.rest, layout)
    table = visit.instance.records.tables[module]
    rows = [row for row in table.scan(query.where.text, query.where.values, "id") if keep(layout.full(row.slots()))]
    for name, desc in reversed(query.order):
        key: Any = sort_key(layout.fields[name], layout.slot[name])
        if name == "date_modified":
            rows.sort(key=lambda row: row.modified, reverse=desc)
        else:
            rows.sort(key=lambda row, key=key: key(layout.full(row.slots())), reverse=desc)  # type: ignore[misc]
    return rows
