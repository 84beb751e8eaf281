"""Schema first: what the CRM describes becomes columns, and a list of what to read (INIT-2); later only what changed (PULL-4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from prefect import task

from adapters.market.books import Run
from adapters.market.columns import CatalogueEntry
from adapters.market.described import Following, SchemaState
from adapters.market.engine import Market
from adapters.staging.parcel import reading_from_dict, reading_to_dict
from sync.column_plan import ColumnPlan, plan_columns
from sync.custom_objects import mapping_of
from sync.disk import disk_errors
from sync.drift import (
    ACTIVE,
    FieldChange,
    KnownField,
    compare_fields,
    compare_own_columns,
    is_replicated,
    own_side,
    readings_to_fill,
    refuse_loss,
)
from sync.fields import ObjectSchema, Reading
from sync.filters import refuse_impossible_filters
from sync.mapping import readings
from sync.records import Finding, Kind, RunRef
from sync.settings import ConnectorSettings
from tasks.report import note_findings
from tasks.wiring import RETRY, installation, now, open_crm, settings_of

_SCHEMA = "schema.json"

Readings = Mapping[Kind, tuple[Reading, ...]]


@task(name="replicate schema", task_run_name="replicate schema of {run.connector}", **RETRY)
def replicate_schema(run: RunRef) -> str:
    """Makes the columns that the CRM's fields need; returns the file, relative to the data directory, that says what to read per kind."""
    state = installation(run.config).market.described.read(run.connector)
    return _keep(run, _replicate(run, _fingerprint(run), state))


@task(name="follow schema", task_run_name="follow schema of {run.connector}", **RETRY)
def follow_schema(run: RunRef) -> str:
    """PULL-4, FLOW-4: asks the CRM for one fingerprint. Only when that or our own mapping changed, everything is described and followed.

    Returns what `replicate_schema` returns. Raises AccessDenied when a field is gone without which nothing can be read safely.
    """
    state = installation(run.config).market.described.read(run.connector)
    seen = _fingerprint(run)
    if state is not None and state.fingerprint == seen:
        return _keep(run, state.readings)
    return _keep(run, _replicate(run, seen, state))


def schema_known(run: RunRef) -> str:
    """What `follow_schema` returns, without a call: the fields as this run or the last one found them."""
    home = installation(run.config)
    path = home.run_dir(run.run_id) / _SCHEMA
    if path.exists():
        return str(path.relative_to(home.data_dir))
    state = home.market.described.read(run.connector)
    return _keep(run, _replicate(run, _fingerprint(run), None) if state is None else state.readings)


def _fingerprint(run: RunRef) -> str:
    """Asked for before the description: what changes in between is seen by the next run."""
    connector = settings_of(run)
    kinds = connector.kinds()
    ours = own_side(kinds, mapping_of(connector), connector.filters)
    return f"{open_crm(run.config, run.connector).fingerprint(kinds)} {ours}"


def _keep(run: RunRef, told: str) -> str:
    """A file of this run, so that a run that is still at work goes on with the schema that it began with."""
    home = installation(run.config)
    path = home.run_dir(run.run_id) / _SCHEMA
    with disk_errors(f"connector {run.connector}, schema"):
        path.write_text(told, encoding="utf-8")
    return str(path.relative_to(home.data_dir))


@dataclass(frozen=True, slots=True)
class _Description:
    """One description of the CRM, beside what Market knew before it. `before`: the readings of the last one, if that is known."""

    run: RunRef
    described: Mapping[Kind, ObjectSchema]
    known: Mapping[Kind, tuple[CatalogueEntry, ...]]
    plans: Mapping[str, ColumnPlan]
    before: Readings

    @property
    def after(self) -> Readings:
        return {kind: found for plan in self.plans.values() for kind, found in plan.readings.items()}


def _replicate(run: RunRef, seen: str, state: SchemaState | None) -> str:
    """Describes, compares, and writes all that follows from it in one transaction. → the readings as JSON."""
    home, connector = installation(run.config), settings_of(run)
    kinds = connector.kinds()
    described = open_crm(run.config, run.connector).describe(kinds)
    refuse_impossible_filters(run.connector, connector.filters, described)
    known = {kind: home.market.columns.entries(run.connector, kind) for kind in kinds}
    tables = dict.fromkeys(kind.table for kind in kinds)
    plans = {table: _plan_table(home.market, connector, table, described, known) for table in tables}
    new = _Description(run, described, known, plans, _parsed(state.readings) if state else {})
    for kind, found in new.after.items():
        refuse_loss(kind, new.before.get(kind, ()), found)
    changes = {kind: _changes(new, kind) for kind in kinds}
    told = json.dumps({kind.value: [reading_to_dict(reading) for reading in found] for kind, found in new.after.items()})
    _tell(run, _findings(new, changes))
    home.market.described.follow(run.connector, _following(home.market, new, changes, SchemaState(seen, told)), now())
    return told


