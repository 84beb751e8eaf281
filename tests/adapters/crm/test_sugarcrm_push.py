"""What Sugar holds after a push, on a calm day (PUSH, SINK, CONSENT-8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sync.errors import AccessDenied
from sync.push import Outcome, Receipt, Sink
from sync.push_settings import SinkSettings
from sync.records import Kind
from tests.adapters.crm.conftest import SugarBench
from tests.adapters.pushing import AT, COUNTERS, contact, lead, outgoing

Opener = Callable[..., Any]
NATIVE = SinkSettings(
    **dict.fromkeys(("sent_emails", "opened_emails", "clicked_emails", "web_activity", "landing_pages", "events"), Sink.NATIVE)
)


@pytest.fixture
def bench(open_bench: Opener) -> Iterator[SugarBench]:
    with open_bench(contacts=3) as opened:
        yield opened


def dump(bench: SugarBench, module: str) -> dict[str, dict[str, Any]]:
    """Id → record, living ones."""
    return {row["id"]: row for row in bench.control("dump", module=module, limit=10_000, deleted=False)}


def entry(address: str, *, primary: bool = False, out: bool = False, invalid: bool = False) -> dict[str, Any]:
    return {"email_address": address, "primary_address": primary, "opt_out": out, "invalid_email": invalid}


def person(bench: SugarBench, module: str, crm_id: str, *entries: dict[str, Any]) -> None:
    bench.control("records/create", module=module, values={"id": crm_id, "last_name": crm_id, "email": list(entries)})


def addresses(bench: SugarBench, module: str, crm_id: str) -> list[tuple[str, bool, bool, bool]]:
    """(address, primary, opt-out, invalid)."""
    names = ("email_address", "primary_address", "opt_out", "invalid_email")
    return [tuple(one[name] for name in names) for one in dump(bench, module)[crm_id]["email"]]  # type: ignore[misc]


def written(bench: SugarBench, method: str) -> list[dict[str, Any]]:
    """Writes of single records, those inside bulk calls."""
    return [call for call in bench.sandbox.control.calls(method=method) if call["in_bulk"]]


def only(receipts: tuple[Receipt, ...]) -> Receipt:
    (receipt,) = receipts
    return receipt


def accepted(receipts: tuple[Receipt, ...]) -> list[str]:
    """The ids, after a look that nothing was refused."""
    assert [receipt.said for receipt in receipts] == [""] * len(receipts)
    assert {receipt.outcome for receipt in receipts} == {Outcome.ACCEPTED}
    return [receipt.remote_id for receipt in receipts]


def test_consent_8_an_opt_out_keeps_every_other_address_and_flag(bench: SugarBench) -> None:
    """Trap 1.5: the list is replaced as a whole."""
    entries = [
        entry("old@example.org", invalid=True),
        entry("ada@example.org", primary=True),
        entry("Ada.Work@example.org"),
        entry("x@example.org"),
    ]
    person(bench, "Contacts", "c1", *entries)
    row = outgoing(Kind.OPT_OUT, contact("c1"), values={"address": "ada.work@example.org"})
    accepted(bench.adapter().send(Kind.OPT_OUT, [row]))
    assert addresses(bench, "Contacts", "c1") == [
        ("old@example.org", False, False, True),
        ("ada@example.org", True, True, False),
        ("Ada.Work@example.org", False, True, False),
        ("x@example.org", False, False, False),
    ]


def test_consent_8_an_opt_out_that_is_out_there_already_is_not_written(bench: SugarBench) -> None:
    person(bench, "Leads", "l1", entry("ada@example.org", primary=True, out=True))
    accepted(bench.adapter().send(Kind.OPT_OUT, [outgoing(Kind.OPT_OUT, lead("l1"))]))
    assert written(bench, "PUT") == []


def test_consent_8_a_list_that_shares_an_address_does_not_carry_the_old_flag_back(bench: SugarBench) -> None:
    """Trap 1.8.3: the flag sits on the address, and both lists are read before either is written."""
    person(bench, "Contacts", "c1", entry("shared@example.org", primary=True))
    person(bench, "Contacts", "c2", entry("own@example.org", primary=True), entry("shared@example.org"))
    rows = [
        outgoing(Kind.OPT_OUT, contact("c1"), values={"address": "shared@example.org"}),
        outgoing(Kind.OPT_OUT, contact("c2"), values={"address": "own@example.org"}),
    ]
    accepted(bench.adapter().send(Kind.OPT_OUT, rows))
    assert addresses(bench, "Contacts", "c2") == [("own@example.org", True, True, False), ("shared@example.org", False, True, False)]


def test_consent_8_a_record_without_an_address_or_that_is_gone_is_refused_for_good(bench: SugarBench) -> None:
    person(bench, "Contacts", "bare")
    person(bench, "Contacts", "gone", entry("ada@example.org", primary=True))
    bench.delete(Kind.CONTACT, "gone")
    receipts = bench.adapter().send(Kind.OPT_OUT, [outgoing(Kind.OPT_OUT, contact("bare")), outgoing(Kind.OPT_OUT, contact("gone"))])
    assert [(receipt.outcome, receipt.final) for receipt in receipts] == [(Outcome.REFUSED, True)] * 2
    assert "no address" in receipts[0].said
    assert "no such record any more" in receipts[1].said


def test_push_s_all_scores_of_a_record_go_in_one_write(bench: SugarBench) -> None:
    person(bench, "Contacts", "c1")
    person(bench, "Leads", "l1")
    both = (contact("c1"), lead("l1"))
    rows = [
        outgoing(Kind.SCORE, *both),
        outgoing(Kind.SCORE, *both, values={"field": "credit_limit_c", "score": 7.5, "date_field": None}),
    ]
    accepted(bench.adapter().send(Kind.SCORE, rows))
    for record in (dump(bench, "Contacts")["c1"], dump(bench, "Leads")["l1"]):
        assert (record["mkt_score_c"], record["mkt_score_date_c"], record["credit_limit_c"]) == ("42.000000", AT, "7.500000")
    assert len(written(bench, "PUT")) == 2


def test_push_4_a_score_field_that_the_crm_lacks_is_told_and_the_others_are_written(bench: SugarBench) -> None:
    """PUSH-S: Sugar drops an unknown field without a word."""
    person(bench, "Leads", "l1")
    rows = [outgoing(Kind.SCORE, lead("l1")), outgoing(Kind.SCORE, lead("l1"), values={"field": "fitness_c", "date_field": None})]
    first, second = bench.adapter().send(Kind.SCORE, rows)
    assert first.outcome is Outcome.ACCEPTED
    assert (second.outcome, second.final) == (Outcome.REFUSED, False)
    assert "Leads has no field fitness_c" in second.said


def test_push_5_a_new_lead_arrives_with_all_values_at_once_under_the_key_chosen_before(bench: SugarBench) -> None:
    """PUSH-3, PUSH-7: a lead unless told otherwise."""
    row = outgoing(Kind.NEW_LEAD, values={"opt_out": True})
    assert accepted(bench.adapter().send(Kind.NEW_LEAD, [row])) == [row.push_key]
    record = dump(bench, "Leads")[row.push_key]
    assert (record["first_name"], record["last_name"]) == ("Ada", "Byron")
    assert addresses(bench, "Leads", row.push_key) == [("ada@example.org", True, True, False)]
    assert len(written(bench, "POST")) == 1


def test_consent_10_a_new_lead_does_not_clear_an_opt_out_that_its_address_has(bench: SugarBench) -> None:
    person(bench, "Contacts", "c1", entry("ada@example.org", primary=True, out=True))
    accepted(bench.adapter().send(Kind.NEW_LEAD, [outgoing(Kind.NEW_LEAD)]))
    assert addresses(bench, "Contacts", "c1") == [("ada@example.org", True, True, False)]


def test_push_7_new_people_become_contacts_where_that_is_set(bench: SugarBench) -> None:
    row = outgoing(Kind.NEW_LEAD)
    accepted(bench.adapter(create_as=Kind.CONTACT).send(Kind.NEW_LEAD, [row]))
    assert row.push_key in dump(bench, "Contacts")


def test_match_10_a_new_lead_that_has_an_id_already_is_changed(bench: SugarBench) -> None:
    person(bench, "Leads", "l1")
    row = outgoing(Kind.NEW_LEAD, remote_id="l1", values={"address": None})
    before = len(dump(bench, "Leads"))
    assert accepted(bench.adapter().send(Kind.NEW_LEAD, [row])) == ["l1"]
    assert (dump(bench, "Leads")["l1"]["last_name"], len(dump(bench, "Leads"))) == ("Byron", before)


def test_push_r_an_update_writes_its_values_and_no_address(bench: SugarBench) -> None:
    person(bench, "Contacts", "c1", entry("ada@example.org", primary=True))
    accepted(bench.adapter().send(Kind.UPDATE, [outgoing(Kind.UPDATE, contact("c1"))]))
    assert dump(bench, "Contacts")["c1"]["title"] == "Countess"
    assert addresses(bench, "Contacts", "c1") == [("ada@example.org", True, False, False)]


def test_push_r_a_new_address_takes_the_primary_place_and_the_others_stay(bench: SugarBench) -> None:
    person(bench, "Contacts", "c1", entry("ada@example.org", primary=True), entry("work@example.org", out=True))
    person(bench, "Contacts", "c2", entry("ada@example.org", primary=True), entry("work@example.org", out=True))
    rows = [
        outgoing(Kind.UPDATE, contact("c1"), values={"address": "new@example.org"}),
        outgoing(Kind.UPDATE, contact("c2"), values={"address": "WORK@example.org"}),
    ]
    accepted(bench.adapter().send(Kind.UPDATE, rows))
    assert addresses(bench, "Contacts", "c1") == [("new@example.org", True, False, False), ("work@example.org", False, True, False)]
    assert addresses(bench, "Contacts", "c2") == [("work@example.org", True, True, False)]
    assert dump(bench, "Contacts")["c1"]["title"] == "Countess"


def test_consent_10_a_new_address_of_somebody_who_is_out_is_out_from_the_start(bench: SugarBench) -> None:
    """One that is the primary one already is not opted out by the way: that is the opt-out's own push."""
    person(bench, "Contacts", "c1", entry("ada@example.org", primary=True, out=True), entry("work@example.org"))
    person(bench, "Contacts", "c2", entry("bea@example.org", primary=True))
    person(bench, "Contacts", "c3", entry("cleo@example.org", primary=True), entry("desk@example.org"))
    rows = [
        outgoing(Kind.UPDATE, contact(crm_id), values={"address": address, "opt_out": True})
        for crm_id, address in (("c1", "new@example.org"), ("c2", "Bea@example.org"), ("c3", "desk@example.org"))
    ]
    person(bench, "Contacts", "c4", entry("dan@example.org", primary=True, out=True))
    rows.append(outgoing(Kind.UPDATE, contact("c4"), values={"address": "dan@work.example.org"}))
    accepted(bench.adapter().send(Kind.UPDATE, rows))
    assert addresses(bench, "Contacts", "c1") == [("new@example.org", True, True, False), ("work@example.org", False, False, False)]
    assert addresses(bench, "Contacts", "c2") == [("bea@example.org", True, False, False)]
    assert addresses(bench, "Contacts", "c3") == [("desk@example.org", True, True, False)]
    assert addresses(bench, "Contacts", "c4") == [("dan@work.example.org", True, True, False)], "Market has not heard of it yet"


