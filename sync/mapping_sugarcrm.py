"""SugarCRM's stock mapping. What stands here for several modules has the same field name in each of them."""

from __future__ import annotations

from sync.fields import INSTANT, INTEGER, TEXT, Pick, Reading
from sync.mapping import Direction, MappingRow
from sync.records import PEOPLE, PULL_ORDER, Kind

_EVERY = frozenset(PULL_ORDER)
_USERS = frozenset({Kind.USER})
_ACCOUNTS = frozenset({Kind.ACCOUNT})
_LEADS = frozenset({Kind.LEAD})
_OPPORTUNITIES = frozenset({Kind.OPPORTUNITY})
_WON = ("Closed Won",)
_CLOSED = ("Closed Won", "Closed Lost")


def _pull(kinds: frozenset[Kind], **column_to_field: str) -> tuple[MappingRow, ...]:
    return tuple(MappingRow(field, column, kinds, Direction.PULL) for column, field in column_to_field.items())


def _both(kinds: frozenset[Kind], **column_to_field: str) -> tuple[MappingRow, ...]:
    return tuple(MappingRow(field, column, kinds) for column, field in column_to_field.items())


_IDENTITY = (
    *_pull(_EVERY, crm_id="id", crm_created_at="date_entered", crm_modified_at="date_modified"),
    *_pull(_EVERY - _USERS, owner_ref="assigned_user_id"),
)

_USER_ROWS = (
    *_pull(_USERS, user_name="user_name", first_name="first_name", last_name="last_name", title="title", phone="phone_work"),
    MappingRow("email", "email", _USERS, Direction.PULL, pick=Pick("primary_address", "email_address")),
    MappingRow("status", "active", _USERS, Direction.PULL, true_when=("Active",)),
)

_ACCOUNT_ROWS = (
    *_pull(_ACCOUNTS, account_name="name", phone="phone_office", fax="phone_fax", description="description"),
    *_pull(_ACCOUNTS, industry="industry", type="account_type", rating="rating", ownership="ownership"),
    *_pull(_ACCOUNTS, sic="sic_code", ticker="ticker_symbol", url="website", employees="employees"),
    *_pull(_ACCOUNTS, billing_street="billing_address_street", billing_city="billing_address_city"),
    *_pull(_ACCOUNTS, billing_state="billing_address_state", billing_zip="billing_address_postalcode"),
    *_pull(_ACCOUNTS, billing_country="billing_address_country"),
    *_pull(_ACCOUNTS, shipping_street="shipping_address_street", shipping_city="shipping_address_city"),
    *_pull(_ACCOUNTS, shipping_state="shipping_address_state", shipping_zip="shipping_address_postalcode"),
    *_pull(_ACCOUNTS, shipping_country="shipping_address_country"),
)

# `email` is an array in which one entry is the primary one; the old `email1` shows that entry's address alone. Opt-outs go to the
# CRM on their own road (PUSH-U), hence pull here.
_PEOPLE_ROWS = (
    *_both(PEOPLE, first_name="first_name", last_name="last_name", title="title", phone="phone_work", mobile_phone="phone_mobile"),
    MappingRow("email", "email", PEOPLE, pick=Pick("primary_address", "email_address")),
    MappingRow("email", "opt_out", PEOPLE, Direction.PULL, pick=Pick("primary_address", "opt_out")),
    MappingRow("email", "email_addresses", PEOPLE, Direction.PULL),
    *_both(PEOPLE, lead_source="lead_source"),
    *_both(PEOPLE, mailing_street="primary_address_street", mailing_city="primary_address_city"),
    *_both(PEOPLE, mailing_state="primary_address_state", mailing_zip="primary_address_postalcode"),
    *_both(PEOPLE, mailing_country="primary_address_country"),
    *_pull(PEOPLE, account_ref="account_id"),
    *_both(_LEADS, company="account_name"),
    *_pull(_LEADS, converted="converted", converted_contact_ref="contact_id"),
)

# `sales_stage` is kept in every mode of Sugar's opportunities; `sales_status` stands in where the stage is hidden.
_OPPORTUNITY_ROWS = (
    *_pull(_OPPORTUNITIES, opportunity_name="name", description="description", stage="sales_stage"),
    *_pull(_OPPORTUNITIES, amount="amount", currency="currency_id", probability="probability", close_date="date_closed"),
    *_pull(_OPPORTUNITIES, type="opportunity_type", lead_source="lead_source", next_step="next_step"),
    *_pull(_OPPORTUNITIES, account_ref="account_id", contact_ref="contact_id"),
    MappingRow("sales_stage", "is_closed", _OPPORTUNITIES, Direction.PULL, true_when=_CLOSED),
    MappingRow("sales_status", "is_closed", _OPPORTUNITIES, Direction.PULL, true_when=_CLOSED),
    MappingRow("sales_stage", "is_won", _OPPORTUNITIES, Direction.PULL, true_when=_WON),
    MappingRow("sales_status", "is_won", _OPPORTUNITIES, Direction.PULL, true_when=_WON),
)

SUGARCRM: tuple[MappingRow, ...] = (*_IDENTITY, *_USER_ROWS, *_ACCOUNT_ROWS, *_PEOPLE_ROWS, *_OPPORTUNITY_ROWS)

# Target lists have a fixed set of columns, whatever the CRM. `entry_count` is counted by Sugar when it is read, and moves no stamp.
SUGARCRM_LISTS: tuple[Reading, ...] = (
    Reading("crm_id", "id", TEXT, mapped=True),
    Reading("list_name", "name", TEXT, mapped=True),
    Reading("list_type", "list_type", TEXT, mapped=True),
    Reading("description", "description", TEXT, mapped=True),
    Reading("crm_members", "entry_count", INTEGER, mapped=True),
    Reading("crm_created_at", "date_entered", INSTANT, mapped=True),
    Reading("crm_modified_at", "date_modified", INSTANT, mapped=True),
)
