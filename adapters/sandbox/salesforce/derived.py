"""Fields that Salesforce works out by itself when a record is saved."""

from __future__ import annotations

from datetime import date
from typing import Any

_STAGES = {
    "Prospecting": (10.0, "Pipeline", False, False),
    "Qualification": (20.0, "Pipeline", False, False),
    "Proposal": (60.0, "Best Case", False, False),
    "Negotiation": (80.0, "Commit", False, False),
    "Closed Won": (100.0, "Closed", True, True),
    "Closed Lost": (0.0, "Omitted", True, False),
}
RESPONDED = ("Responded", "Registered", "Attended")
Values = dict[str, Any]


def derived(name: str, values: Values, changed: Values, stamp: str) -> Values:
    """What follows from `values`, the record as it will be; `changed`: what this save changes; `stamp`: now."""
    rule = _RULES.get(name)
    return rule(values, changed, stamp) if rule else {}


def flag(yes: bool) -> str:
    """A boolean as it is stored."""
    return "true" if yes else "false"


def full_name(values: Values) -> str | None:
    """First name and last name with one blank between them."""
    return " ".join(part for part in (values.get("FirstName"), values.get("LastName")) if part) or None


def _person(values: Values, _: Values, __: str) -> Values:
    return {"Name": full_name(values)}


def _contact(values: Values, changed: Values, stamp: str) -> Values:
    return {**_person(values, changed, stamp), "IsEmailBounced": flag(bool(values.get("EmailBouncedDate")))}


def _opportunity(values: Values, changed: Values, stamp: str) -> Values:
    chance, forecast, closed, won = _STAGES.get(str(values.get("StageName")), (0.0, "Pipeline", False, False))
    if "StageName" not in changed or "Probability" in changed:
        chance = values.get("Probability", chance)
    found: Values = {"Probability": chance, "IsClosed": flag(closed), "IsWon": flag(won), "ForecastCategoryName": forecast}
    amount = values.get("Amount")
    found["ExpectedRevenue"] = None if amount is None or chance is None else round(amount * chance / 100, 2)
    if values.get("CloseDate"):
        day = date.fromisoformat(values["CloseDate"])
        found |= {"FiscalYear": day.year, "FiscalQuarter": (day.month + 2) // 3}
    if "StageName" in changed:
        found["LastStageChangeDate"] = stamp
    return found


def _task(values: Values, changed: Values, stamp: str) -> Values:
    closed = values.get("Status") == "Completed"
    done = values.get("CompletedDateTime") or stamp
    return {"IsClosed": flag(closed), "CompletedDateTime": done if closed else None}


def _member(values: Values, changed: Values, stamp: str) -> Values:
    responded = values.get("Status") in RESPONDED
    return {
        "LeadOrContactId": values.get("ContactId") or values.get("LeadId"),
        "Type": "Contact" if values.get("ContactId") else "Lead",
        "HasResponded": flag(responded),
        "FirstRespondedDate": (values.get("FirstRespondedDate") or stamp[:10]) if responded else None,
    }


_RULES = {
    "Contact": _contact,
    "Lead": _person,
    "User": _person,
    "Opportunity": _opportunity,
    "Task": _task,
    "CampaignMember": _member,
}