def test_push_t_a_task_is_a_task_of_the_person(bench: SugarBench) -> None:
    row = outgoing(Kind.TASK, contact("c1"), values={"owner": "seed_sally_id", "subject": "Call back " + "soon " * 20})
    accepted(bench.adapter().send(Kind.TASK, [row, outgoing(Kind.TASK, lead("l1"))]))
    task = dump(bench, "Tasks")[row.push_key]
    found = [task[name] for name in ("status", "priority", "date_due", "assigned_user_id", "parent_type", "parent_id", "contact_id")]
    assert found == ["Not Started", "High", AT, "seed_sally_id", "Contacts", "c1", "c1"]
    assert len(task["name"]) <= 50
    assert task["description"].startswith("Call back soon soon")


def test_sink_1_a_sent_email_is_a_row_of_the_custom_object_and_changes_later(bench: SugarBench) -> None:
    crm, row = bench.adapter(), outgoing(Kind.SENT, lead("l1"))
    accepted(crm.send(Kind.SENT, [row]))
    later = outgoing(Kind.SENT, lead("l1"), values={"opens": 9}, push_key=row.push_key, remote_id=row.push_key, version=2)
    assert accepted(crm.send(Kind.SENT, [later])) == [row.push_key]
    (found,) = dump(bench, "mkt_EmailActivity").values()
    told = {name: found[name] for name in ("name", "campaign", "sent_at", "delivery_status", "opens", "parent_type", "parent_id")}
    assert told == {
        "name": "News of autumn",
        "campaign": "Autumn",
        "sent_at": AT,
        "delivery_status": "delivered",
        "opens": 9,
        "parent_type": "Leads",
        "parent_id": "l1",
    }


