"""The documentation keeps up with the code: every command, setting, column and error is described, and the examples run."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import click
import pytest

from adapters.market.engine import Market, open_market
from adapters.market.mailing import CONSENT_10
from adapters.market.schema import metadata
from flows.reference import commands, pages
from sync import errors
from sync.settings_reference import setting_docs

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md"])


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("path, made", [pytest.param(path, made, id=path.name) for path, made in pages()])
def test_a_page_that_is_made_from_the_code_is_up_to_date(path: Path, made: str) -> None:
    assert path.read_text(encoding="utf-8") == made, "python -m flows.reference"


def test_every_command_and_option_is_documented_and_has_a_help_text() -> None:
    page = text("commands.md")
    for path, command in commands():
        section = page.partition(f"## {path}\n")[2].partition("\n## ")[0]
        assert section and command.help, path
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert option.help and option.opts[0] in section, f"{path} {option.opts[0]}"


def test_every_setting_is_documented() -> None:
    page = text("settings.md")
    missing = [
        setting.place
        for setting in setting_docs()
        if f"| `{setting.key}` |" not in page.partition(f"## [{setting.table}]" if setting.table else "## At")[2]
    ]
    assert missing == []


def test_every_table_and_column_of_the_market_is_documented() -> None:
    page = text("market.md")
    for table in metadata.tables.values():
        section = page.partition(f"### {table.name}\n")[2].partition("\n### ")[0]
        missing = [column.name for column in table.columns if f"| `{column.name}` |" not in section or not column.comment]
        assert table.comment and missing == [], table.name


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("docs") / "market.db"
    made: Market = open_market(f"sqlite:///{path}")
    made.upgrade()
    made.close()
    return path


@pytest.mark.parametrize("query", re.findall(r"```sql\n(.*?)```", text("market.md"), re.DOTALL))
def test_every_example_query_runs(query: str, market: Path) -> None:
    connection = sqlite3.connect(market)
    try:
        columns = connection.execute(query).description
    finally:
        connection.close()
    assert len(columns) >= 3 or "count(" in query


def test_the_query_of_consent_10_is_the_one_that_verify_runs() -> None:
    assert CONSENT_10.strip() in text("market.md")


def _error_types() -> list[type[errors.MarketsyncError]]:
    return [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.MarketsyncError)]


@pytest.mark.parametrize("error", _error_types())
def test_every_error_is_documented_with_its_exit_code(error: type[errors.MarketsyncError]) -> None:
    assert f"| {error.exit_code} | {error.__name__} |" in text("errors.md")


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in PAGES])
def test_every_link_between_the_pages_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    broken = [target for target in targets if "://" not in target and not (path.parent / target).exists()]
    assert broken == []


def test_the_readme_names_only_commands_that_exist() -> None:
    known = {path for path, _ in commands()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", readme, re.DOTALL))
    named = re.findall(r"^(marketsync(?: [a-z-]+)+)", shell, re.MULTILINE) + re.findall(r"`(marketsync(?: [a-z-]+)+)`", readme)
    assert named and [command for command in named if command not in known] == []


def test_the_rules_page_names_tests_for_what_it_promises() -> None:
    """Each rule that the page says holds is named by a test."""
    promised = set(re.findall(r"^\| ([A-Z]+-\d+) \| holds", text("rules.md"), re.MULTILINE))
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    named = set(re.findall(r"\b[A-Z]+-\d+\b", tests)) | {
        f"{name}-{number}".upper() for name, number in re.findall(r"([a-z]+)_(\d+)", tests)
    }
    assert promised and promised - named == set()
