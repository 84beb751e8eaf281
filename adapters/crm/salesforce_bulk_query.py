"""Everything large, by Bulk API 2.0: a job is made, waited for, and its result fetched as CSV, part by part (INIT-7).

A part is named by a locator, which stays good for as long as the job's result is kept (seven days), so that a read goes on where it
stopped. While one part is being staged, the next one is on its way.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from adapters.crm.salesforce_paging import Place
from adapters.crm.salesforce_session import SalesforceApi
from adapters.crm.salesforce_wire import Refused
from adapters.http_messages import Answer
from sync.errors import AccessDenied, ContractBroken, MarketsyncError, Transient
from sync.records import Page, PageFormat

PART_ROWS = 25_000
_LONGEST_PAUSE_S = 10.0
_LONGEST_WAIT_S = 4 * 3600.0
_UNSUPPORTED = ("INVALIDENTITY", "INVALID_ENTITY", "FUNCTIONALITY_NOT_ENABLED")


class NotInBulk(MarketsyncError):
    """Bulk does not take this query; REST does."""


class _Job(msgspec.Struct, rename="camel"):
    id: str
    state: str
    error_message: str | None = None


class BulkQuery:
    """Runs one query as a job. `rows`: records per part."""

    def __init__(self, api: SalesforceApi, sleep: Callable[[float], None] = time.sleep, rows: int = PART_ROWS) -> None:
        self._api = api
        self._sleep = sleep
        self._rows = rows

    def pages(self, stream: str, place: Place, soql: str, source: str) -> Iterator[Page]:
        """From this place on. A job that is gone is made anew: what is staged twice is taken once, the newest of it."""
        if place.job and not self._lives(place.job, source):
            place = Place("bulk")
        job = place.job or self._created(soql, source)
        self._wait(job, source)
        locator: str | None = place.locator
        with ThreadPoolExecutor(max_workers=1) as ahead:
            part: Future[Answer] = ahead.submit(self._part, job, locator, source)
            while locator is not None:
                answer = part.result()
                locator = _locator(answer)
                if locator is not None:
                    part = ahead.submit(self._part, job, locator, source)
                position = Place("bulk", job=job, locator=locator).text() if locator is not None else None
                yield Page(stream, answer.body, self._rows_of(answer, source), position, answer.received_bytes, format=PageFormat.CSV)
        self._delete(job, source)

    def _created(self, soql: str, source: str) -> str:
        payload = {"operation": "query", "query": soql, "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF"}
        try:
            # A lost answer leaves a job behind that nobody fetches; that costs nothing but its place among ten thousand a day.
            answer = self._api.call("POST", "jobs/query", subject=source, payload=payload)
        except Refused as trouble:
            if trouble.code in _UNSUPPORTED or "not supported" in trouble.what.lower():
                raise NotInBulk(trouble.what, where=trouble.where) from trouble
            raise
        return self._job(answer, source).id

    def _lives(self, job: str, source: str) -> bool:
        try:
            return self._job(self._api.get(f"jobs/query/{job}", subject=source), source).state not in ("Failed", "Aborted")
        except AccessDenied:
            return False  # 404: its result is kept for seven days

    def _wait(self, job: str, source: str) -> None:
        pause_s, waited_s = 0.5, 0.0
        while (found := self._job(self._api.get(f"jobs/query/{job}", subject=source), source)).state != "JobComplete":
            where = f"connector {self._api.wire.connector}, {source}, bulk job {job}"
            if found.state in ("Failed", "Aborted"):
                why = found.error_message or "the CRM does not say why"
                ended = "failed" if found.state == "Failed" else "was aborted by somebody"
                raise Transient(f"the bulk query {ended} ({why})", where=where, todo="run again; if it comes back, narrow the sync filter")
            if waited_s >= _LONGEST_WAIT_S:
                raise Transient(
                    f"the bulk query is {found.state} for hours", where=where, todo="see Bulk Data Load Jobs in the CRM's setup"
                )
            self._sleep(pause_s * random.uniform(0.8, 1.0))
            waited_s += pause_s
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 1.5)

    def _part(self, job: str, locator: str | None, source: str) -> Answer:
        params = {"maxRecords": str(self._rows), **({"locator": locator} if locator else {})}
        return self._api.get(f"jobs/query/{job}/results", subject=source, params=params, csv=True)

    def _delete(self, job: str, source: str) -> None:
        """The result is copied; Salesforce would keep it for a week."""
        try:
            self._api.call("DELETE", f"jobs/query/{job}", subject=source)
        except (AccessDenied, Refused):
            return  # gone already, or not ours to delete: it goes by itself

    def _rows_of(self, answer: Answer, source: str) -> int:
        told = answer.headers.get("Sforce-NumberOfRecords", "")
        if not told.isdigit() or not answer.is_csv:
            where = f"connector {self._api.wire.connector}, {source}"
            raise ContractBroken("a part of a bulk result does not say how many records it has", where=where)
        return int(told)

    def _job(self, answer: Answer, source: str) -> _Job:
        try:
            return msgspec.json.decode(answer.body, type=_Job)
        except msgspec.DecodeError:
            where = f"connector {self._api.wire.connector}, {source}"
            raise ContractBroken("the CRM does not tell of a bulk job", where=where, todo="report this to the developers") from None


def _locator(answer: Answer) -> str | None:
    """Where the next part starts; at the end Salesforce writes the word null."""
    found: Any = answer.headers.get("Sforce-Locator")
    return None if found in (None, "", "null") else str(found)
