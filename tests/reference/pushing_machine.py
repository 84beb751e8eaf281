"""The machine of CONSENT-10 with the push half: people say it in Market, runs carry it to the CRM and die in between, and in the end both
sides agree by the rules."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from adapters.market.outbox import Needs
from sync.push import Outcome, Outgoing, Receipt
from sync.records import Kind
from tasks.recording import Recorder
from tests.reference.consent_machine import ADDRESSES, BLANK, ConsentMachine, Name, NewRoad, Said, folded
from tests.reference.dialects import Dialect

PUSH = "[connectors.acme.push]\nunsubscribes = true\nnew_leads = true\nrecord_updates = true"
ROAD = (Kind.OPT_OUT, Kind.NEW_LEAD, Kind.OPT_OUT, Kind.UPDATE)
FATES = st.lists(st.sampled_from(("taken", "taken", "answer lost", "refused", "busy", "died")), min_size=4, max_size=4)
WELL = ("taken",) * 4
MOST_ATTEMPTS = 2
_GIVEN = tuple(address for address in ADDRESSES if address)


class PushingMachine(ConsentMachine):
    """`told`: when the CRM's record took an opt-out of ours; `late`: what the CRM answered to runs that died before they wrote it down."""

    def __init__(self, new_road: NewRoad, dialect: Dialect) -> None:
        super().__init__(new_road, dialect)
        self.needs = Needs(dialect.mapping)
        self.recorder = Recorder(self.road.config)
        self.ahead = timedelta()
        self.made: list[str] = []
        self.told: dict[Name, int] = {}
        self.late: list[tuple[Kind, list[Receipt], int]] = []

    def teardown(self) -> None:
        """Every walk comes to rest; one that failed has said what it had to say."""
        try:
            if sys.exc_info()[0] is None:
                self.come_to_rest()
        finally:
            super().teardown()

    # -- colleagues ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.made)
    @rule(data=st.data(), out=st.booleans(), gone=st.sampled_from((False, False, True)))
    def something_happens_to_a_record_that_we_made(self, data: st.DataObject, out: bool, gone: bool) -> None:
        name = (Kind.LEAD, data.draw(st.sampled_from(self.made)))
        if gone:
            self.leave(name, None)
        else:
            self.decide(name, out)

    # -- what a marketing application records ---------------------------------------------------------------------------

    @rule(address=st.sampled_from(_GIVEN), hours=st.sampled_from((0, 0, 30)))
    def unsubscribe_is_recorded(self, address: str, hours: int) -> None:
        """`hours`: the application tells of it so much later."""
        out = self.people_at(address)
        at = datetime.now(UTC) - timedelta(hours=hours)
        told = self.recorder.unsubscribes({"address": address, "at": at.isoformat(), "why": "clicked"})
        if told.recorded:
            self.words.here.append(Said(out, {each for each in (folded(address), *self.addresses_of(out)) if each}, self.tick()))

    @rule(address=st.sampled_from(_GIVEN))
    def resubscribe_is_recorded(self, address: str) -> None:
        rows = self.people_at(address) & {each["contact_id"] for each in self.road.rows("SELECT contact_id FROM contacts WHERE opt_out")}
        told = self.recorder.resubscribes({"address": address, "at": datetime.now(UTC).isoformat(), "why": "asked"})
        if told.recorded:
            linked = {name for name, row in self.rows().items() if row in rows}
            self.words.overruled |= {name for name in linked if self.words.says.get(name)}
            self.words.subscribed_again(linked, rows | {loser for loser, winner in self.stands_for().items() if winner in rows})

    @rule(address=st.sampled_from((*_GIVEN, "new@x.test", "zoe@x.test")), pushed=st.booleans())
    def lead_is_recorded(self, address: str, pushed: bool) -> None:
        self.recorder.leads({"address": address, "push_into_crm": pushed})

    @rule(address=st.sampled_from((*_GIVEN, "new@x.test")))
    def form_is_completed(self, address: str) -> None:
        self.recorder.landing_pages({"page": "paper", "name": "White paper", "sync_with_crm": True})
        done = {"event_id": f"done-{self.tick()}", "page": "paper", "address": address, "completed_at": datetime.now(UTC).isoformat()}
        self.recorder.completions({**done, "values": {"title": "Dr"}})

    @rule(address=st.sampled_from(_GIVEN))
    def update_is_recorded(self, address: str) -> None:
        self.recorder.update_in_crm({"address": address, "values": {"title": f"Dr {self.tick()}"}})

    def people_at(self, address: str) -> set[int]:
        found = self.road.rows("SELECT contact_id FROM contacts WHERE email_key = :key", key=folded(address))
        stands = self.stands_for()
        return {stands[each["contact_id"]] for each in found}

    def addresses_of(self, rows: Iterable[int]) -> set[str | None]:
        found = self.road.rows("SELECT contact_id, email_key FROM contacts")
        return {each["email_key"] for each in found if each["contact_id"] in rows}

    # -- the push road --------------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @rule(kind=st.sampled_from(ROAD), fates=FATES, settles=st.sampled_from(("well", "well", "twice", "late")))
    def push(self, kind: Kind, fates: list[str], settles: str) -> None:
        self._push(kind, fates, settles)

    @rule()
    def push_well(self) -> None:
        """A whole time-sensitive run, as most are."""
        for kind in ROAD:
            self._push(kind, WELL, "well")

    @precondition(lambda self: self.late)
    @rule()
    def settle_late(self) -> None:
        """A later run finds what an earlier one was answered."""
        self._settle(*self.late.pop(0))

    @rule()
    def time_passes(self) -> None:
        self.ahead += timedelta(days=2)

    def _push(self, kind: Kind, fates: Iterable[str], settles: str) -> None:
        counted = self.road.market.outbox.waiting("acme", [kind], self.now)
        if not counted:
            return
        refused = self._adopt() if kind is Kind.NEW_LEAD else set[str]()
        receipts, rows = [], self._collect(kind)
        self.road.market.outbox.mark_sending([row.outbox_id for row in rows], self.now)
        for row, fate in zip(rows, fates, strict=False):
            address = folded(row.values.get("address"))
            if kind is Kind.NEW_LEAD and not row.targets and (address is None or address in refused):
                receipts.append(Receipt(row.outbox_id, row.version, Outcome.REFUSED, said="held back: somebody else's"))
            elif fate == "died":
                break
            elif fate == "busy":
                receipts.append(Receipt(row.outbox_id, row.version, Outcome.POSTPONED))
            elif fate == "refused":
                receipts.append(Receipt(row.outbox_id, row.version, Outcome.REFUSED, said="no"))
            else:
                receipt = self._take(row)
                receipts += [receipt] if fate == "taken" else []
        if settles == "late":
            self.late.append((kind, receipts, self.clock))
        else:
            for _ in range(1 + (settles == "twice")):
                self._settle(kind, receipts, self.clock)

    def _collect(self, kind: Kind) -> list[Outgoing]:
        """Of new leads with one address the first: the gate holds the others."""
        rows = self.road.market.outbox.collect("acme", kind, self.now, limit=4, needs=self.needs)
        if kind is not Kind.NEW_LEAD:
            return list(rows)
        first = {folded(row.values.get("address")): row.outbox_id for row in reversed(rows) if not row.targets}
        return [row for row in rows if row.targets or first[folded(row.values.get("address"))] == row.outbox_id]

    def _adopt(self) -> set[str]:
        """MATCH-10: whom the CRM has already is read by name. → the addresses that are somebody else's here."""
        while self.read:
            self.commit("well")
        wanted = {folded(row.values.get("address")) for row in self._collect(Kind.NEW_LEAD) if not row.targets} - {None}
        for kind in (Kind.LEAD, Kind.CONTACT):
            self._read_named(kind, [name for name in self.holders(wanted) if name[0] is kind])
        left = {folded(row.values.get("address")) for row in self._collect(Kind.NEW_LEAD) if not row.targets}
        return {address for address in left if address and self.holders({address})}

    def holders(self, addresses: set[str | None]) -> list[Name]:
        there = {name: record for name, record in self.crm.items() if name not in self.gone}
        return [name for name, record in there.items() if folded(record["email"]) in addresses - {None}]

    def _read_named(self, kind: Kind, names: list[Name]) -> None:
        if names:
            self.stage(kind, {name: self.crm[name] for name in names})
            self.commit("well")

    def _take(self, row: Outgoing) -> Receipt:
        if row.kind is Kind.NEW_LEAD:
            return self._create(row)
        target = row.targets[0]
        name = (target.kind, target.crm_id)
        record = self.crm.get(name)
        if record is None or name in self.gone or (row.kind is Kind.OPT_OUT and not self.can_say_it(record)):
            return Receipt(row.outbox_id, row.version, Outcome.REFUSED, said="gone, or nothing to opt out", final=True)
        changed = dict(record)
        if row.kind is Kind.OPT_OUT:
            changed["out"] = True
            self.told[name] = self.tick()
        elif row.values.get("address"):
            moves = folded(row.values["address"]) != folded(record["email"])
            changed |= {"email": row.values["address"]} if moves else {}
            changed |= {"out": True} if row.values.get("opt_out") and (moves or self.dialect.flags_records) else {}
        if row.kind is Kind.UPDATE or changed != record:
            self.crm[name] = {**changed, "modified": self.tick()}
        return Receipt(row.outbox_id, row.version, Outcome.ACCEPTED, target.crm_id)

    def can_say_it(self, record: dict[str, Any]) -> bool:
        """Whether there is something in this record of the CRM that can be opted out."""
        return self.dialect.flags_records or bool(record["email"])

    def _create(self, row: Outgoing) -> Receipt:
        name, address = self.called((Kind.LEAD, row.push_key)), row.values["address"]
        if name not in self.crm:
            assert not self.holders({folded(address)}), f"{address} is in the CRM already"
            assert row.values.get("opt_out") or self.may_be_told_in(address), address
            self.made.append(name[1])
            self.crm[name] = {**BLANK, "id": name[1], "email": address, "out": "opt_out" in row.values, "modified": self.tick()}
        return Receipt(row.outbox_id, row.version, Outcome.ACCEPTED, name[1])

    def may_be_told_in(self, address: str) -> bool:
        key = folded(address)
        guarded = {entry.address for entry in self.road.market.consent.watched()}
        out = "SELECT 1 FROM contacts WHERE email_key = :key AND merged_into IS NULL AND opt_out"
        return key not in guarded and not self.road.rows(out, key=key)

    def _settle(self, kind: Kind, receipts: list[Receipt], sent_at: int) -> None:
        before = set(self.waiting())
        names = {number: name for number, (_, name) in self.waiting().items()}
        times: dict[str, Any] = {"at": self.now, "crm_now": self.instant(sent_at), "most_attempts": MOST_ATTEMPTS}
        self.road.market.outbox.settle("acme", kind, receipts, **times)
        out = {each["contact_id"] for each in self.road.rows("SELECT contact_id FROM contacts WHERE opt_out")}
        for number in before - self.waiting().keys():
            if self.rows().get(names[number]) in out:
                self.words.overruled.discard(names[number])
                self.words.out(names[number], None)
                self.words.taken[names[number]] = max(sent_at, self.words.taken.get(names[number], -1))

    # -- in the end -----------------------------------------------------------------------------------------------------

    @rule(really=st.sampled_from((False, False, False, True)))
    def quiet(self, really: bool) -> None:
        if really:
            self.come_to_rest()

    def come_to_rest(self) -> None:
        """No faults and no news: after some cycles nothing moves, and both sides agree by the rules."""
        while self.late:
            self._settle(*self.late.pop(0))
        for _ in range(1 + MOST_ATTEMPTS):
            self.ahead += timedelta(days=2)
            while any(self.road.market.outbox.waiting("acme", ROAD, self.now).values()):
                self.push_well()
            self.run_well(1)
        self.push_well()
        for check in (self.nothing_waits_without_a_reason, self.who_said_it_here_is_out_there, self.who_is_out_there_is_not_mailed):
            check()

    def nothing_waits_without_a_reason(self) -> None:
        query = "SELECT * FROM outbox WHERE state <> 'acknowledged'"
        for row in self.road.rows(query):
            assert row["waits_for"] or (row["state"] == "parked" and row["refusal"]), row

    def who_said_it_here_is_out_there(self) -> None:
        rows, living, stands = self.rows(), self.living(), self.stands_for()
        people = {each["contact_id"] for each in self.road.rows("SELECT contact_id FROM contacts WHERE opt_out")}
        said: dict[int, int] = {}
        for each in self.words.here:
            said |= {stands.get(row, row): max(each.at, said.get(stands.get(row, row), 0)) for row in each.rows}
        for name, row in rows.items():
            record = self.crm.get(name)
            if row not in said or row not in people or name not in living or record is None or name in self.gone:
                continue
            contact = (Kind.CONTACT, record["converted_to"] or "")
            converted = name[0] is Kind.LEAD and rows.get(contact) == row and contact in living
            theirs_since = name in self.told and self.theirs.get(name, -1) > max(self.told[name], said[row])
            if self.can_say_it(record) and not converted and not theirs_since:
                assert record["out"] is True, (name, record, row, self.words)

    def who_is_out_there_is_not_mailed(self) -> None:
        rows, living = self.rows(), self.living()
        judged = {each.contact_id: each.decision.may for each in self.road.market.consent.judge(sorted(set(rows.values())))}
        for name, record in self.crm.items():
            if record["out"] and name in living and name not in self.gone and name not in self.words.overruled:
                assert not judged[rows[name]], (name, record, rows[name])
