"""Salesforce's error answers: an array of objects with a code for programs and a text for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

STATUS_OF = {
    "INVALID_SESSION_ID": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "API_DISABLED_FOR_ORG": 403,
    "INSUFFICIENT_ACCESS": 403,
    "FUNCTIONALITY_NOT_ENABLED": 400,
    "NOT_FOUND": 404,
    "ENTITY_IS_DELETED": 404,
    "METHOD_NOT_ALLOWED": 405,
    "PRECONDITION_FAILED": 412,
    "URI_TOO_LONG": 414,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNKNOWN_EXCEPTION": 500,
    "SERVER_UNAVAILABLE": 503,
}


class ApiError(Exception):
    """A refusal of a whole call, or of one row of a call that has many. `status` is 400 where the table above says nothing."""

    def __init__(self, code: str, message: str, fields: Sequence[str] = (), status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.fields = list(fields)
        self.status = status or STATUS_OF.get(code, 400)

    def body(self) -> list[dict[str, Any]]:
        """The JSON body when the whole call is refused."""
        told: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return [{**told, "fields": self.fields} if self.fields else told]

    def row(self) -> dict[str, Any]:
        """One entry of `errors` in the result of a row; the code has another name there."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields}


class OAuthError(Exception):
    """A refusal of the token endpoint: one object, not an array."""

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status

    def body(self) -> dict[str, str]:
        """The JSON body; `error_description` is not always there."""
        return {"error": self.error, **({"error_description": self.description} if self.description else {})}


def not_found(message: str = "The requested resource does not exist") -> ApiError:
    """404 for a record, a job or a path."""
    return ApiError("NOT_FOUND", message)


def no_column(name: str, entity: str) -> ApiError:
    """A field that does not exist, or that this user may not see: Salesforce does not tell them apart."""
    text = (
        f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append the '__c' after "
        "the custom field name. Please reference your WSDL or the describe call for the appropriate names."
    )
    return ApiError("INVALID_FIELD", text)


def no_type(name: str) -> ApiError:
    """An object that does not exist, or that this user may not read."""
    text = (
        f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the "
        "entity name. Please reference your WSDL or the describe call for the appropriate names."
    )
    return ApiError("INVALID_TYPE", text)
