"""The way in: version, token, route, log. What it hands to the HTTP core is committed."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import orjson

from adapters.sandbox.faults import FaultRule
from adapters.sandbox.http_server import Request, Response, gateway_page, reason, split_target
from adapters.sandbox.sugarcrm import describing, integrating, linking, reading, writing
from adapters.sandbox.sugarcrm.control_routes import ControlRoutes
from adapters.sandbox.sugarcrm.errors import ApiError, injected
from adapters.sandbox.sugarcrm.instance import Instance, release_number
from adapters.sandbox.sugarcrm.visit import Visit, reply

OLDEST_RELEASE = (10, 0)
_NO_ID = frozenset({"filter", "count", "enum", "duplicateCheck", "sync_key"})


class SugarApp:
    """A SugarCRM instance as the HTTP core sees it."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.gzip_level = instance.settings.gzip_level
        self._control = ControlRoutes(instance)

    def handle(self, request: Request) -> Response:
        """Answer one request of a client or of the control API."""
        with self.instance.database.lock:
            self.instance.records.settle()
            if request.path.startswith("/sandbox/"):
                return self._control.handle(request)
            return self._logged(request)

    def admit(self, request: Request) -> Response | None:
        """The gateway counts every call but the control API's and logins."""
        if not _counted(request):
            return None
        refusal = self.instance.gateway.admit()
        if refusal is None:
            return None
        self.instance.calls.add(request.method, request.path, refusal.status, fault=refusal.limit)
        if self.instance.settings.gateway_says_html:
            return gateway_page(FaultRule("status", status=refusal.status, retry_after_s=refusal.retry_after_s))
        body = {"error": "too_many_requests" if refusal.status == 429 else "maintenance", "error_message": refusal.message}
        return Response(refusal.status, orjson.dumps(body), {"Retry-After": str(refusal.retry_after_s)})

    def leave(self, request: Request) -> None:
        """Only who was counted."""
        if _counted(request):
            self.instance.gateway.leave()

    def fault(self, request: Request) -> FaultRule | None:
        """The control API is never hit."""
        if request.path.startswith("/sandbox/"):
            return None
        return self.instance.faults.decide(request.method, request.path, body=request.body)

    def faulted(self, request: Request, rule: FaultRule) -> None:
        """A request that was answered by a fault; the ones that were also executed are in the log already."""
        if rule.kind in ("status", "bare", "html", "timeout", "reset"):
            status = rule.status if rule.kind in ("status", "bare") else 200 if rule.kind == "html" else 0
            self.instance.calls.add(request.method, request.path, status, fault=rule.kind)

    def expire_token(self, request: Request) -> None:
        """Only the token of this request grows old."""
        with self.instance.database.lock:
            self.instance.sessions.expire(token=token_of(request))

    def http_date(self) -> str:
        """By the sandbox's clock."""
        return self.instance.clock.http_date()

    def _logged(self, request: Request) -> Response:
        visit_box: list[Visit] = []
        try:
            response = self._answer(request, visit_box)
        except ApiError as error:
            response = reply(error.body(), error.status)
        except Exception:  # noqa: BLE001 - the real one answers 500 too, and the sandbox must stay up
            traceback.print_exc()
            response = reply({"error": "fatal_error", "error_message": traceback.format_exc(limit=-2)}, 500)
        visit = visit_box[0] if visit_box else None
        parts = request.parts()[2:]
        self.instance.calls.add(
            request.method,
            request.path,
            response.status,
            module=parts[0] if parts and parts[0] in self.instance.schema.modules else "",
            rows=response.rows,
            user=visit.session.login.user_name if visit else "",
            summary=visit.summary if visit else {},
            fault=request.fault.kind if request.fault else "",
            in_bulk=request.in_bulk,
            route=route_of(parts),
        )
        return response

    def _answer(self, request: Request, visit_box: list[Visit]) -> Response:
        parts = request.parts()
        if len(parts) < 3 or parts[0] != "rest":
            return Response(404, b"<html><body><h1>Not Found</h1></body></html>", {"Content-Type": "text/html"})
        self._check_version(parts[1])
        if len(request.body) > self.instance.settings.max_body_bytes:
            raise ApiError("request_too_large", "Request is too large")
        body = parse_body(request)
        if parts[2:] == ["oauth2", "token"] and request.method == "POST":
            return reply(self.instance.sessions.token(body, request.headers.get("x-sugar-platform", "")))
        session = self.instance.sessions.session(token_of(request))
        visit = Visit(self.instance, request, session, body)
        visit_box.append(visit)
        return self._route(visit, request.method, parts[2:])

    def _check_version(self, version: str) -> None:
        number = release_number(version)
        newest = release_number(self.instance.settings.release)
        if number > newest or number < OLDEST_RELEASE:
            allowed = ", ".join(f"{newest[0]}_{minor}" for minor in range(newest[1] + 1))
            message = f"Version {version} is not supported. Supported versions: 10, 11, {allowed}"
            raise ApiError("incorrect_version", message)

    def _route(self, visit: Visit, method: str, parts: list[str]) -> Response:
        fixed = _FIXED.get((method, "/".join(parts)))
        if fixed is not None:
            return fixed(visit)
        if (method, parts) == ("POST", ["bulk"]):
            return self._bulk(visit)
        if parts[0] == "integrate":
            return _integrate(visit, method, parts[1:])
        return _module_route(visit, method, parts)

    def _bulk(self, visit: Visit) -> Response:
        """Parts one after the other; a part that fails stops nothing and the whole is 200."""
        parts = visit.body.get("requests")
        if not isinstance(parts, list):
            raise ApiError("missing_parameter", "Missing parameter: requests")
        if visit.request.in_bulk:
            raise ApiError("invalid_parameter", "bulk requests can not be nested")
        if len(parts) > self.instance.max_bulk_requests:
            raise ApiError("request_too_large", "Too many requests in one bulk call")
        visit.summary.update(parts=len(parts))
        fault = visit.request.fault
        if fault is not None and fault.kind == "bulk_dies_after":
            parts = parts[: fault.parts]
        return reply([self._bulk_part(visit, part) for part in parts], rows=len(parts))

    def _bulk_part(self, visit: Visit, part: dict[str, Any]) -> dict[str, Any]:
        path, query = split_target("/rest/" + str(part.get("url") or "").removeprefix("/").removeprefix("rest/"))
        headers = {"oauth-token": visit.session.access, **_part_headers(part.get("headers"))}
        data = part.get("data")
        body = data.encode() if isinstance(data, str) else orjson.dumps(data) if data is not None else b""
        inner = Request(str(part.get("method") or "GET").upper(), path, query, headers, body, in_bulk=True)
        rule = self.instance.faults.decide(inner.method, inner.path, inside_bulk=True, body=inner.body)
        if rule is not None:
            response = gateway_page(rule) if rule.kind == "html" else reply(injected(rule.status).body(), rule.status)
        else:
            response = self._logged(inner)
        is_json = response.headers.get("Content-Type", "application/json") == "application/json"
        contents = orjson.loads(response.body) if is_json and response.body else response.body.decode()
        return {
            "contents": contents,
            "headers": [f"{name}: {value}" for name, value in response.headers.items()],
            "status": response.status,
            "status_text": reason(response.status),
        }


