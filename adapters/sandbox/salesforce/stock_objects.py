"""The objects that an org has out of the box, and those that marketsync's own package and an administrator added. See `field_from`."""

from __future__ import annotations

_OWNER = "OwnerId reference to=User rel=Owner"
_OWNER_OR_QUEUE = "OwnerId reference to=User,Group rel=Owner"
_MASTER = "MasterRecordId reference ro to={0} rel=MasterRecord"
_LEAD_SOURCES = "values=Web|Phone_Inquiry|Partner_Referral|Purchased_List|Other"
_SALUTATIONS = "values=Mr.|Ms.|Mrs.|Dr.|Prof."
_INDUSTRIES = "values=Agriculture|Banking|Education|Energy|Retail|Technology|Other"


def _address(prefix: str) -> tuple[str, ...]:
    whole = f"{prefix}Address" if prefix else "Address"
    parts = ",".join(f"{prefix}{part}" for part in ("Street", "City", "State", "PostalCode", "Country"))
    return (
        f"{prefix}Street textarea(255) in={whole}",
        f"{prefix}City string(40) in={whole}",
        f"{prefix}State string(80) in={whole}",
        f"{prefix}PostalCode string(20) in={whole}",
        f"{prefix}Country string(80) in={whole}",
        f"{whole} address parts={parts}",
    )


_PERSON = (
    "LastName string(80) req in=Name",
    "FirstName string(40) in=Name",
    f"Salutation picklist(40) in=Name {_SALUTATIONS}",
    "Name string(121) ro",
)
_REACHED = (
    "Phone phone(40)",
    "MobilePhone phone(40)",
    "Fax phone(40)",
    "Email email(80)",
)
_MAILABLE = (
    "HasOptedOutOfEmail boolean",
    "HasOptedOutOfFax boolean",
    "DoNotCall boolean",
    "EmailBouncedReason string(255)",
    "EmailBouncedDate datetime",
)
_MKT = (
    "Mkt_Id__c string(64) ext unique",
    "Mkt_Score__c double(18,2)",
    "Mkt_Score_Date__c datetime",
)

