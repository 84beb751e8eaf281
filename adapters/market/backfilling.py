"""Values of new fields into rows that were here before them (PULL-4). Links, hashes, cursors and consent are left alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Subquery, Table, and_, case, func, select, true, tuple_, update

from adapters.market.loading import incoming
from adapters.market.policies import UpdatePolicy, written_value
from adapters.market.schema_books import crm_links
from sync.records import Kind, Rows

_RECORD = ("crm_id", "crm_modified_at")


def fill_columns(
    connection: Connection,
    target: Table,
    connector: str,
    kind: Kind,
    rows: Rows,
    policies: Mapping[str, UpdatePolicy | str],
    began: datetime,
    now: datetime,
) -> int:
    """`rows`: crm_id, crm_modified_at, then the columns to fill. → how many rows of the table got a value.

    Only rows of records whose link is living. A record that a pull committed since this read `began`, and that had not been older
    there, is passed over: the pull brought these columns too, and what was read here may be older. Of several records of one row
    the last modified has the last word; a lead on a contact's row fills what is empty (MATCH-6).
    """
    names = rows.columns[len(_RECORD) :]
    columns = [crm_links.c.crm_id, crm_links.c.crm_modified_at, *(target.c[name] for name in names)]
    with incoming(connection, columns, rows) as new:
        source = _of_living(new, names, connector, kind, began)
        turns = connection.execute(select(func.max(source.c.turn))).scalar() or 0
        return sum(
            connection.execute(_statement(target, source, names, kind, policies, now).where(source.c.turn == turn)).rowcount
            for turn in range(1, turns + 1)
        )


def _of_living(new: Table, names: tuple[str, ...], connector: str, kind: Kind, began: datetime) -> Subquery:
    """market_id, turn, and the values under names of their own: a CRM's field may be called as it likes."""
    own = and_(crm_links.c.connector == connector, crm_links.c.kind == kind.value, crm_links.c.crm_id == new.c.crm_id, crm_links.c.living)
    read_since = and_(crm_links.c.written_at >= began, crm_links.c.crm_modified_at >= new.c.crm_modified_at)
    order = [crm_links.c.crm_modified_at, crm_links.c.crm_id]
    turn = func.row_number().over(partition_by=crm_links.c.market_id, order_by=order)
    values = [new.c[name].label(f"value_{place}") for place, name in enumerate(names)]
    chosen = select(crm_links.c.market_id, turn.label("turn"), *values).select_from(new).join(crm_links, own)
    return chosen.where(func.coalesce(read_since, False).is_(False)).subquery()


def _statement(
    target: Table, source: Subquery, names: tuple[str, ...], kind: Kind, policies: Mapping[str, UpdatePolicy | str], now: datetime
) -> Any:
    key: Column[Any] = next(iter(target.primary_key.columns))
    values = {
        name: _value(target, target.c[name], source.c[f"value_{place}"], kind, UpdatePolicy(policies.get(name, "overwrite")))
        for place, name in enumerate(names)
    }
    differs = tuple_(*(target.c[name] for name in names)).is_distinct_from(tuple_(*values.values()))
    pulled = target.c.do_not_pull.is_not(True) if "do_not_pull" in target.c else true()
    return update(target).where(key == source.c.market_id, differs, pulled).values({**values, "updated_at": now})


def _value(target: Table, old: Column[Any], new: ColumnElement[Any], kind: Kind, policy: UpdatePolicy) -> ColumnElement[Any]:
    value = written_value(old, new, policy)
    if kind is not Kind.LEAD:
        return value
    return case((target.c.crm_type == "Contact", written_value(old, new, UpdatePolicy.ONLY_IF_EMPTY)), else_=value)
