"""Several calls in one: composite (which may refer to each other) and batch (which may not)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from adapters.sandbox.http_server import Request, Response, gateway_page, split_target
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.visit import Visit, reply

MAX_PARTS = 25
MAX_QUERIES = 5
_REFERENCE = re.compile(r"@\{([\w]+)((?:\.\w+|\[\d+\])*)\}")
Document = dict[str, Any]
DataCall = Callable[[Request], Response]
_HALTED = "The transaction was rolled back since another operation in the same transaction failed."


def batch(visit: Visit, inner: DataCall) -> Response:
    """POST composite/batch: parts on their own; `haltOnError` stops after the first that fails."""
    document = visit.document()
    parts = document.get("batchRequests") or []
    _check_count(len(parts))
    visit.summary.update(parts=len(parts))
    results: list[Document] = []
    failed = False
    for part in _alive(visit, parts):
        if failed and document.get("haltOnError"):
            error = [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}]
            results.append({"statusCode": 412, "result": error})
            continue
        url = str(part.get("url", "")).lstrip("/")
        path = url if url.startswith("services/") else f"services/data/{url}"
        status, content, _ = _part(visit, inner, str(part.get("method", "GET")), f"/{path}", part.get("richInput"), {})
        failed = failed or status >= 400
        results.append({"statusCode": status, "result": content})
    return reply({"hasErrors": failed, "results": results}, rows=len(results))


def composite(visit: Visit, inner: DataCall) -> Response:
    """POST composite: parts one after the other; a part may use what an earlier one gave, as `@{ref.id}`."""
    document = visit.document()
    parts = document.get("compositeRequest") or []
    _check_count(len(parts))
    if sum("/query" in str(part.get("url")) for part in parts) > MAX_QUERIES:
        raise ApiError("LIMIT_EXCEEDED", f"Operation limit exceeded: no more than {MAX_QUERIES} queries in one composite call")
    visit.summary.update(parts=len(parts))
    answers: dict[str, tuple[int, Any]] = {}
    with visit.instance.records.all_or_none() as take_back:
        results = [_referring(visit, inner, part, answers) for part in _alive(visit, parts)]
        if document.get("allOrNone") and any(status >= 400 for status, _ in answers.values()):
            take_back()
            results = [one if one["httpStatusCode"] >= 400 else _undone(one) for one in results]
    return reply({"compositeResponse": results}, rows=len(results))


def _undone(result: Document) -> Document:
    return {**result, "body": [{"errorCode": "PROCESSING_HALTED", "message": _HALTED}], "httpHeaders": {}, "httpStatusCode": 400}


def _check_count(count: int) -> None:
    if not 0 < count <= MAX_PARTS:
        raise ApiError("LIMIT_EXCEEDED", f"between one and {MAX_PARTS} sub-requests are allowed, there are {count}")


def _alive(visit: Visit, parts: list[Document]) -> list[Document]:
    """All parts, or those that a server finishes that dies in the middle."""
    fault = visit.request.fault
    return parts[: fault.parts] if fault is not None and fault.kind == "bulk_dies_after" else parts


def _referring(visit: Visit, inner: DataCall, part: Document, answers: dict[str, tuple[int, Any]]) -> Document:
    name = str(part.get("referenceId", ""))
    text = orjson.dumps({"url": part.get("url", ""), "body": part.get("body")}).decode()
    broken = next((ref for ref, path in _REFERENCE.findall(text) if _looked_up(answers, ref, path) is None), None)
    if broken is not None:
        error = f"Invalid reference specified. No value for {broken} found"
        body = [{"errorCode": "PROCESSING_HALTED", "message": error}]
        answers[name] = (400, body)
        return {"body": body, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": name}
    filled = orjson.loads(_REFERENCE.sub(lambda found: _looked_up(answers, found[1], found[2]) or "", text))
    headers = {str(key).lower(): str(value) for key, value in (part.get("httpHeaders") or {}).items()}
    status, content, extra = _part(visit, inner, str(part.get("method", "GET")), filled["url"], filled["body"], headers)
    answers[name] = (status, content)
    return {"body": content, "httpHeaders": extra, "httpStatusCode": status, "referenceId": name}


def _looked_up(answers: dict[str, tuple[int, Any]], reference: str, path: str) -> str | None:
    """A value of an earlier answer, as the inside of a JSON string; None when that failed or has no such value."""
    status, content = answers.get(reference, (400, None))
    if status >= 400:
        return None
    for key, place in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        try:
            content = content[int(place)] if place else content[key]
        except (KeyError, IndexError, TypeError):
            return None
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    return orjson.dumps(text).decode()[1:-1]


def _part(visit: Visit, inner: DataCall, method: str, url: str, body: Any, headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
    """Status, content and headers of one part, which counts as no call of its own."""
    path, query = split_target(url)
    passed = {key: value for key, value in visit.request.headers.items() if key == "authorization" or key.startswith("sforce-")}
    content = b"" if body is None else orjson.dumps(body)
    request = Request(method.upper(), path, query, {**passed, **headers}, content, in_bulk=True)
    rule = visit.instance.faults.decide(request.method, request.path, inside_bulk=True, body=content)
    if rule is not None:
        response = gateway_page(rule)
        told = [{"errorCode": "UNKNOWN_EXCEPTION" if rule.status == 500 else "SERVER_UNAVAILABLE", "message": "Injected failure"}]
        return (response.status, told, {}) if rule.kind == "status" else (200, response.body.decode(), {})
    response = inner(request)
    extra = {"Location": response.headers["Location"]} if "Location" in response.headers else {}
    return response.status, orjson.loads(response.body) if response.body else None, extra
