"""`marketsync import people`, driven as a person drives it (DEL-5)."""

from __future__ import annotations

from pathlib import Path

from adapters.market.engine import open_market
from tests.adapters.market.building import ask, person, put
from tests.flows.command import configured, told, typed


def test_del_5_people_come_from_a_csv_file_and_go_by_a_template(tmp_path: Path) -> None:
    configured(tmp_path, more='[saved_reports.fair]\nof = "people"\nall_of = [{ field = "lead_source", op = "equals", value = "fair" }]')
    file = tmp_path / "people.csv"
    file.write_text("email,last_name,deleted_date\nann@x.test,Ann,\nbob@x.test,Bob,\nzoe,Zoe,\n", encoding="utf-8")
    assert "There is no Market" in typed(tmp_path, "import", "people", "--file", str(file), "--dry-run").output
    done = typed(tmp_path, "import", "people", "--file", str(file), "--set", "lead_source=fair")
    assert done.exit_code == 2 and "people: 2 new, 0 changed, 0 deleted, 0 unchanged, 1 refused." in done.output
    assert "line 4: email: an e-mail address is expected" in done.output
    market = open_market(f"sqlite:///{tmp_path / 'market.db'}")
    put(market, "contacts", person(9, email="eve@x.test", opt_out=True))
    kept = typed(tmp_path, "import", "people", "--file", str(file), "--set", "opt_out=false", "--json")
    assert kept.exit_code == 2 and told(kept)["unchanged"] == 2  # type: ignore[index, call-overload]
    one = tmp_path / "one.csv"
    one.write_text("email\neve@x.test\n", encoding="utf-8")
    assert "1 stay opted out" in typed(tmp_path, "import", "people", "--file", str(one), "--set", "opt_out=false").output
    gone = typed(tmp_path, "import", "people", "--report", "fair", "--set", "deleted_date=now", "--reason", "the fair is over")
    assert gone.exit_code == 0 and "2 deleted" in gone.output
    assert ask(market, "SELECT count(*) FROM contacts WHERE deleted_date IS NOT NULL") == [(2,)]
    market.close()


def test_mistakes_of_the_command_are_told(tmp_path: Path) -> None:
    configured(tmp_path)
    assert "nobody to import" in typed(tmp_path, "import", "people").output
    assert "can't be read" in typed(tmp_path, "import", "people", "--file", str(tmp_path / "none.csv")).output
    assert "names no field and value" in typed(tmp_path, "import", "people", "--file", "x.csv", "--set", "title").output
    assert "saved_reports" in typed(tmp_path, "import", "people", "--report", "none").output
