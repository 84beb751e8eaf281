"""The deletion log: what was deleted in a window, also where the recycle bin was emptied since (DEL-1).

Its seconds count for nothing, a window must be longer than a minute, and it reaches back a few weeks only. Where it does not reach back as
far as the window does, nobody can say any more what was deleted: the object has to be compared afresh.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from adapters.crm.salesforce_paging import Place
from adapters.crm.salesforce_session import SalesforceApi
from adapters.crm.salesforce_wire import Refused
from sync.errors import ContractBroken, GapError
from sync.records import Page, Removal

_SHORTEST = timedelta(minutes=2)


class _Gone(msgspec.Struct, rename="camel"):
    id: str
    deleted_date: str


class _Log(msgspec.Struct, rename="camel"):
    deleted_records: list[_Gone]
    earliest_date_available: str | None = None
    latest_date_covered: str | None = None


def deleted_page(api: SalesforceApi, source: str, stream: str, place: Place) -> Page:
    """What was deleted in the place's window, as one page without records. Raises GapError where the log does not reach back so far."""
    low = datetime.fromisoformat(place.low).replace(second=0)
    high = max(datetime.fromisoformat(place.high), low + _SHORTEST)
    where = f"connector {api.wire.connector}, {source}"
    params = {"start": _text(low), "end": _text(high)}
    try:
        answer = api.get(f"sobjects/{source}/deleted/", subject=source, params=params)
    except Refused as trouble:
        if trouble.code in ("INVALID_REPLICATION_DATE", "EXCEEDED_ID_LIMIT"):
            raise _gap(trouble.what, where) from trouble
        raise
    try:
        log = msgspec.json.decode(answer.body, type=_Log)
    except msgspec.DecodeError:
        raise ContractBroken("the answer is no log of deletions", where=where, todo="report this to the developers") from None
    if log.earliest_date_available and datetime.fromisoformat(log.earliest_date_available) > low + _SHORTEST:
        raise _gap(f"the CRM's log of deletions begins at {log.earliest_date_available}, the window at {place.low}", where)
    gone = tuple(
        Removal(each.id, datetime.fromisoformat(each.deleted_date).astimezone(UTC).replace(microsecond=0)) for each in log.deleted_records
    )
    return Page(stream, b"", 0, None, answer.received_bytes, gone)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _gap(what: str, where: str) -> GapError:
    todo = "run `marketsync reconcile`, which compares everything and finds what was deleted; it also moves the cursor on"
    return GapError(what, where=where, todo=todo)
