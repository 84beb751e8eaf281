"""Records go to the recycle bin, come back, leave for good, become one, or become others. Whoever calls holds the lock."""

from __future__ import annotations

import itertools
from typing import Any

from adapters.sandbox.salesforce.derived import full_name
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.records import Values

# What goes along with a deleted record, and comes back with it: (child, its reference).
_ALONG = {
    "Account": (("Contact", "AccountId"), ("Opportunity", "AccountId")),
    "Contact": (("OpportunityContactRole", "ContactId"), ("CampaignMember", "ContactId"), ("Task", "WhoId")),
    "Lead": (("CampaignMember", "LeadId"), ("Task", "WhoId")),
    "Opportunity": (("OpportunityContactRole", "OpportunityId"), ("Task", "WhatId")),
    "Campaign": (("CampaignMember", "CampaignId"), ("CampaignMemberStatus", "CampaignId")),
}
_HANDED_ON = (
    "Salutation FirstName LastName Title Email Phone MobilePhone Fax LeadSource Description OwnerId HasOptedOutOfEmail HasOptedOutOfFax "
    "DoNotCall EmailBouncedReason EmailBouncedDate Mkt_Score__c Mkt_Score_Date__c"
)
_batches = itertools.count(1)


def delete(instance: Instance, name: str, record_id: str, by: str, stamp: str) -> None:
    """To the recycle bin, with what hangs on it: the stamps move, the values stay."""
    batch = next(_batches)
    _delete(instance, name, record_id, by, stamp, batch)


def _delete(instance: Instance, name: str, record_id: str, by: str, stamp: str, batch: int) -> None:
    records = instance.records
    records.change(name, record_id, {"IsDeleted": "true"}, by, stamp)
    records.database.execute("insert into gone values (?, ?, ?, ?)", (name, record_id, stamp, batch))
    if not instance.settings.cascade_deletes:
        return
    for child, reference in _ALONG.get(name, ()):
        if child in instance.schema.objects and reference in instance.schema.objects[child].fields:
            for row in records.rows(child, f'"{reference}" = ? and "IsDeleted" = \'false\'', (record_id,)):
                _delete(instance, child, row["Id"], by, stamp, batch)


def undelete(instance: Instance, name: str, record_id: str, by: str, stamp: str) -> None:
    """Back from the recycle bin, with what went along; raises LookupError for what is not there."""
    row = instance.records.row(name, record_id)
    if row is None or row["IsDeleted"] == "false":
        raise LookupError(f"no {name} {record_id} in the recycle bin")
    database = instance.database
    found = database.execute("select batch from gone where object = ? and id = ? order by at desc", (name, record_id)).fetchone()
    along = [(name, record_id)]
    if found:
        along = database.execute("select object, id from gone where batch = ?", found).fetchall()
        database.execute("delete from gone where batch = ?", found)
    for kind, one in {(name, record_id), *along}:
        if instance.records.row(kind, one):
            back = {"IsDeleted": "false", **({"MasterRecordId": None} if "MasterRecordId" in instance.schema.objects[kind].fields else {})}
            instance.records.change(kind, one, back, by, stamp)


def purge(instance: Instance, name: str = "", ids: list[str] | None = None, *, log: bool = False) -> int:
    """Deleted records leave the recycle bin for good; `log`: the log of deletions forgets them too. Returns how many."""
    count = 0
    for kind in [name] if name else list(instance.schema.objects):
        for row in instance.records.rows(kind, "\"IsDeleted\" = 'true'", ()):
            if ids is None or row["Id"] in ids:
                instance.database.execute(f'delete from "{kind}" where "Id" = ?', (row["Id"],))
                count += 1
                if log:
                    instance.database.execute("delete from gone where object = ? and id = ?", (kind, row["Id"]))
    instance.records.version += 1
    return count


def merge(instance: Instance, name: str, winner: str, loser: str, by: str, stamp: str) -> None:
    """The loser goes and points at the winner; its children go over. Raises LookupError."""
    records = instance.records
    for one in (winner, loser):
        row = records.row(name, one)
        if row is None or row["IsDeleted"] == "true":
            raise LookupError(f"no living {name} {one}")
    for child, spec in instance.schema.children(name):
        if spec.name == "MasterRecordId":
            continue
        for row in records.rows(child.name, f'"{spec.name}" = ?', (loser,)):
            records.change(child.name, row["Id"], {spec.name: winner}, by, stamp)
    records.change(name, loser, {"IsDeleted": "true", "MasterRecordId": winner}, by, stamp)
    records.database.execute("insert into gone values (?, ?, ?, ?)", (name, loser, stamp, next(_batches)))
    records.change(name, winner, {}, by, stamp)


def convert(
    instance: Instance,
    lead: str,
    by: str,
    stamp: str,
    *,
    contact: str | None = None,
    account: str | None = None,
    opportunity: bool = False,
    new_id: str | None = None,
) -> dict[str, str | None]:
    """A lead becomes a contact of an account, existing or new ones, and perhaps an opportunity; returns the ids. Raises LookupError."""
    records = instance.records
    row = records.row("Lead", lead)
    if row is None or row["IsDeleted"] == "true" or row["IsConverted"] == "true":
        raise LookupError(f"no Lead {lead} that could be converted")
    if contact:
        held = records.row("Contact", contact)
        if held is None:
            raise LookupError(f"no Contact {contact}")
        account = account or held["AccountId"]
        filled = {key: row[key] for key in ("Title", "Phone", "Email") if not held.get(key) and row.get(key)}
        records.change("Contact", contact, filled, by, stamp)
    account = account or records.insert("Account", {"Name": row["Company"], "Phone": row["Phone"], "OwnerId": row["OwnerId"]}, by, stamp)
    contact = contact or records.insert(
        "Contact", {**_handed_on(instance, row), "AccountId": account, **({"Id": new_id} if new_id else {})}, by, stamp
    )
    deal = None
    if opportunity:
        values = {"Name": f"{row['Company']}-", "StageName": "Prospecting", "CloseDate": stamp[:10], "AccountId": account}
        deal = records.insert("Opportunity", values, by, stamp)
        records.insert("OpportunityContactRole", {"OpportunityId": deal, "ContactId": contact, "IsPrimary": "true"}, by, stamp)
    pointers = {"ConvertedAccountId": account, "ConvertedContactId": contact, "ConvertedOpportunityId": deal}
    done = {"IsConverted": "true", "ConvertedDate": stamp[:10], "Status": "Qualified", **pointers}
    records.change("Lead", lead, done, by, stamp)
    for kind, old, new in (("Task", "WhoId", "WhoId"), ("CampaignMember", "LeadId", "ContactId")):
        for child in records.rows(kind, f'"{old}" = ? and "IsDeleted" = \'false\'', (lead,)):
            records.change(kind, child["Id"], {new: contact}, by, stamp)
    return {"contact_id": contact, "account_id": account, "opportunity_id": deal}


def _handed_on(instance: Instance, lead: Values) -> dict[str, Any]:
    fields = instance.schema.objects["Contact"].fields
    values = {name: lead[name] for name in _HANDED_ON.split() if name in fields and lead.get(name) is not None}
    for part in ("Street", "City", "State", "PostalCode", "Country"):
        values[f"Mailing{part}"] = lead.get(part)
    return {**values, "Name": full_name(lead)}
