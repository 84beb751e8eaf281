"""The one Protocol that every CRM adapter fulfils. Only the CRM has many implementations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sync.fields import ObjectSchema
from sync.flagged import FlaggedAddress
from sync.push import Outgoing, Quota, Receipt
from sync.records import EVERYTHING, Filter, Kind, Page, ReadRequest, Stream, Window


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of `marketsync check` (CONN-3). `todo` is empty when all is well."""

    ok: bool
    subject: str
    said: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What a connection check found. `time_zone` is the syncing user's; `quota_left` is None where the CRM has no quota."""

    user_name: str
    user_id: str
    server_time: datetime
    time_zone: str
    api_version: str
    quota_left: int | None
    lines: tuple[CheckLine, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return all(line.ok for line in self.lines)


class Writing(Protocol):
    """The writing half of a CRM (PUSH). Trouble with one record is a receipt; what stops everything is an error."""

    def send(self, kind: Kind, batch: Sequence[Outgoing]) -> tuple[Receipt, ...]:
        """Writes these rows with the CRM's bulk means; → one receipt each, in the same order (PUSH-4).

        Idempotent (PUSH-3): what is made gets its row's `push_key`, and whatever is uncertain, after a cut connection as after a run
        that died (`repeated`), is looked up before it is sent again. A refused record is found and does not cost the others theirs.
        What could not be sent because the CRM was too busy or its allowance was used up is postponed; the error that says so is raised
        only when nothing was accepted or refused at all.
        """
        ...

    def rows_per_call(self, kind: Kind) -> float:
        """About how many rows one call takes, lookups included."""
        ...

    def rows_per_batch(self, kind: Kind) -> int:
        """How many rows of this kind are best handed to one `send`, where that many wait. Of mails always `BATCH_ROWS` (PUSH-ES)."""
        ...

    def choices(self, kind: Kind, fields: Sequence[str]) -> dict[str, frozenset[str]]:
        """The values that these drop-down fields of leads or contacts take. Other fields are not in the answer. Remembered while the CRM's
        schema stays as it is."""
        ...

    def limits(self, kind: Kind) -> dict[str, int]:
        """Value of a push → most characters that the CRM takes where this kind lands, as far as it says so. Remembered likewise.

        `kind`: one that makes records (of a new lead the values are the CRM's fields), or, for record updates, lead or contact.
        """
        ...

    def required(self, kind: Kind) -> frozenset[str]:
        """Fields without which the CRM makes no person of a new lead, besides the address. Remembered likewise."""
        ...

    def quota(self) -> Quota | None:
        """The allowance of calls as the last answer told it, else asked for; None where there is none."""
        ...


class Crm(Writing, Protocol):
    """One CRM, spoken to as its syncing user. Thread-safe: several streams may be read at once.

    Every method may raise CredentialError, AccessDenied, Transient, QuotaExhausted or ContractBroken; a request is already
    repeated inside for as long as that is harmless, so a Transient that comes out is one that patience did not cure.
    """

    @property
    def overlap(self) -> timedelta:
        """How far back a window reaches before the last one's end, because stamps become visible late (PULL-1)."""
        ...

    def now(self) -> datetime:
        """The CRM's clock, UTC, whole seconds: never later than it is there. No call if the CRM said what time it is within the minute."""
        ...

    def probe(self, readable: Sequence[Kind], writable: Sequence[Kind]) -> Probe:
        """CONN-3: who are we, what time is it there, may we read and write what the options need. Changes nothing."""
        ...

    def fingerprint(self, kinds: Sequence[Kind]) -> str:
        """Changes whenever `describe` would answer something else; as cheap as the CRM allows."""
        ...

    def describe(self, kinds: Sequence[Kind]) -> dict[Kind, ObjectSchema]:
        """Every field that the syncing user may read, by name and type order (INIT-2)."""
        ...

    def streams(self, request: ReadRequest) -> tuple[Stream, ...]:
        """How this read may be shared among connections. Together the streams hold each record once."""
        ...

    def pages(self, request: ReadRequest, stream: Stream, position: str | None = None) -> Iterator[Page]:
        """The pages of one stream from `position` on (None: from its start), paged by key, never by offset (PULL-3)."""
        ...

    def count(self, kind: Kind, *, where: Filter = EVERYTHING, created_from: datetime | None = None) -> int:
        """How many living records there are; `created_from` (inclusive, UTC) counts only those created since."""
        ...

    def flagged_addresses(self, window: Window) -> tuple[FlaggedAddress, ...]:
        """Addresses whose opt-out or validity may have changed in this window although no holder's own stamp moved.

        Empty, and no call, where the CRM keeps opt-outs with the record itself; else one call as long as nothing moved.
        """
        ...

    def holders_of(self, kinds: Sequence[Kind], addresses: Sequence[str]) -> dict[Kind, tuple[str, ...]]:
        """The records of these kinds that carry one of these addresses, by id."""
        ...

    def count_deleted(self, kind: Kind, since: datetime) -> int | None:
        """How many records were deleted at or after `since` (UTC); None where the CRM can't say."""
        ...

    def place_of(self, kind: Kind, crm_id: str) -> str:
        """Where a person opens this record in a browser, to correct it. Empty where the CRM has no such address. No call."""
        ...

    def close(self) -> None:
        """Gives connections back. The session with the CRM lives on for other workers."""
        ...
