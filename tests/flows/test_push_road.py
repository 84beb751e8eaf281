"""The push road over HTTP: outbox → gate → CRM → outbox (PUSH, CONSENT-8, CONSENT-9, FLOW-4)."""

from __future__ import annotations

from pathlib import Path

from sync.records import Kind
from tasks.operate import CORE_FLOW, EMAIL_FLOW
from tasks.recording import Recorder
from tests.push_road import AT, push_road


def test_a_fresh_opt_out_reaches_the_crm_within_one_time_sensitive_run(tmp_path: Path, market_url: str) -> None:
    """CONSENT-8, PUSH-U."""
    with push_road(tmp_path, market_url) as road:
        (contact_id, crm_id), *_ = road.people()
        road.does.opt_out(contact_id)
        told = road.push()
        [contact] = [each for each in road.dump("Contacts") if each["id"] == crm_id]
        assert all(address["opt_out"] for address in contact["email"])
        assert told.words == ("1 opt-out pushed",) and told.findings == ()
        assert road.states(Kind.OPT_OUT) == {"acknowledged": 1}


def test_flow_4_a_run_with_nothing_waiting_makes_no_call_and_writes_nothing(tmp_path: Path, market_url: str) -> None:
    with push_road(tmp_path, market_url) as road:
        road.control.reset_calls()
        for flow in (CORE_FLOW, EMAIL_FLOW):
            assert road.push(flow).words == ()
        assert road.core.calls() == []
        assert road.core.one("SELECT count(*) FROM runs") == 1, "the initial sync's own"


def test_every_kind_of_activity_arrives_once(tmp_path: Path, market_url: str) -> None:
    with push_road(tmp_path, market_url) as road:
        people = road.people(limit=3)
        campaign = road.does.campaign()
        for contact_id, _ in people:
            road.does.mail(contact_id, campaign)
            road.does.reaction(Kind.OPENED, contact_id, campaign)
            road.does.reaction(Kind.CLICKED, contact_id, campaign)
            road.does.task(contact_id)
            road.does.visit(contact_id)
            road.does.completion(contact_id)
            road.does.registration(contact_id)
        assert road.push(EMAIL_FLOW).words == ("3 sent emails, 1 opened email and 1 clicked email pushed",)
        assert road.push().words == ("3 tasks, 3 web visits, 3 landing page completions and 3 event registrations pushed",)
        assert road.push().words == road.push(EMAIL_FLOW).words == ()
        assert len(road.dump("Tasks")) == 3


def test_push_3_pages_that_come_after_the_visit_went_out_follow_it_and_none_is_there_twice(tmp_path: Path, market_url: str) -> None:
    """PUSH-W."""
    with push_road(tmp_path, market_url) as road:
        (contact_id, _), *_ = road.people()
        visit = road.does.visit(contact_id)
        assert road.push().words == ("1 web visit pushed",)
        event_id = road.core.one("SELECT event_id FROM web_visits WHERE visit_id = :v", v=visit)
        late = {"event_id": "late", "visit": event_id, "url": "https://example.com/three", "title": "three", "at": AT.isoformat()}
        Recorder(road.core.road.config).page_views(late)
        assert road.push().words == ("1 web visit pushed",) and road.push().words == ()
        [pushed] = road.dump("mkt_Visit")
        assert pushed["pages"] == 3
        views = road.dump("mkt_PageView")
        assert sorted(view["title"] for view in views) == ["one", "three", "two"]
        assert {view["mkt_visit_id_c"] for view in views} == {pushed["id"]}


def test_a_new_lead_has_its_task_and_its_visit_in_the_same_run(tmp_path: Path, market_url: str) -> None:
    """PUSH-L, PUSH-5: the created id comes back at once."""
    with push_road(tmp_path, market_url) as road:
        before = {lead["id"] for lead in road.dump("Leads")}
        contact_id = road.does.person("nora@newcomer.example")
        road.does.task(contact_id)
        road.does.visit(contact_id)
        told = road.push()
        [lead] = [each for each in road.dump("Leads") if each["id"] not in before]
        assert told.words == ("1 new lead, 1 task and 1 web visit pushed",)
        [task] = road.dump("Tasks")
        assert task["parent_id"] == lead["id"] and lead["email"][0]["email_address"] == "nora@newcomer.example"
        assert road.core.rows("SELECT crm_id, kind FROM crm_links WHERE market_id = :p", p=contact_id) == [
            {"crm_id": lead["id"], "kind": "lead"}
        ]
        assert road.core.one("SELECT crm_id FROM contacts WHERE contact_id = :p", p=contact_id) == lead["id"]


def test_match_10_who_is_in_the_crm_already_is_found_by_address_and_updated(tmp_path: Path, market_url: str) -> None:
    with push_road(tmp_path, market_url) as road:
        before = len(road.dump("Contacts"))
        there = road.control.create(
            "Contacts", {"last_name": "Known", "email": [{"email_address": "Known@there.example", "primary_address": True}]}
        )
        contact_id = road.does.person("known@there.example", last_name="Newer")
        told = road.push()
        assert told.words[-1] == "1 new lead pushed"
        assert len(road.dump("Contacts")) == before + 1 and all(lead["last_name"] != "Newer" for lead in road.dump("Leads"))
        assert road.core.rows("SELECT crm_id, kind FROM crm_links WHERE market_id = :p", p=contact_id) == [
            {"crm_id": there["id"] if isinstance(there, dict) else there, "kind": "contact"}
        ]


def test_push_6_after_scores_to_a_hundred_people_the_next_core_cycle_has_nothing_to_do(tmp_path: Path, market_url: str) -> None:
    with push_road(tmp_path, market_url, contacts=110) as road:
        road.core.follow()
        for contact_id, _ in road.people(limit=100):
            road.does.score(contact_id, 12.5)
        road.control.advance_clock(60)
        (_, crm_id), *_ = road.people()
        road.control.edit("Contacts", crm_id, {"title": "Colleague's word"})
        assert road.push(CORE_FLOW).words == ("100 scores pushed",)
        assert road.core.one("SELECT title FROM contacts WHERE crm_id = :c", c=crm_id) == "Colleague's word"
        road.control.advance_clock(60)
        followed = road.core.follow()
        assert followed.words == () and road.core.rows("SELECT 1 FROM runs WHERE run_id = :r", r=followed.run_id) == []


def test_push_es_a_thousand_sent_emails_take_at_most_twenty_five_calls(tmp_path: Path, market_url: str) -> None:
    """PUSH-ES: from collecting to settling, with the question what the CRM takes."""
    with push_road(tmp_path, market_url) as road:
        recorder = Recorder(road.core.road.config)
        recorder.campaigns({"campaign_key": "spring", "name": "Spring", "subject": "News", "from_address": "us@example.com"})
        mail = {"campaign": "spring", "contact_id": road.people(limit=1)[0][0], "sent_at": AT, "delivery_status": "delivered"}
        recorder.sends({"event_id": f"send-{number}", "subject": f"News {number}", **mail} for number in range(1_000))
        road.control.reset_calls()
        assert road.push(EMAIL_FLOW).words == ("1,000 sent emails pushed",)
        assert road.control.http_calls() <= 25
        assert len(road.dump("mkt_EmailActivity")) == 1_000
