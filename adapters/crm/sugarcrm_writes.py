"""Writing records with few calls, each record exactly once (PUSH-3, PUSH-4).

Records are written in `POST bulk` calls. The call as a whole says nothing of its parts: each is read by itself. What is made has an id that
was chosen before, so that nothing is ever made twice: where nobody knows what became of a call, the ids are looked up (deleted records
too), what is there is taken as done, and the rest is sent again. A record that brings every call down with it is found by halving.

| what came back                                  | what follows                                                                 |
|-------------------------------------------------|------------------------------------------------------------------------------|
| part: 200 with a record                         | accepted                                                                     |
| part: 401                                       | the session is renewed, the part sent again                                  |
| part: 429, 503                                  | sent again after a pause; in the end postponed                               |
| part: 500 and others, or a page for people      | looked up if it was to be made, sent again once, then refused                |
| part: 409 where a version was named             | conflict: the caller reads again                                             |
| part: any other refusal                         | refused with label and text; a record to be made that is there is accepted   |
| call: connection cut, time-out, broken answer, 5xx | looked up, sent again; halved from the second time on                     |
| call: 429, 503, no connection                   | sent again after a pause; in the end everything that is left is postponed    |
| call: 413                                       | halved                                                                       |

A record is refused for bringing calls down only when the CRM was well afterwards, or before and until the end. Where no call goes well for
long, the CRM is taken for unwell and nobody is refused.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from adapters.crm.receipts import Ending
from adapters.crm.sugarcrm_bulk import tell
from adapters.crm.sugarcrm_lookup import those_there
from adapters.crm.sugarcrm_parts import Job, Write, chunks, judge
from adapters.crm.sugarcrm_session import SugarApi
from adapters.crm.sugarcrm_wire import TooLarge
from adapters.http import PATIENT, PUSHED_BACK, Patience
from adapters.http_trouble import Unanswered
from sync.errors import MarketsyncError, Transient
from sync.push import Outcome

SPLIT_AFTER = 2
SINGLE_TRIES = 3
_HALVINGS = 6  # of a full call, until one record is left


class SugarWrites:
    """Writes records in bulk. Thread-safe: what is under way lives in the call."""

    def __init__(self, api: SugarApi, patience: Patience = PATIENT, sleep: Callable[[float], None] = time.sleep) -> None:
        self.api = api
        self.patience = patience
        self.sleep = sleep

    def perform(self, writes: Sequence[Write]) -> list[Ending]:
        """One ending per write, in the same order. Raises what time does not cure; what it may cure is postponed."""
        jobs = [Job(write) for write in writes]
        _Performance(self, jobs).run()
        return [job.ending or Ending(Outcome.POSTPONED) for job in jobs]

    def pause(self, attempt: int, asked_s: float | None) -> bool:
        """Waits before the next attempt; False: there is none, or the CRM asks for more patience than we have."""
        if attempt >= self.patience.attempts or (asked_s or 0.0) > self.patience.longest_s:
            return False
        grown_s = min(self.patience.longest_s, self.patience.first_s * 2 ** (attempt - 1)) * random.uniform(0.5, 1.0)
        self.sleep(grown_s if asked_s is None else asked_s + random.uniform(0.0, min(1.0, grown_s)))
        return True


class _Performance:
    """One `perform`: its jobs, and what is known of the CRM meanwhile.

    `suspects` failed alone; a call that goes well afterwards proves that it was them and not the CRM.
    """

    def __init__(self, writes: SugarWrites, jobs: Sequence[Job]) -> None:
        self._writes = writes
        self._jobs = jobs
        self._stopped: Transient | None = None
        self._suspects: list[tuple[Job, Unanswered]] = []
        self._went_well = False
        self._in_a_row = 0

    def run(self) -> None:
        try:
            self._take_those_there([job for job in self._jobs if job.write.doubtful])
            for chunk in chunks([job for job in self._jobs if job.ending is None]):
                self._send(chunk)
            self._take_those_there([job for job in self._jobs if job.ending and job.ending.doubtful])
        except Transient as trouble:
            self._stopped = trouble
        self._confirm(surely=self._went_well and self._stopped is None)
        for job in self._jobs:
            job.ending = job.ending or Ending(Outcome.POSTPONED, trouble=self._stopped)

    def _send(self, jobs: Sequence[Job]) -> None:
        """Until each of these has its ending, or the CRM can't be worked with now."""
        attempt, waiting = 1, list(jobs)
        while waiting and self._stopped is None:
            asked_s: float | None = None
            try:
                asked_s = self._ask(waiting)
                waiting = [job for job in waiting if job.ending is None]
                self._take_those_there([job for job in waiting if job.failures])
            except TooLarge as trouble:
                self._halve_or_refuse(waiting, trouble)
                return
            except Unanswered as trouble:
                if self._lost(waiting, trouble, attempt):
                    return
                asked_s = trouble.retry_after_s
            waiting = [job for job in waiting if job.ending is None]
            if waiting and not self._pause(waiting, attempt, asked_s):
                return
            attempt += 1

    def _ask(self, jobs: Sequence[Job]) -> float | None:
        """One call; → how long a part that was too busy asks to wait."""
        session = self._writes.api.session
        token = session.token()
        parts = tell(self._writes.api, [job.write.request() for job in jobs], subject=_subject(jobs))
        self._in_a_row = 0
        self._confirm(surely=True)
        self._went_well = True
        pauses = [judge(job, part) for job, part in zip(jobs, parts, strict=True)]
        if any(part.status == 401 for part in parts):
            session.renew(token)
        return max((pause for pause in pauses if pause is not None), default=None)

    def _lost(self, jobs: list[Job], trouble: Unanswered, attempt: int) -> bool:
        """Nobody knows what became of this call; → whether these jobs are settled or given up."""
        self._in_a_row += 1
        most = self._writes.patience.attempts
        if trouble.unsent or self._in_a_row > SPLIT_AFTER * _HALVINGS + 4 * most:
            self._stopped = trouble
            return True
        if trouble.status in PUSHED_BACK:
            return False
        self._take_those_there(jobs)
        left = [job for job in jobs if job.ending is None]
        if len(left) > 1 and attempt >= SPLIT_AFTER:
            self._halve(left)
            return True
        if len(left) == 1 and attempt >= (most if len(self._jobs) == 1 else min(SINGLE_TRIES, most)):
            self._suspects.append((left[0], trouble))
            return True
        return False

    def _pause(self, jobs: Sequence[Job], attempt: int, asked_s: float | None) -> bool:
        if self._writes.pause(attempt, asked_s):
            return True
        where = f"connector {self._writes.api.wire.connector}, {_subject(jobs)}"
        self._stopped = self._stopped or Transient("the CRM is too busy to take records", where=where, retry_after_s=asked_s)
        return False

    def _halve_or_refuse(self, jobs: Sequence[Job], trouble: MarketsyncError) -> None:
        if len(jobs) > 1:
            self._halve(jobs)
        else:
            jobs[0].ending = Ending(Outcome.REFUSED, trouble.what, final=True)

    def _halve(self, jobs: Sequence[Job]) -> None:
        middle = len(jobs) // 2
        self._send(jobs[:middle])
        self._send(jobs[middle:])

    def _confirm(self, *, surely: bool) -> None:
        """The suspects are refused when the CRM is otherwise well. One that was alone in its batch is refused for an error of the server,
        since nothing else can tell; not for a connection that does not hold."""
        for job, trouble in self._suspects:
            if surely or (trouble.status and len(self._jobs) == 1):
                job.ending = Ending(Outcome.REFUSED, f"the CRM fails on this record: {trouble.what}")
            else:
                self._stopped = self._stopped or trouble
        self._suspects.clear()

    def _take_those_there(self, jobs: Sequence[Job]) -> None:
        """Accepts what was made after all. Raises Transient when the CRM can't be asked."""
        made = [job for job in jobs if job.write.creates]
        for module in dict.fromkeys(job.write.module for job in made):
            ours = [job for job in made if job.write.module == module]
            there = those_there(self._writes.api, module, [job.write.crm_id for job in ours])
            for job in ours:
                if job.write.crm_id in there:
                    job.ending = Ending(Outcome.ACCEPTED, crm_id=job.write.crm_id)


def _subject(jobs: Sequence[Job]) -> str:
    return f"writing {', '.join(dict.fromkeys(job.write.module for job in jobs))}"
