"""Does the CRM have what the push options need? Asked by `marketsync check` (CONN-3, CONN-6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sandbox.sugarcrm import CALM, SugarSandboxSettings, start_sandbox
from sync.crm import CheckLine
from tasks.operate import check_connector
from tests.flows.command import configured

FEW = {"accounts": 1, "leads": 1, "contacts": 1, "opportunities": 1, "users": 1, "prospect_lists": 0, "campaigns": 0}
EVERYTHING_ON = """
[connectors.acme.push]
scores = true
unsubscribes = true
sent_emails = true
opened_emails = true
clicked_emails = true
tasks = true
new_leads = true
record_updates = true
web_activity = true
landing_pages = true
events = true
"""


def checked(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str, *without: str) -> dict[str, list[CheckLine]]:
    """Subject → lines."""
    monkeypatch.setenv("CLI_TEST_PASSWORD", "sandbox-password")
    with start_sandbox(SugarSandboxSettings(nastiness=CALM, without=without, **FEW)) as sandbox:
        lines = check_connector(str(configured(folder, sandbox.url, more) / "marketsync.toml"), "acme")
    return {subject: [line for line in lines if line.subject == subject] for subject in dict.fromkeys(line.subject for line in lines)}


def test_conn_3_all_push_options_on_and_all_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CONN-6: every option that is on is probed."""
    lines = checked(tmp_path, monkeypatch, EVERYTHING_ON)
    assert [line.said for each in lines.values() for line in each if not line.ok] == []
    assert {"write Leads", "write Contacts", "write Tasks", "write mkt_EmailActivity", "write mkt_Visit", "score default"} < set(lines)
    assert len(lines["score default"]) == 4  # score and date, of leads and of contacts


def test_conn_3_score_fields_and_custom_objects_that_are_missing_are_named_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SINK-1, PUSH-S: one visit to the administrator is enough."""
    lines = checked(tmp_path, monkeypatch, EVERYTHING_ON, "mkt_Visit", "Leads.mkt_score_c")
    wrong = {line.said: line.todo for each in lines.values() for line in each if not line.ok}
    assert len(wrong) == 2
    assert all("docs/crm-objects.md" in todo for todo in wrong.values())
    assert {"leads have no mkt_score_c that this user sees", "the CRM has no mkt_Visit, or mkt_sync does not see it"} == set(wrong)


def test_conn_6_what_is_off_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = checked(tmp_path, monkeypatch, "[connectors.acme.push]\ntasks = true", "mkt_Visit", "Leads.mkt_score_c")
    assert [subject for subject in lines if subject.startswith(("write", "score"))] == ["write Tasks"]
