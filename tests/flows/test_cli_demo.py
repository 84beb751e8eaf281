"""The demo as a stranger runs it, small; and what can be typed afterwards."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.flows.command import run, typed

SMALL = ("--users", "5", "--accounts", "60", "--leads", "80", "--contacts", "150", "--opportunities", "30")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stage") / "demo"


@pytest.fixture(scope="module")
def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return run("demo", "--folder", str(folder), *SMALL)


def test_the_demo_ends_well_and_says_what_came_init_1(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    """INIT-1, INIT-6, GATE-5"""
    assert demo.returncode == 0, demo.stderr
    for said in (
        "records came from demo",
        "CRM against Market",
        "Quality report",
        "What to type next",
        "quarantine list" if "held back, and why" in demo.stdout else "status",
    ):
        assert said in demo.stdout
    report = re.search(r"Quality report\s+(\S+)", demo.stdout)
    assert report and "<html" in Path(report[1]).read_text(encoding="utf-8")
    assert (folder / "market.db").exists()


def test_the_progress_is_plain_lines_where_the_output_is_no_terminal(demo: subprocess.CompletedProcess[str]) -> None:
    assert re.search(r"contacts: \d+ read in", demo.stderr) and re.search(r"contacts: \d+ written in", demo.stderr)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", demo.stdout + demo.stderr)
    assert "Traceback" not in demo.stderr and "prefect" not in demo.stderr.lower()


def test_the_password_stands_in_its_file_only_conn_4(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    """CONN-4"""
    password = (folder / "sandbox-password").read_text().strip()
    assert len(password) > 20 and password not in demo.stdout + demo.stderr
    holding = [path.name for path in folder.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
    assert holding == ["sandbox-password"]


def test_what_the_demo_proposes_works(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert demo.returncode == 0
    status = typed(folder, "status")
    assert status.exit_code == 0 and "initial sync complete" in status.output
    assert typed(folder, "quarantine", "list").exit_code == 0
    again = typed(folder, "run", "initial")
    assert again.exit_code == 0 and "Nothing to do" in again.output
    python = next(line.strip() for line in demo.stdout.splitlines() if line.strip().startswith("python3 -c"))
    asked = subprocess.run(python, shell=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert "Contact" in asked.stdout, asked.stderr


def test_a_held_record_is_listed_with_the_field_that_is_wrong_gate_5(demo: subprocess.CompletedProcess[str], folder: Path) -> None:
    """GATE-5: the reports of the last runs tell the field and what stands in it."""
    assert demo.returncode == 0
    listed = typed(folder, "quarantine", "list").output
    if "Nothing is held back" not in listed:
        assert re.search(r"is too long: |can't be read: |is no e-mail address: ", listed)
        entry = next(line.split()[0] for line in listed.splitlines() if re.search(r"is too long|can't be read|is no e-mail", line))
        assert "  wrong     " in typed(folder, "quarantine", "show", entry).output


def test_the_demo_does_not_clear_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    result = typed(tmp_path, "demo", "--folder", str(tmp_path))
    assert result.exit_code == 2 and (tmp_path / "thesis.txt").exists()
