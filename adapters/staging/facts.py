"""What the rules look at: one narrow row per incoming record, and what Market knows about it.

`facts`: seq (the row of `raw`), crm_id, modified_at, created_at, email, address_key, crm_out, the references, row_hash. One row per
CRM record: of several versions read in one window the newest stays. Market's answers stand beside it in the `known_*` tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from adapters.staging.duck import literal, quote
from adapters.staging.parcel import Parcel
from adapters.staging.reading import text_of, unreadable_when, value_of
from sync import address
from sync.fields import Reading

BEGUN_AT = "begun_at"
"""What a parcel tells of itself: when it was begun, on our clock, ISO text. Without it nothing counts as overtaken."""

BLANKS = "concat(" + ", ".join(f"chr({ord(each)})" for each in address.BLANKS) + ")"

# column of `facts` → (Market column whose reading fills it, SQL type when the CRM has no such field)
_FROM_READINGS = {
    "crm_id": ("crm_id", "VARCHAR"),
    "modified_at": ("crm_modified_at", "TIMESTAMP"),
    "created_at": ("crm_created_at", "TIMESTAMP"),
    "email": ("email", "VARCHAR"),
    "crm_out": ("opt_out", "BOOLEAN"),
    "owner_ref": ("owner_ref", "VARCHAR"),
    "account_ref": ("account_ref", "VARCHAR"),
    "contact_ref": ("contact_ref", "VARCHAR"),
    "converted_to": ("converted_contact_ref", "VARCHAR"),
    "company": ("company", "VARCHAR"),
}
_REFERENCES = ("owner_ref", "account_ref", "contact_ref", "converted_to")

_FACTS = """
CREATE OR REPLACE TABLE facts AS
SELECT seq, * EXCLUDE (seq, email, company),
    nullif(trim(email, {blanks}), '') AS email,
    {address_key} AS address_key,
    {company_key} AS company_key
FROM (SELECT raw.rowid AS seq, {columns}, {row_hash} AS row_hash FROM {raw})
"""


def folded(text: str) -> str:
    """SQL of what two spellings of one address, or of one name, have in common; the same as `sync.address.address_key` (PULL-6)."""
    return f"nullif(lower(replace(trim({text}, {BLANKS}), chr(304), 'i')), '')"


_KEEP_NEWEST = """
DELETE FROM facts USING (
    SELECT seq AS old FROM facts WHERE crm_id IN (SELECT crm_id FROM facts GROUP BY crm_id HAVING count(*) > 1)
    QUALIFY row_number() OVER (PARTITION BY crm_id ORDER BY modified_at DESC NULLS LAST, seq DESC) > 1
) WHERE seq = old
"""
_UNREADABLE = """
CREATE OR REPLACE TABLE unreadable AS
SELECT seq, crm_id, fault.column_name AS column_name, left(fault.value, 200) AS value, fault.wanted AS wanted
FROM (
    SELECT raw.rowid AS seq, {crm_id} AS crm_id,
           unnest(list_filter([{faults}], lambda fault: fault IS NOT NULL)) AS fault
    FROM raw WHERE raw.rowid IN (SELECT seq FROM facts WHERE faulty)
)
"""
_NONE_UNREADABLE = "CREATE OR REPLACE TABLE unreadable (seq BIGINT, crm_id VARCHAR, column_name VARCHAR, value VARCHAR, wanted VARCHAR)"


def gather_facts(parcel: Parcel) -> int:
    """Builds `facts` and `unreadable` afresh from `raw`; returns the number of distinct records."""
    readings = parcel.readings
    faulty = " OR ".join(condition for reading in readings if (condition := unreadable_when(reading)) is not None) or "false"
    columns = f"{_fact_columns(readings)}, coalesce({faulty}, false) AS faulty"
    raw, columns = _picked_once(readings, columns)
    parcel.execute(
        _FACTS.format(
            blanks=BLANKS,
            address_key=folded("email"),
            company_key=folded("company"),
            columns=columns,
            row_hash=_row_hash(parcel.fields),
            raw=raw,
        )
    )
    parcel.execute(_KEEP_NEWEST)
    # Even to find nothing, the statement that names each fault takes its time.
    parcel.execute(_unreadable(readings) if parcel.scalar("SELECT count(*) FROM facts WHERE faulty") else _NONE_UNREADABLE)
    return parcel.scalar("SELECT count(*) FROM facts")


def _picked_once(readings: Sequence[Reading], columns: str) -> tuple[str, str]:
    """What to select from, and the columns of the selection. What is picked out of JSON is needed several times and costs the most."""
    picked = {text_of(reading): f"raw.{quote(f'picked {place}')}" for place, reading in enumerate(readings) if reading.pick is not None}
    if not picked:
        return "raw", columns
    for text, name in picked.items():
        columns = columns.replace(text, name)
    texts = ", ".join(f"{text} AS {name.removeprefix('raw.')}" for text, name in picked.items())
    return f"(SELECT raw.rowid AS rowid, raw.*, {texts} FROM raw) AS raw", columns


def _fact_columns(readings: Sequence[Reading]) -> str:
    by_column = {reading.column: reading for reading in readings}
    columns = []
    for name, (column, absent_type) in _FROM_READINGS.items():
        value = value_of(by_column[column]) if column in by_column else f"CAST(NULL AS {absent_type})"
        is_key = name == "crm_id" or name in _REFERENCES
        columns.append(f"nullif({value}, '') AS {name}" if is_key else f"{value} AS {name}")
    return ", ".join(columns)


def _row_hash(fields: Sequence[str]) -> str:
    """64 bits over every field as it was sent; NULL and the empty string differ.

    The engine's own hash is ten times faster than MD5 but may change with its version, so the version is hashed too: after an upgrade a
    record that is read again counts as changed once, and none ever counts as unchanged by accident.
    """
    return f"CAST(hash(version(), {', '.join(f'raw.{quote(name)}' for name in fields)}) >> 1 AS BIGINT)"


def _unreadable(readings: Sequence[Reading]) -> str:
    conditions = [(reading, condition) for reading in readings if (condition := unreadable_when(reading)) is not None]
    if not conditions:
        return _NONE_UNREADABLE
    faults = ", ".join(
        f"CASE WHEN {condition} THEN struct_pack(column_name := {literal(reading.column)}, value := {text_of(reading)}, "
        f"wanted := {literal(str(reading.type))}) END"
        for reading, condition in conditions
    )
    crm_id = next((text_of(reading) for reading in readings if reading.column == "crm_id"), "CAST(NULL AS VARCHAR)")
    return _UNREADABLE.format(crm_id=crm_id, faults=faults)


def told_instant(parcel: Parcel, name: str, otherwise: str) -> str:
    """`baseline`: since when this parcel was read, on the CRM's clock: no value in it is older; what it says may be newer than its record's
    stamp. BEGUN_AT: the same moment on our clock."""
    told = parcel.told(name)
    return f"TIMESTAMP '{datetime.fromisoformat(told).astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'" if told else f"TIMESTAMP '{otherwise}'"
