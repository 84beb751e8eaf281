"""Metadata, drop-downs, and who am I."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from adapters.sandbox.http_server import Response
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import ENUMS
from adapters.sandbox.sugarcrm.links import described
from adapters.sandbox.sugarcrm.schema import digest
from adapters.sandbox.sugarcrm.visit import Visit, reply
from adapters.sandbox.sugarcrm.zones import zone

_ZERO = timedelta(0)


def metadata(visit: Visit) -> Response:
    """The description of the instance, narrowed by `type_filter` and `module_filter`; 304 when the client has it."""
    everything = _document(visit, "", "")
    tag = f'"{everything["_hash"]}"'
    known = visit.request.headers.get("if-none-match", "").strip()
    if known.strip('"') == tag.strip('"'):
        return Response(304, b"", {"ETag": tag})
    types, modules = str(visit.asked("type_filter") or ""), str(visit.asked("module_filter") or "")
    document = _document(visit, types, modules) | {"_hash": everything["_hash"]}
    return Response(200, orjson.dumps(document), {"ETag": tag})


def metadata_hash(visit: Visit) -> Response:
    """The hash alone: a cheap question whether anything changed."""
    return reply({"_hash": _document(visit, "", "")["_hash"]})


def enum(visit: Visit, module: str, field: str) -> Response:
    """The key to label map of a drop-down field."""
    visit.instance.check_module(visit.session.login, module, "view")
    spec = visit.instance.schema.module(module).field(field)
    if spec.type not in ENUMS | {"multienum"} or field in visit.hidden(module):
        raise ApiError("not_found", f"Field {field} of module {module} is not a drop-down")
    return reply(visit.instance.schema.lists.get(spec.options, {}))


def me(visit: Visit) -> Response:
    """The current user, with the zone in which this user sees every instant."""
    login = visit.session.login
    seconds = int((visit.instance.clock.utc().astimezone(zone(login.zone)).utcoffset() or _ZERO).total_seconds())
    sign, rest = ("-" if seconds < 0 else "+"), abs(seconds) // 60
    user = {
        "type": "user",
        "id": login.user_id,
        "user_name": login.user_name,
        "full_name": login.user_name,
        "is_manager": False,
        "acl": {"_admin": {"access": "yes" if login.is_admin else "no"}},
        "module_list": list(visit.instance.schema.modules),
        "preferences": {
            "timezone": login.zone,
            "tz_offset": f"{sign}{rest // 60:02d}{rest % 60:02d}",
            "tz_offset_sec": seconds,
            "datepref": "Y-m-d",
            "timepref": "H:i",
            "language": "en_us",
        },
        "_hash": digest([login.user_id, login.zone]),
    }
    return reply({"current_user": user})


def _with_rights(name: str, module: dict[str, Any], denied: set[str]) -> dict[str, Any]:
    """What the user may not do with the module stands in its `acl`, beside the fields."""
    actions = {action: "no" for module_, _, action in (pair.partition(":") for pair in denied) if module_ == name}
    return {**module, "acl": {**module.get("acl", {}), **actions}} if actions else module


def _document(visit: Visit, types: str, modules: str) -> dict[str, Any]:
    schema = visit.instance.schema
    login = visit.session.login
    names = [name.strip() for name in modules.split(",") if name.strip()] or list(schema.modules)
    names = [name for name in names if f"{name}:*" not in login.denied]
    wanted = {part.strip() for part in types.split(",") if part.strip()}
    out: dict[str, Any] = {}
    if not wanted or "modules" in wanted:
        out["modules"] = {name: _with_rights(name, each, login.denied) for name, each in schema.describe(login.user_name, names).items()}
    if not wanted or "relationships" in wanted:
        out["relationships"] = described()
    if not wanted or "server_info" in wanted:
        release = visit.instance.settings.release.removeprefix("v").replace("_", ".")
        out["server_info"] = {"flavor": "ENT", "version": "14.2.0", "api_version": release}
    if not wanted or "lists" in wanted:
        out["lists"] = schema.lists
    out["_hash"] = digest(out)
    return out
