"""What following a CRM has to end with: the Market that a fresh initial sync makes of the same CRM, but for what the rules make different.

Left out of the comparison is: history (deleted rows, delivery status, times), what leads fill in on a contact's row (MATCH-6), leads whose
account is found by a name that changed since (PULL-6), and consent that is stricter because of a merge, because another record of the
person said out (one that shared the row when both had one address, and may have become somebody else since), or because a new address
re-subscribes nobody: then the CRM is still to be told. So is what the CRM takes from other records, such as their names: it changes without
a stamp, and reconciliation finds it.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync.columns import FIXED_COLUMNS
from sync.records import PULL_ORDER
from tests.core_road import CoreRoad, core_road
from tests.kept_market import make_tables
from tests.postgres import drop_database
from tests.pull_road import OPEN_GATE, SALESFORCE_LOGIN, PullRoad, pull_road
from tests.reference.colleagues import Colleagues, SalesforceColleagues, SugarColleagues
from tests.salesforce_road import salesforce_road

CRMS = ("sugarcrm", "salesforce")
_STILL = 1_790_000_000.0
_HISTORY = {
    "created_at", "updated_at", "del_status", "del_message", "opt_out_date", "left_scope", "deleted_date", "merged_into", "do_not_pull",
    "contact_id", "account_id", "opportunity_id", "user_id", "owner_id",
}  # fmt: skip
_ONE_WITH = """
SELECT crm_id FROM crm_links AS one WHERE kind = 'contact' AND EXISTS (
    SELECT * FROM crm_links AS other WHERE kind = :other AND other.market_id = one.market_id AND other.crm_id <> one.crm_id)
