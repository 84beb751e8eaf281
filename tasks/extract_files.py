"""Exported files → raw (INIT-8). Looked through first, all of them, so that one error names every mistake; then staged like any read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from prefect import task

from adapters.staging.facts import BEGUN_AT
from adapters.staging.file_loading import load_file
from adapters.staging.files import ExportFile, find_files, mistakes_inside, open_file
from sync.errors import ConfigError
from sync.exported_files import (
    NO_FILES,
    ExportedFiles,
    FilePlan,
    baseline,
    file_findings,
    filter_columns_mistakes,
    header_mistakes,
    plan_file,
    read_exported_at,
)
from sync.fields import ObjectSchema, Reading
from sync.records import Filter, Kind, ParcelRef, RunRef
from tasks.extract import READ
from tasks.progress import Step, tell
from tasks.report import note_findings
from tasks.schema import readings_of
from tasks.wiring import RETRY, installation, open_crm, settings_of


@task(name="check files", task_run_name="check files for {run.connector}", **RETRY)
def check_files(run: RunRef, kinds: tuple[Kind, ...], schema: str, files: str | None, exported_at: str | None = None) -> ExportedFiles:
    """Looks through every file of the directory; without one nothing is to be read from files.

    `exported_at`: when the export began, an instant with its offset. Raises one ConfigError that names every mistake of every file.
    """
    if files is None:
        if exported_at is not None:
            raise ConfigError("it is told when files were exported, but no files are named", where="exported at", todo="name the directory")
        return NO_FILES
    began = read_exported_at(exported_at)
    directory = Path(files).expanduser().resolve()
    described = open_crm(run.config, run.connector).describe(kinds)
    paths, mistakes = find_files(directory, {kind: _names(kind, described[kind]) for kind in kinds})
    for kind, path in paths.items():
        mistakes += [f"{path.name}: {mistake}" for mistake in _mistakes(run, kind, path, described[kind], readings_of(run, schema, kind))]
    if mistakes:
        raise ConfigError(
            "the exported files can't be taken:\n" + "\n".join(f"  {mistake}" for mistake in mistakes),
            where=str(directory),
            todo="correct or export these files anew; a kind without a file is read from the CRM",
        )
    return ExportedFiles(str(directory), tuple(kind for kind in kinds if kind in paths), began)


def _mistakes(run: RunRef, kind: Kind, path: Path, schema: ObjectSchema, readings: tuple[Reading, ...]) -> Iterator[str]:
    file, mistake = open_file(path)
    if file is None:
        yield mistake
        return
    crm = settings_of(run).crm
    yield from header_mistakes(crm, file.names, schema, readings)
    yield from filter_columns_mistakes(_filter_fields(run, kind), plan_file(crm, file.names, schema, readings))
    yield from mistakes_inside(file)


def _filter_of(run: RunRef, kind: Kind) -> Filter:
    return settings_of(run).filters.get(kind, Filter())


def _filter_fields(run: RunRef, kind: Kind) -> tuple[str, ...]:
    return tuple(condition.field for condition in _filter_of(run, kind).all_of)


def _names(kind: Kind, schema: ObjectSchema) -> set[str]:
    """What the file of a kind may be called: as in the CRM, or as here."""
    return {schema.object_name, kind.table if kind.is_custom else kind.plural}


@task(name="extract file", task_run_name="extract {kind.plural} of {run.connector} from a file", **RETRY)
def extract_file(run: RunRef, kind: Kind, purpose: str, schema: str, exported: ExportedFiles) -> ParcelRef:
    """Stages the records of one kind from its file, or finds that an earlier run has staged that very file."""
    home, crm = installation(run.config), open_crm(run.config, run.connector)
    described = crm.describe((kind,))[kind]
    file = _file_of(kind, Path(exported.directory), described)
    plan = plan_file(settings_of(run).crm, file.names, described, readings_of(run, schema, kind))
    ref = home.parcels.find(run.connector, kind, purpose)
    if ref is None or not _is_staged(run, ref, file, plan):
        fields = tuple(dict.fromkeys(reading.source for reading in plan.readings))
        about = {"whole": "yes", "source": file.mark}
        ref = home.parcels.create(run.connector, kind, purpose, fields, plan.readings, about)
        _fill(run, ref, file, plan, described, crm.now(), exported.exported_at)
    return ref


def _file_of(kind: Kind, directory: Path, schema: ObjectSchema) -> ExportFile:
    path = find_files(directory, {kind: _names(kind, schema)})[0].get(kind)
    file, mistake = open_file(path) if path else (None, "it is gone")
    if file is None:
        todo = "bring it back, then start again"
        raise ConfigError(f"the file of {kind.plural} can't be read: {mistake}", where=str(directory), todo=todo)
    return file


def _is_staged(run: RunRef, ref: ParcelRef, file: ExportFile, plan: FilePlan) -> bool:
    with installation(run.config).parcels.open(ref) as parcel:
        return parcel.told("source") == file.mark and parcel.told("state") == READ and parcel.readings == plan.readings


def _fill(
    run: RunRef, ref: ParcelRef, file: ExportFile, plan: FilePlan, schema: ObjectSchema, crm_now: datetime, exported_at: datetime | None
) -> None:
    types = {spec.name: spec.type for spec in schema.fields}
    with installation(run.config).parcels.open(ref, growing=True) as parcel:
        tell(Step(run.run_id, ref.kind.value, "extract", 0, None))
        told = load_file(parcel, file, plan, _filter_of(run, ref.kind), types, crm_now)
        since = baseline(told, crm_now, exported_at).isoformat()
        parcel.tell("baseline", since)
        parcel.tell(BEGUN_AT, since)
        note_findings(run, file_findings(ref.kind, file.label, plan, told))
        parcel.tell("state", READ)
        tell(Step(run.run_id, ref.kind.value, "extract", told.rows, told.rows, ended=True))
