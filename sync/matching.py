"""Which Market row is it (MATCH).

A record whose id is linked has its row (MATCH-1). A record that nothing in Market resembles is a new row (MATCH-3). What is left,
the contested records, is decided here, one after the other in the order in which they were modified (MATCH-9), so that pages and
batches have no say in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sync.records import Kind


class How(StrEnum):
    """How a record found its row."""

    ID = "id"
    CONVERSION = "conversion"
    ADDRESS = "address"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Claim:
    """One incoming record of one kind. `converted_to` is a lead's pointer to its contact. `market_id` is set when its id is linked."""

    crm_id: str
    modified_at: datetime | None
    address_key: str | None
    converted_to: str | None = None
    market_id: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """A living CRM record that is linked to a row. For a lead, `converted_to` is the contact that it became."""

    connector: str
    kind: Kind
    crm_id: str
    converted_to: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A Market row that carries a claim's address. `barred` rows were deleted with "do not pull again" (DEL-7)."""

    market_id: int
    deleted: bool
    updated_at: datetime | None
    crm_modified_at: datetime | None
    crm_id: str | None
    holds: tuple[Hold, ...] = ()
    barred: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """The row of one record: `market_id` None means a new one. `absorbs` names rows that turn out to be the same person (MATCH-7)."""

    crm_id: str
    market_id: int | None
    how: How
    absorbs: tuple[int, ...] = ()


def match_people(
    connector: str,
    kind: Kind,
    claims: Iterable[Claim],
    by_address: Mapping[str, Sequence[Candidate]],
    rows_of_leads: Mapping[str, Sequence[int]],
    row_of_contact: Mapping[str, int],
    rows_of_contacts: frozenset[int] = frozenset(),
    returning: frozenset[int] = frozenset(),
) -> list[Match]:
    """One Match per claim.

    `rows_of_leads`: contact id → rows of the leads that became it, the one modified last first. `row_of_contact`: contact id → its row.
    `rows_of_contacts`: rows that some living contact of this connector holds; they are nobody's to take or to absorb. `returning`: rows of
    records of this kind that were gone and are in this batch again: theirs (MATCH-1), however they are ordered (MATCH-9).

    | claim                                                     | row                                           | rule        |
    |-----------------------------------------------------------|-----------------------------------------------|-------------|
    | lead that names a contact whose row is known              | the contact's; a row of its own is absorbed   | MATCH-7     |
    | contact that leads name, not linked yet                   | the row of the lead modified last             | MATCH-7     |
    | linked                                                    | the linked one                                | MATCH-1     |
    | address: a row that no living record of this kind holds   | the living one that was updated last          | MATCH-2, 4, 5 |
    | – and that no lead has reserved for another contact       |                                               | MATCH-7     |
    | – and, for a lead that names a contact, no other contact's|                                               | MATCH-7     |
    | address of a contact's row, claim is a lead               | that row; it only fills what is empty         | MATCH-6     |
    | otherwise                                                 | a new row                                     | MATCH-3     |
    """
    matches: list[Match] = []
    taken: set[int] = set(returning)
    closed = set(rows_of_contacts) | (returning if kind is Kind.CONTACT else frozenset())
    for claim in sorted(claims, key=_in_order):
        match = _by_pointer(kind, claim, rows_of_leads, row_of_contact, closed) or _by_address(connector, kind, claim, by_address, taken)
        matches.append(match)
        if match.market_id is not None:
            taken.add(match.market_id)
            closed.add(match.market_id)
    return matches


def _in_order(claim: Claim | UserClaim) -> tuple[bool, datetime, str]:
    return (claim.modified_at is not None, claim.modified_at or datetime.min, claim.crm_id)


def _by_pointer(
    kind: Kind, claim: Claim, rows_of_leads: Mapping[str, Sequence[int]], row_of_contact: Mapping[str, int], closed: set[int]
) -> Match | None:
    if kind is Kind.LEAD and claim.converted_to is not None and (row := row_of_contact.get(claim.converted_to)) is not None:
        own = claim.market_id
        return Match(claim.crm_id, row, How.CONVERSION, () if own is None or own == row or own in closed else (own,))
    rows = [row for row in rows_of_leads.get(claim.crm_id, ()) if row not in closed] if kind is Kind.CONTACT else []
    if claim.market_id is not None:
        return Match(claim.crm_id, claim.market_id, How.ID, tuple(row for row in rows if row != claim.market_id))
    if rows:
        return Match(claim.crm_id, rows[0], How.CONVERSION, tuple(row for row in rows[1:] if row != rows[0]))
    return None


