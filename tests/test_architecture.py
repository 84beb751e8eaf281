"""The arrows of the architecture, and the sizes that keep it readable. Standard library only: a wrong arrow is seen in milliseconds.

flows → tasks → adapters, expectations → sync
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("sync", "adapters", "expectations", "tasks", "flows")
MODULE_LINES = 300
FUNCTION_LINES = 50


@dataclass(frozen=True)
class Room:
    """What the modules of one package may import: ours by dotted prefix, third parties by name."""

    ours: tuple[str, ...]
    others: frozenset[str]


def _room(*ours: str, others: str = "") -> Room:
    return Room(ours, frozenset(others.split()))


HTTP = ("adapters.http", "adapters.http_lanes", "adapters.http_messages", "adapters.http_trouble")
ROOMS = {
    "sync": _room("sync"),
    "adapters.http": _room("sync", *HTTP, others="msgspec requests urllib3"),
    "adapters.crm": _room("sync", "adapters.crm", *HTTP, others="msgspec orjson"),
    "adapters.crm.salesforce_login": _room("sync", "adapters.crm", *HTTP, others="cryptography msgspec"),  # signs what it logs in with
    "adapters.market": _room("sync", "adapters.market", others="adbc_driver_sqlite alembic psycopg pyarrow sqlalchemy"),
    "adapters.staging": _room("sync", "adapters.staging", others="duckdb msgspec orjson pyarrow"),
    "adapters.reports": _room("sync", "adapters.reports", others="jinja2"),
    "adapters.webhook": _room("sync", others="requests"),
    "adapters.sandbox": _room("adapters.sandbox", others="orjson"),
    "expectations": _room("sync", "expectations", others="duckdb duckdb_engine great_expectations sqlalchemy"),
    "tasks": _room("sync", "adapters", "expectations", "tasks", others="prefect"),
    "tasks.engine_server": _room("sync", "tasks", others="prefect uvicorn"),
    "tasks.market_reference": _room("sync", "adapters.market", "tasks", others="sqlalchemy"),  # a page made from the tables' types
    "tasks.shown": _room("sync", "tasks", others="prefect httpx"),  # the errors of Prefect's client
    "tasks.terminal": _room("sync", "adapters", "expectations", "tasks", others="prefect click rich"),
    "flows": _room("sync", "tasks", "flows", others="prefect"),
    "flows.cli": _room("sync", "tasks", "flows", others="prefect click rich"),
    "flows.reference": _room("sync", "tasks", "flows", others="click"),
}

# Where statements are written: SQLAlchemy in the Market, DuckDB's text in staging; the gate's rules are predicates over one batch.
SQL_HOMES = ("adapters/market/", "adapters/staging/", "adapters/sandbox/", "expectations/")
SHOWN = ("flows/cli_demo.py",)  # prints a statement for the reader to try
_STATEMENT = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|DELETE\s+FROM|UPDATE\s+\S+\s+SET|CREATE\s+(OR REPLACE\s+)?(TABLE|VIEW))\b", re.DOTALL
)


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def room_of(module: str) -> Room | None:
    """The most special room that the module lives in; None: an empty package between rooms."""
    fitting = [name for name in ROOMS if module == name or module.startswith((f"{name}.", f"{name}_"))]
    return ROOMS[max(fitting, key=len)] if fitting else None


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of every import, also inside functions. `from a import b` counts as a.b, which may be a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def allowed(room: Room, imported: str) -> bool:
    top = imported.split(".")[0]
    if top in PACKAGES:
        return any(imported == ours or imported.startswith(f"{ours}.") for ours in room.ours)
    return top in sys.stdlib_module_names or top in room.others


def undocumented(path: Path) -> Iterator[str]:
    """Public classes and functions of a module that say nothing about themselves."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_") and ast.get_docstring(node) is None:
            yield f"{name_of(path)}.{node.name}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_arrows_point_inward(path: Path) -> None:
    room = room_of(name_of(path))
    if room is None:
        assert not list(imports_of(path)), f"{path} lives in no room"
        return
    wrong = [f"{path.relative_to(ROOT)}:{line} imports {name}" for line, name in imports_of(path) if not allowed(room, name)]
    assert wrong == []


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_modules_and_functions_fit_on_a_screen(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") < MODULE_LINES, f"{path.relative_to(ROOT)} has {text.count(chr(10))} lines"
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [f"{node.name}, line {node.lineno}" for node in functions if (node.end_lineno or 0) - node.lineno + 1 >= FUNCTION_LINES]
    assert long == []


def test_every_module_says_what_it_is_for() -> None:
    written = [path for path in modules() if path.stat().st_size]
    silent = [name_of(path) for path in written if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None]
    assert silent == []


def test_every_public_name_of_sync_says_what_a_reader_cannot_see() -> None:
    silent = [name for path in modules() if name_of(path).startswith("sync") for name in undocumented(path)]
    assert silent == []


def test_no_module_is_a_drawer_for_leftovers() -> None:
    assert [name_of(path) for path in modules() if path.stem in ("utils", "util", "helpers", "helper", "misc", "common")] == []


def test_the_distribution_holds_every_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["setuptools"]["packages"]["find"]["include"]
    found = {name_of(path) for path in modules() if path.name == "__init__.py"}
    assert {package for package in found if not any(fnmatch(package, pattern) for pattern in included)} == set()
    assert {name_of(path).rpartition(".")[0] for path in modules() if path.name != "__init__.py"} - found <= _data_folders(project)


def _data_folders(project: dict[str, dict[str, dict[str, dict[str, list[str]]]]]) -> set[str]:
    """Folders of Python files that are shipped as data: Alembic loads its scripts by path."""
    data = project["tool"]["setuptools"]["package-data"]
    folders = {
        f"{package}.{Path(pattern).parent.as_posix().replace('/', '.')}" for package, patterns in data.items() for pattern in patterns
    }
    return {folder.rstrip(".") for folder in folders}


def test_statements_are_written_in_their_two_homes() -> None:
    """SQL has two homes; the gate adds predicates over one batch."""
    astray = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        if not path.relative_to(ROOT).as_posix().startswith(SQL_HOMES + SHOWN)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _STATEMENT.search(node.value)
    ]
    assert astray == []


def test_an_arrow_that_points_outward_is_seen(tmp_path: Path) -> None:
    """The test itself: what it forbids, it finds."""
    assert not allowed(ROOMS["sync"], "requests.Session")
    assert not allowed(ROOMS["sync"], "adapters.http.HttpClient")
    assert not allowed(ROOMS["adapters.market"], "adapters.staging.Parcel")
    assert not allowed(ROOMS["adapters.sandbox"], "sync.records.Kind")
    assert not allowed(ROOMS["flows"], "adapters.market.engine")
    assert room_of("flows.cli_quarantine") is ROOMS["flows.cli"]
    hidden = tmp_path / "hidden.py"
    hidden.write_text("def f():\n    from adapters.staging import Parcel\n    return Parcel\n", encoding="utf-8")
    assert list(imports_of(hidden)) == [(2, "adapters.staging.Parcel")]
