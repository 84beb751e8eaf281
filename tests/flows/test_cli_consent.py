"""`marketsync consent`, driven as a person drives it (CONSENT-7, CONSENT-10)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.market.engine import Market, open_market
from tests.adapters.market.building import execute, link, person, put, put_links
from tests.flows.command import configured, told, typed

AT = datetime(2026, 11, 2, 14, 5, tzinfo=UTC)


@pytest.fixture
def market(tmp_path: Path) -> Iterator[Market]:
    configured(tmp_path)
    market = open_market(f"sqlite:///{tmp_path / 'market.db'}")
    market.upgrade()
    yield market
    market.close()


def test_consent_7_show_tells_state_records_history_and_the_reason_why_not(tmp_path: Path, market: Market) -> None:
    put(market, "contacts", person(1, email="Ann@x.test", first_name="Ann", crm_type="Contact"), person(2, email="ann@x.test"))
    put_links(market, link("c1", 1, crm_opt_out=False))
    market.consent.unsubscribe(1, who="the person", why="clicked", now=AT, push=["acme"], campaign="spring")
    shown = typed(tmp_path, "consent", "show", " ANN@x.test")
    assert shown.exit_code == 0, shown.output
    for said in ("may not be mailed: opted out", "Contact 1   Ann", "acme contact c1   says in, our opt-out is on its way there", "spring"):
        assert said in shown.output
    assert "opted out by the person [market]: clicked" in shown.output and "put on the guarded watch" in shown.output
    found = told(typed(tmp_path, "consent", "show", "--contact", "2", "--json"))
    assert isinstance(found, dict) and (found["may"], found["why"]) == (False, "the address is on the guarded watch")
    assert [each["row"]["contact_id"] for each in found["people"]] == [2]


def test_consent_7_show_needs_one_address_or_one_person_that_exists(tmp_path: Path, market: Market) -> None:
    assert typed(tmp_path, "consent", "show").exit_code == 2
    assert typed(tmp_path, "consent", "show", "a@x.test", "--contact", "1").exit_code == 2
    assert typed(tmp_path, "consent", "show", "--contact", "7").exit_code == 2
    nobody = typed(tmp_path, "consent", "show", "a@x.test")
    assert nobody.exit_code == 0 and "nobody living is known here" in nobody.output and "nothing was ever said" in nobody.output


def test_consent_7_a_release_needs_a_reason_and_says_whether_mail_may_go(tmp_path: Path, market: Market) -> None:
    put(market, "contacts", person(1, email="ann@x.test"))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=AT)
    assert typed(tmp_path, "consent", "release", "ann@x.test").exit_code == 2
    assert typed(tmp_path, "consent", "release", "ann@x.test", "--reason", " ").exit_code == 2
    released = typed(tmp_path, "consent", "release", "Ann@x.test", "--reason", "asked by letter")
    assert released.exit_code == 0 and "still may not be mailed: opted out" in released.output
    assert market.consent.ledger(address="ann@x.test")[-1].why == "asked by letter"
    assert typed(tmp_path, "consent", "release", "ann@x.test", "--reason", "again").exit_code == 1


def test_consent_7_an_import_is_all_or_nothing_and_recognises_what_is_there(tmp_path: Path, market: Market) -> None:
    file = tmp_path / "watch.csv"
    file.write_text("address,campaign,date\nann@x.test,spring,2026-01-02\nnobody\nbob@x.test,,soon\n", encoding="utf-8")
    refused = typed(tmp_path, "consent", "import", str(file), "--reason", "bought list")
    assert refused.exit_code == 2 and "line 3:" in refused.output and "line 4:" in refused.output and market.consent.watched() == ()
    file.write_text("address,campaign,date\nann@x.test,spring,2026-01-02\nANN@x.test,spring,\nbob@x.test,,\n", encoding="utf-8")
    words = ["consent", "import", str(file), "--reason", "bought list"]
    assert "2 would be put on the guarded watch" in typed(tmp_path, *words, "--dry-run").output and market.consent.watched() == ()
    assert "2 put on the guarded watch; 0 there already; 1 repeated" in typed(tmp_path, *words).output
    assert "0 put on the guarded watch; 2 there already; 1 repeated" in typed(tmp_path, *words).output
    [ann, bob] = market.consent.watched()
    assert (ann.address, ann.campaign, ann.added_at, ann.reason) == (
        "ann@x.test",
        "spring",
        datetime(2026, 1, 2, tzinfo=UTC),
        "bought list",
    )
    assert len(market.consent.ledger()) == 2 and bob.who


def test_consent_7_addresses_may_be_guarded_before_the_first_sync(tmp_path: Path) -> None:
    configured(tmp_path)
    file = tmp_path / "watch.ndjson"
    file.write_text('{"address": "ann@x.test", "reason": "letter"}\n', encoding="utf-8")
    assert typed(tmp_path, "consent", "import", str(file), "--dry-run").exit_code == 2
    assert typed(tmp_path, "consent", "import", str(file)).exit_code == 0
    assert typed(tmp_path, "consent", "import", str(tmp_path / "none.csv")).exit_code == 2


def test_consent_7_what_is_exported_can_be_imported(tmp_path: Path, market: Market) -> None:
    market.consent.unsubscribe("ann@x.test", who="ann", why='said "no", twice', now=AT, campaign="spring")
    file = tmp_path / "out.csv"
    assert "Wrote 1 entry" in typed(tmp_path, "consent", "export", "--csv", str(file)).output
    assert typed(tmp_path, "consent", "export").output == file.read_text(encoding="utf-8")
    [entry] = json.loads(typed(tmp_path, "consent", "export", "--json").output)
    assert (entry["address"], entry["campaign"], entry["added_at"]) == ("ann@x.test", "spring", "2026-11-02T14:05:00+00:00")
    assert "0 put on the guarded watch; 1 there already" in typed(tmp_path, "consent", "import", str(file)).output


def test_consent_10_verify_names_whoever_may_be_mailed_against_their_word(tmp_path: Path, market: Market) -> None:
    put(market, "contacts", person(1, email="ann@x.test"))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=AT)
    well = typed(tmp_path, "consent", "verify")
    assert well.exit_code == 0 and "Nobody may be mailed" in well.output
    execute(market, "UPDATE contacts SET opt_out = false")
    execute(market, "DELETE FROM guarded_watch")
    found = typed(tmp_path, "consent", "verify")
    assert found.exit_code == 1 and "ann@x.test" in found.output and "clicked" in found.output and "1 may be mailed" in found.output
    listed = typed(tmp_path, "consent", "verify", "--json")
    assert listed.exit_code == 1 and {each["contact_id"] for each in json.loads(listed.stdout)} == {1}


def test_before_the_first_sync_there_is_nothing_to_tell(tmp_path: Path) -> None:
    configured(tmp_path)
    assert "Nothing has been synced yet" in typed(tmp_path, "consent", "show", "a@x.test").output
    assert (
        typed(tmp_path, "consent", "verify").exit_code == 0
        and typed(tmp_path, "consent", "release", "a@x.test", "--reason", "x").exit_code == 1
    )
    assert typed(tmp_path, "consent", "export").output == "address,campaign,date,reason,who\n"
    assert not (tmp_path / "market.db").exists()
