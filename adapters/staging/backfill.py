"""A narrow read of new fields → the rows that fill them in (PULL-4).

No matching, no consent, no links: only records that Market knows already take part, and only with the new columns. What the gate looks
at (`staged`, `unreadable`, `set_aside`) is made as for any parcel.
"""

from __future__ import annotations

import pyarrow as pa

from adapters.staging.duck import quote
from adapters.staging.facts import gather_facts
from adapters.staging.parcel import Parcel
from adapters.staging.reading import sql_type, value_of
from adapters.staging.rows import Column, ParcelRows
from sync.fields import Reading, WritePolicy

RECORD = ("crm_id", "crm_modified_at")
"""The columns that every narrow read has besides the new ones."""

_PLAN = """
CREATE OR REPLACE TABLE plan AS
SELECT facts.seq, facts.crm_id, known_links.market_id, 'update' AS action
FROM facts JOIN known_links USING (crm_id) WHERE known_links.living
"""
_STAGED = """
CREATE OR REPLACE VIEW staged AS
SELECT plan.seq, plan.action, {columns} FROM raw JOIN plan ON plan.seq = raw.rowid
"""
_NOTHING_HELD = (
    "CREATE OR REPLACE TABLE set_aside (seq BIGINT, crm_id VARCHAR, rule VARCHAR, reason VARCHAR, column_name VARCHAR, value VARCHAR)"
)


def crm_ids(parcel: Parcel) -> ParcelRows:
    """Builds the facts of the read afresh; the keys of its records, for Market to look up."""
    gather_facts(parcel)
    return ParcelRows(parcel, (Column("crm_id", "crm_id"),), "facts WHERE crm_id IS NOT NULL")


def plan_backfill(parcel: Parcel, links: pa.Table) -> int:
    """`links`: what Market knows of these records. → how many of them may take values."""
    parcel.learn("known_links", links.select(["crm_id", "market_id", "living"]))
    parcel.execute(_PLAN)
    parcel.execute(_STAGED.format(columns=", ".join(f"{value_of(each)} AS {quote(each.column)}" for each in parcel.readings)))
    parcel.execute(_NOTHING_HELD)
    return parcel.scalar("SELECT count(*) FROM plan")


def filled_rows(parcel: Parcel) -> ParcelRows:
    """crm_id, crm_modified_at, then the new columns; one row per known record that passed the gate."""
    columns = tuple(Column(each.column, f"staged.{quote(each.column)}", sql_type(each.type)) for each in _record_first(parcel.readings))
    return ParcelRows(parcel, columns, "staged WHERE staged.seq NOT IN (SELECT seq FROM set_aside)")


def _record_first(readings: tuple[Reading, ...]) -> list[Reading]:
    own = {each.column: each for each in readings if each.column in RECORD}
    return [*(own[name] for name in RECORD), *(each for each in readings if each.column not in RECORD)]


def policies(parcel: Parcel) -> dict[str, str]:
    """Column → policy, where it is not a plain overwrite."""
    return {each.column: "only_if_empty" for each in parcel.readings if each.policy is WritePolicy.ONLY_IF_EMPTY}


def held(parcel: Parcel) -> int:
    """Records that the gate held back."""
    return parcel.scalar("SELECT count(DISTINCT seq) FROM set_aside") + parcel.scalar("SELECT count(*) FROM broken")
