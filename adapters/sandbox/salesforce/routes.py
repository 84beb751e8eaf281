"""Which function answers which path of the data API."""

from __future__ import annotations

from collections.abc import Callable

from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce import bulk_ingest, bulk_query, composite, describing, many, querying, replication, single
from adapters.sandbox.salesforce.errors import ApiError, not_found
from adapters.sandbox.salesforce.visit import Visit

DataCall = Callable[[Request], Response]


def route(visit: Visit, method: str, parts: list[str], inner: DataCall) -> Response:
    """Answer; `parts` is the path after the version, `inner` answers the parts of composite calls. Raises ApiError."""
    match (method, parts):
        case ("GET", []):
            return describing.resources(visit)
        case ("GET", ["limits"]):
            return describing.limits(visit)
        case ("GET", ["limits", "recordCount"]):
            return describing.record_counts(visit)
        case ("GET", ["query" | "queryAll" as name]):
            return querying.query(visit, everything=name == "queryAll")
        case ("GET", ["query" | "queryAll", locator]):
            return querying.more(visit, locator)
        case (_, ["sobjects", *rest]):
            try:
                return _sobjects(visit, method, rest)
            except ApiError as error:  # an object in a path is part of the address
                raise not_found() if error.code == "INVALID_TYPE" else error from None
        case ("POST", ["composite"]):
            return composite.composite(visit, inner)
        case ("POST", ["composite", "batch"]):
            return composite.batch(visit, inner)
        case (_, ["composite", "sobjects", *rest]):
            return _collections(visit, method, rest)
        case (_, ["jobs", "query", *rest]):
            return _bulk_query(visit, method, rest)
        case (_, ["jobs", "ingest", *rest]):
            return _bulk_ingest(visit, method, rest)
    raise _no_way(method)


def _sobjects(visit: Visit, method: str, parts: list[str]) -> Response:
    match (method, parts):
        case ("GET", []):
            return describing.sobjects(visit)
        case ("GET", [name]):
            return describing.basic(visit, name)
        case ("POST", [name]):
            return single.create(visit, name)
        case ("GET", [name, "describe"]):
            return describing.describe(visit, name)
        case ("GET", [name, "deleted"]):
            return replication.deleted(visit, name)
        case ("GET", [name, "updated"]):
            return replication.updated(visit, name)
        case ("GET", [name, record_id]):
            return single.read(visit, name, record_id)
        case ("PATCH", [name, record_id]):
            return single.update(visit, name, record_id)
        case ("DELETE", [name, record_id]):
            return single.delete(visit, name, record_id)
        case ("GET" | "PATCH" | "DELETE", [name, field, value]):
            return single.by_key(visit, method, name, field, value)
    raise _no_way(method)


def _collections(visit: Visit, method: str, parts: list[str]) -> Response:
    match (method, parts):
        case ("POST", []):
            return many.create(visit)
        case ("PATCH", []):
            return many.update(visit)
        case ("DELETE", []):
            return many.delete(visit)
        case ("GET" | "POST", [name]):
            return many.retrieve(visit, name)
        case ("PATCH", [name, field]):
            return many.upsert(visit, name, field)
    raise _no_way(method)


def _bulk_query(visit: Visit, method: str, parts: list[str]) -> Response:
    match (method, parts):
        case ("POST", []):
            return bulk_query.create(visit)
        case ("GET", []):
            return bulk_query.listed(visit, "query")
        case ("GET", [job_id]):
            return bulk_query.look(visit, job_id)
        case ("PATCH", [job_id]):
            return bulk_query.change(visit, job_id)
        case ("DELETE", [job_id]):
            return bulk_query.delete(visit, "query", job_id)
        case ("GET", [job_id, "results"]):
            return bulk_query.results(visit, job_id)
        case ("GET", [job_id, "resultPages"]):
            return bulk_query.pages(visit, job_id)
    raise _no_way(method)


def _bulk_ingest(visit: Visit, method: str, parts: list[str]) -> Response:
    match (method, parts):
        case ("POST", []):
            return bulk_ingest.create(visit)
        case ("GET", []):
            return bulk_query.listed(visit, "ingest")
        case ("GET", [job_id]):
            return bulk_ingest.look(visit, job_id)
        case ("PUT", [job_id, "batches"]):
            return bulk_ingest.upload(visit, job_id)
        case ("PATCH", [job_id]):
            return bulk_ingest.change(visit, job_id)
        case ("DELETE", [job_id]):
            return bulk_query.delete(visit, "ingest", job_id)
        case ("GET", [job_id, kind]):
            return bulk_ingest.results(visit, job_id, kind)
    raise _no_way(method)


def _no_way(method: str) -> ApiError:
    if method == "GET":
        return not_found()
    return ApiError("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are HEAD,GET")
