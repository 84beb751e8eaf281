"""Several reads in one call: `POST bulk`. Its parts are answered one by one, and each of them may fail alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.crm.sugarcrm_session import SugarApi
from adapters.http_messages import Answer
from sync.errors import ContractBroken


class Part(msgspec.Struct):
    """One answer inside a bulk answer. `contents` is JSON, or text that holds JSON or a page for people."""

    contents: msgspec.Raw
    status: int

    @property
    def body(self) -> bytes:
        """The contents as JSON. Some releases send them as text that holds JSON."""
        found: Any = bytes(self.contents)
        return msgspec.json.decode(found, type=str).encode() if found.lstrip()[:1] == b'"' else found

    @property
    def answer(self) -> Answer:
        """As if the part had been a call of its own."""
        return Answer(self.status, {}, self.body)


_PARTS = msgspec.json.Decoder(list[Part], strict=False)


def ask(api: SugarApi, urls: Sequence[str], *, subject: str) -> tuple[list[Part], int]:
    """Reads these addresses, each without the version that it begins with; → the parts in the same order, and the bytes received."""
    requests = [{"url": f"{api.wire.version}/{url}", "method": "GET"} for url in urls]
    answer = api.call("POST", "bulk", subject=subject, payload={"requests": requests})
    try:
        parts = _PARTS.decode(answer.body)
    except msgspec.DecodeError:
        parts = []
    if len(parts) != len(urls):
        raise ContractBroken(
            f"a bulk call of {len(urls)} parts was answered with {len(parts)}",
            where=f"connector {api.wire.connector}, {subject}",
            todo="report this to the developers",
        )
    return parts, answer.received_bytes
