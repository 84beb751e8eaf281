"""The part of the suite of all CRM adapters that is about pushes, calm and hostile. `crm_contract` says what a bench is."""

from __future__ import annotations

import pytest

from sync.errors import Transient
from sync.push import BATCH_ROWS, EMAIL_ACTIVITY, Outcome, Outgoing, Receipt
from sync.records import PUSHED, Kind
from tests.adapters.crm_contract import WRITE_FAULTS, Bench, OpenBench
from tests.adapters.pushing import COUNTERS, contact, lead, outgoing

MADE = (Kind.NEW_LEAD, Kind.SENT, Kind.TASK, Kind.VISIT, Kind.COMPLETION, Kind.REGISTRATION)
NAMED = {Kind.NEW_LEAD: "fields", Kind.SENT: "subject", Kind.TASK: "subject", Kind.COMPLETION: "page", Kind.REGISTRATION: "event"}


def people(bench: Bench) -> None:
    """One person who is a lead and a contact, with an address of their own in each and one that both share."""
    bench.person(Kind.CONTACT, "c1", "shared@example.org", "work@example.org")
    bench.person(Kind.LEAD, "l1", "shared@example.org", "home@example.org")


def rows(bench: Bench, kind: Kind, count: int = 4, **more: object) -> list[Outgoing]:
    """So many rows about the contact; opt-outs and scores name the lead as well."""
    if kind is Kind.NEW_LEAD:
        return [outgoing(kind, values=bench.values(kind), **more) for _ in range(count)]  # type: ignore[arg-type]
    if kind in (Kind.OPENED, Kind.CLICKED):
        return [outgoing(kind, values=COUNTERS, **more)]  # type: ignore[arg-type]
    targets = (contact("c1"), lead("l1")) if kind in (Kind.OPT_OUT, Kind.SCORE) else (contact("c1"),)
    values = bench.values(kind) | ({"address": "work@example.org"} if kind is Kind.OPT_OUT else {})
    return [outgoing(kind, *targets, values=values, **more) for _ in range(count)]  # type: ignore[arg-type]


def named(bench: Bench, kind: Kind, text: str) -> Outgoing:
    """A row whose record bears this text."""
    values = {"fields": {bench.surname(): text}} if kind is Kind.NEW_LEAD else {NAMED[kind]: text}
    return outgoing(kind, *(() if kind is Kind.NEW_LEAD else (contact("c1"),)), values=values)


def assert_accepted(sent: list[Outgoing], receipts: tuple[Receipt, ...]) -> None:
    assert [(one.outbox_id, one.version, one.said) for one in receipts] == [(row.outbox_id, row.version, "") for row in sent]
    assert {one.outcome for one in receipts} == {Outcome.ACCEPTED}
    assert all(one.remote_id for one in receipts)


