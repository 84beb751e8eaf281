"""Random lives of a small CRM, with core runs and faults in between. `following` compares what came of it with a fresh initial sync."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from adapters.sandbox.faults import FaultRule
from sync.errors import CredentialError, Transient
from sync.records import PEOPLE, Kind
from tests.reference.colleagues import Seen
from tests.reference.following import Place

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after_s": 0},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "html"},
    {"kind": "reset"},
    {"kind": "reset_after_commit"},
    {"kind": "truncate"},
    {"kind": "bad_gzip"},
    {"kind": "expire_token"},
)
_MAILED = (Kind.LEAD, Kind.CONTACT)
_MADE = (Kind.LEAD, Kind.CONTACT, Kind.ACCOUNT, Kind.OPPORTUNITY)
_EDITED = (Kind.USER, Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT, Kind.OPPORTUNITY)


class Life:
    """One script. Everything it does follows from `seed` and from what the sandbox holds."""

    def __init__(self, place: Place, seed: int, *, gate: bool = True) -> None:
        self.place = place
        self.they = colleagues = place.they
        self.dice = random.Random(seed)
        self.seed = seed
        self.gate = gate
        self.told = [f"nobody can {act.replace('_', ' ')} in {colleagues.crm}: {why}" for act, why in colleagues.cannot.items()]
        self.failed_cycles = 0

    def acts(self) -> dict[str, tuple[int, Callable[[], str]]]:
        """Name → how often, and what; without what nobody can do in this CRM."""
        every: dict[str, tuple[int, Callable[[], str]]] = {
            "edit": (8, self._edit),
            "give_a_new_address": (3, self._new_address),
            "create": (4, self._create),
            "share_an_address": (1, self._share),
            "delete": (3, self._delete),
            "undelete": (2, self._undelete),
            "convert_a_lead": (2, self._convert),
            "convert_into_a_contact": (1, self._convert_into),
            "merge_contacts": (1, lambda: self._merge(Kind.CONTACT)),
            "merge_leads": (1, lambda: self._merge(Kind.LEAD)),
            "merge_accounts": (1, lambda: self._merge(Kind.ACCOUNT)),
            "flag_an_address": (2, self._flag_address),
            "flag_a_record": (2, self._flag_record),
            "bounce": (1, self._bounce),
            "touch_all": (1, lambda: self.they.touch(self.dice.choice((Kind.CONTACT, Kind.ACCOUNT)))),
            "move": (2, self._move),
            "edit_late": (2, self._late),
            "run": (5, self._cycle),
            "go_away_and_empty_the_bin": (1, self._empty_the_bin),
            "wait": (3, lambda: self.they.wait(self.dice.choice([1, 30, 119, 600, 1_200]))),
        }
        return {name: act for name, act in every.items() if name not in self.they.cannot}

    def play(self, steps: int) -> None:
        weights, acts = zip(*self.acts().values(), strict=True)
        for _ in range(steps):
            [act] = self.dice.choices(acts, weights)
            self.told.append(act())

    def settle(self) -> None:
        """Nobody acts and nothing fails any more: a few cycles, until one has nothing to do."""
        self.they.trouble()
        self.they.wait(300)
        for _ in range(6):
            if not self.place.follow(gate=self.gate):
                return
        raise AssertionError(f"script {self.seed} does not come to rest: {self.place.follow(gate=self.gate)}")

    # -- acts ---------------------------------------------------------------------------------------------------------

    def _some(self, kind: Kind, where: Callable[[Seen], bool] = lambda _: True, *, deleted: bool = False) -> Seen | None:
        found = [seen for seen in self.they.records(kind) if seen.is_deleted is deleted and where(seen)]
        return self.dice.choice(found) if found else None

    def _some_of(self, kinds: Sequence[Kind], where: Callable[[Seen], bool] = lambda _: True) -> tuple[Kind, Seen | None]:
        kind = self.dice.choice(kinds)
        return kind, self._some(kind, where)

    def _word(self) -> str:
        return f"{self.seed}-{self.dice.randrange(10**9)}"

    def _address(self) -> str:
        return f"{self._word()}@example.com"

    def _edit(self) -> str:
        kind, seen = self._some_of(_EDITED)
        if seen is None:
            return "nothing to edit"
        return self.they.edit(kind, seen.crm_id, {self.dice.choice(self.they.texts[kind]): self.dice.choice([self._word(), ""])})

    def _new_address(self) -> str:
        kind, seen = self._some_of(_MAILED)
        return self.they.edit(kind, seen.crm_id, {"address": self._address()}) if seen else "nobody to write to elsewhere"

    def _create(self) -> str:
        kind = self.dice.choice(_MADE)
        account, owner = self._some(Kind.ACCOUNT), self._some(Kind.USER)
        values = {"name": self._word(), "owner": owner.crm_id if owner else None}
        if kind in PEOPLE:
            values["address"] = self._address()
        if kind in (Kind.CONTACT, Kind.OPPORTUNITY) and account:
            values["account"] = account.crm_id
        return self.they.create(kind, self.they.chosen_id(kind, self.dice), values)

    def _share(self) -> str:
        """A lead and a contact with one address are one person. Only an address that nobody else has, or had: else it depends on the past
        whom a newcomer meets (MATCH-5)."""
        held = [(kind, seen, address) for kind in _MAILED for seen in self.they.records(kind) for address in seen.addresses]
        times = Counter(address for _, _, address in held)
        alone = [(kind, address) for kind, seen, address in held if times[address] == 1 and not seen.is_deleted and not seen.is_converted]
        if not alone:
            return "nobody to share an address with"
        kind, address = self.dice.choice(alone)
        other = Kind.LEAD if kind is Kind.CONTACT else Kind.CONTACT
        values = {"name": self._word(), "address": address}
        return f"{self.they.create(other, self.they.chosen_id(other, self.dice), values)} with {address} of a {kind}"

    def _delete(self) -> str:
        kind, seen = self._some_of((Kind.LEAD, Kind.CONTACT, Kind.CONTACT, Kind.OPPORTUNITY, Kind.ACCOUNT))
        return self.they.delete(kind, seen.crm_id) if seen else "nothing to delete"

    def _undelete(self) -> str:
        kind = self.dice.choice(_MADE)
        seen = self._some(kind, deleted=True)
        return self.they.undelete(kind, seen.crm_id) if seen else "nothing to bring back"

    def _convert(self) -> str:
        seen = self._some(Kind.LEAD, lambda lead: not lead.is_converted)
        return self.they.convert(seen.crm_id, new_id=self.they.chosen_id(Kind.CONTACT, self.dice)) if seen else "nobody to convert"

    def _convert_into(self) -> str:
        lead, contact = self._some(Kind.LEAD, lambda lead: not lead.is_converted), self._some(Kind.CONTACT)
        return self.they.convert(lead.crm_id, contact=contact.crm_id) if lead and contact else "nobody to convert into somebody"

    def _merge(self, kind: Kind) -> str:
        winner = self._some(kind, lambda seen: not seen.is_converted)
        loser = self._some(kind, lambda seen: winner is not None and seen.crm_id != winner.crm_id and not seen.is_converted)
        return self.they.merge(kind, winner.crm_id, loser.crm_id) if winner and loser else f"no {kind.plural} to merge"

    def _flag_address(self) -> str:
        _, seen = self._some_of(_MAILED, lambda seen: bool(seen.addresses))
        return self.they.flag_address(self.dice.choice(seen.addresses), out=self.dice.random() < 0.6) if seen else "no address to flag"

    def _flag_record(self) -> str:
        kind, seen = self._some_of(_MAILED)
        return self.they.flag_record(kind, seen.crm_id, out=self.dice.random() < 0.6) if seen else "nobody to flag"

    def _bounce(self) -> str:
        _, seen = self._some_of(_MAILED, lambda seen: bool(seen.addresses))
        return self.they.bounce(self.dice.choice(seen.addresses)) if seen else "no address to come back from"

    def _move(self) -> str:
        contact, account, owner = self._some(Kind.CONTACT), self._some(Kind.ACCOUNT), self._some(Kind.USER)
        if contact is None:
            return "nobody to move"
        values = {"account": account.crm_id if account else None, "owner": owner.crm_id if owner else None}
        return self.they.edit(Kind.CONTACT, contact.crm_id, values)

    def _late(self) -> str:
        seen = self._some(Kind.CONTACT)
        if seen is None:
            return "nobody is late"
        return self.they.edit(Kind.CONTACT, seen.crm_id, {"title": self._word()}, delay_s=self.dice.randrange(5, 110))

    def _empty_the_bin(self) -> str:
        """Days in which nobody follows; deleted records leave for good meanwhile."""
        return f"{self.they.wait(2 * 86_400)}, {self.they.empty_the_bin()}"

    def _cycle(self) -> str:
        chosen = self.dice.sample(FAULTS, self.dice.choice([0, 0, 1, 3]))
        self.they.trouble(*(FaultRule(**fault, probability=0.15, seed=self.dice.randrange(10**6), count=4) for fault in chosen))
        try:
            words = self.place.follow(gate=self.gate)
        except (Transient, CredentialError) as error:  # sessions that end as soon as they begin are not waited for
            if isinstance(error, CredentialError) and {"kind": "expire_token"} not in chosen:
                raise
            self.failed_cycles += 1
            return f"cycle failed: {error.what}"
        finally:
            self.they.trouble()
        return f"cycle: {words}"
