"""Sugar's error answers: a label for programs, a text for people, a status for the wire."""

from __future__ import annotations

from typing import Any

STATUS_OF = {
    "incorrect_version": 301,
    "need_login": 401,
    "invalid_grant": 401,
    "not_authorized": 403,
    "no_method": 404,
    "not_found": 404,
    "edit_conflict": 409,
    "metadata_out_of_date": 412,
    "request_too_large": 413,
    "missing_parameter": 422,
    "invalid_parameter": 422,
    "request_failure": 500,
    "fatal_error": 500,
    "maintenance": 503,
}


class ApiError(Exception):
    """A refusal with a Sugar label; `extra` joins the error body (409 carries the present record)."""

    def __init__(self, label: str, message: str, extra: dict[str, Any] | None = None, status: int | None = None):
        super().__init__(message)
        self.label = label
        self.message = message
        self.status = status or STATUS_OF[label]
        self.extra = extra or {}

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        return {"error": self.label, "error_message": self.message, **self.extra}


def injected(status: int) -> ApiError:
    """What a fault inside a bulk call says: the label that fits the status best."""
    label = next((label for label, own in reversed(STATUS_OF.items()) if own == status), "request_failure")
    return ApiError(label, "Injected failure", status=status)


def not_found(module: str, record_id: str) -> ApiError:
    """The text Sugar gives for a record that is missing, deleted or hidden: it does not say which."""
    return ApiError("not_found", f"Could not find record: {record_id} in module: {module}")


def not_authorized(action: str, module: str) -> ApiError:
    """A role or team refusal."""
    return ApiError("not_authorized", f"You are not authorized to {action} {module}. Contact your administrator.")
