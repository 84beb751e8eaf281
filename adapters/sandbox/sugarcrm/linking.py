"""Links between records: list, add, remove."""

from __future__ import annotations

from typing import Any

import orjson

from adapters.sandbox.http_server import Response
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.filter_sql import Sql
from adapters.sandbox.sugarcrm.instance import Instance
from adapters.sandbox.sugarcrm.links import Side, side
from adapters.sandbox.sugarcrm.reading import count_records, list_records
from adapters.sandbox.sugarcrm.visit import Visit

_ROLE_FIELD = "opportunity_role"


def list_link(visit: Visit, module: str, record_id: str, link: str) -> Response:
    """A page of the far side. Contacts of a deal come with their `opportunity_role`."""
    where = _side(visit, module, record_id, link)
    rel = where.relationship
    page = list_records(visit, where.far_module, _far_side(visit, where, record_id))
    if rel.name != "opportunities_contacts" or where.far_module != "Contacts":
        return page
    document = orjson.loads(page.body)
    for record in document["records"]:
        record[_ROLE_FIELD] = visit.instance.records.links.role(where, record_id, record["id"])
    return Response(200, orjson.dumps(document), rows=page.rows)


def count_link(visit: Visit, module: str, record_id: str, link: str) -> Response:
    """`GET <Module>/<id>/link/<name>/count`: how many records of the far side this user may see."""
    where = _side(visit, module, record_id, link)
    return count_records(visit, where.far_module, _far_side(visit, where, record_id))


def _far_side(visit: Visit, where: Side, record_id: str) -> Sql:
    if where.relationship.key:
        return Sql("id in (select value from json_each(?))", (orjson.dumps(_by_key(visit, where, record_id)).decode(),))
    sql = f"id in (select {where.far} from links where rel = ? and {where.near} = ?)"
    return Sql(sql, (where.relationship.name, record_id))


def add_links(visit: Visit, module: str, record_id: str) -> Response:
    """`POST <Module>/<id>/link`: `ids` are ids, or objects with an id and values of the join."""
    name = str(visit.body.get("link_name") or "")
    if not name:
        raise ApiError("missing_parameter", "Missing parameter: link_name")
    where = _side(visit, module, record_id, name)
    visit.instance.check_module(visit.session.login, module, "edit")
    far_ids = []
    for entry in visit.body.get("ids") or []:
        far_id, role = (entry.get("id"), entry.get(_ROLE_FIELD)) if isinstance(entry, dict) else (entry, None)
        visit.row(where.far_module, str(far_id))
        _join(visit, where, record_id, str(far_id), role)
        far_ids.append(str(far_id))
    return _both(visit, module, record_id, where, far_ids)


def remove_link(visit: Visit, module: str, record_id: str, link: str, far_id: str) -> Response:
    """`DELETE <Module>/<id>/link/<name>/<far id>`; 404 when the two are not linked."""
    where = _side(visit, module, record_id, link)
    visit.instance.check_module(visit.session.login, module, "edit")
    records = visit.instance.records
    key = where.relationship.key
    if key:
        row = records.need(where.far_module, far_id)
        linked = records.value(where.far_module, row, key) == record_id
        if linked:
            records.change(where.far_module, row, {key: b"null"}, visit.user_id)
    else:
        linked = records.links.part(where, record_id, far_id)
        count_entries(visit.instance, where, record_id, far_id)
    if not linked:
        raise ApiError("not_found", f"Could not find a relationship between {record_id} and {far_id} on {link}")
    return _both(visit, module, record_id, where, [far_id])


def count_entries(instance: Instance, where: Side, near_id: str, far_id: str) -> None:
    """Keep the member count of a target list; like Sugar's it is calculated and moves no stamp."""
    if not where.relationship.name.startswith("prospect_list_"):
        return
    records = instance.records
    list_id = near_id if where.near == "left_id" else far_id
    names = [f"prospect_list_{kind}" for kind in ("contacts", "leads", "accounts", "users")]
    total = sum(records.links.count(name, list_id) for name in names)
    row = records.find("ProspectLists", list_id)
    if row:
        records.change("ProspectLists", row, {"entry_count": b"%d" % total}, silent=True)


def _side(visit: Visit, module: str, record_id: str, link: str) -> Side:
    visit.instance.check_module(visit.session.login, module, "view")
    visit.row(module, record_id)
    where = side(module, link)
    if where is None:
        raise ApiError("not_found", f"Could not find a relationship named: {link}")
    return where


def _by_key(visit: Visit, where: Side, record_id: str) -> list[str]:
    records = visit.instance.records
    slot = records.schema.module(where.far_module).slot[where.relationship.key]
    wanted = orjson.dumps(record_id)
    rows = records.tables[where.far_module].scan("deleted = 0", (), "id")
    return [row.id for row in rows if row.slots()[slot] == wanted]


def _join(visit: Visit, where: Side, near_id: str, far_id: str, role: Any) -> None:
    records = visit.instance.records
    if where.relationship.key:
        row = records.need(where.far_module, far_id)
        records.change(where.far_module, row, {where.relationship.key: orjson.dumps(near_id)}, visit.user_id)
        return
    records.links.join(where, near_id, far_id, str(role or ""), records.clock.whole_second())
    count_entries(visit.instance, where, near_id, far_id)


def _both(visit: Visit, module: str, record_id: str, where: Side, far_ids: list[str]) -> Response:
    """Sugar answers with the near record and the far ones."""
    records = visit.instance.records
    near = visit.projection(module, []).line(records.need(module, record_id).body)
    projection = visit.projection(where.far_module, [])
    far = [projection.line(row.body) for one in far_ids if (row := records.find(where.far_module, one))]
    return Response(200, b'{"record":%b,"related_records":[%b]}' % (near, b",".join(far)), rows=len(far))