def _by_address(connector: str, kind: Kind, claim: Claim, by_address: Mapping[str, Sequence[Candidate]], taken: set[int]) -> Match:
    rows = by_address.get(claim.address_key, ()) if claim.address_key else ()
    free = [row for row in rows if row.market_id not in taken and adoptable(connector, kind, claim, row)]
    if not free:
        return Match(claim.crm_id, None, How.NEW)
    return Match(claim.crm_id, min(free, key=_preference).market_id, How.ADDRESS)


def adoptable(connector: str, kind: Kind, claim: Claim, row: Candidate) -> bool:
    """Whether a claim with this row's address may take it."""
    if row.barred:
        return False
    for hold in row.holds:
        if hold.connector != connector:
            continue  # the same person in another CRM: one row (CONN-1)
        if hold.kind is kind:
            return False  # MATCH-4
        if hold.kind is Kind.LEAD and kind is Kind.CONTACT and hold.converted_to not in (None, claim.crm_id):
            return False  # reserved for the contact that this lead became
        if hold.kind is Kind.CONTACT and kind is Kind.LEAD and claim.converted_to not in (None, hold.crm_id):
            return False  # this lead became somebody else
    return True


def _preference(row: Candidate) -> tuple[bool, timedelta, timedelta, str, int]:
    """Smallest first: not deleted, updated last, modified last in the CRM; then by id, so that ties always fall the same way (MATCH-5)."""
    return (row.deleted, _latest_first(row.updated_at), _latest_first(row.crm_modified_at), row.crm_id or "", row.market_id)


def _latest_first(at: datetime | None) -> timedelta:
    """UTC, whether it says so or not: `timestamp()` would take a naive one for the machine's local time."""
    return datetime.min - at.replace(tzinfo=None) if at else timedelta(0)


@dataclass(frozen=True, slots=True)
class UserClaim:
    """One incoming CRM user. `market_id` is set when its id is linked."""

    crm_id: str
    modified_at: datetime | None
    address_key: str | None
    market_id: int | None = None


@dataclass(frozen=True, slots=True)
class UserMatch:
    """`market_id` None: a new account; then `same_as` names the record of this batch that creates it, if not this one. `writes`: its values
    count. `address_key` is the key that the account ends with, None when another account has that address.
    """

    crm_id: str
    market_id: int | None
    same_as: str | None
    writes: bool
    address_key: str | None = None


_Account = int | str  # a row of Market, or the record that was the first to ask for a new one


def match_users(claims: Iterable[UserClaim], by_address: Mapping[str, int]) -> list[UserMatch]:
    """INIT-4: by id, else by e-mail address, else a new account. An address names one account, so users who share it share the account;
    the one modified last gives the values.

    One record after the other: an account gives its old address up before a later record looks for it (MATCH-9). An account that is
    linked by id and gets an address which another one has keeps its row, and only the other one is found by that address.
    """
    ordered = sorted(claims, key=_in_order)
    holder: dict[str, _Account] = dict(by_address)
    placed: list[tuple[UserClaim, _Account]] = []
    for claim in ordered:
        account = claim.market_id if claim.market_id is not None else holder.get(claim.address_key or "", claim.crm_id)
        placed.append((claim, account))
        for address in [address for address, held_by in holder.items() if held_by == account and address != claim.address_key]:
            del holder[address]
        if claim.address_key:
            holder.setdefault(claim.address_key, account)
    writer = {account: claim for claim, account in placed}
    return [_user_match(claim, account, writer[account], holder) for claim, account in placed]


def _user_match(claim: UserClaim, account: _Account, writer: UserClaim, holder: Mapping[str, _Account]) -> UserMatch:
    row = account if isinstance(account, int) else None
    writes = writer.crm_id == claim.crm_id
    key = writer.address_key if holder.get(writer.address_key or "") == account else None
    return UserMatch(claim.crm_id, row, None if writes or row is not None else writer.crm_id, writes, key)
