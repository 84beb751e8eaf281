"""The quarantine desk, driven as a person drives it (GATE-2)."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from adapters.market.engine import Market, open_market
from adapters.market.schema_books import quarantine
from tests.flows.command import configured, told, typed

AT = datetime(2026, 11, 2, 14, 5, tzinfo=UTC)
ROW = {"id": "c-1", "last_name": "Größe", "email1": "nobody@", "description": "two\nlines \x1b[31mred"}


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    configured(tmp_path, "https://crm.example.com")
    market = open_market(f"sqlite:///{tmp_path / 'market.db'}")
    market.upgrade()
    yield market
    market.close()


def hold(market: Market, crm_id: str = "c-1", **values: Any) -> None:
    """One entry, of a contact unless said otherwise."""
    given = {"connector": "acme", "kind": "contact", "crm_id": crm_id, "rule": "email_well_formed", "reason": "It can't be mailed."}
    wrong = {"column_name": "email", "value": "nobody@", "row": json.dumps(ROW), "first_held_at": AT, "last_held_at": AT}
    with market.database.writing() as connection:
        connection.execute(quarantine.insert().values(**{**given, **wrong, **values}))


def desk(folder: Path, *words: str) -> Result:
    return typed(folder, "quarantine", *words)


def test_the_desk_lists_by_reason_with_counts_and_ages_gate_2(tmp_path: Path, market: Market) -> None:
    since = datetime.now(UTC) - timedelta(days=3, hours=1)
    hold(market, first_held_at=since)
    hold(market, "l-1", kind="lead", rule="text_fits", reason="It would be cut off.", column_name="title", value="x" * 150)
    hold(market, "l-2", kind="lead", rule="text_fits", reason="It would be cut off.", column_name="title", value="x" * 150)
    listed = desk(tmp_path, "list").output
    assert "1 contact " in listed and "3 days" in listed and "2 leads" in listed
    assert "email is no e-mail address: nobody@" in listed and "title is too long: xxx" in listed
    assert "x" * 100 not in listed
    assert "c-1" not in desk(tmp_path, "list", "--kind", "leads").output
    assert "l-1" not in desk(tmp_path, "list", "--rule", "email_well_formed").output
    assert "The oldest 1" in desk(tmp_path, "list", "--limit", "1").output
    assert "Nothing is held back" in desk(tmp_path, "list", "--kind", "users").output


def test_a_filter_that_names_nothing_is_told_with_near_names_gate_2(tmp_path: Path, market: Market) -> None:
    hold(market)
    for words in (("--kind", "laeds"), ("--rule", "email_wel_formed"), ("--connector", "acne")):
        wrong = desk(tmp_path, "list", *words)
        assert wrong.exit_code == 2 and "did you mean" in wrong.output.lower(), words


def test_the_list_for_programs_has_counts_and_entries_without_whole_records_gate_2(tmp_path: Path, market: Market) -> None:
    hold(market)
    found: Any = told(desk(tmp_path, "list", "--json"))
    assert found["reasons"][0]["records"] == 1 and found["reasons"][0]["since"] == AT.isoformat()
    assert found["records"][0]["crm_id"] == "c-1" and found["records"][0]["value"] == "nobody@"
    assert "Größe" not in json.dumps(found, ensure_ascii=False)
    assert told(desk(tmp_path, "list", "--json", "--kind", "users")) == {"reasons": [], "records": []}


def test_an_entry_shows_what_is_wrong_where_to_correct_it_and_the_record_gate_2(tmp_path: Path, market: Market) -> None:
    hold(market, times_held=4)
    shown = desk(tmp_path, "show", "1").output
    assert "email is no e-mail address: nobody@" in shown and "It can't be mailed." in shown
    assert "https://crm.example.com/#Contacts/c-1" in shown
    assert "2026-11-02 14:05 UTC" in shown and "4 times" in shown
    assert "Größe" in shown and "two lines" in shown
    assert "\x1b[31mred" not in shown, "a terminal obeys what it is sent"


def test_a_record_that_is_no_record_is_shown_as_the_text_that_it_is_gate_2(tmp_path: Path, market: Market) -> None:
    hold(market, "", rule="record_readable", column_name=None, value=None, row='{"id": "c-1", "name": \x07')
    shown = desk(tmp_path, "show", "1")
    assert shown.exit_code == 0 and '{"id": "c-1"' in shown.output and "\x07" not in shown.output
    assert "(none)" in shown.output and "correct it" not in shown.output


def test_entries_are_asked_for_again_by_id_by_rule_or_all_gate_2(tmp_path: Path, market: Market) -> None:
    hold(market)
    hold(market, "c-2")
    hold(market, "l-1", kind="lead", rule="text_fits")
    hold(market, "", rule="id_present")
    assert "1 entry will be read again" in desk(tmp_path, "retry", "1").output
    assert "the next run reads it again" in desk(tmp_path, "show", "1").output
    assert "2 entries will be read again" in desk(tmp_path, "retry", "--rule", "email_well_formed").output
    every = desk(tmp_path, "retry", "--all").output
    assert "3 entries will be read again" in every and "1 entry can't be asked for" in every
    assert "1 entry will be read again" in desk(tmp_path, "retry", "--all", "--kind", "leads").output
    assert [each.crm_id for each in market.quarantine.list() if each.retry_asked_at] == ["c-1", "c-2", "l-1"]
    assert desk(tmp_path, "retry").exit_code == 2 and desk(tmp_path, "retry", "1", "--all").exit_code == 2
    assert desk(tmp_path, "retry", "99").exit_code == 2


def test_a_release_needs_a_reason_and_an_entry_and_says_what_it_does_not_do_gate_2(tmp_path: Path, market: Market) -> None:
    hold(market)
    hold(market, "c-2")
    assert desk(tmp_path, "release", "1").exit_code == 2
    assert desk(tmp_path, "release", "1", "--reason", " ").exit_code == 2
    assert desk(tmp_path, "release", "1", "99", "--reason", "x").exit_code == 2
    assert len(market.quarantine.list()) == 2
    released = desk(tmp_path, "release", "1", "--reason", "wrong import").output
    assert "Released 1." in released and "held again if it still fails" in released
    assert "1 had been released before" in desk(tmp_path, "release", "1", "2", "--reason", "x").output
    assert "1 entry had been released before" in desk(tmp_path, "retry", "1").output


def test_what_was_released_tells_when_why_and_by_whom_gate_2(tmp_path: Path, market: Market) -> None:
    hold(market)
    assert "Nothing was released" in desk(tmp_path, "list", "--released").output
    desk(tmp_path, "release", "1", "--reason", "wrong import")
    for said in (desk(tmp_path, "show", "1").output, desk(tmp_path, "list", "--released").output):
        assert f"wrong import ({getpass.getuser()})" in said
    assert "Nothing is held back" in desk(tmp_path, "list").output


def test_an_entry_of_a_connector_that_is_gone_can_be_looked_at_gate_2(tmp_path: Path, market: Market) -> None:
    hold(market, connector="former")
    shown = desk(tmp_path, "show", "1")
    assert shown.exit_code == 0 and "Größe" in shown.output and "correct it" not in shown.output


def test_the_desk_is_empty_before_the_first_sync(tmp_path: Path) -> None:
    configured(tmp_path)
    for words in (("show", "1"), ("retry", "--all"), ("release", "1", "--reason", "x")):
        result = desk(tmp_path, *words)
        assert result.exit_code == 0 and "Nothing has been synced yet" in result.output
    assert told(desk(tmp_path, "list", "--json")) == {"reasons": [], "records": []}
    assert not (tmp_path / "market.db").exists()
