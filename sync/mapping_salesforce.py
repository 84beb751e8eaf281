"""Salesforce's stock mapping. The parts of compound addresses are mapped; the compounds themselves can't be read in bulk."""

from __future__ import annotations

from sync.fields import INSTANT, TEXT, Reading
from sync.mapping import Direction, MappingRow
from sync.records import PEOPLE, PULL_ORDER, Kind

_EVERY = frozenset(PULL_ORDER)
_USERS = frozenset({Kind.USER})
_ACCOUNTS = frozenset({Kind.ACCOUNT})
_LEADS = frozenset({Kind.LEAD})
_CONTACTS = frozenset({Kind.CONTACT})
_OPPORTUNITIES = frozenset({Kind.OPPORTUNITY})


def _pull(kinds: frozenset[Kind], **column_to_field: str) -> tuple[MappingRow, ...]:
    return tuple(MappingRow(field, column, kinds, Direction.PULL) for column, field in column_to_field.items())


def _both(kinds: frozenset[Kind], **column_to_field: str) -> tuple[MappingRow, ...]:
    return tuple(MappingRow(field, column, kinds) for column, field in column_to_field.items())


# SystemModstamp moves for what people and what the system changes; LastModifiedDate misses some of it and can be back-dated.
_IDENTITY = (
    *_pull(_EVERY, crm_id="Id", crm_created_at="CreatedDate", crm_modified_at="SystemModstamp"),
    *_pull(_EVERY - _USERS, owner_ref="OwnerId"),
)

_USER_ROWS = (
    *_pull(_USERS, user_name="Username", first_name="FirstName", last_name="LastName", title="Title", phone="Phone"),
    *_pull(_USERS, email="Email", active="IsActive"),
)

_ACCOUNT_ROWS = (
    *_pull(_ACCOUNTS, account_name="Name", phone="Phone", fax="Fax", description="Description"),
    *_pull(_ACCOUNTS, industry="Industry", type="Type", rating="Rating", ownership="Ownership"),
    *_pull(_ACCOUNTS, sic="Sic", ticker="TickerSymbol", url="Website", employees="NumberOfEmployees"),
    *_pull(_ACCOUNTS, billing_street="BillingStreet", billing_city="BillingCity", billing_state="BillingState"),
    *_pull(_ACCOUNTS, billing_zip="BillingPostalCode", billing_country="BillingCountry"),
    *_pull(_ACCOUNTS, shipping_street="ShippingStreet", shipping_city="ShippingCity", shipping_state="ShippingState"),
    *_pull(_ACCOUNTS, shipping_zip="ShippingPostalCode", shipping_country="ShippingCountry"),
)

# Opt-outs go to the CRM on their own road (PUSH-U), hence pull here. The field is hidden in many orgs; then nothing is known (CONSENT-6).
_PEOPLE_ROWS = (
    *_both(PEOPLE, first_name="FirstName", last_name="LastName", title="Title", phone="Phone", mobile_phone="MobilePhone"),
    MappingRow("Email", "email", PEOPLE, main_address=True),
    *_both(PEOPLE, lead_source="LeadSource"),
    *_pull(PEOPLE, opt_out="HasOptedOutOfEmail"),
    *_both(_LEADS, mailing_street="Street", mailing_city="City", mailing_state="State", mailing_zip="PostalCode"),
    *_both(_LEADS, mailing_country="Country", company="Company"),
    *_both(_CONTACTS, mailing_street="MailingStreet", mailing_city="MailingCity", mailing_state="MailingState"),
    *_both(_CONTACTS, mailing_zip="MailingPostalCode", mailing_country="MailingCountry"),
    *_pull(_CONTACTS, account_ref="AccountId"),
    *_pull(_LEADS, converted="IsConverted", converted_contact_ref="ConvertedContactId"),
)

# `ContactId` is what Salesforce derives from the primary contact role.
_OPPORTUNITY_ROWS = (
    *_pull(_OPPORTUNITIES, opportunity_name="Name", description="Description", stage="StageName", amount="Amount"),
    *_pull(_OPPORTUNITIES, currency="CurrencyIsoCode", probability="Probability", close_date="CloseDate", type="Type"),
    *_pull(_OPPORTUNITIES, lead_source="LeadSource", next_step="NextStep", is_closed="IsClosed", is_won="IsWon"),
    *_pull(_OPPORTUNITIES, account_ref="AccountId", contact_ref="ContactId"),
)

SALESFORCE: tuple[MappingRow, ...] = (*_IDENTITY, *_USER_ROWS, *_ACCOUNT_ROWS, *_PEOPLE_ROWS, *_OPPORTUNITY_ROWS)

# A marketing list is a campaign; reports and list views have no members that an API tells. Nothing on a campaign counts all its members.
SALESFORCE_LISTS: tuple[Reading, ...] = (
    Reading("crm_id", "Id", TEXT, mapped=True),
    Reading("list_name", "Name", TEXT, mapped=True),
    Reading("list_type", "Type", TEXT, mapped=True),
    Reading("description", "Description", TEXT, mapped=True),
    Reading("crm_created_at", "CreatedDate", INSTANT, mapped=True),
    Reading("crm_modified_at", "SystemModstamp", INSTANT, mapped=True),
)
