"""The stock modules of people: leads, contacts and users, one line per field (see `fields`)."""

from __future__ import annotations

PERSON = """
name fullname 511 readonly
salutation enum salutation_dom
first_name varchar 255
last_name varchar 255 required
title varchar 100
department varchar 255
do_not_call bool
phone_home phone 100
phone_mobile phone 100
phone_work phone 100
phone_other phone 100
phone_fax phone 100
email email nondb
email1 varchar 100 nondb
email_opt_out bool nondb
invalid_email bool nondb
primary_address_street text
primary_address_city varchar 100
primary_address_state varchar 100
primary_address_postalcode varchar 20
primary_address_country varchar 255
alt_address_street text
alt_address_city varchar 100
alt_address_state varchar 100
alt_address_postalcode varchar 20
alt_address_country varchar 255
assistant varchar 75
assistant_phone phone 100
lead_source enum lead_source_dom
campaign_id id
birthdate date
twitter varchar 100
facebook varchar 100
preferred_language enum available_language_dom
region_c varchar 20 custom
tier_c enum tier_list custom
interests_c multienum interests_list custom
mkt_id_c varchar 64 custom indexed
mkt_score_c decimal 18 custom
mkt_score_date_c datetimecombo custom
credit_limit_c decimal 26 custom
vip_c bool custom
renewal_c date custom
last_visit_c datetimecombo custom
visits_c int custom
notes_c text custom
"""

CONTACTS = (
    PERSON
    + """
account_id id
account_name relate account_id Accounts
reports_to_id id
report_to_name relate reports_to_id Contacts
portal_name varchar 255
portal_active bool
business_center_id id
dnb_principal_id varchar 30
date_reviewed date
lawful_basis multienum lawful_basis_dom
opportunity_role enum opportunity_relationship_type_dom nondb
opportunities link opportunities_contacts
leads link contact_leads
prospect_lists link prospect_list_contacts
tasks link contact_tasks
"""
)

LEADS = (
    PERSON
    + """
converted bool
refered_by varchar 100
lead_source_description text
status enum lead_status_dom
status_description text
account_name varchar 255
account_description text
account_id id
contact_id id
opportunity_id id
opportunity_name varchar 255
opportunity_amount varchar 50
website url 255
portal_name varchar 255
ai_conv_score_classification enum ai_conv_score_dom readonly
prospect_lists link prospect_list_leads
"""
)

USERS = """
name fullname 511 readonly
user_name varchar 60 required
first_name varchar 255
last_name varchar 255
title varchar 50
department varchar 50
phone_work phone 50
phone_mobile phone 50
email email nondb
email1 varchar 100 nondb
email_opt_out bool nondb
invalid_email bool nondb
status enum user_status_dom
is_admin bool
is_group bool
reports_to_id id
employee_status varchar 100
license_type multienum license_type_dom
default_team id
"""
