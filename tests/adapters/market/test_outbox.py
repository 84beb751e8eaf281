"""What waits for a CRM: when it is ready, what it says, and what becomes of it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select

from adapters.market.engine import Market
from adapters.market.outbox import Needs, Settled, WhichRows, _any
from adapters.market.outbox_ready import IN_TURN, queued
from adapters.market.queueing import Queued, queue
from adapters.market.schema_books import outbox
from adapters.market.watch import Watched
from sync.mapping_sugarcrm import SUGARCRM
from sync.push import Outcome, Outgoing, Receipt, State, Target
from sync.push_settings import ScoreField
from sync.records import Kind
from tests.adapters.market.building import AT, NOW, ask, commit, execute, link, person, put, put_links, say
from tests.rows import MemoryRows

LATER = NOW + timedelta(minutes=5)
WHEN = "2026-02-01T08:00:00+00:00"
NEEDS = Needs(SUGARCRM, {"default": ScoreField("score_c", "score_date_c")})
CONTACT = (Target(Kind.CONTACT, "c1"),)


def enqueue(market: Market, *rows: Queued, now: datetime = NOW) -> None:
    with market.database.writing() as connection:
        queue(connection, rows, now)


def enqueue_kind(market: Market, kind: Kind, subject: int = 0, who: int = 1, **value: Any) -> None:
    enqueue(market, Queued("acme", kind, who, subject, json.dumps(value)))


def collect(market: Market, kind: Kind, now: datetime = NOW, **options: Any) -> tuple[Outgoing, ...]:
    return market.outbox.collect("acme", kind, now, **({"limit": 500, "needs": NEEDS} | options))


def only(market: Market, kind: Kind) -> Outgoing:
    assert market.outbox.waiting("acme", [kind], NOW) == {kind: 1}
    [row] = collect(market, kind)
    return row


def settle(market: Market, kind: Kind, *receipts: Receipt, at: datetime = NOW, **options: Any) -> Settled:
    return market.outbox.settle("acme", kind, receipts, **({"at": at, "crm_now": at, "most_attempts": 3} | options))


def accepted(row: Outgoing, remote_id: str = "") -> Receipt:
    return Receipt(row.outbox_id, row.version, Outcome.ACCEPTED, remote_id)


def refused(row: Outgoing, said: str = "no", final: bool = False) -> Receipt:
    return Receipt(row.outbox_id, row.version, Outcome.REFUSED, said=said, final=final)


def ann(market: Market, **values: Any) -> None:
    put(market, "contacts", person(1, email="Ann@x.test", first_name="Ann", last_name="Lee", **values))


def known(market: Market) -> None:
    """Ann, whom the CRM has as a contact."""
    ann(market)
    put_links(market, link("c1", 1))


def campaign(market: Market) -> None:
    say(market, "campaigns", campaign_id=3, campaign_key="spring", name="Spring", subject="Hello", from_address="us@x.test")


def send(market: Market, send_id: int = 5, status: int = 1, who: int = 1) -> None:
    say(
        market,
        "email_sends",
        send_id=send_id,
        event_id=f"s{send_id}",
        campaign_id=3,
        contact_id=who,
        address="ann@x.test",
        sent_at=AT,
        delivery_status=status,
        opens=2,
    )


# -- what the rows say ----------------------------------------------------------------------------------------------------


def test_push_es_a_sent_email_goes_out_once_its_delivery_is_known(market: Market) -> None:
    known(market)
    campaign(market)
    send(market, status=0)
    enqueue_kind(market, Kind.SENT, 5)
    assert market.outbox.waiting("acme", [Kind.SENT], NOW) == {}
    execute(market, "UPDATE email_sends SET delivery_status = 2")
    enqueue_kind(market, Kind.SENT, 5)
    row = only(market, Kind.SENT)
    assert (row.version, row.targets, row.repeated) == (2, CONTACT, False)
    assert row.values == {
        "campaign": "Spring",
        "subject": "Hello",
        "from_address": "us@x.test",
        "address": "ann@x.test",
        "sent_at": WHEN,
        "delivery_status": "bounced",
        "opens": 2,
        "clicks": 0,
    }


def test_push_eo_opened_and_clicked_emails_are_activities_or_counters_of_their_campaign(market: Market) -> None:
    """PUSH-EO, PUSH-EC, SINK-1: total and distinct people; whose rows the counters are does not matter."""
    known(market)
    campaign(market)
    send(market)
    for number, what, who in ((1, "open", 1), (2, "open", 1), (3, "open", 9), (4, "click", 1)):
        event = {"email_event_id": number, "event_id": f"e{number}", "what": what, "campaign_id": 3, "contact_id": who, "at": AT}
        say(market, "email_events", **event, send_id=5, url="https://x.test/" if what == "click" else None)
    enqueue_kind(market, Kind.CLICKED, 4)
    row = only(market, Kind.CLICKED)
    said = {"campaign": "Spring", "subject": "Hello", "address": "ann@x.test", "at": WHEN, "url": "https://x.test/"}
    assert (row.values, row.targets) == (said, CONTACT)
    enqueue_kind(market, Kind.OPENED, 3, who=0)
    counters = only(market, Kind.OPENED)
    counted = {"opens": 3, "people_opened": 2, "clicks": 1, "people_clicked": 1}
    assert (counters.values, counters.targets) == ({"campaign_key": "spring", "campaign": "Spring", **counted}, ())


def test_push_w_a_visit_brings_its_pages(market: Market) -> None:
    known(market)
    ended = "2026-02-01 08:02:30.000000"
    say(market, "web_visits", visit_id=4, event_id="v", contact_id=1, started_at=AT, ended_at=ended, referrer="r", landing_page="/a")
    for number, url in enumerate(("/b", "/a")):
        say(market, "page_views", event_id=f"p{number}", visit_id=4, url=url, title=None, at=ended if number == 0 else AT)
    enqueue_kind(market, Kind.VISIT, 4)
    values = only(market, Kind.VISIT).values
    assert [(view["key"], view["url"]) for view in values["page_views"]] == [("p1", "/a"), ("p0", "/b")]
    assert (values["duration_s"], values["pages"], values["started_at"], values["landing_page"]) == (150, 2, WHEN, "/a")


def test_push_p_and_push_v_completions_and_registrations_name_their_page_and_event(market: Market) -> None:
    """PUSH-P, PUSH-V."""
    known(market)
    say(market, "landing_pages", page_id=2, page_key="k", name="Whitepaper", url="/w")
    say(market, "completions", completion_id=6, event_id="c", page_id=2, contact_id=1, form="f", completed_at=AT, answers='{"size": "5"}')
    say(market, "marketing_events", marketing_event_id=7, event_key="k", name="Fair", place="Linz", starts_at=AT)
    say(market, "registrations", registration_id=8, event_id="r", marketing_event_id=7, contact_id=1, registered_at=AT)
    enqueue_kind(market, Kind.COMPLETION, 6)
    enqueue_kind(market, Kind.REGISTRATION, 8)
    completion = {"page": "Whitepaper", "url": "/w", "form": "f", "completed_at": WHEN, "answers": {"size": "5"}}
    assert only(market, Kind.COMPLETION).values == completion
    fair = {"event": "Fair", "place": "Linz", "starts_at": WHEN, "registered_at": WHEN, "attended_at": None}
    assert only(market, Kind.REGISTRATION).values == fair


def test_push_t_a_task_is_its_owners_else_the_persons_owners(market: Market) -> None:
    ann(market, owner_id=11)
    put_links(market, link("c1", 1), link("u10", 10, kind="user"), link("u11", 11, kind="user"))
    for number, owner in ((1, 10), (2, None), (3, 99)):
        say(market, "tasks", task_id=number, event_id=f"t{number}", contact_id=1, subject="Call", owner_id=owner, created_at=AT, due_at=AT)
        enqueue_kind(market, Kind.TASK, number)
    rows = collect(market, Kind.TASK)
    assert [row.values["owner"] for row in rows] == ["u10", "u11", None]
    assert rows[0].values == {"subject": "Call", "description": None, "due_at": WHEN, "priority": "normal", "owner": "u10"}


def test_push_s_a_score_goes_to_every_living_record_and_not_to_a_converted_lead(market: Market) -> None:
    """PUSH-7: while its contact is not here, the lead counts."""
    ann(market)
    converted = link("l2", 1, kind="lead", converted_to="c1"), link("l3", 1, kind="lead", converted_to="c9")
    put_links(market, link("c1", 1), link("l1", 1, kind="lead"), *converted, link("c4", 1, living=False), link("o1", 1, connector="other"))
    say(market, "scoring_profiles", profile_id=2, profile_key="default", name="Default")
    say(market, "scores", contact_id=1, profile_id=2, score=42, scored_at=AT)
    enqueue_kind(market, Kind.SCORE, 2)
    row = only(market, Kind.SCORE)
    assert [target.crm_id for target in row.targets] == ["c1", "l1", "l3"]
    assert row.values == {"field": "score_c", "date_field": "score_date_c", "score": 42, "scored_at": WHEN}


def test_push_7_an_activity_is_about_the_contact_else_the_lead_and_never_a_converted_one(market: Market) -> None:
    put(market, "contacts", person(1), person(2), person(3), person(4, crm_id="cb"))
    put_links(market, link("c1", 1), link("l1", 1, kind="lead"), link("l2", 2, kind="lead"), link("l3", 3, kind="lead", converted_to="c3"))
    put_links(market, link("ca", 4), link("cb", 4))
    for who in (1, 2, 3, 4):
        enqueue_kind(market, Kind.VISIT, who, who=who)
    assert market.outbox.waiting("acme", [Kind.VISIT], NOW) == {Kind.VISIT: 3}
    found = [row.targets for row in collect(market, Kind.VISIT)]
    assert found == [CONTACT, (Target(Kind.LEAD, "l2"),), (Target(Kind.CONTACT, "cb"),)]


def test_push_l_a_new_lead_is_the_row_as_it_is_when_it_goes_out(market: Market) -> None:
    """PUSH-5: all values at once. One whom the CRM knows by now is an update of that record."""
    ann(market, opt_out=True)
    put(market, "contacts", person(2, first_name="Bo", email=None))
    enqueue_kind(market, Kind.NEW_LEAD)
    enqueue_kind(market, Kind.NEW_LEAD, who=2)
    execute(market, "UPDATE contacts SET title = 'CEO' WHERE contact_id = 1")
    first, second = collect(market, Kind.NEW_LEAD)
    fields = {"first_name": "Ann", "last_name": "Lee", "title": "CEO"}
    assert (first.kind, first.targets, first.values) == (Kind.NEW_LEAD, (), {"fields": fields, "address": "Ann@x.test", "opt_out": True})
    assert "address" not in second.values
    put_links(market, link("c1", 1))
    known_now = collect(market, Kind.NEW_LEAD)[0]
    assert (known_now.kind, known_now.targets) == (Kind.UPDATE, CONTACT)
    assert known_now.values["opt_out"] is True and known_now.values["fields"]["title"] == "CEO"


def test_consent_7_a_new_lead_at_an_address_that_may_not_be_mailed_is_created_out(market: Market) -> None:
    """CONSENT-10: whatever their own row says: the address is guarded, or somebody who has it is out, in one row or merged away."""
    addresses = ("Ann@x.test", "guarded@x.test", "shared@x.test", "merged@x.test", "free@x.test")
    put(market, "contacts", *(person(number, email=address) for number, address in enumerate(addresses, start=1)))
    put(market, "contacts", person(6, email="SHARED@x.test", opt_out=True, deleted_date=AT), person(7, email="else@x.test", opt_out=True))
    put(market, "contacts", person(8, email="merged@x.test", merged_into=7, deleted_date=AT), person(9, email=None, opt_out=True))
    market.consent.watch([Watched("Guarded@X.test", "", NOW, "a letter", "olga")])
    for who in (1, 2, 3, 4, 5, 9):
        enqueue_kind(market, Kind.NEW_LEAD, who=who)
    assert [row.values.get("opt_out") for row in collect(market, Kind.NEW_LEAD)] == [None, True, True, True, None, None]


def test_consent_10_a_new_address_of_somebody_who_is_out_goes_out_as_out(market: Market) -> None:
    """Else the CRM would take it for one that may be mailed, which reads as a re-subscribe at the next pull."""
    put(market, "contacts", *(person(number) for number in (1, 2, 3, 4)))
    put_links(market, *(link(f"c{number}", number) for number in (1, 2, 3, 4)))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW)
    market.consent.watch([Watched("guarded@x.test", "", NOW, "a letter", "olga")])
    enqueue_kind(market, Kind.UPDATE, who=1, email="new@x.test")
    enqueue_kind(market, Kind.UPDATE, who=2, email="Guarded@x.test")
    enqueue_kind(market, Kind.UPDATE, who=3, email="new@x.test")
    enqueue(market, Queued("acme", Kind.UPDATE, 4, 0, '{"title": "Dr"}'))
    assert [row.values.get("opt_out") for row in collect(market, Kind.UPDATE)] == [True, True, None, None]


def test_push_r_a_record_update_says_what_changed(market: Market) -> None:
    known(market)
    enqueue_kind(market, Kind.UPDATE, title=None, email="new@x.test")
    row = only(market, Kind.UPDATE)
    assert (row.values, row.targets) == ({"fields": {"title": None}, "address": "new@x.test"}, CONTACT)


def test_consent_8_an_opt_out_goes_to_its_record_also_of_somebody_deleted_here(market: Market) -> None:
    known(market)
    put_links(market, link("l1", 1, kind="lead"))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    execute(market, "UPDATE contacts SET deleted_date = updated_at")
    execute(market, "UPDATE crm_links SET living = false WHERE crm_id = 'l1'")
    row = only(market, Kind.OPT_OUT)
    assert (row.targets, row.values, row.push_key) == (CONTACT, {"address": "Ann@x.test"}, "")


def test_match_8_somebody_who_was_merged_away_goes_on_as_the_winner(market: Market) -> None:
    put(market, "contacts", person(1, merged_into=2, deleted_date=AT), person(2))
    put_links(market, link("c1", 2))
    enqueue_kind(market, Kind.VISIT, 4)
    assert only(market, Kind.VISIT).targets == CONTACT


# -- what has to wait -----------------------------------------------------------------------------------------------------


def test_push_2_what_can_not_go_out_yet_waits_marked_and_goes_out_when_its_time_comes(market: Market) -> None:
    """A run that finds nothing ready looks at nothing twice and writes nothing (FLOW-4)."""
    ann(market)
    put(market, "contacts", person(2, deleted_date=AT), person(3))
    put_links(market, link("c2", 2), link("c3", 3))
    for who in (1, 2, 3):
        enqueue_kind(market, Kind.VISIT, who, who=who)
    assert market.outbox.waiting("acme", [Kind.TASK, Kind.VISIT], NOW) == {Kind.VISIT: 1}
    assert [each.subject_id for each in market.outbox.rows(WhichRows(), limit=9) if each.waits_for] == [1, 2]
    assert [each.waits_for for each in market.outbox.rows(WhichRows(), limit=9)] == ["record", "person", None]
    assert len(collect(market, Kind.VISIT)) == 1
    put_links(market, link("c1", 1))
    assert market.outbox.waiting("acme", [Kind.VISIT], NOW) == {Kind.VISIT: 2}
    execute(market, "UPDATE contacts SET deleted_date = NULL")
    put_links(market, link("c2", 2, row_hash=7))
    assert market.outbox.waiting("acme", [Kind.VISIT], NOW) == {Kind.VISIT: 3}


def test_push_2_the_first_records_of_a_connector_wake_what_waits_for_them(market: Market) -> None:
    ann(market)
    put_links(market, link("o1", 1, connector="other"))
    enqueue_kind(market, Kind.VISIT, 1)
    assert market.outbox.waiting("acme", [Kind.VISIT], NOW) == {}
    put_links(market, link("c1", 1))
    assert market.outbox.waiting("acme", [Kind.VISIT], NOW) == {Kind.VISIT: 1}


def test_push_2_rows_go_out_in_the_order_in_which_they_were_queued(market: Market) -> None:
    known(market)
    enqueue(market, *(Queued("acme", Kind.VISIT, 1, subject) for subject in range(1, 8)))
    first = collect(market, Kind.VISIT, limit=3)
    then = collect(market, Kind.VISIT, limit=3, after=first[-1].outbox_id)
    ids = [row.outbox_id for row in (*first, *then)]
    assert ids == sorted(ids) and len(set(ids)) == 6


# -- what becomes of them -------------------------------------------------------------------------------------------------


def visit(market: Market, number: int = 1) -> Outgoing:
    """A visit on its way to the CRM."""
    known(market)
    enqueue_kind(market, Kind.VISIT, number)
    row = only(market, Kind.VISIT)
    assert market.outbox.mark_sending([row.outbox_id], NOW) == {row.outbox_id}
    return row


def test_push_2_a_row_leaves_the_queue_when_the_crm_acknowledged_it(market: Market) -> None:
    row = visit(market)
    assert settle(market, Kind.VISIT, accepted(row, "r1")) == Settled(accepted=1)
    assert settle(market, Kind.VISIT, accepted(row, "r1")) == Settled(accepted=1)
    shown = market.outbox.row(row.outbox_id)
    assert shown is not None and (shown.state, shown.remote_id, shown.acknowledged_at, shown.tried_at) == ("acknowledged", "r1", NOW, NOW)
    assert market.outbox.waiting("acme", [Kind.VISIT], LATER) == {}
    assert market.outbox.counts() == ()


def test_push_3_a_row_whose_run_died_is_collected_as_repeated(market: Market) -> None:
    row = visit(market)
    [again] = collect(market, Kind.VISIT)
    assert (again.repeated, again.push_key) == (True, row.push_key)


def test_push_2_a_value_that_changed_meanwhile_stays_pending_and_keeps_what_was_made(market: Market) -> None:
    known(market)
    enqueue_kind(market, Kind.UPDATE, title="CEO")
    row = only(market, Kind.UPDATE)
    market.outbox.mark_sending([row.outbox_id], NOW)
    enqueue_kind(market, Kind.UPDATE, title="CTO")
    assert settle(market, Kind.UPDATE, accepted(row, "r1")) == Settled(changed_meanwhile=1)
    newer = only(market, Kind.UPDATE)
    assert (newer.version, newer.remote_id, newer.repeated, newer.values["fields"]) == (2, "r1", False, {"title": "CTO"})


def test_push_4_refused_rows_are_tried_again_with_growing_pauses_and_then_parked(market: Market) -> None:
    row, at = visit(market), NOW
    for attempt, pause in ((1, 2), (2, 10)):
        assert settle(market, Kind.VISIT, refused(row, f"no {attempt}"), at=at) == Settled(refused=1)
        shown = market.outbox.row(row.outbox_id)
        at += timedelta(minutes=pause)
        assert shown is not None and (shown.state, shown.attempts, shown.next_try_at) == ("refused", attempt, at)
        assert market.outbox.waiting("acme", [Kind.VISIT], at - timedelta(seconds=1)) == {}
        assert market.outbox.waiting("acme", [Kind.VISIT], at) == {Kind.VISIT: 1}
        market.outbox.mark_sending([row.outbox_id], at)
    assert settle(market, Kind.VISIT, refused(row, "never"), at=at) == Settled(parked=1)
    [parked] = market.outbox.rows(WhichRows("acme", Kind.VISIT, State.PARKED), limit=9)
    assert (parked.refusal, parked.attempts, parked.next_try_at) == ("never", 3, None)
    assert market.outbox.waiting("acme", [Kind.VISIT], at + timedelta(days=9)) == {}


def test_push_4_each_row_has_its_own_outcome_and_a_final_refusal_parks_at_once(market: Market) -> None:
    known(market)
    enqueue(market, *(Queued("acme", Kind.VISIT, 1, subject) for subject in range(1, 6)))
    rows = collect(market, Kind.VISIT)
    market.outbox.mark_sending([row.outbox_id for row in rows], NOW)
    postponed = Receipt(rows[3].outbox_id, 1, Outcome.POSTPONED)
    unknown = Receipt(999, 1, Outcome.ACCEPTED, "r")
    receipts = (accepted(rows[0], "r0"), refused(rows[1]), refused(rows[2], final=True), postponed, unknown)
    assert settle(market, Kind.VISIT, *receipts) == Settled(accepted=1, refused=1, parked=1, postponed=1)
    states = ["acknowledged", "refused", "parked", "pending", "sending"]
    assert [state for (state,) in ask(market, "SELECT state FROM outbox ORDER BY outbox_id")] == states


def test_push_3_a_postponed_row_that_is_in_doubt_stays_so(market: Market) -> None:
    """A row that no run was ever cut off with waits again as it did before."""
    row = visit(market)
    postponed = Receipt(row.outbox_id, 1, Outcome.POSTPONED)
    market.outbox.mark_sending([row.outbox_id], LATER)  # by the next run: the first one died
    assert settle(market, Kind.VISIT, postponed) == Settled(postponed=1)
    assert collect(market, Kind.VISIT)[0].repeated
    settle(market, Kind.VISIT, refused(row))
    market.outbox.mark_sending([row.outbox_id], LATER)
    settle(market, Kind.VISIT, postponed)
    assert [(each.state, each.attempts) for each in market.outbox.rows(WhichRows(), limit=9)] == [("refused", 1)]
    assert not collect(market, Kind.VISIT)[0].repeated


def test_push_4_an_operator_tries_again_and_parks(market: Market) -> None:
    row = visit(market)
    assert market.outbox.park([row.outbox_id], "x") == 0  # it is on its way
    settle(market, Kind.VISIT, refused(row, "no", final=True))
    assert (market.outbox.retry_parked("other"), market.outbox.retry_parked("acme"), market.outbox.retry([999])) == (0, 1, 0)
    assert market.outbox.waiting("acme", [Kind.VISIT], NOW) == {Kind.VISIT: 1}
    assert market.outbox.park([row.outbox_id], "parked by olga: later") == 1
    [count] = market.outbox.counts("acme")
    assert (count.kind, count.state, count.rows, count.since) == (Kind.VISIT, State.PARKED, 1, NOW)
    assert market.outbox.waiting("acme", [Kind.VISIT], NOW) == {}


def test_consent_5_only_an_acknowledged_opt_out_is_no_longer_on_its_way(market: Market) -> None:
    """Whatever happens to it short of that, a record that says in re-subscribes nobody: the strictest reading."""
    known(market)
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    row = only(market, Kind.OPT_OUT)

    def pending() -> bool:
        return bool(market.lookup_people(market_ids=MemoryRows(("contact_id",), [(1,)]), connector="acme")["opt_out_pending"][0].as_py())

    for act in (
        lambda: market.outbox.mark_sending([row.outbox_id], NOW),
        lambda: settle(market, Kind.OPT_OUT, refused(row)),
        lambda: settle(market, Kind.OPT_OUT, refused(row, final=True)),
        lambda: market.outbox.retry([row.outbox_id]),
    ):
        act()
        assert pending()
    assert settle(market, Kind.OPT_OUT, accepted(row), crm_now=LATER) == Settled(accepted=1)
    assert not pending()
    assert ask(market, "SELECT crm_opt_out FROM crm_links") == [(True,)]
    shown = market.outbox.row(row.outbox_id)
    assert shown is not None and shown.acknowledged_at == LATER  # the CRM's clock


def test_consent_8_an_opt_out_that_was_parked_is_tried_again_when_the_person_says_it_again(market: Market) -> None:
    known(market)
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    settle(market, Kind.OPT_OUT, refused(only(market, Kind.OPT_OUT), final=True))
    market.consent.unsubscribe(1, who="ann", why="wrote a letter", now=LATER, push=["acme"])
    assert ask(market, "SELECT state, attempts FROM outbox") == [("pending", 0)]


def test_consent_10_who_says_it_again_while_it_is_at_the_crm_says_it_once_more(market: Market) -> None:
    """Somebody re-subscribed there in between: the answer to the first settles nothing."""
    known(market)
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    row = only(market, Kind.OPT_OUT)
    market.outbox.mark_sending([row.outbox_id], NOW)
    market.consent.unsubscribe(1, who="ann", why="clicked again", now=LATER, push=["acme"])
    assert settle(market, Kind.OPT_OUT, accepted(row)) == Settled(changed_meanwhile=1)
    assert ask(market, "SELECT state, version FROM outbox") == [("pending", 2)]
    settle(market, Kind.OPT_OUT, accepted(only(market, Kind.OPT_OUT)))
    assert ask(market, "SELECT state, version FROM outbox") == [("acknowledged", 2)]


def test_consent_8_an_opt_out_for_a_record_that_is_gone_waits_for_it_and_goes_out_when_it_is_back(market: Market) -> None:
    """DEL-2. No run looks at it meanwhile, and nobody's re-subscribe waits for it (CONSENT-4)."""
    known(market)
    put_links(market, link("c2", 1))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    first, second = collect(market, Kind.OPT_OUT)
    settle(market, Kind.OPT_OUT, accepted(second))
    execute(market, "UPDATE crm_links SET living = false WHERE crm_id = 'c1'")
    assert market.outbox.waiting("acme", [Kind.OPT_OUT], NOW) == {}
    assert ask(market, "SELECT state, waits_for FROM outbox ORDER BY outbox_id") == [("pending", "record"), ("acknowledged", None)]
    keys = MemoryRows(("contact_id",), [(1,)])
    assert not market.lookup_people(market_ids=keys, connector="acme")["opt_out_pending"][0].as_py()
    execute(market, "UPDATE contacts SET contact_id = 9")  # whoever it belongs to by then
    put_links(market, link("c1", 9, row_hash=2))
    assert only(market, Kind.OPT_OUT).outbox_id == first.outbox_id