"""
_LEADS_OF_CONTACTS = """
SELECT contact.crm_id AS contact, lead.crm_id AS lead, lead.crm_opt_out AS out FROM crm_links AS lead
JOIN crm_links AS contact ON contact.market_id = lead.market_id AND contact.kind = 'contact' WHERE lead.kind = 'lead'
"""
_IN = """
SELECT link.crm_id FROM crm_links AS link JOIN contacts ON contacts.contact_id = link.market_id
WHERE link.kind = 'contact' AND NOT contacts.opt_out
"""
Picture = dict[tuple[str, str], dict[str, Any]]

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """A CRM, whoever works in it, and a Market that follows it. `folder` is empty but for the followed one's.

    `sharers`: contacts that had one row with a lead at the end of some cycle. Market does not tell it any more when the lead has become
    another contact since, and what it had filled in stays (MATCH-6). `merged`: those that had one row with another contact, which may have
    been brought back since; what was said in the name of one may have put the other out too. `said_out`: contact → leads that said out
    while they had its row, and did not take it back there; forgotten when the contact is in again.
    """

    road: CoreRoad
    they: Colleagues
    folder: Path
    sharers: set[str] = field(default_factory=set)
    merged: set[str] = field(default_factory=set)
    said_out: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self._note_who_is_one()

    def follow(self, *, gate: bool) -> tuple[str, ...]:
        """One cycle. → what it did, in words."""
        try:
            return self.road.follow(gate=gate).words
        finally:
            self._note_who_is_one()

    def _note_who_is_one(self) -> None:
        for known, other in ((self.sharers, "lead"), (self.merged, "contact")):
            known.update(row["crm_id"] for row in self.road.rows(_ONE_WITH, other=other))
        for row in self.road.rows(_IN):
            self.said_out.pop(row["crm_id"], None)
        for row in self.road.rows(_LEADS_OF_CONTACTS):
            (set.add if row["out"] else set.discard)(self.said_out[row["contact"]], row["lead"])

    def picture(self) -> Picture:
        """What following has made of the CRM."""
        mine = picture(self.road.road)
        for told, known in (("_shared", self.sharers), ("_merged", self.merged)):
            for crm_id in known:
                if ("contact", crm_id) in mine:
                    mine["contact", crm_id][told] = True
        here = {(row["contact"], row["lead"]) for row in self.road.rows(_LEADS_OF_CONTACTS)}
        for contact, leads in self.said_out.items():
            if ("contact", contact) in mine and any((contact, lead) not in here for lead in leads):
                mine["contact", contact]["_put_out_by_a_lead_that_left"] = True
        return mine

    def wrong(self, number: int = 0) -> list[str]:
        """What following got wrong, record by record. `number`: the ways to read everything take turns."""
        fresh = self.fresh(self.they.ways[number % len(self.they.ways)])
        return differences(self.picture(), fresh, self.they)

    def fresh(self, connector: str = "") -> Picture:
        """What an initial sync of the same CRM makes now, in a new Market. `connector`: lines of its configuration."""
        folder = self.folder / f"fresh-{next(_numbers)}"
        salesforce = {"who": SALESFORCE_LOGIN, "password": "sandbox-client-secret"} if self.they.crm == "salesforce" else {}
        told: dict[str, Any] = {"more": OPEN_GATE, "connector": connector, **salesforce}
        with _another_market(self.road, folder) as market, pull_road(folder, market, self.road.sandbox.url, **told) as fresh:
            schema = fresh.schema()
            for kind in PULL_ORDER:
                fresh.bring_in(fresh.extract(kind, schema), schema, gate=False)
            return picture(fresh)


@contextmanager
def followed(crm: str, folder: Path, market_url: str, *, connector: str = "", **settings: Any) -> Iterator[Place]:
    """An installation whose initial sync is done. `connector`: lines of its configuration; `settings`: of the sandbox."""
    place = folder / "followed"
    if crm == "sugarcrm":
        with core_road(place, market_url, connector=connector, **settings) as road:
            yield Place(road, SugarColleagues(road.control), folder)
        return
    with salesforce_road(place, market_url, connector=connector, push="", clock_fixed=_STILL, **settings) as pushing:
        yield Place(pushing.core, SalesforceColleagues(pushing.control), folder)


@contextmanager
def _another_market(road: CoreRoad, folder: Path) -> Iterator[str]:
    """An empty one of the same make."""
    url = road.road.home.settings.market.url
    if url.startswith("sqlite"):
        yield make_tables(f"sqlite:///{folder / 'fresh.db'}")
        return
    address, name = url.rpartition("/")[0].replace("+psycopg", ""), f"fresh_{next(_numbers)}"
    yield make_tables(f"{address}/{name}")
    drop_database(address, name)


def picture(road: PullRoad) -> Picture:
    """(kind, crm_id) of every living record → the values of its row, its references by the ids that the CRM uses."""
    tables = {name: road.rows(f"SELECT * FROM {name}") for name in ("users", "accounts", "contacts", "opportunities")}
    keys = {"users": "user_id", "accounts": "account_id", "contacts": "contact_id", "opportunities": "opportunity_id"}
    rows = {name: {row[keys[name]]: row for row in found} for name, found in tables.items()}
    merged = {row["contact_id"] for row in road.rows("SELECT contact_id FROM consent_ledger WHERE source = 'merge'")}
    ever = road.rows("SELECT kind, crm_id, market_id, living, crm_opt_out FROM crm_links")  # a lead that is gone by now has left its traces
    links = [link for link in ever if link["living"]]
    shared = {link["market_id"] for link in ever if link["kind"] == "lead"} & {
        link["market_id"] for link in ever if link["kind"] == "contact"
    }
    saying_out = defaultdict(set)
    for link in ever:
        if link["kind"] in ("lead", "contact") and link["crm_opt_out"]:
            saying_out[link["market_id"]].add((link["kind"], link["crm_id"]))
    untold = {row["contact_id"] for row in road.rows("SELECT contact_id FROM outbox WHERE kind = 'opt-out' AND state <> 'acknowledged'")}
    with_leads = {link["market_id"] for link in links if link["kind"] == "lead"}
    words = road.rows("SELECT contact_id, source, new FROM consent_ledger ORDER BY entry_id")
    put_out_by = {row["contact_id"]: row["source"].rpartition(" ")[2] for row in words if row["new"]}
    own: dict[str, set[str]] = defaultdict(set)
    for known in road.rows("SELECT kind, column_name FROM field_catalogue"):
        own[known["kind"]].add(known["column_name"])
    found: Picture = {}
    for link in links:
        table = {"user": "users", "account": "accounts", "opportunity": "opportunities"}.get(link["kind"], "contacts")
        row = rows[table][link["market_id"]]
        values = {name: _plain(value) for name, value in row.items() if name not in _HISTORY}
        values["is deleted"] = row["deleted_date"] is not None
        values["owner"] = _alive(rows["users"].get(row.get("owner_id")))
        values["account"] = _alive(rows["accounts"].get(row.get("account_id")))
        values["_shared"] = table == "contacts" and link["market_id"] in shared
        values["_columns"] = own[link["kind"]]
        values["_another_is_out"] = table == "contacts" and bool(saying_out[link["market_id"]] - {(link["kind"], link["crm_id"])})
        by_a_lead = table == "contacts" and put_out_by.get(link["market_id"]) == "lead"
        values["_put_out_by_a_lead_that_left"] = by_a_lead and link["market_id"] not in with_leads
        values["_untold"] = table == "contacts" and link["market_id"] in untold
        values["_merged"] = table == "contacts" and link["market_id"] in merged
        found[link["kind"], link["crm_id"]] = values
    return found


def _alive(row: dict[str, Any] | None) -> str | None:
    return row["crm_id"] if row and row["deleted_date"] is None else None


def _plain(value: Any) -> Any:
    return bool(value) if isinstance(value, bool) else str(value) if value is not None else None


def differences(mine: Picture, fresh: Picture, they: Colleagues) -> list[str]:
    """What a Market that followed has wrong, record by record."""
    found = [f"{kind} {crm_id} is missing" for kind, crm_id in sorted(fresh.keys() - mine.keys())]
    found += [f"{kind} {crm_id} should be gone" for kind, crm_id in sorted(mine.keys() - fresh.keys())]
    for kind, crm_id in sorted(mine.keys() & fresh.keys()):
        ours, theirs = mine[kind, crm_id], fresh[kind, crm_id]
        for name in sorted(ours.keys() & theirs.keys()):
            unstamped = they.changes_unstamped(kind, name)
            if ours[name] != theirs[name] and not unstamped and not _by_the_rules(kind, name, ours, theirs):
                found.append(f"{kind} {crm_id}: {name} is {ours[name]!r}, a fresh sync says {theirs[name]!r}")
    return found


def _is_out(values: dict[str, Any]) -> bool:
    return values["opt_out"] in ("1", True)


def _by_the_rules(kind: str, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if name.startswith("_") or (kind == "lead" and name == "account"):
        return True  # PULL-6: a lead stays with the account that its company's name found first
    if name == "opt_out" and ours["_merged"] and _is_out(ours):
        return True  # CONSENT-10: a merge may make it stricter
    if name == "opt_out" and _is_out(ours) and not _is_out(theirs) and (ours["_another_is_out"] or ours["_untold"]):
        return True  # CONSENT-10: a record that shares the row said out and never took it back; or who is out has a new address
    if name == "opt_out" and _is_out(ours) and ours["_put_out_by_a_lead_that_left"]:
        return True  # CONSENT-10: a lead that shared the row said it, and has become another contact since (MATCH-7)
    if kind == "contact" and name in ("converted", "company"):
        return True  # only leads say so: one of them did while it shared the row
    if kind in ("lead", "contact") and name not in theirs["_columns"] and name not in FIXED_COLUMNS["contacts"]:
        return True  # MATCH-6, DEL-1: what only the other kind has was filled in by a record that shared the row, some time ago
    shared = ours["_shared"] or theirs["_shared"]
    filled_in = ours[name] in (None, "") or theirs[name] in (None, "")  # MATCH-6: what was empty was filled by the other record
    return shared and (filled_in or kind == "lead" or ours["crm_type"] != "Contact")
