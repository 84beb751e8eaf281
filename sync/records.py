"""The nouns that cross package lines. Frozen, small, made of plain values."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sync.kinds import CUSTOM_KEY as CUSTOM_KEY
from sync.kinds import CUSTOM_PREFIX as CUSTOM_PREFIX
from sync.kinds import PEOPLE as PEOPLE
from sync.kinds import PULL_ORDER as PULL_ORDER
from sync.kinds import PUSHED as PUSHED
from sync.kinds import Kind as Kind


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a sync filter, in neutral words (FILT-1).

    `op` is one of equals, not_equals, in, not_in, starts, contains, lt, lte, gt, gte, is_null, not_null.
    """

    field: str
    op: str
    value: str | int | float | bool | tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """All conditions must hold. Empty: every record."""

    all_of: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.all_of)


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Window:
    """Which changes are asked for, on the CRM's clock, UTC: `lower` is inclusive, `upper` is exclusive; None is open.

    Both open: everything, which is what the initial sync reads.
    """

    lower: datetime | None = None
    upper: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Records whose key is at or after `low` and before `high`, in the CRM's own order of keys; an empty end is open."""

    low: str = ""
    high: str = ""


EVERY_KEY = KeyRange()


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One read: these fields of this kind's records, in this window, that meet this filter.

    `ids` narrows it to named records, `keys` to a range of keys. `removals`: the pages also tell which records were deleted in the
    window, or of those named (DEL-1). Of list members `ids` names the lists, which are then read whole; their records are described by
    `sync.lists.MEMBER_FIELDS`. A CRM that can tell which members changed also answers a window without `ids`, and marks who left.
    """

    kind: Kind
    fields: tuple[str, ...]
    window: Window = Window()
    filter: Filter = Filter()
    ids: tuple[str, ...] = ()
    keys: KeyRange = EVERY_KEY
    removals: bool = False


@dataclass(frozen=True, slots=True)
class Removal:
    """A record that the CRM no longer has. `at`: when, on the CRM's clock, UTC. `merged_into`: the record that took it in, if the CRM
    says so (MATCH-8)."""

    crm_id: str
    at: datetime | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """One independent part of a read, so that several connections can share it. `start` is the position of its first page."""

    name: str
    start: str


class PageFormat(StrEnum):
    """How the records of a page are written."""

    NDJSON = "ndjson"  # one JSON object per line
    CSV = "csv"  # RFC 4180, UTF-8, names of fields in the first record; empty is NULL, quoted or not


@dataclass(frozen=True, slots=True)
class Page:
    """Some records as the CRM sent them, none of them turned into Python objects.

    `position` is where the stream goes on after this page (opaque text that survives a restart), None when the stream has ended.
    `received_bytes` counts what came over the wire. `removed` are the deleted records that this page told of; they are not in `body`.
    """

    stream: str
    body: bytes
    rows: int
    position: str | None
    received_bytes: int
    removed: tuple[Removal, ...] = ()
    format: PageFormat = PageFormat.NDJSON


@dataclass(frozen=True, slots=True)
class RunRef:
    """One run of one flow for one connector: what every task gets. `config` is the path of the configuration file."""

    run_id: str
    flow: str
    connector: str
    config: str


@dataclass(frozen=True, slots=True)
class ParcelRef:
    """Where a parcel is. A reference, cheap to pass between tasks; `path` is relative to the data directory."""

    parcel_id: str
    connector: str
    kind: Kind
    path: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should know that stops nothing: a shared address, a retyped field, an unknown owner.

    One per subject; `count` says how many records it is about, `examples` holds a few CRM ids, never a person's data.
    """

    kind: Kind | None
    topic: str
    message: str
    count: int = 1
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommitCounts:
    """What one commit did, in records of one kind. `held` went to quarantine; `matched` were joined to a row that was there.

    `newly_held`: how many of the held ones, at most, were not held for the same reason before.
    """

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    held: int = 0
    matched: int = 0
    released: int = 0
    newly_held: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next window of one kind starts: the CRM's clock, UTC (PULL-1, PULL-2)."""

    connector: str
    kind: Kind
    at: datetime


class Rows(Protocol):
    """A result of one package that another one loads, without either knowing the other. Can be read once or many times."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def count(self) -> int: ...

    def tuples(self, batch_rows: int = 5_000) -> Iterator[list[tuple[Any, ...]]]:
        """Plain Python values: str, int, bool, None; decimals, dates and instants as text (instants `YYYY-MM-DD HH:MM:SS.ffffff`, UTC)."""
        ...

    def arrow(self) -> Any:
        """The same values as `tuples` as an Arrow record batch reader, for databases that are loaded so."""
        ...

    def binary(self, types: Sequence[str]) -> Generator[Iterator[bytes]] | None:
        """The same in binary form for COPY, as one stream or several, each whole in itself; None: only CSV can be had.

        Whoever does not read to the end closes it, because something may be at work behind it; `csv` as well.

        `types`: for each column PostgreSQL's own name of its type, such as int8, timestamptz or text.
        """
        ...

    def csv(self) -> Generator[bytes]:
        """The same as CSV bytes for PostgreSQL's COPY: no header, NULL unquoted and empty, the empty string quoted, UTC offsets written."""
        ...
