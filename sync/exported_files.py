"""Records from files that somebody exported from the CRM (INIT-8): which columns a file must have, and where the cursor starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sync.errors import ConfigError
from sync.fields import ObjectSchema, Pick, Reading
from sync.near_names import did_you_mean
from sync.records import Finding, Kind

FORMATS: tuple[str, ...] = (".csv", ".csv.gz", ".parquet")

LONGEST_EXPORT = timedelta(days=1)
"""How long an export may have run, if nobody says when it began. To reach back too far costs some changes that are read again."""

_FARTHEST_OFFSET = timedelta(hours=14)
"""No clock on Earth is further ahead of UTC: what was taken as UTC may be that much earlier."""

_STAND_INS: Mapping[str, Mapping[tuple[str, Pick], str]] = {
    "sugarcrm": {
        ("email", Pick("primary_address", "email_address")): "email1",
        ("email", Pick("primary_address", "opt_out")): "email_opt_out",
    }
}
"""Exports write the list of addresses as plain columns: the part of a field → the column that says the same."""

_DELETED: Mapping[str, str] = {"sugarcrm": "deleted", "salesforce": "IsDeleted"}
"""Exports taken from the CRM's own database have deleted records too; this column is true for them."""

_PASSED_OVER: Mapping[str, frozenset[str]] = {"salesforce": frozenset({"LastViewedDate", "LastReferencedDate"})}
"""What exports have and no read asks for: when the user who exported looked at the record."""


@dataclass(frozen=True, slots=True)
class ExportedFiles:
    """Files that were looked through and found good: the directory, the kinds that it holds, and when the export began (UTC), if told."""

    directory: str = ""
    kinds: tuple[Kind, ...] = ()
    exported_at: datetime | None = None


NO_FILES = ExportedFiles()


@dataclass(frozen=True, slots=True)
class FilePlan:
    """How one file is read. `columns`: CRM field → number of the file's column, from 0; `missing`: fields that are read from the CRM and
    that the file lacks."""

    readings: tuple[Reading, ...]
    columns: Mapping[str, int]
    missing: tuple[str, ...]
    deleted: str | None


def read_exported_at(text: str | None) -> datetime | None:
    """When the export began. Raises ConfigError unless it is an instant with an offset."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min
    if found.tzinfo is None:
        raise ConfigError(
            f'"{text[:40]}" is no point in time with an offset', where="exported at", todo="write it like 2026-01-31T08:00:00Z"
        )
    return found.astimezone(UTC)


def kind_of_file(stem: str, names: Mapping[Kind, Collection[str]]) -> Kind | None:
    """The kind that a file's name without its ending means, by the CRM's name or ours, whatever its case."""
    return next((kind for kind, known in names.items() if stem.lower() in {name.lower() for name in known}), None)


def plan_file(crm: str, header: Sequence[str], schema: ObjectSchema, readings: Sequence[Reading]) -> FilePlan:
    """Which columns of a sound header fill which readings. A reading whose field is not in the file takes the column that stands in for
    it, else it is left out: what a file does not say, it does not blank."""
    by_lower = {name.strip().lower(): number for number, name in enumerate(header)}
    columns = {spec.name: by_lower[spec.name.lower()] for spec in schema.fields if spec.name.lower() in by_lower}
    columns |= {name: by_lower[name.lower()] for name in _extra(crm) if name.lower() in by_lower}
    found = tuple(each for reading in readings if (each := _present(crm, reading, columns)) is not None)
    sources = {reading.source for reading in found}
    missing = tuple(sorted({reading.source for reading in readings} - sources - _stood_in(crm, readings, found)))
    deleted = _DELETED.get(crm)
    return FilePlan(found, columns, missing, deleted if deleted in columns else None)


def _present(crm: str, reading: Reading, columns: Mapping[str, int]) -> Reading | None:
    if reading.source in columns:
        return reading
    stand_in = _stand_in(crm, reading)
    return replace(reading, source=stand_in, pick=None) if stand_in in columns and stand_in is not None else None


def _stand_in(crm: str, reading: Reading) -> str | None:
    return _STAND_INS.get(crm, {}).get((reading.source, reading.pick)) if reading.pick else None


def _stood_in(crm: str, readings: Sequence[Reading], found: Sequence[Reading]) -> set[str]:
    """Fields of which every picked part came from another column."""
    columns = {reading.column for reading in found}
    return {reading.source for reading in readings if reading.pick and reading.column in columns}


def _extra(crm: str) -> set[str]:
    """Columns that files have and that records over HTTP need not describe."""
    return {*_STAND_INS.get(crm, {}).values(), *([_DELETED[crm]] if crm in _DELETED else [])}


def header_mistakes(crm: str, header: Sequence[str], schema: ObjectSchema, readings: Sequence[Reading]) -> Iterator[str]:
    """Everything that is wrong with the names in the first line. Names are the CRM's field names, whatever their case; those that begin
    with an underscore are the CRM's own remarks and are passed over."""
    names = [name.strip() for name in header]
    known = {*schema.names(), *_extra(crm), *_PASSED_OVER.get(crm, ())}
    known_lower = {name.lower() for name in known}
    if blank := [number for number, name in enumerate(names, 1) if not name]:
        yield f"column {', '.join(map(str, blank))} has no name"
    for name, times in Counter(name.lower() for name in names if name).items():
        if times > 1:
            yield f'column "{name}" stands there {times} times'
    for name in dict.fromkeys(names):
        if name and not name.startswith("_") and name.lower() not in known_lower:
            yield f'{schema.object_name} has no field "{name[:60]}"{did_you_mean(name, known, or_list=False)}'
    yield from _missing_columns(crm, {name.lower() for name in names}, readings)


