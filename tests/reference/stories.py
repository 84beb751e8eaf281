"""Small, crowded worlds: few addresses, few ids, so that nearly every record meets another one. And how they reach a parcel."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from sync.fields import BOOLEAN, INSTANT, INTEGER, TEXT, Pick, Reading
from sync.records import Kind
from tests.reference.world import Record

EMAILS = (None, "", "ann@x.test", " Ann@X.TEST", "bob@x.test", "Bob@x.test ", "eve@x.test")
USERS = {"u1": "ann@x.test", "u2": "bob@x.test", "u3": " Ann@X.TEST"}
"""Their addresses stay: users whose addresses wander have tests of their own in `tests/tasks/test_linking.py`."""
OWNERS = (None, "u1", "u2", "u9")
_IDENTITY = (
    Reading("crm_id", "id", TEXT, mapped=True),
    Reading("crm_modified_at", "date_modified", INSTANT, mapped=True),
)
_OWNER = Reading("owner_ref", "assigned_user_id", TEXT, mapped=True)
_EMAIL = Reading("email", "email", TEXT, Pick("primary_address", "email_address"), mapped=True)
_PERSON = (
    *_IDENTITY,
    _OWNER,
    _EMAIL,
    Reading("opt_out", "email", BOOLEAN, Pick("primary_address", "opt_out"), mapped=True),
    Reading("account_ref", "account_id", TEXT, mapped=True),
    Reading("title", "title", TEXT, mapped=True),
    Reading("score", "score", INTEGER),
)
READINGS: dict[Kind, tuple[Reading, ...]] = {
    Kind.USER: (*_IDENTITY, _EMAIL, Reading("last_name", "last_name", TEXT, mapped=True)),
    Kind.ACCOUNT: (*_IDENTITY, _OWNER, Reading("account_name", "name", TEXT, mapped=True)),
    Kind.LEAD: (
        *_PERSON,
        Reading("company", "account_name", TEXT, mapped=True),
        Reading("converted_contact_ref", "contact_id", TEXT, mapped=True),
    ),
    Kind.CONTACT: _PERSON,
}


@dataclass(frozen=True)
class Batch:
    """One parcel: its records in the order in which they came, cut into flushes of pages."""

    kind: Kind
    records: tuple[Record, ...]
    cuts: int

    def flushes(self, sent: Callable[[Kind, Record], dict[str, Any]]) -> list[list[list[dict[str, Any]]]]:
        """Any order of pages, any split: `cuts` says which. `sent`: a record as its CRM sends it."""
        order = random.Random(self.cuts)
        left = [sent(self.kind, record) for record in self.records]
        order.shuffle(left)
        flushes: list[list[list[dict[str, Any]]]] = [[]]
        while left:
            page, left = left[: order.randint(1, 4)], left[4:] if order.random() < 0 else left
            left = left[len(page) :]
            flushes[-1].append(page)
            if order.random() < 0.4:
                flushes.append([])
        return [pages for pages in flushes if pages]


def raw(kind: Kind, record: Record) -> dict[str, Any]:
    """A record as SugarCRM would send it. "No reference" is null in some records and an empty text in others."""
    nothing = "" if record["id"][-1] in "24" else None
    sent: dict[str, Any] = {
        "id": record["id"],
        "date_modified": f"2026-01-01T{record['modified'] // 60:02}:{record['modified'] % 60:02}:00Z",
    }
    if kind in (Kind.LEAD, Kind.CONTACT, Kind.ACCOUNT):
        sent["assigned_user_id"] = record["owner"] or nothing
    if kind is not Kind.ACCOUNT:
        flags = {} if kind is Kind.USER or record["out"] is None else {"opt_out": record["out"]}
        sent["email"] = (
            [] if record["email"] is None and not flags else [{"email_address": record["email"], "primary_address": True, **flags}]
        )
    if kind is Kind.USER:
        return sent | {"last_name": record["name"]}
    if kind is Kind.ACCOUNT:
        return sent | {"name": record["name"]}
    sent |= {"account_id": record["account"] or nothing, **record["values"]}
    return sent if kind is Kind.CONTACT else sent | {"account_name": record["company"], "contact_id": record["converted_to"] or nothing}


def _people(kind: Kind) -> dict[str, st.SearchStrategy[Any]]:
    prefix = kind.value[0]
    return {
        "id": st.sampled_from([f"{prefix}{n}" for n in range(1, 5)]),
        "email": st.sampled_from(EMAILS),
        "out": st.sampled_from((True, False, False, None)),
        "owner": st.sampled_from(OWNERS),
        "account": st.sampled_from((None, None, "a1", "a2", "a9")),
        "company": st.sampled_from((None, "", "Acme", " ACME ", "Zed")) if kind is Kind.LEAD else st.none(),
        "converted_to": st.sampled_from((None, None, None, "c1", "c2")) if kind is Kind.LEAD else st.none(),
        "values": st.fixed_dictionaries({"title": st.sampled_from((None, "", "Ms", "Dr")), "score": st.sampled_from((None, 0, 7))}),
    }


_FIELDS: dict[Kind, dict[str, st.SearchStrategy[Any]]] = {
    Kind.USER: {"id": st.sampled_from(tuple(USERS)), "name": st.sampled_from(("Ann", "Bob"))},
    Kind.ACCOUNT: {"id": st.sampled_from(("a1", "a2")), "name": st.sampled_from(("", "+")), "owner": st.sampled_from(OWNERS)},
    Kind.LEAD: _people(Kind.LEAD),
    Kind.CONTACT: _people(Kind.CONTACT),
}
IMPORTS = st.lists(
    st.tuples(st.sampled_from(EMAILS), st.booleans(), st.integers(1, 3), st.booleans(), st.sampled_from((False, False, False, True))),
    max_size=4,
)


@st.composite
def batches(draw: st.DrawFn, cycles: int = 2) -> list[Batch]:
    """Some cycles of users, accounts, leads, contacts. Whatever is modified is modified after everything that came before."""
    story: list[Batch] = []
    for cycle in range(cycles):
        for at, kind in enumerate((Kind.USER, Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT)):
            base = (cycle * 4 + at) * 20
            fields = {**_FIELDS[kind], "modified": st.integers(base, base + 6)}
            records = draw(st.lists(st.fixed_dictionaries(fields), max_size=6, unique_by=lambda each: (each["id"], each["modified"])))
            if kind is Kind.ACCOUNT:
                records = [{**each, "name": {"a1": "Acme", "a2": "Zed"}[each["id"]] + each["name"]} for each in records]
            if kind is Kind.USER:
                records = [{**each, "email": USERS[each["id"]]} for each in records]
            story.append(Batch(kind, tuple(records), draw(st.integers(0, 1000))))
    return story