CONTACT = (
    _MASTER.format("Contact"),
    "AccountId reference to=Account rel=Account children=Contacts",
    *_PERSON,
    *_address("Mailing"),
    *_address("Other"),
    *_REACHED,
    "HomePhone phone(40)",
    "OtherPhone phone(40)",
    "AssistantName string(40)",
    "Title string(128)",
    "Department string(80)",
    "ReportsToId reference to=Contact rel=ReportsTo",
    f"LeadSource picklist(255) {_LEAD_SOURCES}",
    "Birthdate date",
    "Description textarea(32000)",
    _OWNER,
    *_MAILABLE,
    "IsEmailBounced boolean ro",
    "IndividualId reference to=Individual rel=Individual",
    "LastActivityDate date ro",
    *_MKT,
    "Customer_Number__c string(20)",
    "Favourite_Colours__c multipicklist values=red|green|blue",
    "Shoe_Size__c double(4,1)",
    "Newsletter_Since__c date",
    "Remarks__c textarea(131072)",
)
LEAD = (
    _MASTER.format("Lead"),
    *_PERSON,
    "Title string(128)",
    "Company string(255) req",
    *_address(""),
    *_REACHED,
    "Website url(255)",
    "Description textarea(32000)",
    f"LeadSource picklist(255) {_LEAD_SOURCES}",
    "Status picklist(255) default=Open values=Open|Working|Qualified|Unqualified",
    f"Industry picklist(255) {_INDUSTRIES}",
    "Rating picklist(255) values=Hot|Warm|Cold",
    "AnnualRevenue currency(18,0)",
    "NumberOfEmployees int",
    _OWNER_OR_QUEUE,
    *_MAILABLE,
    "IsConverted boolean createonly",
    "ConvertedDate date ro",
    "ConvertedAccountId reference ro to=Account rel=ConvertedAccount",
    "ConvertedContactId reference ro to=Contact rel=ConvertedContact",
    "ConvertedOpportunityId reference ro to=Opportunity rel=ConvertedOpportunity",
    "IsUnreadByOwner boolean",
    "LastActivityDate date ro",
    *_MKT,
)
ACCOUNT = (
    _MASTER.format("Account"),
    "Name string(255) req",
    "Type picklist(255) values=Prospect|Customer|Partner|Other",
    "ParentId reference to=Account rel=Parent children=ChildAccounts",
    *_address("Billing"),
    *_address("Shipping"),
    "Phone phone(40)",
    "Fax phone(40)",
    "AccountNumber string(40)",
    "Website url(255)",
    "Sic string(20)",
    f"Industry picklist(255) {_INDUSTRIES}",
    "AnnualRevenue currency(18,0)",
    "NumberOfEmployees int",
    "Ownership picklist(255) values=Public|Private|Other",
    "TickerSymbol string(20)",
    "Description textarea(32000)",
    "Rating picklist(255) values=Hot|Warm|Cold",
    "Site string(80)",
    f"AccountSource picklist(255) {_LEAD_SOURCES}",
    _OWNER,
    "LastActivityDate date ro",
    "Tier__c picklist(255) restricted values=gold|silver|bronze",
)
OPPORTUNITY = (
    "AccountId reference to=Account rel=Account children=Opportunities",
    "Name string(120) req",
    "Description textarea(32000)",
    "StageName picklist(255) req values=Prospecting|Qualification|Proposal|Negotiation|Closed_Won|Closed_Lost",
    "Amount currency(18,2)",
    "Probability percent(3,0)",
    "ExpectedRevenue currency(18,2) ro",
    "TotalOpportunityQuantity double(18,2)",
    "CloseDate date req",
    "Type picklist(255) values=New_Business|Existing_Business",
    "NextStep string(255)",
    f"LeadSource picklist(255) {_LEAD_SOURCES}",
    "IsClosed boolean ro",
    "IsWon boolean ro",
    "ForecastCategoryName picklist(40) ro",
    "CampaignId reference to=Campaign rel=Campaign children=Opportunities",
    "HasOpportunityLineItem boolean ro",
    _OWNER,
    "ContactId reference createonly to=Contact rel=Contact",
    "FiscalYear int ro",
    "FiscalQuarter int ro",
    "LastActivityDate date ro",
    "LastStageChangeDate datetime ro",
)
CONTACT_ROLE = (
    "OpportunityId reference createonly req to=Opportunity rel=Opportunity children=OpportunityContactRoles",
    "ContactId reference req to=Contact rel=Contact children=OpportunityContactRoles",
    "Role picklist(40) values=Decision_Maker|Evaluator|Business_User|Other",
    "IsPrimary boolean",
)
USER = (
    "Username string(80) req",
    "LastName string(80) req",
    "FirstName string(40)",
    "Name string(121) ro",
    "Email email(128) req",
    "Title string(80)",
    "Department string(80)",
    "Phone phone(40)",
    "MobilePhone phone(40)",
    "Alias string(8) req",
    "IsActive boolean",
    "UserRoleId reference to=UserRole",
    "ProfileId reference to=Profile",
    "ManagerId reference to=User rel=Manager",
    "UserType picklist(40) ro values=Standard|AutomatedProcess",
    "TimeZoneSidKey picklist(40) req",
    "LocaleSidKey picklist(40) req",
    "FederationIdentifier string(512)",
)
GROUP = ("Name string(40) req", "DeveloperName string(80)", "Type picklist(40) values=Queue|Regular", "Email email(80)")
TASK = (
    "WhoId reference to=Contact,Lead rel=Who children=Tasks",
    "WhatId reference to=Account,Opportunity,Campaign rel=What children=Tasks",
    "Subject combobox(255)",
    "ActivityDate date",
    "Status picklist(255) default=Not_Started values=Not_Started|In_Progress|Completed|Waiting_on_someone_else|Deferred",
    "Priority picklist(255) default=Normal values=High|Normal|Low",
    _OWNER_OR_QUEUE,
    "Description textarea(32000)",
    "Type picklist(40) values=Call|Email|Meeting|Other",
    "TaskSubtype picklist(40) createonly default=Task values=Task|Email|Call|ListEmail",
    "IsClosed boolean ro",
    "IsArchived boolean ro",
    "AccountId reference ro to=Account rel=Account",
    "CallDurationInSeconds int",
    "CallType picklist(40) values=Inbound|Outbound|Internal",
    "CompletedDateTime datetime ro",
    "Mkt_Id__c string(64) ext unique",
    "Mkt_Campaign__c string(255)",
    "Mkt_Opens__c double(6,0)",
    "Mkt_Clicks__c double(6,0)",
)
CAMPAIGN = (
    "Name string(80) req",
    "ParentId reference to=Campaign rel=Parent children=ChildCampaigns",
    "Type picklist(40) default=Other values=Email|Event|Webinar|Advertisement|Other",
    "Status picklist(40) default=Planned values=Planned|In_Progress|Completed|Aborted",
    "StartDate date",
    "EndDate date",
    "IsActive boolean",
    "Description textarea(32000)",
    "NumberOfLeads int ro",
    "NumberOfContacts int ro",
    "NumberOfResponses int ro",
    _OWNER,
    "Mkt_Id__c string(64) ext unique",
    "Mkt_Opens__c double(9,0)",
    "Mkt_People_Opened__c double(9,0)",
    "Mkt_Clicks__c double(9,0)",
    "Mkt_People_Clicked__c double(9,0)",
)
MEMBER = (
    "CampaignId reference createonly req to=Campaign rel=Campaign children=CampaignMembers",
    "LeadId reference createonly to=Lead rel=Lead children=CampaignMembers",
    "ContactId reference createonly to=Contact rel=Contact children=CampaignMembers",
    "LeadOrContactId reference ro to=Contact,Lead",
    "Status picklist(40) default=Sent",
    "HasResponded boolean ro",
    "FirstRespondedDate date ro",
    "Type string(40) ro",
    "Mkt_Id__c string(64) ext unique",
)
MEMBER_STATUS = (
    "CampaignId reference createonly req to=Campaign rel=Campaign children=CampaignMemberStatuses",
    "Label string(255) req",
    "HasResponded boolean",
    "IsDefault boolean",
    "SortOrder int",
)

