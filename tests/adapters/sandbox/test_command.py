"""The sandbox as a command: what its help says, and what to paste into a configuration."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib

import pytest

from adapters.sandbox.sugarcrm.__main__ import settings_from

_COMMAND = [sys.executable, "-m", "adapters.sandbox.sugarcrm"]


def test_help_names_the_command_as_it_is_typed_and_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        settings_from(["--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0 and told.startswith("usage: marketsync sandbox sugarcrm")
    options = told.partition("\noptions:\n")[2].split("\n  -")[1:]
    assert options and all("(default:" in one for one in options), options
    assert all(one.count("(default:") == 1 for one in options)


def test_it_says_where_it_is_to_programs_and_to_people() -> None:
    sizes = [f"--{kind}=1" for kind in ("accounts", "leads", "contacts", "opportunities")]
    with subprocess.Popen([*_COMMAND, *sizes], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=30)
    lines = tomllib.loads(told[told.index('crm = "') : told.index("and in the shell")])
    connector = {"crm": "sugarcrm", "url": url, "username": "mkt_sync", "password": {"env": "CRM_PASSWORD"}}
    assert process.returncode == 0 and rest == "" and lines == connector
    assert "export CRM_PASSWORD=sandbox-password" in told and "Ctrl-C ends it" in told
