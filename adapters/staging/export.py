"""Out of the parcel: the rows that one commit loads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from adapters.staging.duck import literal, quote
from adapters.staging.parcel import Parcel
from adapters.staging.rows import Column, ParcelRows
from sync.fields import WritePolicy
from sync.records import PEOPLE, Kind

_LEFT_OPEN = dict.fromkeys(("opt_out", "opt_out_date", "del_status", "del_message"), "keep_if_null")
_NOT_HELD = "staged.seq NOT IN (SELECT seq FROM set_aside)"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every row of one commit carries: who brought it and when (UTC)."""

    connector: str
    kind: Kind
    at: datetime

    @property
    def sql(self) -> str:
        return f"TIMESTAMP '{self.at:%Y-%m-%d %H:%M:%S.%f}'"


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
        return ParcelRows(
            self.parcel,
            (*fixed, *self._staged(self.columns), *dated),
            f"staged WHERE staged.action = 'insert' AND {_NOT_HELD}",
            "staged.seq",
        )

    def changed_rows(self) -> ParcelRows:
        """One row per known row that the CRM's values replace; its key first."""
        fixed = [Column(self.stamp.kind.key, "staged.market_id", "BIGINT"), Column("connector", literal(self.stamp.connector))]
        return ParcelRows(self.parcel, (*fixed, *self._common()), f"staged WHERE staged.action = 'update' AND {_NOT_HELD}", "staged.seq")

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
        kept = _LEFT_OPEN if self._people else {}
        careful = {r.column: "only_if_empty" for r in self.parcel.readings if r.policy is WritePolicy.ONLY_IF_EMPTY}
        return {**careful, **kept}

    def fill_policies(self) -> dict[str, str]:
        """The same for rows that are only filled."""
        careful = {column: "only_if_empty" for column in self.filling_rows().columns[1:] if column != "updated_at"}
        return {**careful, **_LEFT_OPEN}

    def released_keys(self) -> ParcelRows:
        """Known users whose values change, without their address key: an address may pass from one account to the next (INIT-4)."""
        columns = (Column("user_id", "staged.market_id", "BIGINT"), Column("email_key", "CAST(NULL AS VARCHAR)"))
        return ParcelRows(self.parcel, columns, f"staged WHERE staged.action = 'update' AND {_NOT_HELD}")

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
            Column("alias_of", "CAST(NULL AS VARCHAR)"),  # who lives is merged into nobody
            Column("row_hash", "plan.row_hash", "BIGINT"),
            Column("crm_opt_out", "plan.crm_out", "BOOLEAN"),
            Column("crm_created_at", "plan.created_at", "TIMESTAMP"),
            Column("crm_modified_at", "plan.modified_at", "TIMESTAMP"),
            Column("origin", "plan.action = 'insert'", "BOOLEAN"),
            Column("left_scope", "false", "BOOLEAN"),
            Column("first_seen_at", self.stamp.sql, "TIMESTAMP"),
            Column("written_at", self.stamp.sql, "TIMESTAMP"),
        ]
        if any(reading.column == "converted_contact_ref" for reading in self.parcel.readings):  # hidden, it takes nothing back (PULL-4)
            plan.append(Column("converted_to", "plan.converted_to"))
        return ParcelRows(
            self.parcel, tuple(plan), f"{self._from_plan('plan.action <> {}'.format(literal('ignore')))} ORDER BY plan.crm_id"
        )

    def ledger(self) -> ParcelRows:
        """One entry per person whose opt-out changes; a new row that starts `in` is no change."""
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
        changed = self._from_plan("plan.opt_out IS NOT NULL AND (plan.opt_out OR plan.action <> 'insert')")
        return ParcelRows(self.parcel, entry, f"{changed} QUALIFY row_number() OVER (PARTITION BY {self._key} ORDER BY plan.seq) = 1")

    def addresses_left(self) -> ParcelRows:
        """Addresses of people who are out that their rows may not carry any more: the row's old one, and that of a lead that says out
        on its contact's row. The row's key, then the address; Market knows which one the row carries in the end (CONSENT-10)."""
        source = f"""(
            SELECT plan.market_id, person.email_key AS address FROM plan JOIN known_people AS person ON person.contact_id = plan.market_id
            WHERE plan.reset_delivery AND plan.market_out AND plan.opt_out IS DISTINCT FROM false AND {_NOT_HELD.replace("staged", "plan")}
            UNION
            SELECT plan.market_id, plan.address_key FROM plan
            WHERE plan.action = 'fill' AND plan.crm_out AND {_NOT_HELD.replace("staged", "plan")}
        ) WHERE address IS NOT NULL"""
        return ParcelRows(self.parcel, (Column("contact_id", "market_id", "BIGINT"), Column("address", "address")), source)

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

    def parted(self) -> ParcelRows:
        """Records whose row was merged away and that live again: the CRM's id, then the key of their own row (DEL-2, MATCH-8)."""
        merged = "link.alias_of IS NOT NULL OR person.merged_into IS NOT NULL"
        back = f"({merged}) AND NOT link.living AND plan.market_id = link.market_id AND plan.action <> 'ignore'"
        known = "plan JOIN known_links AS link USING (crm_id) LEFT JOIN known_people AS person ON person.contact_id = plan.market_id"
        source = f"{known} WHERE {back} AND {_NOT_HELD.replace('staged', 'plan')}"
        return ParcelRows(self.parcel, (Column("crm_id", "plan.crm_id"), Column("contact_id", "plan.market_id", "BIGINT")), source)

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
    is_text = column.type == "VARCHAR"
    filled = "<> ''" if is_text else "IS NOT NULL"
    first = f"first({column.expression} ORDER BY staged.crm_modified_at, staged.crm_id) FILTER (WHERE {column.expression} {filled})"
    # Where none is filled, each that is not NULL is the empty text.
    return Column(column.name, f"coalesce({first}, max({column.expression}))" if is_text else first, column.type)
