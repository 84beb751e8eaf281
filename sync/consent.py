"""May they be mailed: the opt-out is the one field that the CRM may not simply overwrite (CONSENT)."""

from __future__ import annotations

from dataclasses import dataclass
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
    `unacknowledged` means that an opt-out of ours is still on its way to this CRM.
    """

    market: bool | None
    crm: bool | None
    base: bool | None
    adoption: bool
    unacknowledged: bool


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
    | later    | out    | – → in     |                 | stays out: nobody re-subscribed              | CONSENT-6 |
    | any      | any    | unchanged or hidden          || no change                                    | CONSENT-6 |
    """
    if facts.market is None:
        return ConsentDecision(bool(facts.crm), False, "the CRM's first word" if facts.crm else "")
    if facts.crm is None:
        return _NO_CHANGE
    if facts.adoption:
        return _adopt(facts.market, facts.crm, first_adoption)
    if facts.crm == facts.base:
        return _NO_CHANGE
    if facts.crm:
        return _NO_CHANGE if facts.market else ConsentDecision(True, False, "CONSENT-3: opted out in the CRM")
    if not facts.market or facts.base is None or facts.unacknowledged:
        return _NO_CHANGE
    return ConsentDecision(False, False, "CONSENT-4: re-subscribed in the CRM")


def _adopt(market_out: bool, crm_out: bool, first_adoption: FirstAdoption) -> ConsentDecision:
    if market_out and not crm_out:
        return ConsentDecision(None, True, "CONSENT-1: opted out here before the CRM knew")
    if crm_out and not market_out and first_adoption is FirstAdoption.STRICTEST:
        return ConsentDecision(True, False, "CONSENT-2: opted out in the CRM at first adoption")
    return _NO_CHANGE
