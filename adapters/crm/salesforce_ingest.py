"""Thousands of records at once, by a Bulk API 2.0 upload: a job, one CSV, and a result per row that is found by our key.

Results do not come in the order of the rows. An empty cell leaves a field alone; `#N/A` empties it. A lost answer does no harm: a job that
was made twice is never uploaded to, and what is written twice is the same record.
"""

from __future__ import annotations

import csv
import io
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from adapters.crm.salesforce_parts import Job, Result, RowError
from adapters.crm.salesforce_session import SalesforceApi
from sync.errors import ContractBroken, Transient

FROM_ROWS = 2_001  # fewer go in collections, which answer at once
_EMPTIED = "#N/A"
_LONGEST_PAUSE_S = 10.0
_LONGEST_WAIT_S = 3600.0


class _Ingest(msgspec.Struct, rename="camel"):
    id: str
    state: str
    error_message: str | None = None


def uploads(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Groups that are worth an upload: one object, made or changed, the same fields, no record twice."""
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault((job.write.source, job.write.creates, tuple(job.write.values)), []).append(job)
    for group in groups.values():
        names = {job.write.crm_id or job.write.key for job in group}
        if len(group) >= FROM_ROWS and len(names) == len(group):
            yield group


class Ingest:
    """Uploads one group and waits for it."""

    def __init__(self, api: SalesforceApi, key_field: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._key_field = key_field
        self._sleep = sleep

    def results(self, jobs: Sequence[Job]) -> list[tuple[Job, Result]]:
        """The result of every row that was looked at; the others may be sent in another way."""
        first = jobs[0].write
        named = self._key_field if first.creates else "Id"
        upsert = {"operation": "upsert", "externalIdFieldName": self._key_field} if first.creates else {"operation": "update"}
        job = self._told("POST", "jobs/ingest", {"object": first.source, "contentType": "CSV", "lineEnding": "LF", **upsert}).id
        headers = {"Content-Type": "text/csv"}
        # A second upload of a job is refused; then the first one arrived.
        self._api.call("PUT", f"jobs/ingest/{job}/batches", subject=first.source, body=_table(jobs, named), headers=headers, tolerant=True)
        self._api.call("PATCH", f"jobs/ingest/{job}", subject=first.source, payload={"state": "UploadComplete"}, tolerant=True)
        self._wait(job)
        by_name = {(each.write.crm_id or each.write.key).lower(): each for each in jobs}
        found = [(by_name[row[named].lower()], Result(True, row["sf__Id"])) for row in self._rows(job, "successfulResults", named)]
        for row in self._rows(job, "failedResults", named):
            code, _, said = row.get("sf__Error", "").partition(":")
            found.append((by_name[row[named].lower()], Result(False, errors=[RowError(code, said.removesuffix(":--"))])))
        return found

    def _wait(self, job: str) -> None:
        pause_s, waited_s = 0.5, 0.0
        while (found := self._told("GET", f"jobs/ingest/{job}")).state != "JobComplete":
            where = f"connector {self._api.wire.connector}, bulk job {job}"
            if found.state in ("Failed", "Aborted"):
                why = found.error_message or "the CRM does not say why"
                raise Transient(f"a bulk upload ended as {found.state} ({why})", where=where)
            if waited_s >= _LONGEST_WAIT_S:
                raise Transient(f"a bulk upload is {found.state} for an hour", where=where)
            self._sleep(pause_s * random.uniform(0.8, 1.0))
            waited_s += pause_s
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 1.5)

    def _told(self, method: str, path: str, payload: dict[str, Any] | None = None) -> _Ingest:
        answer = self._api.call(method, path, subject="bulk upload", payload=payload)
        try:
            return msgspec.json.decode(answer.body, type=_Ingest)
        except msgspec.DecodeError:
            where = f"connector {self._api.wire.connector}"
            raise ContractBroken("the CRM does not tell of a bulk upload", where=where, todo="report this to the developers") from None

    def _rows(self, job: str, which: str, named: str) -> Iterator[dict[str, str]]:
        answer = self._api.get(f"jobs/ingest/{job}/{which}", subject="bulk upload", csv=True)
        for row in csv.DictReader(io.StringIO(answer.body.decode(), newline="")):
            known = {name.lower(): value for name, value in row.items()}
            yield {**row, named: known[named.lower()]}


def _table(jobs: Sequence[Job], named: str) -> bytes:
    fields = list(jobs[0].write.values)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([named, *fields])
    for job in jobs:
        writer.writerow([job.write.crm_id or job.write.key, *(_cell(job.write.values[field]) for field in fields)])
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None or value == "":
        return _EMPTIED
    return ("true" if value else "false") if isinstance(value, bool) else value
