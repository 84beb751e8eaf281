"""Opt-outs that sit on a shared address: which records carry an address that was flagged (CONSENT-3, CONSENT-4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from adapters.crm.sugarcrm_paging import streams_of
from sync.records import Condition, Filter, Kind, Page, ReadRequest, Window

ReadPage = Callable[[ReadRequest, str, str], Page]
_ADDRESSES_AT_ONCE = 100


class _Address(msgspec.Struct):
    id: str
    email_address: str | None = None


class _Holder(msgspec.Struct):
    id: str


def flagged_holders(read_page: ReadPage, kinds: Sequence[Kind], window: Window) -> dict[Kind, tuple[str, ...]]:
    """Kind → ids of the records that carry an address which moved in the window. One call when none did."""
    moved = ReadRequest(Kind.ADDRESS, ("email_address",), window)
    lines = msgspec.json.Decoder(_Address)
    addresses = sorted({found.email_address for line in _lines(read_page, moved) if (found := lines.decode(line)).email_address})
    return {kind: tuple(sorted(set(_holders(read_page, kind, addresses)))) for kind in kinds} if addresses else {}


def _holders(read_page: ReadPage, kind: Kind, addresses: Sequence[str]) -> Iterator[str]:
    lines = msgspec.json.Decoder(_Holder)
    for first in range(0, len(addresses), _ADDRESSES_AT_ONCE):
        some = addresses[first : first + _ADDRESSES_AT_ONCE]
        carrying = Filter((Condition("email_addresses.email_address", "in", tuple(some)),))
        for line in _lines(read_page, ReadRequest(kind, ("id",), filter=carrying), streams=1):
            yield lines.decode(line).id


def _lines(read_page: ReadPage, request: ReadRequest, streams: int = 1) -> Iterator[bytes]:
    for stream in streams_of(request, streams):
        position: str | None = stream.start
        while position is not None:
            page = read_page(request, stream.name, position)
            yield from page.body.splitlines()
            position = page.position