def test_consent_8_a_record_that_was_gone_when_the_person_said_it_is_told_when_it_is_back(market: Market) -> None:
    """DEL-2: unless it says out by itself."""
    known(market)
    put_links(market, link("c2", 1, living=False), link("c3", 1, living=False))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    settle(market, Kind.OPT_OUT, accepted(only(market, Kind.OPT_OUT)))
    put_links(market, link("c2", 1, crm_opt_out=False), link("c3", 1, crm_opt_out=True))
    assert only(market, Kind.OPT_OUT).targets == (Target(Kind.CONTACT, "c2"),)


def test_consent_8_an_opt_out_that_a_record_could_not_take_is_tried_again_when_the_record_changed(market: Market) -> None:
    """It had no address to opt out, or was gone: the CRM refused it for good, and nobody else would ask again."""
    known(market)
    put_links(market, link("c2", 1))
    market.consent.unsubscribe(1, who="ann", why="clicked", now=NOW, push=["acme"])
    settle(market, Kind.OPT_OUT, *(refused(row, final=True) for row in collect(market, Kind.OPT_OUT)))
    assert market.outbox.waiting("acme", [Kind.OPT_OUT], NOW) == {}
    put_links(market, link("c1", 1, row_hash=2))
    assert only(market, Kind.OPT_OUT).targets == CONTACT


