"""What a marketing application records, and what the outbox gets of it (PUSH-1)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event

from adapters.market.engine import Market, metadata, open_market
from sync.records import Kind
from tests.adapters.market.building import AT, NOW, ask, execute, link, person, put, put_links
from tests.adapters.market.recording import ACME, NATIVE, QUIET, at, record, waiting, why
from tests.kept_market import market_kept


@pytest.fixture
def world(market_url: str) -> Iterator[Market]:
    """Ann (1) is a contact and Bob (2) a lead of acme; Cid (3) is known here only. A campaign, a profile, two pages, an event."""
    kept = market_kept("what marketing records about")
    if not kept.give(market_url):
        market = open_market(market_url)
        market.upgrade()
        _begin(market)
        market.close()
        kept.keep(market_url)
    market = open_market(market_url)
    yield market
    market.close()


def _begin(market: Market) -> None:
    put(market, "contacts", person(1, email="Ann@x.test"), person(2, email="bob@x.test"), person(3, email="cid@x.test", crm_id=None))
    put_links(market, link("c1", 1), link("l2", 2, kind="lead"))
    execute(market, "UPDATE key_sequences SET next_key = 100 WHERE table_name = 'contacts'")
    record(market, "campaigns", {"campaign_key": "spring", "name": "Spring", "subject": "Hello"})
    record(market, "profiles", {"profile_key": "default", "name": "Default"}, {"profile_key": "own", "name": "Own"})
    record(market, "landing-pages", {"page_key": "demo", "name": "Demo"}, {"page_key": "quiet", "name": "Quiet", "sync_with_crm": False})
    record(market, "events", {"event_key": "fair", "name": "Fair", "place": "Ulm"})


def send(event_id: str = "s1", address: str = "ann@x.test", **values: Any) -> dict[str, Any]:
    return {"event_id": event_id, "campaign": "spring", "address": address, "sent_at": at(8)} | values


def test_match_2_who_was_deleted_here_and_fills_in_a_form_comes_back_to_their_own_row(world: Market) -> None:
    """A second row would be two of them as soon as the CRM brings the first back, and could never go to the CRM (MATCH-10).
    CONSENT-10: who is out stays so. DEL-7: not who was deleted with "do not pull again"."""
    execute(world, f"UPDATE contacts SET deleted_date = '{AT}', opt_out = true WHERE contact_id IN (1, 2)")
    execute(world, "UPDATE contacts SET do_not_pull = true WHERE contact_id = 2")
    mark = world.mark()
    done = {"page": "demo", "completed_at": at(9)}
    told = record(
        world, "completions", {"event_id": "e1", "address": "ANN@x.test", **done}, {"event_id": "e2", "address": "bob@x.test", **done}
    )
    assert (told.recorded, told.people, told.refused) == (2, 1, ())
    assert ask(world, "SELECT contact_id, deleted_date IS NULL, opt_out FROM contacts WHERE email_key LIKE '%@x.test' ORDER BY 1") == [
        (1, True, True),
        (2, False, True),
        (3, True, False),
        (100, True, False),
    ]
    assert ask(world, "SELECT contact_id FROM completions ORDER BY 1") == [(1,), (100,)] and world.mark() != mark
    assert ("landing page completion", 1) in [row[:2] for row in waiting(world)]
    assert not world.consent.may_be_mailed("ann@x.test") and not world.consent.may_be_mailed("bob@x.test")


def test_push_1_a_named_thing_is_added_changed_or_known(world: Market) -> None:
    told = record(world, "campaigns", {"campaign_key": "spring", "name": "Spring"}, {"campaign_key": "spring", "name": "Spring sale"})
    assert (told.recorded, told.known) == (1, 1)
    assert ask(world, "SELECT name, subject FROM campaigns") == [("Spring sale", "Hello")]
    assert waiting(world) == []


def test_push_1_the_same_event_is_recorded_once_and_other_content_is_refused(world: Market) -> None:
    """Also within one batch; the person's address may have changed hands meanwhile."""
    assert record(world, "sends", send(), send(), send("s2", "bob@x.test")).known == 1
    execute(world, "UPDATE contacts SET email = 'new@x.test', email_key = 'new@x.test' WHERE contact_id = 1")
    told = record(world, "sends", send(), send(sent_at=at(9)), send("s2", "bob@x.test", contact_id=3))
    assert (told.recorded, told.known) == (0, 1)
    [(second, sent_at), (third, contact)] = why(told)
    assert second == 2 and '"s1" was recorded with another sent_at' in sent_at
    assert third == 3 and "another contact_id" in contact
    told = record(world, "sends", send("s3"), send("s3", sent_at=at(10)))
    assert [number for number, _ in why(told)] == [1, 2] and "nobody living has the address" in why(told)[0][1]
    assert ask(world, "SELECT count(*) FROM email_sends") == [(2,)]


