"""Whatever happens between an action and the CRM: nothing is lost, nothing taken for done, and the last value wins."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from adapters.market.engine import Market
from adapters.market.outbox import Needs
from adapters.market.queueing import Queued, queue
from sync.mapping_sugarcrm import SUGARCRM
from sync.push import Outcome, Outgoing, Receipt
from sync.push_settings import ScoreField
from sync.records import Kind
from tests.adapters.market.building import AT, NOW, ask, commit, execute, link, person, put, put_links, say
from tests.rows import MemoryRows

KINDS = (Kind.SCORE, Kind.NEW_LEAD, Kind.UPDATE, Kind.VISIT)
NEEDS = Needs(SUGARCRM, {"default": ScoreField("score_c")})
ANSWERS = st.sampled_from(["taken", "taken", "answer lost", "refused", "refused for good", "busy"])
WHO = st.integers(0, 2)
_numbers = itertools.count(1)


class Pushing(RuleBasedStateMachine):
    """Three people and one CRM. What is made there is kept by its key: the same key twice is one record."""

    market: Market

    def __init__(self) -> None:
        super().__init__()
        self.connector = f"crm{next(_numbers)}"
        self.people = [next(_numbers) for _ in range(3)]
        self.crm_visits: set[str] = set()
        self.crm_scores: dict[str, Any] = {}
        self.crm_fields: dict[str, dict[str, Any]] = defaultdict(dict)
        self.crm_leads: dict[str, Outgoing] = {}
        self.edits: dict[int, dict[str, Any]] = defaultdict(dict)
        self.visits: dict[int, int] = {}
        self.merged: set[int] = set()
        self.under_way: list[Outgoing] = []
        self.kind = Kind.VISIT
        self.receipts: list[Receipt] = []
        self.now = NOW

    @initialize()
    def people_are_there(self) -> None:
        put(self.market, "contacts", *(person(key, connector=None, crm_id=None) for key in self.people))
        if not ask(self.market, "SELECT 1 FROM scoring_profiles"):
            say(self.market, "scoring_profiles", profile_id=1, profile_key="default", name="Default")

    # -- what people do ---------------------------------------------------------------------------------------------

    def act(self, kind: Kind, who: int, subject: int = 0, **value: Any) -> None:
        with self.market.database.writing() as connection:
            queue(connection, [Queued(self.connector, kind, who, subject, json.dumps(value))], self.now)

    def living(self, place: int) -> int:
        """The marketing application knows a merged person by the winner."""
        [(key,)] = ask(
            self.market, "SELECT coalesce(merged_into, contact_id) FROM contacts WHERE contact_id = :who", who=self.people[place]
        )
        return int(key)

    @rule(place=WHO, score=st.integers(0, 99))
    def score_changes(self, place: int, score: int) -> None:
        who = self.living(place)
        execute(self.market, "DELETE FROM scores WHERE contact_id = :who", who=who)
        say(self.market, "scores", contact_id=who, profile_id=1, score=score, scored_at=AT)
        self.act(Kind.SCORE, who, 1)

    @rule(place=WHO, column=st.sampled_from(["title", "phone"]), value=st.sampled_from(["a", "b", None]))
    def record_is_edited(self, place: int, column: str, value: str | None) -> None:
        who = self.living(place)
        self.edits[who][column] = value
        execute(self.market, f"UPDATE contacts SET {column} = :value WHERE contact_id = :who", value=value, who=who)
        self.act(Kind.UPDATE, who, **{column: value})

    @rule(place=WHO)
    def site_is_visited(self, place: int) -> None:
        who, visit = self.living(place), next(_numbers)
        say(self.market, "web_visits", visit_id=visit, event_id=f"v{visit}", contact_id=who, started_at=AT)
        self.visits[visit] = who
        self.act(Kind.VISIT, who, visit)

    @rule(place=WHO)
    def person_is_pushed(self, place: int) -> None:
        self.act(Kind.NEW_LEAD, self.living(place))

    @rule(place=WHO)
    def pull_brings_their_record(self, place: int) -> None:
        who = self.living(place)
        put_links(self.market, link(f"c{who}", who, connector=self.connector, origin=False))

    @rule(loser=WHO, winner=WHO)
    def they_are_one_person(self, loser: int, winner: int) -> None:
        pair = self.living(loser), self.living(winner)
        if len(set(pair)) == 2:
            self.merged |= set(pair)
            with commit(self.market) as tx:
                tx.merge_people(MemoryRows(("loser_id", "winner_id"), [pair]))

    # -- the push road ----------------------------------------------------------------------------------------------

    @precondition(lambda self: not self.under_way)
    @rule(kind=st.sampled_from(KINDS), limit=st.integers(1, 3))
    def run_collects(self, kind: Kind, limit: int) -> None:
        counted = self.market.outbox.waiting(self.connector, [kind], self.now)
        rows = self.market.outbox.collect(self.connector, kind, self.now, limit=limit, needs=NEEDS)
        assert len(rows) == min(limit, counted.get(kind, 0))
        self.market.outbox.mark_sending([row.outbox_id for row in rows], self.now)
        self.kind, self.under_way, self.receipts = kind, list(rows), []

    @precondition(lambda self: self.under_way and not self.receipts)
    @rule(answers=st.lists(ANSWERS, min_size=3, max_size=3))
    def crm_answers(self, answers: list[str]) -> None:
        for row, answer in zip(self.under_way, answers, strict=False):
            if answer in ("taken", "answer lost"):
                remote_id = self.take(row)
                if answer == "taken":
                    self.receipts.append(Receipt(row.outbox_id, row.version, Outcome.ACCEPTED, remote_id))
            elif answer == "busy":
                self.receipts.append(Receipt(row.outbox_id, row.version, Outcome.POSTPONED))
            else:
                self.receipts.append(Receipt(row.outbox_id, row.version, Outcome.REFUSED, said="no", final=answer != "refused"))

    def take(self, row: Outgoing) -> str:
        """The CRM writes it."""
        if row.kind is Kind.NEW_LEAD:
            self.crm_leads.setdefault(row.push_key, row)
            return row.push_key
        assert row.targets, row
        for target in row.targets:
            if row.kind is Kind.SCORE:
                self.crm_scores[target.crm_id] = row.values["score"]
            elif row.kind is Kind.UPDATE:
                self.crm_fields[target.crm_id] |= row.values["fields"]
        if row.kind is Kind.VISIT:
            self.crm_visits.add(row.push_key)
        return row.push_key if row.kind is Kind.VISIT else row.targets[0].crm_id

    @precondition(lambda self: self.under_way)
    @rule()
    def run_dies(self) -> None:
        self.under_way, self.receipts = [], []

    @precondition(lambda self: self.receipts)
    @rule(twice=st.booleans())
    def run_settles(self, twice: bool) -> None:
        for _ in range(1 + twice):
            self.settle(self.receipts)
        self.under_way, self.receipts = [], []

    def settle(self, receipts: list[Receipt]) -> None:
        self.market.outbox.settle(self.connector, self.kind, receipts, at=self.now, crm_now=self.now, most_attempts=2)

    @rule(hours=st.sampled_from([0, 1, 30]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours, minutes=1)

    @rule()
    def operator_tries_again(self) -> None:
        self.market.outbox.retry_parked(self.connector)

    # -- what must hold ---------------------------------------------------------------------------------------------

    def rows(self, kind: Kind) -> list[Any]:
        columns = "contact_id, subject_id, push_key, state, remote_id, waits_for"
        query = f"SELECT {columns} FROM outbox WHERE connector = :connector AND kind = :kind"
        return ask(self.market, query, connector=self.connector, kind=kind.value)

    def records(self, who: int) -> list[str]:
        query = "SELECT crm_id FROM crm_links WHERE connector = :connector AND market_id = :who ORDER BY kind, crm_id"
        return [crm_id for (crm_id,) in ask(self.market, query, connector=self.connector, who=who)]

    @invariant()
    def nothing_counts_as_taken_that_the_crm_did_not_take(self) -> None:
        for _, _, key, state, _, _ in self.rows(Kind.VISIT):
            assert state != "acknowledged" or key in self.crm_visits
        for who, _, _, state, _, _ in self.rows(Kind.SCORE):
            [(score,)] = ask(self.market, "SELECT score FROM scores WHERE contact_id = :who", who=who)
            assert state != "acknowledged" or int(score) in [self.crm_scores.get(record) for record in self.records(who)]

    @invariant()
    def every_visit_has_one_row(self) -> None:
        assert sorted(visit for _, visit, _, _, _, _ in self.rows(Kind.VISIT)) == sorted(self.visits)

    def teardown(self) -> None:
        """The CRM is well again, and everything goes out."""
        self.under_way, self.receipts = [], []
        for _ in range(3):
            self.now += timedelta(days=2)
            self.market.outbox.retry_parked(self.connector)
            for kind in KINDS:
                self.run_once(kind)
        self.market.outbox.waiting(self.connector, KINDS, self.now)
        for kind in KINDS:
            for who, _, key, state, _, waits_for in self.rows(kind):
                assert state == "acknowledged" or (waits_for == "record" and not self.records(who)), (kind, who, state, waits_for)
                assert kind is not Kind.VISIT or (state == "acknowledged") == (key in self.crm_visits)
        for who, edits in self.edits.items():
            if who not in self.merged and self.records(who) and edits:
                assert self.crm_fields[self.records(who)[0]].items() >= self.as_fields(edits).items() or self.was_created(who)
        for who in self.people:
            assert who in self.merged or len([row for row in self.crm_leads.values() if self.is_of(row, who)]) <= 1

    def as_fields(self, edits: dict[str, Any]) -> dict[str, Any]:
        return {{"title": "title", "phone": "phone_work"}[column]: value for column, value in edits.items()}

    def was_created(self, who: int) -> bool:
        return any(record in self.crm_leads for record in self.records(who))

    def is_of(self, row: Outgoing, who: int) -> bool:
        return bool(row.values.get("address") == f"person{who}@example.com")

    def run_once(self, kind: Kind) -> None:
        rows = self.market.outbox.collect(self.connector, kind, self.now, limit=99, needs=NEEDS)
        self.market.outbox.mark_sending([row.outbox_id for row in rows], self.now)
        self.kind = kind
        self.settle([Receipt(row.outbox_id, row.version, Outcome.ACCEPTED, self.take(row)) for row in rows])


def test_push_1_to_push_4_nothing_is_lost_nothing_taken_for_done_and_the_last_value_wins(market: Market) -> None:
    """PUSH-2, PUSH-3, MATCH-8, with runs that die, answers that are lost, refusals, and values that change meanwhile."""
    machine = type("PushingHere", (Pushing,), {"market": market})
    default = settings()
    examples = default.max_examples if default.max_examples > 8 else 6
    run_state_machine_as_test(machine, settings=settings(default, max_examples=examples, stateful_step_count=25))
