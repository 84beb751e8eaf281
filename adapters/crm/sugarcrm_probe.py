"""The connection check: who are we, what time is it there, what may we do (CONN-3). Changes nothing in the CRM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from adapters.crm.sugarcrm_probe_writing import writing_lines
from adapters.crm.sugarcrm_session import SugarApi
from sync.crm import CheckLine, Probe
from sync.errors import AccessDenied, ContractBroken
from sync.push import Quota
from sync.push_settings import SinkSettings
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


def probe(
    api: SugarApi,
    modules: Mapping[Kind, str],
    readable: Sequence[Kind],
    writable: Sequence[Kind],
    sinks: SinkSettings,
    quota: Callable[[], Quota | None],
    ours: datetime,
) -> Probe:
    """Logs in with the password, even where a session is alive: the password is part of what is checked. `ours` is our clock."""
    api.session.login_afresh()
    answer = api.call("GET", "me", subject="own user")
    try:
        me = msgspec.json.decode(answer.body, type=_MeBody).current_user
    except msgspec.DecodeError:
        raise ContractBroken("the CRM does not say who we are", where=f"connector {api.wire.connector}") from None
    server_time = answer.date() or ours
    zone = me.preferences.timezone
    left = quota()
    lines = (
        CheckLine(True, "login", f"logged in as {me.user_name} ({me.id})"),
        _clock(server_time, ours),
        _zone(zone, me.user_name),
        CheckLine(True, "API version", api.wire.version),
        *_reading(api, [modules[kind] for kind in readable]),
        *writing_lines(api, writable, sinks),
        CheckLine(True, "quota", "no quota" if left is None else f"{left.left:,} of {left.of:,} calls left today"),
    )
    return Probe(me.user_name, me.id, server_time, zone, api.wire.version, left.left if left else None, lines)


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


def _reading(api: SugarApi, modules: Sequence[str]) -> Iterator[CheckLine]:
    for module in modules:
        payload = {"filter": [], "fields": "id", "max_num": 1}
        try:
            api.call("POST", f"{module}/filter", subject=module, payload=payload)
        except AccessDenied as refused:
            yield CheckLine(False, f"read {module}", refused.what, refused.todo)
        else:
            yield CheckLine(True, f"read {module}", "allowed")
