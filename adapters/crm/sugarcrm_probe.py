"""The connection check: who are we, what time is it there, what may we do (CONN-3). Changes nothing in the CRM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapters.crm.sugarcrm_schema import MODULES, denied
from adapters.crm.sugarcrm_session import SugarApi
from sync.crm import CheckLine, Probe
from sync.errors import AccessDenied, ContractBroken
from sync.records import Kind

_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Africa/Abidjan"})


class _Preferences(msgspec.Struct):
    timezone: str = ""


class _Me(msgspec.Struct):
    id: str
    user_name: str = ""
    preferences: _Preferences = msgspec.field(default_factory=_Preferences)


class _MeBody(msgspec.Struct):
    current_user: _Me


def metadata(api: SugarApi, kinds: Sequence[Kind]) -> dict[str, dict[str, Any]]:
    """The metadata of these kinds' modules. Modules that the user may not see are missing in it."""
    params = {"type_filter": "modules", "module_filter": ",".join(MODULES[kind] for kind in kinds)}
    answer = api.call("GET", "metadata", subject="metadata", params=params)
    document = msgspec.json.decode(answer.body)
    modules = document.get("modules") if isinstance(document, dict) else None
    if not isinstance(modules, dict):
        raise ContractBroken("the metadata hold no modules", where=f"connector {api.wire.connector}", todo="report this to the developers")
    return modules


def probe(api: SugarApi, readable: Sequence[Kind], writable: Sequence[Kind], ours: datetime) -> Probe:
    """Logs in with the password, even where a session is alive: the password is part of what is checked. `ours` is our clock."""
    api.session.login_afresh()
    answer = api.call("GET", "me", subject="own user")
    try:
        me = msgspec.json.decode(answer.body, type=_MeBody).current_user
    except msgspec.DecodeError:
        raise ContractBroken("the CRM does not say who we are", where=f"connector {api.wire.connector}") from None
    server_time = answer.date() or ours
    zone = me.preferences.timezone
    lines = (
        CheckLine(True, "login", f"logged in as {me.user_name} ({me.id})"),
        _clock(server_time, ours),
        _zone(zone, me.user_name),
        CheckLine(True, "API version", api.wire.version),
        *_reading(api, readable),
        *_writing(api, writable),
        CheckLine(True, "quota", "no quota"),
    )
    return Probe(me.user_name, me.id, server_time, zone, api.wire.version, None, lines)


def _clock(server_time: datetime, ours: datetime) -> CheckLine:
    ahead_s = (server_time - ours).total_seconds()
    said = f"{server_time:%Y-%m-%d %H:%M:%S} UTC, {abs(ahead_s):.0f} s {'ahead of' if ahead_s >= 0 else 'behind'} ours"
    return CheckLine(
        True, "clock", said, "" if abs(ahead_s) < 60 else "correct the clock that is wrong; the sync goes by the CRM's own (PULL-1)"
    )


def _zone(zone: str, user: str) -> CheckLine:
    utc = zone in _UTC_NAMES
    todo = "" if utc else f"set the time zone of {user} to UTC: stamps are read with their offset, but filters made by people would not be"
    return CheckLine(True, "time zone", zone or "the CRM does not say", todo)


def _reading(api: SugarApi, kinds: Sequence[Kind]) -> Iterator[CheckLine]:
    for kind in kinds:
        module = MODULES[kind]
        payload = {"filter": [], "fields": "id", "max_num": 1}
        try:
            api.call("POST", f"{module}/filter", subject=module, payload=payload)
        except AccessDenied as refused:
            yield CheckLine(False, f"read {module}", refused.what, refused.todo)
        else:
            yield CheckLine(True, f"read {module}", "allowed")


def _writing(api: SugarApi, kinds: Sequence[Kind]) -> Iterator[CheckLine]:
    """From the rights that the metadata list: nothing is written to find out."""
    modules = metadata(api, kinds) if kinds else {}
    for kind in kinds:
        module = MODULES[kind]
        missing = [action for action in ("create", "edit") if module not in modules or denied(modules[module], action)]
        if missing:
            todo = f"have an administrator of the CRM give a role of {api.session.username} the rights {' and '.join(missing)} on {module}"
            yield CheckLine(False, f"write {module}", f"not allowed: {', '.join(missing)}", todo)
        else:
            yield CheckLine(True, f"write {module}", "allowed")
