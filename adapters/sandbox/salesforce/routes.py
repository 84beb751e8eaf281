"""Which function answers which path of the data API."""

from __future__ import annotations

from collections.abc import Callable

from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce import describing, querying
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
            return _sobjects(visit, method, rest)
    raise not_found() if method == "GET" else ApiError("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are HEAD,GET")


def _sobjects(visit: Visit, method: str, parts: list[str]) -> Response:
    match (method, parts):
        case ("GET", []):
            return describing.sobjects(visit)
        case ("GET", [name]):
            return describing.basic(visit, name)
        case ("GET", [name, "describe"]):
            return describing.describe(visit, name)
    raise not_found() if method == "GET" else ApiError("METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are HEAD,GET")
