"""What planning notices: MATCH-4."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.staging import ParcelStore
from adapters.staging.facts import gather_facts
from adapters.staging.noticing import _SHARED
from sync.fields import TEXT, Reading
from sync.records import Kind, Page

Shared = Callable[..., tuple[int, int, list[str]]]


@pytest.fixture
def shared(tmp_path: Path) -> Shared:
    """Groups, records and examples of leads that have these addresses, in order: l0000, l0001, …"""

    def of(*addresses: str) -> tuple[int, int, list[str]]:
        readings = (Reading("crm_id", "id", TEXT), Reading("email", "f", TEXT))
        ref = ParcelStore(tmp_path).create("acme", Kind.LEAD, "test", ("id", "f"), readings, {})
        with ParcelStore(tmp_path).open(ref) as parcel:
            spool = parcel.spool()
            for at, address in enumerate(addresses):
                spool.add(Page("s", json.dumps({"id": f"l{at:04}", "f": address}).encode(), 1, "next", 1))
            spool.flush()
            spool.close()
            gather_facts(parcel)
            groups, records, examples = parcel.execute(_SHARED).fetchall()[0]
        return groups, records, examples or []

    return of


def test_match_4_shared_addresses_are_listed_with_the_records_that_share_them(shared: Shared) -> None:
    assert shared("one@example.com", "two@example.com", " ONE@example.com", "three@example.com") == (1, 2, ["l0000 = l0002"])


def test_match_4_of_a_large_group_three_records_are_named(shared: Shared) -> None:
    assert shared(*["info@example.com"] * 120) == (1, 120, ["l0000 = l0001 = l0002 … and 117 more"])


def test_match_4_what_is_no_address_is_not_shared(shared: Shared) -> None:
    assert shared(*["not an address@", "none", "@example.com", "a b@example.com", "someone@"] * 2) == (0, 0, [])
