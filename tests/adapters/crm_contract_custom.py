"""CUST-1: the suite that every CRM adapter passes for custom objects: their kind goes wherever a core kind goes.

A dialect's test module gives a `CustomBench` by the fixture `custom_bench`, and derives a class from the suite.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from datetime import UTC, datetime, timedelta

from sync.crm import Crm
from sync.fields import ValueType
from sync.records import Condition, Filter, Kind, ReadRequest, Removal, Window

KIND = Kind("custom_subscription")
DAY = datetime(2026, 8, 1, tzinfo=UTC)


class CustomBench(ABC):
    """One sandbox with a custom object and no record of it, acted on in neutral words."""

    @abstractmethod
    def adapter(self, *, page_rows: int = 10) -> Crm:
        """An adapter that was made with `objects={KIND: …}`."""

    @abstractmethod
    def make(self, record_id: str, person: str, account: str, status: str) -> None:
        """A colleague makes a record that belongs to this person and account."""

    @abstractmethod
    def stamp(self, ids: list[str], at: datetime) -> None:
        """These records get this modified stamp."""

    @abstractmethod
    def delete(self, record_id: str) -> None:
        """A colleague deletes a record."""

    @abstractmethod
    def hide_field(self, name: str) -> None:
        """An administrator takes a field from the syncing user."""

    @property
    @abstractmethod
    def object_name(self) -> str:
        """The CRM's word for the object."""

    @property
    @abstractmethod
    def fields(self) -> tuple[str, str, str, str]:
        """The CRM's names of: the key, the person's lookup, the account's lookup, a text field `status`."""

    @abstractmethod
    def record_id(self, number: int) -> str:
        """An id as this CRM's records have them; they sort as their numbers do."""


class CustomObjectSuite:
    """CUST-1."""

    def test_cust_1_it_is_described_with_its_lookups_and_may_be_read(self, custom_bench: CustomBench) -> None:
        crm = custom_bench.adapter()
        schema = crm.describe([Kind.CONTACT, KIND])[KIND]
        assert schema.object_name == custom_bench.object_name and set(custom_bench.fields) <= set(schema.names())
        assert {schema.get(name).type.value for name in custom_bench.fields if schema.get(name)} == {ValueType.TEXT}  # type: ignore[union-attr]
        assert any(custom_bench.object_name in line.subject and line.ok for line in crm.probe([Kind.ACCOUNT, KIND], []).lines)
        before = crm.fingerprint([KIND])
        custom_bench.hide_field(custom_bench.fields[3])
        assert custom_bench.fields[3] not in custom_bench.adapter().describe([KIND])[KIND].names()
        assert custom_bench.adapter().fingerprint([KIND]) != before

    def test_cust_1_each_record_comes_once_with_the_ids_that_it_looks_up_to(self, custom_bench: CustomBench) -> None:
        """PULL-1, PULL-3: whole, by window, by key and by filter; counts agree."""
        key, person, account, status = custom_bench.fields
        ids = [custom_bench.record_id(number) for number in range(25)]
        people = [custom_bench.record_id(100 + number % 3) for number in range(25)]
        for number, record in enumerate(ids):
            custom_bench.make(record, people[number], custom_bench.record_id(200), "active" if number % 5 == 0 else "ended")
        custom_bench.stamp(ids[:20], DAY)
        custom_bench.stamp(ids[20:], DAY + timedelta(days=3))
        crm = custom_bench.adapter(page_rows=10)
        found = _read(crm, ReadRequest(KIND, custom_bench.fields))
        assert sorted(row[key] for row in found) == ids
        assert {row[key]: row[person] for row in found} == dict(zip(ids, people, strict=True))
        assert {row[account] for row in found} == {custom_bench.record_id(200)}
        late = ReadRequest(KIND, (key,), Window(DAY + timedelta(days=1), DAY + timedelta(days=9)))
        assert sorted(row[key] for row in _read(crm, late)) == ids[20:]
        active = Filter((Condition(status, "equals", "active"),))
        assert sorted(row[key] for row in _read(crm, ReadRequest(KIND, (key,), filter=active))) == ids[::5]
        assert (crm.count(KIND), crm.count(KIND, where=active)) == (25, 5)
        assert sorted(row[key] for row in _read(crm, ReadRequest(KIND, (key,), ids=(ids[3], ids[7])))) == [ids[3], ids[7]]
        assert ids[3] in crm.place_of(KIND, ids[3])

    def test_del_1_a_deleted_record_is_told_and_is_not_among_the_records(self, custom_bench: CustomBench) -> None:
        """CUST-1."""
        key = custom_bench.fields[0]
        ids = [custom_bench.record_id(number) for number in range(3)]
        for record in ids:
            custom_bench.make(record, custom_bench.record_id(100), custom_bench.record_id(200), "active")
        crm = custom_bench.adapter()
        since = crm.now() - timedelta(hours=1)
        custom_bench.delete(ids[1])
        request = ReadRequest(KIND, (key,), Window(since, None), removals=True)
        pages = [page for stream in crm.streams(request) for page in crm.pages(request, stream)]
        assert [gone.crm_id for page in pages for gone in page.removed if isinstance(gone, Removal)] == [ids[1]]
        assert sorted(json.loads(line)[key] for page in pages for line in page.body.splitlines()) == [ids[0], ids[2]]
        assert crm.count_deleted(KIND, since) in (1, None)


def _read(crm: Crm, request: ReadRequest) -> list[dict[str, str]]:
    return [json.loads(line) for stream in crm.streams(request) for page in crm.pages(request, stream) for line in page.body.splitlines()]