def _missing_columns(crm: str, lower: Collection[str], readings: Sequence[Reading]) -> Iterator[str]:
    """Identity and order, of which nothing works without; and opt-outs, without which everybody would count as never opted out."""
    for column, why in (("crm_id", "nothing can be matched"), ("crm_modified_at", "it is not known where the next sync starts")):
        for reading in readings:
            if reading.column == column and reading.source.lower() not in lower:
                yield f'there is no column "{reading.source}"; without it {why}'
    for reading in readings:
        places = [name for name in (reading.source, _stand_in(crm, reading)) if name]
        if reading.column == "opt_out" and not any(name.lower() in lower for name in places):
            wanted = " or ".join(f'"{name}"' for name in reversed(places))
            yield f"there is no column {wanted}; without it people who opted out would be taken for people who did not"


@dataclass(frozen=True, slots=True)
class FileTold:
    """What loading found out about one file. `newest`: the newest modified stamp that is not in the CRM's future, UTC."""

    rows: int
    newest: datetime | None
    without_offset: int
    deleted: int
    filtered: int


def baseline(told: FileTold, crm_now: datetime, exported_at: datetime | None) -> datetime:
    """Where the cursor starts after a file, on the CRM's clock (UTC), so that no change made after the export is lost.

    The newest stamp in the file is never later than the end of the export. But while an export runs, a record that is written
    already may change: so the cursor goes back to when the export began, or by the longest that one may have run. Stamps without an
    offset may be local times, so it goes back by the farthest offset too. A file without any stamp says nothing: the start is told, or
    everything that changed since the beginning is asked for.
    """
    newest = told.newest
    if newest is not None and told.without_offset:
        newest -= _FARTHEST_OFFSET
    if exported_at is not None:
        return min(each for each in (newest, exported_at, crm_now) if each is not None)
    return min(newest - LONGEST_EXPORT, crm_now) if newest is not None else datetime(1970, 1, 1, tzinfo=UTC)


def file_findings(kind: Kind, name: str, plan: FilePlan, told: FileTold) -> tuple[Finding, ...]:
    """What a person should know about a file that was taken in."""
    found = []
    if told.without_offset:
        message = f"{told.without_offset:,} records of {name} have points in time without an offset; they were taken as UTC"
        found.append(Finding(kind, "time zone not told", message, told.without_offset))
    if plan.missing:
        shown = ", ".join(plan.missing[:20]) + (f" and {len(plan.missing) - 20} more" if len(plan.missing) > 20 else "")
        message = f"{name} lacks {len(plan.missing)} fields; they stay as they are until a record changes in the CRM: {shown}"
        found.append(Finding(kind, "fields not in the file", message, len(plan.missing)))
    if told.deleted:
        message = f"{told.deleted:,} records of {name} are marked as deleted and were left out"
        found.append(Finding(kind, "deleted records in the file", message, told.deleted))
    if told.filtered:
        message = f"{told.filtered:,} records of {name} do not meet the sync filter and were left out"
        found.append(Finding(kind, "filtered out of the file", message, told.filtered))
    return tuple(found)


def filter_columns_mistakes(fields: Collection[str], plan: FilePlan) -> Iterator[str]:
    """A filter can't be held against what the file does not tell."""
    for name in sorted(set(fields) - set(plan.columns)):
        yield f'there is no column "{name}", which the sync filter needs'
