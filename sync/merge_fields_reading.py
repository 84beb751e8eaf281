"""Merge fields as an operator writes them: [merge_fields.NAME] with a report, templates and a default (CUST-3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sync.merge_fields import MergeField, belongs_to_a_person, merge_mistakes
from sync.merge_html import parse_html
from sync.merge_templates import parse
from sync.near_names import did_you_mean
from sync.saved_report_fields import BY_DESIGN
from sync.saved_report_relations import default_columns
from sync.saved_reports import Of, SavedReport, is_custom
from sync.settings_reading import ABSENT, Read, Spot, read_table

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")


def read_merge_fields(value: object, spot: Spot) -> Any:
    """Name → MergeField. Columns of the tables' own design are checked here; replicated ones when the field is shown."""
    if not isinstance(value, Mapping):
        return spot.wrong("has to hold one table per merge field: [merge_fields.NAME]")
    found = {str(name): _read(str(name), table, spot.at(str(name)[:60]), spot.table.get("saved_reports")) for name, table in value.items()}
    return found if ABSENT not in found.values() else ABSENT


def _read(name: str, table: object, spot: Spot, reports: object) -> Any:
    before = len(spot.mistakes.found)
    if not _NAME.fullmatch(name):
        spot.wrong("a merge field's name has lower-case letters, digits, dashes and underscores, 60 at most, a letter first")
    found = read_table(MergeField, table, spot, _READERS, name=name)
    if found is ABSENT or len(spot.mistakes.found) > before:
        return ABSENT
    for each, read in (("row", parse), ("html_row", parse_html)):
        _try(getattr(found, each), read, spot.at(each))
    named = reports if isinstance(reports, Mapping) else {}
    asked = named.get(found.report)
    if not isinstance(asked, Mapping):
        return spot.at("report").wrong(f"there is no saved report of that name{did_you_mean(found.report, named)}")
    if len(spot.mistakes.found) == before:
        _check(found, asked, spot)
    return found if len(spot.mistakes.found) == before else ABSENT


def _try(text: str | None, read: Callable[[str], object], spot: Spot) -> None:
    try:
        read(text or "")
    except ValueError as error:
        spot.wrong(str(error))


def _check(found: MergeField, table: Mapping[str, object], spot: Spot) -> None:
    """As far as the report's own table can be read: what is wrong with that is told at its place."""
    word, columns = table.get("of"), table.get("columns", [])
    if not isinstance(word, str) or not (word in set(Of) or is_custom(word)) or not isinstance(columns, list):
        return
    report = SavedReport(name=found.report, of=Of(word), columns=tuple(str(each) for each in columns))
    if not belongs_to_a_person(report.of):
        spot.at("report").wrong(f"rows of {report.of} belong to no person")
        return
    for place, what in merge_mistakes(found, report, report.columns or default_columns(report.of), BY_DESIGN):
        spot.mistakes.add(place, what)


def _read_names(value: object, spot: Spot) -> Any:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        return spot.wrong('has to be a list of names that is not empty: ["name", "end_date"]')
    return tuple(value)


def _read_template(value: object, spot: Spot) -> Any:
    """A text in which line breaks are allowed."""
    if not isinstance(value, str) or not value.strip():
        return spot.wrong("has to be a text in quotes, not an empty one")
    if any(ord(char) < 32 and char not in "\n\t" for char in value):
        return spot.wrong("holds a control character")
    return value


_READERS: Mapping[Any, Read] = {tuple[str, ...]: _read_names, str | None: _read_template}
