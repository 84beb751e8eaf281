"""The push road: collect → check → send → settle, one kind after the other, opt-outs first (CONSENT-9), batch by batch.

A kind whose batch the gate stops, or that the CRM does not let us write, keeps no other kind back; the run fails at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import count

from flows.changes import read_again, read_back
from flows.rerun import reading
from sync.errors import AccessDenied, ContractBroken, GateRejected
from sync.records import Kind, RunRef
from tasks.check_outgoing import check_outgoing
from tasks.idle import count_waiting
from tasks.push import Batch, Pushed, collect, settle
from tasks.push_new_leads import Found, look_up_new_leads
from tasks.push_send import send
from tasks.runs import note_running, set_rejected_aside
from tasks.schema import schema_known

Stopped = GateRejected | AccessDenied | ContractBroken
_ENOUGH = 2


def push(run: RunRef, kinds: Sequence[Kind], started_at: datetime, turn: str = "") -> None:
    """Writes what waits of these kinds, in this order. Nothing waits: one query, and nothing else at all (FLOW-4).

    `turn` tells several turns of one run apart. Raises what stopped a kind, after all others had their turn.
    """
    stopped = push_as_far_as_possible(run, kinds, started_at, turn)
    if stopped is not None:
        raise stopped


def push_as_far_as_possible(run: RunRef, kinds: Sequence[Kind], started_at: datetime, turn: str = "") -> Stopped | None:
    """The same; → what stopped a kind, for a caller who has more to do before it raises it.

    A kind that the CRM had no time for may owe that to one record of it; after a second one in a row the CRM is left alone.
    """
    waiting = count_waiting(run, kinds)
    if not waiting:
        return None
    note_running(run, started_at)
    stopped: list[Stopped] = []
    cut_short = 0
    left = [kind for kind in kinds if kind in waiting]
    while left and cut_short < _ENOUGH:
        kind = left.pop(0)
        try:
            has_time = _push_kind(run, kind, f"{turn}{kind.plural}", started_at)
            cut_short = 0 if has_time else cut_short + 1
        except (GateRejected, AccessDenied, ContractBroken) as error:
            stopped.append(error)
        if kind is Kind.NEW_LEAD:  # whoever has a record now: what they did can follow, and an opt-out that the match queued goes first
            waiting, turn = count_waiting(run, kinds), f"{turn}then-"
            left = [each for each in kinds if each in waiting and each is not kind]
    return stopped[0] if stopped else None


def _push_kind(run: RunRef, kind: Kind, turn: str, started_at: datetime) -> bool:
    """→ whether the CRM has time for other kinds."""
    for number in count(1):
        step = f"{turn}-{number}".replace(" ", "-")
        batch = reading(collect, run, kind, step, _adopt(run, step, started_at) if kind is Kind.NEW_LEAD else None)
        if batch is None:
            return True
        pushed = _push_batch(run, batch)
        for record_kind, ids in pushed.written:
            read_back(run, record_kind, f"written-with-{step}", schema_known(run), ids, started_at)
        if pushed.cut_short:
            return False
        if not batch.full:
            return True
    raise AssertionError("counting has no end")


def _adopt(run: RunRef, step: str, started_at: datetime) -> Found:
    """Who is to be created and is in the CRM already is matched by the rules of the pull (MATCH-10)."""
    found = look_up_new_leads(run, step)
    for kind, ids in found.records:
        read_again(run, kind, f"found-for-{step}", schema_known(run), ids, started_at)
    return found


def _push_batch(run: RunRef, batch: Batch) -> Pushed:
    try:
        check_outgoing(run, batch.ref)
    except GateRejected:
        set_rejected_aside(run, batch.ref)
        raise
    send(run, batch)
    return settle(run, batch)
