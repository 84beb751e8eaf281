"""The modules of a stock instance with a few studio fields, one line per field (see `fields`)."""

from __future__ import annotations

from adapters.sandbox.sugarcrm.stock_people import CONTACTS, LEADS, USERS

COMMON = """
id id required
name name 255
date_entered datetime readonly
date_modified datetime readonly
modified_user_id id readonly
modified_by_name relate modified_user_id Users
created_by id readonly
created_by_name relate created_by Users
description text
deleted bool readonly
assigned_user_id id
assigned_user_name relate assigned_user_id Users
team_id id
team_set_id id
team_name team_list
sync_key varchar 100 indexed readonly
tag tag
my_favorite bool nondb
following bool nondb
"""

ACCOUNTS = """
name name 150 required
account_type enum account_type_dom
industry enum industry_dom
annual_revenue varchar 100
phone_fax phone 100
billing_address_street text
billing_address_city varchar 100
billing_address_state varchar 100
billing_address_postalcode varchar 20
billing_address_country varchar 255
rating varchar 100
phone_office phone 100
phone_alternate phone 100
website url 255
ownership varchar 100
employees varchar 10
ticker_symbol varchar 10
shipping_address_street text
shipping_address_city varchar 100
shipping_address_state varchar 100
shipping_address_postalcode varchar 20
shipping_address_country varchar 255
parent_id id
sic_code varchar 10
duns_num varchar 15
campaign_id id
email email nondb
email1 varchar 100 nondb
email_opt_out bool nondb
invalid_email bool nondb
service_level enum service_level_dom
business_center_id id
next_renewal_date date
tier_c enum tier_list custom
credit_limit_c decimal 26 custom
mkt_id_c varchar 64 custom indexed
contacts link accounts_contacts
leads link account_leads
opportunities link accounts_opportunities
"""

OPPORTUNITIES = """
name name 50 required
opportunity_type enum opportunity_type_dom
account_id id
account_name relate account_id Accounts
campaign_id id
lead_source enum lead_source_dom
amount currency 26
amount_usdollar currency 26 readonly
currency_id id
base_rate decimal 26
date_closed date
date_closed_timestamp int readonly
next_step varchar 100
sales_stage enum sales_stage_dom
sales_status enum sales_status_dom
probability int
best_case currency 26
worst_case currency 26
commit_stage enum commit_stage_dom
total_revenue_line_items int readonly
closed_revenue_line_items int readonly
forecasted_likely currency 26
lost currency 26
mkt_id_c varchar 64 custom indexed
contacts link opportunities_contacts
"""

PARENT = """
parent_type parent_type 255
parent_id id
mkt_id_c varchar 64 custom indexed
"""

ACTIVITY = {
    "Tasks": """
name name 50 required
status enum task_status_dom
priority enum task_priority_dom
date_due datetimecombo
date_due_flag bool
date_start datetimecombo
date_start_flag bool
contact_id id
contact_name relate contact_id Contacts
""",
    "Calls": """
name name 50 required
status enum call_status_dom
direction enum call_direction_dom
date_start datetimecombo
date_end datetimecombo
duration_hours int
duration_minutes int
""",
    "Meetings": """
name name 50 required
status enum meeting_status_dom
location varchar 255
date_start datetimecombo
date_end datetimecombo
duration_hours int
duration_minutes int
""",
    "Notes": """
name name 255 required
contact_id id
contact_name relate contact_id Contacts
filename varchar 255
portal_flag bool
""",
    "Emails": """
name varchar 255
state enum dom_email_states
status enum dom_email_status
direction enum dom_email_direction
date_sent datetime
message_id varchar 255
message_uid varchar 64
from_addr_name varchar 255
to_addrs_names text
description_html longtext
""",
}

OTHER = {
    "ProspectLists": """
name name 255 required
list_type enum prospect_list_type_dom
domain_name varchar 255
entry_count int readonly nondb
contacts link prospect_list_contacts
leads link prospect_list_leads
accounts link prospect_list_accounts
users link prospect_list_users
""",
    "Campaigns": """
name name 50 required
status enum campaign_status_dom
campaign_type enum campaign_type_dom
start_date date
end_date date
budget currency 26
expected_cost currency 26
actual_cost currency 26
objective text
content text
mkt_id_c varchar 64 custom indexed
mkt_total_opens_c int custom
mkt_unique_opens_c int custom
mkt_total_clicks_c int custom
mkt_unique_clicks_c int custom
""",
    "EmailAddresses": """
email_address varchar 255 required
email_address_caps varchar 255 indexed readonly
invalid_email bool
opt_out bool
confirmation_requested_on datetime
""",
}

STOCK = {
    "Users": USERS,
    "Accounts": ACCOUNTS,
    "Leads": LEADS,
    "Contacts": CONTACTS,
    "Opportunities": OPPORTUNITIES,
    **{name: block + PARENT for name, block in ACTIVITY.items()},
    **OTHER,
}
