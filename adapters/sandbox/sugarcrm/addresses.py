"""E-mail addresses: rows of their own, shared by every record that carries the same address.

The `holders` table says who carries what. A flag belongs to the address: changing it changes what every holder shows
and moves no holder's `date_modified`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import orjson

from adapters.sandbox.store import Database
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.values import valid_address


class Held(NamedTuple):
    """One address of one record."""

    address_id: str
    address: str
    primary: bool
    opt_out: bool
    invalid: bool
    reply_to: bool

    def as_json(self) -> dict[str, Any]:
        """The sub-record in a record's `email`."""
        return {
            "email_address_id": self.address_id,
            "email_address": self.address,
            "primary_address": self.primary,
            "opt_out": self.opt_out,
            "invalid_email": self.invalid,
            "reply_to_address": self.reply_to,
        }


SaveAddress = Callable[[str, dict[str, Any]], None]
UnheldAddress = Callable[[str], tuple[str, bool, bool] | None]


class Addresses:
    """Who holds which address. `save` writes an EmailAddresses record (id, values) and creates missing ones; `unheld` finds one that nobody
    holds any more, by its capitals."""

    def __init__(self, database: Database, save: SaveAddress, unheld: UnheldAddress) -> None:
        self._db = database
        self._save = save
        self._unheld = unheld
        database.execute(
            "create table holders(module text, record_id text, position integer, address_id text, address text,"
            " caps text, is_primary integer, opt_out integer, invalid integer, reply_to integer)"
        )

    def build_indexes(self) -> None:
        """After the bulk load."""
        for name, columns in (
            ("record", "module, record_id"),
            ("caps", "caps, module"),
            ("address", "address_id"),
        ):
            self._db.execute(f"create index if not exists holders_{name} on holders({columns})")
        self._db.execute("create index if not exists holders_out on holders(module, record_id) where opt_out = 1")

    def load(self, rows: list[tuple[str, str, int, str, str, str, int, int, int, int]]) -> None:
        """Append holders in the order of the table's columns."""
        self._db.execute("begin")
        self._db.connection.executemany("insert into holders values (?,?,?,?,?,?,?,?,?,?)", rows)
        self._db.execute("commit")

    def of(self, module: str, record_id: str) -> list[Held]:
        """A record's addresses in their order."""
        sql = (
            "select address_id, address, is_primary, opt_out, invalid, reply_to from holders"
            " where module = ? and record_id = ? order by position"
        )
        return [Held(a, text, bool(p), bool(o), bool(i), bool(r)) for a, text, p, o, i, r in self._db.execute(sql, (module, record_id))]

    def holders(self, address_id: str) -> list[tuple[str, str]]:
        """(module, id) of every record with that address."""
        sql = "select module, record_id from holders where address_id = ?"
        return self._db.execute(sql, (address_id,)).fetchall()

    def find(self, text: str) -> tuple[str, bool, bool] | None:
        """(id, opt_out, invalid) of an address, held or not; letter case and blanks around it do not matter."""
        sql = "select address_id, opt_out, invalid from holders where caps = ? order by rowid limit 1"
        found = self._db.execute(sql, (text.strip().upper(),)).fetchone()
        return (found[0], bool(found[1]), bool(found[2])) if found else self._unheld(text.strip().upper())

    def replace(self, module: str, record_id: str, wanted: list[dict[str, Any]]) -> None:
        """The whole list of a record's addresses: what is not in `wanted` is gone."""
        entries = [entry for entry in wanted if str(entry.get("email_address") or "").strip()]
        check_addresses(str(entry["email_address"]) for entry in entries)
        self._db.execute("delete from holders where module = ? and record_id = ?", (module, record_id))
        primary = next((n for n, entry in enumerate(entries) if entry.get("primary_address")), 0)
        for position, entry in enumerate(entries):
            self._hold(module, record_id, position, entry, primary == position)

    def set_primary(self, module: str, record_id: str, text: str) -> None:
        """The old form (`email1`): another primary address; the former one is replaced, the others stay."""
        others = [held.as_json() for held in self.of(module, record_id) if not held.primary]
        caps = text.strip().upper()
        others = [entry for entry in others if entry["email_address"].strip().upper() != caps]
        first = [{"email_address": text, "primary_address": True}] if text.strip() else []
        self.replace(module, record_id, first + others)

    def flag(self, address_id: str, opt_out: bool, invalid: bool) -> None:
        """Copy an address's flags to where filters look for them."""
        sql = "update holders set opt_out = ?, invalid = ? where address_id = ?"
        self._db.execute(sql, (int(opt_out), int(invalid), address_id))

    def move(self, module: str, loser: str, winner: str) -> None:
        """After a merge the loser's addresses are the winner's secondary ones."""
        have = {held.address_id for held in self.of(module, winner)}
        for offset, held in enumerate(self.of(module, loser)):
            if held.address_id not in have:
                row = (module, winner, 100 + offset, held.address_id, held.address, held.address.strip().upper())
                self._insert((*row, 0 if have else int(held.primary), held.opt_out, held.invalid, held.reply_to))

    def drop(self, module: str, record_id: str) -> None:
        """Forget a record that was pruned."""
        self._db.execute("delete from holders where module = ? and record_id = ?", (module, record_id))

    def _hold(self, module: str, record_id: str, position: int, entry: dict[str, Any], primary: bool) -> None:
        text = str(entry["email_address"]).strip()
        known = self.find(text)
        address_id = known[0] if known else str(uuid.uuid4())
        opt_out, invalid = known[1:] if known else (False, False)
        wanted = {name: _flag(entry[name]) for name in ("opt_out", "invalid_email") if entry.get(name) is not None}
        row = (module, record_id, position, address_id, text, text.upper(), int(primary))
        self._insert((*row, int(opt_out), int(invalid), int(_flag(entry.get("reply_to_address")))))
        if known is None or (wanted and wanted != {"opt_out": opt_out, "invalid_email": invalid}):
            self._save(address_id, {"email_address": text, **wanted})

    def _insert(self, row: tuple[object, ...]) -> None:
        self._db.execute("insert into holders values (?,?,?,?,?,?,?,?,?,?)", row)


def _flag(value: object) -> bool:
    return value in (True, 1, "1", "true")


def check_addresses(texts: Iterable[str]) -> None:
    """422 for what Sugar takes for no address; asked before anything is written."""
    for text in texts:
        if text.strip() and not valid_address(text.strip()):
            raise ApiError("invalid_parameter", f"Invalid email address: {text}")


def email_slots(held: list[Held]) -> dict[str, bytes]:
    """What a record shows of its addresses."""
    primary = next((one for one in held if one.primary), None)
    return {
        "email": orjson.dumps([one.as_json() for one in held]),
        "email1": orjson.dumps(primary.address if primary else ""),
        "email_opt_out": b"true" if primary and primary.opt_out else b"false",
        "invalid_email": b"true" if primary and primary.invalid else b"false",
    }
