"""Records as the CRM keeps them: every write of any route ends here."""

from __future__ import annotations

import heapq
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from adapters.sandbox.clock import Clock
from adapters.sandbox.store import SEPARATOR, Database, Row, RowTable
from adapters.sandbox.sugarcrm.addresses import Addresses, email_slots
from adapters.sandbox.sugarcrm.errors import ApiError, not_found
from adapters.sandbox.sugarcrm.links import Links
from adapters.sandbox.sugarcrm.schema import Module, Schema
from adapters.sandbox.sugarcrm.zones import utc_literal

Changed = Callable[[str, int], None]


class Records:
    """All rows of all modules. Values go in and out as JSON text by field name; the caller holds the lock."""

    def __init__(self, schema: Schema, database: Database, clock: Clock) -> None:
        self.schema = schema
        self.database = database
        self.clock = clock
        self.tables = {name: RowTable(database, name) for name in schema.modules}
        self.addresses = Addresses(database, self._save_address, self._unheld_address)
        self.links = Links(database)
        self.changed: list[Changed] = []
        self._pending: list[tuple[float, int, Callable[[], None]]] = []
        self._pending_number = 0
        database.execute("create table lookups(field text, value text, id text)")

    def build_indexes(self) -> None:
        """Once, after the bulk load."""
        for table in self.tables.values():
            table.build_indexes()
        self.addresses.build_indexes()
        self.database.execute("create index if not exists lookups_value on lookups(field, value)")
        self.database.execute("create index if not exists lookups_id on lookups(field, id)")

    def settle(self) -> None:
        """Make delayed writes visible whose time has come; every request starts with it."""
        now = self.clock.now()
        while self._pending and self._pending[0][0] <= now:
            heapq.heappop(self._pending)[2]()

    def later(self, seconds: float, write: Callable[[], None]) -> None:
        """Commit a write only when `seconds` have passed by the sandbox's clock."""
        self._pending_number += 1
        heapq.heappush(self._pending, (self.clock.now() + seconds, self._pending_number, write))

    def find(self, module: str, record_id: str) -> Row | None:
        """A living record."""
        row = self.tables[module].get(record_id)
        return row if row and not row.deleted else None

    def need(self, module: str, record_id: str) -> Row:
        """A living record, or 404."""
        row = self.find(module, record_id)
        if row is None:
            raise not_found(module, record_id)
        return row

    def value(self, module: str, row: Row, field: str) -> Any:
        """One value of a row."""
        layout = self.schema.module(module)
        return orjson.loads(layout.full(row.slots())[layout.slot[field]])

    def values(self, module: str, row: Row) -> dict[str, Any]:
        """All stored values of a row, instants in UTC."""
        layout = self.schema.module(module)
        slots = layout.full(row.slots())
        out = {name: orjson.loads(slots[slot]) for name, slot in layout.slot.items()}
        return {**out, "deleted": bool(row.deleted)}

    def create(self, module: str, values: dict[str, bytes], user_id: str, now: int | None = None) -> str:
        """A new record; 422 when the chosen id was ever used."""
        layout = self.schema.module(module)
        record_id = self.new_id(module, orjson.loads(values.get("id", b'""')))
        stamp = self.clock.whole_second() if now is None else now
        who = orjson.dumps(user_id)
        slots = layout.blank()
        head = {"id": orjson.dumps(record_id), "date_entered": utc_literal(stamp), "created_by": who}
        self._put(layout, slots, {**head, **values, "date_modified": utc_literal(stamp), "modified_user_id": who})
        seq = self.tables[module].insert(record_id, stamp, 0, SEPARATOR.join(slots))
        self._index(layout, record_id, slots, layout.blank())
        self._tell(module, seq)
        return record_id

    def new_id(self, module: str, wanted: str) -> str:
        """The id of a record to be made: the wanted one, 422 when it was ever used, else one of our own."""
        if wanted and self.tables[module].has(wanted):
            raise ApiError("invalid_parameter", f"Record {wanted} in module {module} already exists")
        return wanted or str(uuid.uuid4())

    def change(
        self,
        module: str,
        row: Row,
        values: dict[str, bytes],
        user_id: str = "",
        stamp: int | None = None,
        silent: bool = False,
    ) -> None:
        """Overwrite values. `silent` leaves `date_modified` alone, as direct SQL and some mass updates do."""
        layout = self.schema.module(module)
        slots = layout.full(row.slots())
        before = list(slots)
        modified = row.modified
        if not silent:
            modified = self.clock.whole_second() if stamp is None else stamp
            values = {**values, "date_modified": utc_literal(modified)}
            if user_id:
                values["modified_user_id"] = orjson.dumps(user_id)
        self._put(layout, slots, values)
        self.tables[module].replace(row.seq, modified, row.deleted, SEPARATOR.join(slots))
        self._index(layout, row.id, slots, before)
        self._tell(module, row.seq)
        if module == "EmailAddresses":
            self.spread_flags(row.id)

    def set_deleted(self, module: str, row: Row, deleted: bool, stamp: int | None = None) -> None:
        """Delete or bring back: both move `date_modified`."""
        layout = self.schema.module(module)
        slots = layout.full(row.slots())
        modified = self.clock.whole_second() if stamp is None else stamp
        self._put(layout, slots, {"date_modified": utc_literal(modified)})
        self.tables[module].replace(row.seq, modified, int(deleted), SEPARATOR.join(slots))
        self._tell(module, row.seq)

    def prune(self, modules: Iterable[str]) -> int:
        """The monthly job: deleted rows leave for good. Returns how many."""
        gone = 0
        for module in modules:
            rows = list(self.tables[module].scan("deleted = 1", (), "seq"))
            self.tables[module].remove([row.seq for row in rows])
            for row in rows:
                self.addresses.drop(module, row.id)
                self.database.execute("delete from lookups where id = ? and field like ?", (row.id, f"{module}.%"))
                self._tell(module, row.seq)
            gone += len(rows)
        return gone

    def show_addresses(self, module: str, record_id: str) -> None:
        """Render a record's addresses into the record, without moving its stamp."""
        row = self.tables[module].get(record_id)
        if row and "email" in self.schema.module(module).slot:
            self.change(module, row, self.shown_addresses(module, record_id), silent=True)

    def shown_addresses(self, module: str, record_id: str) -> dict[str, bytes]:
        """What a record shows of its addresses, in the e-mail fields that its module has."""
        slot = self.schema.module(module).slot
        shown = email_slots(self.addresses.of(module, record_id))
        return {name: literal for name, literal in shown.items() if name in slot}

    def spread_flags(self, address_id: str) -> None:
        """After an address changed: every holder shows it, and nobody's stamp moves."""
        row = self.tables["EmailAddresses"].get(address_id)
        if row is None:
            return
        now = self.values("EmailAddresses", row)
        self.addresses.flag(address_id, bool(now["opt_out"]), bool(now["invalid_email"]))
        for module, record_id in self.addresses.holders(address_id):
            self.show_addresses(module, record_id)

    def _save_address(self, address_id: str, values: dict[str, Any]) -> None:
        literals = {name: orjson.dumps(value) for name, value in values.items()}
        row = self.tables["EmailAddresses"].get(address_id)
        if row is not None:
            literals.pop("email_address", None)
            self.change("EmailAddresses", row, literals)
            return
        caps = orjson.dumps(str(values["email_address"]).upper())
        head = {"id": orjson.dumps(address_id), "email_address_caps": caps}
        self.create("EmailAddresses", {**head, **literals}, "1")
        self.addresses.flag(address_id, bool(values.get("opt_out")), bool(values.get("invalid_email")))

    def _unheld_address(self, caps: str) -> tuple[str, bool, bool] | None:
        """An address outlives its holders, and so does its opt-out."""
        sql = "select id from lookups where field = 'EmailAddresses.email_address_caps' and value = ? limit 1"
        found = self.database.execute(sql, (caps.lower(),)).fetchone()
        row = self.find("EmailAddresses", found[0]) if found else None
        if row is None:
            return None
        values = self.values("EmailAddresses", row)
        return row.id, bool(values["opt_out"]), bool(values["invalid_email"])

    def _put(self, layout: Module, slots: list[bytes], values: dict[str, bytes]) -> None:
        for name, literal in values.items():
            slots[layout.slot[name]] = literal
        if "name" in layout.slot and layout.fields["name"].type == "fullname":
            first, last = (orjson.loads(slots[layout.slot[part]]) or "" for part in ("first_name", "last_name"))
            slots[layout.slot["name"]] = orjson.dumps(f"{first} {last}".strip())

    def _index(self, layout: Module, record_id: str, slots: list[bytes], before: list[bytes]) -> None:
        for name, slot in layout.facts.indexed:
            if slots[slot] != before[slot]:
                field = f"{layout.name}.{name}"
                self.database.execute("delete from lookups where field = ? and id = ?", (field, record_id))
                value = orjson.loads(slots[slot])
                if value not in (None, ""):
                    self.database.execute("insert into lookups values (?, ?, ?)", (field, str(value).lower(), record_id))

    def _tell(self, module: str, seq: int) -> None:
        for listener in self.changed:
            listener(module, seq)
