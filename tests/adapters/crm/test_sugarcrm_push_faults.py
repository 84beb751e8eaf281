"""Whatever goes wrong on the way, Sugar holds each record once and every refusal is told by itself (PUSH-3, PUSH-4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.crm.sugarcrm_bulk import Part
from adapters.crm.sugarcrm_parts import Job, Write, judge
from adapters.sandbox.sugarcrm import FaultRule, Hook
from sync.crm import Crm
from sync.errors import QuotaExhausted, Transient
from sync.push import Outcome, Outgoing, Receipt
from sync.records import PUSHED, Kind
from tests.adapters.crm.conftest import SugarBench
from tests.adapters.crm.test_sugarcrm_push import accepted, addresses, dump, entry, only, person, written
from tests.adapters.pushing import COUNTERS, contact, lead, outgoing

Opener = Callable[..., Any]
BULK = r"/bulk$"
LANDS = {
    Kind.NEW_LEAD: ("Leads", 1),
    Kind.SENT: ("mkt_EmailActivity", 1),
    Kind.TASK: ("Tasks", 1),
    Kind.VISIT: ("mkt_Visit", 1),
    Kind.COMPLETION: ("mkt_Completion", 1),
    Kind.REGISTRATION: ("mkt_Registration", 1),
}
OUTSIDE: dict[str, dict[str, Any]] = {
    "reset after commit": {"kind": "reset_after_commit"},
    "time-out with late success": {"kind": "timeout_after_commit", "seconds": 1.0},
    "answer cut short": {"kind": "truncate"},
    "damaged gzip": {"kind": "bad_gzip"},
    "dies half-way with a page": {"kind": "bulk_dies_after", "parts": 3, "status": 502},
    "dies half-way without a word": {"kind": "bulk_dies_after", "parts": 3, "status": 0},
    "reset before": {"kind": "reset"},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after_s": 3},
    "page with 200": {"kind": "html"},
    "token expires": {"kind": "expire_token"},
}


@pytest.fixture
def bench(open_bench: Opener) -> Iterator[SugarBench]:
    with open_bench(leads=0) as opened:
        person(opened, "Contacts", "c1", entry("ada@example.org", primary=True), entry("work@example.org"))
        person(opened, "Contacts", "c2", entry("bob@example.org", primary=True))
        opened.adapter().now()
        yield opened


def faults(bench: SugarBench, *rules: FaultRule) -> None:
    bench.sandbox.control.set_faults(*rules)


def rows_of(kind: Kind) -> list[Outgoing]:
    """Six rows of a kind about the two contacts; opened and clicked mails as counters of six campaigns."""
    if kind in (Kind.OPENED, Kind.CLICKED):
        return [outgoing(kind, values={**COUNTERS, "campaign_key": f"{kind} {n}"}) for n in range(6)]
    if kind is Kind.NEW_LEAD:
        return [outgoing(kind) for _ in range(6)]
    return [outgoing(kind, contact(f"c{n % 2 + 1}")) for n in range(6)]


def assert_all_there_once(bench: SugarBench, kind: Kind, rows: Sequence[Outgoing]) -> None:
    if kind in LANDS:
        assert set(dump(bench, LANDS[kind][0])) == {row.push_key for row in rows}
    if kind is Kind.VISIT:
        assert len(dump(bench, "mkt_PageView")) == 2 * len(rows)
    if kind in (Kind.OPENED, Kind.CLICKED):
        found = [each["campaign_key"] for each in dump(bench, "mkt_Campaign").values() if each["campaign_key"].startswith(kind)]
        assert sorted(found) == sorted(row.values["campaign_key"] for row in rows)
    contacts = dump(bench, "Contacts")
    if kind is Kind.OPT_OUT:
        assert addresses(bench, "Contacts", "c1") == [("ada@example.org", True, True, False), ("work@example.org", False, False, False)]
    if kind is Kind.SCORE:
        assert {contacts[one]["mkt_score_c"] for one in ("c1", "c2")} == {"42.000000"}
    if kind is Kind.UPDATE:
        assert {contacts[one]["title"] for one in ("c1", "c2")} == {"Countess"}


@pytest.mark.parametrize("kind", PUSHED)
def test_push_3_every_kind_arrives_exactly_once_whatever_happens_to_the_call(bench: SugarBench, kind: Kind) -> None:
    """A connection reset after the CRM committed, a time-out with late success, a call that dies half-way, and the rest."""
    everything: list[Outgoing] = []
    crm = bench.adapter(timeout_s=0.5)
    for how, rule in OUTSIDE.items():
        faults(bench, FaultRule(method="POST", path=BULK, count=1, **rule))
        rows = [outgoing(kind, *row.targets, values=row.values) for row in rows_of(kind)]
        if kind in (Kind.OPENED, Kind.CLICKED):
            rows = [outgoing(kind, values={**row.values, "campaign_key": f"{row.values['campaign_key']} {how}"}) for row in rows]
        accepted(crm.send(kind, rows))
        everything += rows
        if how != "token expires" and kind is not Kind.OPT_OUT:
            assert bench.failures() == 1, how
        assert_all_there_once(bench, kind, everything)


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_push_4_a_part_that_fails_for_now_is_sent_again_by_itself(bench: SugarBench, status: int) -> None:
    """The outer answer is 200."""
    faults(bench, FaultRule("status", method="POST", path="mkt_EmailActivity", every=3, count=2, status=status, inside_bulk=True))
    rows = [outgoing(Kind.SENT, contact("c1")) for _ in range(6)]
    accepted(bench.adapter().send(Kind.SENT, rows))
    assert bench.failures() == 2
    assert set(dump(bench, "mkt_EmailActivity")) == {row.push_key for row in rows}
    assert len(written(bench, "POST")) == 6


def test_push_3_a_row_whose_run_died_is_looked_up_before_it_is_sent_again(bench: SugarBench) -> None:
    crm, row, new = bench.adapter(), outgoing(Kind.VISIT, contact("c1")), outgoing(Kind.VISIT, contact("c1"), repeated=True)
    accepted(crm.send(Kind.VISIT, [row]))
    bench.sandbox.control.reset_calls()
    again = outgoing(Kind.VISIT, contact("c1"), push_key=row.push_key, repeated=True)
    assert accepted(crm.send(Kind.VISIT, [again, new])) == [row.push_key, new.push_key]
    assert len(written(bench, "POST")) == 3
    assert (len(dump(bench, "mkt_Visit")), len(dump(bench, "mkt_PageView"))) == (2, 4)


def test_push_3_a_record_that_a_colleague_deleted_meanwhile_is_not_made_again(bench: SugarBench) -> None:
    crm, row = bench.adapter(), outgoing(Kind.TASK, contact("c1"))
    accepted(crm.send(Kind.TASK, [row]))
    bench.sandbox.control.delete("Tasks", row.push_key)
    for repeated in (True, False):
        accepted(crm.send(Kind.TASK, [outgoing(Kind.TASK, contact("c1"), push_key=row.push_key, repeated=repeated)]))
    assert dump(bench, "Tasks") == {}


def test_push_4_what_is_refused_is_told_one_by_one_and_the_rest_arrives(bench: SugarBench) -> None:
    bench.sandbox.control.set_hooks(Hook("Leads", field="last_name", matches="Bad.*", refuse="Ask bob@example.org before you make Bads"))
    names = ["Good", "Bad One", "Good", "Good", "Bad Two"]
    rows = [outgoing(Kind.NEW_LEAD, values={"fields": {"last_name": name}}) for name in names]
    receipts = bench.adapter().send(Kind.NEW_LEAD, rows)
    assert [receipt.outcome for receipt in receipts] == [Outcome.REFUSED if name[0] == "B" else Outcome.ACCEPTED for name in names]
    assert receipts[1].said == "invalid_parameter: Ask (address) before you make Bads"
    assert not receipts[1].final
    assert len(dump(bench, "Leads")) == 3


def test_push_4_an_activity_of_a_record_that_is_gone_for_good_is_final(bench: SugarBench) -> None:
    bench.delete(Kind.CONTACT, "c1")
    first, second = bench.adapter().send(Kind.UPDATE, [outgoing(Kind.UPDATE, contact("c1")), outgoing(Kind.UPDATE, contact("c2"))])
    assert (first.outcome, first.final, second.outcome) == (Outcome.REFUSED, True, Outcome.ACCEPTED)
    assert "no such record any more" in first.said


def test_push_4_a_score_of_a_person_with_one_record_left_is_tried_again(bench: SugarBench) -> None:
    """The other record is gone, which the next pull brings; so nothing is parked."""
    receipt = only(bench.adapter().send(Kind.SCORE, [outgoing(Kind.SCORE, contact("c1"), lead("gone"))]))
    assert (receipt.outcome, receipt.final) == (Outcome.REFUSED, False)
    assert dump(bench, "Contacts")["c1"]["mkt_score_c"] == "42.000000"


def test_push_4_one_refused_page_view_refuses_its_visit_and_the_repeat_makes_nothing_twice(bench: SugarBench) -> None:
    bench.sandbox.control.set_hooks(Hook("mkt_PageView", field="title", matches="Prices", refuse="No", count=1))
    crm, rows = bench.adapter(), [outgoing(Kind.VISIT, contact("c1")) for _ in range(2)]
    first, second = crm.send(Kind.VISIT, rows)
    assert (first.outcome, second.outcome) == (Outcome.REFUSED, Outcome.ACCEPTED)
    accepted(crm.send(Kind.VISIT, rows[:1]))
    assert (len(dump(bench, "mkt_Visit")), len(dump(bench, "mkt_PageView"))) == (2, 4)


@pytest.mark.parametrize(
    "how",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 403},  # a firewall that takes the text for an attack
        {"kind": "reset"},
        {"kind": "html"},
    ],
)
@pytest.mark.parametrize("kind", [Kind.NEW_LEAD, Kind.UPDATE])
def test_push_4_a_record_that_brings_every_call_down_is_found_and_costs_the_others_nothing(
    bench: SugarBench, kind: Kind, how: dict[str, Any]
) -> None:
    rows = [outgoing(kind, contact("c1"), values={"fields": {"last_name": f"Nr {n:03}"}}) for n in range(120)]
    faults(bench, *(FaultRule(method="POST", path=BULK, body=f"Nr {n}", **how) for n in ("000", "001", "049", "119")))
    crm = bench.adapter()
    assert crm.holders_of([Kind.LEAD], ["nobody@example.org"]) == {Kind.LEAD: ()}  # spoken to before, so that a page is no wrong URL
    receipts = crm.send(kind, rows)
    refused = [number for number, receipt in enumerate(receipts) if receipt.outcome is Outcome.REFUSED]
    assert refused == [0, 1, 49, 119]
    assert {receipt.outcome for receipt in receipts} == {Outcome.REFUSED, Outcome.ACCEPTED}
    assert all("the CRM fails on this record" in receipts[number].said for number in refused)
    if kind is Kind.NEW_LEAD:
        assert len(dump(bench, "Leads")) == 116


def test_push_4_a_call_that_is_too_large_is_halved_until_it_is_taken(bench: SugarBench) -> None:
    bench.sandbox.control.set_limits(max_bulk_requests=20)
    accepted(bench.adapter().send(Kind.SENT, [outgoing(Kind.SENT, contact("c1")) for _ in range(50)]))
    faults(bench, FaultRule("status", method="POST", path=BULK, body="much too long", status=413))
    rows = [outgoing(Kind.SENT, contact("c1"), values={"subject": subject}) for subject in ("fine", "much too long", "fine")]
    receipts = bench.adapter().send(Kind.SENT, rows)
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED]
    assert receipts[1].final
    assert len(dump(bench, "mkt_EmailActivity")) == 52


@pytest.mark.parametrize("rule", [{"kind": "status", "status": 503}, {"kind": "status", "status": 500}, {"kind": "reset"}])
def test_push_4_a_crm_that_is_down_refuses_nobody(bench: SugarBench, rule: dict[str, Any]) -> None:
    """PUSH-2: what was not looked at is postponed; when nothing was, the error says why."""
    faults(bench, FaultRule(method="POST", path=BULK, **rule))
    with pytest.raises(Transient):
        bench.adapter().send(Kind.SENT, [outgoing(Kind.SENT, contact("c1")) for _ in range(60)])
    assert bench.failures() <= 2 * 6 + 4 * 4 + 1


def test_push_4_what_the_crm_was_too_busy_for_is_postponed_and_the_rest_counts(bench: SugarBench) -> None:
    faults(bench, FaultRule("slow", method="POST", path=BULK, nth=1, seconds=0), FaultRule("status", method="POST", path=BULK, status=429))
    receipts = bench.adapter().send(Kind.SENT, [outgoing(Kind.SENT, contact("c1")) for _ in range(60)])
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED] * 50 + [Outcome.POSTPONED] * 10


def test_consent_8_a_colleague_who_saves_meanwhile_loses_nothing(bench: SugarBench) -> None:
    """Trap 1.5: X-TIMESTAMP, 409, read again."""
    faults(bench, FaultRule("slow", method="POST", path=BULK, count=1, seconds=0.5))

    def colleague() -> None:
        while not bench.failures():
            time.sleep(0.01)
        bench.sandbox.control.advance_clock(5)
        bench.sandbox.control.edit("Contacts", "c2", {"email": [entry("bob@example.org", primary=True), entry("new@example.org")]})

    with ThreadPoolExecutor(1) as pool:
        saved = pool.submit(colleague)
        accepted(bench.adapter().send(Kind.OPT_OUT, [outgoing(Kind.OPT_OUT, contact("c2"))]))
        saved.result()
    assert [call["status"] for call in written(bench, "PUT")] == [409, 200]
    assert addresses(bench, "Contacts", "c2") == [("bob@example.org", True, True, False), ("new@example.org", False, False, False)]


def test_push_4_an_allowance_that_is_used_up_postpones_and_says_until_when(bench: SugarBench) -> None:
    """CONSENT-9 rests on it: the gateway's 429 with a pause until midnight is no traffic jam."""
    rows = [outgoing(Kind.SENT, contact("c1")) for _ in range(60)]
    bench.control("gateway", daily_calls=100, used=99)
    receipts = bench.adapter().send(Kind.SENT, rows)
    assert [receipt.outcome for receipt in receipts] == [Outcome.ACCEPTED] * 50 + [Outcome.POSTPONED] * 10
    with pytest.raises(QuotaExhausted) as caught:
        bench.adapter().send(Kind.SENT, rows[50:])
    assert caught.value.resets_at is not None


