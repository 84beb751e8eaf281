"""Writing records with few calls, each record exactly once (PUSH-3, PUSH-4).

What is made has our own key in an external id field, and is written by `upsert`: sent twice it is there once. What is changed is changed to
the same twice. So a call that nobody knows the end of is sent again. Up to 200 records go in a collection, and up to five collections in
one composite call; thousands of one sort are uploaded as a table (`salesforce_ingest`). HTTP 200 says nothing of the rows: each has a
result of its own.

| what came back                                   | what follows                                                        |
|--------------------------------------------------|---------------------------------------------------------------------|
| row: success                                     | accepted                                                            |
| row: UNABLE_TO_LOCK_ROW and other passing things | sent again after a pause, three times; then postponed               |
| row: UNKNOWN_EXCEPTION, DUPLICATE_VALUE of a key | sent again once; what is there by then is accepted, else refused    |
| row: deleted or hidden                           | refused for good                                                    |
| row: anything else                               | refused with Salesforce's words                                     |
| collection: INVALID_FIELD                        | rows that name the field are refused, the others sent again         |
| collection: other refusals                       | halved, until one row is left to be refused                         |
| call: cut, time-out, 5xx beyond our patience     | halved; where nothing goes well, everything is postponed            |
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from adapters.crm.receipts import Ending
from adapters.crm.salesforce_ingest import Ingest, uploads
from adapters.crm.salesforce_parts import MOST_COLLECTIONS, Job, Result, Write, collections, judge
from adapters.crm.salesforce_reading import SalesforceReading
from adapters.crm.salesforce_session import SalesforceApi
from adapters.http import PATIENT, PUSHED_BACK, Patience
from adapters.http_messages import Answer, error_type
from adapters.http_trouble import Unanswered
from sync.errors import AccessDenied, ContractBroken, MarketsyncError, QuotaExhausted, Transient
from sync.push import Outcome

HEADERS = {
    "Sforce-Auto-Assign": "FALSE",  # else a change would hand the lead to somebody else, and write to them
    "Sforce-Duplicate-Rule-Header": "allowSave=true; includeRecordDetails=false; runAsCurrentUser=true",
}
_NO_COLUMN = re.compile(r"No such column '([^']+)'|Field name not found : (\S+)|'([^']+)' (?:does not exist|is not)", re.IGNORECASE)
_ENTITY = re.compile(r"(?:on entity '|on sobject of type )(\w+)", re.IGNORECASE)
_MOST_LOST = 8  # calls in a row of which nobody knows the end: then the CRM is unwell


class SalesforceWrites:
    """Writes records. `key_field`: the external id field that holds our keys. Thread-safe: what is under way lives in the call."""

    def __init__(
        self,
        api: SalesforceApi,
        reading: SalesforceReading,
        key_field: str,
        patience: Patience = PATIENT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.api = api
        self.reading = reading
        self.key_field = key_field
        self.patience = patience
        self.sleep = sleep
        self.ingest = Ingest(api, key_field, sleep)

    def perform(self, writes: Sequence[Write]) -> list[Ending]:
        """One ending per write, in the same order. Raises what time does not cure; what it may cure is postponed."""
        jobs = [Job(write) for write in writes]
        _Performance(self, jobs).run()
        return [job.ending or Ending(Outcome.POSTPONED) for job in jobs]

    def made_before(self, source: str, keys: Sequence[str]) -> dict[str, str]:
        """Our key → the CRM's id, of what is there. A few hundred keys per call."""
        found = self.reading.records(source, [self.key_field], self.key_field, keys)
        return {str(_get(one, self.key_field)).lower(): str(one["Id"]) for one in found}


