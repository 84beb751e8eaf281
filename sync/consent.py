"""May they be mailed: the opt-out is the one field that the CRM may not simply overwrite (CONSENT)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class FirstAdoption(StrEnum):
    """CONSENT-2: what happens when Market has `in` and the CRM says `out` as a row is adopted."""

    STRICTEST = "strictest"
    KEEP_MARKET = "keep_market"


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """What decides. True means opted out.

    `market` is None for a row that does not exist yet. `crm` is None when the CRM's field is hidden, absent or empty.
    `base` is what this CRM record said when it was last applied, None when it never said anything.
    `unacknowledged` means that an opt-out of ours is still on its way to this CRM. `stale`: the CRM acknowledged one for this record,
    and what it says here is not newer than that. `others_out`: another living record of the same person says out. `revived`: the record
    was gone and lives again, so that an opt-out of meanwhile did not reach it. `new_address`: the record's address is not the person's.
    """

    market: bool | None
    crm: bool | None
    base: bool | None
    adoption: bool
    unacknowledged: bool
    stale: bool = False
    others_out: bool = False
    revived: bool = False
    new_address: bool = False


@dataclass(frozen=True, slots=True)
class ConsentDecision:
    """`opt_out` is the new value, None for no change. `queue` says that the CRM must be told that the person is out."""

    opt_out: bool | None
    queue: bool
    why: str


_NO_CHANGE = ConsentDecision(None, False, "")


def decide_opt_out(facts: ConsentFacts, first_adoption: FirstAdoption = FirstAdoption.STRICTEST) -> ConsentDecision:
    """The truth table of CONSENT-1 to CONSENT-6.

    | row      | Market | base → CRM | ours on its way | result                                       | rule      |
    |----------|--------|------------|-----------------|----------------------------------------------|-----------|
    | new      | –      | – → out    |                 | out                                          | first say |
    | new      | –      | – → in, –  |                 | in                                           | first say |
    | adopted  | out    | – → in     |                 | stays out, queued for the CRM                | CONSENT-1 |
    | adopted  | in     | – → out    |                 | out (`keep_market`: stays in)                | CONSENT-2 |
    | later    | in     | in → out   |                 | out                                          | CONSENT-3 |
    | later    | in     | – → out    |                 | out: the field was hidden before             | CONSENT-3 |
    | later    | out    | out → in   | no              | in                                           | CONSENT-4 |
    | later    | out    | out → in   | yes             | stays out, the push wins                     | CONSENT-5 |
    | later    | out    | out → in   | no, but `stale` | stays out: read before the CRM took ours     | CONSENT-5 |
    | later    | out    | out → in   | no, `others_out`| stays out: the strictest of one person       | CONSENT-10|
    | later    | out    | out → in   | no, at a new address | stays out, queued: nobody re-subscribed | CONSENT-10|
    | later    | out    | – → in     |                 | stays out: nobody re-subscribed              | CONSENT-6 |
    | revived  | out    | in, – → in |                 | stays out, queued for the CRM                | CONSENT-8 |
    | any      | any    | unchanged or hidden          || no change                                    | CONSENT-6 |
    """
    if facts.market is None:
        return ConsentDecision(bool(facts.crm), False, "the CRM's first word" if facts.crm else "")
    if facts.crm is None:
        return _NO_CHANGE
    if facts.adoption:
        return _adopt(facts.market, facts.crm, first_adoption)
    if facts.revived and facts.market and not facts.crm and facts.base is not True:
        return ConsentDecision(None, True, "CONSENT-8: opted out here while the record was gone")
    if facts.crm == facts.base:
        return _NO_CHANGE
    if facts.crm:
        return _NO_CHANGE if facts.market else ConsentDecision(True, False, "CONSENT-3: opted out in the CRM")
    if not facts.market or facts.base is None or facts.unacknowledged or facts.stale or facts.others_out:
        return _NO_CHANGE
    if facts.new_address:
        return ConsentDecision(None, True, "CONSENT-10: in the CRM a new address may be mailed; that re-subscribes nobody")
    return ConsentDecision(False, False, "CONSENT-4: re-subscribed in the CRM")


def decide_in_turn(
    records: Sequence[ConsentFacts], first_adoption: FirstAdoption = FirstAdoption.STRICTEST
) -> tuple[ConsentDecision, tuple[bool, ...]]:
    """Several records of one person in one batch, in the order in which they were modified: each is decided on what those before it left.

    `others_out` of each means a record outside of this batch. → what it comes to for the person, and per record whether the CRM must be
    told. Within the batch a record that says out, or that said so last, holds back the re-subscribes of the others (CONSENT-10).
    """
    start = market = records[0].market
    says = [facts.base is True for facts in records]
    why, queue = "", []
    for place, facts in enumerate(records):
        others_out = facts.others_out or any(says[:place] + says[place + 1 :])
        decision = decide_opt_out(replace(facts, market=market, others_out=others_out), first_adoption)
        queue.append(decision.queue)
        if facts.crm is not None and not facts.stale:
            says[place] = facts.crm
        if decision.opt_out is not None:
            market, why = decision.opt_out, decision.why
    if market == start:
        return _NO_CHANGE, tuple(queue)
    return ConsentDecision(market, False, why), tuple(queue)


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What is known of the row that stands for a person; a row that was merged away is judged by the row that took it in.

    `living`: there is such a row, and it is not deleted. `watched`: the address is on the guarded watch. `shared_out`: somebody else
    who has the address, or had it when they were merged or deleted, has opted out.
    """

    living: bool
    has_address: bool
    opted_out: bool
    watched: bool
    shared_out: bool
    bounced: bool


@dataclass(frozen=True, slots=True)
class MailDecision:
    """`why` says in words why not; empty when they may be mailed."""

    may: bool
    why: str = ""


def may_be_mailed(facts: MailFacts) -> MailDecision:
    """Whether a person may be mailed: the one place where it is decided (CONSENT-7, CONSENT-10, DEL-1, ADDR-3).

    | living | address | opted out | on the watch | shared, out | bounced | may |            |
    |--------|---------|-----------|--------------|-------------|---------|-----|------------|
    | no     |         |           |              |             |         | no  | DEL-1      |
    | yes    | none    |           |              |             |         | no  |            |
    | yes    | yes     | yes       |              |             |         | no  | CONSENT    |
    | yes    | yes     | no        | yes          |             |         | no  | CONSENT-7  |
    | yes    | yes     | no        | no           | yes         |         | no  | CONSENT-10 |
    | yes    | yes     | no        | no           | no          | yes     | no  | ADDR-3     |
    | yes    | yes     | no        | no           | no          | no      | yes |            |
    """
    reasons = (
        (not facts.living, "nobody living is known here"),
        (not facts.has_address, "there is no address"),
        (facts.opted_out, "opted out"),
        (facts.watched, "the address is on the guarded watch"),
        (facts.shared_out, "somebody with the same address has opted out"),
        (facts.bounced, "mail to the address bounced"),
    )
    why = next((reason for applies, reason in reasons if applies), "")
    return MailDecision(not why, why)


def _adopt(market_out: bool, crm_out: bool, first_adoption: FirstAdoption) -> ConsentDecision:
    if market_out and not crm_out:
        return ConsentDecision(None, True, "CONSENT-1: opted out here before the CRM knew")
    if crm_out and not market_out and first_adoption is FirstAdoption.STRICTEST:
        return ConsentDecision(True, False, "CONSENT-2: opted out in the CRM at first adoption")
    return _NO_CHANGE
