"""What people in a CRM do, in our words: one driver per CRM, so that one random life can be lived in each of them.

Every act gives a sentence of what was done. What a CRM can't do its driver says: `cannot` has the acts that do not exist there, and why.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from adapters.sandbox.faults import FaultRule
from adapters.sandbox.salesforce.ids import numbered
from sync.records import Kind

Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as the CRM holds it."""

    crm_id: str
    is_deleted: bool
    is_converted: bool
    addresses: tuple[str, ...]


class Colleagues:
    """Everybody who works in one CRM, with its control API.

    `objects`: the CRM's names of our kinds. `fields`: its names of our words; a word may mean another field in one kind. `texts`: what they
    write into whenever they like. `cannot`: act of a `Life` → why nobody can do that there. `ways`: how all of it may be read, as lines of
    a connector's configuration.
    """

    crm: ClassVar[str]
    objects: ClassVar[Mapping[Kind, str]]
    fields: ClassVar[Mapping[str, str]]
    texts: ClassVar[Mapping[Kind, tuple[str, ...]]]
    cannot: ClassVar[Mapping[str, str]]
    ways: ClassVar[tuple[str, ...]] = ("",)

    def __init__(self, control: Any) -> None:
        self.control = control

    # -- what is there ------------------------------------------------------------------------------------------------

    def records(self, kind: Kind) -> list[Seen]:
        """Deleted ones too, in the order of their ids."""
        return [self._seen(row) for row in self.control.dump(self.objects[kind])]

    def _seen(self, row: dict[str, Any]) -> Seen:
        raise NotImplementedError

    def changes_unstamped(self, kind: str, column: str) -> bool:
        """Whether this column is taken from another record: it changes without a stamp, and only reconciliation sees it."""
        raise NotImplementedError

    def chosen_id(self, kind: Kind, dice: random.Random) -> str:
        """An id that follows from the dice, since records are picked in the order of their ids."""
        raise NotImplementedError

    # -- acts ---------------------------------------------------------------------------------------------------------

    def create(self, kind: Kind, crm_id: str, values: Values) -> str:
        made = self.control.create(self.objects[kind], {self.fields["id"]: crm_id, **self._in_its_words(kind, values)})
        return f"create {kind} {made}"

    def edit(self, kind: Kind, crm_id: str, values: Values, *, delay_s: float = 0.0) -> str:
        """Our words, or fields of the CRM's own. With a delay: saved now, visible later."""
        self.control.edit(self.objects[kind], crm_id, self._in_its_words(kind, values), delay_s=delay_s)
        return f"edit {kind} {crm_id}: {dict(values)}" + (f", visible {delay_s} s later" if delay_s else "")

    def _in_its_words(self, kind: Kind, values: Values) -> dict[str, str | None]:
        return {self.fields.get(f"{word} of a {kind}", self.fields.get(word, word)): value for word, value in values.items()}

    def delete(self, kind: Kind, crm_id: str) -> str:
        self.control.delete(self.objects[kind], crm_id)
        return f"delete {kind} {crm_id}"

    def undelete(self, kind: Kind, crm_id: str) -> str:
        self.control.undelete(self.objects[kind], crm_id)
        return f"undelete {kind} {crm_id}"

    def merge(self, kind: Kind, winner: str, loser: str) -> str:
        self.control.merge(self.objects[kind], winner, loser)
        return f"merge {kind} {loser} into {winner}"

    def convert(self, lead: str, *, contact: str | None = None, new_id: str | None = None) -> str:
        """Into a contact that is there, or into a new one with this id."""
        told = self.control.convert_lead(lead, contact=contact, new_id=new_id)
        return f"convert {lead} into {'the' if contact else 'a new'} contact {told['contact_id']}"

    def empty_the_bin(self) -> str:
        """Deleted records leave for good; the CRM's log still knows of them."""
        raise NotImplementedError

    def touch(self, kind: Kind) -> str:
        """A mass update that changes nothing but the stamps, which are one."""
        living = [seen.crm_id for seen in self.records(kind) if not seen.is_deleted]
        return f"touch all {kind.plural}: {self.control.touch(self.objects[kind], living)}"

    def flag_address(self, address: str, *, out: bool) -> str:
        """Whoever has this address is to be mailed no more, or again."""
        return f"{'out' if out else 'in'}: {address}, {self.control.opt_out(address, out)} times"

    def flag_record(self, kind: Kind, crm_id: str, *, out: bool) -> str:
        """This record is to be mailed no more, or again, whatever others with the same address say."""
        raise NotImplementedError

    def bounce(self, address: str) -> str:
        """Mail to this address came back."""
        return f"bounced: {address}, {self.control.bounce(address)} times"

    # -- trouble and time -----------------------------------------------------------------------------------------------

    def trouble(self, *rules: FaultRule) -> None:
        """From now on the CRM answers like this; without rules it is calm."""
        self.control.set_faults(*rules)

    def wait(self, seconds: float) -> str:
        return f"wait until {self.control.advance_clock(seconds)}"


