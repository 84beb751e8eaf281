"""People from files and templates through Market and the pull: DEL-5, DEL-7, DEL-8, MATCH-2, MATCH-5, CONSENT-1, CONSENT-10, PUSH-1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sync.brake import Answer
from sync.errors import ConfigError
from sync.importing import Imported
from sync.records import Kind
from tasks.consent import unsubscribe
from tasks.importing import import_people
from tests.adapters.market.building import ask
from tests.pull_road import OPEN_GATE, PullRoad, pull_road
from tests.reference.stories import READINGS
from tests.tasks.test_linking import bring, contact, person

PUSH = "[connectors.acme.push]\nunsubscribes = true\nnew_leads = true\nrecord_updates = true"
REPORT = '[saved_reports.doctors]\nof = "people"\nall_of = [{ field = "title", op = "equals", value = "Dr" }]\n'
STRICT = "[gate]\nmass_deletion_share = 0.5\nmin_rows_for_share = 3\n"


@pytest.fixture
def road(tmp_path: Path, market_url: str) -> Iterator[PullRoad]:
    with pull_road(tmp_path, market_url, connector=PUSH, more=OPEN_GATE + REPORT) as opened:
        opened.make_columns(Kind.CONTACT, READINGS[Kind.CONTACT])
        yield opened
        assert opened.market.consent.violations() == ()


def imported(road: PullRoad, *lines: dict[str, Any], **options: Any) -> Imported:
    """A file of these lines."""
    file = Path(road.config).parent / "people.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return import_people(road.config, file=file, who="olga", **options)


def counts(done: Imported) -> tuple[int, int, int, int, int]:
    return (done.made, done.changed, done.deleted, done.unchanged, len(done.refused))


def why(done: Imported) -> list[tuple[int, str]]:
    return [(each.number, each.why) for each in done.refused]


def deleted(road: PullRoad) -> list[str]:
    return [row["email_key"] for row in road.rows("SELECT email_key FROM contacts WHERE deleted_date IS NOT NULL ORDER BY 1")]


def test_match_2_an_import_finds_people_by_address_or_key_and_makes_who_is_new(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="Ann@x.test"), contact("c2", email="bob@x.test"))
    bob = person(road, "c2")["contact_id"]
    lines = (
        {"email": " ann@X.test", "title": "Dr", "score": "7"},
        {"contact_id": bob, "email": "Bob@x.test", "title": "Ms"},
        {"email": "eve@x.test", "last_name": "Eve"},
        {"email": "EVE@x.test", "first_name": "E."},
    )
    assert counts(imported(road, *lines)) == (1, 2, 0, 0, 0)
    found = road.rows("SELECT email_key, title, score, first_name, last_name, crm_type, account_id FROM contacts ORDER BY email_key")
    assert [tuple(row.values()) for row in found] == [
        ("ann@x.test", "Dr", 7, None, None, "Contact", 1),
        ("bob@x.test", "Ms", None, None, None, "Contact", 1),
        ("eve@x.test", None, None, "E.", "Eve", "Candidate", 1),
    ]


def test_pull_8_the_same_file_again_writes_nothing(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    line = {"email": "ann@x.test", "title": "Dr", "score": 7, "opt_out": True}
    assert counts(imported(road, line)) == (0, 1, 0, 0, 0)
    before = road.rows("SELECT * FROM contacts ORDER BY contact_id"), road.rows("SELECT * FROM consent_ledger")
    assert counts(imported(road, line)) == (0, 0, 0, 1, 0)
    assert (road.rows("SELECT * FROM contacts ORDER BY contact_id"), road.rows("SELECT * FROM consent_ledger")) == before


def test_push_1_an_import_queues_nothing(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    lines = ({"email": "ann@x.test", "title": "Dr", "opt_out": True}, {"email": "new@x.test", "title": "Dr"})
    assert counts(imported(road, *lines)) == (1, 1, 0, 0, 0)
    assert road.rows("SELECT * FROM outbox") == []


def test_consent_10_an_import_opts_out_but_re_subscribes_nobody(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"), contact("c2", email="bob@x.test", out=True))
    done = imported(road, {"email": "ann@x.test", "opt_out": True}, {"email": "bob@x.test", "opt_out": False, "title": "Dr"})
    assert (counts(done), done.kept_out) == ((0, 2, 0, 0, 0), 1)
    assert [bool(person(road, each)["opt_out"]) for each in ("c1", "c2")] == [True, True]
    [entry] = road.market.consent.ledger(address="ann@x.test")
    assert (entry.who, entry.source, entry.old, entry.new, entry.why) == (
        "olga", "import", False, True, "imported as opted out: file people.ndjson"
    )  # fmt: skip
    assert not road.market.consent.may_be_mailed("ann@x.test") and not road.market.consent.may_be_mailed("bob@x.test")


def test_consent_1_who_was_imported_as_out_stays_out_when_the_crm_brings_them(road: PullRoad) -> None:
    imported(road, {"email": "ann@x.test", "opt_out": True})
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    assert bool(person(road, "c1")["opt_out"])
    assert [row["crm_id"] for row in road.rows("SELECT crm_id FROM outbox WHERE kind = 'opt-out'")] == ["c1"]


@pytest.mark.parametrize("said", [{}, {"opt_out": False}], ids=["the file says nothing", "the file says in"])
def test_consent_10_purge_and_re_import_make_nobody_mailable(road: PullRoad, said: dict[str, bool]) -> None:
    """INIT-10: out in the CRM, purged with the connector, back by a file, and back from a CRM that says in."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True), contact("c2", email="bob@x.test"))
    unsubscribe(road.config, person(road, "c2")["contact_id"], who="the person", why="clicked")
    road.market.purge("acme", who="olga", now=datetime(2026, 5, 1, tzinfo=UTC))
    road.make_columns(Kind.CONTACT, READINGS[Kind.CONTACT])
    imported(road, {"email": "Ann@x.test", **said}, {"email": "bob@x.test", **said})
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", modified=9), contact("c2", email="bob@x.test", modified=9))
    assert [road.market.consent.may_be_mailed(f"{name}@x.test") for name in ("ann", "bob")] == [False, False]