def test_push_4_a_page_for_people_inside_a_bulk_answer_is_no_success() -> None:
    """Outer and inner status are 200."""
    part = Part(msgspec.Raw(b'"<html>maintenance</html>"'), 200)
    job = Job(Write("Leads", "x", {}, creates=True))
    judge(job, part)
    assert (job.ending, job.failures) == (None, 1)


def test_conn_1_several_threads_send_at_once(bench: SugarBench) -> None:
    crm = bench.adapter(connections=4)
    batches = [[outgoing(Kind.SENT, contact("c1")) for _ in range(30)] for _ in range(4)]
    faults(
        bench,
        FaultRule("expire_token", method="POST", path=BULK, every=3),
        FaultRule("reset_after_commit", method="POST", path=BULK, every=4),
    )
    with ThreadPoolExecutor(4) as pool:
        told: list[tuple[Receipt, ...]] = list(pool.map(lambda batch: crm.send(Kind.SENT, batch), batches))
    for receipts in told:
        accepted(receipts)
    assert len(dump(bench, "mkt_EmailActivity")) == 120


def test_push_3_with_a_fifth_of_all_calls_failing_in_every_way_each_record_is_there_once(bench: SugarBench) -> None:
    """PUSH-2: what is refused or postponed for now is sent again, as the next runs do."""
    outside = [rule for how, rule in OUTSIDE.items() if how != "time-out with late success"]
    inside: list[dict[str, Any]] = [{"kind": "status", "status": status, "inside_bulk": True} for status in (401, 429, 500, 503)]
    rules = [FaultRule(probability=0.2 / len(outside), seed=n, **rule) for n, rule in enumerate(outside)]
    faults(bench, *rules, *(FaultRule(probability=0.05, seed=n, **rule) for n, rule in enumerate(inside)))
    crm = bench.adapter()
    for kind in PUSHED:
        waiting = {row.outbox_id: row for row in [*rows_of(kind), *rows_of(kind)][:12]}
        everything = list(waiting.values())
        for _ in range(30):
            waiting = _still_waiting(crm, kind, waiting)
        assert waiting == {}
        if kind in (Kind.OPENED, Kind.CLICKED):
            everything = everything[:6]  # one record per campaign
        assert_all_there_once(bench, kind, everything)
    assert bench.failures() > 20


def _still_waiting(crm: Crm, kind: Kind, waiting: dict[int, Outgoing]) -> dict[int, Outgoing]:
    """One run: what it did not get accepted. A run that fails as a whole leaves its rows as repeats."""
    try:
        receipts = crm.send(kind, list(waiting.values()))
    except Transient:
        return {number: replace(row, repeated=True) for number, row in waiting.items()}
    return {one.outbox_id: waiting[one.outbox_id] for one in receipts if one.outcome is not Outcome.ACCEPTED}
