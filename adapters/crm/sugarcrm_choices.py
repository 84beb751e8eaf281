"""What Sugar takes where a push lands: drop-down values and lengths, asked once per schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from adapters.crm.memory import SchemaMemory
from adapters.crm.sugarcrm_bulk import ask
from adapters.crm.sugarcrm_schema import MODULES, column_type, metadata
from adapters.crm.sugarcrm_session import SugarApi
from sync.activity_objects import Belongs, objects_for
from sync.errors import ContractBroken
from sync.push_settings import SinkSettings
from sync.records import Kind

_PEOPLE = (Kind.LEAD, Kind.CONTACT, Kind.NEW_LEAD, Kind.UPDATE)
_GIVEN = frozenset({"id", "email", "email1"})
_DROP_DOWNS = frozenset({"enum", "radioenum", "dynamicenum", "multienum"})


@dataclass(frozen=True, slots=True)
class SugarChoices:
    """`fingerprint`: asks for the schema's fingerprint, and tells the memory; used when none was ever seen."""

    api: SugarApi
    memory: SchemaMemory
    fingerprint: Callable[[], str]
    sinks: SinkSettings
    create_as: Kind = Kind.LEAD

    def choices(self, kind: Kind, fields: Sequence[str]) -> dict[str, frozenset[str]]:
        """Drop-down → its values. Where several modules may be written, what any of them takes: the CRM has the last word."""
        found: dict[str, frozenset[str]] = {}
        for module in self._people(kind):
            told = self._told(module, fields)
            for name in fields:
                if (values := told[_choice(module, name)]) is not None:
                    found[name] = found.get(name, frozenset()) | frozenset(values)
        return found

    def limits(self, kind: Kind) -> dict[str, int]:
        """Of people: CRM field → most characters, the least of the modules that may be written. Of activities: value → most characters.
        The CRM's own activities have a name that is cut here, and a text without limit."""
        found: dict[str, int] = {}
        if kind in _PEOPLE:
            for module in self._people(kind):
                for name, most in self._described("lengths", module).items():
                    found[name] = min(most, found.get(name, most))
            return found
        for thing in objects_for(kind, self.sinks.of(kind)):
            lengths = self._described("lengths", thing.named(self.sinks.object_prefix))
            part = "page_views." if thing.belongs_to is Belongs.VISIT else ""
            found |= {f"{part}{each.value}": lengths[each.name] for each in thing.fields if each.name in lengths}
        return found

    def required(self, kind: Kind) -> frozenset[str]:
        """What the metadata calls required and gives no value of its own. An address has its own place in a push."""
        return frozenset(name for module in self._people(kind) for name in self._described("required", module))

    def _people(self, kind: Kind) -> tuple[str, ...]:
        if kind in (Kind.LEAD, Kind.CONTACT):
            return (MODULES[kind],)
        return (MODULES[self.create_as],) if kind is Kind.NEW_LEAD else (MODULES[Kind.LEAD], MODULES[Kind.CONTACT])

    def _told(self, module: str, fields: Sequence[str]) -> Mapping[str, Any]:
        told = self.memory.told()
        if unknown := [name for name in fields if _choice(module, name) not in told]:
            print_ = self.memory.fingerprint or self.fingerprint()
            new = self._asked(module, unknown)
            self.memory.keep(print_, new)
            told = {**told, **new}
        return told

    def _asked(self, module: str, names: Sequence[str]) -> dict[str, Any]:
        fields = metadata(self.api, [module]).get(module, {}).get("fields") or {}
        found: dict[str, Any] = {_choice(module, name): None for name in names}
        drop_downs = [name for name in names if (fields.get(name) or {}).get("type") in _DROP_DOWNS]
        if not drop_downs:
            return found
        parts, _ = ask(self.api, [f"{module}/enum/{name}" for name in drop_downs], subject=f"the drop-downs of {module}")
        for name, part in zip(drop_downs, parts, strict=True):
            if part.status == 200:
                found[_choice(module, name)] = _keys(part.body, f"connector {self.api.wire.connector}, {module}.{name}")
            elif part.status != 404:
                raise self.api.wire.error(part.answer, user=self.api.session.username, subject=f"{module}.{name}")
        return found

    def _described(self, what: str, module: str) -> Any:
        """`lengths`: field → most characters; `required`: names of fields. One call tells both."""
        told = self.memory.told()
        if f"{what} {module}" not in told:
            print_ = self.memory.fingerprint or self.fingerprint()
            fields = metadata(self.api, [module]).get(module, {}).get("fields") or {}
            lengths = {name: length for name, each in fields.items() if (length := _length(each))}
            told = {f"lengths {module}": lengths, f"required {module}": [name for name, each in fields.items() if _required(name, each)]}
            self.memory.keep(print_, told)
        return told[f"{what} {module}"]


def _length(definition: object) -> int | None:
    if not isinstance(definition, dict) or definition.get("type") in _DROP_DOWNS:
        return None
    return column_type(definition).length


def _required(name: str, definition: object) -> bool:
    """PHP writes a truth in several ways. The address and the id are given in other ways."""
    if not isinstance(definition, dict) or name in _GIVEN or definition.get("default") not in (None, ""):
        return False
    return definition.get("required") in (True, 1, "1", "true") and definition.get("source") != "non-db"


def _choice(module: str, field: str) -> str:
    return f"choices {module} {field}"


def _keys(body: bytes, where: str) -> list[str]:
    """PHP writes an empty map as an empty list."""
    try:
        return sorted(msgspec.json.decode(body, type=dict[str, Any]))
    except msgspec.DecodeError:
        if body.strip() == b"[]":
            return []
        raise ContractBroken("a drop-down's values are no map", where=where, todo="report this to the developers") from None
