"""One request on its way through the API, with who sends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce.errors import ApiError, no_type
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.sessions import Login, Session


def reply(document: Any, status: int = 200, rows: int = 0, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    content = {"Content-Type": "application/json;charset=UTF-8", **(headers or {})}
    return Response(status, b"" if document is None else orjson.dumps(document), content, rows)


@dataclass
class Visit:
    """The request, its session and the API version of its path; `summary` and `object` are what the call log keeps."""

    instance: Instance
    request: Request
    session: Session
    version: str
    summary: dict[str, Any] = field(default_factory=dict)
    object: str = ""

    @property
    def login(self) -> Login:
        """Who asks."""
        return self.session.login

    @property
    def base(self) -> str:
        """The path that every address in an answer begins with."""
        return f"/services/data/{self.version}"

    def target(self, name: str, action: str) -> SObject:
        """An object that this user may use in this way; raises ApiError."""
        found = self.instance.schema.object(name)
        self.object = found.name
        if not self.login.may(found.name, "list") and not self.login.may(found.name, action):
            raise no_type(name)
        if not self.login.may(found.name, action):
            raise ApiError("INSUFFICIENT_ACCESS_OR_READONLY", f"entity type {found.name} does not support {action}", status=403)
        return found

    def document(self) -> dict[str, Any]:
        """The JSON object of the request; raises ApiError JSON_PARSER_ERROR."""
        if not self.request.body.strip():
            return {}
        found = self.json()
        if not isinstance(found, dict):
            raise ApiError("JSON_PARSER_ERROR", "Unexpected parameter encountered during deserialization: expected an object")
        return found

    def json(self) -> Any:
        """The JSON of the request, whatever it is; raises ApiError JSON_PARSER_ERROR."""
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError as error:
            raise ApiError("JSON_PARSER_ERROR", f"The request body is no JSON: {error}") from None

    def header(self, name: str) -> dict[str, str]:
        """A Sforce header such as `batchSize=200; other=x`, as names in lower case and values."""
        pairs = (part.partition("=") for part in self.request.headers.get(name.lower(), "").replace(",", ";").split(";"))
        return {key.strip().lower(): value.strip() for key, _, value in pairs if key.strip()}