def test_push_1_a_line_that_repeats_a_refused_one_is_refused_as_well(world: Market) -> None:
    told = record(world, "sends", send(address="nobody@x.test"), send(address="nobody@x.test"), send("s2"))
    assert (told.recorded, told.known) == (1, 0) and [number for number, _ in why(told)] == [1, 2]


def test_push_1_what_is_not_recorded_is_named_with_near_names(world: Market) -> None:
    told = record(world, "sends", send(campaign="sprnig"))
    assert why(told) == [(1, 'campaign: "sprnig" is not recorded; did you mean "spring"?')]


def test_match_5_an_address_means_the_living_row_that_was_updated_last(world: Market) -> None:
    put(world, "contacts", person(4, email="ann@x.test", updated_at="2026-02-20 08:00:00.000000"))
    put(world, "contacts", person(5, email="ann@x.test", updated_at="2026-02-21 08:00:00.000000", deleted_date=AT))
    execute(
        world,
        "UPDATE contacts SET updated_at = :at WHERE contact_id = 1",
        at="2026-02-10 08:00:00.000000+00:00"[: 26 if world.database.lite else None],
    )
    record(world, "sends", send(address=" ANN@x.test "))
    assert ask(world, "SELECT contact_id FROM email_sends") == [(4,)]


def test_match_8_a_person_who_was_merged_away_goes_on_as_the_winner(world: Market) -> None:
    execute(world, "UPDATE contacts SET merged_into = 1, deleted_date = created_at WHERE contact_id = 3")
    record(world, "sends", {"event_id": "s1", "campaign": "spring", "contact_id": 3, "sent_at": at(8)})
    assert ask(world, "SELECT contact_id, address FROM email_sends") == [(1, "Ann@x.test")]
    assert record(world, "sends", {"event_id": "s1", "campaign": "spring", "contact_id": 3, "sent_at": at(8)}).known == 1


def test_push_es_a_send_waits_for_its_crm_and_a_delivery_lets_it_go(world: Market) -> None:
    """ADDR-3: the person's row learns it, if the address is still theirs."""
    told = record(world, "sends", send(), send("s2", "bob@x.test"))
    assert told.queued == {"sent email": 2}
    execute(world, "UPDATE contacts SET email = 'new@x.test', email_key = 'new@x.test' WHERE contact_id = 2")
    told = record(world, "deliveries", {"send": "s1", "at": at(9)}, {"send": "s2", "at": at(9)})
    assert (told.recorded, told.queued) == (2, {"sent email": 2})
    assert ask(world, "SELECT delivery_status FROM email_sends ORDER BY send_id") == [(1,), (1,)]
    assert ask(world, "SELECT del_status FROM contacts WHERE contact_id < 3 ORDER BY contact_id") == [(1,), (0,)]


def test_addr_3_the_newest_word_about_a_mail_counts_in_whatever_order_it_comes(world: Market) -> None:
    record(world, "sends", send())
    told = record(world, "bounces", {"send": "s1", "at": at(11), "message": "550 no such user"}, {"send": "s1", "at": at(10)})
    assert (told.recorded, told.known) == (2, 0)
    told = record(world, "deliveries", {"send": "s1", "at": at(9)}, {"send": "s9", "at": at(9)}, {"send": "s1", "at": at(11)})
    assert (told.recorded, told.known) == (0, 1) and [number for number, _ in why(told)] == [2, 3]
    assert ask(world, "SELECT delivery_status, delivery_message FROM email_sends") == [(2, "550 no such user")]
    assert ask(world, "SELECT del_status, del_message FROM contacts WHERE contact_id = 1") == [(2, "550 no such user")]


