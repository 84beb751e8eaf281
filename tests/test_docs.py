"""The documentation keeps up with the code: every command, setting, column and error is described, and the examples run."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from adapters.market.engine import Market, open_market
from adapters.market.mailing import CONSENT_10
from adapters.market.schema import metadata
from flows.reference import commands, pages
from sync import errors
from sync.crm import Crm, Writing
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


def _prose(path: Path) -> str:
    """A page without its code, in which brackets mean nothing."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL))


def _targets(path: Path) -> list[str]:
    """What the links and pictures of a page lead to, inside the repository."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", _prose(path)) if "://" not in target]


def _anchors(path: Path) -> set[str]:
    """The headings of a page as both a forge and the site name them; those that they name differently are left out."""
    made = set()
    for heading in re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        kept = re.sub(r"[^\w\s-]", "", heading).strip().lower()
        if kept.replace(" ", "-") == re.sub(r"[-\s]+", "-", kept):
            made.add(kept.replace(" ", "-"))
    return made


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in PAGES])
def test_every_link_and_picture_of_a_page_leads_somewhere(path: Path) -> None:
    """On a forge and in the site: a page of docs/ links to nothing outside docs/, because the site ends there."""
    for target in _targets(path):
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        assert place.exists(), target
        assert path.parent == ROOT or place.is_relative_to(DOCS), f"{target}: name files of the source in code, as `flows/core_sync.py`"
        assert not anchor or anchor in _anchors(place), f"{target}: no such heading, or one that forge and site spell differently"


def _site() -> dict[str, Any]:
    site: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    return site


def _in_navigation(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part]
    return [page for each in (part.values() if isinstance(part, dict) else part) for page in _in_navigation(each)]


def test_every_page_is_in_the_sites_navigation_once() -> None:
    there = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
    assert sorted(_in_navigation(_site()["nav"])) == there, "write the page into `nav` of mkdocs.yml"


def test_the_site_asks_nothing_of_the_internet() -> None:
    """No fonts, scripts, styles or pictures of others; the offline plugin's own script lies beside the pages."""
    site = _site()
    assert site["theme"]["font"] is False and {"search", "offline"} == set(site["plugins"])
    assert not {"analytics", "social"} & site["extra"].keys()
    ours = [*site["extra"]["polyfills"], *site["extra_css"], *site["extra_javascript"]]
    assert [each for each in ours if not (DOCS / each).is_file()] == []
    asked = [
        target
        for path in PAGES
        for target in re.findall(r"!\[[^]]*\]\((\S+?)\)|<(?:img|script|link)[^>]*://", path.read_text(encoding="utf-8"))
    ]
    assert [target for target in asked if "://" in target] == []


def test_every_page_says_first_whom_or_what_it_is_for() -> None:
    for path in DOCS.glob("*.md"):
        first = re.search(r"^# .+\n+(\S.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert first and not first[1].startswith(("#", "|", "!", "```", "-")), f"{path.name}: a sentence belongs under the title"


def test_no_page_names_a_place_of_somebodys_machine_and_pictures_are_light() -> None:
    for path in [*PAGES, ROOT / "mkdocs.yml", *DOCS.rglob("*.svg")]:
        assert re.findall(r"(?<![\w.~])/(?:home|root|tmp|work|Users)/[\w.-]+", path.read_text(encoding="utf-8")) == [], path.name
    heavy = [
        path.name for path in DOCS.rglob("*") if path.suffix in {".png", ".jpg", ".gif", ".svg", ".webp"} and path.stat().st_size > 250_000
    ]
    assert heavy == []


@pytest.mark.parametrize("error", _error_types())
def test_the_handbook_says_of_every_error_what_it_means_what_to_do_and_what_is_safe(error: type[errors.MarketsyncError]) -> None:
    if error is errors.MarketsyncError:
        return
    section = text("handbook.md").partition(f"### {error.__name__}\n")[2].partition("\n### ")[0]
    assert all(f"**{word}**" in section for word in ("Means", "Do", "Safe meanwhile"))


def test_the_page_of_messages_holds_the_words_of_errors_with_what_to_do() -> None:
    page = text("messages.md").partition("## MarketUnavailable")[0]
    assert "| the same flow is at work already; this start is skipped | nothing, or end the other run |" in page


def test_the_page_about_adapters_goes_through_the_whole_protocol() -> None:
    page = text("adapters.md")
    asked = {name for part in (Crm, Writing) for name in vars(part) if not name.startswith("_")}
    assert [name for name in asked if not re.search(rf"^\| `{name}[`(]", page, re.MULTILINE)] == []


def test_the_readme_names_only_commands_that_exist() -> None:
    known = {path for path, _ in commands()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shell = "\n".join(re.findall(r"```sh\n(.*?)```", readme, re.DOTALL))
    named = re.findall(r"^(marketsync(?: [a-z-]+)+)", shell, re.MULTILINE) + re.findall(r"`(marketsync(?: [a-z-]+)+)`", readme)
    assert named and [command for command in named if command not in known] == []


def _rules() -> dict[str, list[str]]:
    """The rules that the page says hold: id → the other cells of its row."""
    holds = text("rules.md").partition("## Not kept yet")[0]
    return {
        row[0]: row[1:] for row in (line.strip("| ").split(" | ") for line in holds.splitlines()) if re.fullmatch(r"[A-Z]+-\d+", row[0])
    }


def test_the_rules_page_names_tests_for_what_it_promises() -> None:
    """Each rule that the page says holds is named by a test, and each rule that a test names stands on the page."""
    promised = set(_rules())
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    groups = {rule.partition("-")[0] for rule in promised}
    written = re.findall(r"\b([A-Z]+)-(\d+|[A-Z]{1,2})\b", tests)
    named = {f"{group}-{which}".upper() for group, which in [*written, *re.findall(r"(?<![a-z])([a-z]+)_(\d+)(?!\d)", tests)]}
    assert promised and promised - named == set()
    page = text("rules.md")
    assert [rule for rule in sorted(named) if rule.partition("-")[0] in groups and f"| {rule}" not in page] == []


def test_every_rule_says_why_and_where() -> None:
    for rule, cells in _rules().items():
        where = re.findall(r"`([\w/]+\.py)`", cells[-1])
        assert len(cells) >= 3 and all(len(cell) > 10 for cell in cells[:2]) and where, rule
        assert any(re.search(rf"{rule}(?![\dA-Z])", (ROOT / file).read_text(encoding="utf-8")) for file in where), (
            f"{rule}: not named in {where}"
        )
