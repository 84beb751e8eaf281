"""The text of the commented `marketsync.toml` that `marketsync init` writes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from sync.settings_reference import SettingDoc, TableDoc, table_docs

_WIDTH = 110
_REPORT = "stale_leads"
_MERGE = "greeting"
_HEAD = """\
# Settings of marketsync. Lines that start with "# " explain; lines that start with "#" alone show a default or an example:
# remove the "#" and change the value. Relative paths start at the folder of this file.
# Secrets never stand here: say where they are, as { env = "NAME" }, { file = "path" } or { prefect_block = "name" }.
"""


def config_template(connector: str = "acme") -> str:
    """TOML that parses into valid settings as it is: one connector with example values, everything else at its default."""
    return "\n".join([_HEAD, *(_table(table) for table in table_docs(connector, _REPORT, _MERGE))])


def _table(table: TableDoc) -> str:
    mark = "#" if table.optional else ""
    lines = [f"{mark}[{table.table}]", *_comment(table.text)] if table.table else []
    for setting in table.settings:
        line = _line(setting, optional=table.optional)
        lines += ["", *_comment(_explained(setting)), line] if setting.text else [line]
    return "\n".join(lines).strip("\n") + "\n"


def _explained(setting: SettingDoc) -> str:
    return f"{setting.text} Unit: {setting.unit}." if setting.unit else setting.text


def _line(setting: SettingDoc, *, optional: bool) -> str:
    mark = "" if setting.mandatory and not optional else "#"
    return f"{mark}{setting.key} = {setting.default or setting.example}"


def _comment(text: str) -> Iterator[str]:
    for line in textwrap.wrap(text, _WIDTH - 2):
        yield f"# {line}"