def test_sink_1_openings_and_clicks_count_on_one_record_per_campaign(bench: SugarBench) -> None:
    crm = bench.adapter()
    (first,) = accepted(crm.send(Kind.OPENED, [outgoing(Kind.OPENED, values=COUNTERS)]))
    (second,) = accepted(crm.send(Kind.CLICKED, [outgoing(Kind.CLICKED, values={**COUNTERS, "clicks": 4})]))
    accepted(crm.send(Kind.OPENED, [outgoing(Kind.OPENED, values={**COUNTERS, "opens": 11}, remote_id=first)]))
    (found,) = dump(bench, "mkt_Campaign").values()
    assert first == second == found["id"]
    assert (found["name"], found["campaign_key"], found["opens"], found["people_clicked"]) == ("Autumn", "autumn-26", 11, 2)


@pytest.mark.parametrize("kind", [Kind.SENT, Kind.OPENED, Kind.CLICKED, Kind.VISIT, Kind.COMPLETION, Kind.REGISTRATION])
def test_sink_2_native_activity_is_a_completed_task_in_the_persons_history(bench: SugarBench, kind: Kind) -> None:
    """SINK-1."""
    row = outgoing(kind, contact("c1"))
    assert accepted(bench.adapter(sinks=NATIVE).send(kind, [row])) == [row.push_key]
    (task,) = dump(bench, "Tasks").values()
    assert (task["status"], task["parent_id"], task["contact_id"], task["date_due"]) == ("Completed", "c1", "c1", AT)
    assert task["name"]
    assert task["description"]


