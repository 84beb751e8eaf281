"""The reconciliation without Prefect's engine: the flow's own functions, whose tasks are called as plain functions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import flows.changes
import flows.pull
import flows.reconcile
from sync.reconciled import Compared
from sync.records import Kind, ParcelRef, RunRef
from tasks.check import check
from tasks.commit import commit
from tasks.plan import plan
from tasks.reconcile import choose_slices
from tasks.reconciled import compared_of
from tests.core_road import without_engine
from tests.pull_road import PullRoad

_numbers = itertools.count(1)
_FLOWS = (flows.reconcile, flows.changes, flows.pull)


def new_run(road: PullRoad) -> RunRef:
    return replace(road.run, run_id=f"reconciliation-{next(_numbers)}", flow="reconciliation")


def reconcile(
    road: PullRoad, schema: str, kinds: Sequence[Kind] = (Kind.CONTACT,), most: int | None = None, *, gate: bool = False
) -> dict[Kind, Compared]:
    """All slices, or the first `most` of them; what vanished waits to be removed. → what was found, by kind. Without the gate: see
    `without_engine`."""
    run = new_run(road)
    with without_engine(_FLOWS, gate=gate):
        for one in choose_slices.fn(run, tuple(kinds))[:most]:
            flows.reconcile._compare(run, one, schema)
    return {each.kind: each for each in compared_of(road.config, run.run_id)}


def bring_in(run: RunRef, ref: ParcelRef) -> None:
    plan.fn(run, ref)
    check.fn(run, ref)
    commit.fn(run, ref, False)