class SugarColleagues(Colleagues):
    """An opt-out is a flag of the address, which all records share that carry it. A merge leaves no pointer."""

    crm = "sugarcrm"
    objects: ClassVar[Mapping[Kind, str]] = {
        Kind.USER: "Users", Kind.ACCOUNT: "Accounts", Kind.LEAD: "Leads", Kind.CONTACT: "Contacts", Kind.OPPORTUNITY: "Opportunities",
    }  # fmt: skip
    fields: ClassVar[Mapping[str, str]] = {
        "id": "id", "name": "name", "name of a lead": "last_name", "name of a contact": "last_name", "address": "email1", "title": "title",
        "account": "account_id", "owner": "assigned_user_id",
    }  # fmt: skip
    texts: ClassVar[Mapping[Kind, tuple[str, ...]]] = {
        Kind.USER: ("title", "phone_work"),
        Kind.ACCOUNT: ("industry", "phone_office", "website"),
        Kind.LEAD: ("title", "phone_work", "status_description"),
        Kind.CONTACT: ("title", "department", "phone_mobile"),
        Kind.OPPORTUNITY: ("next_step", "lead_source"),
    }
    cannot: ClassVar[Mapping[str, str]] = {
        "flag_a_record": "an opt-out belongs to the address, and all records that carry it share it",
        "go_away_and_empty_the_bin": "a deleted record that was pruned leaves no trace, so that only reconciliation misses it",
        "merge_accounts": "a merge leaves no pointer, and accounts have no addresses by which it could be told from a deletion",
    }
    _NAMES_OF_OTHERS = frozenset(
        {"account_name", "assigned_user_name", "created_by_name", "modified_by_name", "report_to_name", "campaign_name"}
    )

    def _seen(self, row: dict[str, Any]) -> Seen:
        addresses = tuple(held["email_address"] for held in row.get("email") or ())
        return Seen(row["id"], bool(row["deleted"]), bool(row.get("converted")), addresses)

    def changes_unstamped(self, kind: str, column: str) -> bool:
        own = kind == Kind.ACCOUNT and column == "account_name"
        return (column in self._NAMES_OF_OTHERS and not own) or (kind == Kind.OPPORTUNITY and column == "contact_ref")

    def chosen_id(self, kind: Kind, dice: random.Random) -> str:
        return str(uuid.UUID(int=dice.getrandbits(128)))


class SalesforceColleagues(Colleagues):
    """An opt-out is a flag of the record: people with one address may say different things. A merge leaves a pointer."""

    crm = "salesforce"
    objects: ClassVar[Mapping[Kind, str]] = {
        Kind.USER: "User", Kind.ACCOUNT: "Account", Kind.LEAD: "Lead", Kind.CONTACT: "Contact", Kind.OPPORTUNITY: "Opportunity",
    }  # fmt: skip
    fields: ClassVar[Mapping[str, str]] = {
        "id": "Id", "name": "Name", "name of a lead": "LastName", "name of a contact": "LastName", "address": "Email", "title": "Title",
        "account": "AccountId", "owner": "OwnerId",
    }  # fmt: skip
    texts: ClassVar[Mapping[Kind, tuple[str, ...]]] = {
        Kind.USER: ("Title", "Phone"),
        Kind.ACCOUNT: ("Industry", "Phone", "Website"),
        Kind.LEAD: ("Title", "Phone", "Description"),
        Kind.CONTACT: ("Title", "Department", "MobilePhone"),
        Kind.OPPORTUNITY: ("NextStep", "LeadSource"),
    }
    cannot: ClassVar[Mapping[str, str]] = {}
    ways: ClassVar[tuple[str, ...]] = ("", "bulk_from_rows = 1")
    _PREFIXES: ClassVar[Mapping[Kind, str]] = {Kind.ACCOUNT: "001", Kind.CONTACT: "003", Kind.LEAD: "00Q", Kind.OPPORTUNITY: "006"}

    def _seen(self, row: dict[str, Any]) -> Seen:
        return Seen(row["Id"], row["IsDeleted"], bool(row.get("IsConverted")), (row["Email"],) if row.get("Email") else ())

    def changes_unstamped(self, kind: str, column: str) -> bool:
        return False  # names of others are no part of a record

    def chosen_id(self, kind: Kind, dice: random.Random) -> str:
        return numbered(self._PREFIXES[kind], dice.randrange(62**9))

    def empty_the_bin(self) -> str:
        return f"empty the bin: {self.control.purge()} left"

    def flag_record(self, kind: Kind, crm_id: str, *, out: bool) -> str:
        self.control.edit(self.objects[kind], crm_id, {"HasOptedOutOfEmail": out})
        return f"{'out' if out else 'in'}: {kind} {crm_id} alone"
