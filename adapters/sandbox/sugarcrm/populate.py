"""Fill an instance with invented records, streaming: a batch of columns at a time, never a whole module."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime

import orjson

from adapters.sandbox.invented import guid, words
from adapters.sandbox.store import SEPARATOR
from adapters.sandbox.sugarcrm.instance import Instance
from adapters.sandbox.sugarcrm.links import PRIMARY_ROLE
from adapters.sandbox.sugarcrm.people import AddressBatch, Person, addresses_for
from adapters.sandbox.sugarcrm.pools import Column, columns_for
from adapters.sandbox.sugarcrm.sessions import Login
from adapters.sandbox.sugarcrm.zones import utc_literal

BATCH = 5000
_KEEP_IDS = 200_000
_KEEP_PEOPLE = 20_000


class Populator:
    """One filling of one instance. Ids of earlier modules are kept (up to a bound) for later ones to point at."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.settings = instance.settings
        self.rates = instance.settings.nastiness
        self.dice = random.Random(instance.settings.seed)
        self.users: list[str] = []
        self.inactive: list[str] = []
        self.accounts: list[str] = []
        self.contacts: list[str] = []
        self.people: list[Person] = []
        self.vocabulary = words(self.dice, 1000, (2, 4))
        self.pools: dict[tuple[str, str], Column] = {}
        self.start = int(datetime.fromisoformat(self.settings.data_from).timestamp())
        self.end = int(datetime.fromisoformat(self.settings.data_until).timestamp())
        self.mass_second = self.start + (self.end - self.start) * 2 // 3

    def fill(self) -> None:
        """Everything that the settings ask for, then the indexes."""
        settings = self.settings
        self._users()
        self._module("Accounts", settings.accounts)
        self._module("Contacts", settings.contacts)
        self._module("Leads", settings.leads)
        self._module("Opportunities", settings.opportunities)
        self._module("Campaigns", settings.campaigns)
        self._module("Tasks", settings.tasks)
        self._lists()
        self.instance.records.build_indexes()

    def _users(self) -> None:
        settings, sessions = self.settings, self.instance.sessions
        self.users = ["1", "seed_sally_id"][: max(settings.users, 0)]
        self.users += [guid(self.dice) for _ in range(settings.users - len(self.users))]
        count = round(len(self.users) * self.rates.inactive_owner) if len(self.users) > 3 else 0
        self.inactive = self.users[2:][: max(count, 1)] if self.rates.inactive_owner and len(self.users) > 3 else []
        sync_id = guid(self.dice)
        sessions.add(Login(settings.user_name, sync_id, settings.password, settings.user_is_admin, settings.time_zone))
        ids = [*self.users, sync_id]
        states = [b'"Inactive"' if one in self.inactive else b'"Active"' for one in ids]
        names = [f"user{n}" for n in range(len(self.users))] + [settings.user_name]
        fixed = {"status": states, "user_name": [orjson.dumps(name) for name in names]}
        self._load("Users", ids, fixed)
        self.users = [one for one in self.users if one not in self.inactive] or [sync_id]

    def _module(self, module: str, count: int) -> None:
        for done in range(0, count, BATCH):
            size = min(BATCH, count - done)
            ids = self._ids(size, module)
            self._load(module, ids, {}, done / max(count, 1), size / max(count, 1))

    def _ids(self, size: int, module: str) -> list[str]:
        """Mostly GUIDs; a few are what imports and demo data leave behind."""
        ids = [guid(self.dice) for _ in range(size)]
        for at in self.hits(size, self.rates.odd_id):
            number = self.dice.getrandbits(30)
            ids[at] = (f"seed_{module.lower()}_{number}_id", f"{number}", f"IMP-{number:X}")[at % 3]
        return ids

    def hits(self, size: int, rate: float) -> list[int]:
        """Random places in a batch, as many as the rate says."""
        if rate <= 0:
            return []
        count = int(size * rate) + (self.dice.random() < size * rate % 1)
        return [self.dice.randrange(size) for _ in range(count)]

    def _load(self, module: str, ids: list[str], fixed: dict[str, Column], begin: float = 0.0, share: float = 1.0) -> None:
        layout = self.instance.schema.module(module)
        size = len(ids)
        stamps = list(self._stamps(size, begin, share))
        columns = columns_for(self, layout, size)
        columns.update(self._stamp_columns(ids, stamps), **fixed)
        batch: AddressBatch | None = None
        if "email" in layout.slot:
            batch = addresses_for(self, module, ids, columns)
        names = {slot: name for name, slot in layout.slot.items()}  # a field that was left out leaves its slot behind
        stored = [columns[names[slot]] if slot in names else [default] * size for slot, default in enumerate(layout.defaults)]
        bodies = map(SEPARATOR.join, zip(*stored, strict=True))
        deleted = [0] * size
        if module != "Users":
            for at in self.hits(size, self.rates.deleted):
                deleted[at] = 1
        self.instance.records.tables[module].load(zip(ids, stamps, deleted, bodies, strict=True))
        if batch is not None:
            self._load_addresses(batch, stamps)
        self._remember(module, ids, deleted)

    def _stamps(self, size: int, begin: float, share: float) -> Iterator[int]:
        """Older rows were mostly modified earlier; a mass update gave one second to many."""
        span = self.end - self.start
        low, width = self.start + span * begin, span * share
        draw, rate = self.dice.random, self.rates.mass_update
        for at in range(size):
            if rate and draw() < rate:
                yield self.mass_second
            elif at % 10 == 0:
                yield self.start + int(span * draw())
            else:
                yield int(low + width * draw())

    def _stamp_columns(self, ids: list[str], stamps: list[int]) -> dict[str, Column]:
        entered = [stamp - (stamp - self.start) // 3 for stamp in stamps]
        return {
            "id": [b'"%b"' % one.encode() for one in ids],
            "date_modified": [utc_literal(stamp) for stamp in stamps],
            "date_entered": [utc_literal(stamp) for stamp in entered],
        }

    def _load_addresses(self, batch: AddressBatch, stamps: list[int]) -> None:
        layout = self.instance.schema.module("EmailAddresses")
        order = sorted(layout.slot, key=lambda name: layout.slot[name])
        rows, lookups = [], []
        blank = dict(zip(order, layout.blank(), strict=True))
        for one, stamp in zip(batch.fresh, (stamps[n % len(stamps)] for n in range(len(batch.fresh))), strict=True):
            when = utc_literal(stamp)
            caps = one.text.strip().upper()
            values = {
                **blank,
                "id": orjson.dumps(one.id),
                "email_address": orjson.dumps(one.text),
                "email_address_caps": orjson.dumps(caps),
                "opt_out": b"true" if one.opt_out else b"false",
                "date_modified": when,
                "date_entered": when,
            }
            rows.append((one.id, stamp, 0, SEPARATOR.join(values.values())))
            lookups.append(("EmailAddresses.email_address_caps", caps.lower(), one.id))
        records = self.instance.records
        records.tables["EmailAddresses"].load(rows)
        records.addresses.load(batch.holders)
        records.database.execute("begin")
        records.database.connection.executemany("insert into lookups values (?, ?, ?)", lookups)
        records.database.execute("commit")

    def _remember(self, module: str, ids: list[str], deleted: list[int]) -> None:
        keep = {"Accounts": self.accounts, "Contacts": self.contacts}.get(module)
        if keep is not None and len(keep) < _KEEP_IDS:
            keep += [one for one, gone in zip(ids, deleted, strict=True) if not gone]

    def remember_people(self, people: list[Person]) -> None:
        """Persons whom later records may share an address with."""
        self.people = (self.people + people)[-_KEEP_PEOPLE:]

    def _lists(self) -> None:
        settings, records, dice = self.settings, self.instance.records, self.dice
        joins = []
        for number in range(settings.prospect_lists):
            list_id = guid(dice)
            members = dice.sample(self.contacts, min(settings.members_per_list, len(self.contacts)))
            name = orjson.dumps(f"{words(dice, 1)[0]} list {number}")
            kind = b'"default"' if number % 3 else b'"exempt"'
            count = [b"%d" % len(members)]
            self._load("ProspectLists", [list_id], {"name": [name], "list_type": [kind], "entry_count": count})
            joins += [("prospect_list_contacts", list_id, one, "", self.end) for one in members]
        records.links.load(joins)
        if self.contacts:
            records.links.load(list(self._deal_contacts()))

    def _deal_contacts(self) -> Iterator[tuple[str, str, str, str, int]]:
        """Two contacts per deal, one of them the primary one; every seventh deal has none."""
        for number, row in enumerate(self.instance.records.tables["Opportunities"].scan("1", (), "seq")):
            if number % 7:
                for role in (PRIMARY_ROLE, "Other"):
                    yield ("opportunities_contacts", row.id, self.dice.choice(self.contacts), role, self.end)
