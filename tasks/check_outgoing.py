"""The gate over one batch that waits to be sent: before it, the CRM hears of nothing (GATE-1)."""

from __future__ import annotations

from prefect import task

from adapters.market.held_back import held_back
from adapters.staging import Parcel, outgoing
from sync.gate import BatchContext, Verdict
from sync.mapping import combine
from sync.outgoing import WRITES_FIELDS
from sync.pushed_fields import pushed_rows
from sync.records import Kind, ParcelRef, RunRef
from sync.stock_mappings import STOCK_MAPPINGS
from tasks.check import judge_parcel
from tasks.progress import Step, tell
from tasks.report import report_path
from tasks.wiring import RETRY, installation, open_crm, settings_of

_NOTHING_TO_FIT = frozenset({Kind.OPT_OUT, Kind.SCORE})  # no text of ours gets there, and an opt-out does not wait for a description


@task(name="check outgoing", task_run_name="check {ref.kind.plural} for {run.connector}", **RETRY)
def check_outgoing(run: RunRef, ref: ParcelRef) -> int:
    """Runs the checks and sets aside the rows that fail; → how many. Raises GateRejected when the whole batch is bad: nothing of it may
    be sent, and all of its rows go on waiting (GATE-3)."""
    with installation(run.config).parcels.open(ref) as parcel:
        tell(Step(run.run_id, ref.kind.value, "check", 0, None))
        if ref.kind not in _NOTHING_TO_FIT:
            _ask_limits(run, parcel)
        verdict = check_parcel_of_outgoing(run, parcel)
        tell(Step(run.run_id, ref.kind.value, "check", verdict.staged_rows, verdict.staged_rows, ended=True))
    if not verdict.passed:
        raise verdict.rejection(str(report_path(run)))
    return verdict.held_rows


def _ask_limits(run: RunRef, parcel: Parcel) -> None:
    """What the CRM takes at the place where this kind lands, as far as it says so."""
    kind, crm = parcel.ref.kind, open_crm(run.config, run.connector)
    outgoing.forget_limits(parcel)
    if kind in WRITES_FIELDS:
        for record in outgoing.record_kinds(parcel):
            required = crm.required(record) & _written_fields(run) if record is Kind.NEW_LEAD else ()
            outgoing.keep_limits(parcel, crm.limits(record), crm.choices(record, outgoing.names(parcel)), required, of=record)
    else:
        outgoing.keep_limits(parcel, crm.limits(kind), {})


def _written_fields(run: RunRef) -> frozenset[str]:
    """What a new lead gets from us. What the CRM demands beyond that nobody here can give."""
    connector = settings_of(run)
    mapping = combine(STOCK_MAPPINGS[connector.crm], connector.own_rows)
    return frozenset(row.field for row in pushed_rows(connector.create_as, mapping, creates=True))


def check_parcel_of_outgoing(run: RunRef, parcel: Parcel) -> Verdict:
    """The verdict by the limits that the parcel keeps; it is also this batch's part of the report."""
    from expectations.outgoing_rules import outgoing_rules

    verdict = judge_parcel(run, parcel, _context(run, parcel), outgoing_rules(parcel.ref.kind))
    if verdict.passed:
        parcel.tell("state", outgoing.CHECKED)
    return verdict


def _context(run: RunRef, parcel: Parcel) -> BatchContext:
    """What was held at an earlier attempt is tried again on its own, and says nothing about the batch then."""
    home = installation(run.config)
    limits = home.settings.gate
    before = held_back(home.market.database, outgoing.outbox_ids(parcel))
    return BatchContext(
        connector=run.connector,
        kind=parcel.ref.kind,
        parcel_id=parcel.ref.parcel_id,
        columns={},
        rows_read=parcel.rows(),
        known_rows=0,
        previous_rows=None,
        max_held_share=limits.max_held_share,
        mass_blanking_share=limits.mass_blanking_share,
        collapse_share=limits.collapse_share,
        min_rows_for_share=limits.min_rows_for_share,
        held_before=frozenset(map(str, before)),
    )
