"""Incoming records and what Market knows → what happens to each record.

A batch of a million records has only a few dozen different situations. Staging groups the records by situation (`RowFacts`), each
situation is decided here once, and the decision (`RowPlan`) is joined back to its records.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sync.address import AddressFacts, resets_delivery
from sync.consent import ConsentDecision, ConsentFacts, FirstAdoption, decide_opt_out


class Action(StrEnum):
    """What happens to a record's row."""

    INSERT = "insert"
    UPDATE = "update"  # the CRM's values replace ours, by each column's policy
    FILL = "fill"  # only empty columns take a value (MATCH-6)
    LINK = "link"  # the row is known and another record gives its values; only the link is kept
    IGNORE = "ignore"  # Market holds exactly this already (PULL-8), or is told not to pull it again (DEL-7)


@dataclass(frozen=True, slots=True)
class RowFacts:
    """One situation. True in the consent fields means opted out; see `ConsentFacts` for what their None means.

    `same_stamp`: nobody but us touched the record since it was last applied, whatever else of it differs.
    """

    known_row: bool
    linked: bool
    living_link: bool
    same_values: bool
    fills_only: bool
    row_deleted: bool
    barred: bool
    gives_values: bool
    has_address: bool
    our_address: bool
    same_address: bool
    market_out: bool | None
    crm_out: bool | None
    base_out: bool | None
    unacknowledged: bool
    stale: bool = False
    others_out: bool = False
    same_stamp: bool = False


@dataclass(frozen=True, slots=True)
class RowPlan:
    """The decision for one situation. `opt_out` None keeps what is there; `restore` clears the row's deletion (DEL-2, DEL-7)."""

    action: Action
    restore: bool = False
    reset_delivery: bool = False
    opt_out: bool | None = None
    queue_opt_out: bool = False
    why: str = ""


def plan_row(facts: RowFacts, *, people: bool, first_adoption: FirstAdoption = FirstAdoption.STRICTEST) -> RowPlan:
    """The plan of one situation.

    | row     | link        | values    | else                       | action |
    |---------|-------------|-----------|----------------------------|--------|
    | unknown |             |           |                            | insert |
    | unknown |             |           | another record creates it  | link   |
    | known   |             |           | barred (DEL-7)             | ignore |
    | known   | living      | unchanged | consent unchanged          | ignore |
    | known   |             |           | another record gives values| link   |
    | known   |             |           | a lead on a contact's row  | fill   |
    | known   | any         | changed   |                            | update |
    """
    consent = decide_opt_out(consent_facts(facts), first_adoption) if people else ConsentDecision(None, False, "")
    if not facts.known_row:
        return RowPlan(Action.INSERT if facts.gives_values else Action.LINK, opt_out=consent.opt_out, why=consent.why)
    if facts.barred:
        return RowPlan(Action.IGNORE)
    if facts.linked and facts.living_link and facts.same_values and consent.opt_out is None:
        return RowPlan(Action.IGNORE)
    if not facts.gives_values:
        return RowPlan(Action.LINK)
    return RowPlan(
        Action.FILL if facts.fills_only else Action.UPDATE,
        restore=facts.row_deleted and not facts.same_stamp,  # a new field, or what we wrote, brings nobody back (DEL-7)
        reset_delivery=people and resets_delivery(_address(facts)),
        opt_out=consent.opt_out,
        queue_opt_out=consent.queue,
        why=consent.why,
    )


def consent_facts(facts: RowFacts) -> ConsentFacts:
    """The part of a situation that decides about the opt-out."""
    return ConsentFacts(
        market=facts.market_out if facts.known_row else None,
        crm=facts.crm_out,
        base=facts.base_out,
        adoption=not facts.linked,
        unacknowledged=facts.unacknowledged,
        stale=facts.stale,
        others_out=facts.others_out,
        revived=facts.linked and not facts.living_link,
        new_address=(facts.has_address or facts.our_address) and not facts.same_address,
    )


def _address(facts: RowFacts) -> AddressFacts:
    return AddressFacts(facts.known_row, facts.fills_only, facts.our_address, facts.has_address, facts.same_address)
