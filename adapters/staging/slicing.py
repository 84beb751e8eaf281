"""A slice of records beside what Market holds of the same keys: what is missing there, what differs, what came too late.

Tables that the tasks fill from Market's answers: `slice_links` (what Market knows in the range), `slice_rows` (the rows behind records
that differ), `told_since` (records of which Market was told while the slice was read).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from adapters.staging.duck import quote
from adapters.staging.facts import gather_facts
from adapters.staging.parcel import Parcel
from adapters.staging.reading import sql_type, value_of
from sync.fields import Reading, WritePolicy
from sync.records import PEOPLE, Removal

_MOST_COLUMNS = 12
_RULED = frozenset({"opt_out"})  # decided by the rules of consent, not by what the record says

# A record that no reader takes is not gone: its text names it.
_ABSENT = """
SELECT crm_id FROM {known}
WHERE crm_id NOT IN (SELECT crm_id FROM facts WHERE crm_id IS NOT NULL)
  AND NOT EXISTS (SELECT 1 FROM broken WHERE contains(content, crm_id))
ORDER BY crm_id
"""
_UNREAD = "(SELECT crm_id FROM slice_links WHERE living AND NOT left_scope)"
_NEWS = """
SELECT (SELECT count(*) FROM broken) + (
    SELECT count(*) FROM facts LEFT JOIN slice_links AS link ON link.crm_id = facts.crm_id
    WHERE link.crm_id IS NULL OR link.row_hash IS DISTINCT FROM facts.row_hash OR NOT link.living OR link.left_scope
)
"""
_DIFFERING = """
SELECT DISTINCT link.market_id FROM slice_links AS link JOIN facts USING (crm_id)
WHERE link.row_hash IS DISTINCT FROM facts.row_hash ORDER BY link.market_id
"""
_HELD_BESIDE = """
FROM facts JOIN raw ON raw.rowid = facts.seq JOIN slice_links AS link ON link.crm_id = facts.crm_id
LEFT JOIN slice_rows AS held ON held.market_id = link.market_id AND held.owner_crm_id = facts.crm_id
WHERE link.row_hash IS DISTINCT FROM facts.row_hash
"""
_SAME = "CREATE OR REPLACE TABLE slice_same AS SELECT facts.crm_id {beside} AND (held.market_id IS NULL OR NOT ({differs}))"
_NONE_SAME = "CREATE TABLE IF NOT EXISTS slice_same (crm_id VARCHAR)"
_COLUMNS = "SELECT {counts} {beside} AND held.market_id IS NOT NULL AND coalesce(facts.modified_at < ?, true)"
_DROP_OVERTAKEN = """
DELETE FROM facts USING told_since AS told
WHERE told.crm_id = facts.crm_id AND (told.written OR told.crm_modified_at > facts.modified_at)
"""
_DROP_UNREADABLE = "DELETE FROM unreadable WHERE seq NOT IN (SELECT seq FROM facts)"
_OUTCOME = """
SELECT count(*),
    count(*) FILTER (silent AND linked AND NOT same),
    count(*) FILTER (silent AND NOT linked AND crm_id NOT IN (SELECT crm_id FROM held_before WHERE crm_id IS NOT NULL)),
    count(*) FILTER (action <> 'ignore' AND NOT silent)
FROM (
    SELECT *, action <> 'ignore' AND coalesce(modified_at < ?, true) AS silent,
        NOT restore AND opt_out IS NULL AND crm_id IN (SELECT crm_id FROM slice_same) AS same
    FROM plan WHERE seq NOT IN (SELECT seq FROM set_aside)
)
"""


@dataclass(frozen=True, slots=True)
class SliceOutcome:
    """What one committed parcel of a slice came to, in records. `recent` ones changed so lately that the next core sync would have
    brought them; they are neither `healed` nor `missing`."""

    compared: int = 0
    healed: int = 0
    missing: int = 0
    recent: int = 0


def drop_overtaken(parcel: Parcel) -> None:
    """Leaves out records of which Market was told something newer since this parcel was begun: their turn comes again."""
    parcel.execute(_DROP_OVERTAKEN)
    parcel.execute(_DROP_UNREADABLE)


def unread(parcel: Parcel) -> tuple[str, ...]:
    """Living records in scope that Market has in this range and that did not come. Needs `slice_links`; makes `facts`."""
    gather_facts(parcel)
    return tuple(row[0] for row in parcel.execute(_ABSENT.format(known=_UNREAD)).fetchall())


def is_alike(parcel: Parcel) -> bool:
    """Whether Market has every record that came as it came. Needs `facts`, `slice_links`."""
    return parcel.scalar(_NEWS) == 0


def records(parcel: Parcel) -> int:
    """How many records came. Needs `facts`."""
    return parcel.scalar("SELECT count(*) FROM facts")


def came(parcel: Parcel, ids: Sequence[str]) -> tuple[str, ...]:
    """Those of these records that came, living. Needs `facts`."""
    parcel.learn("looked_for", pa.table({"crm_id": pa.array(list(ids), pa.string())}))
    return tuple(row[0] for row in parcel.execute("SELECT crm_id FROM looked_for JOIN facts USING (crm_id) ORDER BY crm_id").fetchall())


def differing_rows(parcel: Parcel) -> tuple[int, ...]:
    """Market keys behind records that are not as they were last read. Needs `facts`, `slice_links`."""
    return tuple(row[0] for row in parcel.execute(_DIFFERING).fetchall())


def compared_columns(parcel: Parcel) -> tuple[str, ...]:
    """The Market columns whose difference says something: those that the CRM's value simply replaces."""
    return tuple(reading.column for reading in _plain_readings(parcel))


