"""What a failed request was: which of the errors that the HTTP library wraps says something to an operator."""

from __future__ import annotations

import ssl

import urllib3

from sync.errors import Transient

_NOT_TLS = ("WRONG_VERSION", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


def _chain(trouble: BaseException | None) -> list[BaseException]:
    """An error and what it wraps: requests and urllib3 put the cause into args, `reason` or the context."""
    found: list[BaseException] = []
    while trouble is not None and trouble not in found:
        found.append(trouble)
        inner = getattr(trouble, "reason", None) or next((a for a in trouble.args if isinstance(a, BaseException)), None)
        trouble = inner if isinstance(inner, BaseException) else trouble.__cause__ or trouble.__context__
    return found


def certificate_trouble(trouble: Exception) -> str:
    for one in _chain(trouble):
        if isinstance(one, ssl.SSLCertVerificationError):
            return one.verify_message or "not trusted"
    return ""


def no_tls(trouble: Exception, *, first: bool) -> bool:
    """Whether a handshake met something else than TLS. Servers that hang up on it look the same, so that counts at `first` contact only."""
    failures = [one for one in _chain(trouble) if isinstance(one, ssl.SSLError)]
    said = " ".join(map(str, failures)).upper().replace(" ", "_")
    return any(sign in said for sign in _NOT_TLS) or (first and any(isinstance(one, ssl.SSLEOFError) for one in failures))


def unreachable(trouble: Exception) -> str:
    for one in _chain(trouble):
        if isinstance(one, urllib3.exceptions.NameResolutionError):
            return "is not known by name"
        if isinstance(one, urllib3.exceptions.NewConnectionError):
            return "does not take connections"
    return ""


class Unanswered(Transient):
    """A call that brought no answer to read. `status`: what the server said instead, 0 for nothing. `unsent`: it can't have reached the
    CRM. Everything else may have been carried out: whoever wrote something has to look."""

    def __init__(
        self, what: str, *, where: str = "", todo: str = "", retry_after_s: float | None = None, status: int = 0, unsent: bool = False
    ) -> None:
        super().__init__(what, where=where, todo=todo, retry_after_s=retry_after_s)
        self.status = status
        self.unsent = unsent
