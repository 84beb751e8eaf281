"""The connection check: who are we, what time is it there, what may we do (CONN-3). Changes nothing in the CRM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapters.crm.salesforce_probe_writing import writing_lines
from adapters.crm.salesforce_reading import SalesforceReading
from adapters.crm.salesforce_session import SalesforceApi
from adapters.crm.salesforce_soql import ID, named, query
from sync.crm import CheckLine, Probe
from sync.errors import AccessDenied, ContractBroken
from sync.push import Quota
from sync.push_settings import SinkSettings
from sync.records import Kind

_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Africa/Abidjan", ""})


class _Records(msgspec.Struct):
    records: list[dict[str, Any]]


def probe(
    api: SalesforceApi,
    reading: SalesforceReading,
    readable: Sequence[Kind],
    writable: Sequence[Kind],
    sinks: SinkSettings,
    create_as: Kind,
    quota: Callable[[], Quota | None],
    ours: datetime,
) -> Probe:
    """Logs in with the credentials, even where a session is alive: they are part of what is checked. `ours` is our clock."""
    api.session.login_afresh()
    name, user_id, zone = _me(api, reading)
    server_time = api.said_time(within_s=60) or ours
    left = quota()
    lines = (
        CheckLine(True, "login", f"logged in as {name} ({user_id}) by {api.session.login.way.value}"),
        _clock(server_time, ours),
        _zone(zone, name),
        CheckLine(True, "API version", api.wire.version),
        *_reading(api, reading, readable),
        *writing_lines(api, writable, sinks, create_as),
        CheckLine(True, "quota", "no quota" if left is None else f"{left.left:,} of {left.of:,} calls left in 24 hours"),
    )
    return Probe(name, user_id, server_time, zone, api.wire.version, left.left if left else None, lines)


def _me(api: SalesforceApi, reading: SalesforceReading) -> tuple[str, str, str]:
    """Name, id and time zone. The login tells our id, else our name is configured."""
    by_id = api.session.user_id
    asked = named(ID, [by_id]) if by_id else named("Username", [api.session.login.username])
    answer = reading.query(query((ID, "Username", "TimeZoneSidKey"), "User", [asked]), "User")
    found = msgspec.json.decode(answer.body, type=_Records).records
    if not found:
        raise ContractBroken("the CRM does not say who we are", where=f"connector {api.wire.connector}")
    return str(found[0].get("Username") or ""), str(found[0][ID]), str(found[0].get("TimeZoneSidKey") or "")


def _clock(server_time: datetime, ours: datetime) -> CheckLine:
    ahead_s = (server_time - ours).total_seconds()
    said = f"{server_time:%Y-%m-%d %H:%M:%S} UTC, {abs(ahead_s):.0f} s {'ahead of' if ahead_s >= 0 else 'behind'} ours"
    todo = "" if abs(ahead_s) < 60 else "correct the clock that is wrong; the sync goes by the CRM's own (PULL-1)"
    return CheckLine(True, "clock", said, todo)


def _zone(zone: str, user: str) -> CheckLine:
    todo = (
        "" if zone in _UTC_NAMES else f"set the time zone of {user} to UTC: stamps are always UTC, but days in filters begin in the user's"
    )
    return CheckLine(True, "time zone", zone or "the CRM does not say", todo)


def _reading(api: SalesforceApi, reading: SalesforceReading, kinds: Sequence[Kind]) -> Iterator[CheckLine]:
    for kind in kinds:
        name = reading.object_of(kind)
        try:
            reading.query(query((ID,), name, limit=1), name)
        except AccessDenied as refused:
            yield CheckLine(False, f"read {name}", refused.what, refused.todo)
        else:
            yield CheckLine(True, f"read {name}", "allowed")