def differing_columns(parcel: Parcel, silent_before: datetime) -> dict[str, int]:
    """Column → in how many records with an older stamp its value differs from Market's, the most frequent first. Needs `slice_rows`.

    Also keeps which records differ in nothing that Market holds: a field that came later changes every hash and no row.
    """
    there = {row[1] for row in parcel.execute("PRAGMA table_info('slice_rows')").fetchall()}
    tests = {reading.column: _differs(reading) for reading in _plain_readings(parcel) if reading.column in there}
    if not tests:
        return {}
    parcel.execute(_SAME.format(beside=_HELD_BESIDE, differs=" OR ".join(tests.values())))
    counts = ", ".join(f"count(*) FILTER (WHERE {test})" for test in tests.values())
    row = parcel.execute(_COLUMNS.format(counts=counts, beside=_HELD_BESIDE), [_naive(silent_before)]).fetchone() or ()
    found = [(column, int(count)) for column, count in zip(tests, row, strict=True) if count]
    return dict(sorted(found, key=lambda each: (-each[1], each[0]))[:_MOST_COLUMNS])


def _plain_readings(parcel: Parcel) -> list[Reading]:
    people = parcel.ref.kind in PEOPLE
    return [r for r in parcel.readings if r.policy is WritePolicy.OVERWRITE and not (people and r.column in _RULED)]


def _differs(reading: Reading) -> str:
    """Blank and nothing are told apart by nobody who reads the report."""
    type_ = sql_type(reading.type)
    ours, theirs = f"TRY_CAST(held.{quote(reading.column)} AS {type_})", value_of(reading)
    if type_ == "VARCHAR":
        ours, theirs = f"nullif(trim({ours}), '')", f"nullif(trim({theirs}), '')"
    return f"{ours} IS DISTINCT FROM {theirs}"


def absent(parcel: Parcel, asked: Sequence[str]) -> tuple[Removal, ...]:
    """Of records that were asked for by name those that did not come, with what the CRM says of their removal."""
    parcel.learn("asked", pa.table({"crm_id": pa.array(list(asked), pa.string())}))
    gather_facts(parcel)
    told = {
        crm_id: (at, merged_into)
        for crm_id, at, merged_into in parcel.execute("SELECT crm_id, removed_at, merged_into FROM removed ORDER BY removed_at").fetchall()
    }
    gone = [row[0] for row in parcel.execute(_ABSENT.format(known="asked")).fetchall()]
    return tuple(_removal(crm_id, *told.get(crm_id, (None, None))) for crm_id in gone)


def _removal(crm_id: str, at: datetime | None, merged_into: str | None) -> Removal:
    return Removal(crm_id, at.replace(tzinfo=UTC) if at else None, merged_into)


def outcome(parcel: Parcel, silent_before: datetime) -> SliceOutcome:
    """After the commit: what it did. Changes with a stamp at or after `silent_before` are ordinary ones."""
    parcel.execute(_NONE_SAME)
    row = parcel.execute(_OUTCOME, [_naive(silent_before)]).fetchone()
    return SliceOutcome(*row) if row else SliceOutcome()


def total(outcomes: Iterable[SliceOutcome]) -> SliceOutcome:
    found = list(outcomes)
    return SliceOutcome(*(sum(getattr(each, name) for each in found) for name in SliceOutcome.__slots__))


def _naive(instant: datetime) -> datetime:
    """As parcels hold instants: UTC, without a zone."""
    return instant.astimezone(UTC).replace(tzinfo=None)
