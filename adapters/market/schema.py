"""The Market's main tables: users, accounts, people, opportunities. One row per user, account, person, opportunity.

People write SQL against them, so tables and columns carry comments. There are no foreign keys: a child may arrive before its
parent (PULL-6), the gate checks references, and a purge keeps history that names rows that are gone (INIT-10).
Columns of the CRM that have no name of their own here are added while running; see `columns.py`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Table, func, text
from sqlalchemy.types import TypeEngine

from adapters.market.types import BIGINT, BOOLEAN, DATE, DECIMAL, INSTANT, KEY, TEXT

HEAD = "0007"  # the Alembic revision that this code works with

NO_COMPANY = 1  # account_id of the built-in account "No Company" (PULL-6)

metadata = MetaData()


def col(name: str, type_: TypeEngine[Any], comment: str, **options: Any) -> Column[Any]:
    return Column(name, type_, comment=comment, **options)


def _texts(*names: str) -> list[Column[Any]]:
    return [col(name, TEXT, f"{name.replace('_', ' ')}, as the CRM has it") for name in names]


def _key(name: str) -> Column[Any]:
    return col(name, BIGINT, "the Market's own key; never given twice", primary_key=True, autoincrement=False)


def crm_columns() -> list[Column[Any]]:
    return [
        col("connector", KEY, "name of the connector whose record owns this row; null: made in Market"),
        col("crm_id", KEY, "the CRM's key of the record that owns this row; all linked records stand in crm_links"),
        col("crm_created_at", INSTANT, "created, on the CRM's clock, UTC"),
        col("crm_modified_at", INSTANT, "last modified, on the CRM's clock, UTC"),
    ]


def stamp_columns() -> list[Column[Any]]:
    return [
        col("created_at", INSTANT, "when this row was made in Market, UTC", nullable=False, server_default=text("CURRENT_TIMESTAMP")),
        col("updated_at", INSTANT, "when this row was last written, UTC", nullable=False, server_default=text("CURRENT_TIMESTAMP")),
    ]


def owner_columns() -> list[Column[Any]]:
    return [
        col("owner_id", BIGINT, "users.user_id of the owner; null: nobody, or not known yet (PULL-7)"),
        col("owner_ref", KEY, "the owner's id in the CRM"),
    ]


def life_columns() -> list[Column[Any]]:
    return [
        col("left_scope", INSTANT, "since when the record no longer meets the sync filter, UTC (FILT-2)"),
        col("deleted_date", INSTANT, "set: deleted, not to be counted, mailed or listed (DEL-1), UTC"),
        col("do_not_pull", BOOLEAN, "true: deleted for good, a change in the CRM does not bring it back (DEL-7)"),
    ]


def account_reference() -> list[Column[Any]]:
    return [
        col("account_id", BIGINT, "accounts.account_id; 1 is 'No Company'", server_default=text(str(NO_COMPANY))),
        col("account_ref", KEY, "the account's id in the CRM"),
    ]


def _merged() -> Column[Any]:
    return col("merged_into", BIGINT, "key of the row that took this one's place (MATCH-8)")


def _flag(name: str, comment: str, default: str = "false") -> Column[Any]:
    return col(name, BOOLEAN, comment, nullable=False, server_default=text(default))


users = Table(
    "users",
    metadata,
    _key("user_id"),
    *crm_columns(),
    *_texts("user_name", "first_name", "last_name", "email"),
    col("email_key", KEY, "email, trimmed and in lower case; unique: what users are matched by (INIT-4)"),
    *_texts("title", "phone"),
    col("active", BOOLEAN, "may log in to the CRM"),
    col("deleted_date", INSTANT, "set: deleted in the CRM, UTC (DEL-1)"),
    *stamp_columns(),
    comment="One row per user of a CRM: who owns accounts, people and opportunities.",
)
Index("ux_users_email_key", users.c.email_key, unique=True)

accounts = Table(
    "accounts",
    metadata,
    _key("account_id"),
    *crm_columns(),
    col("account_name", TEXT, "name of the company"),
    col("account_name_key", KEY, "account_name, trimmed and in lower case: what a lead's company is compared with (PULL-6)"),
    *owner_columns(),
    *_texts("billing_street", "billing_city", "billing_state", "billing_zip", "billing_country"),
    *_texts("shipping_street", "shipping_city", "shipping_state", "shipping_zip", "shipping_country"),
    *_texts("phone", "fax", "industry", "type", "rating", "ownership", "sic", "ticker", "url", "employees", "description"),
    *life_columns(),
    _merged(),
    *stamp_columns(),
    comment="One row per company. account_id 1 is the built-in 'No Company', to which people without one belong (PULL-6).",
)
Index("ix_accounts_account_name_key", accounts.c.account_name_key)

contacts = Table(
    "contacts",
    metadata,
    _key("contact_id"),
    col("crm_type", TEXT, "what owns this row in the CRM: Lead, Contact or Candidate; null: made in Market"),
    *crm_columns(),
    *_texts("first_name", "last_name"),
    col("email", TEXT, "primary address, as it was typed"),
    col("email_key", KEY, "email, trimmed and in lower case: what people are matched by (MATCH-2)"),
    col("email_addresses", TEXT, "all addresses as the CRM lists them, a JSON array"),
    _flag("opt_out", "true: does not want mail. Changes only by the consent rules, each with an entry in consent_ledger"),
    col("opt_out_date", INSTANT, "since when, UTC"),
    col("del_status", Integer(), "delivery: 0 unknown, 1 delivered, 2 bounced (ADDR-3)", nullable=False, server_default=text("0")),
    col("del_message", TEXT, "what the mail server said, or 'Reset by Sync' after a change of address (ADDR-1)"),
    *_texts("title", "phone", "mobile_phone"),
    col("company", TEXT, "a lead's company name; its account is found by it (PULL-6)"),
    *_texts("lead_source", "mailing_street", "mailing_city", "mailing_state", "mailing_zip", "mailing_country"),
    col("account_id", BIGINT, "accounts.account_id; 1 is 'No Company'", nullable=False, server_default=text(str(NO_COMPANY))),
    col("account_ref", KEY, "the account's id in the CRM, also while that account has not arrived (PULL-6)"),
    *owner_columns(),
    col("converted", BOOLEAN, "true: this lead was converted in the CRM (MATCH-7)"),
    *life_columns(),
    _merged(),
    *stamp_columns(),
    comment="One row per person: leads, contacts, candidates (crm_type), and people made in Market.",
)

opportunities = Table(
    "opportunities",
    metadata,
    _key("opportunity_id"),
    col("connector", KEY, "name of the connector whose record owns this row"),
    col("crm_id", KEY, "the CRM's key of that record"),
    *account_reference(),
    col("contact_id", BIGINT, "contacts.contact_id of the first person; null: none, or not here yet"),
    col("contact_ref", KEY, "that person's id in the CRM"),
    *owner_columns(),
    *_texts("opportunity_name", "description", "stage"),
    col("amount", DECIMAL, "in `currency`, exact"),
    col("currency", TEXT, "as the CRM names it"),
    col("probability", DECIMAL, "0 to 100"),
    col("close_date", DATE, "expected or actual day of closing"),
    *_texts("type", "lead_source", "next_step"),
    col("is_closed", BOOLEAN, "won or lost"),
    col("is_won", BOOLEAN, "won"),
    col("crm_created_at", INSTANT, "created, on the CRM's clock, UTC"),
    col("crm_modified_at", INSTANT, "last modified, on the CRM's clock, UTC"),
    *life_columns(),
    *stamp_columns(),
    comment="One row per opportunity, with the same columns whatever the CRM (INIT-3).",
)


def waiting_index(table: Table, ref: str, column: str, name: str) -> None:
    """An index of only those rows whose reference has not arrived: looking for them costs nothing when nothing waits."""
    still = table.c[column] == NO_COMPANY if column == "account_id" else table.c[column].is_(None)
    where = table.c[ref].is_not(None) & still
    Index(name, table.c.connector, table.c[ref], postgresql_where=where, sqlite_where=where)


Index("ix_contacts_email_key", contacts.c.email_key)
Index("ix_contacts_account_id", contacts.c.account_id)
waiting_index(contacts, "account_ref", "account_id", "ix_contacts_waiting_account")
_by_company = (contacts.c.account_id == NO_COMPANY) & contacts.c.account_ref.is_(None) & contacts.c.company.is_not(None)
# PostgreSQL looks the folded name up; SQLite, whose lower() is not enough, reads this index alone from end to end.
Index("ix_contacts_waiting_company", func.lower(func.btrim(contacts.c.company)), postgresql_where=_by_company).ddl_if("postgresql")
Index("ix_contacts_waiting_company", contacts.c.company, sqlite_where=_by_company).ddl_if("sqlite")
_merged_away = contacts.c.merged_into.is_not(None)
Index("ix_contacts_merged_into", contacts.c.merged_into, postgresql_where=_merged_away, sqlite_where=_merged_away)
waiting_index(contacts, "owner_ref", "owner_id", "ix_contacts_waiting_owner")
waiting_index(accounts, "owner_ref", "owner_id", "ix_accounts_waiting_owner")
waiting_index(opportunities, "account_ref", "account_id", "ix_opportunities_waiting_account")
waiting_index(opportunities, "contact_ref", "contact_id", "ix_opportunities_waiting_contact")
waiting_index(opportunities, "owner_ref", "owner_id", "ix_opportunities_waiting_owner")
Index("ix_opportunities_account_id", opportunities.c.account_id)
Index("ix_opportunities_contact_id", opportunities.c.contact_id)
