"""Create, change and delete; the duplicate check."""

from __future__ import annotations

from typing import Any

import orjson

from adapters.sandbox.http_server import Response
from adapters.sandbox.store import Row
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.filter_match import matcher
from adapters.sandbox.sugarcrm.filters import Condition, Group
from adapters.sandbox.sugarcrm.hooks import after_save, stored_values, written_at_once
from adapters.sandbox.sugarcrm.visit import Visit, reply
from adapters.sandbox.sugarcrm.zones import parse_instant

_TEAM_DEFAULTS = (
    ("team_id", b'"1"'),
    ("team_set_id", b'"1"'),
    ("team_name", b'[{"id":"1","name":"Global","name_2":"","primary":true,"selected":false}]'),
)
_PERSON_MODULES = frozenset({"Contacts", "Leads"})


def create_record(visit: Visit, module: str) -> Response:
    """`POST <Module>`: the client may choose the id; 422 when the id was used before or a required field is absent."""
    visit.instance.check_module(visit.session.login, module, "create")
    record_id = create(visit, module, visit.body)
    return Response(200, visit.shown(module, record_id), rows=1)


def create(visit: Visit, module: str, document: dict[str, Any], extra: dict[str, bytes] | None = None) -> str:
    """A new record from a payload; `extra` holds values that no payload may set."""
    records = visit.instance.records
    layout = records.schema.module(module)
    visit.summary.update(written=sorted(document))
    for name in layout.facts.required:
        if document.get(name) in (None, ""):
            raise ApiError("missing_parameter", f"Missing required field {name} in module {module}")
    values = {**visit.literals(module, document), **(extra or {})}
    hooks = visit.instance.hooks.on_save(module, document, {})
    values.update(written_at_once(hooks, layout))
    record_id = records.new_id(module, str(document.get("id") or ""))
    values["id"] = orjson.dumps(record_id)
    if module == "EmailAddresses":
        values["email_address_caps"] = orjson.dumps(str(document["email_address"]).strip().upper())
    for name, literal in (*_TEAM_DEFAULTS, ("assigned_user_id", orjson.dumps(visit.user_id))):
        values.setdefault(name, literal)
    values.update(visit.write_addresses(module, record_id, document))
    records.create(module, values, visit.user_id)
    after_save(hooks, records, module, record_id, visit.user_id)
    return record_id


def update_record(visit: Visit, module: str, record_id: str) -> Response:
    """`PUT <Module>/<id>`; 409 when `X-TIMESTAMP` names another version than the present one."""
    visit.instance.check_module(visit.session.login, module, "edit")
    update(visit, module, visit.row(module, record_id), visit.body)
    return Response(200, visit.shown(module, record_id), rows=1)


def update(visit: Visit, module: str, row: Row, document: dict[str, Any], extra: dict[str, bytes] | None = None) -> None:
    """Change a record from a payload. The stamp moves even when no value differs: saving is saving."""
    visit.summary.update(written=sorted(document))
    _check_version(visit, module, row)
    records, layout = visit.instance.records, visit.instance.schema.module(module)
    values = visit.literals(module, document)
    for name in values:
        if layout.fields[name].required and values[name] in (b"null", b'""'):
            raise ApiError("missing_parameter", f"Missing required field {name} in module {module}")
    hooks = visit.instance.hooks
    writing = hooks.on_save(module, document, stored_values(records, module, row.id)) if hooks else ()
    shown = visit.write_addresses(module, row.id, document)
    at_once = written_at_once(writing, layout)
    records.change(module, records.need(module, row.id), {**values, **shown, **(extra or {}), **at_once}, visit.user_id)
    after_save(writing, records, module, row.id, visit.user_id)


def delete_record(visit: Visit, module: str, record_id: str) -> Response:
    """`DELETE <Module>/<id>`: marked, not gone, until the prune job."""
    visit.instance.check_module(visit.session.login, module, "delete")
    visit.instance.records.set_deleted(module, visit.row(module, record_id), True)
    return reply({"id": record_id})


def duplicate_check(visit: Visit, module: str) -> Response:
    """Records that look like the payload: same e-mail address, or same names (people), same name (others)."""
    visit.instance.check_module(visit.session.login, module, "list")
    records = visit.instance.records
    found = dict.fromkeys(_same_address(visit, module), 2)
    for record_id in _same_name(visit, module):
        found[record_id] = found.get(record_id, 0) + 1
    hidden = visit.session.login.hidden_rows.get(module, set())
    projection = visit.projection(module, visit.field_names())
    ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    lines = [
        projection.line(row.body)[:-1] + b',"duplicate_check_rank":%d}' % rank
        for record_id, rank in ranked
        if record_id not in hidden and (row := records.find(module, record_id))
    ]
    return Response(200, b'{"next_offset":-1,"records":[%b]}' % b",".join(lines), rows=len(lines))


def _same_address(visit: Visit, module: str) -> list[str]:
    texts = [visit.body.get("email1")] + [entry.get("email_address") for entry in visit.body.get("email") or []]
    out: list[str] = []
    for text in texts:
        known = visit.instance.records.addresses.find(text) if isinstance(text, str) and text else None
        if known:
            out += [one for kind, one in visit.instance.records.addresses.holders(known[0]) if kind == module]
    return out


def _same_name(visit: Visit, module: str) -> list[str]:
    names = ("first_name", "last_name") if module in _PERSON_MODULES else ("name",)
    layout = visit.instance.schema.module(module)
    wanted = [(name, visit.body.get(name)) for name in names if name in layout.slot]
    if not wanted or not all(value for _, value in wanted):
        return []
    keep = matcher(Group("and", tuple(Condition(name, "$equals", value) for name, value in wanted)), layout)
    rows = visit.instance.records.tables[module].scan("deleted = 0", (), "id")
    return [row.id for row in rows if keep(layout.full(row.slots()))]


def _check_version(visit: Visit, module: str, row: Row) -> None:
    header = visit.request.headers.get("x-timestamp")
    if not header:
        return
    try:
        seen = parse_instant(header, visit.zone)
    except ValueError:
        raise ApiError("invalid_parameter", f"Invalid X-TIMESTAMP: {header}") from None
    if seen != row.modified:
        present = orjson.loads(visit.projection(module, []).line(row.body))
        raise ApiError("edit_conflict", "Edit conflict, please reload the record data", {"record": present})
