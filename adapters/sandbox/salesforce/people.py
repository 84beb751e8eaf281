"""Contacts and leads of a batch: names, addresses that are shared, written differently or missing, people who are both."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from adapters.sandbox.invented import DOMAINS, latin
from adapters.sandbox.salesforce.pools import Column

if TYPE_CHECKING:
    from adapters.sandbox.salesforce.populate import Columns, Populator


class Person(NamedTuple):
    """Who somebody is, for the records that are the same person."""

    record_id: str
    account_id: str | None
    first_name: str | None
    last_name: str
    email: str
    out: str


def contacts(fill: Populator, size: int, columns: Columns) -> Columns:
    """The columns of contacts that are more than fillers."""
    found = _person(fill, size, columns)
    found["AccountId"] = fill.some("Account", size, fill.rates.missing_account)
    found["ReportsToId"] = fill.some("Contact", size, 0.9)
    found["IsEmailBounced"] = ["true" if when else "false" for when in found["EmailBouncedDate"]]
    _share(fill, size, found)
    rows = zip(
        columns["Id"], found["AccountId"], found["FirstName"], found["LastName"], found["Email"], found["HasOptedOutOfEmail"], strict=True
    )
    fill.remember_people([Person(*row) for row in rows if row[4]])
    return found


def leads(fill: Populator, size: int, columns: Columns) -> Columns:
    """The columns of leads that are more than fillers; some are contacts as well, and some of those were made of them."""
    found = _person(fill, size, columns)
    _share(fill, size, found)
    converted: Columns = {name: [None] * size for name in ("ConvertedDate", "ConvertedAccountId", "ConvertedContactId")}
    converted["IsConverted"] = ["false"] * size
    for at in fill.hits(size, fill.rates.lead_is_contact) if fill.people else []:
        _becomes(found, at, fill.dice.choice(fill.people))
    for at in fill.hits(size, fill.rates.converted_lead) if fill.people else []:
        person = fill.dice.choice(fill.people)
        _becomes(found, at, person)
        converted["IsConverted"][at] = "true"
        converted["ConvertedDate"][at] = columns["SystemModstamp"][at][:10]
        converted["ConvertedContactId"][at] = person.record_id
        converted["ConvertedAccountId"][at] = person.account_id
        columns["Status"][at] = "Qualified"
    return found | converted


def _person(fill: Populator, size: int, columns: Columns) -> Columns:
    dice, rates = fill.dice, fill.rates
    names, others = dice.choices(latin(dice, 200), k=size), dice.choices(latin(dice, 200), k=size)
    places = dice.choices(DOMAINS, k=size)
    first = fill.serial
    fill.serial += size
    texts: Column = [f"{a}.{b}{first + n:x}@{place}" for n, (a, b, place) in enumerate(zip(names, others, places, strict=True))]
    for at in fill.hits(size, rates.no_email):
        texts[at] = None
    found: Columns = {"Email": texts, "FirstName": columns["FirstName"], "LastName": columns["LastName"]}
    found["HasOptedOutOfEmail"] = ["true" if dice.random() < rates.opted_out else "false" for _ in range(size)]
    found["EmailBouncedDate"] = [None] * size
    found["EmailBouncedReason"] = [None] * size
    for at in fill.hits(size, rates.bounced):
        if texts[at]:
            found["EmailBouncedDate"][at] = columns["SystemModstamp"][at]
            found["EmailBouncedReason"][at] = "550 5.1.1 user unknown"
    return found


def _share(fill: Populator, size: int, found: Columns) -> None:
    """Two people, one address; or the same address written differently. The first batch shares within itself."""
    known = [person.email for person in fill.people] or [email for email in found["Email"] if email]
    if not known:
        return
    for at in fill.hits(size, fill.rates.shared_address):
        found["Email"][at] = fill.dice.choice(known)
    for at in fill.hits(size, fill.rates.address_variant):
        base = fill.dice.choice(known)
        found["Email"][at] = base.upper() if at % 2 else base.title()


def _becomes(found: Columns, at: int, person: Person) -> None:
    found["FirstName"][at], found["LastName"][at] = person.first_name, person.last_name
    found["Email"][at], found["HasOptedOutOfEmail"][at] = person.email, person.out


def full_names(columns: Columns) -> Column:
    """The compound name of each row."""
    pairs = zip(columns["FirstName"], columns["LastName"], strict=True)
    return [f"{first} {last}" if first else last for first, last in pairs]