# -- new leads ------------------------------------------------------------------------------------------------------------


def created(market: Market, **values: Any) -> Outgoing:
    ann(market, **values)
    enqueue_kind(market, Kind.NEW_LEAD)
    enqueue_kind(market, Kind.TASK, 1)
    row = only(market, Kind.NEW_LEAD)
    market.outbox.mark_sending([row.outbox_id], NOW)
    return row


LINKS = "SELECT connector, kind, crm_id, market_id, living, origin, crm_opt_out FROM crm_links"


def test_push_l_an_accepted_new_lead_is_linked_and_what_waited_for_it_can_follow(market: Market) -> None:
    row = created(market)
    assert market.outbox.waiting("acme", [Kind.TASK], NOW) == {}
    for _ in range(2):
        assert settle(market, Kind.NEW_LEAD, accepted(row, "l1")) == Settled(accepted=1)
    assert ask(market, LINKS) == [("acme", "lead", "l1", 1, True, False, False)]
    assert market.outbox.waiting("acme", [Kind.NEW_LEAD, Kind.TASK], NOW) == {Kind.TASK: 1}


def test_push_l_a_pull_that_was_faster_has_made_the_link(market: Market) -> None:
    """PUSH-7: `create_as` says what was made."""
    row = created(market)
    put_links(market, link("n1", 1, crm_opt_out=True))
    settle(market, Kind.NEW_LEAD, accepted(row, "n1"), create_as=Kind.LEAD)
    assert ask(market, LINKS) == [("acme", "contact", "n1", 1, True, True, True)]


