"""What Market knows about the records of one parcel, as Arrow tables for the planner.

The keys come as `Rows` of one column; they are loaded into a temporary table and joined once, by index: cost follows the number of
keys, never the size of Market. Nothing is loaded where the table that would be searched is empty. Instants are UTC, without a
zone, in microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ColumnElement, Connection, Select, Table, literal, not_, select, true

from adapters.market.arrow import arrow_schema, fetch
from adapters.market.consent_facts import opt_out_acknowledged_at, opt_out_pending, out_links
from adapters.market.database import Database
from adapters.market.loading import incoming
from adapters.market.merging import own_row, row_taken
from adapters.market.schema import accounts, contacts, users
from adapters.market.schema_books import crm_links
from adapters.market.schema_custom import table_of
from sync.records import PEOPLE, Kind, Rows

if TYPE_CHECKING:
    import pyarrow as pa

_LINK_COLUMNS = (
    "crm_id",
    "market_id",
    "living",
    "alias_of",
    "converted_to",
    "row_hash",
    "crm_opt_out",
    "left_scope",
    "crm_modified_at",
    "written_at",
)
_LINK: list[ColumnElement[Any]] = [*(crm_links.c[name] for name in _LINK_COLUMNS), opt_out_acknowledged_at()]
_LIVING_LINK = [own_row() if column is crm_links.c.market_id else column for column in _LINK]
_PERSON_COLUMNS = (
    "contact_id",
    "crm_type",
    "email",
    "email_key",
    "opt_out",
    "opt_out_date",
    "del_status",
    "deleted_date",
    "do_not_pull",
    "updated_at",
    "crm_modified_at",
    "crm_id",
    "account_id",
    "owner_id",
    "merged_into",
)
_PERSON = [contacts.c[name] for name in _PERSON_COLUMNS]
_HOLD = [crm_links.c[name] for name in ("market_id", "connector", "kind", "crm_id", "living", "converted_to")]
_PEOPLE = (Kind.LEAD.value, Kind.CONTACT.value)


class Lookup:
    """Every method raises MarketUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def links(self, connector: str, kind: Kind, ids: Rows, *, living: bool = False) -> pa.Table:
        """CRM ids → those that are linked: the columns of `_LINK_COLUMNS`, and opt_out_acknowledged_at.

        `living`: these records were just read. One that was merged away leads to its own row then, no longer to the winner's (DEL-2); one
        that was gone while another took its row is not linked any more (MATCH-4).
        """
        columns = _LIVING_LINK if living and kind in PEOPLE else _LINK
        own = (crm_links.c.connector == connector) & (crm_links.c.kind == kind.value)
        still = not_(row_taken()) if living and kind in PEOPLE else true()
        with self._searching(select(crm_links.c.crm_id).where(own), crm_links.c.crm_id, ids) as (connection, keys):
            if keys is None:
                return arrow_schema(select(*columns)).empty_table()
            return fetch(connection, select(*columns).where(own, still, crm_links.c.crm_id.in_(select(keys.c[0]))))

    def conversions(self, connector: str, contact_ids: Rows) -> pa.Table:
        """CRM ids of contacts → (contact_crm_id, lead_crm_id, market_id, crm_modified_at) of the leads that became them (MATCH-7)."""
        lead = crm_links.c
        own = (lead.connector == connector) & lead.converted_to.is_not(None) & (lead.kind == Kind.LEAD.value)
        columns = [lead.converted_to.label("contact_crm_id"), lead.crm_id.label("lead_crm_id"), lead.market_id, lead.crm_modified_at]
        with self._searching(select(lead.crm_id).where(own), lead.converted_to, contact_ids) as (connection, keys):
            if keys is None:
                return arrow_schema(select(*columns)).empty_table()
            return fetch(connection, select(*columns).where(own, lead.converted_to.in_(select(keys.c[0]))))

    def people(self, *, email_keys: Rows | None = None, market_ids: Rows | None = None, connector: str | None = None) -> pa.Table:
        """Rows of `contacts` by address key or by key, each once.

        `opt_out_pending`: this CRM (None: any) has not acknowledged it yet. `out_links`: how many living records of it say out.
        """
        found = []
        person = [*_PERSON, opt_out_pending(connector), out_links()]
        for column, keys_ in ((contacts.c.email_key, email_keys), (contacts.c.contact_id, market_ids)):
            if keys_ is not None:
                with self._searching(select(contacts.c.contact_id), column, keys_) as (connection, keys):
                    if keys is not None:
                        found.append(fetch(connection, select(*person).where(column.in_(select(keys.c[0])))))
        return _once(found, arrow_schema(select(*person)))

    def holds(self, *, email_keys: Rows | None = None, market_ids: Rows | None = None) -> pa.Table:
        """Who holds those people: (market_id, connector, kind, crm_id, living, converted_to), one row per link (MATCH-4)."""
        found = []
        people = crm_links.c.kind.in_(_PEOPLE)
        for column, keys_ in ((contacts.c.email_key, email_keys), (contacts.c.contact_id, market_ids)):
            if keys_ is not None:
                with self._searching(select(crm_links.c.crm_id).where(people), column, keys_) as (connection, keys):
                    if keys is not None:
                        ids = select(keys.c[0])
                        if column is contacts.c.email_key:
                            ids = select(contacts.c.contact_id).where(column.in_(ids))
                        found.append(fetch(connection, select(*_HOLD).where(people, crm_links.c.market_id.in_(ids))))
        return _once(found, arrow_schema(select(*_HOLD)))

    def rows(self, table: str, market_ids: Rows) -> pa.Table:
        """Keys of rows, not of people → (market_id, deleted_date, do_not_pull); users are never barred (DEL-7)."""
        columns = table_of(table).c
        key = next(iter(table_of(table).primary_key.columns))
        barred = columns.get("do_not_pull", literal(False)).label("do_not_pull")
        return self._by_key([key.label("market_id"), columns.deleted_date, barred], key, market_ids)

    def users_by_email(self, email_keys: Rows) -> pa.Table:
        """Address keys → (user_id, email_key, crm_id, connector, deleted_date) (INIT-4)."""
        columns = [users.c[name] for name in ("user_id", "email_key", "crm_id", "connector", "deleted_date")]
        return self._by_key(columns, users.c.email_key, email_keys)

    def account_names(self, names: Rows) -> pa.Table:
        """Folded names → (account_name_key, account_id) of living accounts (PULL-6).

        Of several with one name the one with the lowest CRM id, Market's own before them: not the one that happened to come first.
        """
        import pyarrow.compute as pc

        columns = [accounts.c.account_name_key, accounts.c.account_id, accounts.c.crm_id]
        found = self._by_key(columns, accounts.c.account_name_key, names, accounts.c.deleted_date.is_(None))
        order = pc.sort_indices(found, [("crm_id", "ascending", "at_start"), ("account_id", "ascending", "at_start")])
        first = found.take(order).group_by("account_name_key", use_threads=False).aggregate([("account_id", "first")])
        return first.select(["account_name_key", "account_id_first"]).rename_columns(["account_name_key", "account_id"])

    def _by_key(
        self, columns: Sequence[ColumnElement[Any]], column: Column[Any], keys_: Rows, *conditions: ColumnElement[bool]
    ) -> pa.Table:
        with self._searching(select(column), column, keys_) as (connection, keys):
            if keys is None:
                return arrow_schema(select(*columns)).empty_table()
            return fetch(connection, select(*columns).where(column.in_(select(keys.c[0])), *conditions))

    @contextmanager
    def _searching(self, probe: Select[Any], column: Column[Any], keys: Rows) -> Iterator[tuple[Connection, Table | None]]:
        """The keys as a temporary table; None when there is nothing to search, or nothing to search for."""
        with self._database.reading() as connection:
            if connection.execute(probe.limit(1)).first() is None or keys.count == 0:  # counting them is the dearer question
                yield connection, None
            else:
                with incoming(connection, [Column(keys.columns[0], column.type)], keys) as table:
                    yield connection, table


def _once(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    """The second table without what the first has; the first column tells. A person may be found by both keys."""
    if len(tables) < 2:
        return tables[0] if tables else schema.empty_table()
    import pyarrow as pa
    import pyarrow.compute as pc

    first, second = tables
    new = pc.invert(pc.is_in(second.column(0), value_set=first.column(0)))
    return pa.concat_tables([first, second.filter(new)])
