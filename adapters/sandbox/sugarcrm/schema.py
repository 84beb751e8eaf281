"""The instance's modules and fields as they are now: they change while clients look."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from adapters.sandbox.sugarcrm.drop_downs import stock_lists
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import FieldSpec, parse_fields
from adapters.sandbox.sugarcrm.settings import SugarSandboxSettings
from adapters.sandbox.sugarcrm.stock_fields import COMMON, STOCK

# The id is chosen once, and addresses have a book of their own.
_BY_OTHER_MEANS = frozenset({"id", "email", "email1", "email_opt_out", "invalid_email"})


@dataclass(frozen=True)
class Facts:
    """What every write asks of a module: required fields, indexed ones with their slots, and those that a payload may set."""

    required: tuple[str, ...]
    indexed: tuple[tuple[str, int], ...]
    written: dict[str, FieldSpec]


class Module:
    """One module: its fields by name, and the slot of each stored one.

    Slots are never reused: a removed field leaves its slot behind, a renamed one keeps it, an added one goes to the
    end, where older rows have nothing.
    """

    def __init__(self, name: str, fields: Iterable[FieldSpec], custom: bool = False) -> None:
        self.name = name
        self.custom = custom
        self.fields: dict[str, FieldSpec] = {}
        self.slot: dict[str, int] = {}
        self.defaults: list[bytes] = []
        self.version = 0
        self._facts: tuple[int, Facts] | None = None
        for spec in fields:
            self.add(spec)

    def add(self, spec: FieldSpec) -> None:
        """A new field, or a new definition of one that keeps its slot."""
        if spec.has_slot and spec.name not in self.slot:
            self.slot[spec.name] = len(self.defaults)
            self.defaults.append(spec.default)
        self.fields[spec.name] = spec
        self.version += 1

    def remove(self, name: str) -> None:
        """Drop a field; the values stay on disk, where nobody can ask for them."""
        self.field(name)
        del self.fields[name]
        self.slot.pop(name, None)
        self.version += 1

    def rename(self, name: str, new_name: str) -> None:
        """The same slot under another name, in the same place of the description."""
        spec = self.field(name)
        if new_name in self.fields:
            raise ApiError("invalid_parameter", f"Field {new_name} exists in module {self.name}")
        self.fields = {
            (new_name if key == name else key): (replace(spec, name=new_name) if key == name else value)
            for key, value in self.fields.items()
        }
        if name in self.slot:
            self.slot[new_name] = self.slot.pop(name)
        self.version += 1

    def field(self, name: str) -> FieldSpec:
        """The field, or 422 as Sugar answers for a name that it does not know."""
        try:
            return self.fields[name]
        except KeyError:
            raise ApiError("invalid_parameter", f"Unknown field {name} in module {self.name}") from None

    @property
    def facts(self) -> Facts:
        """Worked out once per layout: a write should not look through all the fields."""
        if self._facts is None or self._facts[0] != self.version:
            specs = self.fields.values()
            written = {one.name: one for one in specs if one.has_slot and one.name not in _BY_OTHER_MEANS}
            self._facts = (
                self.version,
                Facts(
                    tuple(one.name for one in specs if one.required and one.name != "id"),
                    tuple((one.name, self.slot[one.name]) for one in specs if one.indexed and one.name in self.slot),
                    {name: one for name, one in written.items() if not one.readonly and not one.calculated},
                ),
            )
        return self._facts[1]

    def blank(self) -> list[bytes]:
        """The slots of a row without any values."""
        return list(self.defaults)

    def full(self, slots: list[bytes]) -> list[bytes]:
        """Slots brought up to the present layout."""
        return slots if len(slots) == len(self.defaults) else slots + self.defaults[len(slots) :]


class Schema:
    """All modules, drop-downs and hidden fields of one instance."""

    def __init__(self, settings: SugarSandboxSettings) -> None:
        self.modules = {name: _stock_module(name, block) for name, block in STOCK.items()}
        self.lists = stock_lists()
        self.hidden: dict[str, dict[str, frozenset[str]]] = {}
        self.protected: dict[str, dict[str, frozenset[str]]] = {}
        for custom in settings.custom_modules:
            self.modules[custom.name] = _stock_module(custom.name, "\n".join(custom.fields), custom=True)
        for extra in settings.custom_fields:
            spec = FieldSpec(extra.name, extra.kind, extra.length, options=extra.options, custom=True)
            self.module(extra.module).add(spec)
        for name in settings.without:
            self._leave_out(name)

    def module(self, name: str) -> Module:
        """The module, or 404 as Sugar answers for a path that it does not know."""
        try:
            return self.modules[name]
        except KeyError:
            raise ApiError("no_method", f"Could not find a route for module {name}") from None

    def _leave_out(self, name: str) -> None:
        """A module, or `Module.field`, that is not there; ValueError for one that would not be anyway."""
        module, _, field = name.partition(".")
        if module not in self.modules or (field and field not in self.modules[module].fields):
            raise ValueError(f"{name} is nothing that this sandbox has")
        if field:
            self.modules[module].remove(field)
            return
        del self.modules[module]
        for other in self.modules.values():
            for spec in [one for one in other.fields.values() if one.relates_to == module]:
                other.remove(spec.name)

    def hide(self, user_name: str, module: str, field: str, hidden: bool) -> None:
        """Take a field's read and write right from a user, or give it back."""
        self._set_right(self.hidden, user_name, module, field, hidden)

    def protect(self, user_name: str, module: str, field: str, protected: bool) -> None:
        """Take only the right to write a field from a user, or give it back."""
        self._set_right(self.protected, user_name, module, field, protected)

    def protected_from(self, user_name: str, module: str) -> frozenset[str]:
        """Fields of a module that this user may read and not write."""
        return self.protected.get(user_name, {}).get(module, frozenset())

    def _set_right(self, rights: dict[str, dict[str, frozenset[str]]], user_name: str, module: str, field: str, taken: bool) -> None:
        self.module(module).field(field)
        of_user = rights.setdefault(user_name, {})
        before = of_user.get(module, frozenset())
        of_user[module] = before | {field} if taken else before - {field}

    def hidden_from(self, user_name: str, module: str) -> frozenset[str]:
        """Fields of a module that this user may neither read nor write."""
        return self.hidden.get(user_name, {}).get(module, frozenset())

    def describe(self, user_name: str, names: Iterable[str]) -> dict[str, Any]:
        """The `modules` part of the metadata answer, each with its own hash."""
        out = {}
        for name in names:
            if name not in self.modules:
                continue
            module = self.modules[name]
            body = {
                "fields": {key: spec.describe() for key, spec in module.fields.items()},
                "acl": {"fields": acl_of_fields(self.hidden_from(user_name, name), self.protected_from(user_name, name))},
                "isBwcEnabled": False,
            }
            out[name] = {**body, "_hash": digest(body)}
        return out


def acl_of_fields(hidden: Iterable[str], protected: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """The exceptions to the rule, as Sugar lists them: only fields with less than all rights."""
    no_write = {"write": "no", "create": "no"}
    return {**dict.fromkeys(sorted(protected), no_write), **{name: {"read": "no", **no_write} for name in sorted(hidden)}}


def digest(document: Any) -> str:
    """The hash that tells clients that something changed."""
    return hashlib.md5(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), usedforsecurity=False).hexdigest()


def _stock_module(name: str, block: str, custom: bool = False) -> Module:
    """Common fields first; a module's own line of the same name replaces the common one."""
    own = parse_fields(block)
    names = {spec.name for spec in own}
    common = [spec for spec in parse_fields(COMMON) if spec.name not in names]
    head = [spec for spec in common if spec.name == "id"]
    tail = [spec for spec in common if spec.name != "id"]
    named = [spec for spec in own if spec.name == "name"]
    rest = [spec for spec in own if spec.name != "name"]
    return Module(name, [*head, *named, *tail, *rest], custom)
