"""The reconciliation without Prefect's engine: choose → per slice extract, compare, bring in, look for what did not come, settle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from sync.reconciled import Compared
from sync.records import Kind, ParcelRef, RunRef
from sync.slices import Slice
from tasks.check import check
from tasks.commit import commit
from tasks.plan import plan
from tasks.reconcile import choose_slices, compare_slice, extract_slice, extract_unread, note_absent, settle_slice
from tasks.reconciled import compared_of
from tests.pull_road import PullRoad

_numbers = itertools.count(1)


def new_run(road: PullRoad) -> RunRef:
    return replace(road.run, run_id=f"reconciliation-{next(_numbers)}", flow="reconciliation")


def reconcile(road: PullRoad, schema: str, kinds: Sequence[Kind] = (Kind.CONTACT,), most: int | None = None) -> dict[Kind, Compared]:
    """A whole run, or the first `most` slices of it, as `flows.reconcile` does it. → what was found, by kind."""
    run = new_run(road)
    for one in choose_slices.fn(run, tuple(kinds))[:most]:
        compare(road, run, one, schema)
    return {each.kind: each for each in compared_of(road.config, run.run_id)}


def compare(road: PullRoad, run: RunRef, one: Slice, schema: str) -> None:
    ref = extract_slice.fn(run, one, schema)
    compared = compare_slice.fn(run, one, ref)
    refs = []
    if not compared.alike:
        bring_in(run, ref)
        refs.append(ref)
    if compared.unread:
        named = extract_unread.fn(run, one, schema, compared.unread)
        note_absent.fn(run, one, named, schema, compared.unread)
        bring_in(run, named)
        refs.append(named)
    settle_slice.fn(run, one, compared, tuple(refs))


def bring_in(run: RunRef, ref: ParcelRef) -> None:
    plan.fn(run, ref)
    check.fn(run, ref)
    commit.fn(run, ref, False)
