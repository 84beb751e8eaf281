"""The `staged` view: one row per record that writes values (insert, update, fill), with every Market column as it will be written.

The wide columns come straight from `raw`; only what a rule decided comes from `plan`.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.staging.duck import literal, quote
from adapters.staging.facts import folded
from adapters.staging.parcel import Parcel
from adapters.staging.reading import sql_type, value_of
from adapters.staging.rows import Column
from sync.address import DELIVERY_UNKNOWN, RESET_MESSAGE
from sync.fields import Reading
from sync.records import PEOPLE, Kind

_STAGED = """
CREATE OR REPLACE VIEW staged AS
SELECT plan.seq, plan.action, plan.market_id, plan.ordinal, plan.restore, {columns}
FROM raw JOIN plan ON plan.seq = raw.rowid
WHERE plan.action IN ('insert', 'update', 'fill')
"""
_NOTHING_HELD = (
    "CREATE OR REPLACE TABLE set_aside (seq BIGINT, crm_id VARCHAR, rule VARCHAR, reason VARCHAR, column_name VARCHAR, value VARCHAR)"
)
_POINTERS = frozenset({"converted_contact_ref"})  # kept with the link, not in the table
_REFS = frozenset({"account_ref", "contact_ref", "owner_ref"})
_RULED = frozenset({"opt_out", "email"})


def stage(parcel: Parcel, kind: Kind) -> tuple[Column, ...]:
    """Makes `staged` and an empty `set_aside`; returns the staged Market columns."""
    columns = _staged_columns(parcel.readings, kind)
    parcel.execute(_STAGED.format(columns=", ".join(f"{column.expression} AS {quote(column.name)}" for column in columns)))
    parcel.execute(_NOTHING_HELD)
    return columns


def staged_columns(parcel: Parcel) -> tuple[Column, ...]:
    """The Market columns of `staged`."""
    return _staged_columns(parcel.readings, parcel.ref.kind)


_COUNTS = """
SELECT (SELECT count(*) FROM raw) + (SELECT count(*) FROM broken) AS read,
    count(*) FILTER (action = 'insert' AND NOT held) AS inserted,
    count(*) FILTER (action IN ('update', 'fill', 'link') AND NOT held) AS updated,
    count(*) FILTER (action = 'ignore') AS unchanged,
    count(*) FILTER (held) + (SELECT count(*) FROM broken) AS held,
    count(*) FILTER (how IN ('address', 'conversion') AND NOT held) AS matched
FROM (SELECT action, how, seq IN (SELECT seq FROM set_aside) AS held FROM plan)
"""


def counts(parcel: Parcel) -> dict[str, int]:
    """What the plan comes to, in records, by the names of `CommitCounts`."""
    result = parcel.execute(_COUNTS)
    names = [column[0] for column in result.description]
    return dict(zip(names, result.fetchall()[0], strict=True))


def _staged_columns(readings: Sequence[Reading], kind: Kind) -> tuple[Column, ...]:
    columns = [
        # "No reference" may come as an empty text; what waits for its account or owner is told by the reference (PULL-6, PULL-7).
        Column(reading.column, f"plan.{reading.column}" if reading.column in _REFS else value_of(reading), sql_type(reading.type))
        for reading in readings
        if reading.column not in _POINTERS and not (kind in PEOPLE and reading.column in _RULED)
    ]
    names = {column.name for column in columns}
    rules = _people_columns(kind) if kind in PEOPLE else _key_columns(readings, kind)
    read = {reading.column for reading in readings}
    references = [Column(name, f"plan.{name}", "BIGINT") for name in _REFERENCES.get(kind, _OF_CHILDREN) if read & _NAMED_BY[name]]
    return tuple(columns + [column for column in (*rules, *references) if column.name not in names])


_REFERENCES: dict[Kind, tuple[str, ...]] = {
    Kind.USER: (),
    Kind.ACCOUNT: ("owner_id",),
    Kind.LEAD: ("account_id", "owner_id"),
    Kind.CONTACT: ("account_id", "owner_id"),
    Kind.LIST: (),
}
_OF_CHILDREN = ("account_id", "contact_id", "owner_id")  # of opportunities and custom objects

# A field that the CRM no longer shows must not unlink anybody (PULL-4).
_NAMED_BY = {"owner_id": {"owner_ref"}, "account_id": {"account_ref", "company"}, "contact_id": {"contact_ref"}}


def _people_columns(kind: Kind) -> list[Column]:
    return [
        Column("crm_type", literal(kind.value.capitalize())),
        Column("email", "plan.email"),
        Column("email_key", "plan.address_key"),
        Column("opt_out", "CASE WHEN plan.action = 'insert' THEN coalesce(plan.opt_out, false) ELSE plan.opt_out END", "BOOLEAN"),
        Column("del_status", f"CASE WHEN plan.action = 'insert' OR plan.reset_delivery THEN {DELIVERY_UNKNOWN} END", "INTEGER"),
        Column("del_message", f"CASE WHEN plan.reset_delivery THEN {literal(RESET_MESSAGE)} END"),
    ]


def _key_columns(readings: Sequence[Reading], kind: Kind) -> list[Column]:
    by_column = {reading.column: reading for reading in readings}
    if kind is Kind.USER:
        return [Column("email_key", "plan.address_key")]
    if kind is Kind.ACCOUNT and "account_name" in by_column:
        return [Column("account_name_key", folded(value_of(by_column["account_name"])))]
    return []
