"""The flows with a Salesforce on the other side: the same roads, another dialect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import flows.changes
import flows.lists
import flows.pull
from sync.push import CORE, EMAIL_ACTIVITY, TIME_SENSITIVE
from sync.records import PULL_ORDER, Kind, RunRef
from tasks.operate import CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tasks.wiring import now
from tests.core_road import without_engine
from tests.push_road import PushRoad
from tests.salesforce_road import salesforce_road

LANDS = {
    Kind.SENT: "Mkt_EmailActivity__c",
    Kind.TASK: "Task",
    Kind.VISIT: "Mkt_Visit__c",
    Kind.COMPLETION: "Mkt_Completion__c",
    Kind.REGISTRATION: "Mkt_Registration__c",
}


@pytest.fixture
def road(tmp_path: Path) -> Iterator[PushRoad]:
    with salesforce_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}") as opened:
        yield opened


def test_init_6_everything_comes_by_bulk_and_the_counts_agree(tmp_path: Path) -> None:
    """INIT-1, INIT-5, PULL-6, PULL-7; and the next core run finds nothing to do (PULL-8)."""
    with salesforce_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", connector="bulk_from_rows = 1") as road:
        road.core.road.verify()
        assert len(road.control.calls(method="POST", path_part="jobs/query")) == len(PULL_ORDER)
        assert road.core.one("SELECT count(*) FROM contacts WHERE owner_id IS NULL") == 0
        contacts = {row["Id"]: row for row in road.control.dump("Contact", deleted=False)}
        linked = road.core.rows(
            "SELECT c.crm_id, a.crm_id AS account FROM contacts c JOIN accounts a USING (account_id) WHERE crm_type = 'Contact'"
        )
        assert {row["crm_id"]: row["account"] for row in linked if row["account"]} == {
            crm_id: row["AccountId"] for crm_id, row in contacts.items() if row["AccountId"]
        }
        assert road.core.follow().words == ()


def test_flow_4_an_idle_cycle_costs_one_call_per_object_and_one_for_the_schema(road: PushRoad) -> None:
    road.core.follow()
    road.control.reset_calls()
    assert road.core.follow().words == ()
    assert sum(path.endswith(("/query", "/queryAll")) for _, path in road.core.calls()) == len(PULL_ORDER)
    assert road.control.http_calls() <= len(PULL_ORDER) + 1


def test_match_7_match_8_del_1_what_colleagues_did_arrives(road: PushRoad) -> None:
    """Edits, deletions, undeletions, merges by their pointer, conversions by theirs, opt-outs (CONSENT-3)."""
    contacts = sorted(row["Id"] for row in road.control.dump("Contact", deleted=False))
    lead = min(row["Id"] for row in road.control.dump("Lead", deleted=False) if not row["IsConverted"])
    person = road.core.one("SELECT market_id FROM crm_links WHERE crm_id = :lead", lead=lead)
    road.control.edit("Contact", contacts[0], {"Title": "Director"})
    road.control.delete("Contact", contacts[1])
    road.control.merge("Contact", contacts[2], contacts[3])
    address = road.control.stored("Contact", contacts[4])["Email"]
    road.control.opt_out(address)
    told = road.control.convert_lead(lead)
    road.core.follow()
    rows = {row["crm_id"]: row for row in road.core.rows("SELECT * FROM contacts WHERE crm_id IS NOT NULL")}
    assert rows[contacts[0]]["title"] == "Director"
    assert rows[contacts[1]]["deleted_date"] is not None
    merged = road.core.one(
        "SELECT merged_into FROM contacts WHERE contact_id = (SELECT market_id FROM crm_links WHERE crm_id = :it)", it=contacts[3]
    )
    assert merged in (None, rows[contacts[2]]["contact_id"])
    alias = road.core.one("SELECT alias_of FROM crm_links WHERE crm_id = :it", it=contacts[3])
    assert alias == contacts[2]
    assert rows[contacts[4]]["opt_out"]
    assert road.core.one("SELECT market_id FROM crm_links WHERE crm_id = :it AND kind = 'contact'", it=told["contact_id"]) == person
    road.control.undelete("Contact", contacts[1])
    road.core.follow()
    assert road.core.one("SELECT deleted_date FROM contacts WHERE crm_id = :it", it=contacts[1]) is None


def test_pull_4_a_new_field_is_a_new_column_and_a_multiple_choice_a_list(road: PushRoad) -> None:
    road.control.add_field("Contact", "Hobbies__c multipicklist values=sailing|reading|chess")
    crm_id = min(row["Id"] for row in road.control.dump("Contact", deleted=False))
    road.control.edit("Contact", crm_id, {"Hobbies__c": "sailing;chess"})
    road.core.follow()
    assert road.core.one("SELECT hobbies__c FROM contacts WHERE crm_id = :it", it=crm_id) == '["sailing","chess"]'


def test_push_3_every_kind_lands_once_and_comes_back_as_no_change(road: PushRoad) -> None:
    """PUSH-6, CONSENT-8, PUSH-S."""
    (contact_id, crm_id), (other_id, other_crm_id) = road.people(limit=2)
    campaign = road.does.campaign()
    road.does.mail(contact_id, campaign)
    road.does.reaction(Kind.OPENED, contact_id, campaign)
    road.does.reaction(Kind.CLICKED, contact_id, campaign)
    road.does.task(contact_id)
    road.does.visit(contact_id)
    road.does.completion(contact_id)
    road.does.registration(contact_id)
    road.does.score(contact_id, 42)
    road.does.person("nora@example.net")
    road.does.opt_out(other_id)
    for flow, kinds in ((CORE_FLOW, CORE), (EMAIL_FLOW, EMAIL_ACTIVITY), (TIME_SENSITIVE_FLOW, TIME_SENSITIVE)):
        road.push(flow)
        assert {kind: road.states(kind) for kind in kinds if road.states(kind)} == {
            kind: {"acknowledged": 1} for kind in kinds if road.states(kind)
        }
    assert {kind: len(road.dump(name)) for kind, name in LANDS.items()} == dict.fromkeys(LANDS, 1)
    assert len(road.dump("Mkt_PageView__c")) == 2
    (counters,) = road.dump("Mkt_Campaign__c")
    assert (counters["Opens__c"], counters["Clicks__c"]) == (1, 1)
    assert road.control.stored("Contact", crm_id)["Mkt_Score__c"] == 42
    assert road.control.stored("Contact", other_crm_id)["HasOptedOutOfEmail"]
    assert [row["Company"] for row in road.dump("Lead") if row["Email"] == "nora@example.net"] == ["[not provided]"]
    for flow in (CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW):
        road.push(flow)
    assert {kind: len(road.dump(name)) for kind, name in LANDS.items()} == dict.fromkeys(LANDS, 1)
    assert [word for word in road.core.follow().words if "lead" not in word] == []


def test_a_thousand_pushed_records_take_at_most_five_calls(tmp_path: Path) -> None:
    """PUSH-ES, PUSH-6: from collecting to reading back what was written. Thousands of one sort are uploaded."""
    people = 2_100
    with salesforce_road(tmp_path, f"sqlite:///{tmp_path / 'market.db'}", contacts=people, accounts=20) as road:
        campaign, told = road.does.campaign(), road.people(limit=people)
        for contact_id, _ in told[:1_000]:
            road.does.mail(contact_id, campaign)
        road.control.reset_calls()
        assert road.push(EMAIL_FLOW).words == ("1,000 sent emails pushed",)
        assert road.control.http_calls() <= 5
        assert len(road.dump("Mkt_EmailActivity__c")) == 1_000
        for contact_id, _ in told:
            road.does.score(contact_id, 12.5)
        road.control.reset_calls()
        assert road.push(CORE_FLOW).words == ("2,100 scores pushed",)
        assert road.control.http_calls() <= 10
        assert len(road.control.calls(method="PUT", path_part="jobs/ingest")) == 1
        assert {row["Mkt_Score__c"] for row in road.dump("Contact")} == {12.5}
        for number in range(1_000):
            road.does.person(f"new.{number}@example.net")
        road.control.reset_calls()
        assert road.push(TIME_SENSITIVE_FLOW).words == ("1,000 new leads pushed",)
        assert road.control.http_calls() <= 5
        assert road.core.follow().words == ()


def test_list_1_campaigns_are_marketing_lists(tmp_path: Path) -> None:
    """LIST-2: every member has a row."""
    url = f"sqlite:///{tmp_path / 'market.db'}"
    pull = "[connectors.acme.pull]\nmarketing_lists = true\n"
    with salesforce_road(tmp_path, url, push=pull, campaigns=2, members_per_campaign=5) as road:
        core = road.core
        run = RunRef("lists-1", CORE_FLOW, core.road.connector, core.road.config)
        with without_engine((flows.lists, flows.pull, flows.changes)):
            assert flows.lists.follow_lists(run, core.road.schema(), now())
        members = {(row["CampaignId"], row["ContactId"] or row["LeadId"]) for row in road.control.dump("CampaignMember", deleted=False)}
        living = "FROM marketing_list_members AS m JOIN marketing_lists AS l USING (list_id) WHERE left_at IS NULL"
        found = core.rows(f"SELECT l.crm_id AS list_id, m.crm_id {living}")
        assert {(row["list_id"], row["crm_id"]) for row in found} == members
