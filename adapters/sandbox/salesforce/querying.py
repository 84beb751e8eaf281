"""query and queryAll: run a query, give its first page, and the further ones by locator."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus

import orjson

from adapters.sandbox.http_server import Response
from adapters.sandbox.salesforce.cursors import Cursor
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.fields import IDS, FieldSpec
from adapters.sandbox.salesforce.rendering import JsonRows
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.soql_parse import parse_soql
from adapters.sandbox.salesforce.soql_plan import Plan, Planner
from adapters.sandbox.salesforce.soql_tree import Compare, Condition, Logic, Query, Term, Value
from adapters.sandbox.salesforce.visit import Visit, reply

LEAST_PAGE, MOST_PAGE = 200, 2000
MAX_URL = 16_384
Record = dict[str, Any]


def planner(visit: Visit, everything: bool) -> Planner:
    """Plans for whoever asks, now."""
    instance = visit.instance

    def semi_join(inner: Query) -> list[str]:
        plan = planner(visit, everything).plan(inner)
        if len(plan.columns) != 1 or plan.columns[0].spec.type not in IDS:
            raise ApiError("MALFORMED_QUERY", "The inner select of a semi-join must have one id or reference field")
        sql, values = plan.groups()
        return [str(found) for (found,) in instance.database.execute(sql, values) if found is not None]

    return Planner(instance.schema, visit.login, instance.clock.utc(), not instance.records.odd_ids, everything, semi_join)


def query(visit: Visit, everything: bool) -> Response:
    """The first page of a result, or a count."""
    text = visit.request.query.get("q", "")
    if not text:
        raise ApiError("MALFORMED_QUERY", "A query string has to be specified")
    if len(visit.request.path) + len(quote_plus(text)) > MAX_URL and not visit.request.in_bulk:
        raise ApiError("URI_TOO_LONG", "URI Too Long")
    visit.summary["soql"] = text
    tree = parse_soql(text)
    visit.object = visit.instance.schema.object(tree.object).name
    plan = planner(visit, everything or tree.all_rows).plan(tree)
    database = visit.instance.database
    if tree.counts:
        sql, values = plan.total()
        return reply({"totalSize": database.execute(sql, values).fetchone()[0], "done": True, "records": []})
    if tree.aggregates:
        return _groups(visit, plan)
    visit.instance.edit_around(visit.object, before=True)
    sql, values = plan.keys()
    seqs = array("q", (seq for (seq,) in database.execute(sql, values)))
    user = visit.login.user_id
    cursor = visit.instance.cursors.make(user, plan, seqs, _page_rows(visit), everything) if len(seqs) else None
    found: Record = _page(visit, cursor, 0) if cursor else {"totalSize": 0, "done": True, "records": []}
    visit.instance.edit_around(visit.object, before=False)
    return reply(found, rows=len(found["records"]))


def more(visit: Visit, locator: str) -> Response:
    """A further page: `01g…-2000` is the page that begins after 2000 rows."""
    name, _, start = locator.partition("-")
    cursor = visit.instance.cursors.need(name, visit.login.user_id)
    if not start.isdigit() or int(start) > len(cursor.seqs):
        raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
    visit.object = cursor.plan.object.name
    visit.instance.edit_around(visit.object, before=True)
    cursor.rows = _page_rows(visit) if visit.header("sforce-query-options") else cursor.rows
    found = _page(visit, cursor, int(start))
    visit.summary.update(start=int(start))
    visit.instance.edit_around(visit.object, before=False)
    return reply(found, rows=len(found["records"]))


def _page_rows(visit: Visit) -> int:
    """The batch size is a hint: it is kept between bounds, and the org may give less."""
    asked = visit.header("sforce-query-options").get("batchsize", "")
    rows = min(max(int(asked), LEAST_PAGE), MOST_PAGE) if asked.isdigit() else visit.instance.page_rows
    return min(rows, visit.instance.page_cap or rows)


def _page(visit: Visit, cursor: Cursor, start: int) -> Record:
    """Values are read now; a row that is gone for good by now is left out."""
    chunk = cursor.seqs[start : start + cursor.rows]
    living = records_of(visit, cursor.plan, chunk, cursor.everything)
    taken, records = _that_fit(living, chunk, visit.instance.page_bytes)
    end = start + taken
    done = end >= len(cursor.seqs)
    found: Record = {"totalSize": len(cursor.seqs), "done": done}
    if done:
        visit.instance.cursors.drop(cursor.locator)
    else:
        visit.instance.cursors.keep(cursor)
        found["nextRecordsUrl"] = f"{visit.base}/query/{cursor.locator}-{end}"
    found["records"] = records
    return found


def _that_fit(records: list[Record | None], seqs: array[int], most_bytes: int) -> tuple[int, list[Record]]:
    """Wide rows make short pages: how many rows are taken, and those of them that are still there."""
    size = 0
    fitting: list[Record] = []
    for number, record in enumerate(records):
        if record is None:
            continue
        size += len(orjson.dumps(record))
        if size > most_bytes and fitting:
            return number, fitting
        fitting.append(record)
    return len(seqs), fitting


def records_of(visit: Visit, plan: Plan, seqs: array[int], everything: bool) -> list[Record | None]:
    """Records in the order of `seqs`; None for those that are gone."""
    database = visit.instance.database
    rows = {row[0]: row for row in database.execute(plan.rows(), (json.dumps(seqs.tolist()),))}
    ids = _ids(visit, plan.object, seqs)
    maker = JsonRows(plan, visit.instance.schema, visit.base)
    found: list[Record | None] = [maker.record(rows[seq], ids[seq]) if seq in rows else None for seq in seqs]
    for inner, child, spec in plan.nested:
        _add_children(visit, found, [ids.get(seq, "") for seq in seqs], inner, child, spec, everything)
    return found


def _ids(visit: Visit, one: SObject, seqs: array[int]) -> dict[int, str]:
    sql = f'select seq, "Id" from "{one.name}" where seq in (select value from json_each(?))'
    return dict(visit.instance.database.execute(sql, (json.dumps(seqs.tolist()),)))


def _add_children(
    visit: Visit, parents: list[Record | None], ids: list[str], inner: Query, child: SObject, spec: FieldSpec, everything: bool
) -> None:
    """The results of a nested query, one per parent, all on one page."""
    asked = replace(inner, object=child.name, limit=None)
    among: Condition = Compare(Term((spec.name,)), "in", tuple(Value("string", one) for one in ids if one))
    asked.where = among if inner.where is None else Logic("and", (inner.where, among))
    plan = planner(visit, everything).plan(asked)
    sql, values = plan.keys()
    seqs = array("q", (seq for (seq,) in visit.instance.database.execute(sql, values)))
    key = f'select seq, "{spec.name}" from "{child.name}" where seq in (select value from json_each(?))'
    owners = dict(visit.instance.database.execute(key, (json.dumps(seqs.tolist()),)))
    held: dict[str, list[Record]] = {}
    for seq, record in zip(seqs, records_of(visit, plan, seqs, everything), strict=True):
        if record is not None:
            held.setdefault(owners[seq], []).append(record)
    for one, parent in zip(ids, parents, strict=True):
        if parent is not None:
            found = held.get(one, [])[: inner.limit]
            parent[spec.children] = {"totalSize": len(found), "done": True, "records": found} if found else None


def _groups(visit: Visit, plan: Plan) -> Response:
    sql, values = plan.groups()
    rows = visit.instance.database.execute(sql, values).fetchall()
    if len(rows) > MOST_PAGE:
        raise ApiError(
            "EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
        )
    maker = JsonRows(plan, visit.instance.schema, visit.base)
    records = [maker.aggregate(row) for row in rows]
    return reply({"totalSize": len(records), "done": True, "records": records}, rows=len(records))
