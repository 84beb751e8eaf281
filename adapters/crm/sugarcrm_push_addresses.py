"""Writing addresses without losing any (CONSENT-8).

Sugar keeps a record's addresses as one list, and writing it replaces the whole list. The flags sit on the address itself, which several
records share. So the list is read, changed, and written with the version that was read: when a colleague saved meanwhile (409), it is
read again. A flag that is off is not written at all: the list may be older than somebody else's opt-out of the same address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.crm.receipts import GONE, Ending
from adapters.crm.sugarcrm_lookup import read_named
from adapters.crm.sugarcrm_parts import Write
from adapters.crm.sugarcrm_writes import SugarWrites
from sync.errors import Transient
from sync.push import Outcome

Entry = Mapping[str, Any]
MOST_ROUNDS = 5
_FLAGS = ("opt_out", "invalid_email", "reply_to_address")
_NO_ADDRESS = "the record has no address in the CRM, so there is nothing to opt out"


@dataclass(frozen=True, slots=True)
class AddressWrite:
    """One record whose list of addresses is changed. `values`: what else is written with it. `changed`: the list as it is → as it shall
    be. `needs_address`: a record without any address is refused."""

    module: str
    crm_id: str
    changed: Callable[[Sequence[Entry]], Sequence[Entry]]
    values: Mapping[str, Any] = field(default_factory=dict)
    needs_address: bool = False


def opted_out(addresses: frozenset[str]) -> Callable[[Sequence[Entry]], Sequence[Entry]]:
    """The primary address, and each of these, out; everything else as it was."""

    def changed(entries: Sequence[Entry]) -> Sequence[Entry]:
        return [{**one, "opt_out": True} if is_on(one, "primary_address") or folded(one) in addresses else one for one in entries]

    return changed


def with_primary(address: str, *, out: bool = False) -> Callable[[Sequence[Entry]], Sequence[Entry]]:
    """This address in the place of the primary one, and out where that is said or the one before it was: nobody re-subscribed. The others
    stay. One that is on the list keeps its flags, and one that is the primary one already is left alone."""

    def changed(entries: Sequence[Entry]) -> Sequence[Entry]:
        wanted, was_out = address.strip().casefold(), any(is_on(one, "primary_address") and is_on(one, "opt_out") for one in entries)
        if any(folded(one) == wanted and is_on(one, "primary_address") for one in entries):
            return entries
        known = next((one for one in entries if folded(one) == wanted), {"email_address": address.strip()})
        rest = [one for one in entries if folded(one) != wanted and not is_on(one, "primary_address")]
        return [{**known, "primary_address": True} | ({"opt_out": True} if out or was_out else {}), *rest]

    return changed


def folded(entry: Entry) -> str:
    """An entry's address, fit for comparing (ADDR-2)."""
    return str(entry.get("email_address") or "").strip().casefold()


def is_on(entry: Entry, flag: str) -> bool:
    """Older releases write flags as text."""
    return entry.get(flag) in (True, 1, "1", "true")


def perform(writes: SugarWrites, wanted: Sequence[AddressWrite]) -> list[Ending]:
    """One ending per record, in the same order. What holds the wished-for list already is accepted without a write.

    What can't be read now is postponed.
    """
    endings: dict[int, Ending] = {}
    for _ in range(MOST_ROUNDS):
        open_ = [number for number in range(len(wanted)) if number not in endings or endings[number].conflict]
        if not open_:
            break
        try:
            prepared = _prepared(writes, [wanted[number] for number in open_])
        except Transient as trouble:
            endings |= {number: Ending(Outcome.POSTPONED, trouble=trouble) for number in open_}
            break
        to_write = [(number, each) for number, each in zip(open_, prepared, strict=True) if isinstance(each, Write)]
        endings |= {number: each for number, each in zip(open_, prepared, strict=True) if isinstance(each, Ending)}
        done = writes.perform([each for _, each in to_write])
        endings |= {number: ending for (number, _), ending in zip(to_write, done, strict=True)}
    return [endings[number] for number in range(len(wanted))]


def _prepared(writes: SugarWrites, wanted: Sequence[AddressWrite]) -> list[Write | Ending]:
    """Reads the lists of all these records, one call per module and hundred records; → what is to be written to each, if anything."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for module in dict.fromkeys(each.module for each in wanted):
        ids = [each.crm_id for each in wanted if each.module == module]
        records = read_named(writes.api, module, ids, ("id", "date_modified", "email"))
        found |= {(module, crm_id): record for crm_id, record in records.items()}
    return [_merged(each, found.get((each.module, each.crm_id))) for each in wanted]


def _merged(wanted: AddressWrite, record: Mapping[str, Any] | None) -> Write | Ending:
    if record is None:
        return Ending(Outcome.REFUSED, GONE, final=True)
    entries = [one for one in record.get("email") or [] if isinstance(one, dict) and folded(one)]
    if wanted.needs_address and not entries:
        return Ending(Outcome.REFUSED, _NO_ADDRESS, final=True)
    changed = wanted.changed(entries)
    if _said(changed) == _said(entries):
        if not wanted.values:
            return Ending(Outcome.ACCEPTED, crm_id=wanted.crm_id)
        return Write(wanted.module, wanted.crm_id, wanted.values)
    values = {**wanted.values, "email": _said(changed)}
    return Write(wanted.module, wanted.crm_id, values, unchanged_since=str(record.get("date_modified") or ""))


def _said(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The list as it is written: flags only where they are on."""
    return [
        {name: value for name, value in one.items() if name not in _FLAGS and name != "primary_address"}
        | {"primary_address": is_on(one, "primary_address")}
        | {flag: True for flag in _FLAGS if is_on(one, flag)}
        for one in entries
    ]
