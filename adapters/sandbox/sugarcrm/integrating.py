"""Upsert by a foreign key (`integrate/…`, `<Module>/sync_key/<value>`): since 14.2 for administrators only."""

from __future__ import annotations

import orjson

from adapters.sandbox.http_server import Response
from adapters.sandbox.store import Row
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import TEXTS
from adapters.sandbox.sugarcrm.reading import read_record
from adapters.sandbox.sugarcrm.visit import Visit, reply
from adapters.sandbox.sugarcrm.writing import create, delete_record, update


def by_key(visit: Visit, method: str, module: str, field: str, value: str) -> Response:
    """GET, PATCH and DELETE of the record whose `field` has that value."""
    _allow(visit)
    row = _find(visit, module, field, value)
    if method == "PATCH":
        return _upsert(visit, module, field, value, row)
    if row is None:
        raise ApiError("not_found", f"Could not find record with {field} {value} in module: {module}")
    if method == "GET":
        return read_record(visit, module, row.id)
    if method == "DELETE":
        delete_record(visit, module, row.id)
        return reply({"record": row.id})
    raise ApiError("no_method", f"No route for {method} integrate/{module}")


def set_key(visit: Visit, module: str, record_id: str, field: str, value: str) -> Response:
    """`PUT integrate/<Module>/<id>/<field>/<value>`: the only way to key a record that exists."""
    _allow(visit)
    visit.instance.check_module(visit.session.login, module, "edit")
    row = visit.row(module, record_id)
    other = _find(visit, module, field, value)
    if other is not None and other.id != row.id:
        raise ApiError("invalid_parameter", f"Record with {field} {value} already exists in module {module}")
    visit.instance.records.change(module, row, {field: orjson.dumps(value)}, visit.user_id)
    return reply({"success": True, "record": record_id})


def _allow(visit: Visit) -> None:
    if visit.instance.sync_key_admin_only and not visit.session.login.is_admin:
        raise ApiError("not_authorized", "You are not authorized to use the integrate API.")


def _find(visit: Visit, module: str, field: str, value: str) -> Row | None:
    spec = visit.instance.schema.module(module).field(field)
    if not spec.indexed or spec.type not in TEXTS:
        raise ApiError("invalid_parameter", f"Field {field} of module {module} is not a key")
    records = visit.instance.records
    sql = "select id from lookups where field = ? and value = ?"
    for (record_id,) in records.database.execute(sql, (f"{module}.{field}", value.lower())).fetchall():
        row = records.find(module, record_id)
        if row is not None:
            return row
    return None


def _upsert(visit: Visit, module: str, field: str, value: str, row: Row | None) -> Response:
    visit.instance.check_module(visit.session.login, module, "edit" if row else "create")
    key = {field: orjson.dumps(value)}
    if row is None:
        record_id = create(visit, module, visit.body, key)
    else:
        record_id = row.id
        update(visit, module, row, visit.body, key)
    shown: object = orjson.loads(visit.shown(module, record_id)) if visit.field_names() else record_id
    return reply({"record": shown}, 200 if row else 201, rows=1)