# name → (label, key prefix, fields). The order is the one in which a populated org is filled.
STOCK: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "User": ("User", "005", USER),
    "Group": ("Group", "00G", GROUP),
    "Account": ("Account", "001", ACCOUNT),
    "Contact": ("Contact", "003", CONTACT),
    "Lead": ("Lead", "00Q", LEAD),
    "Campaign": ("Campaign", "701", CAMPAIGN),
    "CampaignMemberStatus": ("Campaign Member Status", "01Y", MEMBER_STATUS),
    "CampaignMember": ("Campaign Member", "00v", MEMBER),
    "Opportunity": ("Opportunity", "006", OPPORTUNITY),
    "OpportunityContactRole": ("Opportunity Contact Role", "00K", CONTACT_ROLE),
    "Task": ("Task", "00T", TASK),
}
SYSTEM_FIELDS = (
    "Id id",
    "IsDeleted boolean ro",
    "CreatedDate datetime ro",
    "CreatedById reference ro to=User rel=CreatedBy",
    "LastModifiedDate datetime ro",
    "LastModifiedById reference ro to=User rel=LastModifiedBy",
    "SystemModstamp datetime ro",
)
NEVER_DELETED = frozenset({"User", "Group"})
NOT_IN_BULK = frozenset({"CampaignMemberStatus"})
