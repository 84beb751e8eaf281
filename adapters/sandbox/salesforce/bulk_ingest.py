"""Bulk API 2.0 ingest: create a job, upload its CSV once, close it, take what became of each row."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from typing import Any

from adapters.sandbox.http_server import Response
from adapters.sandbox.salesforce.bulk import ENDED, Job
from adapters.sandbox.salesforce.bulk_file import DELIMITERS, ENDINGS
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.fields import FieldSpec
from adapters.sandbox.salesforce.saving import Saver
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.values import from_csv
from adapters.sandbox.salesforce.visit import Visit, reply

OPERATIONS = {"insert": "create", "update": "edit", "upsert": "edit", "delete": "delete", "hardDelete": "delete"}
MAX_UPLOAD = 150_000_000
CHUNK = 200
KINDS = {"successfulresults": "successfulResults", "failedresults": "failedResults", "unprocessedrecords": "unprocessedrecords"}


def create(visit: Visit) -> Response:
    """POST jobs/ingest."""
    document = visit.document()
    operation, name = str(document.get("operation")), str(document.get("object") or "")
    if operation not in OPERATIONS:
        raise ApiError("INVALIDOPERATION", f"operation {operation} is none of {', '.join(OPERATIONS)}")
    one = visit.target(name, OPERATIONS[operation])
    if not one.in_bulk:
        raise ApiError("INVALIDENTITY", f"Entity '{one.name}' is not supported by the Bulk API.")
    told: dict[str, Any] = {"operation": operation, "object": one.name}
    if operation == "upsert":
        told["externalIdFieldName"] = Saver(visit).keyed(one, str(document.get("externalIdFieldName") or "")).name
    told |= {"lineEnding": document.get("lineEnding") or "LF", "columnDelimiter": document.get("columnDelimiter") or "COMMA"}
    if told["lineEnding"] not in ENDINGS or told["columnDelimiter"] not in DELIMITERS:
        raise ApiError("INVALIDJOB", "unknown lineEnding or columnDelimiter")
    job = visit.instance.bulk.create("ingest", visit.version, visit.login.user_id, told)
    job.told["contentUrl"] = f"{visit.base[1:]}/jobs/ingest/{job.id}/batches"
    return reply(job.document(whole_story=False))


def upload(visit: Visit, job_id: str) -> Response:
    """PUT jobs/ingest/{id}/batches: once."""
    job = visit.instance.bulk.need("ingest", job_id)
    if job.state != "Open" or job.upload is not None:
        raise ApiError("INVALIDJOBSTATE", "Found multiple contents for job: a job takes one upload")
    if len(visit.request.body) > MAX_UPLOAD:
        raise ApiError("REQUEST_TOO_LARGE", "The upload is larger than 150 MB", status=413)
    job.upload = visit.request.body
    return Response(201)


def look(visit: Visit, job_id: str) -> Response:
    """GET jobs/ingest/{id}."""
    job = visit.instance.bulk.need("ingest", job_id)
    visit.instance.bulk.look(job)
    return reply(job.document(whole_story=True))


def change(visit: Visit, job_id: str) -> Response:
    """PATCH jobs/ingest/{id}: `UploadComplete` sets it to work, `Aborted` ends it."""
    job = visit.instance.bulk.need("ingest", job_id)
    state = visit.document().get("state")
    if state == "Aborted":
        visit.instance.bulk.abort(job)
        _write_results(job, [], [], [])
        return reply(job.document(whole_story=True))
    if state != "UploadComplete":
        raise ApiError("INVALIDJOB", "a job can be set to UploadComplete or Aborted")
    if job.state != "Open":
        raise ApiError("INVALIDJOBSTATE", f"The job is {job.state} already")
    if job.upload is None:
        raise ApiError("INVALIDJOBSTATE", "Nothing was uploaded")
    job.state = "UploadComplete"
    if job.upload.count(b"\n") > visit.instance.settings.bulk_inline_rows:
        visit.instance.bulk.start(lambda: _work(visit, job))
    else:
        _work(visit, job)
    return reply(job.document(whole_story=True))


def results(visit: Visit, job_id: str, kind: str) -> Response:
    """GET successfulResults, failedResults or unprocessedrecords."""
    job = visit.instance.bulk.need("ingest", job_id)
    name = KINDS.get(kind.lower())
    if name is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    if job.state not in ENDED:
        raise ApiError("INVALIDJOBSTATE", f"The job is {job.state}")
    return Response(200, job.results.get(name, b""), {"Content-Type": "text/csv"})


class _Refused(Exception):
    """The whole upload can't be read; its text is the job's error message."""


def _rows(job: Job) -> tuple[list[str], list[list[str]]]:
    """Header and rows of an upload; raises _Refused."""
    delimiter, ending = DELIMITERS[job.told["columnDelimiter"]], job.told["lineEnding"]
    first = (job.upload or b"").partition(b"\n")[0]
    if first.endswith(b"\r") != (ending == "CRLF"):
        raise _Refused(f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {ending}")
    try:
        text = (job.upload or b"").decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise _Refused(f"InvalidBatch : {error}") from None
    if not rows:
        raise _Refused("InvalidBatch : The upload is empty")
    return rows[0], rows[1:]


def _work(visit: Visit, job: Job) -> None:
    """Row after row, a few hundred under one lock."""
    lock = visit.instance.database.lock
    one = visit.instance.schema.object(job.told["object"])
    saver = Saver(visit, encode=from_csv)
    try:
        header, rows = _rows(job)
        with lock:
            _check_header(saver, one, header, job)
    except _Refused as refused:
        with lock:
            job.ends, job.error, job.due = "Failed", str(refused), True
            _write_results(job, [], [], [])
        return
    done: list[list[Any]] = []
    failed: list[list[Any]] = []
    left = iter(rows)
    for chunk in _chunks(left):
        if visit.instance.bulk.stopping.is_set():
            return
        with lock:
            if job.state == "Aborted" or job.ends == "Failed":
                left = iter([*chunk, *left])
                break
            for row in chunk:
                _save(saver, one, job, header, row, done, failed)
    with lock:
        job.processed, job.failed = len(done) + len(failed), len(failed)
        dice = random.Random(job.id)
        dice.shuffle(done)
        dice.shuffle(failed)
        _write_results(job, [header, *done], [header, *failed], [header, *left])
        job.due = True


def _chunks(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    while chunk := [row for row, _ in zip(rows, range(CHUNK), strict=False)]:
        yield chunk


def _check_header(saver: Saver, one: SObject, header: list[str], job: Job) -> None:
    if job.told["operation"] in ("update", "delete", "hardDelete") and "id" not in [name.lower() for name in header]:
        raise _Refused("InvalidBatch : Field name not found : Id")
    try:
        saver.check_names(one, dict.fromkeys(header))
    except ApiError as error:
        raise _Refused(f"InvalidBatch : Field name not found : {', '.join(error.fields)}") from None


def _save(saver: Saver, one: SObject, job: Job, header: list[str], row: list[str], done: list[list[Any]], failed: list[list[Any]]) -> None:
    """One row; an empty cell leaves the field alone."""
    operation = job.told["operation"]
    document = {name: cell for name, cell in zip(header, row, strict=False) if cell != ""}
    record_id = next((cell for name, cell in document.items() if name.lower() == "id"), "")
    created = False
    try:
        if len(row) != len(header):
            raise ApiError("INVALID_RECORD", "the number of cells is not that of the header")
        if operation == "insert":
            record_id, created = saver.create(one, document), True
        elif operation == "update":
            record_id = saver.update(one, record_id, document)
        elif operation == "upsert":
            spec: FieldSpec = saver.keyed(one, job.told["externalIdFieldName"])
            key = next((cell for name, cell in document.items() if name.lower() == spec.name.lower()), None)
            record_id, created = saver.upsert(one, spec, key, document)
        else:
            record_id = saver.delete(one, record_id)
            if operation == "hardDelete":
                saver.instance.database.execute(f'delete from "{one.name}" where "Id" = ?', (record_id,))
    except ApiError as error:
        failed.append([record_id, f"{error.code}:{error.message}:{','.join(error.fields)} --", *row])
        return
    done.append([record_id, "true" if created else "false", *row])


def _write_results(job: Job, done: list[list[Any]], failed: list[list[Any]], left: list[list[Any]]) -> None:
    """The three results; each has a header line, even when nothing is below it."""
    if not done:  # nothing was worked on: all that was uploaded is unprocessed
        job.results = {
            "successfulResults": b'"sf__Id","sf__Created"\n',
            "failedResults": b'"sf__Id","sf__Error"\n',
            "unprocessedrecords": job.upload or b"",
        }
        return
    ending = ENDINGS[job.told["lineEnding"]]
    delimiter = DELIMITERS[job.told["columnDelimiter"]]
    extra = {"successfulResults": ["sf__Id", "sf__Created"], "failedResults": ["sf__Id", "sf__Error"], "unprocessedrecords": []}
    for (name, columns), rows in zip(extra.items(), (done, failed, left), strict=True):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
        writer.writerows([[*columns, *rows[0]], *rows[1:]])
        job.results[name] = text.getvalue().encode()
