"""Bulk jobs of an org: their states, and what the control API can do to them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.clock import Clock
from adapters.sandbox.salesforce.bulk_file import CsvFile
from adapters.sandbox.salesforce.errors import ApiError, not_found
from adapters.sandbox.salesforce.ids import numbered, whole
from adapters.sandbox.salesforce.instants import literal, spoken

DAY_S = 86_400
KEPT_DAYS = 7
ENDED = ("JobComplete", "Failed", "Aborted")


@dataclass
class Job:
    """One job. `told`: what was asked for, as answers repeat it; `polls`: how often its state was asked; `due`: its work is done."""

    id: str
    sort: str
    version: str
    by: str
    made_at: float
    told: dict[str, Any]
    state: str
    error: str | None = None
    polls: int = 0
    processed: int = 0
    failed: int = 0
    due: bool = False
    ends: str = "JobComplete"
    file: CsvFile | None = None
    upload: bytes | None = None
    results: dict[str, bytes] = field(default_factory=dict)

    def document(self, *, whole_story: bool) -> dict[str, Any]:
        """The answer to a question about a job; its creation tells less."""
        stamp = spoken(literal(self.made_at))
        found: dict[str, Any] = {
            "id": self.id,
            **self.told,
            "createdById": self.by,
            "createdDate": stamp,
            "systemModstamp": stamp,
            "state": self.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(self.version[1:]),
        }
        if not whole_story:
            return found
        found |= {"jobType": "V2Query" if self.sort == "query" else "V2Ingest", "retries": 0, "totalProcessingTime": self.processed // 100}
        if self.sort == "query":
            found |= {"isPkChunkingSupported": self.told.get("object") in ("Account", "Contact", "Lead", "Opportunity", "Task", "Campaign")}
        else:
            found |= {"apiActiveProcessingTime": 0, "apexProcessingTime": 0, "numberRecordsFailed": self.failed}
        if self.sort == "ingest" or self.state == "JobComplete":
            found["numberRecordsProcessed"] = self.processed
        if self.error:
            found["errorMessage"] = self.error
        return found


@dataclass
class Plot:
    """What the control API has in store for the next jobs: how often they say InProgress, and how they end."""

    slow_polls: int = 0
    ends: list[tuple[str, str | None]] = field(default_factory=list)


class Bulk:
    """All jobs; whoever calls holds the database's lock. Long work is done by threads of its own."""

    def __init__(self, clock: Clock, query_jobs: int) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self.jobs: dict[str, Job] = {}
        self.plot = Plot()
        self.query_jobs = query_jobs
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._ready: dict[Any, CsvFile] = {}

    def create(self, sort: str, version: str, by: str, told: dict[str, Any]) -> Job:
        """A new job; raises ApiError LIMIT_EXCEEDED."""
        if sort == "query" and self.queries_today() >= self.query_jobs:
            raise ApiError("LIMIT_EXCEEDED", f"Max bulk v2 query jobs ({self.query_jobs}) per 24 hrs has been exceeded for the org.")
        state = "UploadComplete" if sort == "query" else "Open"
        job = Job(numbered("750", next(self._numbers)), sort, version, by, self._clock.now(), told, state)
        if self.plot.ends:
            job.ends, job.error = self.plot.ends.pop(0)
        self.jobs[job.id] = job
        return job

    def queries_today(self) -> int:
        """Query jobs of the last 24 hours."""
        since = self._clock.now() - DAY_S
        return sum(1 for job in self.jobs.values() if job.sort == "query" and job.made_at > since)

    def need(self, sort: str, job_id: str) -> Job:
        """A job that is kept; raises ApiError NOT_FOUND."""
        job = self.jobs.get(whole(job_id))
        if job is None or job.sort != sort or self._clock.now() - job.made_at > KEPT_DAYS * DAY_S:
            raise not_found()
        return job

    def look(self, job: Job) -> None:
        """Somebody asks how a job is doing; asking may move it on."""
        if job.state not in ("UploadComplete", "InProgress"):
            return
        job.polls += 1
        job.state = "InProgress"
        if job.due and job.polls > self.plot.slow_polls:
            job.state = job.ends

    def abort(self, job: Job) -> None:
        """Stop a job that has not ended; raises ApiError."""
        if job.state in ENDED:
            raise ApiError("INVALIDJOBSTATE", f"Aborting already {job.state} Job not allowed")
        job.state = "Aborted"

    def delete(self, job: Job) -> None:
        """Forget a job; raises ApiError for one that is at work."""
        if job.state == "InProgress":
            raise ApiError("INVALIDJOBSTATE", "A job that is in progress can not be deleted")
        del self.jobs[job.id]
        self._drop(job.file)

    # -- work and files -----------------------------------------------------------------------------------------------

    def start(self, work: Callable[[], None]) -> None:
        """Do something long in a thread."""
        self._threads = [one for one in self._threads if one.is_alive()]
        thread = threading.Thread(target=work, name="salesforce-bulk", daemon=True)
        self._threads.append(thread)
        thread.start()

    def ready(self, key: Any) -> CsvFile | None:
        """The result of the same query, when nothing was written since."""
        return self._ready.get(key)

    def keep(self, key: Any, file: CsvFile) -> None:
        """Keep a result for the next one who asks the same; only the latest few are kept."""
        self._ready[key] = file
        while len(self._ready) > 4:
            self._drop(self._ready.pop(next(iter(self._ready))))

    def _drop(self, file: CsvFile | None) -> None:
        if file is not None and file not in self._ready.values() and all(job.file is not file for job in self.jobs.values()):
            file.close()

    def close(self) -> None:
        """Stop all work and remove all files."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()
        for file in {id(one): one for one in [*self._ready.values(), *(job.file for job in self.jobs.values())] if one}.values():
            file.close()