class CalmPushSuite:
    """The CRM behaves; each row has its receipt."""

    @pytest.mark.parametrize("kind", PUSHED)
    def test_push_4_every_kind_is_accepted_and_an_empty_batch_makes_no_call(self, open_bench: OpenBench, kind: Kind) -> None:
        """FLOW-4, SINK-1, SINK-2."""
        with open_bench() as bench:
            people(bench)
            crm, sent = bench.adapter(), rows(bench, kind)
            assert crm.send(kind, []) == ()
            assert bench.renewals() == 0
            assert_accepted(sent, crm.send(kind, sent))
            assert crm.rows_per_call(kind) > 0
            assert crm.rows_per_batch(kind) >= BATCH_ROWS if kind not in EMAIL_ACTIVITY else crm.rows_per_batch(kind) == BATCH_ROWS

    @pytest.mark.parametrize("kind", MADE)
    def test_push_3_what_is_made_is_made_once_however_often_it_is_sent(self, open_bench: OpenBench, kind: Kind) -> None:
        """Also when nobody says that it is a repeat."""
        with open_bench() as bench:
            people(bench)
            before, crm, sent = len(bench.landed(kind)), bench.adapter(), rows(bench, kind)
            for repeated in (False, False, True):
                again = [outgoing(kind, *row.targets, values=row.values, push_key=row.push_key, repeated=repeated) for row in sent]
                assert_accepted(again, crm.send(kind, again))
            assert len(bench.landed(kind)) == before + len(sent)

    @pytest.mark.parametrize("kind", MADE)
    def test_push_3_what_has_an_id_there_is_changed(self, open_bench: OpenBench, kind: Kind) -> None:
        with open_bench() as bench:
            people(bench)
            before, crm, sent = len(bench.landed(kind)), bench.adapter(), rows(bench, kind, 1)
            (first,) = crm.send(kind, sent)
            later = [outgoing(kind, *sent[0].targets, values=bench.values(kind), remote_id=first.remote_id, version=2)]
            (second,) = crm.send(kind, later)
            assert (second.outcome, second.remote_id, second.version) == (Outcome.ACCEPTED, first.remote_id, 2)
            assert len(bench.landed(kind)) == before + 1

    def test_consent_8_an_opt_out_reaches_every_record_and_no_other_address(self, open_bench: OpenBench) -> None:
        with open_bench() as bench:
            people(bench)
            sent = [outgoing(Kind.OPT_OUT, target, values={"address": "shared@example.org"}) for target in (contact("c1"), lead("l1"))]
            assert_accepted(sent, bench.adapter().send(Kind.OPT_OUT, sent))
            out = bench.out_after(primary="shared@example.org")
            assert bench.opted_out(Kind.CONTACT, "c1") == bench.opted_out(Kind.LEAD, "l1") == out

    def test_push_7_new_people_are_made_as_what_the_connector_says(self, open_bench: OpenBench) -> None:
        for kind in (Kind.LEAD, Kind.CONTACT):
            with open_bench() as bench:
                (receipt,) = bench.adapter(create_as=kind).send(Kind.NEW_LEAD, rows(bench, Kind.NEW_LEAD, 1))
                assert receipt.remote_id in bench.ids(kind)

    @pytest.mark.parametrize("kind", NAMED)
    def test_push_4_a_refused_record_is_told_and_costs_the_others_nothing(self, open_bench: OpenBench, kind: Kind) -> None:
        with open_bench() as bench:
            people(bench)
            bench.refuse(kind, "nonsense")
            before = len(bench.landed(kind))
            first, second, third = bench.adapter().send(kind, [named(bench, kind, text) for text in ("fine", "some nonsense", "good")])
            assert [first.outcome, second.outcome, third.outcome] == [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED]
            assert "No nonsense here" in second.said
            assert len(bench.landed(kind)) == before + 2

    def test_push_4_a_person_who_is_gone_there_is_refused_for_good(self, open_bench: OpenBench) -> None:
        with open_bench() as bench:
            people(bench)
            bench.delete(Kind.CONTACT, "c1")
            for kind in (Kind.UPDATE, Kind.OPT_OUT):
                (receipt,) = bench.adapter().send(kind, [outgoing(kind, contact("c1"), values=bench.values(kind))])
                assert (receipt.outcome, receipt.final) == (Outcome.REFUSED, True)
                assert receipt.said


class HostilePushSuite:
    """Whatever goes wrong on the way, each record is there once."""

    @pytest.mark.parametrize("how", WRITE_FAULTS)
    def test_push_3_every_kind_survives_a_call_that_fails(self, open_bench: OpenBench, how: str) -> None:
        """PUSH-2, PUSH-4."""
        with open_bench() as bench:
            people(bench)
            crm = bench.adapter(timeout_s=0.5)
            crm.now()
            for kind in PUSHED:
                before, sent = (bench.landed(kind) if kind in MADE else []), rows(bench, kind)
                bench.fail_writes(how)
                assert_accepted(sent, crm.send(kind, sent))
                if kind in MADE:
                    assert set(bench.landed(kind)) - set(before) == {row.push_key for row in sent}
                    assert len(bench.landed(kind)) == len(before) + len(sent)
            assert bench.opted_out(Kind.CONTACT, "c1") == bench.out_after("work@example.org", primary="shared@example.org")

    def test_push_2_trouble_without_end_accepts_and_refuses_nobody(self, open_bench: OpenBench) -> None:
        with open_bench() as bench:
            people(bench)
            crm = bench.adapter()
            crm.now()
            bench.fail_writes("reset", count=1000)
            with pytest.raises(Transient):
                crm.send(Kind.SENT, rows(bench, Kind.SENT, 60))
