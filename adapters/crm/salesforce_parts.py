"""One record to be written to Salesforce, the calls that carry it, and how the result of one row is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters.crm.receipts import GONE, Ending
from adapters.http_messages import scrub
from sync.push import Outcome

MOST_ROWS = 200  # of one collection
MOST_COLLECTIONS = 5  # of one composite call, which counts as one call
_MOST_TYPES = 10  # a collection of mixed types is worked off in so many runs of one type
MOST_TRIES = 3
_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND", "MALFORMED_ID", "INVALID_ID_FIELD"})
_AGAIN = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "TXN_SECURITY_METERING_ERROR"})
_ONCE_MORE = frozenset({"UNKNOWN_EXCEPTION", "DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID"})
CONVERTED = "CANNOT_UPDATE_CONVERTED_LEAD"


@dataclass(frozen=True, slots=True)
class Write:
    """One record to be written: changed under its id, or made under our own key in the external id field (`key`), if that is not there yet.

    `doubtful`: it may be there from an earlier attempt, and is left as it is then.
    """

    source: str
    values: Mapping[str, Any]
    crm_id: str = ""
    key: str = ""
    doubtful: bool = False

    @property
    def creates(self) -> bool:
        return not self.crm_id

    def record(self, key_field: str) -> dict[str, Any]:
        """This write as an entry of a collection."""
        named = {key_field: self.key} if self.creates else {"id": self.crm_id}
        return {"attributes": {"type": self.source}, **named, **self.values}


@dataclass(slots=True)
class Job:
    """A write under way. `tries`: how often it alone was put off."""

    write: Write
    tries: int = 0
    ending: Ending | None = None


class RowError(msgspec.Struct, rename="camel"):
    """Why a row was refused."""

    status_code: str = ""
    message: str = ""
    fields: list[str] = []


class Result(msgspec.Struct):
    """What a collection says of one row."""

    success: bool
    id: str | None = None
    errors: list[RowError] = []


def collections(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Calls of at most 200 rows: what is made goes by object, what is changed may be mixed; no record twice in one call."""
    changed = sorted((job for job in jobs if not job.write.creates), key=lambda job: job.write.source)
    made: dict[str, list[Job]] = {}
    for job in jobs:
        if job.write.creates:
            made.setdefault(job.write.source, []).append(job)
    for group in (changed, *made.values()):
        left = group
        while left:
            chunk, left = _distinct(left)
            yield chunk


def _distinct(jobs: Sequence[Job]) -> tuple[list[Job], list[Job]]:
    chunk: list[Job] = []
    left: list[Job] = []
    seen: set[str] = set()
    types: set[str] = set()
    for job in jobs:
        name = job.write.crm_id or job.write.key
        full = len(chunk) >= MOST_ROWS or len(types | {job.write.source}) > _MOST_TYPES
        if full or name in seen:
            left.append(job)
        else:
            chunk.append(job)
            seen.add(name)
            types.add(job.write.source)
    return chunk, left


def judge(job: Job, result: Result) -> bool:
    """Gives the job its ending; → whether it is worth another try at once."""
    if result.success:
        job.ending = Ending(Outcome.ACCEPTED, crm_id=result.id or job.write.crm_id)
        return False
    error = result.errors[0] if result.errors else RowError("UNKNOWN_EXCEPTION")
    said = f"{error.status_code}: {scrub(error.message)}"
    job.tries += 1
    if error.status_code in _AGAIN and job.tries < MOST_TRIES:
        return True
    if error.status_code in _ONCE_MORE and job.tries < 2:
        return True
    if error.status_code in _AGAIN:
        job.ending = Ending(Outcome.POSTPONED, said)
    elif error.status_code in _GONE or (error.status_code == "INVALID_CROSS_REFERENCE_KEY" and not job.write.creates and not error.fields):
        job.ending = Ending(Outcome.REFUSED, f"{GONE} ({said})", final=True)
    elif error.status_code == CONVERTED:
        job.ending = Ending(Outcome.REFUSED, said, final=True, doubtful=job.write.creates)
    else:
        job.ending = Ending(Outcome.REFUSED, said, doubtful=job.write.creates and error.status_code in _ONCE_MORE)
    return False