def test_consent_10_somebody_who_opts_out_while_they_are_created_is_queued_for_the_new_record(market: Market) -> None:
    row = created(market, opt_out=False, opt_out_date=None)
    market.consent.unsubscribe(1, who="ann", why="clicked", now=LATER, push=["acme"])
    settle(market, Kind.NEW_LEAD, accepted(row, "l1"), create_as=Kind.CONTACT)
    assert ask(market, LINKS) == [("acme", "contact", "l1", 1, True, False, None)]
    assert only(market, Kind.OPT_OUT).targets == (Target(Kind.CONTACT, "l1"),)


def test_consent_10_an_opt_out_with_an_old_instant_is_queued_for_the_new_record(market: Market) -> None:
    """An application may tell of it late: what counts is when Market heard of it."""
    row = created(market, opt_out=False, opt_out_date=None, updated_at=AT)
    execute(market, "UPDATE contacts SET opt_out = true, opt_out_date = :at, updated_at = :now", at=AT, now=AT.replace("02-01", "04-01"))
    settle(market, Kind.NEW_LEAD, accepted(row, "l1"))
    assert only(market, Kind.OPT_OUT).targets == (Target(Kind.LEAD, "l1"),)


def test_consent_10_who_is_tried_again_long_after_they_opted_out_may_have_been_created_before(market: Market) -> None:
    row = created(market, opt_out=False, opt_out_date=None)
    market.consent.unsubscribe(1, who="ann", why="clicked", now=LATER, push=["acme"])
    market.outbox.mark_sending([row.outbox_id], NOW + timedelta(days=1))
    settle(market, Kind.NEW_LEAD, accepted(row, "l1"), at=NOW + timedelta(days=1))
    assert only(market, Kind.OPT_OUT).targets == (Target(Kind.LEAD, "l1"),)


