"""Bulk API 2.0 query: create a job, ask how it is doing, take its result in parts by locator."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce.bulk import Job
from adapters.sandbox.salesforce.bulk_file import DELIMITERS, ENDINGS, CsvFile, render, rows_of
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.querying import planner
from adapters.sandbox.salesforce.sessions import Session
from adapters.sandbox.salesforce.soql_parse import parse_soql
from adapters.sandbox.salesforce.soql_plan import Plan
from adapters.sandbox.salesforce.visit import Visit, reply

_PAGES = 5
_CSV = "text/csv"


def create(visit: Visit) -> Response:
    """POST jobs/query. A query that can not be run is refused at once."""
    document = visit.document()
    operation, soql = str(document.get("operation")), str(document.get("query") or "")
    if operation not in ("query", "queryAll"):
        raise ApiError("INVALIDOPERATION", f"operation {operation} is not query or queryAll")
    if document.get("contentType", "CSV") != "CSV":
        raise ApiError("INVALIDJOB", "contentType has to be CSV")
    visit.summary["soql"] = soql
    plan = _planned(visit, soql, operation == "queryAll")
    told = {
        "operation": operation,
        "object": plan.object.name,
        "lineEnding": _chosen(document, "lineEnding", "LF", ENDINGS),
        "columnDelimiter": _chosen(document, "columnDelimiter", "COMMA", DELIMITERS),
    }
    job = visit.instance.bulk.create("query", visit.version, visit.login.user_id, told)
    _begin(visit.instance, job, plan)
    return reply(job.document(whole_story=False))


def _chosen(document: dict[str, Any], name: str, default: str, known: dict[str, str]) -> str:
    value = str(document.get(name) or default)
    if value not in known:
        raise ApiError("INVALIDJOB", f"{name} {value} is none of {', '.join(known)}")
    return value


def _planned(visit: Visit, soql: str, everything: bool) -> Plan:
    """Plan, and refuse what bulk queries can not do; raises ApiError."""
    tree = parse_soql(soql)
    one = visit.instance.schema.object(tree.object)
    visit.object = one.name
    if not one.in_bulk:
        raise ApiError("INVALIDENTITY", f"Entity '{one.name}' is not supported by the Bulk API.")
    if tree.aggregates or tree.counts or tree.nested or tree.offset or tree.everything:
        raise ApiError("API_ERROR", "Bulk queries know no GROUP BY, OFFSET, aggregate function, FIELDS() or nested query")
    plan = planner(visit, everything).plan(tree)
    if any(column.spec.parts for column in plan.columns):
        raise ApiError("FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query")
    return plan


def warm(instance: Instance, soql: str, operation: str) -> dict[str, int]:
    """Make a result before anybody asks for it, so that a measurement times the client and not the sandbox. Returns its `rows`."""
    login = instance.sessions.login(instance.settings.user_name)
    visit = Visit(instance, Request("POST", "/sandbox/bulk/warm"), Session("", login, 0.0), "v60.0")
    plan = _planned(visit, soql, operation == "queryAll")
    told = {"operation": operation, "object": plan.object.name, "lineEnding": "LF", "columnDelimiter": "COMMA"}
    job = Job("", "query", visit.version, "", instance.clock.now(), told, "UploadComplete")
    instance.bulk.jobs[job.id] = job
    _begin(instance, job, plan, at_once=True)
    del instance.bulk.jobs[job.id]
    return {"rows": job.processed}


def _begin(instance: Instance, job: Job, plan: Plan, at_once: bool = False) -> None:
    """A small result at once, a large one in a thread; one that is there already, by whatever query, is used again."""
    bulk = instance.bulk
    seqs = rows_of(instance.database, plan)
    columns = tuple(column.path for column in plan.columns)
    delimiter, ending = DELIMITERS[job.told["columnDelimiter"]], ENDINGS[job.told["lineEnding"]]
    version = instance.records.version
    key = (plan.object.name, columns, delimiter, ending, version, len(seqs), hash(seqs.tobytes()))
    ready = bulk.ready(key)
    if ready is not None:
        job.file, job.processed, job.due = ready, ready.rows, True
        return
    job.file = file = CsvFile([".".join(path) for path in columns], delimiter, ending)

    def work() -> None:
        render(instance.database, plan, seqs, file, lambda: bulk.stopping.is_set() or job.state == "Aborted")
        with instance.database.lock:
            job.processed, job.due = file.rows, True
            if instance.records.version == version and job.id in bulk.jobs and job.state != "Aborted":
                bulk.keep(key, file)

    if at_once or len(seqs) <= instance.settings.bulk_inline_rows:
        work()
    else:
        bulk.start(work)


def look(visit: Visit, job_id: str) -> Response:
    """GET jobs/query/{id}."""
    job = visit.instance.bulk.need("query", job_id)
    visit.instance.bulk.look(job)
    return reply(job.document(whole_story=True))


def listed(visit: Visit, sort: str) -> Response:
    """GET jobs/query and jobs/ingest: all of them on one page."""
    jobs = [job for job in visit.instance.bulk.jobs.values() if job.sort == sort]
    return reply({"done": True, "nextRecordsUrl": None, "records": [job.document(whole_story=True) for job in jobs]})


def change(visit: Visit, job_id: str) -> Response:
    """PATCH jobs/query/{id}: only `Aborted` can be asked for."""
    job = visit.instance.bulk.need("query", job_id)
    if visit.document().get("state") != "Aborted":
        raise ApiError("INVALIDJOB", "a query job can only be set to Aborted")
    visit.instance.bulk.abort(job)
    return reply(job.document(whole_story=True))


def delete(visit: Visit, sort: str, job_id: str) -> Response:
    """DELETE jobs/query/{id} or jobs/ingest/{id}."""
    visit.instance.bulk.delete(visit.instance.bulk.need(sort, job_id))
    return Response(204)


def _finished(visit: Visit, job_id: str) -> Job:
    job = visit.instance.bulk.need("query", job_id)
    if job.version != visit.version:
        text = f"The API version of the job is {job.version[1:]}, that of the call {visit.version[1:]}"
        raise ApiError("API_VERSION_MISMATCH", text, status=409)
    visit.object = str(job.told["object"])
    if job.state != "JobComplete":
        raise ApiError("INVALIDJOBSTATE", f"The job is {job.state}, not JobComplete")
    return job


def results(visit: Visit, job_id: str) -> Response:
    """GET jobs/query/{id}/results: a run of rows, and the locator of the next; the locator of the last is the word `null`."""
    job = _finished(visit, job_id)
    assert job.file is not None
    most = visit.instance.settings.bulk_max_records
    asked = visit.request.query.get("maxRecords", "")
    count = min(int(asked), most) if asked.isdigit() and int(asked) > 0 else most
    start = _start(visit.request.query.get("locator", ""), job.file.rows)
    body, rows = job.file.cut(start, count)
    end = start + rows
    headers = {
        "Content-Type": f"{_CSV}; charset=UTF-8" if visit.instance.settings.csv_charset else _CSV,
        "Sforce-Locator": _locator(end) if end < job.file.rows else "null",
        "Sforce-NumberOfRecords": str(rows),
    }
    visit.summary.update(start=start, rows=rows)
    return Response(200, body, headers, rows)


def _locator(row: int) -> str:
    return base64.urlsafe_b64encode(str(row).encode()).decode().rstrip("=")


def _start(locator: str, rows: int) -> int:
    if not locator:
        return 0
    try:
        row = int(base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode())
    except (ValueError, binascii.Error):
        row = -1
    if not 0 <= row < max(rows, 1):
        raise ApiError("INVALIDLOCATOR", f"invalid locator: {locator}")
    return row


def pages(visit: Visit, job_id: str) -> Response:
    """GET jobs/query/{id}/resultPages: addresses of up to five parts, to be read side by side."""
    job = _finished(visit, job_id)
    assert job.file is not None
    size = visit.instance.settings.bulk_max_records
    starts = list(range(_start(visit.request.query.get("locator", ""), job.file.rows), max(job.file.rows, 1), size))
    base = f"{visit.base}/jobs/query/{job.id}"
    more = f"{base}/resultPages?locator={_locator(starts[_PAGES])}" if len(starts) > _PAGES else None
    listed_pages = [{"resultUrl": f"{base}/results?locator={_locator(start)}&maxRecords={size}"} for start in starts[:_PAGES]]
    return reply({"resultPages": listed_pages, "nextRecordsUrl": more, "done": more is None})
