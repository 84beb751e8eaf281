"""The documentation of all settings, as data. The template and the reference in `docs` are made from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from enum import StrEnum
from typing import Any

from sync.merge_fields import MergeField
from sync.saved_reports import SavedReport
from sync.settings import ConnectorSettings, PullOption, Setting, Settings


@dataclass(frozen=True, slots=True)
class SettingDoc:
    """One setting: the table that it stands in, its key there, and its documentation.

    `default` is TOML text; empty where there is none. `mandatory`: a file without it is refused, in some cases at least.
    """

    table: str
    key: str
    text: str
    unit: str
    default: str
    example: str
    mandatory: bool

    @property
    def place(self) -> str:
        return f"{self.table}.{self.key}" if self.table else self.key


@dataclass(frozen=True, slots=True)
class TableDoc:
    """One table of the file, with what it is for and its own settings. `optional`: a file without the table lacks nothing."""

    table: str
    text: str
    settings: tuple[SettingDoc, ...]
    optional: bool = False


def table_docs(connector: str = "NAME", report: str = "NAME", merge: str = "NAME") -> tuple[TableDoc, ...]:
    """Every table of the file, in the file's order; the connector's, the saved report's and the merge field's once, under these names."""
    shown = (*_tables(SavedReport, f"saved_reports.{report}"), *_tables(MergeField, f"merge_fields.{merge}"))
    optional = (replace(table, optional=True) for table in shown)
    return (*_tables(Settings, ""), *_tables(ConnectorSettings, f"connectors.{connector}"), *optional)


def setting_docs(connector: str = "NAME") -> tuple[SettingDoc, ...]:
    """Every setting, in the file's order."""
    return tuple(setting for table in table_docs(connector) for setting in table.settings)


def _tables(shape: type[Any], table: str) -> Iterator[TableDoc]:
    own = tuple(_setting_doc(table, each) for each in fields(shape) if _stands_in_table(each))
    yield TableDoc(table, (shape.__doc__ or "").split("\n")[0], own)
    for each in fields(shape):
        name = f"{table}.{each.name}" if table else each.name
        if is_dataclass(each.default_factory):
            yield from _tables(each.default_factory, name)
        elif "setting" in each.metadata and not _stands_in_table(each):
            setting: Setting = each.metadata["setting"]
            key, _, example = setting.example.partition(" = ")
            yield TableDoc(name, setting.text, (SettingDoc(name, key, "", "", "", example, False),))


def _stands_in_table(each: Field[Any]) -> bool:
    """Whether it is a line of its table, not a table of its own and not the table's name."""
    return "setting" in each.metadata and each.default_factory is MISSING


def _setting_doc(table: str, each: Field[Any]) -> SettingDoc:
    setting: Setting = each.metadata["setting"]
    default = "" if each.default in (MISSING, None, ()) else toml_text(each.default)
    mandatory = setting.usual or each.default is MISSING
    return SettingDoc(table, each.name, setting.text, setting.unit, "" if setting.usual else default, setting.example, mandatory)


def toml_text(value: object) -> str:
    """A default as it would stand in the file."""
    if isinstance(value, PullOption):
        return toml_text(value.on)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, StrEnum):
        return f'"{value.value}"'
    return f'"{value}"' if isinstance(value, str) else repr(value)