def parse_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request; an empty body is an empty object, anything else 422."""
    if not request.body.strip():
        return {}
    try:
        document = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        raise ApiError("invalid_parameter", "Invalid JSON in the request body") from None
    if isinstance(document, list) and not document:
        return {}  # what PHP clients send for an empty object
    if not isinstance(document, dict):
        raise ApiError("invalid_parameter", "The request body must be an object")
    return document


def token_of(request: Request) -> str:
    """The access token, from either header."""
    bearer = request.headers.get("authorization", "")
    return request.headers.get("oauth-token") or (bearer[7:].strip() if bearer[:7].lower() == "bearer " else "")


def route_of(parts: list[str]) -> str:
    """A path without ids, for counting: `Contacts/:id/link`."""
    if len(parts) < 2 or parts[0] in ("oauth2", "metadata", "ping", "bulk", "integrate") or parts[1] in _NO_ID:
        return "/".join(parts[:2])
    return "/".join([parts[0], ":id", *parts[2:3]])


def _counted(request: Request) -> bool:
    return not request.path.startswith("/sandbox/") and not request.path.endswith("/oauth2/token")


def _part_headers(lines: Any) -> dict[str, str]:
    pairs = lines.items() if isinstance(lines, dict) else (str(line).partition(":")[::2] for line in lines or [])
    return {name.strip().lower(): value.strip() for name, value in pairs}


def _logout(visit: Visit) -> Response:
    visit.instance.sessions.close(visit.session)
    return reply({"success": True})


def _time(visit: Visit) -> Response:
    return reply(visit.instance.clock.utc().isoformat(timespec="seconds"))


_FIXED: dict[tuple[str, str], Callable[[Visit], Response]] = {
    ("POST", "oauth2/logout"): _logout,
    ("GET", "me"): describing.me,
    ("GET", "ping"): lambda visit: reply("pong"),
    ("GET", "ping/whattimeisit"): _time,
    ("GET", "metadata"): describing.metadata,
    ("POST", "metadata"): describing.metadata,
    ("GET", "metadata/_hash"): describing.metadata_hash,
}


def _integrate(visit: Visit, method: str, parts: list[str]) -> Response:
    if len(parts) == 4 and method == "PUT":
        return integrating.set_key(visit, *parts)
    if len(parts) == 3:
        return integrating.by_key(visit, method, *parts)
    raise ApiError("no_method", f"Could not find a route for {method} integrate/{'/'.join(parts)}")


def _module_route(visit: Visit, method: str, parts: list[str]) -> Response:
    """Routes that begin with a module's name."""
    module, rest = parts[0], parts[1:]
    visit.instance.schema.module(module)
    match (method, rest):
        case ("GET", []) | ("GET" | "POST", ["filter"]):
            return reading.list_records(visit, module)
        case ("GET" | "POST", ["filter", "count"]) | ("GET", ["count"]):
            return reading.count_records(visit, module)
        case ("POST", []):
            return writing.create_record(visit, module)
        case ("POST", ["duplicateCheck"]):
            return writing.duplicate_check(visit, module)
        case ("GET", ["enum", field]):
            return describing.enum(visit, module, field)
        case (_, ["sync_key", value]):
            return integrating.by_key(visit, method, module, "sync_key", value)
        case ("GET", [record_id]):
            return reading.read_record(visit, module, record_id)
        case ("PUT", [record_id]):
            return writing.update_record(visit, module, record_id)
        case ("DELETE", [record_id]):
            return writing.delete_record(visit, module, record_id)
        case ("POST", [record_id, "link"]):
            return linking.add_links(visit, module, record_id)
        case ("GET", [record_id, "link", name]) | ("GET", [record_id, "link", name, "filter"]):
            return linking.list_link(visit, module, record_id, name)
        case ("GET", [record_id, "link", name, "count"]) | ("GET", [record_id, "link", name, "filter", "count"]):
            return linking.count_link(visit, module, record_id, name)
        case ("DELETE", [record_id, "link", name, far_id]):
            return linking.remove_link(visit, module, record_id, name, far_id)
    raise ApiError("no_method", f"Could not find a route for {method} {'/'.join(parts)}")
