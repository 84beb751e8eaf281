"""The demo's other side where the invented CRM is a Salesforce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.sandbox.salesforce.automation import Rule
from adapters.sandbox.salesforce.control import SalesforceControl
from sync.demo_day import CAMPAIGN, RIVAL
from sync.records import Kind
from tasks.demo_crm import EDITED, RENAMED, RULE, Landed, Meanwhile
from tasks.demo_day import acknowledged

_OBJECTS: Mapping[Kind, str] = {
    Kind.NEW_LEAD: "Lead",
    Kind.SENT: "Mkt_EmailActivity__c",
    Kind.OPENED: "Mkt_Campaign__c",
    Kind.CLICKED: "Mkt_Campaign__c",
    Kind.TASK: "Task",
    Kind.VISIT: "Mkt_Visit__c",
    Kind.COMPLETION: "Mkt_Completion__c",
    Kind.REGISTRATION: "Mkt_Registration__c",
}
_COUNTERS = {"opens": "Opens__c", "people_opened": "People_Opened__c", "clicks": "Clicks__c", "people_clicked": "People_Clicked__c"}
_SOME = 60


class DemoSalesforce:
    """A Salesforce sandbox as `tasks.demo_crm.DemoCrm`."""

    def __init__(self, url: str) -> None:
        self._control = SalesforceControl(url)
        self._before = {name: self._living(name) for name in set(_OBJECTS.values())}

    def colleagues_work(self) -> Meanwhile:
        """See `DemoCrm`."""
        self._control.set_rules(Rule("Lead", field="Company", matches=RIVAL, refuse=RULE))
        contacts, accounts = self._some("Contact"), self._some("Account")
        for number, record in enumerate(contacts[:EDITED]):
            self._control.edit("Contact", record["Id"], {"Title": f"Director of Region {number + 1}"})
        for record in accounts[:RENAMED]:
            self._control.edit("Account", record["Id"], {"Phone": "+1 202 555 0199"})
        leads = [lead for lead in self._some("Lead") if not lead["IsConverted"] and _can_be_mailed(lead)][:1]
        for lead in leads:
            self._control.convert_lead(lead["Id"])
        out = [each for each in contacts[EDITED:] if _can_be_mailed(each) and self._is_their_own(each["Email"])][:1]
        for contact in out:
            self._control.opt_out(contact["Email"])
        return Meanwhile(len(contacts[:EDITED]), len(accounts[:RENAMED]), len(leads), len(out))

    def landed(self, config: str) -> Landed:
        """See `DemoCrm`."""
        ids: dict[str, set[str]] = {}
        for kind, name in _OBJECTS.items():
            ids.setdefault(name, set()).update(row.remote_id or "" for row in acknowledged(config, kind))
        there = sum(len(self._control.call("dump", object=name, ids=sorted(wanted), deleted=False)) for name, wanted in ids.items())
        more = sum(self._living(name) - before for name, before in self._before.items())
        return Landed(sum(map(len, ids.values())), there, more)

    def campaign(self) -> dict[str, Any] | None:
        """See `DemoCrm`."""
        found = list(self._control.dump("Mkt_Campaign__c", deleted=False, where={"Campaign_Key__c": CAMPAIGN}))
        return {name: int(float(found[0][field])) for name, field in _COUNTERS.items()} if found else None

    def _living(self, name: str) -> int:
        return self._control.count(name)["living"]

    def _some(self, name: str) -> list[dict[str, Any]]:
        return list(self._control.call("dump", object=name, after_id="", limit=_SOME, deleted=False))

    def _is_their_own(self, address: str) -> bool:
        return self._control.count("Contact", {"Email": address})["living"] == 1


def _can_be_mailed(record: Mapping[str, Any]) -> bool:
    """Has an address, and nobody asked us not to."""
    return "@" in str(record["Email"] or "").strip("@ ") and not record["HasOptedOutOfEmail"]
