"""A run that is retried (FLOW-3): finished steps are not repeated, unless what they left is gone or was refused since.

Prefect hands a retried run the results of the steps that it finished. What a reading step left lies in a parcel, and a parcel may be lost
to the run by then: the gate rejected it, or another run came by, committed or dropped it, and perhaps left one of its own in its place.
Such a step is done again, so that corrections made in the CRM are seen; a parcel that this very run is through with is no loss.
"""

from __future__ import annotations

import json
from pathlib import Path

from prefect.runtime import flow_run

from sync.disk import disk_errors
from sync.records import ParcelRef, RunRef
from tasks.check import REJECTED
from tasks.report import forget_part, forget_rejected
from tasks.wiring import Installation, installation

_FINISHED = "finished.txt"


def is_rerun() -> bool:
    """Whether the flow run at work was begun before. Without Prefect's engine none was."""
    return (flow_run.run_count or 0) > 1


def begin_again(run: RunRef) -> None:
    """What the gate said of batches that are read afresh is no part of the report any more."""
    if is_rerun():
        forget_rejected(run)


def note_finished(run: RunRef, ref: ParcelRef) -> None:
    """This run is through with the parcel, which is about to go. Of one that is committed Market itself says so."""
    with disk_errors(f"run {run.run_id}"), _path(installation(run.config), run).open("a", encoding="utf-8") as file:
        file.write(json.dumps(ref.parcel_id) + "\n")


def is_lost(run: RunRef, ref: ParcelRef | None) -> bool:
    """Whether a parcel that an earlier try of this run read has to be read afresh. Asked in a rerun only; then its report forgets it."""
    if ref is None or not is_rerun():
        return False
    home = installation(run.config)
    if _is_finished(home, run, ref) or _is_there(home, ref):
        return False
    forget_part(run, ref)
    return True


def _is_finished(home: Installation, run: RunRef, ref: ParcelRef) -> bool:
    path = _path(home, run)
    noted = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return json.dumps(ref.parcel_id) in noted or home.market.cursors.is_committed(ref.parcel_id, by=run.run_id)


def _is_there(home: Installation, ref: ParcelRef) -> bool:
    """One that was rejected in a run that died before it could set it aside is set aside now."""
    if not home.parcels.is_open(ref):
        return False
    with home.parcels.open(ref) as parcel:
        same, rejected = parcel.told("parcel_id") == ref.parcel_id, parcel.told("state") == REJECTED
    if same and rejected:
        home.parcels.keep_aside(ref, REJECTED)
    return same and not rejected


def _path(home: Installation, run: RunRef) -> Path:
    return home.run_dir(run.run_id) / _FINISHED
