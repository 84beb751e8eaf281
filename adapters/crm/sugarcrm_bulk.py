"""Several reads or writes in one call: `POST bulk`. Its parts are answered one by one, and each of them may fail alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters.crm.sugarcrm_session import SugarApi
from adapters.http_messages import Answer
from sync.errors import ContractBroken


class Part(msgspec.Struct):
    """One answer inside a bulk answer. `contents` is JSON, or text that holds JSON or a page for people."""

    contents: msgspec.Raw
    status: int
    headers: Any = None

    @property
    def body(self) -> bytes:
        """The contents as JSON. Some releases send them as text that holds JSON."""
        found: Any = bytes(self.contents)
        return msgspec.json.decode(found, type=str).encode() if found.lstrip()[:1] == b'"' else found

    @property
    def answer(self) -> Answer:
        """As if the part had been a call of its own."""
        return Answer(self.status, self._headers, self.body)

    @property
    def _headers(self) -> Mapping[str, str]:
        """Releases give lines or a map."""
        if isinstance(self.headers, dict):
            return {str(name).title(): str(value) for name, value in self.headers.items()}
        lines = (str(line).partition(":") for line in self.headers or [])
        return {name.strip().title(): value.strip() for name, _, value in lines}


_PARTS = msgspec.json.Decoder(list[Part], strict=False)


def ask(api: SugarApi, urls: Sequence[str], *, subject: str) -> tuple[list[Part], int]:
    """Reads these addresses, each without the version that it begins with; → the parts in the same order, and the bytes received."""
    answer = _asked(api, [{"url": f"{api.wire.version}/{url}", "method": "GET"} for url in urls], subject, harmless=True)
    return _parts(api, answer, len(urls), subject), answer.received_bytes


def tell(api: SugarApi, requests: Sequence[Mapping[str, Any]], *, subject: str) -> list[Part]:
    """Writes. Never sent twice by itself: `Unanswered` comes out where nobody knows what became of it, and ContractBroken where the
    answer can't be read."""
    versioned = [{**one, "url": f"{api.wire.version}/{one['url']}"} for one in requests]
    return _parts(api, _asked(api, versioned, subject, harmless=False), len(requests), subject)


def _asked(api: SugarApi, requests: Sequence[Mapping[str, Any]], subject: str, *, harmless: bool) -> Answer:
    return api.call("POST", "bulk", subject=subject, payload={"requests": requests}, harmless=harmless)


def _parts(api: SugarApi, answer: Answer, expected: int, subject: str) -> list[Part]:
    try:
        parts = _PARTS.decode(answer.body)
    except msgspec.DecodeError:
        parts = []
    if len(parts) != expected:
        raise ContractBroken(
            f"a bulk call of {expected} parts was answered with {len(parts)}",
            where=f"connector {api.wire.connector}, {subject}",
            todo="report this to the developers",
        )
    return parts
