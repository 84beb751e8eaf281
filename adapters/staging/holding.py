"""What the gate held back: set aside, shown in the report, kept whole for the quarantine (GATE-2)."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from adapters.staging.duck import quote
from adapters.staging.parcel import Parcel
from adapters.staging.rows import Column, ParcelRows

_HELD_SHOWN = 50
_HELD = ("crm_id", "rule", "reason", "column_name", "value", "row")
# Control and invisible characters of a CRM's text are none for a terminal. Blanks of all scripts become the plain one.
_PRINTABLE = r"regexp_replace(value, '[\pC\pZ]', ' ', 'g')"


def set_aside(parcel: Parcel, held_query: str) -> int:
    """Keeps what the gate held: a query for seq, crm_id, rule, reason, column_name, value. Returns the number of rows held."""
    parcel.execute(f"CREATE OR REPLACE TABLE set_aside AS {held_query}")
    return parcel.scalar("SELECT count(DISTINCT seq) FROM set_aside")


def held_shown(parcel: Parcel) -> list[tuple[str | None, str, str, str | None, str | None]]:
    """The first held rows of each rule, for the report: crm_id, rule, reason, column, value. Whole they are in the quarantine."""
    shown = f"""SELECT crm_id, rule, reason, column_name, value FROM set_aside
        QUALIFY row_number() OVER (PARTITION BY rule ORDER BY seq) <= {_HELD_SHOWN} ORDER BY rule, seq"""
    return parcel.execute(shown).fetchall()


def held_rows(parcel: Parcel) -> ParcelRows:
    """Everything for the quarantine: rule, reason, what is wrong, and the whole record. A record without an id has the empty one."""
    content = ", ".join(f"{quote(name)} := raw.{quote(name)}" for name in parcel.fields)
    record = f"CAST(to_json(struct_pack({content})) AS VARCHAR)"
    source = f"""(
        SELECT DISTINCT coalesce(set_aside.crm_id, '') AS crm_id, rule, reason, column_name, {_PRINTABLE} AS value, {record} AS row
        FROM set_aside JOIN raw ON raw.rowid = set_aside.seq
        UNION ALL
        SELECT DISTINCT '', 'record_readable', reason, NULL, NULL, content FROM broken)"""
    return ParcelRows(parcel, tuple(Column(name, name) for name in _HELD), source)


def passed_ids(parcel: Parcel, held_before: Sequence[str]) -> ParcelRows:
    """Of the records that were in quarantine, those that passed this time."""
    parcel.learn("held_before", pa.table({"crm_id": pa.array(list(held_before), pa.string())}))
    source = "plan JOIN held_before USING (crm_id) WHERE plan.seq NOT IN (SELECT seq FROM set_aside)"
    return ParcelRows(parcel, (Column("crm_id", "crm_id"),), source)
