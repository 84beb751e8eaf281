"""Drives the real command line: in this process for the quick commands, as a process of its own for those that run a flow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from flows.cli import cli

ROOT = Path(__file__).parents[2]


def typed(folder: Path, *words: str, keys: str | None = None) -> Result:
    """A command with the configuration in this folder; `keys` are typed at its questions."""
    return CliRunner().invoke(cli, ["--config", str(folder / "marketsync.toml"), *words], input=keys)


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own; its output is no terminal."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words],
        cwd=ROOT,
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def clean_environment() -> dict[str, str]:
    """Without a Prefect server or settings of the tests' own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def configured(folder: Path, url: str = "http://127.0.0.1:9", more: str = "") -> Path:
    """A configuration of one connector, `acme`, whose password is in the environment."""
    lines = (
        'data_dir = "data"',
        "[market]",
        'url = "sqlite:///market.db"',
        "[connectors.acme]",
        'crm = "sugarcrm"',
        f'url = "{url}"',
        'username = "mkt_sync"',
        'password = { env = "CLI_TEST_PASSWORD" }',
        more,
    )
    (folder / "marketsync.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def told(result: Result) -> object:
    return json.loads(result.stdout)
