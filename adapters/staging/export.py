"""Out of the parcel: the `staged` view that the gate checks, and the rows that one commit loads.

`staged` has one row per record that writes values (insert, update, fill), with every Market column as it will be written. The wide
columns come straight from `raw`; only what a rule decided comes from `plan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from adapters.staging.duck import literal, quote
from adapters.staging.facts import _BLANKS as BLANKS
from adapters.staging.parcel import Parcel
from adapters.staging.reading import sql_type, value_of
from adapters.staging.rows import Column, ParcelRows
from sync.address import DELIVERY_UNKNOWN, RESET_MESSAGE
from sync.fields import Reading, WritePolicy
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
_NOT_HELD = "staged.seq NOT IN (SELECT seq FROM set_aside)"
_HELD_SHOWN = 50
_POINTERS = frozenset({"converted_contact_ref"})  # kept with the link, not in the table
_REFS = frozenset({"account_ref", "contact_ref", "owner_ref"})
_RULED = frozenset({"opt_out", "email"})


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every row of one commit carries: who brought it and when (UTC)."""

    connector: str
    kind: Kind
    at: datetime

    @property
    def sql(self) -> str:
        return f"TIMESTAMP '{self.at:%Y-%m-%d %H:%M:%S.%f}'"


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
    rules = _people_columns(readings, kind) if kind in PEOPLE else _key_columns(readings, kind)
    references = [Column(name, f"plan.{name}", "BIGINT") for name in _REFERENCES[kind]]
    return tuple(columns + [column for column in (*rules, *references) if column.name not in names])


_REFERENCES: dict[Kind, tuple[str, ...]] = {
    Kind.USER: (),
    Kind.ACCOUNT: ("owner_id",),
    Kind.LEAD: ("account_id", "owner_id"),
    Kind.CONTACT: ("account_id", "owner_id"),
    Kind.OPPORTUNITY: ("account_id", "contact_id", "owner_id"),
}