def _tell(run: RunRef, findings: list[Finding]) -> None:
    """Before anything is written: what is told twice does no harm. A run that has this to tell is one that did something (FLOW-4)."""
    runs = installation(run.config).market.runs
    note_findings(run, findings)
    if findings and runs.get(run.run_id) is None:
        runs.start(Run(run.run_id, run.flow, run.connector, now()))


def _plan_table(
    market: Market,
    connector: ConnectorSettings,
    table: str,
    described: Mapping[Kind, ObjectSchema],
    known: Mapping[Kind, tuple[CatalogueEntry, ...]],
) -> ColumnPlan:
    """Leads and contacts are planned together, because they share a table (INIT-2)."""
    rows = mapping_of(connector)
    kinds = [kind for kind in described if kind.table == table]
    columns = {kind: {entry.crm_field: entry.column for entry in known[kind]} for kind in kinds}
    wanted = {kind: readings(kind, described[kind], rows, known=columns[kind]) for kind in kinds}
    return plan_columns(wanted, market.columns.types(table), columns)


def _changes(new: _Description, kind: Kind) -> tuple[FieldChange, ...]:
    catalogue = [KnownField(each.crm_field, each.column, each.type, each.crm_type, each.status) for each in new.known[kind]]
    clashes = new.plans[kind.table].clashes
    changes = compare_fields(kind, catalogue, new.after[kind], new.described[kind], clashes)
    return changes + (compare_own_columns(kind, new.before[kind], new.after[kind]) if kind in new.before else ())


def _findings(new: _Description, changes: Mapping[Kind, tuple[FieldChange, ...]]) -> list[Finding]:
    """Of a kind that comes down for the first time every field is new, and nobody has to be told."""
    return [
        Finding(kind, change.topic, change.message)
        for kind, found in changes.items()
        if new.known[kind] or kind in new.before
        for change in found
    ]


def _following(market: Market, new: _Description, changes: Mapping[Kind, tuple[FieldChange, ...]], state: SchemaState) -> Following:
    return Following(
        widen=[(table, each.column, each.new) for table, plan in new.plans.items() for each in plan.widen],
        entries=[
            CatalogueEntry(new.run.connector, kind, each.source, _crm_type(new.described[kind], each), kind.table, each.column, each.type)
            for kind, found in new.after.items()
            for each in found
            if is_replicated(kind, each)
        ],
        marks=[
            (kind, change.field, change.status, change.message)
            for kind, found in changes.items()
            for change in found
            if change.status != ACTIVE and all(change.field != each.source for each in new.after[kind] if is_replicated(kind, each))
        ],
        to_fill=list(_to_fill(market, new, changes)),
        sources={kind: {each.source for each in found} for kind, found in new.after.items()},
        state=state,
    )


def _to_fill(market: Market, new: _Description, changes: Mapping[Kind, tuple[FieldChange, ...]]) -> Iterator[tuple[Kind, str, str]]:
    """A kind that was never committed gets all its values when it is."""
    for kind, found in new.after.items():
        wanted = readings_to_fill(kind, new.before.get(kind), found, changes[kind])
        if wanted and market.cursors.read(new.run.connector, kind) is not None:
            by_field: dict[str, list[str]] = {}
            for each in wanted:
                by_field.setdefault(each.source, []).append(each.column)
            yield from ((kind, field, ", ".join(columns)) for field, columns in by_field.items())


def _crm_type(schema: ObjectSchema, reading: Reading) -> str:
    spec = schema.get(reading.source)
    return spec.crm_type if spec else ""


def _parsed(told: str) -> Readings:
    return {Kind(kind): tuple(reading_from_dict(each) for each in found) for kind, found in json.loads(told).items()}


def readings_of(run: RunRef, schema: str, kind: Kind) -> tuple[Reading, ...]:
    """What `replicate_schema` or `follow_schema` decided for one kind."""
    told = json.loads(Path(installation(run.config).data_dir, schema).read_text(encoding="utf-8"))
    return tuple(reading_from_dict(each) for each in told[kind.value])
