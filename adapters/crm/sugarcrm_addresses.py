"""Opt-outs sit on the address, which several records share, and move no record's stamp (CONSENT-3, CONSENT-4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from adapters.crm.sugarcrm_paging import streams_of
from sync.flagged import FlaggedAddress
from sync.records import Condition, Filter, Kind, Page, ReadRequest, Window

ReadPage = Callable[[ReadRequest, str, str], Page]
_FIELDS = ("email_address", "opt_out", "invalid_email", "date_created", "date_entered")  # releases differ in the name of the birthday
_ADDRESSES_AT_ONCE = 100


class _Address(msgspec.Struct):
    id: str
    date_modified: datetime
    email_address: str | None = None
    opt_out: bool | None = None
    invalid_email: bool | None = None
    date_created: datetime | None = None
    date_entered: datetime | None = None

    def flagged(self) -> FlaggedAddress:
        born = self.date_created or self.date_entered
        return FlaggedAddress(
            self.id,
            self.email_address or "",
            self.date_modified.astimezone(UTC),
            bool(self.opt_out),
            bool(self.invalid_email),
            born.astimezone(UTC) if born else None,
        )


class _Holder(msgspec.Struct):
    id: str


def flagged_addresses(read_page: ReadPage, window: Window) -> tuple[FlaggedAddress, ...]:
    """Every address that moved in the window. One call when none did."""
    lines = msgspec.json.Decoder(_Address, strict=False)
    found = (lines.decode(line).flagged() for line in _lines(read_page, ReadRequest(Kind.ADDRESS, _FIELDS, window), 1))
    return tuple(each for each in found if each.address)


def holders_of(read_page: ReadPage, kinds: Sequence[Kind], addresses: Sequence[str]) -> dict[Kind, tuple[str, ...]]:
    """Kind → ids of the records that carry one of the addresses, as a primary or another one."""
    return {kind: tuple(sorted(set(_holders(read_page, kind, sorted(set(addresses)))))) for kind in kinds}


def _holders(read_page: ReadPage, kind: Kind, addresses: Sequence[str]) -> Iterator[str]:
    lines = msgspec.json.Decoder(_Holder)
    for first in range(0, len(addresses), _ADDRESSES_AT_ONCE):
        some = tuple(addresses[first : first + _ADDRESSES_AT_ONCE])
        carrying = Filter((Condition("email_addresses.email_address", "in", some),))
        for line in _lines(read_page, ReadRequest(kind, ("id",), filter=carrying), 1):
            yield lines.decode(line).id


def _lines(read_page: ReadPage, request: ReadRequest, connections: int) -> Iterator[bytes]:
    for stream in streams_of(request, connections):
        position: str | None = stream.start
        while position is not None:
            page = read_page(request, stream.name, position)
            yield from page.body.splitlines()
            position = page.position
