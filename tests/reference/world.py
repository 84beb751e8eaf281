"""The pull half of the rules once more: slow, one record after the other, in plain dictionaries.

Written from the rules (PULL, MATCH, ADDR, CONSENT, DEL, INIT-4), not from the product's code. Records are dictionaries with the keys
`id`, `modified` (a comparable stamp), and of people `email`, `out` (True, False, None: hidden), `company`, `account`, `owner`,
`converted_to`, `values` (column → text). `compare.py` compares what comes out with a Market.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]
NO_COMPANY = None


@dataclass
class Link:
    """A CRM record and its row. `base`: the opt-out as this record last said it."""

    row: int
    seen: Record
    base: bool | None
    converted_to: str | None


@dataclass
class World:
    """One Market fed by one connector. `people` are rows by number; a merged-away row stays, with `merged_into`."""

    people: dict[int, Record] = field(default_factory=dict)
    accounts: dict[int, Record] = field(default_factory=dict)
    users: dict[int, Record] = field(default_factory=dict)
    links: dict[tuple[str, str], Link] = field(default_factory=dict)
    queued: list[tuple[str, str]] = field(default_factory=list)
    ledger: list[tuple[int, bool]] = field(default_factory=list)
    pending: set[int] = field(default_factory=set)
    numbers: int = 0
    crowded: bool = False  # two records of one batch wrote to one row
    _written: set[int] = field(default_factory=set)

    # -- what a test puts in place ------------------------------------------------------------------------------------

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def import_person(self, email: str | None, *, out: bool, updated: int, deleted: bool = False, barred: bool = False) -> int:
        """A row that was in Market before any CRM."""
        row = self.number()
        self.people[row] = {
            **_blank_person(),
            "email": email,
            "out": out,
            "updated": updated,
            "imported": True,
            "deleted": deleted,
            "barred": barred,
        }
        return row

    # -- one batch ----------------------------------------------------------------------------------------------------

    def pull(self, kind: str, records: Iterable[Record], clock: int) -> None:
        """One batch of one kind, in the order in which the records were modified (MATCH-9); then what waits is linked (PULL-6)."""
        self._written = set()
        newest: dict[str, Record] = {}
        for record in records:
            if record["id"] not in newest or record["modified"] > newest[record["id"]]["modified"]:
                newest[record["id"]] = record
        for record in sorted(newest.values(), key=lambda each: (each["modified"], each["id"])):
            {"user": self._user, "account": self._account}.get(kind, self._person)(kind, record, clock)
        self._link_waiting(clock)

    # -- users and accounts -------------------------------------------------------------------------------------------

    def _user(self, kind: str, record: Record, clock: int) -> None:
        """INIT-4: by id, else by address, else new; who comes later gives the values."""
        known = self.links.get((kind, record["id"]))
        if known is not None and known.seen == record:
            return
        row = known.row if known else None
        address = key(record["email"])
        if row is None and address is not None:
            row = next((each for each, user in self.users.items() if key(user["email"]) == address), None)
        if row is None:
            row = self.number()
        self.users[row] = {"id": record["id"], "email": record["email"], "name": record["name"]}
        self.links[kind, record["id"]] = Link(row, record, None, None)

    def _account(self, kind: str, record: Record, clock: int) -> None:
        known = self.links.get((kind, record["id"]))
        row = known.row if known else self.number()
        self.accounts[row] = {
            "id": record["id"],
            "name": record["name"],
            "owner": record["owner"],
            "owner_row": self._row_of("user", record["owner"]),
        }
        self.links[kind, record["id"]] = Link(row, record, None, None)

    # -- people -------------------------------------------------------------------------------------------------------

    def _person(self, kind: str, record: Record, clock: int) -> None:
        known = self.links.get((kind, record["id"]))
        row, absorbed = self._find(kind, record, known)
        if row is None:
            row = self._new_person(kind, record, clock)
        elif self.people[row]["barred"]:
            return
        elif known is None or known.row != row or known.seen != record:
            self._apply(kind, record, row, known, clock)
            self.crowded = self.crowded or row in self._written
            self._written.add(row)
        base = record["out"] if record["out"] is not None else known.base if known else None
        self.links[kind, record["id"]] = Link(row, record, base, record.get("converted_to"))
        for loser in absorbed:
            self._merge(loser, row, clock)

    def _find(self, kind: str, record: Record, known: Link | None) -> tuple[int | None, list[int]]:
        pointed = self._by_pointer(kind, record, known)
        if pointed is not None:
            return pointed
        if known is not None:
            return known.row, []
        address = key(record["email"])
        rows = [row for row, person in self.people.items() if address and key(person["email"]) == address and self._free(kind, record, row)]
        # MATCH-5: not deleted, updated last; then the CRM's stamp, then ids, so that ties always fall the same way.
        rows.sort(
            key=lambda row: (
                self.people[row]["deleted"],
                -self.people[row]["updated"],
                -(self.people[row]["modified"] or 0),
                self.people[row]["crm_id"] or "",
                row,
            )
        )
        return (rows[0] if rows else None), []

    def _by_pointer(self, kind: str, record: Record, known: Link | None) -> tuple[int, list[int]] | None:
        """MATCH-7: the contact's row is the one; what the lead had is absorbed unless a contact holds it."""
        if kind == "lead":
            contact = self.links.get(("contact", record["converted_to"] or ""))
            if contact is None:
                return None
            own = known.row if known else None
            absorb = own is not None and own != contact.row and not self._contacts_of(own)
            return contact.row, [own] if absorb and own is not None else []
        leads = [link for (held, _), link in self.links.items() if held == "lead" and link.converted_to == record["id"]]
        leads.sort(key=lambda link: (link.seen["modified"] * -1, link.seen["id"]))
        rows = list(dict.fromkeys(link.row for link in leads if not self._contacts_of(link.row)))
        if known is not None:
            return known.row, [row for row in rows if row != known.row]
        return (rows[0], rows[1:]) if rows else None

    def _contacts_of(self, row: int) -> list[str]:
        return [crm_id for (kind, crm_id), link in self.links.items() if kind == "contact" and link.row == row]

    def _free(self, kind: str, record: Record, row: int) -> bool:
        """MATCH-4, MATCH-6, MATCH-7, MATCH-8, DEL-7."""
        if self.people[row]["barred"] or self.people[row]["merged_into"] is not None:
            return False
        for (held, crm_id), link in self.links.items():
            if held not in ("lead", "contact") or link.row != row:
                continue
            if held == kind:
                return False
            if held == "lead" and link.converted_to not in (None, record["id"]):
                return False
            if held == "contact" and record.get("converted_to") not in (None, crm_id):
                return False
        return True

    def _new_person(self, kind: str, record: Record, clock: int) -> int:
        row = self.number()
        person = {**_blank_person(), "out": bool(record["out"]), "updated": clock}
        self.people[row] = person
        self._overwrite(kind, record, person)
        if person["out"]:
            self.ledger.append((row, True))
        return row

    def _apply(self, kind: str, record: Record, row: int, known: Link | None, clock: int) -> None:
        person = self.people[row]
        fills = kind == "lead" and person["type"] == "Contact"
        ours, theirs = key(person["email"]), key(record["email"])
        before = {**person, "values": dict(person["values"])}
        self._consent(kind, record, row, known, elsewhere=ours != theirs)
        if (ours is None and theirs is not None) if fills else ours != theirs:
            person["status"], person["message"] = 0, "Reset by Sync"
        if fills:
            self._fill(record, person)
        else:
            self._overwrite(kind, record, person)
        person["deleted"] = False
        if person != before:
            person["updated"] = clock

    def _consent(self, kind: str, record: Record, row: int, known: Link | None, *, elsewhere: bool) -> None:
        """CONSENT-1 to CONSENT-6; CONSENT-10: a record that goes to another row brings its word, of one person the strictest counts, and
        an address that is not the person's re-subscribes nobody."""
        person, says = self.people[row], record["out"]
        moved = known is not None and known.row != row
        base = None if known is None or moved else known.base
        if moved and says is None:
            says = known.base if known else None
        if says is None:
            return
        if known is None:
            if person["out"] and not says:
                self.queued.append((kind, record["id"]))
                self.pending.add(row)
            elif says and not person["out"]:
                self._opt(row, True)
        elif says and base is not True and not person["out"]:
            self._opt(row, True)
        elif not says and base is True and person["out"] and row not in self.pending and not self._others_out(kind, record, row):
            if not elsewhere:
                self._opt(row, False)
            else:
                self.queued.append((kind, record["id"]))
                self.pending.add(row)

    def _others_out(self, kind: str, record: Record, row: int) -> bool:
        people = [(which, link) for which, link in self.links.items() if which[0] in ("lead", "contact")]
        return any(link.row == row and link.base is True and which != (kind, record["id"]) for which, link in people)

    def _opt(self, row: int, out: bool) -> None:
        self.people[row]["out"] = out
        self.ledger.append((row, out))

    def _overwrite(self, kind: str, record: Record, person: Record) -> None:
        person |= {
            "type": kind.capitalize(),
            "crm_id": record["id"],
            "modified": record["modified"],
            "email": (record["email"] or "").strip() or None,
        }
        person["values"] = {**person["values"], **record["values"]}
        person |= {"owner": record["owner"], "owner_row": self._row_of("user", record["owner"])}
        person |= {"account": record["account"], "account_row": self._row_of("account", record["account"])}
        if kind == "lead":
            person["company"] = record["company"]
            if record["account"] is None:
                person["account_row"] = self._account_named(record["company"])

    def _fill(self, record: Record, person: Record) -> None:
        """MATCH-6: only what is empty. Owner and account come with their reference, or not at all."""
        for name, value in record["values"].items():
            if empty(person["values"].get(name)) and value is not None:
                person["values"][name] = value
        if key(person["email"]) is None:
            person["email"] = (record["email"] or "").strip() or None
        if empty(person["company"]) and record["company"] is not None:
            person["company"] = record["company"]
        if not person["owner"] and record["owner"]:
            person |= {"owner": record["owner"], "owner_row": self._row_of("user", record["owner"])}
        if not person["account"] and record["account"]:
            person |= {"account": record["account"], "account_row": self._row_of("account", record["account"])}

    def _merge(self, loser: int, winner: int, clock: int) -> None:
        """MATCH-8, CONSENT-10: everything moves to the winner, who is out when either was."""
        gone, stays = self.people[loser], self.people[winner]
        if gone["out"] and not stays["out"]:
            self._opt(winner, True)
            stays["updated"] = clock
        if loser in self.pending:
            self.pending.add(winner)
        for link in self.links.values():
            if link.row == loser and link.seen.get("values") is not None:
                link.row = winner
        for person in self.people.values():
            if person["merged_into"] == loser:
                person["merged_into"] = winner
        gone |= {"merged_into": winner, "deleted": True, "updated": clock}
        self._tell_the_others(winner)

    def _tell_the_others(self, row: int) -> None:
        """CONSENT-8: where the CRM is told that somebody is out, their other records that do not say so are told as well. A converted lead
        is not written, its contact is (PUSH-7)."""
        theirs = [name for name, link in self.links.items() if link.row == row and name[0] in ("lead", "contact")]
        if not self.people[row]["out"] or not any(name in self.queued for name in theirs):
            return
        for name in theirs:
            link = self.links[name]
            is_converted = name[0] == "lead" and ("contact", link.converted_to) in theirs
            if name not in self.queued and link.base is not True and not is_converted:
                self.queued.append(name)

    # -- references ---------------------------------------------------------------------------------------------------

    def _row_of(self, kind: str, crm_id: str | None) -> int | None:
        link = self.links.get((kind, crm_id or ""))
        return link.row if link else None

    def _account_named(self, company: str | None) -> int | None:
        if not key(company):
            return None
        return min((row for row, account in self.accounts.items() if key(account["name"]) == key(company)), default=None)

    def _link_waiting(self, clock: int) -> None:
        """PULL-6, PULL-7: a contact's account by its id, a lead's also by company; a child never waits for ever."""
        for person in self.people.values():
            before = dict(person)
            if person["account_row"] is NO_COMPANY:
                person["account_row"] = self._row_of("account", person["account"])
            if person["account_row"] is NO_COMPANY and person["account"] is None and person["type"] == "Lead":
                person["account_row"] = self._account_named(person["company"])
            if person["owner_row"] is None:
                person["owner_row"] = self._row_of("user", person["owner"])
            if person != before:
                person["updated"] = clock
        for account in self.accounts.values():
            if account["owner_row"] is None:
                account["owner_row"] = self._row_of("user", account["owner"])


def empty(value: Any) -> bool:
    return value is None or value == ""


def key(text: str | None) -> str | None:
    """MATCH-2: trimmed, without case."""
    return (text or "").strip().lower() or None


def _blank_person() -> Record:
    return {
        "type": None,
        "crm_id": None,
        "modified": None,
        "email": None,
        "out": False,
        "status": 0,
        "message": None,
        "company": None,
        "account": None,
        "account_row": None,
        "owner": None,
        "owner_row": None,
        "values": {},
        "deleted": False,
        "barred": False,
        "merged_into": None,
        "imported": False,
        "updated": 0,
    }
