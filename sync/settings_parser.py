"""The configuration file's text → typed settings. Pure: nothing is opened, no secret is looked up."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from sync.errors import ConfigError
from sync.mapping import MappingRow
from sync.merge_fields import MergeField
from sync.merge_fields_reading import read_merge_fields
from sync.records import Filter, Kind
from sync.saved_reports import SavedReport
from sync.saved_reports_reading import read_saved_reports
from sync.settings import ConnectorSettings, CustomObject, ScoreField, Settings
from sync.settings_custom_objects import read_custom_objects
from sync.settings_reading import ABSENT, Mistakes, Read, Spot, read_table
from sync.settings_rows import read_filters, read_mapping, read_score_fields

_CONNECTOR_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LINE = re.compile(r"\(at line (\d+)")


def parse_toml(text: str, place: str) -> dict[str, Any]:
    """The table that the text holds. `place` is the file's name. Raises ConfigError with the line of the first syntax error."""
    try:
        return tomllib.loads(text)
    except ValueError as error:
        # TOML errors are ValueErrors; a number of thousands of digits is a plain one.
        said = str(error)
        line = _LINE.search(said)
        raise ConfigError(
            f"this is not TOML: {said}" if isinstance(error, tomllib.TOMLDecodeError) else "this is not TOML: a number is too long",
            where=f"{place}, line {line[1]}" if line else place,
            todo="correct the line; texts stand in double quotes, tables start with [name]",
        ) from None


def parse_settings(table: Mapping[str, object], *, base_dir: str) -> Settings:
    """Settings from the file's table. Relative paths start at `base_dir`, the folder of the file.

    Raises one ConfigError that names every mistake with its place and what may have been meant, and no value.
    """
    mistakes = Mistakes()
    settings = read_table(Settings, table, Spot("", mistakes, base_dir), _READERS)
    mistakes.raise_if_any()
    parsed: Settings = settings
    return parsed


def _read_connectors(value: object, spot: Spot) -> Any:
    if not isinstance(value, Mapping):
        return spot.wrong("has to hold one table per connector: [connectors.NAME]")
    found = {}
    for name, table in value.items():
        inner = spot.at(str(name)[:60])
        if not _CONNECTOR_NAME.fullmatch(name):
            inner.wrong("a connector's name has lower-case letters, digits, dashes and underscores, 40 at most, a letter first")
        found[name] = read_table(ConnectorSettings, table, inner, _READERS, name=name)
    return found if ABSENT not in found.values() else ABSENT


_READERS: Mapping[Any, Read] = {
    Mapping[str, ConnectorSettings]: _read_connectors,
    Mapping[Kind, Filter]: read_filters,
    Mapping[str, SavedReport]: read_saved_reports,
    Mapping[str, MergeField]: read_merge_fields,
    Mapping[Kind, tuple[MappingRow, ...]]: read_mapping,
    Mapping[str, ScoreField]: read_score_fields,
    Mapping[Kind, CustomObject]: read_custom_objects,
}
