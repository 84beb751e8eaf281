"""What stops a push, and what it keeps back and what not (CONSENT-9, GATE-3, FLOW-3, PUSH-3, PUSH-4, quota)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import flows.push
from adapters.crm import sugarcrm
from sync.errors import AccessDenied, CredentialError, GateRejected
from sync.push import Outgoing, Quota, Receipt
from sync.records import Kind, RunRef
from tasks.operate import CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tasks.push import Batch, collect, settle
from tasks.push_send import send
from tests.core_road import without_engine
from tests.push_road import PushRoad, push_road

STRICT = "[gate]\nmin_rows_for_share = 2\n"


@pytest.fixture
def lite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'market.db'}"


def run_of(road: PushRoad, flow: str = TIME_SENSITIVE_FLOW, run_id: str = "one") -> RunRef:
    return RunRef(run_id, flow, road.core.road.connector, road.core.road.config)


def test_gate_3_a_bad_batch_keeps_no_opt_out_and_no_other_kind_back(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite, more=STRICT) as road:
        people = [contact_id for contact_id, _ in road.people(limit=4)]
        for contact_id in people[:3]:
            road.does.task(contact_id, subject=" ")
            road.does.visit(contact_id)
        road.does.opt_out(people[3])
        with pytest.raises(GateRejected, match="task"):
            road.push()
        assert road.states(Kind.OPT_OUT) == {"acknowledged": 1} and road.states(Kind.VISIT) == {"acknowledged": 3}
        assert road.states(Kind.TASK) == {"pending": 3} and road.dump("Tasks") == []


def test_push_4_what_our_own_checks_hold_is_refused_in_the_crms_stead_and_the_others_go(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite) as road:
        (bad, _), (good, _) = road.people(limit=2)
        road.does.task(bad, subject=" ")
        road.does.task(good)
        told = road.push()
        assert told.words == ("1 task pushed; 1 refused",)
        assert [finding.topic for finding in told.findings] == ["push refused"]
        assert "held back: " in road.core.one("SELECT refusal FROM outbox WHERE state = 'refused'")
        assert road.push().words == (), "it is tried again in two minutes, not now"


def test_an_opt_out_goes_out_although_the_pull_of_the_same_run_fails(tmp_path: Path, lite: str) -> None:
    """CONSENT-9: in core-sync they come before everything else."""
    with push_road(tmp_path, lite) as road:
        (out, _), *_ = road.people()
        road.does.opt_out(out)
        road.control.hide_field("mkt_sync", "Leads", "email")
        with pytest.raises(AccessDenied, match="email"):
            road.core.follow()
        assert road.states(Kind.OPT_OUT) == {"acknowledged": 1}


def test_the_reserve_of_calls_is_kept_for_opt_outs(tmp_path: Path, lite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with push_road(tmp_path, lite) as road:
        (out, _), (busy, _) = road.people(limit=2)
        road.does.opt_out(out)
        road.does.task(busy)
        monkeypatch.setattr(sugarcrm.SugarCrm, "quota", lambda self: Quota(left=90, of=1000))
        told = road.push()
        assert told.words == ("1 opt-out pushed",)
        assert [(finding.kind, finding.topic) for finding in told.findings] == [(Kind.TASK, "push postponed")]
        assert road.states(Kind.TASK) == {"pending": 1}
        monkeypatch.undo()
        assert road.push().words == ("1 task pushed",)


def test_match_10_an_address_that_the_crm_has_on_somebody_elses_record_is_refused_with_words(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite) as road:
        _, crm_id = road.people()[0]
        [address] = [each["email"][0]["email_address"] for each in road.dump("Contacts") if each["id"] == crm_id]
        road.does.person(address)
        road.does.person("nobody@knows.example")
        before = len(road.dump("Leads"))
        assert road.push().words == ("1 new lead pushed; 1 refused",)
        assert len(road.dump("Leads")) == before + 1
        assert "somebody else's" in road.core.one("SELECT refusal FROM outbox WHERE state = 'refused'")


class _Broken:
    """A CRM whose writes end with an error, after so many rows."""

    def __init__(self, error: BaseException, only: Kind) -> None:
        self.error, self.only, self.sent = error, only, list[Kind]()

    def onto(self, road: PushRoad, monkeypatch: pytest.MonkeyPatch) -> None:
        real = sugarcrm.SugarCrm.send

        def broken(crm: Any, kind: Kind, batch: Sequence[Outgoing]) -> tuple[Receipt, ...]:
            self.sent.append(kind)
            if kind is self.only:
                raise self.error
            return real(crm, kind, batch)

        monkeypatch.setattr(sugarcrm.SugarCrm, "send", broken)


def test_a_right_that_lacks_for_one_kind_keeps_no_other_back(tmp_path: Path, lite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with push_road(tmp_path, lite) as road:
        [(contact_id, _)] = road.people(limit=1)
        road.does.task(contact_id)
        road.does.visit(contact_id)
        broken = _Broken(AccessDenied("no right to write tasks"), Kind.TASK)
        broken.onto(road, monkeypatch)
        with pytest.raises(AccessDenied):
            road.push()
        assert road.states(Kind.VISIT) == {"acknowledged": 1}
        monkeypatch.undo()
        assert road.push().words == ("1 task pushed",) and len(road.dump("Tasks")) == 1


def test_conn_3_a_custom_object_that_nobody_made_stops_its_kind_and_costs_no_row_an_attempt(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite, without=("mkt_Visit",)) as road:
        [(contact_id, _)] = road.people(limit=1)
        road.does.task(contact_id)
        road.does.visit(contact_id)
        with pytest.raises(AccessDenied, match="no module mkt_Visit"):
            road.push()
        assert road.states(Kind.TASK) == {"acknowledged": 1}
        assert "refused" not in road.states(Kind.VISIT)


def test_a_dead_credential_ends_the_run_at_once(tmp_path: Path, lite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """CONN-4."""
    with push_road(tmp_path, lite) as road:
        [(contact_id, _)] = road.people(limit=1)
        road.does.task(contact_id)
        road.does.visit(contact_id)
        broken = _Broken(CredentialError("the password expired"), Kind.TASK)
        broken.onto(road, monkeypatch)
        with pytest.raises(CredentialError):
            road.push()
        assert broken.sent == [Kind.TASK]
        monkeypatch.undo()
        assert road.push().words == ("1 task and 1 web visit pushed",) and len(road.dump("Tasks")) == 1


def test_flow_3_a_send_that_is_done_again_goes_on_with_the_receipts_that_are_there(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite) as road:
        for contact_id, _ in road.people(limit=3):
            road.does.task(contact_id)
        run = run_of(road)
        with without_engine():
            batch: Batch = collect.fn(run, Kind.TASK, "1")
            flows.push.check_outgoing(run, batch.ref)
            send.fn(run, batch)
            road.control.reset_calls()
            send.fn(run, batch)
            assert [call for call in road.core.calls() if "bulk" in call[1] or call[0] != "GET"] == []
            assert settle.fn(run, batch).cut_short is False
            send.fn(run, batch), settle.fn(run, batch)  # the parcel is gone by now
        assert road.states(Kind.TASK) == {"acknowledged": 3} and len(road.dump("Tasks")) == 3


def test_flow_3_a_rerun_leaves_a_batch_alone_that_a_later_run_took_over(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite) as road:
        [(contact_id, _)] = road.people(limit=1)
        road.does.task(contact_id)
        batch = collect.fn(run_of(road), Kind.TASK, "1")
        later = collect.fn(run_of(road, run_id="two"), Kind.TASK, "1")
        assert later.ref.path == batch.ref.path and later.ref.parcel_id != batch.ref.parcel_id
        send.fn(run_of(road), batch)
        assert road.dump("Tasks") == [] and road.states(Kind.TASK) == {"pending": 1}


def test_push_1_what_is_switched_off_is_neither_collected_nor_asked_for(tmp_path: Path, lite: str) -> None:
    only_tasks = "[connectors.acme.push]\ntasks = true\n"
    with push_road(tmp_path, lite, push=only_tasks) as road:
        (contact_id, _), *_ = road.people()
        road.does.visit(contact_id)
        road.does.task(contact_id)
        assert road.push().words == ("1 task pushed",)
        assert road.push(EMAIL_FLOW).words == () and road.states(Kind.VISIT) == {"pending": 1}


def test_push_2_a_score_that_changes_while_it_is_sent_goes_out_again(tmp_path: Path, lite: str) -> None:
    with push_road(tmp_path, lite) as road:
        (contact_id, crm_id), *_ = road.people()
        road.does.score(contact_id, 5)
        run = run_of(road, CORE_FLOW)
        with without_engine():
            batch: Batch = collect.fn(run, Kind.SCORE, "1")
            flows.push.check_outgoing(run, batch.ref)
            send.fn(run, batch)
            road.core.road.execute("UPDATE scores SET score = 9 WHERE contact_id = :p", p=contact_id)
            road.does.queue(Kind.SCORE, contact_id, road.does.profile())
            settle.fn(run, batch)
        assert road.states(Kind.SCORE) == {"pending": 1}
        assert road.push(CORE_FLOW).words == ("1 score pushed",)
        [score] = [each["mkt_score_c"] for each in road.dump("Contacts") if each["id"] == crm_id]
        assert float(score) == 9
