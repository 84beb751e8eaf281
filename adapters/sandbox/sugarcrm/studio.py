"""What administrators do to fields while syncs run."""

from __future__ import annotations

from dataclasses import replace

import orjson

from adapters.sandbox.store import SEPARATOR
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import DECIMALS, INTEGERS, TEXTS, FieldSpec
from adapters.sandbox.sugarcrm.instance import Instance
from adapters.sandbox.sugarcrm.values import encode


class Studio:
    """Changes of modules and drop-downs. None of them moves a record's stamp: a trap for incremental readers."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def add(self, module: str, spec: FieldSpec) -> None:
        """A new field; existing rows show its default."""
        layout = self._instance.schema.module(module)
        if spec.name in layout.fields:
            raise ApiError("invalid_parameter", f"Field {spec.name} exists in module {module}")
        layout.add(spec)
        self._instance.renderer.clear()

    def remove(self, module: str, name: str) -> None:
        """A field and its values are gone."""
        self._instance.schema.module(module).remove(name)
        self._instance.renderer.clear()

    def rename(self, module: str, name: str, new_name: str) -> None:
        """The values stay under the new name."""
        self._instance.schema.module(module).rename(name, new_name)
        self._instance.database.execute("update lookups set field = ? where field = ?", (f"{module}.{new_name}", f"{module}.{name}"))
        self._instance.renderer.clear()

    def retype(self, module: str, name: str, kind: str, length: int | None = None) -> None:
        """Another type for the same field; values are converted where that is possible and null where not."""
        layout = self._instance.schema.module(module)
        old = layout.field(name)
        new = replace(old, type=kind, length=length)
        if not new.has_slot or not old.has_slot:
            raise ApiError("invalid_parameter", f"Field {name} of module {module} can not become {kind}")
        table = self._instance.records.tables[module]
        slot = layout.slot[name]
        for row in list(table.scan("1", (), "seq")):
            slots = layout.full(row.slots())
            slots[slot] = _converted(slots[slot], new, module)
            table.replace(row.seq, row.modified, row.deleted, SEPARATOR.join(slots))
        layout.defaults[slot] = new.default
        layout.add(new)
        self._instance.renderer.clear()

    def hide(self, user: str, module: str, name: str, hidden: bool) -> None:
        """Take a field from a role's sight, or give it back."""
        self._instance.schema.hide(user, module, name, hidden)

    def protect(self, user: str, module: str, name: str, protected: bool) -> None:
        """A role that may read a field and not write it, or may again."""
        self._instance.schema.protect(user, module, name, protected)

    def set_list(self, name: str, values: dict[str, str]) -> None:
        """Replace a drop-down list; values that records already have stay."""
        self._instance.schema.lists[name] = dict(values)


def _converted(literal: bytes, spec: FieldSpec, module: str) -> bytes:
    value = orjson.loads(literal)
    if value in (None, "", []):
        return spec.default
    if spec.type in TEXTS:
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        return orjson.dumps(text[: spec.length] if spec.length else text)
    if spec.type == "multienum":
        return orjson.dumps(value if isinstance(value, list) else [str(value)])
    if spec.type in INTEGERS | DECIMALS and isinstance(value, bool):
        value = int(value)
    try:
        return encode(spec, value, module, "UTC", None)
    except ApiError:
        return spec.default
