"""The demo's other side: what colleagues do in the invented CRM meanwhile, and what it holds in the end, asked at its control API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.sandbox.control_client import ControlClient
from sync.demo_day import CAMPAIGN, RIVAL
from sync.records import Kind
from tasks.demo_day import acknowledged

_MODULES: Mapping[Kind, str] = {
    Kind.NEW_LEAD: "Leads",
    Kind.SENT: "mkt_EmailActivity",
    Kind.OPENED: "mkt_Campaign",
    Kind.CLICKED: "mkt_Campaign",
    Kind.TASK: "Tasks",
    Kind.VISIT: "mkt_Visit",
    Kind.COMPLETION: "mkt_Completion",
    Kind.REGISTRATION: "mkt_Registration",
}
EDITED = 8
RENAMED = 4
RULE = "Rivals are not taken on as leads; ask the sales desk."


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What colleagues did: edited contacts and accounts, converted leads, people who told them that they want no more mail."""

    contacts: int
    accounts: int
    converted: int
    opted_out: int


@dataclass(frozen=True, slots=True)
class Landed:
    """Records that pushes made: how many the CRM acknowledged, how many of these it has, how many it has more than before."""

    acknowledged: int
    there: int
    more: int

    @property
    def exactly_once(self) -> bool:
        return self.acknowledged == self.there == self.more


class DemoCrm(Protocol):
    """The sandbox of the demo. What it held when this was made is what `landed` compares with."""

    def colleagues_work(self) -> Meanwhile:
        """A rule for new leads, edits, a conversion and an opt-out by phone; nothing of it passes through marketsync."""
        ...

    def landed(self, config: str) -> Landed:
        """Are the records of all acknowledged pushes there, and no others that were not there before? (PUSH-3)"""
        ...

    def campaign(self) -> dict[str, Any] | None:
        """What the CRM shows of the day's campaign: opens, people_opened, clicks, people_clicked."""
        ...


class DemoSugar:
    """A SugarCRM sandbox as `DemoCrm`."""

    def __init__(self, url: str) -> None:
        self._control = ControlClient(url)
        self._before = {module: self._living(module) for module in set(_MODULES.values())}

    def colleagues_work(self) -> Meanwhile:
        """A rule for new leads, edits, a conversion and an opt-out by phone; nothing of it passes through marketsync."""
        rule = {"module": "Leads", "field": "account_name", "matches": RIVAL, "refuse": RULE}
        self._control.call("hooks", hooks=[rule])
        contacts, accounts = self._some("Contacts"), self._some("Accounts")
        for number, record in enumerate(contacts[:EDITED]):
            self._edit("Contacts", record, {"title": f"Director of Region {number + 1}"})
        for record in accounts[:RENAMED]:
            self._edit("Accounts", record, {"phone_office": "+1 202 555 0199"})
        leads = [lead for lead in self._some("Leads") if not lead["converted"] and _address(lead)][:1]
        for lead in leads:
            self._control.call("records/convert", lead=lead["id"])
        out = [each for each in contacts[EDITED:] if self._is_their_own(_address(each))][:1]
        for contact in out:
            self._control.call("addresses/flag", address=_address(contact), opt_out=True)
        return Meanwhile(len(contacts[:EDITED]), len(accounts[:RENAMED]), len(leads), len(out))

    def landed(self, config: str) -> Landed:
        """Are the records of all acknowledged pushes there, and no others that were not there before? (PUSH-3)"""
        ids: dict[str, set[str]] = {}
        for kind, module in _MODULES.items():
            ids.setdefault(module, set()).update(row.remote_id or "" for row in acknowledged(config, kind))
        there = sum(len(self._control.call("dump", module=module, ids=sorted(wanted), deleted=False)) for module, wanted in ids.items())
        more = sum(self._living(module) - before for module, before in self._before.items())
        return Landed(sum(map(len, ids.values())), there, more)

    def campaign(self) -> dict[str, Any] | None:
        """What the CRM shows of the day's campaign: opens, people_opened, clicks, people_clicked."""
        found = self._control.call("dump", module="mkt_Campaign", after_id="", limit=1, deleted=False, where={"campaign_key": CAMPAIGN})
        return dict(found[0]) if found else None

    def _living(self, module: str) -> int:
        return int(self._control.call("count", module=module)["living"])

    def _some(self, module: str) -> list[dict[str, Any]]:
        return list(self._control.call("dump", module=module, after_id="", limit=60, deleted=False))

    def _is_their_own(self, address: str) -> bool:
        return bool(address) and self._control.call("count", module="Contacts", where={"email1": address})["living"] == 1

    def _edit(self, module: str, record: Mapping[str, Any], values: dict[str, Any]) -> None:
        self._control.call("records/edit", module=module, id=record["id"], values=values)


def _address(record: Mapping[str, Any]) -> str:
    """The only address, if it can be mailed and nobody asked us not to."""
    entries = record["email"] if isinstance(record["email"], list) else []
    good = [str(each["email_address"]) for each in entries if not each["opt_out"] and "@" in each["email_address"].strip("@ ")]
    return good[0] if len(good) == len(entries) == 1 else ""
