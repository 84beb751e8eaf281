"""How far a run has come, as a bar on its page in the Prefect UI. A run that is over within seconds has none.

A thread of its own tells the server, every few seconds and only when there is news, so that the steps wait for nobody.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate

from sync.how_far import HowFar
from sync.records import Kind, RunRef
from tasks.engine import shows_runs
from tasks.progress import Step, listening
from tasks.pulse import artifact_key

BEGINS_S = 5.0
EVERY_S = 3.0


@contextmanager
def progress_shown(run: RunRef) -> Iterator[None]:
    """Shows it while the block lasts, where a server has a UI."""
    if not shows_runs():
        yield
        return
    bar = _Bar(run)
    thread = threading.Thread(target=bar.keep, name="progress", daemon=True)
    with listening(bar.hear):
        thread.start()
        try:
            yield
        finally:
            bar.over.set()
            thread.join()


class _Bar:
    def __init__(self, run: RunRef) -> None:
        self._run = run
        self._logger = get_run_logger()
        self._far = HowFar()
        self._lock = threading.Lock()
        self._told = ""
        self._id: UUID | None = None
        self.over = threading.Event()

    def hear(self, step: Step) -> None:
        with self._lock:
            self._far.hear(Kind(step.kind), step.verb, step.done, step.total, ended=step.ended)

    def keep(self) -> None:
        """A server that does not answer costs the bar and nothing else; the run's log says so."""
        if self.over.wait(BEGINS_S):
            return
        try:
            with get_client(sync_client=True) as client:
                while True:
                    self._tell(client)
                    if self.over.wait(EVERY_S):
                        self._tell(client)
                        return
        except httpx.HTTPError as error:
            self._logger.warning("how far the run has come is not shown any more: %s", type(error).__name__)

    def _tell(self, client: SyncPrefectClient) -> None:
        with self._lock:
            words, percent = self._far.words, self._far.percent
        if not words or words == self._told:
            return
        if self._id is None:
            made = ArtifactCreate(
                key=artifact_key(self._run, "progress"),
                type="progress",
                data=percent,
                description=words,
                flow_run_id=UUID(self._run.run_id),
            )
            self._id = client.create_artifact(made).id
        else:
            client.update_artifact(self._id, ArtifactUpdate(data=percent, description=words))
        self._told = words