def test_sink_1_opens_and_clicks_count_up_at_the_mail_and_at_the_campaign(world: Market) -> None:
    record(world, "sends", send())
    opened = [{"event_id": f"o{n}", "send": "s1", "at": at(9, n)} for n in range(3)]
    assert record(world, "opens", *opened).queued == {"sent email": 1, "opened email": 1}
    assert record(world, "opens", *opened).known == 3
    clicked = {"event_id": "k1", "campaign": "spring", "address": "ann@x.test", "at": at(10), "url": "https://x.test/a"}
    record(world, "clicks", clicked)
    assert ask(world, "SELECT opens, clicks FROM email_sends") == [(3, 1)]
    assert [(kind, person, version) for kind, person, _, version in waiting(world)] == [
        ("sent email", 1, 3),
        ("opened email", 0, 1),
        ("clicked email", 0, 1),
    ]


def test_sink_1_native_opens_and_clicks_wait_each_for_itself(world: Market) -> None:
    record(world, "sends", send(), to=(QUIET,))
    record(world, "opens", {"event_id": "o1", "send": "s1", "at": at(9)}, {"event_id": "o2", "send": "s1", "at": at(9)}, to=(NATIVE,))
    ids = [row[0] for row in ask(world, "SELECT email_event_id FROM email_events ORDER BY email_event_id")]
    assert waiting(world) == [("opened email", 1, ids[0], 1), ("opened email", 1, ids[1], 1)]


def test_push_eo_an_open_of_an_unknown_mail_is_recorded_if_it_names_campaign_and_person(world: Market) -> None:
    known = {"event_id": "o1", "send": "gone", "campaign": "spring", "address": "bob@x.test", "at": at(9)}
    told = record(world, "opens", known, {"event_id": "o2", "send": "gone", "at": at(9)})
    assert told.recorded == 1 and why(told) == [(2, 'send: "gone" is not recorded, so campaign is needed, and contact_id or address')]
    assert ask(world, "SELECT contact_id, send_id FROM email_events") == [(2, None)]
    record(world, "sends", send("gone", "bob@x.test"))
    assert record(world, "opens", known).known == 1


def test_push_s_the_newest_score_counts_and_waits_where_the_crm_has_a_field_for_it(world: Market) -> None:
    def score(event_id: str, value: int, hour: int, profile: str = "default") -> dict[str, Any]:
        return {"event_id": event_id, "address": "ann@x.test", "profile": profile, "score": value, "at": at(hour)}

    told = record(world, "scores", score("a", 10, 9), score("b", 5, 8), score("c", 7, 9, "own"))
    assert (told.recorded, told.queued) == (3, {"score": 1})
    assert record(world, "scores", score("d", 10, 10), score("a", 10, 9)).queued == {}
    told = record(world, "scores", score("late", 99, 7), score("e", 12, 11))
    assert told.queued == {"score": 1}
    assert ask(world, "SELECT score FROM scores ORDER BY score") == [(7,), (12,)]
    old = ask(world, "SELECT event_id, old, new FROM score_changes WHERE profile_id = (SELECT min(profile_id) FROM scores) ORDER BY at")
    assert [(event_id, None if o is None else int(o), int(n)) for event_id, o, n in old] == [
        ("late", None, 99),
        ("b", None, 5),
        ("a", 5, 10),
        ("d", 10, 10),
        ("e", 10, 12),
    ]
    assert [row[0] for row in waiting(world)] == ["score"]


