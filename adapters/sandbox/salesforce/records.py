"""All records: one table per object, one column per field, deleted rows included. Whoever calls holds the database's lock."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from adapters.sandbox.clock import Clock
from adapters.sandbox.salesforce.derived import derived
from adapters.sandbox.salesforce.fields import IDS, FieldSpec
from adapters.sandbox.salesforce.ids import numbered
from adapters.sandbox.salesforce.instants import literal
from adapters.sandbox.salesforce.schema import Schema, SObject
from adapters.sandbox.store import Database

Values = dict[str, Any]
_INDEXED_REFERENCES = frozenset(
    {"AccountId", "ContactId", "LeadId", "CampaignId", "OpportunityId", "WhoId", "WhatId", "Contact__c", "Lead__c"}
)


class Records:
    """`odd_ids`: the control API made a record whose id is none; queries then take any text for an id."""

    def __init__(self, schema: Schema, database: Database, clock: Clock) -> None:
        self.schema = schema
        self.database = database
        self.clock = clock
        self.odd_ids = False
        self.version = 0
        self._late: list[tuple[float, int, float, Callable[[], None]]] = []
        self._order = itertools.count()
        # Without a journal a statement could not be taken back, and all-or-none calls have to be.
        database.execute("pragma journal_mode = memory")
        database.execute("create table gone(object text, id text, at text, batch integer)")
        for one in schema.objects.values():
            self.create_table(one)

    def create_table(self, one: SObject) -> None:
        """The table of an object."""
        columns = ", ".join(f'"{name}"' for name in self.column_names(one))
        self.database.execute(f'create table "{one.name}"(seq integer primary key, {columns})')

    def column_names(self, one: SObject) -> list[str]:
        """The columns in their order; users have a deletion mark too, which nobody sees."""
        names = [spec.name for spec in one.stored()]
        return names if "IsDeleted" in names else [*names, "IsDeleted"]

    def build_indexes(self) -> None:
        """After a bulk load: an index built once is several times cheaper than one kept up row by row."""
        for one in self.schema.objects.values():
            self._index(one, "Id", '"Id"')
            self._index(one, "stamp", '"SystemModstamp", "Id"')
            for spec in one.stored():
                self.index_field(one, spec)
        self.database.execute("create index if not exists gone_by_time on gone(object, at)")

    def index_field(self, one: SObject, spec: FieldSpec) -> None:
        """An index for the fields that look-ups and cascades ask for."""
        if spec.external_id or spec.type == "email":
            self._index(one, spec.name, f'"{spec.name}" collate nocase')
        elif spec.name in _INDEXED_REFERENCES:
            self._index(one, spec.name, f'"{spec.name}"')

    def _index(self, one: SObject, name: str, columns: str) -> None:
        self.database.execute(f'create index if not exists "{one.name}_{name}" on "{one.name}"({columns})')

    # -- reading ------------------------------------------------------------------------------------------------------

    def row(self, name: str, record_id: str) -> Values | None:
        """One record by id, deleted or not."""
        found = self.rows(name, '"Id" = ?', (record_id,))
        return found[0] if found else None

    def rows(self, name: str, where: str, values: Sequence[object], tail: str = "") -> list[Values]:
        """Records with all their stored values, without `seq`."""
        cursor = self.database.execute(f'select * from "{name}" where {where} {tail}', values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names[1:], row[1:], strict=True)) for row in cursor]

    def holder(self, name: str, field: str, value: object, besides: str = "") -> list[str]:
        """Ids of the living records that have this value; text in any case."""
        sql = f'select "Id" from "{name}" where "{field}" = ? collate nocase and "IsDeleted" = \'false\' and "Id" <> ? order by "Id"'
        return [found for (found,) in self.database.execute(sql, (value, besides))]

    def count(self, name: str, deleted: bool) -> int:
        """How many living or deleted records."""
        sql = f'select count(*) from "{name}" where "IsDeleted" = ?'
        return int(self.database.execute(sql, ("true" if deleted else "false",)).fetchone()[0])

    # -- writing ------------------------------------------------------------------------------------------------------

    def stamp(self) -> str:
        """Now, as it is stored."""
        return literal(self.clock.now())

    def next_id(self, one: SObject) -> str:
        """An id that was not used."""
        one.number += 1
        return numbered(one.prefix, one.number)

    def insert(self, name: str, values: Values, by: str, stamp: str) -> str:
        """A new record; what `values` lacks has its default. `values` may hold the id and any system field."""
        one = self.schema.object(name)
        record_id = values.get("Id") or self.next_id(one)
        system = {"Id": record_id, "IsDeleted": "false", "CreatedDate": stamp, "CreatedById": by}
        system |= {"LastModifiedDate": stamp, "LastModifiedById": by, "SystemModstamp": stamp}
        whole = {spec.name: _default(spec) for spec in one.stored()} | system
        if "OwnerId" in whole:
            whole["OwnerId"] = by
        if one.autonumbered:
            whole["Name"] = f"{one.name.removesuffix('__c')}-{one.number:06}"
        never_null = {spec.name for spec in one.stored() if spec.type == "boolean"} | {"OwnerId"}
        whole |= {key: value for key, value in values.items() if value is not None or key not in never_null}
        whole |= derived(name, whole, values, stamp)
        self.database.execute(
            f'insert into "{name}"({", ".join(_quoted(whole))}) values ({", ".join("?" * len(whole))})', list(whole.values())
        )
        self.version += 1
        return str(record_id)

    def change(self, name: str, record_id: str, values: Values, by: str, stamp: str, *, silent: bool = False, system: bool = False) -> None:
        """A record has other values from now on. `system`: only SystemModstamp moves; `silent`: no stamp does."""
        before = self.row(name, record_id)
        if before is None:
            raise LookupError(f"no {name} {record_id}")
        values = values | derived(name, {**before, **values}, values, stamp)
        if not silent:
            values = {"SystemModstamp": stamp, **values}
            if not system:
                values = {"LastModifiedDate": stamp, "LastModifiedById": by, **values}
        self.set(name, record_id, values)

    def set(self, name: str, record_id: str, values: Values) -> None:
        """Overwrite columns, nothing else."""
        sets = ", ".join(f"{column} = ?" for column in _quoted(values))
        self.database.execute(f'update "{name}" set {sets} where "Id" = ?', [*values.values(), record_id])
        self.version += 1

    def touch(self, name: str, ids: Iterable[str], values: Values) -> int:
        """The same values for many records at once."""
        sets = ", ".join(f"{column} = ?" for column in _quoted(values))
        sql = f'update "{name}" set {sets} where "Id" in (select value from json_each(?))'
        self.version += 1
        return int(self.database.execute(sql, [*values.values(), json.dumps(list(ids))]).rowcount)

    def load(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Append many records in one transaction."""
        sql = f'insert into "{name}"({", ".join(_quoted(columns))}) values ({", ".join("?" * len(columns))})'
        self.database.execute("begin")
        self.database.connection.executemany(sql, rows)
        self.database.execute("commit")
        self.version += 1

    @contextmanager
    def all_or_none(self) -> Iterator[Callable[[], None]]:
        """Whatever is written inside is taken back when the function that this gives is called, or when something breaks."""
        name = f"level{next(self._order)}"
        self.database.execute(f"savepoint {name}")
        try:
            yield lambda: self._take_back(name)
        except BaseException:
            self._take_back(name)
            raise
        finally:
            self.database.execute(f"release {name}")

    def _take_back(self, name: str) -> None:
        self.database.execute(f"rollback to {name}")
        self.version += 1

    # -- late commits -------------------------------------------------------------------------------------------------

    def later(self, delay_s: float, write: Callable[[], None]) -> None:
        """Something that has its stamp now and is committed later, by the sandbox's clock; at once without a delay."""
        if delay_s <= 0:
            write()
            return
        now = self.clock.now()
        heapq.heappush(self._late, (now + delay_s, next(self._order), now, write))

    def settle(self) -> None:
        """Commit what is due."""
        while self._late and self._late[0][0] <= self.clock.now():
            heapq.heappop(self._late)[3]()

    def oldest_open(self) -> float | None:
        """The start of the oldest transaction that is not committed, epoch seconds."""
        return min((began for _, _, began, _ in self._late), default=None)


def _default(spec: FieldSpec) -> Any:
    if spec.type == "boolean":
        return "true" if spec.default is True else "false"
    return spec.default


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def references_to(schema: Schema, parent: str) -> list[tuple[SObject, FieldSpec]]:
    """Reference fields that may point at this object."""
    return [(one, spec) for one, spec in schema.children(parent) if spec.type in IDS]
