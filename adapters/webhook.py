"""Tells a receiver something: one POST of JSON. What stands in the receiver's address is a secret and is never repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

from sync.errors import ConfigError, MarketsyncError, Transient
from sync.urls import webhook_url_mistake

_WHERE = "alerts.webhook"
_BUSY = frozenset({408, 425, 429})


def post(url: str, body: Mapping[str, Any], *, timeout_s: float, allow_plain_http: bool = False) -> None:
    """Returns when the receiver took it (2xx).

    Raises ConfigError when the address is none, or the receiver says that it never will take it; Transient when it may later.
    """
    mistake = webhook_url_mistake(url, allow_plain_http=allow_plain_http)
    if mistake:
        raise ConfigError(f"the webhook's address {mistake}", where=_WHERE, todo="Correct it where the configuration refers to.")
    host = urlsplit(url).hostname
    try:
        answer = requests.post(
            url,
            data=json.dumps(body, ensure_ascii=False).encode(),
            headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "marketsync"},
            timeout=timeout_s,
            allow_redirects=False,
        )
    except (requests.RequestException, OSError) as trouble:
        trouble_type = type(trouble).__name__  # its text holds the whole address
        failure: MarketsyncError = Transient(f"the receiver {host} did not answer ({trouble_type})", where=_WHERE, todo="Is it up?")
    else:
        if 200 <= answer.status_code < 300:
            return
        failure = _refused(answer.status_code, host)
    raise failure


def _refused(status: int, host: str | None) -> MarketsyncError:
    said = f"the receiver {host} answered {status}"
    if status >= 500 or status in _BUSY:
        return Transient(said, where=_WHERE, todo="Look at the receiver; it is told again.")
    todo = "Is the webhook still there, and does its address end as the receiver gave it? `marketsync alerts --test` tries it."
    return ConfigError(said, where=_WHERE, todo=todo)
