"""Random lives of a small CRM, with core runs and faults in between; afterwards Market must be what a fresh initial sync would make.

What the rules themselves make different is left out of the comparison: history (deleted rows, delivery status, times), what leads fill in
on a contact's row (MATCH-6), leads whose account is found by a name that changed since (PULL-6), and consent that is stricter because of
a merge, because another record of the person said out (one that shared the row when both had one address), or because a new address
re-subscribes nobody: then the CRM is still to be told.
So is what the CRM takes from other records, names and the contact of an opportunity: it changes without a stamp, and
reconciliation finds it.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.sandbox.sugarcrm import FaultRule
from sync.columns import FIXED_COLUMNS
from sync.errors import Transient
from sync.records import PULL_ORDER
from tests.core_road import CoreRoad
from tests.kept_market import make_tables
from tests.postgres import drop_database
from tests.pull_road import OPEN_GATE, PullRoad, pull_road

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "status", "status": 429, "retry_after_s": 0},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "html"},
    {"kind": "reset"},
    {"kind": "reset_after_commit"},
    {"kind": "truncate"},
    {"kind": "bad_gzip"},
    {"kind": "expire_token"},
)
_EDITS: dict[str, tuple[str, ...]] = {
    "Users": ("title", "phone_work"),
    "Accounts": ("industry", "phone_office", "website"),
    "Leads": ("title", "phone_work", "status_description"),
    "Contacts": ("title", "department", "phone_mobile"),
    "Opportunities": ("next_step", "lead_source"),
}
_HISTORY = {
    "created_at", "updated_at", "del_status", "del_message", "opt_out_date", "left_scope", "deleted_date", "merged_into", "do_not_pull",
    "contact_id", "account_id", "opportunity_id", "user_id", "owner_id",
}  # fmt: skip

_numbers = itertools.count(1)
_TAKEN_FROM_OTHERS = {"account_name", "assigned_user_name", "created_by_name", "modified_by_name", "report_to_name", "campaign_name"}


class Life:
    """One script. Everything it does follows from `seed` and from what the sandbox holds."""

    def __init__(self, road: CoreRoad, seed: int, *, gate: bool = True) -> None:
        self.road = road
        self.control = road.control
        self.dice = random.Random(seed)
        self.seed = seed
        self.gate = gate
        self.told: list[str] = []
        self.failed_cycles = 0

    def play(self, steps: int) -> None:
        acts: list[tuple[int, Callable[[], str]]] = [
            (8, self._edit), (3, self._new_address), (4, self._create), (3, self._delete), (2, self._undelete), (2, self._convert),
            (1, self._merge), (3, self._flag), (1, self._touch), (2, self._move), (2, self._late), (5, self._cycle), (3, self._wait),
        ]  # fmt: skip
        for _ in range(steps):
            [act] = self.dice.choices([act for _, act in acts], [weight for weight, _ in acts])
            self.told.append(act())

    def settle(self) -> None:
        """Nobody acts and nothing fails any more: a few cycles, until one has nothing to do."""
        self.control.set_faults()
        self.control.advance_clock(300)
        for _ in range(6):
            if not self.road.follow(gate=self.gate).words:
                return
        raise AssertionError(f"script {self.seed} does not come to rest: {self.road.follow().words}")

    # -- acts ---------------------------------------------------------------------------------------------------------

    def _some(self, module: str, where: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any] | None:
        found = [row for row in self.control.dump(module) if not row["deleted"] and where(row)]
        return self.dice.choice(found) if found else None

    def _word(self) -> str:
        return f"{self.seed}-{self.dice.randrange(10**9)}"

    def _id(self) -> str:
        """Chosen here: records are picked in the order of their ids."""
        return str(uuid.UUID(int=self.dice.getrandbits(128)))

    def _edit(self) -> str:
        module = self.dice.choice(list(_EDITS))
        row = self._some(module)
        if row is None:
            return "nothing to edit"
        field = self.dice.choice(_EDITS[module])
        self.control.edit(module, row["id"], {field: self.dice.choice([self._word(), ""])})
        return f"edit {module} {row['id']} {field}"

    def _new_address(self) -> str:
        module = self.dice.choice(["Leads", "Contacts"])
        row = self._some(module)
        if row is None:
            return "nobody to move"
        self.control.edit(module, row["id"], {"email1": f"{self._word()}@example.com"})
        return f"new address of {module} {row['id']}"

    def _create(self) -> str:
        module = self.dice.choice(["Leads", "Contacts", "Accounts", "Opportunities"])
        account, owner = self._some("Accounts"), self._some("Users")
        values: dict[str, Any] = {"assigned_user_id": owner["id"] if owner else None}
        if module in ("Leads", "Contacts"):
            values |= {"last_name": self._word(), "email1": f"{self._word()}@example.com"}
        else:
            values |= {"name": self._word()}
        if module in ("Contacts", "Opportunities") and account:
            values["account_id"] = account["id"]
        return f"create {module} {self.control.create(module, {**values, 'id': self._id()})}"

    def _delete(self) -> str:
        module = self.dice.choice(["Leads", "Contacts", "Contacts", "Opportunities", "Accounts"])
        row = self._some(module)
        if row is None:
            return "nothing to delete"
        self.control.delete(module, row["id"])
        return f"delete {module} {row['id']}"

    def _undelete(self) -> str:
        module = self.dice.choice(["Leads", "Contacts", "Opportunities", "Accounts"])
        gone = [row for row in self.control.dump(module) if row["deleted"]]
        if not gone:
            return "nothing to bring back"
        row = self.dice.choice(gone)
        self.control.undelete(module, row["id"])
        return f"undelete {module} {row['id']}"

    def _convert(self) -> str:
        row = self._some("Leads", lambda lead: not lead.get("converted"))
        if row is None:
            return "nobody to convert"
        return f"convert {row['id']} into {self.control.convert_lead(row['id'], new_id=self._id())['contact_id']}"

    def _merge(self) -> str:
        winner = self._some("Contacts")
        loser = self._some("Contacts", lambda row: winner is not None and row["id"] != winner["id"])
        if winner is None or loser is None:
            return "nobody to merge"
        self.control.merge("Contacts", winner["id"], loser["id"])
        return f"merge {loser['id']} into {winner['id']}"

    def _flag(self) -> str:
        row = self._some(self.dice.choice(["Leads", "Contacts"]), lambda each: bool(each.get("email")))
        if row is None:
            return "no address to flag"
        address = self.dice.choice(row["email"])["email_address"]
        out = self.dice.random() < 0.6
        self.control.opt_out(address, out)
        return f"{'out' if out else 'in'}: an address of {row['id']}"

    def _touch(self) -> str:
        module = self.dice.choice(["Contacts", "Accounts"])
        return f"touch all {module}: {self.control.touch(module, [row['id'] for row in self.control.dump(module) if not row['deleted']])}"

    def _move(self) -> str:
        contact, account, owner = self._some("Contacts"), self._some("Accounts"), self._some("Users")
        if contact is None:
            return "nobody to move"
        values = {"account_id": account["id"] if account else None, "assigned_user_id": owner["id"] if owner else None}
        self.control.edit("Contacts", contact["id"], values)
        return f"move {contact['id']} to {values}"

    def _late(self) -> str:
        row = self._some("Contacts")
        if row is None:
            return "nobody is late"
        self.control.edit("Contacts", row["id"], {"title": self._word()}, delay_s=self.dice.randrange(5, 110))
        return f"a late edit of {row['id']}"

    def _wait(self) -> str:
        return f"wait until {self.control.advance_clock(self.dice.choice([1, 30, 119, 600, 1_200]))}"

    def _cycle(self) -> str:
        chosen = self.dice.sample(FAULTS, self.dice.choice([0, 0, 1, 3]))
        rules = [FaultRule(**fault, probability=0.15, seed=self.dice.randrange(10**6), count=4) for fault in chosen]
        self.control.set_faults(*rules)
        try:
            words = self.road.follow(gate=self.gate).words
        except Transient as error:
            self.failed_cycles += 1
            return f"cycle failed: {error.what}"
        finally:
            self.control.set_faults()
        return f"cycle: {words}"


# -- the comparison -----------------------------------------------------------------------------------------------------


def fresh_market(road: CoreRoad, folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What an initial sync of the same CRM makes now, in a new Market."""
    with _another_market(road, folder) as market, pull_road(folder, market, road.sandbox.url, more=OPEN_GATE) as fresh:
        schema = fresh.schema()
        for kind in PULL_ORDER:
            fresh.bring_in(fresh.extract(kind, schema), schema, gate=False)
        return picture(fresh)


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