def test_push_l_somebody_who_was_out_is_created_so(market: Market) -> None:
    row = created(market, opt_out=True, opt_out_date=AT, updated_at=AT)
    settle(market, Kind.NEW_LEAD, accepted(row, "l1"))
    assert ask(market, LINKS) == [("acme", "lead", "l1", 1, True, False, True)]
    assert market.outbox.waiting("acme", [Kind.OPT_OUT], NOW) == {}


def test_match_8_the_link_of_a_new_lead_goes_to_the_winner(market: Market) -> None:
    row = created(market)
    put(market, "contacts", person(2))
    with commit(market) as tx:
        tx.merge_people(MemoryRows(("loser_id", "winner_id"), [(1, 2)]))
    settle(market, Kind.NEW_LEAD, accepted(row, "l1"))
    assert ask(market, "SELECT market_id FROM crm_links") == [(2,)]


def test_flow_4_what_is_done_or_waits_for_something_else_costs_a_run_nothing(market: Market) -> None:
    """Whatever statistics say, the queue's own index answers: PostgreSQL takes state and reason to wait for independent."""
    rows = [{"connector": "acme", "kind": "task", "contact_id": 1, "crm_kind": "", "crm_id": "", "value": "{}"}]
    many = [{**rows[0], "subject_id": number, "created_at": NOW} for number in range(1, 3001)]
    with market.database.writing() as connection:
        connection.execute(insert(outbox), [{**row, "state": "acknowledged", "waits_for": None} for row in many[:2000]])
        connection.execute(insert(outbox), [{**row, "state": "pending", "waits_for": "record"} for row in many[2000:]])
    execute(market, "ANALYZE")
    explain = "EXPLAIN QUERY PLAN" if market.database.lite else "EXPLAIN"
    with market.database.reading() as connection:
        for query in (_any("acme", Kind.TASK, NOW), select(outbox).where(queued("acme", Kind.TASK, NOW)).order_by(*IN_TURN).limit(500)):
            written = query.compile(connection, compile_kwargs={"literal_binds": True})
            plan = " ".join(str(row) for row in connection.exec_driver_sql(f"{explain} {written}"))
            assert "ix_outbox_queue" in plan


def test_postgresql_does_not_compile_statements(market: Market) -> None:
    if not market.database.lite:
        assert ask(market, "SHOW jit") == [("off",)]