def test_del_5_a_deleted_date_in_an_import_deletes(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"), contact("c2", email="bob@x.test"), contact("c3", email="eve@x.test"))
    day = "2026-02-01T08:00:00+02:00"
    lines = ({"email": "ann@x.test", "deleted_date": day}, {"email": "bob@x.test", "deleted_date": "now"}, {"email": "eve@x.test"})
    mark = road.market.mark()
    assert counts(imported(road, *lines)) == (0, 0, 2, 1, 0)
    assert deleted(road) == ["ann@x.test", "bob@x.test"] and road.market.mark() != mark
    [ann] = ask(road.market, "SELECT deleted_date FROM contacts WHERE email_key = 'ann@x.test'")
    assert str(ann[0]).startswith("2026-02-01 06:00:00")
    assert counts(imported(road, *lines)) == (0, 0, 0, 3, 0)


def test_del_7_who_was_deleted_comes_back_with_a_change_in_the_crm_unless_barred(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"), contact("c2", email="bob@x.test"))
    imported(road, {"email": "ann@x.test", "deleted_date": "now"})
    imported(road, {"email": "bob@x.test", "deleted_date": "now"}, do_not_pull=True)
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"), contact("c2", email="bob@x.test"))
    assert deleted(road) == ["ann@x.test", "bob@x.test"], "nothing changed there"
    later = {"modified": 2, "values": {"title": "Dr"}}
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", **later), contact("c2", email="bob@x.test", **later))
    assert deleted(road) == ["bob@x.test"]


def test_del_7_who_is_deleted_already_may_be_barred_later_and_is_not_made_again(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    ann = person(road, "c1")["contact_id"]
    imported(road, {"contact_id": ann, "deleted_date": "now"})
    assert "was deleted on" in why(imported(road, {"contact_id": ann, "title": "Dr"}))[0][1]
    assert counts(imported(road, {"contact_id": ann, "deleted_date": "now"}, do_not_pull=True)) == (0, 0, 0, 1, 0)
    assert "do not pull again" in why(imported(road, {"email": "ann@x.test"}))[0][1]
    assert len(road.rows("SELECT contact_id FROM contacts")) == 1


def test_match_2_who_was_deleted_comes_back_to_their_own_row_by_their_address(road: PullRoad) -> None:
    """Else a change in the CRM, which brings the old row back, would make two of them. Who is out stays so (CONSENT-10)."""
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True))
    imported(road, {"email": "ann@x.test", "deleted_date": "now"})
    mark = road.market.mark()
    assert counts(imported(road, {"email": "Ann@x.test", "title": "Dr"})) == (0, 1, 0, 0, 0)
    assert road.market.mark() != mark and deleted(road) == []
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test", out=True, modified=2, values={"title": "Ms"}))
    assert [(row["title"], bool(row["opt_out"])) for row in road.rows("SELECT title, opt_out FROM contacts")] == [("Ms", True)]


def test_match_5_of_several_with_one_address_the_living_one_that_was_updated_last_is_meant(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="info@x.test", modified=1))
    bring(road, Kind.CONTACT, contact("c2", email="info@x.test", modified=2))
    imported(road, {"email": "info@x.test", "deleted_date": "now"})
    imported(road, {"email": "info@x.test", "title": "Dr"})
    assert (person(road, "c2")["deleted_date"] is not None, person(road, "c1")["title"]) == (True, "Dr")


