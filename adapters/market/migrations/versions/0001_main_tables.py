"""Users, accounts, people, opportunities.

Revision ID: 0001
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import Column, Integer, text
from sqlalchemy.schema import SchemaItem

from adapters.market.types import BIGINT, BOOLEAN, DATE, DECIMAL, INSTANT, KEY, TEXT

revision = "0001"
down_revision = None

_USERS: tuple[SchemaItem, ...] = (
    Column("user_id", BIGINT, primary_key=True, autoincrement=False, comment="the Market's own key; never given twice"),
    Column("connector", KEY, comment="name of the connector whose record owns this row; null: made in Market"),
    Column("crm_id", KEY, comment="the CRM's key of the record that owns this row; all linked records stand in crm_links"),
    Column("crm_created_at", INSTANT, comment="created, on the CRM's clock, UTC"),
    Column("crm_modified_at", INSTANT, comment="last modified, on the CRM's clock, UTC"),
    Column("user_name", TEXT, comment="user name, as the CRM has it"),
    Column("first_name", TEXT, comment="first name, as the CRM has it"),
    Column("last_name", TEXT, comment="last name, as the CRM has it"),
    Column("email", TEXT, comment="email, as the CRM has it"),
    Column("email_key", KEY, comment="email, trimmed and in lower case; unique: what users are matched by (INIT-4)"),
    Column("title", TEXT, comment="title, as the CRM has it"),
    Column("phone", TEXT, comment="phone, as the CRM has it"),
    Column("active", BOOLEAN, comment="may log in to the CRM"),
    Column("deleted_date", INSTANT, comment="set: deleted in the CRM, UTC (DEL-1)"),
    Column(
        "created_at",
        INSTANT,
        nullable=False,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="when this row was made in Market, UTC",
    ),
    Column(
        "updated_at",
        INSTANT,
        nullable=False,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="when this row was last written, UTC",
    ),
)

_ACCOUNTS: tuple[SchemaItem, ...] = (
    Column("account_id", BIGINT, primary_key=True, autoincrement=False, comment="the Market's own key; never given twice"),
    Column("connector", KEY, comment="name of the connector whose record owns this row; null: made in Market"),
    Column("crm_id", KEY, comment="the CRM's key of the record that owns this row; all linked records stand in crm_links"),
    Column("crm_created_at", INSTANT, comment="created, on the CRM's clock, UTC"),
    Column("crm_modified_at", INSTANT, comment="last modified, on the CRM's clock, UTC"),
    Column("account_name", TEXT, comment="name of the company"),
    Column("account_name_key", KEY, comment="account_name, trimmed and in lower case: what a lead's company is compared with (PULL-6)"),
    Column("owner_id", BIGINT, comment="users.user_id of the owner; null: nobody, or not known yet (PULL-7)"),
    Column("owner_ref", KEY, comment="the owner's id in the CRM"),
    Column("billing_street", TEXT, comment="billing street, as the CRM has it"),
    Column("billing_city", TEXT, comment="billing city, as the CRM has it"),
    Column("billing_state", TEXT, comment="billing state, as the CRM has it"),
    Column("billing_zip", TEXT, comment="billing zip, as the CRM has it"),
    Column("billing_country", TEXT, comment="billing country, as the CRM has it"),
    Column("shipping_street", TEXT, comment="shipping street, as the CRM has it"),
    Column("shipping_city", TEXT, comment="shipping city, as the CRM has it"),
    Column("shipping_state", TEXT, comment="shipping state, as the CRM has it"),
    Column("shipping_zip", TEXT, comment="shipping zip, as the CRM has it"),
    Column("shipping_country", TEXT, comment="shipping country, as the CRM has it"),
    Column("phone", TEXT, comment="phone, as the CRM has it"),
    Column("fax", TEXT, comment="fax, as the CRM has it"),
    Column("industry", TEXT, comment="industry, as the CRM has it"),
    Column("type", TEXT, comment="type, as the CRM has it"),
    Column("rating", TEXT, comment="rating, as the CRM has it"),
    Column("ownership", TEXT, comment="ownership, as the CRM has it"),
    Column("sic", TEXT, comment="sic, as the CRM has it"),
    Column("ticker", TEXT, comment="ticker, as the CRM has it"),
    Column("url", TEXT, comment="url, as the CRM has it"),
    Column("employees", TEXT, comment="employees, as the CRM has it"),
    Column("description", TEXT, comment="description, as the CRM has it"),
    Column("left_scope", INSTANT, comment="since when the record no longer meets the sync filter, UTC (FILT-2)"),
    Column("deleted_date", INSTANT, comment="set: deleted, not to be counted, mailed or listed (DEL-1), UTC"),
    Column("do_not_pull", BOOLEAN, comment="true: deleted for good, a change in the CRM does not bring it back (DEL-7)"),
    Column("merged_into", BIGINT, comment="key of the row that took this one's place (MATCH-8)"),
    Column(
        "created_at",
        INSTANT,
        nullable=False,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="when this row was made in Market, UTC",
    ),
    Column(
        "updated_at",
        INSTANT,
        nullable=False,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="when this row was last written, UTC",
    ),
)

_CONTACTS: tuple[SchemaItem, ...] = (
    Column("contact_id", BIGINT, primary_key=True, autoincrement=False, comment="the Market's own key; never given twice"),
    Column("crm_type", TEXT, comment="what owns this row in the CRM: Lead, Contact or Candidate; null: made in Market"),
    Column("connector", KEY, comment="name of the connector whose record owns this row; null: made in Market"),
    Column("crm_id", KEY, comment="the CRM's key of the record that owns this row; all linked records stand in crm_links"),
    Column("crm_created_at", INSTANT, comment="created, on the CRM's clock, UTC"),
    Column("crm_modified_at", INSTANT, comment="last modified, on the CRM's clock, UTC"),
    Column("first_name", TEXT, comment="first name, as the CRM has it"),
    Column("last_name", TEXT, comment="last name, as the CRM has it"),
    Column("email", TEXT, comment="primary address, as it was typed"),
    Column("email_key", KEY, comment="email, trimmed and in lower case: what people are matched by (MATCH-2)"),
    Column("email_addresses", TEXT, comment="all addresses as the CRM lists them, a JSON array"),
    Column(
        "opt_out",
        BOOLEAN,
        nullable=False,
        server_default=text("false"),
        comment="true: does not want mail. Changes only by the consent rules, each with an entry in consent_ledger",
    ),
    Column("opt_out_date", INSTANT, comment="since when, UTC"),
    Column(
        "del_status",
        Integer(),
        nullable=False,
        server_default=text("0"),
        comment="delivery: 0 unknown, 1 delivered, 2 bounced (ADDR-3)",
    ),
    Column("del_message", TEXT, comment="what the mail server said, or 'Reset by Sync' after a change of address (ADDR-1)"),
    Column("title", TEXT, comment="title, as the CRM has it"),
    Column("phone", TEXT, comment="phone, as the CRM has it"),
    Column("mobile_phone", TEXT, comment="mobile phone, as the CRM has it"),
    Column("company", TEXT, comment="a lead's company name; its account is found by it (PULL-6)"),
    Column("lead_source", TEXT, comment="lead source, as the CRM has it"),
    Column("mailing_street", TEXT, comment="mailing street, as the CRM has it"),
    Column("mailing_city", TEXT, comment="mailing city, as the CRM has it"),
    Column("mailing_state", TEXT, comment="mailing state, as the CRM has it"),
    Column("mailing_zip", TEXT, comment="mailing zip, as the CRM has it"),
    Column("mailing_country", TEXT, comment="mailing country, as the CRM has it"),
    Column("account_id", BIGINT, nullable=False, server_default=text("1"), comment="accounts.account_id; 1 is 'No Company'"),
    Column("account_ref", KEY, comment="the account's id in the CRM, also while that account has not arrived (PULL-6)"),
    Column("owner_id", BIGINT, comment="users.user_id of the owner; null: nobody, or not known yet (PULL-7)"),
    Column("owner_ref", KEY, comment="the owner's id in the CRM"),
    Column("converted", BOOLEAN, comment="true: this lead was converted in the CRM (MATCH-7)"),
    Column("left_scope", INSTANT, comment="since when the record no longer meets the sync filter, UTC (FILT-2)"),
    Column("deleted_date", INSTANT, comment="set: deleted, not to be counted, mailed or listed (DEL-1), UTC"),
    Column("do_not_pull", BOOLEAN, comment="true: deleted for good, a change in the CRM does not bring it back (DEL-7)"),
    Column("merged_into", BIGINT, comment="key of the row that took this one's place (MATCH-8)"),
    Column(
        "created_at",
        INSTANT,
        nullable=False,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="when this row was made in Market, UTC",
    ),
    Column(
        "updated_at",
        INSTANT,
        nullable=False,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="when this row was last written, UTC",
    ),
)

_OPPORTUNITIES: tuple[SchemaItem, ...] = (
    Column("opportunity_id", BIGINT, primary_key=True, autoincrement=False, comment="the Market's own key; never given twice"),
    Column("connector", KEY, comment="name of the connector whose record owns this row"),
    Column("crm_id", KEY, comment="the CRM's key of that record"),
    Column("account_id", BIGINT, server_default=text("1"), comment="accounts.account_id; 1 is 'No Company'"),
    Column("account_ref", KEY, comment="the account's id in the CRM"),
    Column("contact_id", BIGINT, comment="contacts.contact_id of the first person; null: none, or not here yet"),
    Column("contact_ref", KEY, comment="that person's id in the CRM"),
    Column("owner_id", BIGINT, comment="users.user_id of the owner; null: nobody, or not known yet (PULL-7)"),
    Column("owner_ref", KEY, comment="the owner's id in the CRM"),
    Column("opportunity_name", TEXT, comment="opportunity name, as the CRM has it"),
    Column("description", TEXT, comment="description, as the CRM has it"),
    Column("stage", TEXT, comment="stage, as the CRM has it"),
    Column("amount", DECIMAL, comment="in `currency`, exact"),
    Column("currency", TEXT, comment="as the CRM names it"),
    Column("probability", DECIMAL, comment="0 to 100"),
    Column("close_date", DATE, comment="expected or actual day of closing"),
    Column("type", TEXT, comment="type, as the CRM has it"),
    Column("lead_source", TEXT, comment="lead source, as the CRM has it"),
    Column("next_step", TEXT, comment="next step, as the CRM has it"),
    Column("is_closed", BOOLEAN, comment="won or lost"),
    Column("is_won", BOOLEAN, comment="won"),
    Column("crm_created_at", INSTANT, comment="created, on the CRM's clock, UTC"),
    Column("crm_modified_at", INSTANT, comment="last modified, on the CRM's clock, UTC"),
    Column("left_scope", INSTANT, comment="since when the record no longer meets the sync filter, UTC (FILT-2)"),
    Column("deleted_date", INSTANT, comment="set: deleted, not to be counted, mailed or listed (DEL-1), UTC"),
    Column("do_not_pull", BOOLEAN, comment="true: deleted for good, a change in the CRM does not bring it back (DEL-7)"),
    Column(
        "created_at",
        INSTANT,
        nullable=False,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="when this row was made in Market, UTC",
    ),
    Column(
        "updated_at",
        INSTANT,
        nullable=False,
        server_default=text("CURRENT_TIMESTAMP"),
        comment="when this row was last written, UTC",
    ),
)


def upgrade() -> None:
    _users()
    _accounts()
    _contacts()
    _opportunities()


def _partial_index(name: str, table: str, columns: list[Any], where: str, *, unique: bool = False) -> None:
    op.create_index(name, table, columns, unique=unique, postgresql_where=text(where), sqlite_where=text(where))


def _users() -> None:
    op.create_table(
        "users",
        *_USERS,
        comment="One row per user of a CRM: who owns accounts, people and opportunities.",
    )
    op.create_index("ux_users_email_key", "users", ["email_key"], unique=True)


def _accounts() -> None:
    op.create_table(
        "accounts",
        *_ACCOUNTS,
        comment="One row per company. account_id 1 is the built-in 'No Company', to which people without one belong (PULL-6).",
    )
    op.create_index("ix_accounts_account_name_key", "accounts", ["account_name_key"])
    _partial_index("ix_accounts_waiting_owner", "accounts", ["connector", "owner_ref"], "owner_ref IS NOT NULL AND owner_id IS NULL")


def _contacts() -> None:
    op.create_table(
        "contacts",
        *_CONTACTS,
        comment="One row per person: leads, contacts, candidates (crm_type), and people made in Market.",
    )
    op.create_index("ix_contacts_account_id", "contacts", ["account_id"])
    op.create_index("ix_contacts_email_key", "contacts", ["email_key"])
    _partial_index("ix_contacts_merged_into", "contacts", ["merged_into"], "merged_into IS NOT NULL")
    _partial_index("ix_contacts_waiting_account", "contacts", ["connector", "account_ref"], "account_ref IS NOT NULL AND account_id = 1")
    waiting = "account_id = 1 AND account_ref IS NULL AND company IS NOT NULL"
    if op.get_context().dialect.name == "postgresql":
        _partial_index("ix_contacts_waiting_company", "contacts", [text("lower(btrim(company))")], waiting)
    if op.get_context().dialect.name == "sqlite":
        _partial_index("ix_contacts_waiting_company", "contacts", ["company"], waiting)
    _partial_index("ix_contacts_waiting_owner", "contacts", ["connector", "owner_ref"], "owner_ref IS NOT NULL AND owner_id IS NULL")


def _opportunities() -> None:
    op.create_table(
        "opportunities",
        *_OPPORTUNITIES,
        comment="One row per opportunity, with the same columns whatever the CRM (INIT-3).",
    )
    op.create_index("ix_opportunities_account_id", "opportunities", ["account_id"])
    op.create_index("ix_opportunities_contact_id", "opportunities", ["contact_id"])
    waiting = "account_ref IS NOT NULL AND account_id = 1"
    _partial_index("ix_opportunities_waiting_account", "opportunities", ["connector", "account_ref"], waiting)
    waiting = "contact_ref IS NOT NULL AND contact_id IS NULL"
    _partial_index("ix_opportunities_waiting_contact", "opportunities", ["connector", "contact_ref"], waiting)
    waiting = "owner_ref IS NOT NULL AND owner_id IS NULL"
    _partial_index("ix_opportunities_waiting_owner", "opportunities", ["connector", "owner_ref"], waiting)