def _people_columns(readings: Sequence[Reading], kind: Kind) -> list[Column]:
    email = next((value_of(reading) for reading in readings if reading.column == "email"), "CAST(NULL AS VARCHAR)")
    return [
        Column("crm_type", literal(kind.value.capitalize())),
        Column("email", f"nullif(trim({email}, {BLANKS}), '')"),
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
        return [Column("account_name_key", f"nullif(lower(trim({value_of(by_column['account_name'])}, {BLANKS})), '')")]
    return []


# -- what the gate held back ----------------------------------------------------------------------------------------


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
    """Everything for the quarantine: rule, reason and the whole record. A record without an id has the empty one."""
    content = ", ".join(f"{quote(name)} := raw.{quote(name)}" for name in parcel.fields)
    record = f"CAST(to_json(struct_pack({content})) AS VARCHAR)"
    source = f"""(
        SELECT DISTINCT coalesce(set_aside.crm_id, '') AS crm_id, rule, reason, {record} AS row
        FROM set_aside JOIN raw ON raw.rowid = set_aside.seq
        UNION ALL
        SELECT DISTINCT '', 'record_readable', reason, content FROM broken)"""
    return ParcelRows(parcel, (Column("crm_id", "crm_id"), Column("rule", "rule"), Column("reason", "reason"), Column("row", "row")), source)


def passed_ids(parcel: Parcel, held_before: Sequence[str]) -> ParcelRows:
    """Of the records that were in quarantine, those that passed this time."""
    parcel.learn("held_before", pa.table({"crm_id": pa.array(list(held_before), pa.string())}))
    source = "plan JOIN held_before USING (crm_id) WHERE plan.seq NOT IN (SELECT seq FROM set_aside)"
    return ParcelRows(parcel, (Column("crm_id", "crm_id"),), source)


# -- what one commit loads ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Load:
    """The rows of one commit. `base` is the first key of the block that Market gave; `policies` name columns that are not overwritten."""

    parcel: Parcel
    stamp: Stamp
    columns: tuple[Column, ...]
    base: int

    @property
    def _key(self) -> str:
        ordinal = "coalesce(plan.ordinal, creator.ordinal)" if self.stamp.kind is Kind.USER else "plan.ordinal"
        return f"coalesce(plan.market_id, {self.base} - 1 + {ordinal})"

    def new_rows(self) -> ParcelRows:
        """One row per record that becomes a new row of the table, in the order of their keys."""
        fixed = [
            Column(self.stamp.kind.key, f"{self.base} - 1 + staged.ordinal", "BIGINT"),
            Column("connector", literal(self.stamp.connector)),
            Column("created_at", self.stamp.sql, "TIMESTAMP"),
            Column("updated_at", self.stamp.sql, "TIMESTAMP"),
        ]
        dated = [Column("opt_out_date", f"CASE WHEN staged.opt_out THEN {self.stamp.sql} END", "TIMESTAMP")] if self._people else []
        return ParcelRows(self.parcel, (*fixed, *self._staged(self.columns), *dated), f"staged WHERE staged.action = 'insert' AND {_NOT_HELD}")

    def changed_rows(self) -> ParcelRows:
        """One row per known row that the CRM's values replace; its key first."""
        fixed = [Column(self.stamp.kind.key, "staged.market_id", "BIGINT"), Column("connector", literal(self.stamp.connector))]
        return ParcelRows(self.parcel, (*fixed, *self._common()), f"staged WHERE staged.action = 'update' AND {_NOT_HELD}")

    def filling_rows(self) -> ParcelRows:
        """One row per contact's row of which leads fill the empty columns (MATCH-6); its key first.

        Several leads of one contact take turns in the order in which they were modified (MATCH-9). Account and owner follow from the
        references when what waits is linked: a lead's owner must not stand beside the contact's reference.
        """
        own = {"crm_type", "crm_id", "crm_created_at", "crm_modified_at", "account_id", "owner_id"}
        columns = tuple(_first_filled(column) for column in self._common() if column.name not in own)
        key = Column(self.stamp.kind.key, "staged.market_id", "BIGINT")
        return ParcelRows(self.parcel, (key, *columns), f"staged WHERE staged.action = 'fill' AND {_NOT_HELD} GROUP BY staged.market_id")

    def _common(self) -> tuple[Column, ...]:
        dated = [Column("opt_out_date", f"CASE WHEN staged.opt_out THEN {self.stamp.sql} END", "TIMESTAMP")] if self._people else []
        return (*self._staged(self.columns), *dated, Column("updated_at", self.stamp.sql, "TIMESTAMP"))

    @staticmethod
    def _staged(columns: Iterable[Column]) -> list[Column]:
        return [Column(column.name, f"staged.{quote(column.name)}", column.type) for column in columns]

    @property
    def _people(self) -> bool:
        return self.stamp.kind in PEOPLE

    def update_policies(self) -> dict[str, str]:
        """Column → policy, where it is not a plain overwrite: what a rule left open keeps its value."""
        kept = {name: "keep_if_null" for name in ("opt_out", "opt_out_date", "del_status", "del_message")} if self._people else {}
        careful = {r.column: "only_if_empty" for r in self.parcel.readings if r.policy is WritePolicy.ONLY_IF_EMPTY}
        return {**careful, **kept}

    def fill_policies(self) -> dict[str, str]:
        """The same for rows that are only filled."""
        return {column: "only_if_empty" for column in self.filling_rows().columns[1:] if column != "updated_at"} | {
            name: "keep_if_null" for name in ("opt_out", "opt_out_date", "del_status", "del_message")
        }

    def restored_rows(self) -> ParcelRows:
        """Known rows whose deletion is taken back (DEL-2, DEL-7)."""
        key = Column(self.stamp.kind.key, "plan.market_id", "BIGINT")
        gone = Column("deleted_date", "CAST(NULL AS TIMESTAMP)", "TIMESTAMP")
        return ParcelRows(self.parcel, (key, gone), f"plan WHERE plan.restore AND {_NOT_HELD.replace('staged', 'plan')}")

    def taken_back(self) -> ParcelRows:
        """Known rows of people who are no longer opted out (CONSENT-4), so that no date says since when they were."""
        key = Column(self.stamp.kind.key, "plan.market_id", "BIGINT")
        none = Column("opt_out_date", "CAST(NULL AS TIMESTAMP)", "TIMESTAMP")
        condition = f"NOT plan.opt_out AND plan.action IN ('update', 'fill') AND {_NOT_HELD.replace('staged', 'plan')}"
        return ParcelRows(self.parcel, (key, none), f"plan WHERE {condition}")

    def links(self) -> ParcelRows:
        """One row per record that is written or newly linked, in the order of the links' key."""
        plan = [
            Column("connector", literal(self.stamp.connector)),
            Column("kind", literal(self.stamp.kind.value)),
            Column("crm_id", "plan.crm_id"),
            Column("market_id", self._key, "BIGINT"),
            Column("living", "true", "BOOLEAN"),
            Column("converted_to", "plan.converted_to"),
            Column("row_hash", "plan.row_hash", "BIGINT"),
            Column("crm_opt_out", "plan.crm_out", "BOOLEAN"),
            Column("crm_created_at", "plan.created_at", "TIMESTAMP"),
            Column("crm_modified_at", "plan.modified_at", "TIMESTAMP"),
            Column("origin", "plan.action = 'insert'", "BOOLEAN"),
            Column("left_scope", "false", "BOOLEAN"),
            Column("first_seen_at", self.stamp.sql, "TIMESTAMP"),
            Column("written_at", self.stamp.sql, "TIMESTAMP"),
        ]
        return ParcelRows(self.parcel, tuple(plan), f"{self._from_plan('plan.action <> {}'.format(literal('ignore')))} ORDER BY plan.crm_id")

    def ledger(self) -> ParcelRows:
        """One entry per change of an opt-out; a new row that starts `in` is no change."""
        entry = (
            Column("contact_id", self._key, "BIGINT"),
            Column("email_key", "plan.address_key"),
            Column("at", self.stamp.sql, "TIMESTAMP"),
            Column("who", literal("sync")),
            Column("source", literal(f"{self.stamp.connector} {self.stamp.kind.value}")),
            Column("old", "CASE WHEN plan.action = 'insert' THEN NULL ELSE plan.market_out END", "BOOLEAN"),
            Column("new", "plan.opt_out", "BOOLEAN"),
            Column("why", "plan.why"),
        )
        return ParcelRows(self.parcel, entry, self._from_plan("plan.opt_out IS NOT NULL AND (plan.opt_out OR plan.action <> 'insert')"))

    def queued_opt_outs(self) -> ParcelRows:
        """Opt-outs that the CRM does not know of yet (CONSENT-1)."""
        entry = (
            Column("connector", literal(self.stamp.connector)),
            Column("kind", literal("opt-out")),
            Column("contact_id", self._key, "BIGINT"),
            Column("crm_kind", literal(self.stamp.kind.value)),
            Column("crm_id", "plan.crm_id"),
            Column("value", literal('{"opt_out": true}')),
            Column("state", literal("pending")),
            Column("attempts", "0", "INTEGER"),
            Column("created_at", self.stamp.sql, "TIMESTAMP"),
        )
        return ParcelRows(self.parcel, entry, self._from_plan("plan.queue_opt_out"))

    def absorbed(self) -> ParcelRows:
        """Rows that turned out to be one person: the loser's key, then the winner's (MATCH-7)."""
        source = f"absorbed JOIN plan USING (crm_id) WHERE {_NOT_HELD.replace('staged', 'plan')}"
        return ParcelRows(self.parcel, (Column("loser_id", "loser_id", "BIGINT"), Column("winner_id", "winner_id", "BIGINT")), source)

    def _from_plan(self, condition: str) -> str:
        held = _NOT_HELD.replace("staged", "plan")
        if self.stamp.kind is not Kind.USER:
            return f"plan WHERE {condition} AND {held}"
        made = "(creator.seq IS NULL OR creator.seq NOT IN (SELECT seq FROM set_aside))"  # a held record makes no account to share
        return f"plan LEFT JOIN plan AS creator ON creator.crm_id = plan.same_as WHERE {condition} AND {held} AND {made}"


def _first_filled(column: Column) -> Column:
    """Over several records of one row: the first that says anything. Out wins over in (CONSENT-10)."""
    if column.name == "opt_out":
        return Column(column.name, f"bool_or({column.expression})", column.type)
    if "staged." not in column.expression:
        return column
    first = f"first({column.expression} ORDER BY staged.crm_modified_at, staged.crm_id) FILTER (WHERE {column.expression} {{}})"
    said, filled = first.format("IS NOT NULL"), first.format("<> ''")
    return Column(column.name, f"coalesce({filled}, {said})" if column.type == "VARCHAR" else said, column.type)