class _Performance:
    """One `perform`: its jobs, and what is known of the CRM meanwhile."""

    def __init__(self, writes: SalesforceWrites, jobs: Sequence[Job]) -> None:
        self._writes = writes
        self._jobs = jobs
        self._stopped: Transient | None = None
        self._suspects: list[tuple[Job, Unanswered]] = []
        self._lost_in_a_row = 0
        self._went_well = False

    def run(self) -> None:
        try:
            self._take_those_there([job for job in self._jobs if job.write.doubtful])
            for group in list(uploads([job for job in self._jobs if job.ending is None])):
                for job, result in self._writes.ingest.results(group):
                    self._went_well = True
                    judge(job, result)
            chunks = list(collections([job for job in self._jobs if job.ending is None]))
            for first in range(0, len(chunks), MOST_COLLECTIONS):
                self._send(chunks[first : first + MOST_COLLECTIONS])
            self._take_those_there([job for job in self._jobs if job.ending and job.ending.doubtful])
        except Transient as trouble:
            self._stopped = trouble
        for job, failure in self._suspects:
            # One that was alone in its batch is refused for an error of the server, since nothing else can tell.
            if self._went_well or (failure.status and len(self._jobs) == 1):
                job.ending = Ending(Outcome.REFUSED, f"the CRM fails on this record: {failure.what}")
            else:
                self._stopped = self._stopped or failure
        for job in self._jobs:
            job.ending = job.ending or Ending(Outcome.POSTPONED, trouble=self._stopped)

    def _send(self, chunks: list[list[Job]]) -> None:
        """Until each of these has its ending, or the CRM can't be worked with now."""
        attempt = 1
        while chunks and self._stopped is None:
            try:
                answers = self._ask(chunks)
            except Unanswered as trouble:
                self._lost(chunks, trouble)
                return
            self._lost_in_a_row = 0
            left: list[list[Job]] = []
            for chunk, answer in zip(chunks, answers, strict=True):
                again = self._read(chunk, answer)
                left += [again] if again else []
            chunks = left
            if chunks and not self._pause(attempt):
                return
            attempt += 1

    def _ask(self, chunks: Sequence[Sequence[Job]]) -> list[Answer]:
        """One call; → an answer for each collection, as if it had been a call of its own."""
        api, key = self._writes.api, self._writes.key_field
        bodies = [{"allOrNone": False, "records": [job.write.record(key) for job in chunk]} for chunk in chunks]
        if len(chunks) == 1:
            told: dict[str, Any] = {"payload": bodies[0], "headers": HEADERS, "tolerant": True}
            return [api.call("PATCH", _place(chunks[0], key), subject=_subject(chunks), **told)]
        parts = [
            {
                "method": "PATCH",
                "url": f"/services/data/{api.wire.version}/{_place(chunk, key)}",
                "referenceId": f"part{number}",
                "httpHeaders": HEADERS,
                "body": body,
            }
            for number, (chunk, body) in enumerate(zip(chunks, bodies, strict=True))
        ]
        answer = api.call("POST", "composite", subject=_subject(chunks), payload={"allOrNone": False, "compositeRequest": parts})
        return _parts(answer, len(chunks), f"connector {api.wire.connector}, {_subject(chunks)}")

    def _read(self, chunk: list[Job], answer: Answer) -> list[Job]:
        """Gives endings; → the jobs that are worth another try."""
        if answer.status != 200:
            return self._refuse_or_split(chunk, answer)
        try:
            results = msgspec.json.decode(answer.body, type=list[Result])
        except msgspec.DecodeError:
            results = []
        if len(results) != len(chunk):
            where = f"connector {self._writes.api.wire.connector}, {_subject([chunk])}"
            raise ContractBroken(f"{len(chunk)} records were sent and {len(results)} results came", where=where)
        self._went_well = True
        return [job for job, result in zip(chunk, results, strict=True) if judge(job, result)]

    def _refuse_or_split(self, chunk: list[Job], answer: Answer) -> list[Job]:
        """A collection that was refused as a whole: nothing of it was written."""
        api = self._writes.api
        if issubclass(error_type(answer.status), Transient):
            return chunk
        trouble = api.wire.error(answer, user=api.session.user, subject=_subject([chunk]))
        if isinstance(trouble, QuotaExhausted):
            raise trouble
        if isinstance(trouble, AccessDenied):
            todo = "have an administrator of the CRM make it: docs/crm-objects.md says how, and `marketsync check` what is missing"
            raise AccessDenied(trouble.what, where=trouble.where, todo=todo)
        named = {name.lower() for found in _NO_COLUMN.findall(trouble.what) for name in found if name}
        self._refuse_missing_key(named, trouble)
        entity = {name.lower() for name in _ENTITY.findall(trouble.what)}
        guilty = [
            job
            for job in chunk
            if named & {name.lower() for name in job.write.values} and (not entity or job.write.source.lower() in entity)
        ]
        for job in guilty:
            job.ending = Ending(Outcome.REFUSED, trouble.what)
        left = [job for job in chunk if job.ending is None]
        if guilty or not left:
            return left
        if len(left) == 1:
            left[0].ending = Ending(Outcome.REFUSED, trouble.what)
            return []
        middle = len(left) // 2
        self._send([left[:middle]])
        self._send([left[middle:]])
        return []

    def _refuse_missing_key(self, named: set[str], trouble: MarketsyncError) -> None:
        if self._writes.key_field.lower() in named:
            todo = f"have an administrator of the CRM make the external id field {self._writes.key_field}: docs/crm-objects.md says how"
            raise AccessDenied(trouble.what, where=trouble.where, todo=todo)

    def _lost(self, chunks: list[list[Job]], trouble: Unanswered) -> None:
        """Nobody knows what became of this call, and it was sent more than once: a record in it may be what the CRM fails on."""
        self._lost_in_a_row += 1
        if trouble.unsent or trouble.status in PUSHED_BACK or self._lost_in_a_row > _MOST_LOST:
            self._stopped = trouble
            return
        if len(chunks) > 1:
            for chunk in chunks:
                self._send([chunk])
            return
        (chunk,) = chunks
        if len(chunk) == 1:
            self._suspects.append((chunk[0], trouble))
            return
        middle = len(chunk) // 2
        self._send([chunk[:middle]])
        self._send([chunk[middle:]])

    def _pause(self, attempt: int) -> bool:
        if attempt >= self._writes.patience.attempts:
            where = f"connector {self._writes.api.wire.connector}"
            self._stopped = self._stopped or Transient("the CRM is too busy to take records", where=where)
            return False
        self._writes.sleep(min(self._writes.patience.longest_s, self._writes.patience.first_s * 2 ** (attempt - 1)))
        return True

    def _take_those_there(self, jobs: Sequence[Job]) -> None:
        """Accepts what was made after all. Raises Transient when the CRM can't be asked."""
        made = [job for job in jobs if job.write.creates]
        for source in dict.fromkeys(job.write.source for job in made):
            ours = [job for job in made if job.write.source == source]
            there = self._writes.made_before(source, [job.write.key for job in ours])
            for job in ours:
                if (crm_id := there.get(job.write.key.lower())) is not None:
                    job.ending = Ending(Outcome.ACCEPTED, crm_id=crm_id)


class _Part(msgspec.Struct, rename="camel"):
    body: msgspec.Raw
    http_status_code: int


class _Composite(msgspec.Struct, rename="camel"):
    composite_response: list[_Part]


def _parts(answer: Answer, expected: int, where: str) -> list[Answer]:
    try:
        parts = msgspec.json.decode(answer.body, type=_Composite).composite_response
    except msgspec.DecodeError:
        parts = []
    if len(parts) != expected:
        raise ContractBroken(f"a composite call of {expected} parts was answered with {len(parts)}", where=where)
    return [Answer(part.http_status_code, answer.headers, bytes(part.body)) for part in parts]


def _place(chunk: Sequence[Job], key_field: str) -> str:
    first = chunk[0].write
    return f"composite/sobjects/{first.source}/{key_field}" if first.creates else "composite/sobjects"


def _subject(chunks: Sequence[Sequence[Job]]) -> str:
    return f"writing {', '.join(dict.fromkeys(job.write.source for chunk in chunks for job in chunk))}"


def _get(record: dict[str, Any], name: str) -> Any:
    return next((value for key, value in record.items() if key.lower() == name.lower()), None)
