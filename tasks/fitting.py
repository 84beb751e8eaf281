"""Does the configuration fit this machine and the CRM: folders that can be written, fields that are there (CONN-3). Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sync.crm import CheckLine, Crm
from sync.custom_objects import mapping_of
from sync.errors import AccessDenied, MarketsyncError
from sync.fields import ObjectSchema
from sync.filters import refuse_impossible_filters
from sync.mapping import readings
from sync.records import Kind
from sync.settings import ConnectorSettings
from sync.stock_mappings import STOCK_SCORES

SCORED = (Kind.LEAD, Kind.CONTACT)


def folder_lines(data_dir: Path, sqlite_file: Path | None) -> tuple[CheckLine, ...]:
    """One line per folder that a run writes, and that this user can't make or write. None: all is well."""
    wanted = [("data directory", data_dir, "Let data_dir name a folder that this user may make and write.")]
    if sqlite_file is not None:
        wanted.append(("Market's folder", sqlite_file.parent, "Let market.url name a file in a folder that is there and can be written."))
    return tuple(CheckLine(False, subject, f"{folder} can't be written", todo) for subject, folder, todo in wanted if not _can_hold(folder))


def _can_hold(folder: Path) -> bool:
    """Whether it can be written, or be made in a folder that can."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def field_lines(crm: Crm, connector: ConnectorSettings, kinds: tuple[Kind, ...]) -> tuple[CheckLine, ...]:
    """Whether filters and mappings name fields that the CRM has and that can be what they are to be."""
    described = crm.describe(kinds)
    wrong = tuple(_wrong(connector, described))
    if wrong:
        return wrong
    own = sum(kind in described for kind in (*connector.filters, *connector.mapping))
    return (CheckLine(True, "fields", "filters and mappings name fields that the CRM has"),) if own else ()


def score_lines(crm: Crm, connector: ConnectorSettings) -> tuple[CheckLine, ...]:
    """Whether leads and contacts have the fields that scores go to (PUSH-S); nothing where no scores are pushed."""
    if not connector.push.scores:
        return ()
    scores = connector.scores or STOCK_SCORES.get(connector.crm, {})
    wanted = {name: profile for profile, each in scores.items() for name in (each.field, each.date_field) if name}
    try:
        described = crm.describe(SCORED)
    except AccessDenied as error:
        return (_line("score fields", error),)
    return tuple(_score_line(kind, name, profile, described[kind]) for name, profile in wanted.items() for kind in SCORED)


def _score_line(kind: Kind, name: str, profile: str, schema: ObjectSchema) -> CheckLine:
    found = next((field for field in schema.fields if field.name == name), None)
    if found is not None and found.writable:
        return CheckLine(True, f"score {profile}", f"{kind.plural} have {name}")
    why = f"{kind.plural} have no {name} that this user sees" if found is None else f"this user may not write {name} of {kind.plural}"
    todo = "Have an administrator of the CRM make the field (docs/crm-objects.md), or name another one in the connector's scores."
    return CheckLine(False, f"score {profile}", why, todo)


def _wrong(connector: ConnectorSettings, described: dict[Kind, ObjectSchema]) -> Iterator[CheckLine]:
    try:
        refuse_impossible_filters(connector.name, connector.filters, described)
    except MarketsyncError as error:
        yield _line("filters", error)
    rows = mapping_of(connector)
    for kind, schema in described.items():
        try:
            readings(kind, schema, rows)
        except MarketsyncError as error:
            yield _line(f"mapping of {kind.plural}", error)


def _line(subject: str, error: MarketsyncError) -> CheckLine:
    return CheckLine(False, subject, _on_one_line(error.what.splitlines()[1:]) or error.what, error.todo)


def _on_one_line(lines: Iterable[str]) -> str:
    return "; ".join(line.strip() for line in lines)