def picture(road: PullRoad) -> dict[tuple[str, str], dict[str, Any]]:
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
    own: dict[str, set[str]] = defaultdict(set)
    for field in road.rows("SELECT kind, column_name FROM field_catalogue"):
        own[field["kind"]].add(field["column_name"])
    found: dict[tuple[str, str], dict[str, Any]] = {}
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
        values["_untold"] = table == "contacts" and link["market_id"] in untold
        values["_merged"] = table == "contacts" and link["market_id"] in merged
        found[link["kind"], link["crm_id"]] = values
    return found


def _alive(row: dict[str, Any] | None) -> str | None:
    return row["crm_id"] if row and row["deleted_date"] is None else None


def _plain(value: Any) -> Any:
    return bool(value) if isinstance(value, bool) else str(value) if value is not None else None


def differences(followed: dict[tuple[str, str], dict[str, Any]], fresh: dict[tuple[str, str], dict[str, Any]]) -> list[str]:
    """What following got wrong, record by record."""
    found = [f"{kind} {crm_id} is missing" for kind, crm_id in sorted(fresh.keys() - followed.keys())]
    found += [f"{kind} {crm_id} should be gone" for kind, crm_id in sorted(followed.keys() - fresh.keys())]
    for kind, crm_id in sorted(followed.keys() & fresh.keys()):
        ours, theirs = followed[kind, crm_id], fresh[kind, crm_id]
        for name in sorted(ours.keys() & theirs.keys()):
            if ours[name] != theirs[name] and not _by_the_rules(kind, name, ours, theirs):
                found.append(f"{kind} {crm_id}: {name} is {ours[name]!r}, a fresh sync says {theirs[name]!r}")
    return found


