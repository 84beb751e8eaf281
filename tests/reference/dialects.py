"""How a record of the reference world looks when a CRM sends it, and what that CRM can't say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from adapters.sandbox.salesforce.ids import numbered
from sync.fields import BOOLEAN, INSTANT, INTEGER, TEXT, Reading
from sync.mapping import MappingRow
from sync.mapping_salesforce import SALESFORCE
from sync.mapping_sugarcrm import SUGARCRM
from sync.records import Kind, PageFormat
from tests.pull_road import SALESFORCE_LOGIN, SUGAR_LOGIN
from tests.reference.stories import READINGS, raw
from tests.reference.world import Record


@dataclass(frozen=True)
class Dialect:
    """One CRM's way to say what the world's records say.

    `id_of`: the CRM's id of a short one, such as `c1`, or of our key for a record that we made. `sent`: a record on the wire. `can_be`: the
    record as far as this CRM can hold it. `formats`: in which ways pages are written. `flags_records`: an opt-out stands in the record, so
    that one without an address can say it too.
    """

    crm: str
    readings: Mapping[Kind, tuple[Reading, ...]]
    id_of: Callable[[str], str]
    sent: Callable[[Kind, Record], dict[str, Any]]
    can_be: Callable[[Kind, Record], Record]
    mapping: tuple[MappingRow, ...]
    login: str
    formats: tuple[PageFormat, ...] = (PageFormat.NDJSON,)
    flags_records: bool = False

    def __repr__(self) -> str:
        return self.crm


def _as_it_is(kind: Kind, record: Record) -> Record:
    return record


SUGAR = Dialect("sugarcrm", READINGS, str, raw, _as_it_is, SUGARCRM, SUGAR_LOGIN)

_IDENTITY = (Reading("crm_id", "Id", TEXT, mapped=True), Reading("crm_modified_at", "SystemModstamp", INSTANT, mapped=True))
_OWNER = Reading("owner_ref", "OwnerId", TEXT, mapped=True)
_EMAIL = Reading("email", "Email", TEXT, mapped=True)
_PERSON = (
    *_IDENTITY,
    _OWNER,
    _EMAIL,
    Reading("opt_out", "HasOptedOutOfEmail", BOOLEAN, mapped=True),
    Reading("title", "Title", TEXT, mapped=True),
    Reading("score", "Score__c", INTEGER),
)
_READINGS: dict[Kind, tuple[Reading, ...]] = {
    Kind.USER: (*_IDENTITY, _EMAIL, Reading("last_name", "LastName", TEXT, mapped=True)),
    Kind.ACCOUNT: (*_IDENTITY, _OWNER, Reading("account_name", "Name", TEXT, mapped=True)),
    Kind.LEAD: (
        *_PERSON,
        Reading("company", "Company", TEXT, mapped=True),
        Reading("converted_contact_ref", "ConvertedContactId", TEXT, mapped=True),
    ),
    Kind.CONTACT: (*_PERSON, Reading("account_ref", "AccountId", TEXT, mapped=True)),
}
_PREFIXES = {"u": "005", "a": "001", "l": "00Q", "c": "003"}
_MADE_FROM = 62**4
_REFERENCES = ("id", "owner", "account", "converted_to")


def _salesforce_id(short: str) -> str:
    """`c1` → an id of 18 characters; what is none of the world's is our key of a lead that we made."""
    if len(short) == 2 and short[0] in _PREFIXES:
        return numbered(_PREFIXES[short[0]], int(short[1:]))
    return numbered("00Q", _MADE_FROM + crc32(short.encode()))


def _as_salesforce_can(kind: Kind, record: Record) -> Record:
    """Its own ids; an empty text is none; a lead has a company and no account."""
    found = {name: _nothing_for_empty(value) for name, value in record.items()}
    found |= {name: _salesforce_id(found[name]) for name in _REFERENCES if found.get(name) and len(found[name]) != 18}
    if "values" in found:
        found["values"] = {name: _nothing_for_empty(value) for name, value in record["values"].items()}
    return found | {"account": None} if kind is Kind.LEAD else found


def _nothing_for_empty(value: Any) -> Any:
    return None if value == "" else value


def _salesforce_sends(kind: Kind, record: Record) -> dict[str, Any]:
    """As `as_salesforce_can` left it; a hidden field is not there."""
    stamp = f"2026-01-01T{record['modified'] // 60:02}:{record['modified'] % 60:02}:00.000Z"
    sent: dict[str, Any] = {"Id": record["id"], "SystemModstamp": stamp}
    if kind is not Kind.USER:
        sent["OwnerId"] = record["owner"]
    if kind is Kind.ACCOUNT:
        return sent | {"Name": record["name"]}
    sent["Email"] = record["email"]
    if kind is Kind.USER:
        return sent | {"LastName": record["name"]}
    if record["out"] is not None:
        sent["HasOptedOutOfEmail"] = record["out"]
    names = {"title": "Title", "score": "Score__c"}
    sent |= {names[name]: value for name, value in record["values"].items()}
    if kind is Kind.CONTACT:
        return sent | {"AccountId": record["account"]}
    return sent | {"Company": record["company"], "ConvertedContactId": record["converted_to"]}


SALES = Dialect(
    "salesforce",
    _READINGS,
    _salesforce_id,
    _salesforce_sends,
    _as_salesforce_can,
    SALESFORCE,
    SALESFORCE_LOGIN,
    formats=(PageFormat.NDJSON, PageFormat.CSV),
    flags_records=True,
)
DIALECTS = (SUGAR, SALES)
