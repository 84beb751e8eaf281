"""The configuration file's text → typed settings. Pure: nothing is opened, no secret is looked up."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from sync.errors import ConfigError
from sync.login import LOGIN_WAYS, NEEDED_BY_LOGIN, LoginWay
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
        if isinstance(table, Mapping) and _refuse_incomplete_login(table, inner):
            found[name] = ABSENT
    return found if ABSENT not in found.values() else ABSENT


def _refuse_incomplete_login(table: Mapping[str, object], spot: Spot) -> bool:
    """Notes what this CRM's way to log in needs and the table lacks. → whether anything is wrong."""
    crm = str(table.get("crm")) if str(table.get("crm")) in LOGIN_WAYS else "sugarcrm"
    way = str(table.get("login", LOGIN_WAYS[crm][0].value))
    if way not in tuple(LoginWay):
        return False  # noted already
    if way not in LOGIN_WAYS[crm]:
        spot.at("login").wrong(f"{crm} takes {', '.join(LOGIN_WAYS[crm])}")
        return True
    texts = {each.name: each.metadata["setting"].text for each in fields(ConnectorSettings) if "setting" in each.metadata}
    missing = [name for name in NEEDED_BY_LOGIN[crm, way] if name not in table]
    for name in missing:
        spot.at(name).wrong(f"is missing: {texts[name][0].lower()}{texts[name][1:]}")
    return bool(missing)


_READERS: Mapping[Any, Read] = {
    Mapping[str, ConnectorSettings]: _read_connectors,
    Mapping[Kind, Filter]: read_filters,
    Mapping[str, SavedReport]: read_saved_reports,
    Mapping[str, MergeField]: read_merge_fields,
    Mapping[Kind, tuple[MappingRow, ...]]: read_mapping,
    Mapping[str, ScoreField]: read_score_fields,
    Mapping[Kind, CustomObject]: read_custom_objects,
}