def test_push_w_a_visit_brings_its_pages_and_makes_the_person_whom_nobody_knows(world: Market) -> None:
    visit = {
        "event_id": "v1",
        "address": "New@x.test",
        "started_at": at(9),
        "pages": [{"url": "/a", "at": at(9)}, {"url": "/b", "at": at(9, 1)}],
    }
    told = record(world, "visits", visit, visit | {"event_id": "v2", "pages": []})
    assert (told.recorded, told.people, told.queued) == (2, 1, {"web visit": 2})
    assert ask(world, "SELECT contact_id, crm_type, email, email_key, account_id FROM contacts WHERE contact_id >= 100") == [
        (100, "Candidate", "New@x.test", "new@x.test", 1)
    ]
    told = record(world, "visits", visit | {"pages": [*visit["pages"], {"url": "/c", "at": at(9, 2)}]})
    assert (told.known, told.people, told.queued) == (1, 0, {"web visit": 1})
    assert ask(world, "SELECT event_id, url FROM page_views ORDER BY event_id") == [("v1/1", "/a"), ("v1/2", "/b"), ("v1/3", "/c")]
    told = record(
        world,
        "page-views",
        {"event_id": "p9", "visit": "v1", "url": "/d", "at": at(9, 3)},
        {"event_id": "p8", "visit": "v9", "url": "/", "at": at(9)},
    )
    assert told.recorded == 1 and [number for number, _ in why(told)] == [2]
    assert told.queued == {"web visit": 1}
    assert ask(world, "SELECT version FROM outbox WHERE kind = 'web visit' ORDER BY version") == [(1,), (3,)]


def completion(event_id: str, address: str, page: str = "demo", **values: Any) -> dict[str, Any]:
    return {"event_id": event_id, "page": page, "address": address, "completed_at": at(9), "answers": {"budget": "10"}, "values": values}


def test_push_r_a_completion_changes_the_person_and_queues_the_values_for_the_crm_that_has_them(world: Market) -> None:
    """PUSH-L: whom the CRM does not have waits as a new lead; PUSH-P: the completion waits by itself."""
    told = record(world, "completions", completion("c1", "ann@x.test", title="Head"), completion("c2", "zoe@x.test", first_name="Zoe"))
    assert (told.recorded, told.people) == (2, 1)
    assert told.queued == {"record update": 1, "new lead": 1, "landing page completion": 2}
    values = ask(world, "SELECT kind, contact_id, value FROM outbox WHERE kind IN ('record update', 'new lead') ORDER BY contact_id")
    assert [(kind, contact, json.loads(value)) for kind, contact, value in values] == [
        ("record update", 1, {"title": "Head"}),
        ("new lead", 100, {}),
    ]
    assert ask(world, "SELECT title, first_name FROM contacts WHERE contact_id IN (1, 100) ORDER BY contact_id") == [
        ("Head", None),
        (None, "Zoe"),
    ]
    assert ask(world, "SELECT answers FROM completions WHERE event_id = 'c1'") == [('{"budget": "10"}',)]


def test_push_1_a_page_that_does_not_sync_with_the_crm_changes_the_person_here_only(world: Market) -> None:
    told = record(world, "completions", completion("c1", "ann@x.test", "quiet", title="Head"))
    assert told.queued == {"landing page completion": 1}
    assert ask(world, "SELECT title FROM contacts WHERE contact_id = 1") == [("Head",)]


def test_push_1_options_that_are_off_queue_nothing(world: Market) -> None:
    told = record(world, "completions", completion("c1", "ann@x.test", title="Head"), to=(QUIET,))
    assert told.recorded == 1 and told.queued == {} and waiting(world) == []


@pytest.mark.parametrize("column", ["opt_out", "crm_id", "del_status", "email", "contact_id", "merged_into"])
def test_consent_10_no_form_changes_what_the_rules_of_the_sync_keep(world: Market, column: str) -> None:
    told = record(world, "completions", completion("c1", "ann@x.test", **{column: "x"}))
    assert told.recorded == 0 and f"values.{column}: no connector pushes a column" in why(told)[0][1]


def test_push_r_an_update_in_crm_captures_the_values_and_merges_what_waits(world: Market) -> None:
    record(world, "update-in-crm", {"contact_id": 2, "values": {"title": "Head", "company": "Ulm Ltd"}})
    told = record(
        world, "update-in-crm", {"address": "bob@x.test", "values": {"title": None}}, {"contact_id": 3, "values": {"title": "Boss"}}
    )
    assert (told.recorded, told.queued) == (2, {"record update": 1})
    [(kind, contact, value)] = ask(world, "SELECT kind, contact_id, value FROM outbox")
    assert (kind, contact, json.loads(value)) == ("record update", 2, {"title": None, "company": "Ulm Ltd"})
    assert ask(world, "SELECT title FROM contacts WHERE contact_id IN (2, 3) ORDER BY contact_id") == [(None,), ("Boss",)]


