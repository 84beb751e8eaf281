"""What a person is told to type next follows from what the run found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.records import Finding, Kind, RunRef
from sync.report import RunReport
from tasks.operate import TIME_SENSITIVE_FLOW
from tasks.report import PUSH_PARKED, PUSH_REFUSED, next_steps

AT = datetime(2026, 3, 1, tzinfo=UTC)
REPORT = RunReport("run-1", TIME_SENSITIVE_FLOW, "acme", AT, AT, "completed")
CONFIG = """
[connectors.acme]
crm = "sugarcrm"
url = "https://crm.example.com"
username = "sync"
password = { env = "CRM_PASSWORD" }
"""


@pytest.mark.parametrize("topic", [PUSH_REFUSED, PUSH_PARKED])
def test_push_4_who_finds_refused_rows_is_shown_the_outbox(tmp_path: Path, topic: str) -> None:
    config = tmp_path / "marketsync.toml"
    config.write_text(CONFIG, encoding="utf-8")
    run = RunRef("run-1", TIME_SENSITIVE_FLOW, "acme", str(config))
    assert not any("outbox list" in step for step in next_steps(run, REPORT))
    refused = replace(REPORT, findings=(Finding(Kind.TASK, topic, "1 task was refused"),))
    assert any("outbox list" in step for step in next_steps(run, refused))