def test_match_8_who_was_merged_away_goes_on_as_the_winner(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"), contact("c2", email="bob@x.test"))
    ann, bob = person(road, "c1")["contact_id"], person(road, "c2")["contact_id"]
    road.execute("UPDATE contacts SET merged_into = :winner, deleted_date = updated_at WHERE contact_id = :loser", winner=ann, loser=bob)
    assert counts(imported(road, {"contact_id": bob, "title": "Dr"})) == (0, 1, 0, 0, 0)
    assert person(road, "c1")["title"] == "Dr"


def test_what_cannot_be_imported_is_told_by_its_line_and_the_others_are_kept(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"))
    ann = person(road, "c1")["contact_id"]
    done = imported(
        road,
        {"title": "Dr"},
        {"email": "ann@x.test", "titel": "Dr"},
        {"email": "ann@x.test", "crm_id": "c9"},
        {"email": "ann@x.test", "score": "many"},
        {"email": "ann@x.test", "deleted_date": "2999-01-01T00:00:00Z"},
        {"email": "nobody@x.test", "deleted_date": "now"},
        {"contact_id": ann, "email": "other@x.test"},
        {"contact_id": 999_999, "title": "Dr"},
        {"email": "no address"},
        {"email": "ann@x.test", "title": "Dr"},
    )
    assert counts(done) == (0, 1, 0, 0, 9)
    told = dict(why(done))
    assert told[1] == "it names nobody: give contact_id or email"
    assert told[2] == 'titel: people have no such column; did you mean "title"?'
    assert told[3] == "crm_id: the sync fills this column; leave it out"
    assert told[4].startswith("score: ") and "lies in the future" in told[5] and told[6] == "email: nobody has it"
    assert "an import changes no address" in told[7] and "there is no person 999999" in told[8] and "e-mail address" in told[9]
    assert road.rows("SELECT title FROM contacts") == [{"title": "Dr"}]


def test_a_dry_run_says_the_same_and_keeps_nothing(road: PullRoad) -> None:
    bring(road, Kind.CONTACT, contact("c1", email="ann@x.test"), contact("c2", email="bob@x.test"))
    lines = ({"email": "ann@x.test", "deleted_date": "now"}, {"email": "bob@x.test", "opt_out": True}, {"email": "new@x.test"})
    before = [road.rows(f"SELECT * FROM {table}") for table in ("contacts", "consent_ledger", "parcels", "key_sequences")]
    assert counts(imported(road, *lines, dry_run=True)) == (1, 1, 1, 0, 0)
    assert [road.rows(f"SELECT * FROM {table}") for table in ("contacts", "consent_ledger", "parcels", "key_sequences")] == before
    assert counts(imported(road, *lines)) == (1, 1, 1, 0, 0)


def test_del_5_an_update_template_deletes_everybody_whom_a_report_finds(road: PullRoad) -> None:
    doctors, others = [f"d{n}@x.test" for n in range(3)], ["o@x.test"]
    imported(road, *({"email": each, "title": "Dr"} for each in doctors), *({"email": each} for each in others))
    assert counts(import_people(road.config, report="doctors", template={"lead_source": "fair"}, who="olga")) == (0, 3, 0, 0, 0)
    assert counts(import_people(road.config, report="doctors", template={"deleted_date": "now"}, who="olga")) == (0, 0, 3, 0, 0)
    assert deleted(road) == doctors
    with pytest.raises(ConfigError, match="nobody to import"):
        import_people(road.config, who="olga")


def test_del_8_so_many_are_not_deleted_without_an_answer(tmp_path: Path, market_url: str) -> None:
    with pull_road(tmp_path, market_url, more=STRICT) as road:
        people = [{"email": f"p{number}@x.test"} for number in range(4)]
        imported(road, *people)
        gone = [{**each, "deleted_date": "now"} for each in people[:3]]
        assert imported(road, *gone, dry_run=True).braked
        with pytest.raises(ConfigError, match="3 people would be deleted"):
            imported(road, {"email": "new@x.test"}, *gone)
        assert deleted(road) == [] and not road.rows("SELECT * FROM contacts WHERE email_key = 'new@x.test'")
        [question] = road.market.brakes.open()
        road.market.brakes.answer(question.brake_id, Answer.ALLOW, who="olga", now=datetime(2026, 5, 1, tzinfo=UTC))
        assert counts(imported(road, *gone)) == (0, 0, 3, 0, 0)
        assert len(deleted(road)) == 3 and road.market.brakes.open() == ()
