"""Schema first: what the CRM describes becomes columns, and a list of what to read (INIT-2, PULL-4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from prefect import task

from adapters.market.columns import CatalogueEntry
from adapters.market.engine import Market
from adapters.staging.duck import staging_errors
from adapters.staging.parcel import reading_from_dict, reading_to_dict
from sync.column_plan import ColumnPlan, plan_columns
from sync.columns import FIXED_COLUMNS, POINTERS
from sync.fields import ObjectSchema, Reading
from sync.filters import refuse_impossible_filters
from sync.mapping import combine, readings
from sync.records import Finding, Kind, RunRef
from sync.settings import ConnectorSettings
from sync.stock_mappings import STOCK_MAPPINGS
from tasks.report import note_findings
from tasks.wiring import RETRY, installation, now, open_crm, settings_of


@task(name="replicate schema", task_run_name="replicate schema of {run.connector}", **RETRY)
def replicate_schema(run: RunRef) -> str:
    """Makes the columns that the CRM's fields need; returns the file, relative to the data directory, that says what to read per kind."""
    home, connector = installation(run.config), settings_of(run)
    kinds = connector.pull.kinds()
    described = open_crm(run.config, run.connector).describe(kinds)
    refuse_impossible_filters(run.connector, connector.filters, described)
    plans = [
        _plan_table(home.market, connector, {kind: described[kind] for kind in kinds if kind.table == table}) for table in _tables(kinds)
    ]
    for plan in plans:
        _make_columns(home.market, run, described, plan)
    note_findings(run, [finding for plan in plans for finding in _clashes(plan)])
    path = home.run_dir(run.run_id) / "schema.json"
    told = {kind.value: [reading_to_dict(reading) for reading in found] for plan in plans for kind, found in plan.readings.items()}
    with staging_errors(f"connector {run.connector}, schema"):
        path.write_text(json.dumps(told), encoding="utf-8")
    return str(path.relative_to(home.data_dir))


def _tables(kinds: tuple[Kind, ...]) -> list[str]:
    return list(dict.fromkeys(kind.table for kind in kinds))


def _plan_table(market: Market, connector: ConnectorSettings, described: Mapping[Kind, ObjectSchema]) -> ColumnPlan:
    """Leads and contacts are planned together, because they share a table (INIT-2)."""
    rows = combine(STOCK_MAPPINGS[connector.crm], connector.own_rows)
    entries = [entry for kind in described for entry in market.columns.entries(connector.name, kind)]
    known = {kind: {entry.crm_field: entry.column for entry in entries if entry.kind is kind} for kind in described}
    wanted = {kind: readings(kind, schema, rows, known=known[kind]) for kind, schema in described.items()}
    table = next(iter(described)).table
    return plan_columns(wanted, market.columns.types(table), known)


def _make_columns(market: Market, run: RunRef, described: Mapping[Kind, ObjectSchema], plan: ColumnPlan) -> None:
    for widening in plan.widen:
        table = next(kind.table for kind, found in plan.readings.items() if any(r.column == widening.column for r in found))
        market.columns.widen(table, widening.column, widening.new)
    entries = [
        CatalogueEntry(run.connector, kind, reading.source, _crm_type(described[kind], reading), kind.table, reading.column, reading.type)
        for kind, found in plan.readings.items()
        for reading in found
        if reading.column not in FIXED_COLUMNS[kind.table] and reading.column not in POINTERS
    ]
    market.columns.add(entries, now())


def _crm_type(schema: ObjectSchema, reading: Reading) -> str:
    spec = schema.get(reading.source)
    return spec.crm_type if spec else ""


def _clashes(plan: ColumnPlan) -> list[Finding]:
    return [
        Finding(
            clash.kind,
            "field retyped",
            f"field {clash.source} is now {clash.field_type}; column {clash.column} stays {clash.column_type} and is no longer filled",
        )
        for clash in plan.clashes
    ]


def readings_of(run: RunRef, schema: str, kind: Kind) -> tuple[Reading, ...]:
    """What `replicate_schema` decided for one kind."""
    told = json.loads(Path(installation(run.config).data_dir, schema).read_text(encoding="utf-8"))
    return tuple(reading_from_dict(each) for each in told[kind.value])