def test_push_l_a_new_lead_is_made_once_and_pushed_when_asked(world: Market) -> None:
    """MATCH-5: whoever has the address already is not made again, and keeps their values."""
    told = record(
        world,
        "leads",
        {"address": "zoe@x.test", "values": {"first_name": "Zoe"}, "push_into_crm": True},
        {"address": "ZOE@x.test"},
        {"address": "ann@x.test", "values": {"first_name": "Other"}},
    )
    assert (told.recorded, told.known, told.people, told.queued) == (1, 2, 1, {"new lead": 1})
    assert ask(world, "SELECT contact_id, first_name, crm_type FROM contacts WHERE contact_id IN (1, 100) ORDER BY contact_id") == [
        (1, None, None),
        (100, "Zoe", "Candidate"),
    ]
    told = record(world, "push-into-crm", {"contact_id": 3}, {"contact_id": 1}, {"contact_id": 77})
    assert (told.recorded, told.known, told.queued) == (1, 1, {"new lead": 1}) and why(told) == [(3, "contact_id: there is no person 77")]


def test_push_v_attendance_comes_to_the_registration_and_without_one_stands_alone(world: Market) -> None:
    record(world, "registrations", {"event_id": "r1", "event": "fair", "address": "ann@x.test", "registered_at": at(8)})
    came = [
        {"event_id": f"a{n}", "event": "fair", "address": who, "attended_at": at(12)} for n, who in enumerate(("ann@x.test", "bob@x.test"))
    ]
    told = record(world, "attendance", *came)
    assert (told.recorded, told.queued) == (2, {"event registration": 2})
    assert record(world, "attendance", *came).known == 2
    assert record(world, "attendance", came[0] | {"attended_at": at(13)}).refused
    rows = ask(world, "SELECT contact_id, registered_at IS NULL, attended_at IS NULL FROM registrations ORDER BY contact_id")
    assert [(contact, bool(registered), bool(attended)) for contact, registered, attended in rows] == [(1, False, False), (2, True, False)]
    assert [(contact, version) for _, contact, _, version in waiting(world)] == [(1, 2), (2, 1)]


def test_push_t_a_task_waits_with_its_owner(world: Market) -> None:
    put(world, "users", {"user_id": 9, "connector": "acme", "crm_id": "u9", "email": "Olga@x.test", "email_key": "olga@x.test"})
    task = {"event_id": "t1", "address": "ann@x.test", "subject": "Call", "owner": "OLGA@x.test", "due_at": at(15)}
    told = record(world, "tasks", task, task | {"event_id": "t2", "owner": "nobody@x.test"})
    assert told.queued == {"task": 1} and why(told) == [(2, "owner: no user has this address; users come from the CRM")]
    assert ask(world, "SELECT owner_id, priority, subject FROM tasks") == [(9, "normal", "Call")]


def test_push_1_a_dry_run_tells_everything_and_keeps_nothing(world: Market) -> None:
    told = record(world, "visits", {"event_id": "v1", "address": "new@x.test", "started_at": at(9)}, dry_run=True)
    assert (told.recorded, told.people, told.queued) == (1, 1, {"web visit": 1})
    assert ask(world, "SELECT count(*) FROM web_visits") == [(0,)] and waiting(world) == []
    assert record(world, "visits", {"event_id": "v1", "address": "new@x.test", "started_at": at(9)}).people == 1


