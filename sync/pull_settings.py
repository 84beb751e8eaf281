"""What comes from a CRM: the pull options, and the custom objects (CONN-5, CUST-1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.records import PULL_ORDER, Kind
from sync.setting import doc as _doc


@dataclass(frozen=True, slots=True)
class PullOption:
    """On or off. `expected_rows`: the number of records that the operator expects; the initial sync compares (CONN-5, INIT-6)."""

    on: bool
    expected_rows: int | None = None


_ON, _OFF = PullOption(True), PullOption(False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOptions:
    """What comes from the CRM (CONN-5): true, false, or { expected = N } with the number of records that you expect."""

    users: PullOption = field(default=_ON, metadata=_doc("The CRM's users: who owns the records."))
    accounts: PullOption = field(default=_ON, metadata=_doc("Accounts."))
    leads: PullOption = field(default=_ON, metadata=_doc("Leads."))
    contacts: PullOption = field(default=_ON, metadata=_doc("Contacts."))
    opportunities: PullOption = field(default=_ON, metadata=_doc("Opportunities."))
    marketing_lists: PullOption = field(default=_OFF, metadata=_doc("Marketing lists and their members."))
    unsubscribes: PullOption = field(default=_ON, metadata=_doc("Opt-outs that the CRM keeps with the address and not with the record."))
    custom_objects: PullOption = field(default=_ON, metadata=_doc("The custom objects that are configured (CUST-1)."))
    deletions: PullOption = field(default=_ON, metadata=_doc("Records that were deleted in the CRM are marked as deleted here (DEL-1)."))

    def option(self, kind: Kind) -> PullOption:
        option: PullOption = getattr(self, "marketing_lists" if kind is Kind.LIST else kind.plural)
        return option

    def kinds(self) -> tuple[Kind, ...]:
        """The core kinds that are on, in the order of INIT-1."""
        return tuple(kind for kind in PULL_ORDER if self.option(kind).on)

    def expected(self, kind: Kind) -> int | None:
        """How many records the operator expects, None if that was not said."""
        return self.option(kind).expected_rows


@dataclass(frozen=True, slots=True)
class CustomObject:
    """One custom object that comes down. `object`: its name in the CRM; `person` and `account`: its fields that hold the CRM ids of the
    lead or contact and of the account that a record belongs to."""

    object: str
    person: str | None = None
    account: str | None = None
    expected: int | None = None
