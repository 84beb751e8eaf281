"""`marketsync report`, typed as a person types it (REPORT-1, DEL-4, DEL-8)."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.market.engine import Market, open_market
from tests.adapters.market.building import ask, person, put
from tests.flows.command import configured, typed

REPORTS = """
[gate]
min_rows_for_share = 5
mass_deletion_share = 0.2
[saved_reports.stale]
of = "people"
text = "Leads that nobody touched"
all_of = [{ field = "title", op = "equals", value = "stale" }]
columns = ["contact_id", "last_name", "opt_out", "created_at"]
[saved_reports.half]
of = "people"
all_of = [{ field = "contact_id", op = "lte", value = 3 }]
[saved_reports.vip]
of = "people"
segment = true
all_of = [{ field = "title", op = "equals", value = "CEO" }]
[saved_reports.broken]
of = "people"
all_of = [{ field = "nobody_c", op = "is_null" }]
"""


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    configured(tmp_path, more=REPORTS)
    market = open_market(f"sqlite:///{tmp_path / 'market.db'}")
    market.upgrade()
    titles = {1: "stale", 2: "CEO"}
    put(market, "contacts", *(person(key, title=titles.get(key), last_name=f"Größe, {key}", crm_type="Lead") for key in range(1, 7)))
    yield market
    market.close()


def living(market: Market) -> int:
    return int(ask(market, "SELECT count(*) FROM contacts WHERE deleted_date IS NULL")[0][0])


def test_report_1_list_tells_reports_uses_and_segments(tmp_path: Path, market: Market) -> None:
    said = typed(tmp_path, "report", "list").output
    assert "stale" in said and "Leads that nobody touched" in said and "segment" in said


def test_report_1_looking_makes_no_market_and_an_unknown_report_is_told_with_near_names(tmp_path: Path) -> None:
    configured(tmp_path, more=REPORTS)
    assert "stale" in typed(tmp_path, "report", "list").output
    assert "Nothing has been synced yet" in typed(tmp_path, "report", "run", "stale").output
    wrong = typed(tmp_path, "report", "run", "stail")
    assert wrong.exit_code == 2 and 'did you mean "stale"' in wrong.output
    assert not (tmp_path / "market.db").exists()


def test_report_1_run_shows_rows_as_a_table_as_json_and_as_csv(tmp_path: Path, market: Market) -> None:
    assert "Größe, 1" in typed(tmp_path, "report", "run", "stale").output
    line = json.loads(typed(tmp_path, "report", "run", "stale", "--json").stdout)
    assert (line["contact_id"], line["last_name"], line["opt_out"]) == (1, "Größe, 1", False) and line["created_at"].endswith("+00:00")
    assert typed(tmp_path, "report", "run", "stale", "--csv", str(tmp_path / "out.csv")).exit_code == 0
    rows = list(csv.reader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0] == ["contact_id", "last_name", "opt_out", "created_at"] and rows[1][:3] == ["1", "Größe, 1", "false"]
    assert typed(tmp_path, "report", "run", "half", "--csv", "-", "--limit", "1").output.count("\n") == 2


def test_report_1_explain_shows_words_sql_values_and_plan(tmp_path: Path, market: Market) -> None:
    said = typed(tmp_path, "report", "explain", "stale").output
    assert 'title is "stale"' in said and "SELECT" in said and "Values" in said and "Plan" in said and "1 rows meet" in said


def test_report_1_a_report_that_market_cannot_answer_is_told(tmp_path: Path, market: Market) -> None:
    for words in (["run"], ["explain"], ["preview"]):
        result = typed(tmp_path, "report", *words, "broken")
        assert result.exit_code == 2 and 'people have no field "nobody_c"' in result.output, words


def test_del_4_preview_shows_what_would_go_and_deletes_nothing(tmp_path: Path, market: Market) -> None:
    said = typed(tmp_path, "report", "preview", "half").output
    assert '3 of 6 people (50.0%) meet "half"' in said and "Lead" in said and "c1, c2, c3" in said and "The brake would hold" in said
    assert living(market) == 6


def test_del_4_delete_refuses_without_yes_and_shows_the_preview_first(tmp_path: Path, market: Market) -> None:
    refused = typed(tmp_path, "report", "delete", "stale", "--reason", "old")
    assert refused.exit_code == 2 and "1 of 6 people" in refused.output and "--yes" in refused.output and living(market) == 6
    assert typed(tmp_path, "report", "delete", "stale", "--yes").exit_code != 0  # a reason is needed
    done = typed(tmp_path, "report", "delete", "stale", "--yes", "--do-not-pull", "--reason", "old")
    assert done.exit_code == 0 and "Deleted 1 people" in done.output and living(market) == 5
    assert ask(market, "SELECT contact_id FROM contacts WHERE do_not_pull") == [(1,)]


def test_del_8_delete_by_hand_is_held_by_the_brake(tmp_path: Path, market: Market) -> None:
    held = typed(tmp_path, "report", "delete", "half", "--yes", "--reason", "old")
    assert held.exit_code == 2 and "othing was deleted" in held.output and "deletions list" in held.output and living(market) == 6
