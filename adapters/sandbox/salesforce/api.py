"""The way in: version, token, limits, route, log. What it hands to the HTTP core is committed."""

from __future__ import annotations

import re
import traceback

from adapters.sandbox.faults import FaultRule
from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce import describing, oauth, soap
from adapters.sandbox.salesforce.control_routes import ControlRoutes
from adapters.sandbox.salesforce.errors import ApiError, OAuthError, not_found
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.routes import route
from adapters.sandbox.salesforce.visit import Visit, reply

_VERSION = re.compile(r"v(\d+)\.0")
_TOTAL = "TotalRequests Limit exceeded."
_AT_ONCE = "ConcurrentPerOrgLongTxn Limit exceeded."


class SalesforceApp:
    """An org as the HTTP core sees it."""

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
            if request.path.startswith("/services/data/"):
                return self.data_call(request)
            return self._login_call(request)

    def admit(self, request: Request) -> Response | None:
        """Calls of the data API count; logins and the control API do not."""
        if not _counted(request):
            return None
        refusal = self.instance.gateway.admit()
        if refusal is None:
            return None
        self.instance.calls.add(request.method, request.path, 403, fault=refusal.limit)
        error = ApiError("REQUEST_LIMIT_EXCEEDED", _TOTAL if refusal.limit == "quota" else _AT_ONCE)
        return reply(error.body(), error.status, headers=self._limit_info(""))

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

    def data_call(self, request: Request) -> Response:
        """One call of the data API, alone or as a part of a composite one; logged."""
        visit_box: list[Visit] = []
        try:
            response = self._answer(request, visit_box)
        except ApiError as error:
            response = reply(error.body(), error.status)
        except Exception:  # noqa: BLE001 - the real one answers 500 too, and the sandbox must stay up
            traceback.print_exc()
            error_id = "1234567890-12345 (-1)"
            text = f"An unexpected error occurred. Please include this ErrorId if you contact support: {error_id}"
            response = reply(ApiError("UNKNOWN_EXCEPTION", text).body(), 500)
        visit = visit_box[0] if visit_box else None
        if visit and not request.in_bulk:
            self.instance.app_calls[visit.session.app] += 1
        response.headers.update(self._limit_info(visit.session.app if visit else ""))
        self.instance.calls.add(
            request.method,
            request.path,
            response.status,
            module=visit.object if visit else "",
            rows=response.rows,
            user=visit.login.user_name if visit else "",
            summary=visit.summary if visit else {},
            fault=request.fault.kind if request.fault else "",
            in_bulk=request.in_bulk,
            route=route_of(request),
        )
        return response

    def _answer(self, request: Request, visit_box: list[Visit]) -> Response:
        parts = request.parts()[2:]
        if not parts:
            return describing.versions(self.instance)
        found = _VERSION.fullmatch(parts[0])
        if found is None or not describing.OLDEST_VERSION <= int(found[1]) <= self.instance.settings.newest_version:
            raise not_found()
        session = self.instance.sessions.session(token_of(request))
        self._check_app(session.app)
        visit = Visit(self.instance, request, session, parts[0])
        visit_box.append(visit)
        return route(visit, request.method, parts[1:], self.data_call)

    def _check_app(self, app: str) -> None:
        """The connected app may have a limit of its own."""
        if self.instance.app_limit and self.instance.app_calls[app] >= self.instance.app_limit:
            raise ApiError("REQUEST_LIMIT_EXCEEDED", _TOTAL)

    def _limit_info(self, app: str) -> dict[str, str]:
        state = self.instance.gateway.state()
        text = f"api-usage={state['used']}/{state['daily_calls'] or self.instance.settings.daily_calls}"
        if self.instance.app_limit and app:
            text += f"; per-app-api-usage={self.instance.app_calls[app]}/{self.instance.app_limit}(appName={app})"
        return {"Sforce-Limit-Info": text}

    def _login_call(self, request: Request) -> Response:
        """Everything outside the data API: tokens, identity, SOAP's login."""
        user, path = "", request.path.rstrip("/")
        try:
            if path.startswith("/services/Soap/u/"):
                response, user = soap.call(self.instance, request)
            elif path == "/services/oauth2/token":
                response, user = oauth.token(self.instance, request)
            elif path == "/services/oauth2/revoke":
                response = oauth.revoke(self.instance, request)
            elif path == "/services/oauth2/userinfo" or path.startswith("/id/"):
                session = self.instance.sessions.session(token_of(request))
                user = session.login.user_name
                response = oauth.identity(Visit(self.instance, request, session, ""))
            elif path == "/services/data":
                response = describing.versions(self.instance)
            else:
                response = Response(404, b"<html><body><h1>URL No Longer Exists</h1></body></html>", {"Content-Type": "text/html"})
        except OAuthError as refused:
            response = reply(refused.body(), refused.status)
        except ApiError as error:
            response = reply(error.body(), error.status)
        fault = request.fault.kind if request.fault else ""
        self.instance.calls.add(request.method, request.path, response.status, user=user, fault=fault, route=path.lstrip("/"))
        return response


def token_of(request: Request) -> str:
    """The access token of a request."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() in ("bearer", "oauth") else ""


def route_of(request: Request) -> str:
    """A path without version and ids, for counting: `sobjects/Contact/:id`."""
    parts = request.parts()[3:]
    if parts[:1] == ["jobs"]:
        return "/".join([*parts[:2], *([":id"] if len(parts) > 2 else []), *parts[3:]])
    if parts[:1] == ["sobjects"] and len(parts) > 2 and parts[2] not in ("describe", "deleted", "updated"):
        return f"sobjects/{parts[1]}/:id"
    if parts[:1] in (["query"], ["queryAll"]) and len(parts) > 1:
        return "query/:locator"
    return "/".join(parts)


def _counted(request: Request) -> bool:
    return request.path.startswith("/services/data/")
