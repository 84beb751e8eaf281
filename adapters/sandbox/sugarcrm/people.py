"""E-mail addresses for a batch of invented records: shared ones, variants of one, none at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import orjson

from adapters.sandbox.invented import DOMAINS, guid, latin

if TYPE_CHECKING:
    from adapters.sandbox.sugarcrm.pools import Column
    from adapters.sandbox.sugarcrm.populate import Populator


class Address(NamedTuple):
    """One row of EmailAddresses."""

    id: str
    text: str
    opt_out: bool


class Person(NamedTuple):
    """Who somebody is, for the records that are the same person: names are JSON text."""

    record_id: str
    first_name: bytes
    last_name: bytes
    address: Address


@dataclass
class AddressBatch:
    """What a batch adds: `fresh` rows of EmailAddresses and `holders` in the order of that table's columns."""

    fresh: list[Address] = field(default_factory=list)
    holders: list[tuple[str, str, int, str, str, str, int, int, int, int]] = field(default_factory=list)


_LITERAL = b'{"email_address_id":"%b","email_address":%b,"primary_address":%b,"opt_out":%b,"invalid_email":false,"reply_to_address":false}'
_BOOL = (b"false", b"true")


def addresses_for(fill: Populator, module: str, ids: list[str], columns: dict[str, Column]) -> AddressBatch:
    """Choose addresses for a batch and write the e-mail columns. A lead that is a contact takes its names too."""
    batch = AddressBatch()
    chosen: list[Address | None] = _fresh(fill, len(ids))  # type: ignore[assignment]
    known: set[int] = set()
    if module == "Leads":
        known |= _same_people(fill, columns, chosen)
    if module in ("Contacts", "Leads"):
        known |= _shared(fill, chosen)
        for at in fill.hits(len(ids), fill.rates.malformed):
            chosen[at] = Address(guid(fill.dice), "not an address@", False)
            known.discard(at)
    for at in fill.hits(len(ids), fill.rates.no_email):
        chosen[at] = None
    second = set(fill.hits(len(ids), fill.rates.second_address))
    _write(fill, module, ids, columns, chosen, known, second, batch)
    if module == "Contacts":
        people = zip(ids, columns["first_name"], columns["last_name"], chosen, strict=True)
        fill.remember_people([Person(i, f, n, a) for i, f, n, a in people if a is not None])
    return batch


def _fresh(fill: Populator, size: int) -> list[Address]:
    dice, rate = fill.dice, fill.rates.opted_out
    names, others = dice.choices(latin(dice, 200), k=size), dice.choices(latin(dice, 200), k=size)
    places = dice.choices(DOMAINS, k=size)
    return [
        Address(guid(dice), f"{a}.{b}{dice.getrandbits(40):x}@{place}", dice.random() < rate)
        for a, b, place in zip(names, others, places, strict=True)
    ]


def _same_people(fill: Populator, columns: dict[str, Column], chosen: list[Address | None]) -> set[int]:
    """Leads that are contacts as well; some of them were converted into that contact."""
    hits = fill.hits(len(chosen), fill.rates.lead_is_contact) if fill.people else []
    for at in hits:
        person = fill.dice.choice(fill.people)
        columns["first_name"][at], columns["last_name"][at] = person.first_name, person.last_name
        chosen[at] = person.address
        if columns["converted"][at] == b"true":
            columns["contact_id"][at] = orjson.dumps(person.record_id)
    return set(hits)


def _shared(fill: Populator, chosen: list[Address | None]) -> set[int]:
    """Two people, one address; or the same address written differently, which is a row of its own in EmailAddresses,
    as careless imports leave it."""
    hits = fill.hits(len(chosen), fill.rates.shared_address)
    for at in hits:
        chosen[at] = fill.dice.choice(fill.people).address if fill.people else chosen[0]
    for at in fill.hits(len(chosen), fill.rates.address_variant):
        base = fill.dice.choice(fill.people).address if fill.people else chosen[0]
        if base is not None:
            text = (base.text.upper(), f" {base.text} ", base.text.title())[at % 3]
            chosen[at] = Address(guid(fill.dice), text, base.opt_out)
            hits = [hit for hit in hits if hit != at]
    return set(hits)


def _write(
    fill: Populator,
    module: str,
    ids: list[str],
    columns: dict[str, Column],
    chosen: list[Address | None],
    known: set[int],
    second: set[int],
    batch: AddressBatch,
) -> None:
    """The e-mail columns, the holders, and the rows of addresses that are new."""
    emails, firsts, outs = columns["email"], columns["email1"], columns["email_opt_out"]
    first_of_batch = chosen[0]
    for at, (record_id, address) in enumerate(zip(ids, chosen, strict=True)):
        if address is None:
            firsts[at] = b'""'
            continue
        if at not in known or (address == first_of_batch and at == 0):
            batch.fresh.append(address)
        entries = [address]
        if at in second and not address.text.strip().endswith("@"):
            entries.append(Address(guid(fill.dice), f"second.{address.text.strip().lower()}", False))
            batch.fresh.append(entries[1])
        parts = []
        for position, one in enumerate(entries):
            text = orjson.dumps(one.text)
            flag = _BOOL[one.opt_out]
            parts.append(_LITERAL % (one.id.encode(), text, _BOOL[position == 0], flag))
            caps = one.text.strip().upper()
            row = (module, record_id, position, one.id, one.text, caps, int(position == 0), int(one.opt_out), 0, 0)
            batch.holders.append(row)
        emails[at] = b"[%b]" % b",".join(parts)
        firsts[at], outs[at] = orjson.dumps(address.text), _BOOL[address.opt_out]
