"""What a record is: the kinds, and their order."""

from __future__ import annotations

import re
from enum import StrEnum


class Kind(StrEnum):
    """What a record is. The order of the first ones is that of INIT-1 and PULL-5; `PULL_ORDER` names the core ones. The others are what
    is written to a CRM (PUSH), in the order in which one run does it: opt-outs first (CONSENT-9), and people before what they did.

    The kinds of custom objects are not listed here, because only a configuration knows them (CUST-1): `Kind("custom_subscription")` is one.
    Such a kind is named after its Market table, is one and the same object wherever it is asked for, and goes every road that a core kind
    goes; so parcels, cursors, links, quarantine and slices know nothing of custom objects.
    """

    USER = "user"
    ACCOUNT = "account"
    LEAD = "lead"
    CONTACT = "contact"
    OPPORTUNITY = "opportunity"
    LIST = "list"
    LIST_MEMBER = "list member"
    ADDRESS = "address"  # what a CRM keeps with an address and not with its holders: opt-outs
    OPT_OUT = "opt-out"
    SCORE = "score"
    NEW_LEAD = "new lead"
    UPDATE = "record update"
    SENT = "sent email"
    OPENED = "opened email"
    CLICKED = "clicked email"
    TASK = "task"
    VISIT = "web visit"
    COMPLETION = "landing page completion"
    REGISTRATION = "event registration"

    @classmethod
    def _missing_(cls, value: object) -> Kind | None:
        """What is no member may be a custom object's kind. Anything else is a ValueError, as of every enumeration."""
        if not isinstance(value, str) or not _CUSTOM_NAME.fullmatch(value):
            return None
        if value not in _custom_kinds:
            kind = str.__new__(cls, value)
            kind._name_ = kind._value_ = value
            _custom_kinds.setdefault(value, kind)  # threads may get here at once: the first one counts for all
        return _custom_kinds[value]

    @property
    def is_custom(self) -> bool:
        """Whether it is a custom object of a CRM (CUST-1)."""
        return self.value in _custom_kinds

    @property
    def place(self) -> tuple[int, str]:
        """Sorts kinds as they are declared, and custom objects by name after the core kinds and lists (INIT-1)."""
        return (_PLACES[Kind.LIST_MEMBER] if self.is_custom else _PLACES[self], self.value if self.is_custom else "")

    @property
    def table(self) -> str:
        """The Market table that holds this kind. Leads and contacts share one."""
        return self.value if self.is_custom else _TABLES.get(self.value, "contacts")

    @property
    def key(self) -> str:
        """The integer key of that table."""
        return CUSTOM_KEY if self.is_custom else _KEYS.get(self.table, "contact_id")

    @property
    def plural(self) -> str:
        if self.is_custom:
            return f"{self.value} records"
        if self.value.endswith("y"):
            return self.value[:-1] + "ies"
        return self.value + ("es" if self.value.endswith("s") else "s")

    def counted(self, count: int) -> str:
        """So many records of this kind, in words: 1 lead, 2,000 leads."""
        return f"{count:,} {self.value if count == 1 else self.plural}"


_TABLES = {
    "user": "users",
    "account": "accounts",
    "opportunity": "opportunities",
    "list": "marketing_lists",
    "list member": "marketing_list_members",
}

_KEYS = {"users": "user_id", "accounts": "account_id", "opportunities": "opportunity_id", "marketing_lists": "list_id"}

CUSTOM_PREFIX = "custom_"
"""What the Market tables of custom objects begin with, and no other does."""

CUSTOM_KEY = "record_id"
_CUSTOM_NAME = re.compile(r"custom_[a-z][a-z0-9_]{0,29}")
_custom_kinds: dict[str, Kind] = {}
_PLACES = {kind: place for place, kind in enumerate(Kind)}

PULL_ORDER: tuple[Kind, ...] = (Kind.USER, Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT, Kind.OPPORTUNITY)
PEOPLE: frozenset[Kind] = frozenset({Kind.LEAD, Kind.CONTACT})
PUSHED: tuple[Kind, ...] = tuple(Kind)[tuple(Kind).index(Kind.OPT_OUT) :]
"""What is written to a CRM."""