@pytest.mark.parametrize("kind", ["sends", "opens", "visits", "completions", "unsubscribes", "scores"])
def test_the_number_of_statements_does_not_follow_the_number_of_lines(world: Market, kind: str) -> None:
    def line(n: int) -> dict[str, Any]:
        base = {"event_id": f"{kind}{n}", "address": f"n{n % 7}@x.test", "campaign": "spring"}
        given = {
            "sends": base | {"sent_at": at(8)},
            "opens": base | {"at": at(8)},
            "scores": {"event_id": f"{n}", "address": base["address"], "profile": "default", "score": n, "at": at(8)},
            "visits": {"event_id": f"{n}", "address": f"v{n}@x.test", "started_at": at(8), "pages": [{"url": "/", "at": at(8)}]},
            "completions": completion(f"{n}", f"v{n}@x.test", first_name="Z"),
            "unsubscribes": {"address": f"n{n}@x.test", "at": at(8, n % 60), "why": "clicked"},
        }
        return given[kind]

    record(world, "leads", *({"address": f"n{n}@x.test"} for n in range(70)))
    counts = []
    for numbers in (range(3), range(3, 70)):
        seen: list[str] = []

        def note(*event_: Any, seen: list[str] = seen) -> None:
            seen.append(event_[2])

        event.listen(world.database.engine, "before_cursor_execute", note)
        told = record(world, kind, *(line(n) for n in numbers))
        event.remove(world.database.engine, "before_cursor_execute", note)
        assert told.recorded == len(numbers), told.refused[:3]
        counts.append(len(seen))
    assert counts[1] <= counts[0] + 2, counts


def test_consent_8_unsubscribes_put_out_guard_and_queue_and_are_recorded_once(world: Market) -> None:
    said = {"at": at(9), "why": "clicked the link", "campaign": "spring"}
    told = record(world, "unsubscribes", {"address": "ANN@x.test"} | said, {"contact_id": 2} | said, {"address": "gone@x.test"} | said)
    assert (told.recorded, told.queued) == (3, {"opt-out": 2})
    assert [bool(row[0]) for row in ask(world, "SELECT opt_out FROM contacts WHERE contact_id < 4 ORDER BY contact_id")] == [
        True,
        True,
        False,
    ]
    assert {(each.address, each.campaign) for each in world.consent.watched()} == {
        (f"{n}@x.test", "spring") for n in ("ann", "bob", "gone")
    }
    assert ask(world, "SELECT crm_kind, crm_id FROM outbox ORDER BY crm_kind") == [("contact", "c1"), ("lead", "l2")]
    entries = world.consent.ledger()
    told = record(world, "unsubscribes", {"address": "ann@x.test"} | said, {"contact_id": 2} | said, {"address": "gone@x.test"} | said)
    assert (told.recorded, told.known) == (0, 3) and world.consent.ledger() == entries
    [first, *_] = world.consent.ledger(contact_id=1)
    assert (first.at, first.who, first.source, first.old, first.new) == (at(9), "marketing application", "market", False, True)
    assert world.consent.violations() == ()


def test_consent_10_only_a_newer_explicit_resubscribe_counts_and_the_watch_stays(world: Market) -> None:
    record(world, "unsubscribes", {"contact_id": 1, "at": at(9), "why": "clicked"})
    old = record(
        world, "resubscribes", {"contact_id": 1, "at": at(9), "why": "form"}, {"address": "nobody@x.test", "at": at(9), "why": "form"}
    )
    assert old.recorded == 0 and "only a newer re-subscribe counts" in why(old)[0][1] and why(old)[1] == (2, "address: nobody has it")
    told = record(
        world, "resubscribes", {"address": "ann@x.test", "at": at(10), "why": "form"}, {"contact_id": 3, "at": at(10), "why": "form"}
    )
    assert (told.recorded, told.known) == (1, 1)
    assert ask(world, "SELECT opt_out, opt_out_date FROM contacts WHERE contact_id = 1")[0][1] is None
    assert world.consent.may_mail("ann@x.test").why == "the address is on the guarded watch"
    assert ask(world, "SELECT count(*) FROM outbox") == [(0,)]
    last = world.consent.ledger(contact_id=1)[-1]
    assert (last.old, last.new, last.at, last.why) == (True, False, at(10), "form")
    assert record(world, "unsubscribes", {"contact_id": 1, "at": at(9), "why": "clicked"}).known == 1
    assert record(world, "resubscribes", {"contact_id": 1, "at": at(10), "why": "form"}).known == 1
    assert world.consent.violations() == ()
    world.consent.unwatch("ann@x.test", who="olga", why="asked", now=NOW)
    assert world.consent.may_be_mailed("ann@x.test")