def test_sink_2_visits_completions_and_registrations_land_in_their_custom_objects(bench: SugarBench) -> None:
    crm = bench.adapter()
    visit = outgoing(Kind.VISIT, contact("c1"))
    accepted(crm.send(Kind.VISIT, [visit]))
    accepted(crm.send(Kind.COMPLETION, [outgoing(Kind.COMPLETION, contact("c1"))]))
    accepted(crm.send(Kind.REGISTRATION, [outgoing(Kind.REGISTRATION, contact("c1"))]))
    views = dump(bench, "mkt_PageView").values()
    assert {(view["title"], view["mkt_visit_id_c"]) for view in views} == {("Home", visit.push_key), ("Prices", visit.push_key)}
    assert dump(bench, "mkt_Visit")[visit.push_key]["parent_id"] == "c1"
    assert [each["answers"] for each in dump(bench, "mkt_Completion").values()] == ["Company: Analytical\nStaff: 12"]
    assert [(each["event"], each["attended_at"]) for each in dump(bench, "mkt_Registration").values()] == [("Fair", None)]


def test_sink_2_the_objects_have_the_prefix_that_the_administrator_chose(open_bench: Opener) -> None:
    """A CRM without the object: no row is refused for it, an administrator is asked to make it."""
    with open_bench() as bench, pytest.raises(AccessDenied, match="no module acme_EmailActivity") as raised:
        bench.adapter(sinks=SinkSettings(object_prefix="acme")).send(Kind.SENT, [outgoing(Kind.SENT, lead("l1"))])
    assert "docs/crm-objects.md" in str(raised.value)


def test_push_es_a_thousand_sent_emails_take_at_most_twenty_calls(bench: SugarBench) -> None:
    crm = bench.adapter()
    crm.now()
    bench.sandbox.control.reset_calls()
    for _ in range(2):
        accepted(crm.send(Kind.SENT, [outgoing(Kind.SENT, lead("l1")) for _ in range(500)]))
    assert len([call for call in bench.sandbox.control.calls() if not call["in_bulk"]]) == 20
    assert crm.rows_per_call(Kind.SENT) == 50
    assert len(dump(bench, "mkt_EmailActivity")) == 1000
