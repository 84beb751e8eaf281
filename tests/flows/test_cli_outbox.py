"""The outbox desk, driven as a person drives it (PUSH-2, PUSH-4)."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result

from adapters.market.engine import Market, open_market
from adapters.market.queueing import Queued, queue
from adapters.market.schema_books import outbox
from sync.records import Kind
from tests.flows.command import configured, typed

SINCE = datetime.now(UTC) - timedelta(days=3, hours=1)


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    """Six rows: three tasks, of which the CRM refused one for good, and an opt-out, an update and a campaign's counters."""
    configured(tmp_path, "https://crm.example.com")
    market = open_market(f"sqlite:///{tmp_path / 'market.db'}")
    market.upgrade()
    rows = [Queued("acme", Kind.TASK, 7, task) for task in (1, 2, 3)]
    rows += [Queued("acme", Kind.UPDATE, 7, value='{"title": "CEO"}'), Queued("acme", Kind.OPENED, 0, 5)]
    with market.database.writing() as connection:
        queue(connection, sorted(rows, key=lambda row: row.kind), SINCE)
        refused = {"state": "parked", "attempts": 5, "refusal": "The subject is \x1b[31mtoo long"}
        connection.execute(outbox.update().where(outbox.c.kind == "task", outbox.c.subject_id == 2).values(refused))
        connection.execute(outbox.update().where(outbox.c.subject_id == 3).values(waits_for="record"))
        connection.execute(
            outbox.insert().values(
                connector="acme", kind="opt-out", contact_id=7, crm_kind="lead", crm_id="l-1", value="{}", created_at=SINCE
            )
        )
    yield market
    market.close()


def desk(folder: Path, *words: str) -> Result:
    return typed(folder, "outbox", *words)


def id_of(market: Market, kind: str, subject: int = 0) -> str:
    with market.database.reading() as connection:
        query = outbox.select().where(outbox.c.kind == kind, outbox.c.subject_id == subject)
        return str(connection.execute(query).one().outbox_id)


def test_push_4_the_desk_lists_what_waits_with_the_reason(tmp_path: Path, market: Market) -> None:
    listed = desk(tmp_path, "list").output
    for words in ("1 task ", "parked", "3 days", "The subject is", "does not have the person yet", "lead l-1", "a campaign's counters"):
        assert words in listed
    assert "\x1b[31m" not in listed
    assert "l-1" not in desk(tmp_path, "list", "--kind", "tasks").output
    assert "too long" not in desk(tmp_path, "list", "--state", "pending").output
    assert "The oldest of them" in desk(tmp_path, "list", "--limit", "1").output
    assert "Nothing is acknowledged" in desk(tmp_path, "list", "--state", "acknowledged").output
    told = json.loads(desk(tmp_path, "list", "--json", "--connector", "acme", "--state", "parked").output)
    assert [(each["kind"], each["rows"]) for each in told["counts"]] == [("task", 1)]
    assert [row["attempts"] for row in told["rows"]] == [5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--kind", "taks"], 'did you mean "tasks"'),
        (["list", "--state", "parkd"], 'did you mean "parked"'),
        (["list", "--connector", "acne"], 'did you mean "acme"'),
        (["show", "999"], "here is no row 999"),
        (["retry"], "--all-parked"),
        (["retry", "999"], "here is no row 999"),
        (["park", "1", "--why", " "], "only for a reason"),
    ],
)
def test_what_names_nothing_is_told(tmp_path: Path, market: Market, words: list[str], said: str) -> None:
    result = desk(tmp_path, *words)
    assert result.exit_code != 0
    assert said in result.output


def test_push_2_a_row_is_shown_whole(tmp_path: Path, market: Market) -> None:
    shown = desk(tmp_path, "show", id_of(market, "record update")).output
    assert 'value         {"title": "CEO"}' in shown and "pending, version 1" in shown and "waits since" in shown
    assert "refused 5 times" in desk(tmp_path, "show", id_of(market, "task", 2)).output


def test_push_4_a_parked_row_is_tried_again_when_an_operator_says_so(tmp_path: Path, market: Market) -> None:
    parked = id_of(market, "task", 2)
    assert "1 row is tried again" in desk(tmp_path, "retry", parked).output
    shown = market.outbox.row(int(parked))
    assert shown is not None and (shown.state, shown.attempts) == ("pending", 0)
    assert "1 row waits" in desk(tmp_path, "park", parked, "--why", "the field is being widened").output
    shown = market.outbox.row(int(parked))
    assert shown is not None and shown.refusal == f"parked by {getpass.getuser()}: the field is being widened"
    assert "1 row is tried again" in desk(tmp_path, "retry", "--all-parked", "--connector", "acme").output
    market.outbox.mark_sending([int(parked)], SINCE)
    assert "1 of them is with the CRM already" in desk(tmp_path, "retry", parked).output


def test_the_desk_before_the_first_run_has_nothing(tmp_path: Path) -> None:
    configured(tmp_path, "https://crm.example.com")
    assert {desk(tmp_path, *words).output for words in (["list"], ["show", "1"], ["retry", "1"], ["park", "1", "--why", "x"])} == {
        "Nothing waits for a CRM.\n"
    }


def test_push_2_status_tells_what_waits_and_what_was_refused(tmp_path: Path, market: Market) -> None:
    said = typed(tmp_path, "status").output
    assert "Waiting for the CRM" in said and "1 opt-out" in said and "parked" in said
    [told] = json.loads(typed(tmp_path, "status", "--json").output)
    assert {(each["kind"], each["state"], each["waits_for"], each["rows"]) for each in told["outbox"]} == {
        ("opt-out", "pending", None, 1),
        ("task", "pending", None, 1),
        ("task", "pending", "record", 1),
        ("task", "parked", None, 1),
        ("record update", "pending", None, 1),
        ("opened email", "pending", None, 1),
    }
