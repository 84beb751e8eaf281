"""What happens between the steps of a push: people opt out, leads come, operators park, colleagues merge and delete (PUSH, CONSENT)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flows.push
import tasks.push_send
from adapters.crm import sugarcrm
from sync.errors import ContractBroken, Transient
from sync.push import Outgoing
from sync.records import Kind, RunRef
from tasks.operate import EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tasks.push import Batch, collect, settle
from tasks.push_needs import needs_of
from tasks.push_new_leads import look_up_new_leads, refuse_owned
from tasks.push_send import send
from tasks.wiring import now
from tests.core_road import without_engine
from tests.push_road import AT, PushRoad, push_road


@pytest.fixture
def lite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'market.db'}"


def run_of(road: PushRoad) -> RunRef:
    return RunRef("one", TIME_SENSITIVE_FLOW, road.core.road.connector, road.core.road.config)


def checked(road: PushRoad, kind: Kind, **found: Any) -> Batch:
    """A batch that is about to be sent."""
    batch: Batch | None = collect.fn(run_of(road), kind, "1", **found)
    assert batch is not None
    flows.push.check_outgoing(run_of(road), batch.ref)
    return batch


def primary(road: PushRoad, module: str, crm_id: str) -> dict[str, Any]:
    """The first address of a record in the CRM."""
    [record] = [each for each in road.dump(module) if each["id"] == crm_id]
    [address] = [each for each in record["email"] if each["primary_address"]]
    return dict(address)


def test_match_10_whoever_is_queued_after_the_look_up_is_not_created_before_they_are_looked_up(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite) as road:
        road.control.create("Contacts", {"last_name": "Known", "email": [{"email_address": "k@there.example", "primary_address": True}]})
        road.does.person("fresh@newcomer.example")
        with without_engine():
            found = look_up_new_leads.fn(run_of(road), "1")
            road.does.person("k@there.example")
            batch = checked(road, Kind.NEW_LEAD, found=found)
            send.fn(run_of(road), batch)
            settle.fn(run_of(road), batch)
        assert road.states(Kind.NEW_LEAD) == {"acknowledged": 1, "pending": 1}
        road.push()
        assert [lead for lead in road.dump("Leads") if "k@there.example" in str(lead["email"])] == []


def test_push_3_a_lead_that_a_dead_run_made_is_not_taken_for_somebody_elses(
    tmp_path: Path, lite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the pull can't match it: it does not meet the filter, or leads are not pulled."""
    with push_road(tmp_path, lite) as road:
        contact_id = road.does.person("nora@newcomer.example")
        with without_engine(), monkeypatch.context() as death:
            batch = checked(road, Kind.NEW_LEAD)
            death.setattr(tasks.push_send.outgoing, "keep_receipts", _die)
            with pytest.raises(KeyboardInterrupt):
                send.fn(run_of(road), batch)
        run = run_of(road)
        rows: tuple[Outgoing, ...] = road.does.market.outbox.collect("acme", Kind.NEW_LEAD, now(), limit=9, needs=needs_of(run))
        assert [row.repeated for row in rows] == [True] and refuse_owned(run, rows) == ()
        there = road.control.create("Contacts", {"last_name": "X", "email": [{"email_address": "nora@newcomer.example"}]})
        assert there and len(refuse_owned(run, rows)) == 1, "a colleague's contact is"
        assert contact_id


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_an_operator_parks_before_the_first_byte_goes_out_stays_here(tmp_path: Path, lite: str) -> None:
    """PUSH-4; the same for what is withdrawn, or acknowledged by a flow that was faster."""
    with push_road(tmp_path, lite) as road:
        (parked, _), (sent, _) = road.people(limit=2)
        road.does.task(parked)
        road.does.task(sent)
        with without_engine():
            batch = checked(road, Kind.TASK)
            first = road.core.one("SELECT min(outbox_id) FROM outbox")
            assert road.does.market.outbox.park([first], "not this one") == 1
            send.fn(run_of(road), batch)
            settle.fn(run_of(road), batch)
        assert road.states(Kind.TASK) == {"parked": 1, "acknowledged": 1} and len(road.dump("Tasks")) == 1


