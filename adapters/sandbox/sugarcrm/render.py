"""Stored rows into JSON records: which fields, in which zone, without what the user may not see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter

import orjson

from adapters.sandbox.store import Row
from adapters.sandbox.sugarcrm.fields import DATETIMES, FieldSpec
from adapters.sandbox.sugarcrm.records import Records
from adapters.sandbox.sugarcrm.schema import Module, acl_of_fields
from adapters.sandbox.sugarcrm.zones import in_zone, utc_literal

_KEEP_TEXTS = 300_000
_KEEP_PROJECTIONS = 64
_NOTHING: frozenset[str] = frozenset()
TextOf = Callable[[str, bytes], bytes]


class Projection:
    """One way of showing one module's rows; keeps the finished lines by seq."""

    def __init__(
        self, module: Module, names: Sequence[str], hidden: frozenset[str], zone: str, text_of: TextOf, protected: frozenset[str] = _NOTHING
    ):
        stored = [name for name in names if name in module.slot]
        self.relates = [spec for name in names if (spec := module.fields[name]).type == "relate"]
        self.lines: dict[int, bytes] = {}
        self._module = module
        self._width = len(module.defaults)
        self._text_of = text_of
        self._keys = [module.slot.get(spec.id_name) for spec in self.relates]
        self._instants = [at for at, name in enumerate(stored) if zone != "UTC" and module.fields[name].type in DATETIMES]
        self._zone = zone
        self._pick = itemgetter(*(module.slot[name] for name in stored))
        acl = orjson.dumps({"fields": acl_of_fields(hidden, protected)}).replace(b"%", b"%%")
        shown = [name.encode() for name in stored + [spec.name for spec in self.relates]]
        pairs = b",".join(b'"%b":%%b' % name for name in shown)
        self._template = b'{%b,"_acl":%b,"_module":"%b"}' % (pairs, acl, module.name.encode())

    def line(self, body: bytes) -> bytes:
        """One record."""
        slots = body.split(b"\n")
        if len(slots) < self._width:
            slots = self._module.full(slots)
        values: tuple[bytes, ...] = self._pick(slots)
        if self._instants:
            shifted = list(values)
            for at in self._instants:
                shifted[at] = in_zone(shifted[at], self._zone)
            values = tuple(shifted)
        for spec, key in zip(self.relates, self._keys, strict=True):
            values += (b'""' if key is None else self._text_of(spec.relates_to, slots[key]),)
        return self._template % values


class Renderer:
    """Projections of an instance, and the memory that their finished lines may take."""

    def __init__(self, records: Records, cache_bytes: int) -> None:
        self._records = records
        self._budget = cache_bytes
        self._used = 0
        self._projections: dict[tuple[object, ...], Projection] = {}
        self._texts: dict[str, dict[bytes, bytes]] = {}
        records.changed.append(self._forget)

    def projection(
        self, module: Module, names: Sequence[str], hidden: frozenset[str], zone: str, protected: frozenset[str] = _NOTHING
    ) -> Projection:
        """The projection for these fields; unknown names and links are left out, `id` and `date_modified` come
        always, no names at all means every field."""
        key = (module.name, module.version, tuple(names), hidden, zone, protected)
        found = self._projections.get(key)
        if found is None:
            if len(self._projections) >= _KEEP_PROJECTIONS:
                self.clear()
            wanted = _shown(module, names, hidden)
            found = self._projections[key] = Projection(module, wanted, hidden, zone, self.text_of, protected)
        return found

    def page(self, module: str, projection: Projection, seqs: Sequence[int]) -> list[bytes]:
        """Finished records in the order of `seqs`; the ones not in memory are read and remembered."""
        lines = projection.lines
        missing = [seq for seq in seqs if seq not in lines]
        if not missing:
            return [lines[seq] for seq in seqs]
        render = projection.line
        fresh = {seq: render(body) for seq, body in self._records.tables[module].by_seqs(missing).items()}
        size = sum(map(len, fresh.values())) + 150 * len(fresh)
        if self._used + size <= self._budget:
            self._used += size
            lines.update(fresh)
            return [lines[seq] for seq in seqs]
        return [fresh[seq] if seq in fresh else lines[seq] for seq in seqs]

    def text_of(self, module: str, id_literal: bytes) -> bytes:
        """The name that a relate field shows for an id; empty when there is no such record."""
        known = self._texts.setdefault(module, {})
        text = known.get(id_literal)
        if text is None:
            record_id = orjson.loads(id_literal)
            row = self._records.find(module, record_id) if isinstance(record_id, str) and record_id else None
            text = orjson.dumps(self._records.value(module, row, "name") or "") if row else b'""'
            if len(known) >= _KEEP_TEXTS:
                known.clear()
            known[id_literal] = text
        return text

    def clear(self) -> None:
        """Forget every finished line."""
        self._projections.clear()
        self._used = 0

    def _forget(self, module: str, seq: int) -> None:
        """A row changed: its lines are stale, and so are names taken from it."""
        for key, projection in self._projections.items():
            if key[0] == module:
                line = projection.lines.pop(seq, None)
                self._used -= len(line) + 150 if line else 0
            elif any(spec.relates_to == module for spec in projection.relates):
                self._used -= sum(map(len, projection.lines.values())) + 150 * len(projection.lines)
                projection.lines.clear()
        self._texts.pop(module, None)


def stub(row: Row, zone: str) -> bytes:
    """All that is shown of a deleted record."""
    stamp = in_zone(utc_literal(row.modified), zone)
    return b'{"id":%b,"date_modified":%b,"deleted":true,"_acl":{"fields":{}}}' % (orjson.dumps(row.id), stamp)


def _shown(module: Module, names: Sequence[str], hidden: frozenset[str]) -> list[str]:
    def showable(spec: FieldSpec) -> bool:
        return spec.type not in ("link", "collection") and spec.name not in hidden

    wanted = set(names) | {"id", "date_modified"} if names else set(module.fields)
    return [name for name, spec in module.fields.items() if name in wanted and showable(spec)]
