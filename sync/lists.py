"""Marketing lists: how a CRM tells of members, whose turn it is to be read again, and what became of each member (LIST-1, LIST-2).

Linking and unlinking leave no stamp in many CRMs, neither on the list nor on the member. There a list's members are read whole: at
once where the list itself changed, else in turn, a few lists per cycle, the ones that were read longest ago first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sync.records import Finding, Kind

MEMBER_FIELDS = ("list_id", "member_kind", "id", "state")
"""What a record of `Kind.LIST_MEMBER` holds: the list's CRM id, what the member is (a kind's word, or another), its CRM id, and a
`MemberMark` instead of an id where the record tells of all members of that kind."""

LISTS_PER_TURN = 4
_NEVER = datetime.min.replace(tzinfo=UTC)


class MemberMark(StrEnum):
    """What stands in `state`. Without a mark the record is a member."""

    COMPLETE = "complete"  # every member of this kind that the CRM shows came before
    DENIED = "denied"  # the syncing user may not see members of this kind: nothing is known of them
    ABSENT = "absent"  # the CRM knows no such list, or no such members of a list
    LEFT = "left"  # with an id: this one left the list, for CRMs that say so


class MemberAction(StrEnum):
    """What happens to one member's row."""

    JOIN = "join"  # a new row
    RETURN = "return"  # it had left and is back
    LINK = "link"  # the Market row of this member is known now, or is another one
    LEAVE = "leave"
    STAY = "stay"  # nothing is written
    ASK = "ask"  # stays until the CRM said whether the record itself is gone


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """One situation of a member. `came`: the CRM named it as a member; `known`: Market has a row; `present`: that row has not left.

    `told_left`: the CRM said that it left. `complete`: all members of its kind on its list came. `pulled`: records of its kind come into
    Market. `living`: the CRM shows the record itself; False: it is deleted or hidden; None: nobody has asked. `relinked`: its Market row
    is another one than the one that is noted.
    """

    came: bool
    known: bool
    present: bool
    told_left: bool
    complete: bool
    pulled: bool
    living: bool | None
    relinked: bool


def decide_member(facts: MemberFacts) -> MemberAction:
    """What happens to a member. A deleted person is not taken off a list (DEL-6), so an absence counts only of records that live.

    | came | row     | else                             | action |
    |------|---------|----------------------------------|--------|
    | yes  | none    |                                  | join   |
    | yes  | left    |                                  | return |
    | yes  | present | its Market row changed           | link   |
    | yes  | present |                                  | stay   |
    | no   | left    |                                  | stay   |
    | no   | present | the CRM said that it left        | leave  |
    | no   | present | its kind was not read whole      | stay   |
    | no   | present | its kind is not pulled           | leave  |
    | no   | present | the record lives                 | leave  |
    | no   | present | the record is deleted or hidden  | stay   |
    | no   | present | nobody knows                     | ask    |
    """
    if facts.came:
        if not facts.known:
            return MemberAction.JOIN
        if not facts.present:
            return MemberAction.RETURN
        return MemberAction.LINK if facts.relinked else MemberAction.STAY
    if facts.present and facts.told_left:
        return MemberAction.LEAVE
    if not facts.present or not facts.complete:
        return MemberAction.STAY
    if not facts.pulled or facts.living:
        return MemberAction.LEAVE
    return MemberAction.ASK if facts.living is None else MemberAction.STAY


@dataclass(frozen=True, slots=True)
class ListState:
    """One living list as Market has it. `members`: how many the CRM counts, None where it does not; instants are ours, UTC."""

    crm_id: str
    members: int | None
    read_at: datetime | None
    changed_at: datetime

    @property
    def due(self) -> bool:
        """New, or changed since its members were last read: its name, its type, or the number of members."""
        return self.read_at is None or self.read_at < self.changed_at


def due_at_once(lists: Sequence[ListState]) -> tuple[str, ...]:
    """The lists whose members are read in this cycle, whatever it costs."""
    return tuple(sorted(state.crm_id for state in lists if state.due))


def in_turn(lists: Sequence[ListState], compared_at: Mapping[str, datetime], most_members: int) -> tuple[str, ...]:
    """The lists that are compared without a reason: as many as one call holds, the ones that waited longest first.

    `compared_at`: when a list was last found to be as Market has it. A list of more than `most_members` goes alone, over several cycles.
    """
    waiting = sorted((state for state in lists if not state.due), key=lambda state: (_last(state, compared_at), state.crm_id))
    chosen: list[str] = []
    members = 0
    for state in waiting[:LISTS_PER_TURN]:
        members += most_members if state.members is None else state.members
        if chosen and members > most_members:
            break
        chosen.append(state.crm_id)
    return tuple(sorted(chosen))


def _last(state: ListState, compared_at: Mapping[str, datetime]) -> datetime:
    return max(state.read_at or _NEVER, compared_at.get(state.crm_id, _NEVER))


@dataclass(frozen=True, slots=True)
class Unlinked:
    """Members of one kind, by its word, that no Market row belongs to. `examples` are CRM ids."""

    kind: str
    count: int
    examples: tuple[str, ...]


def unlinked_findings(found: Sequence[Unlinked], pulled: Sequence[Kind]) -> tuple[Finding, ...]:
    """LIST-2: who stands on a list and is not in Market, one finding per kind."""
    return tuple(_unlinked_finding(each, pulled) for each in found if each.count)


def _unlinked_finding(each: Unlinked, pulled: Sequence[Kind]) -> Finding:
    kind = next((kind for kind in pulled if kind.value == each.kind), None)
    who = f"1 {each.kind} stands" if each.count == 1 else f"{each.count:,} {kind.plural if kind else f'{each.kind}s'} stand"
    why = "filtered out, hidden or deleted in the CRM" if kind else "this kind is not pulled"
    message = f"{who} on marketing lists and {'is' if each.count == 1 else 'are'} not in Market: {why}"
    return Finding(Kind.LIST_MEMBER, "list members without a row", message, each.count, each.examples)


def unread_finding(kind: str, lists: Sequence[str]) -> Finding:
    """Members that the syncing user may not see stay as they were, and that is told."""
    where = "1 marketing list" if len(lists) == 1 else f"{len(lists):,} marketing lists"
    message = f"the syncing user may not see which {kind}s stand on {where}; they stay as they were last read"
    return Finding(Kind.LIST_MEMBER, "list members not shown", message, len(lists), tuple(lists[:5]))