def test_a_push_that_is_stopped_keeps_no_pull_back(tmp_path: Path, lite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PULL-5: else a CRM whose writes are broken would keep its own opt-outs from Market (CONSENT-3)."""
    with push_road(tmp_path, lite) as road:
        (out, _), (_, crm_id) = road.people(limit=2)
        road.does.opt_out(out)
        road.control.advance_clock(60)
        road.control.edit("Contacts", crm_id, {"title": "New title"})
        monkeypatch.setattr(sugarcrm.SugarCrm, "send", _failing(ContractBroken("a proxy answers"), Kind.OPT_OUT))
        with pytest.raises(ContractBroken, match="a proxy answers"):
            road.core.follow()
        assert road.core.one("SELECT title FROM contacts WHERE crm_id = :c", c=crm_id) == "New title"


def test_push_4_one_record_that_the_crm_never_has_time_for_keeps_no_other_kind_back(
    tmp_path: Path, lite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with push_road(tmp_path, lite) as road:
        [(contact_id, _)] = road.people(limit=1)
        road.does.opt_out(contact_id)
        road.does.task(contact_id)
        monkeypatch.setattr(sugarcrm.SugarCrm, "send", _failing(Transient("a workflow is busy"), Kind.OPT_OUT))
        assert road.push().words == ("1 task pushed",)


def test_a_crm_that_has_no_time_for_two_kinds_in_a_row_is_left_alone(tmp_path: Path, lite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with push_road(tmp_path, lite) as road:
        [(contact_id, _)] = road.people(limit=1)
        road.does.opt_out(contact_id)
        road.does.task(contact_id)
        road.does.visit(contact_id)
        monkeypatch.setattr(sugarcrm.SugarCrm, "send", _failing(Transient("busy"), Kind.OPT_OUT, Kind.TASK))
        told = road.push()
        assert told.words == () and road.states(Kind.VISIT) == {"pending": 1}
        assert [finding.kind for finding in told.findings] == [Kind.OPT_OUT, Kind.TASK]


def _failing(error: Exception, *kinds: Kind) -> Any:
    real = sugarcrm.SugarCrm.send

    def failing(crm: Any, kind: Kind, batch: Any) -> Any:
        if kind in kinds:
            raise error
        return real(crm, kind, batch)

    return failing


def test_match_8_an_opt_out_whose_record_is_merged_away_first_goes_to_the_winner(tmp_path: Path, lite: str) -> None:
    """CONSENT-8."""
    with push_road(tmp_path, lite) as road:
        (out, loser), (_, winner) = road.people(limit=2)
        road.does.opt_out(out)
        road.control.advance_clock(60)
        road.control.merge("Contacts", winner, loser)
        assert road.push().words == ("1 opt-out parked",)
        road.control.advance_clock(60)
        assert "1 opt-out pushed" in road.core.follow().words
        assert primary(road, "Contacts", winner)["opt_out"] and road.states(Kind.OPT_OUT)["acknowledged"] == 1


@pytest.mark.parametrize("says_it", ("before the CRM is read", "after"))
def test_consent_8_an_opt_out_reaches_a_record_that_was_deleted_meanwhile_and_lives_again(tmp_path: Path, lite: str, says_it: str) -> None:
    """DEL-2; and nothing of it waits for ever, so that a re-subscribe counts afterwards (CONSENT-4)."""
    with push_road(tmp_path, lite) as road:
        (contact_id, crm_id), *_ = road.people()
        road.control.advance_clock(60)
        road.control.delete("Contacts", crm_id)
        if says_it == "after":
            road.core.follow()
        road.does.opt_out(contact_id)
        road.push()
        road.core.follow()
        road.control.advance_clock(60)
        road.control.undelete("Contacts", crm_id)
        road.core.follow()
        assert primary(road, "Contacts", crm_id)["opt_out"] and set(road.states(Kind.OPT_OUT)) == {"acknowledged"}
        assert road.core.one("SELECT opt_out FROM contacts WHERE contact_id = :p", p=contact_id)


def test_sink_1_an_opening_that_waits_while_its_sink_is_changed_lands_as_what_it_was_queued_as(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite) as road:  # the sink is the campaign's counters
        [(contact_id, _)] = road.people(limit=1)
        campaign = road.does.campaign()
        told = {"event_id": "an-opening", "what": "open", "campaign_id": campaign, "contact_id": contact_id, "at": AT}
        road.does.queue(Kind.OPENED, contact_id, road.does.row("email_events", "email_event_id", **told))
        road.does.queue(Kind.OPENED, 0, campaign)
        assert road.push(EMAIL_FLOW).words == ("2 opened emails pushed",)
        assert [(each["name"], each["opens"]) for each in road.dump("mkt_Campaign")] == [("Spring", 1)]
        assert [each["name"] for each in road.dump("Tasks")] == ["Email opened: Spring news"]
