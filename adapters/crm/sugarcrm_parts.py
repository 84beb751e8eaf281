"""One record to be written, what became of it, and how a part of a bulk call is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from adapters.crm.receipts import GONE, Ending
from adapters.crm.sugarcrm_bulk import Part
from adapters.crm.sugarcrm_wire import refusal_of
from adapters.http import PUSHED_BACK
from adapters.http_messages import retry_after_s
from sync.errors import AccessDenied
from sync.push import Outcome

MOST_PARTS = 50
"""Records in one call. Sugar runs them one after the other, with every workflow that hangs on them, and has one time limit for all."""

ASKED_BACK = "id,date_modified"
_DONE = (200, 201)
_NOT_CARRIED_OUT = (301, 401)  # another version was agreed on meanwhile; the session ended between two parts


@dataclass(frozen=True, slots=True)
class Write:
    """One record to be written: made under this id (`creates`), or changed.

    `group`: what belongs together goes into one call where it fits. `unchanged_since`: the version that a change builds on, refused as a
    conflict when somebody was there in between. `doubtful`: it may be there from an earlier attempt. `asked_back`: fields in the answer.
    """

    module: str
    crm_id: str
    values: Mapping[str, Any]
    creates: bool = False
    group: int = 0
    unchanged_since: str = ""
    doubtful: bool = False
    asked_back: tuple[str, ...] = ()

    def request(self) -> dict[str, Any]:
        """This write as a part of a bulk call; the version in front of the address comes later."""
        values = {"id": self.crm_id, **self.values} if self.creates else self.values
        place = self.module if self.creates else f"{self.module}/{quote(self.crm_id, safe='')}"
        version = {"headers": {"X-TIMESTAMP": self.unchanged_since}} if self.unchanged_since else {}
        return {
            "url": f"{place}?fields={','.join((ASKED_BACK, *self.asked_back))}",
            "method": "POST" if self.creates else "PUT",
            "data": msgspec.json.encode(values).decode(),
            **version,
        }


@dataclass(slots=True)
class Job:
    """A write under way. `failures`: how often it alone failed in a call that went well."""

    write: Write
    failures: int = 0
    ending: Ending | None = None


def chunks(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Calls of at most `MOST_PARTS`; a group is only cut when it is larger than that."""
    chunk: list[Job] = []
    for group in _groups(jobs):
        if chunk and len(chunk) + len(group) > MOST_PARTS:
            yield chunk
            chunk = []
        chunk = [*chunk, *group]
        while len(chunk) > MOST_PARTS:
            yield chunk[:MOST_PARTS]
            chunk = chunk[MOST_PARTS:]
    if chunk:
        yield chunk


def _groups(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    group: list[Job] = []
    for job in jobs:
        if group and group[-1].write.group != job.write.group:
            yield group
            group = []
        group.append(job)
    if group:
        yield group


def judge(job: Job, part: Part) -> float | None:
    """Gives the job its ending if the part has one, see the table above; → the pause that it asks for."""
    answer, record = part.answer, _record(part)
    refusal = refusal_of(answer)
    if record is not None:
        job.ending = Ending(Outcome.ACCEPTED, crm_id=str(record.get("id") or job.write.crm_id), record=record)
    elif part.status in PUSHED_BACK:
        return retry_after_s(answer, lambda: datetime.now(UTC))
    elif part.status == 409 and job.write.unchanged_since:
        job.ending = Ending(Outcome.REFUSED, str(refusal), conflict=True)
    elif part.status >= 500 or part.status in _DONE:
        job.failures += 1
        if job.failures > 1:
            said = str(refusal) if part.status >= 500 else "a page for people came instead of the record"
            job.ending = Ending(Outcome.REFUSED, f"the CRM fails on this record: {said}", doubtful=job.write.creates)
    elif part.status == 404 and refusal.label == "not_found" and not job.write.creates:
        job.ending = Ending(Outcome.REFUSED, f"{GONE} ({refusal})", final=True)
    elif part.status == 404 and refusal.label == "no_method":
        raise AccessDenied(
            f"the CRM has no module {job.write.module} ({refusal})",
            where=f"module {job.write.module}",
            todo="Have an administrator of the CRM make it: docs/crm-objects.md says how, and `marketsync check` what is missing.",
        )
    elif part.status not in _NOT_CARRIED_OUT:
        job.ending = Ending(Outcome.REFUSED, str(refusal), doubtful=job.write.creates and part.status in (409, 422))
    return None


def _record(part: Part) -> dict[str, Any] | None:
    """What a part that went well says of its record; None: it did not, or it can't be read."""
    if part.status not in _DONE:
        return None
    try:
        return msgspec.json.decode(part.body, type=dict[str, Any])
    except msgspec.DecodeError:
        return None
