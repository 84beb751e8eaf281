"""The reference pages, made from the code: `python -m flows.reference` writes them, `--check` only says whether they are up to date.

docs/commands.md, docs/settings.md, docs/crm-objects/*.json and prefect.yaml are made as a whole; docs/market.md,
docs/crm-objects.md, docs/recording.md, docs/messages.md and docs/measured.md between their two marks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from flows.cli import cli
from flows.measured_reference import measured_tables
from flows.messages_reference import messages_tables
from sync.deployments import prefect_yaml
from sync.recording_fields import SHAPES
from sync.settings_reference import SettingDoc, TableDoc, table_docs
from tasks.crm_objects_reference import crm_objects_file, crm_objects_tables, salesforce_objects_file
from tasks.market_reference import market_tables

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- made from the code: begin -->", "<!-- made from the code: end -->"
_COMMANDS = (
    "For whoever types commands or writes scripts: all of them, with every option. `marketsync COMMAND --help` says the same.\n"
    "What a command ends with: [errors and exit codes](errors.md)."
)
_MADE = "<!-- Made by `python -m flows.reference`. Change the code, not this page. -->"


def main() -> int:
    """0: the pages are up to date, or are now. 1: `--check` found one that is not."""
    stale = [path for path, text in pages() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            click.echo(f"{path} is not up to date; `python -m flows.reference` writes it")
        return 1 if stale else 0
    for path, text in pages():
        path.write_text(text, encoding="utf-8")
    return 0


def pages() -> Iterator[tuple[Path, str]]:
    """Every page that is made from the code, as it has to be."""
    made: dict[str, Callable[[], str]] = {
        "commands.md": commands_page,
        "settings.md": settings_page,
        "crm-objects/sugarcrm.json": crm_objects_file,
        "crm-objects/salesforce.json": salesforce_objects_file,
    }
    for name, page in made.items():
        yield DOCS / name, page()
    yield DOCS.parent / "prefect.yaml", prefect_yaml(("acme",))
    within: dict[str, Callable[[], str]] = {
        "market.md": market_tables,
        "crm-objects.md": crm_objects_tables,
        "recording.md": recording_tables,
        "messages.md": messages_tables,
        "measured.md": measured_tables,
    }
    for name, part in within.items():
        before, _, rest = (DOCS / name).read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        yield DOCS / name, f"{before}{BEGIN}\n{part()}{END}{after}"


def recording_tables() -> str:
    """Every kind that can be recorded, with its fields."""
    parts = []
    for kind, shape in SHAPES.items():
        parts += [f"### {kind.value}", "", "| field | type | mandatory | meaning |", "|---|---|---|---|"]
        for each in shape:
            type_ = " or ".join(f"`{choice}`" for choice in each.choices) or each.type.value
            parts.append(f"| `{each.name}` | {type_} | {'yes' if each.mandatory else ''} | {each.meaning} |")
        parts.append("")
    return "\n".join(parts)


def commands_page() -> str:
    """Every command with its whole help text."""
    parts = [_MADE, "# Commands", "", _COMMANDS, ""]
    for path, command in commands():
        parts += [f"## {path}", "", "```text", _help(path, command).rstrip(), "```", ""]
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and group by what is typed, depth first."""
    yield from _below("marketsync", cli)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _below(f"{path} {name}", inner)


def _help(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path, terminal_width=100, max_content_width=100)
    return command.get_help(context)


def settings_page() -> str:
    """Every setting by table, with unit and default."""
    parts = [
        _MADE,
        "# Settings",
        "",
        "For whoever writes the configuration: every key, with its unit and default.",
        "",
        "One TOML file; `marketsync init` writes it with all of this as comments. Relative paths start at the folder of the file.",
        'Secrets never stand in it: `{ env = "NAME" }`, `{ file = "path" }` or `{ prefect_block = "name" }` say where they are.',
        "",
    ]
    for table in table_docs():
        parts += _settings_table(table)
    return "\n".join(parts)


def _settings_table(table: TableDoc) -> list[str]:
    head = [f"## [{table.table}]" if table.table else "## At the top of the file", "", table.text, ""]
    if not table.settings:
        return head
    rows = [f"| `{setting.key}` | {_cell(setting)} | {setting.unit} | {_default(setting)} |" for setting in table.settings]
    return [*head, "| setting | what it is | unit | default |", "|---|---|---|---|", *rows, ""]


def _cell(setting: SettingDoc) -> str:
    text = setting.text.replace("|", "\\|")
    example = "" if setting.default or not setting.example else f"Example: `{setting.example}`"
    return f"{text} {example}".strip()


def _default(setting: SettingDoc) -> str:
    return "has to be given" if setting.mandatory else f"`{setting.default}`" if setting.default else "none"


if __name__ == "__main__":
    sys.exit(main())
