"""CONSENT-10, the law: no sequence of edits, runs, crashes, retries, merges, conversions and re-imports makes somebody mailable who opted
out, without a newer explicit re-subscribe. The model knows who said what, and reads from Market only which record stands with which row.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sync.errors import MarketUnavailable
from sync.records import Kind, ParcelRef, Removal
from tasks.consent import unsubscribe
from tasks.plan import plan
from tests.pull_road import PullRoad
from tests.reference.dialects import Dialect

ROOT = Path(__file__).parents[2]
DOCUMENTED = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "market.md").read_text(encoding="utf-8"), re.DOTALL)
WHO_MAY_BE_MAILED = next(query for query in DOCUMENTED if query.startswith("SELECT a.account_name, c.first_name"))
ADDRESSES = (None, "ann@x.test", " ANN@x.test ", "bob@x.test", "eve@x.test", "kim@x.test", "ΕΛΛΑΣ@x.test")
RECORDS = [(Kind.LEAD, "l1"), (Kind.LEAD, "l2"), (Kind.CONTACT, "c1"), (Kind.CONTACT, "c2"), (Kind.CONTACT, "c3")]
BLANK: dict[str, Any] = {"owner": None, "account": None, "company": None, "values": {}, "converted_to": None}
Name = tuple[Kind, str]
NewRoad = Callable[[], AbstractContextManager[PullRoad]]
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def folded(address: str | None) -> str | None:
    return (address or "").strip().replace("Σ", "σ").lower() or None


@dataclass
class Reading:
    """Records as the CRM had them at a moment."""

    ref: ParcelRef
    at: int
    versions: dict[Name, dict[str, Any]]


@dataclass
class Said:
    """One opt-out in Market: about these rows, under these addresses, until somebody of them subscribes again."""

    rows: set[int]
    addresses: set[str]
    at: int = 0


@dataclass
class Words:
    """Who said what. `says`: a record's last word; `blocked`: it said out, and the person has not subscribed again; `out_at`: the addresses
    under which it said out; `taken`: when the CRM took our opt-out for it; `overruled`: it said out, and says nothing new as long as it
    only goes on saying so, because the person subscribed again in Market after that."""

    says: dict[Name, bool] = field(default_factory=dict)
    blocked: set[Name] = field(default_factory=set)
    out_at: dict[Name, set[str]] = field(default_factory=dict)
    taken: dict[Name, int] = field(default_factory=dict)
    overruled: set[Name] = field(default_factory=set)
    here: list[Said] = field(default_factory=list)

    def out(self, name: Name, address: str | None) -> None:
        if name in self.overruled:
            return
        self.says[name] = True
        self.blocked.add(name)
        self.out_at.setdefault(name, set()).update({address} if address else set())

    def subscribed_again(self, names: set[Name], rows: set[int]) -> None:
        self.blocked -= names
        for name in names:
            self.out_at.pop(name, None)
        self.here = [said for said in self.here if not said.rows & rows]

    def release(self, address: str) -> None:
        for addresses in (*self.out_at.values(), *(said.addresses for said in self.here)):
            addresses.discard(address)

    def purge(self) -> None:
        """Who is who is forgotten, addresses are not."""
        self.says, self.blocked, self.taken, self.overruled = {}, set(), {}, set()
        for said in self.here:
            said.rows = set()


class ConsentMachine(RuleBasedStateMachine):
    """A CRM in a dictionary, a real Market, and what both were told. `theirs`: when somebody in the CRM last decided what a record says.

    Records are drawn by short ids, and are called by the ids of the CRM's own from then on.
    """

    def __init__(self, new_road: NewRoad, dialect: Dialect) -> None:
        super().__init__()
        self.dialect = dialect
        self.stack = ExitStack()
        self.road = self.stack.enter_context(new_road())
        self.clock = 0
        self.crm: dict[Name, dict[str, Any]] = {}
        self.gone: set[Name] = set()
        self.read: dict[Kind, Reading] = {}
        self.written: dict[int, int] = {}
        self.words = Words()
        self.theirs: dict[Name, int] = {}

    def teardown(self) -> None:
        self.stack.close()

    # -- what Market says of who is who -----------------------------------------------------------------------------

    def rows(self) -> dict[Name, int]:
        found = self.road.rows("SELECT kind, crm_id, market_id FROM crm_links WHERE kind IN ('lead', 'contact')")
        return {(Kind(each["kind"]), each["crm_id"]): each["market_id"] for each in found}

    def living(self) -> set[Name]:
        return {(Kind(each["kind"]), each["crm_id"]) for each in self.road.rows("SELECT kind, crm_id FROM crm_links WHERE living")}

    def stands_for(self) -> dict[int, int]:
        found = self.road.rows("SELECT contact_id, merged_into FROM contacts")
        return {each["contact_id"]: each["merged_into"] or each["contact_id"] for each in found}

    def waiting(self) -> dict[int, tuple[int, Name]]:
        """outbox_id → row and record of the opt-outs that no CRM has acknowledged."""
        query = "SELECT outbox_id, contact_id, crm_kind, crm_id FROM outbox WHERE kind = 'opt-out' AND state <> 'acknowledged'"
        return {each["outbox_id"]: (each["contact_id"], (Kind(each["crm_kind"]), each["crm_id"])) for each in self.road.rows(query)}

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def called(self, drawn: Name) -> Name:
        return (drawn[0], self.dialect.id_of(drawn[1]))

    @staticmethod
    def instant(minute: int) -> datetime:
        return _BEGIN + timedelta(minutes=minute)

    @initialize(outs=st.lists(st.booleans(), min_size=5, max_size=5))
    def begin_with_people(self, outs: list[bool]) -> None:
        """Leads and contacts who share rows, so that nearly every step meets somebody."""
        for name, address, out in zip(RECORDS, ("ann@x.test", "bob@x.test", "ann@x.test", "bob@x.test", "eve@x.test"), outs, strict=True):
            self.edit(name, address, out)
        self.run_well(1)

    # -- the CRM ----------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(RECORDS), address=st.sampled_from(ADDRESSES), out=st.sampled_from((True, True, False, False, None)))
    def edit(self, name: Name, address: str | None, out: bool | None) -> None:
        name = self.called(name)
        before = self.crm.get(name, {"converted_to": None})
        self.gone.discard(name)
        self.crm[name] = {**before, "id": name[1], "email": address, "out": out, "modified": self.tick()}
        self.theirs[name] = self.clock

    @rule(name=st.sampled_from(RECORDS), out=st.booleans())
    def change_their_mind(self, name: Name, out: bool) -> None:
        self.decide(self.called(name), out)

    def decide(self, name: Name, out: bool) -> None:
        if name in self.crm and name not in self.gone:
            self.crm[name] = {**self.crm[name], "out": out, "modified": self.tick()}
            self.theirs[name] = self.clock

    @rule(lead=st.sampled_from(("l1", "l2")), contact=st.sampled_from(("c1", "c2", "c3")))
    def convert(self, lead: str, contact: str) -> None:
        name = self.called((Kind.LEAD, lead))
        if name in self.crm and name not in self.gone:
            self.crm[name] = {**self.crm[name], "converted_to": self.dialect.id_of(contact), "modified": self.tick()}

    @rule(name=st.sampled_from(RECORDS), winner=st.sampled_from((None, "1", "2")))
    def remove(self, name: Name, winner: str | None) -> None:
        """Deleted in the CRM, or merged into another record of its kind; Market hears of it at once."""
        kind = name[0]
        self.leave(self.called(name), winner and self.called((kind, f"{kind.value[0]}{winner}")))

    def leave(self, name: Name, winner: Name | None) -> None:
        if name not in self.crm or name in self.gone:
            return
        self.gone.add(name)
        merged = winner if winner != name and winner not in self.gone else None
        known = merged is not None and {name, merged} <= self.living()
        now = datetime(2026, 3, 1, tzinfo=UTC)
        removal = Removal(name[1], self.instant(self.tick()), merged and merged[1])
        self.road.market.removals.note("acme", name[0], [removal], run_id="run-1", now=now)
        self.road.market.removals.apply("acme", name[0], run_id="run-1", now=now)
        if merged and known:
            self.speak_for(name, merged)

    def speak_for(self, loser: Name, winner: Name) -> None:
        """Whatever the loser said, the winner said too, also where a contact keeps the lead's row (MATCH-8)."""
        rows, stands = self.rows(), self.stands_for()
        if loser in self.words.blocked:
            self.words.blocked.add(winner)
        for said in self.words.here:
            if rows[loser] in {stands.get(row, row) for row in said.rows}:
                said.rows.add(rows[winner])

    # -- runs -------------------------------------------------------------------------------------------------------

    @rule(times=st.integers(1, 2))
    def run_well(self, times: int) -> None:
        """A whole cycle, as most are."""
        for kind in (Kind.LEAD, Kind.CONTACT) * times:
            while self.read:
                self.commit("well")
            self.read_the_crm(kind)
            while self.read:
                self.commit("well")

    @rule(name=st.sampled_from(RECORDS), out=st.booleans())
    def change_their_mind_and_run(self, name: Name, out: bool) -> None:
        self.change_their_mind(name, out)
        self.run_well(1)

    @rule(kind=st.sampled_from((Kind.LEAD, Kind.CONTACT)))
    def read_the_crm(self, kind: Kind) -> None:
        """What is there now; it may be committed much later."""
        versions = {name: record for name, record in self.crm.items() if name[0] is kind and name not in self.gone}
        if kind not in self.read and versions:
            self.stage(kind, versions)

    def stage(self, kind: Kind, versions: dict[Name, dict[str, Any]]) -> None:
        """The ways in which the CRM writes a page take turns."""
        at, they = self.tick(), self.dialect
        page = [they.sent(kind, they.can_be(kind, {**BLANK, **record})) for record in versions.values()]
        written = they.formats[at % len(they.formats)]
        ref = self.road.stage(kind, they.readings[kind], [[page]], self.instant(at).isoformat(), written)
        self.read[kind] = Reading(ref, at, versions)

    @precondition(lambda self: self.read)
    @rule()
    def plan_and_die(self) -> None:
        for reading in self.read.values():
            plan.fn(self.road.run, reading.ref)

    @precondition(lambda self: self.read)
    @rule(fate=st.sampled_from(("well", "well", "dies within", "dies after")))
    def commit(self, fate: str) -> None:
        reading = self.read.pop(next(iter(self.read)))
        place = self.road.home.parcels.root / reading.ref.path
        living = self.living()
        before, pending = self.rows(), {row for row, name in self.waiting().values() if name in living}
        addresses = {each["contact_id"]: each["email_key"] for each in self.road.rows("SELECT contact_id, email_key FROM contacts")}
        if fate == "dies within" and self.road.market.database.lite:
            self.road.execute("CREATE TRIGGER dies BEFORE INSERT ON parcels BEGIN SELECT RAISE(ABORT, 'the run died'); END")
            with pytest.raises(MarketUnavailable):
                self.road.bring_in(reading.ref, gate=False)
            self.road.execute("DROP TRIGGER dies")
        copy = shutil.copy(place, place.with_suffix(".copy"))
        self.road.bring_in(reading.ref, gate=False)
        if fate == "dies after":
            shutil.move(copy, place)
            self.road.bring_in(reading.ref, gate=False)
        self.hear(reading, before, pending, addresses)

    def hear(self, reading: Reading, before: dict[Name, int], pending: set[int], addresses: dict[int, str | None]) -> None:
        """`addresses`: of each row before. Only who says it under the person's own address has subscribed again."""
        rows, living, stands = self.rows(), self.living(), self.stands_for()
        pending = {stands.get(row, row) for row in pending}
        for name, version in sorted(reading.versions.items(), key=lambda each: (each[1]["modified"], each[0][1])):
            out, words = version["out"], self.words
            if out:
                words.out(name, folded(version["email"]))
            stale = max(version["modified"], reading.at) <= words.taken.get(name, -1)
            if out is not False or stale:
                continue
            again, row = words.says.get(name, False), rows[name]
            own = folded(version["email"]) == addresses.get(row)
            words.says[name] = False
            words.overruled.discard(name)
            moved = before.get(name, row) != row
            others = {each for each, its in rows.items() if its == row and each != name}
            if again and moved and stands.get(before[name]) != row:
                words.subscribed_again({name}, set())
            elif again and own and not moved and row not in pending and not any(words.says.get(each) for each in others & living):
                words.subscribed_again({name, *others}, {row, *(loser for loser, winner in stands.items() if winner == row)})

    # -- Market -----------------------------------------------------------------------------------------------------

    @rule(address=st.sampled_from(ADDRESSES[1:]), really=st.sampled_from((False, False, True)))
    def unsubscribe_address(self, address: str, really: bool) -> None:
        if really:
            self._unsubscribe(address)

    @rule(data=st.data())
    def unsubscribe_person(self, data: st.DataObject) -> None:
        people = sorted(self.stands_for())
        if people:
            self._unsubscribe(data.draw(st.sampled_from(people)))

    def _unsubscribe(self, target: int | str) -> None:
        done = unsubscribe(self.road.config, target, who="the person", why="clicked")
        given = {folded(target)} if isinstance(target, str) else set()
        found = self.road.rows("SELECT contact_id, email_key FROM contacts")
        theirs = {each["email_key"] for each in found if each["contact_id"] in done.people}
        self.words.here.append(Said(set(done.people), {address for address in given | theirs if address}, self.tick()))

    @rule()
    def release(self) -> None:
        """Every address that is on the guarded watch now: what keeps somebody from being mailed must be their own word again."""
        for address in {entry.address for entry in self.road.market.consent.watched()}:
            self.road.market.consent.unwatch(f" {address.upper()}", who="olga", why="asked by letter", now=datetime(2026, 3, 1, tzinfo=UTC))
            self.words.release(address)

    @rule(really=st.sampled_from((False, False, False, True)))
    def purge(self, really: bool) -> None:
        """Everything goes, and may be read in again."""
        if really:
            self.road.market.purge("acme", who="olga", now=datetime(2026, 3, 1, tzinfo=UTC))
            self.read.clear()
            prepare(self.road, self.dialect)
            self.words.purge()

    # -- the law ----------------------------------------------------------------------------------------------------

    @invariant()
    def nobody_may_be_mailed_against_their_word(self) -> None:
        people = {each["contact_id"]: each for each in self.road.rows("SELECT contact_id, email_key FROM contacts")}
        rows, words, stands = self.rows(), self.words, self.stands_for()
        for judged in self.road.market.consent.judge(sorted(people)):
            if not judged.decision.may:
                continue
            row = judged.stands_for_it
            address = people[row]["email_key"]
            against = [name for name, its in rows.items() if its == row and name in words.blocked]
            against += [name for name, addresses in words.out_at.items() if address in addresses]
            said = [said for said in words.here if address in said.addresses or row in {stands.get(each, each) for each in said.rows}]
            assert not against and not said, (row, address, against, said)

    @invariant()
    def who_opted_out_is_out(self) -> None:
        """Whatever else keeps them from being mailed."""
        rows, words, stands = self.rows(), self.words, self.stands_for()
        out = {rows[name] for name in words.blocked if name in rows} | {stands.get(row, row) for said in words.here for row in said.rows}
        people = self.road.rows("SELECT contact_id FROM contacts WHERE NOT opt_out AND merged_into IS NULL")
        assert out & {each["contact_id"] for each in people} == set()

    @invariant()
    def the_ledger_agrees(self) -> None:
        newest = "SELECT contact_id, new FROM consent_ledger WHERE contact_id IS NOT NULL ORDER BY entry_id"
        last = {each["contact_id"]: bool(each["new"]) for each in self.road.rows(newest)}
        people = self.road.rows("SELECT contact_id, opt_out FROM contacts WHERE merged_into IS NULL")
        assert [each for each in people if bool(each["opt_out"]) != last.get(each["contact_id"], False)] == []
        assert self.road.market.consent.violations() == ()

    @invariant()
    def the_documented_query_and_the_one_function_agree(self) -> None:
        people = [each["contact_id"] for each in self.road.rows("SELECT contact_id FROM contacts WHERE merged_into IS NULL")]
        may = [judged.contact_id for judged in self.road.market.consent.judge(people) if judged.decision.may]
        query = WHO_MAY_BE_MAILED.replace("SELECT a.account_name,", "SELECT c.contact_id,").partition("ORDER BY")[0]
        assert sorted(each["contact_id"] for each in self.road.rows(query)) == may


def prepare(road: PullRoad, dialect: Dialect) -> None:
    for kind in (Kind.LEAD, Kind.CONTACT):
        road.make_columns(kind, dialect.readings[kind])
