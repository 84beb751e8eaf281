"""The flows that only push. What pushing takes is loaded when something waits: most of their runs find nothing (FLOW-4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prefect.artifacts import create_markdown_artifact

from sync.errors import InitialSyncMissing
from sync.records import Kind, RunRef
from tasks.idle import ended_idle, may_follow, nothing_waited, only_run
from tasks.pulse import artifact_key
from tasks.wiring import now


def push_only(run: RunRef, kinds: Sequence[Kind]) -> str:
    """A flow that does nothing else than to push these kinds, in this order. → the id of the run.

    Nothing waits: one query, a pulse and an artifact that says so.
    """
    with only_run(run):
        started_at = now()
        try:
            may_follow(run)
            said = ended_idle(run, kinds, started_at)
            if said is None:
                _push(run, kinds, started_at)
        except InitialSyncMissing:  # nothing has begun, and every two minutes a report would say so
            raise
        except BaseException as error:
            from tasks.verify import report_failure

            report_failure(run, started_at, error)
            raise
        if said is None:
            _close(run, started_at)
        else:
            create_markdown_artifact(said, key=artifact_key(run), description=said)
    return run.run_id


def _push(run: RunRef, kinds: Sequence[Kind], started_at: datetime) -> None:
    from flows.push import push
    from tasks.runs import begin_following
    from tasks.shown import progress_shown

    begin_following(run)
    with progress_shown(run):
        push(run, kinds, started_at)


def _close(run: RunRef, started_at: datetime) -> None:
    from tasks.verify import close_following

    close_following(run, started_at, idle=nothing_waited(run.connector))