def test_consent_5_an_opt_out_that_a_crm_may_have_seen_still_goes_out(world: Market) -> None:
    record(world, "unsubscribes", {"contact_id": 1, "at": at(9), "why": "clicked"})
    execute(world, "UPDATE outbox SET state = 'sending'")
    record(world, "resubscribes", {"contact_id": 1, "at": at(10), "why": "form"})
    assert ask(world, "SELECT state FROM outbox") == [("sending",)]


def test_push_1_two_connectors_wait_each_by_its_own_options(world: Market) -> None:
    other = replace(ACME, connector="other", kinds=frozenset({Kind.NEW_LEAD}))
    told = record(world, "completions", completion("c1", "ann@x.test", title="Head"), to=(ACME, other))
    assert told.queued == {"record update": 1, "new lead": 1, "landing page completion": 1}
    assert ask(world, "SELECT connector FROM outbox WHERE kind = 'new lead'") == [("other",)]


def _day() -> list[tuple[str, list[dict[str, Any]]]]:
    """Something of every kind that is recognised when it comes again."""
    visit = {"event_id": "v1", "address": "zoe@x.test", "started_at": at(9), "pages": [{"url": "/a", "at": at(9)}]}
    return [
        ("campaigns", [{"campaign_key": "summer", "name": "Summer"}]),
        ("sends", [send(), send("s2", "bob@x.test", delivery_status="delivered")]),
        ("leads", [{"address": "new@x.test"}]),
        ("scores", [{"event_id": "p1", "contact_id": 1, "profile": "default", "score": 5, "at": at(9)}]),
        ("deliveries", [{"send": "s1", "at": at(9)}]),
        ("bounces", [{"send": "s2", "at": at(9), "message": "gone"}]),
        ("opens", [{"event_id": "o1", "send": "s1", "at": at(10)}]),
        ("clicks", [{"event_id": "k1", "send": "s1", "at": at(10), "url": "/a"}]),
        ("visits", [visit]),
        ("page-views", [{"event_id": "w1", "visit": "v1", "url": "/b", "at": at(9, 1)}]),
        ("completions", [completion("c1", "zoe@x.test", first_name="Zoe")]),
        ("registrations", [{"event_id": "r1", "event": "fair", "address": "ann@x.test", "registered_at": at(8)}]),
        ("attendance", [{"event_id": f"a{n}", "event": "fair", "contact_id": n, "attended_at": at(12)} for n in (1, 2)]),
        ("tasks", [{"event_id": "t1", "contact_id": 1, "subject": "Call"}]),
        (
            "unsubscribes",
            [{"address": "ann@x.test", "at": at(13), "why": "clicked"}, {"address": "far@x.test", "at": at(13), "why": "letter"}],
        ),
        ("resubscribes", [{"contact_id": 1, "at": at(14), "why": "form"}]),
    ]


def test_push_1_a_whole_day_that_is_recorded_again_changes_nothing(world: Market) -> None:
    """CONSENT-10: the old opt-out does not undo the newer re-subscribe, nor the other way round."""

    def tables() -> dict[str, list[tuple[Any, ...]]]:
        names = [name for name, table in metadata.tables.items() if name != "key_sequences" and len(table.columns)]
        return {name: sorted(ask(world, f'SELECT * FROM "{name}"'), key=repr) for name in names}

    for kind, lines in _day():
        told = record(world, kind, *lines)
        assert (told.recorded, told.refused) == (len(lines), ()), kind
    before = tables()
    for kind, lines in _day():
        told = record(world, kind, *lines)
        assert (told.recorded, told.known, told.refused, told.queued) == (0, len(lines), (), {}), kind
    assert tables() == before
    assert world.consent.violations() == ()


def test_push_es_a_delivery_frees_a_mail_that_was_queued_while_the_option_was_on(world: Market) -> None:
    record(world, "sends", send())
    execute(world, "UPDATE outbox SET waits_for = 'delivery'")
    record(world, "deliveries", {"send": "s1", "at": at(9)}, to=(QUIET,))
    assert ask(world, "SELECT waits_for, version FROM outbox") == [(None, 1)]