def _is_out(values: dict[str, Any]) -> bool:
    return values["opt_out"] in ("1", True)


def _by_the_rules(kind: str, name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if (name in _TAKEN_FROM_OTHERS and not (kind == "account" and name == "account_name")) or (
        kind == "opportunity" and name == "contact_ref"
    ):
        return True
    if name.startswith("_") or (kind == "lead" and name == "account"):
        return True  # PULL-6: a lead stays with the account that its company's name found first
    if name == "opt_out" and ours["_merged"]:
        return True  # CONSENT-10: a merge may make it stricter
    if name == "opt_out" and _is_out(ours) and not _is_out(theirs) and (ours["_another_is_out"] or ours["_untold"]):
        return True  # CONSENT-10: a record that shares the row said out and never took it back; or who is out has a new address
    if kind == "contact" and name in ("converted", "company"):
        return True  # only leads say so: one of them did while it shared the row
    if kind in ("lead", "contact") and name not in theirs["_columns"] and name not in FIXED_COLUMNS["contacts"]:
        return True  # MATCH-6, DEL-1: what only the other kind has was filled in by a record that shared the row, some time ago
    shared = ours["_shared"] or theirs["_shared"]
    filled_in = ours[name] in (None, "") or theirs[name] in (None, "")  # MATCH-6: what was empty was filled by the other record
    return shared and (filled_in or kind == "lead" or ours["crm_type"] != "Contact")
