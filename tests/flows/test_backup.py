"""A Market that is put back from a backup: nothing is made twice in the CRM (PUSH-3), and what changed since comes again (PULL-1)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from sync.records import Kind, RunRef
from tasks.idle import only_run
from tasks.operate import TIME_SENSITIVE_FLOW
from tests.flows.command import typed
from tests.postgres import binaries
from tests.push_road import AT, Marketing, PushRoad, push_road


def call(does: Marketing, person: int, event_id: str) -> None:
    """A task as an application records it, under its own id."""
    values = {"subject": event_id, "priority": "high", "created_at": AT}
    task = does.row("tasks", "task_id", event_id=event_id, contact_id=person, **values)
    does.queue(Kind.TASK, person, task)


def saved(road: PushRoad, folder: Path, market_url: str) -> None:
    """By the command, or by the one that it names."""
    told = typed(folder, "backup", str(folder / "saved"))
    if market_url.startswith("sqlite"):
        assert told.exit_code == 0 and (folder / "saved").exists()
        assert typed(folder, "backup", str(folder / "saved")).exit_code == 2  # never overwritten
        return
    assert told.exit_code == 2
    [command] = re.findall(r"What to do: pg_dump (.*)", told.output)
    subprocess.run([binaries() / "pg_dump", *command.split()], check=True)


def put_back(road: PushRoad, folder: Path, market_url: str) -> str:
    road.core.road.market.close()
    if market_url.startswith("sqlite"):
        return typed(folder, "restore", str(folder / "saved"), "--yes").output
    told = typed(folder, "restore", str(folder / "saved"), "--yes")
    assert told.exit_code == 2
    [command] = re.findall(r"What to do: pg_restore (.*), then", told.output)
    subprocess.run([binaries() / "pg_restore", *command.split()], check=True)
    return typed(folder, "restore", "--yes").output


def test_push_3_receipts_that_a_restore_lost_are_found_again_and_pull_1_changes_since_the_backup_come_again(
    tmp_path: Path, market_url: str
) -> None:
    with push_road(tmp_path, market_url) as road:
        (one, record), (other, _), (out, _) = road.people(limit=3)
        call(road.does, one, "before the backup")
        road.does.person("nora@newcomer.example")
        saved(road, tmp_path, market_url)

        call(road.does, other, "after the backup")
        road.does.opt_out(out)
        assert road.push().words
        road.control.advance_clock(1_200)
        road.control.edit("Contacts", record, {"title": "Since the backup"})
        road.core.follow()
        made = [len(road.dump(module)) for module in ("Tasks", "Leads")]

        told = put_back(road, tmp_path, market_url)
        assert "2 waiting pushes will be looked up" in told, told
        assert road.core.rows("SELECT event_id FROM tasks") == [{"event_id": "before the backup"}]
        call(road.does, other, "after the backup")  # the application tells it once more
        road.push()
        road.core.follow()
        assert [len(road.dump(module)) for module in ("Tasks", "Leads")] == made
        assert road.states(Kind.TASK) == {"acknowledged": 2} and road.states(Kind.NEW_LEAD) == {"acknowledged": 1}
        [row] = road.core.rows("SELECT title FROM contacts WHERE contact_id = :one", one=one)
        assert row == {"title": "Since the backup"}
        [said] = road.core.rows("SELECT opt_out FROM contacts WHERE contact_id = :out", out=out)
        assert said["opt_out"] in (1, True)  # CONSENT-3: the CRM had heard of it


def test_a_restore_waits_for_no_flow_at_work_and_takes_no_file_that_is_no_market(tmp_path: Path) -> None:
    with push_road(tmp_path, f"sqlite:///{tmp_path}/market.db") as road:
        before = road.core.rows("SELECT count(*) AS many FROM contacts")
        with only_run(RunRef("at work", TIME_SENSITIVE_FLOW, "acme", road.core.road.config)):
            assert typed(tmp_path, "restore", "--yes").exit_code == 5
        (tmp_path / "letter").write_text("Dear Sir or Madam")
        for file, code in (("letter", 7), ("nothing", 2)):
            assert typed(tmp_path, "restore", str(tmp_path / file), "--yes").exit_code == code
        assert typed(tmp_path, "restore", str(tmp_path / "letter"), keys="n\n").output.endswith("Nothing was changed.\n")
        assert road.core.rows("SELECT count(*) AS many FROM contacts") == before


def test_push_3_an_event_has_the_same_key_in_the_crm_in_every_market_and_another_event_another(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = []
    for folder in (tmp_path, tmp_path_factory.mktemp("other")):
        with push_road(folder, f"sqlite:///{folder}/market.db") as road:
            (one, _), (other, _) = road.people(limit=2)
            order = ("a", "b") if folder == tmp_path else ("b", "a")  # so that Market's own keys differ
            for event_id in order:
                call(road.does, one if event_id == "a" else other, event_id)
            rows = road.core.rows("SELECT t.event_id, o.push_key FROM outbox o JOIN tasks t ON t.task_id = o.subject_id")
            found.append({row["event_id"]: row["push_key"] for row in rows})
    assert found[0] == found[1] and len(set(found[0].values())) == 2
