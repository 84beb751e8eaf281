"""One field read as one type: what comes out, and what is set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.staging import ParcelStore
from adapters.staging.facts import gather_facts
from adapters.staging.reading import value_of
from sync.fields import TEXT, Reading
from sync.records import Kind, Page


@dataclass(frozen=True)
class Outcome:
    """Of the records 0, 1, 2, …: the values in Market, those that could not be read, those that could not even be taken in."""

    values: dict[str, Any]
    raw: dict[str, str | None]
    unreadable: dict[str, str]
    broken: list[tuple[int, str, str]]

    @property
    def value(self) -> Any:
        """Of the only record. Fails if it was set aside."""
        assert not self.unreadable
        assert not self.broken
        return self.values["0"]


Read = Callable[..., Outcome]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Stages lines of JSON and reads the field `f` as the reading says. A line is a field's value, or a record if it is marked so."""
    store = ParcelStore(tmp_path)

    def read_field(reading: Reading, *values: bytes, records: Sequence[bytes] = ()) -> Outcome:
        lines = [b'{"id": "%d", "f": %b}' % (at, value) for at, value in enumerate(values)] + list(records)
        ref = store.create("acme", Kind.LEAD, "test", ("id", "f"), (Reading("crm_id", "id", TEXT), reading), {})
        with store.open(ref) as parcel:
            spool = parcel.spool()
            for line in lines:
                spool.add(Page("s", line, 1, "next", len(line)))
            spool.flush()
            spool.close()
            gather_facts(parcel)
            rows = parcel.execute(f"SELECT id, f, {value_of(reading)} FROM raw").fetchall()
            unreadable = dict(parcel.execute("SELECT crm_id, value FROM unreadable").fetchall())
            broken = parcel.execute("SELECT ordinal, content, reason FROM broken ORDER BY ordinal").fetchall()
        return Outcome({row[0]: row[2] for row in rows}, {row[0]: row[1] for row in rows}, unreadable, broken)

    return read_field
