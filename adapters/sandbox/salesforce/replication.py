"""getDeleted and getUpdated: what went and what changed between two minutes, as far as the log reaches."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.http_server import Response
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.instants import literal, parse, spoken
from adapters.sandbox.salesforce.visit import Visit, reply

MAX_START_DAYS = 30
MAX_IDS = 600_000
_DAY_S = 86_400


def _window(visit: Visit) -> tuple[str, str]:
    """Start and end, stored form, cut to the minute; raises ApiError INVALID_REPLICATION_DATE."""
    bounds = []
    for name in ("start", "end"):
        text = visit.request.query.get(name, "").replace(" ", "+")  # a plus sign that was not encoded
        found = parse(text)
        if found is None:
            raise ApiError("INVALID_REPLICATION_DATE", f"{name} is no date and time: {text}")
        bounds.append(found.timestamp() // 60 * 60)
    start, end = bounds
    if end - start <= 60:
        raise ApiError("INVALID_REPLICATION_DATE", "endDate must be more than one minute after startDate")
    if visit.instance.clock.now() - start > MAX_START_DAYS * _DAY_S:
        raise ApiError("INVALID_REPLICATION_DATE", f"startDate cannot be more than {MAX_START_DAYS} days ago")
    return literal(start), literal(end)


def _covered(instance: Instance, end: str) -> str:
    """Up to here nothing can turn up any more: the start of the oldest open transaction, now, or the end that was asked for."""
    open_since = instance.records.oldest_open()
    return min(literal(instance.clock.now()), end, *([literal(open_since)] if open_since is not None else []))


def log_begins(instance: Instance) -> float:
    """From here on deletions are known, epoch seconds."""
    if instance.log_from is not None:
        return instance.log_from
    return instance.clock.now() - instance.settings.recycle_bin_days * _DAY_S


def deleted(visit: Visit, name: str) -> Response:
    """GET sobjects/X/deleted/: ids and times; a time within the window may be older than what the log knows."""
    one = visit.target(name, "view")
    if "IsDeleted" not in one.fields:
        raise ApiError("INVALID_TYPE_FOR_OPERATION", f"entity type {one.name} does not support replication")
    start, end = _window(visit)
    begins = literal(log_begins(visit.instance))
    hidden = visit.login.hidden_rows.get(one.name, set())
    sql = "select id, max(at) from gone where object = ? and at >= ? and at < ? and at >= ? group by id order by 2, id"
    rows = visit.instance.database.execute(sql, (one.name, start, end, begins)).fetchall()
    if len(rows) > MAX_IDS:
        raise ApiError("EXCEEDED_ID_LIMIT", "exceeded maximum number of ids; shorten the time between start and end")
    answer: dict[str, Any] = {
        "deletedRecords": [{"deletedDate": spoken(at), "id": found} for found, at in rows if found not in hidden],
        "earliestDateAvailable": spoken(begins),
        "latestDateCovered": spoken(_covered(visit.instance, end)),
    }
    visit.summary.update(start=start, end=end)
    return reply(answer, rows=len(rows))


def updated(visit: Visit, name: str) -> Response:
    """GET sobjects/X/updated/: ids of the living records whose stamp lies in the window."""
    one = visit.target(name, "view")
    start, end = _window(visit)
    sql = f'select "Id" from "{one.name}" where "SystemModstamp" >= ? and "SystemModstamp" < ? and "IsDeleted" = \'false\' order by "Id"'
    hidden = visit.login.hidden_rows.get(one.name, set())
    ids = [found for (found,) in visit.instance.database.execute(sql, (start, end)) if found not in hidden]
    if len(ids) > MAX_IDS:
        raise ApiError("EXCEEDED_ID_LIMIT", "exceeded maximum number of ids; shorten the time between start and end")
    return reply({"ids": ids, "latestDateCovered": spoken(_covered(visit.instance, end))}, rows=len(ids))
