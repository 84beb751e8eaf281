"""Opt-outs of records that are held back: a row may wait for its correction, a person's no may not (CONSENT-3, CONSENT-10, GATE-2)."""

from __future__ import annotations

from adapters.staging.duck import literal
from adapters.staging.export import Stamp
from adapters.staging.parcel import Parcel
from adapters.staging.rows import Column, ParcelRows

# Of several records of one person the first tells; all of them say out.
_HELD = """(
    SELECT plan.*, row_number() OVER (PARTITION BY plan.market_id ORDER BY plan.seq) AS turn FROM plan
    WHERE plan.opt_out AND plan.market_id IS NOT NULL AND coalesce(NOT plan.market_out, true) AND plan.seq IN (SELECT seq FROM set_aside)
) AS plan"""


def opted_out_rows(parcel: Parcel, stamp: Stamp) -> ParcelRows:
    """One row per known person whose held record says out; only the opt-out changes."""
    columns = (
        Column(stamp.kind.key, "plan.market_id", "BIGINT"),
        Column("opt_out", "true", "BOOLEAN"),
        Column("opt_out_date", stamp.sql, "TIMESTAMP"),
        Column("updated_at", stamp.sql, "TIMESTAMP"),
    )
    return ParcelRows(parcel, columns, f"{_HELD} WHERE plan.turn = 1")


def ledger(parcel: Parcel, stamp: Stamp) -> ParcelRows:
    """One entry per such person."""
    columns = (
        Column("contact_id", "plan.market_id", "BIGINT"),
        Column("email_key", "plan.address_key"),
        Column("at", stamp.sql, "TIMESTAMP"),
        Column("who", literal("sync")),
        Column("source", literal(f"{stamp.connector} {stamp.kind.value}")),
        Column("old", "plan.market_out", "BOOLEAN"),
        Column("new", "true", "BOOLEAN"),
        Column("why", "plan.why || '; the rest of the record is held back'"),
    )
    return ParcelRows(parcel, columns, f"{_HELD} WHERE plan.turn = 1")


def links(parcel: Parcel, stamp: Stamp) -> ParcelRows:
    """What each of these records says now, so that the same word is not taken for a change later (CONSENT-6)."""
    columns = (
        Column("connector", literal(stamp.connector)),
        Column("kind", literal(stamp.kind.value)),
        Column("crm_id", "plan.crm_id"),
        Column("market_id", "plan.market_id", "BIGINT"),
        Column("crm_opt_out", "true", "BOOLEAN"),
    )
    return ParcelRows(parcel, columns, f"{_HELD} WHERE plan.linked")
