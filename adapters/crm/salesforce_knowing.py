"""Descriptions that are remembered for all threads and processes for as long as the schema stays, and what pushes ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from adapters.crm.memory import SchemaMemory
from adapters.crm.salesforce_objects import field_name, object_name
from adapters.crm.salesforce_schema import Described, fingerprint, seen
from adapters.crm.salesforce_session import SalesforceApi
from sync.activity_objects import Belongs, objects_for
from sync.push_settings import SinkSettings
from sync.records import Kind

COMPANY = "Company"  # every lead has to name one; where a person has none, the push says so as Salesforce's own forms do
_PEOPLE = (Kind.LEAD, Kind.CONTACT, Kind.NEW_LEAD, Kind.UPDATE)
_DROP_DOWNS = frozenset({"picklist", "multipicklist", "combobox"})
_NAMES = {Kind.LEAD: "Lead", Kind.CONTACT: "Contact"}


class Known:
    """What Salesforce described. Whoever asks for descriptions anyway tells it what came (`learn`)."""

    def __init__(self, api: SalesforceApi, memory: SchemaMemory) -> None:
        self._api = api
        self._memory = memory
        self._here: dict[str, Described] = {}

    def of(self, name: str) -> Described:
        """One object; asked for when nobody has done so since the schema changed. AccessDenied where the user does not see it."""
        if name not in self._here:
            told = self._memory.told().get(_key(name))
            self._here[name] = msgspec.convert(told, Described) if told else self.afresh([name])[name]
        return self._here[name]

    def all_of(self, names: Iterable[str]) -> dict[str, Described]:
        """Several, with one call for all that nobody knows."""
        told = self._memory.told()
        unknown = [name for name in dict.fromkeys(names) if name not in self._here and _key(name) not in told]
        if unknown:
            self.afresh(unknown)
        return {name: self.of(name) for name in names}

    def afresh(self, names: Sequence[str]) -> dict[str, Described]:
        """Asks now; AccessDenied where the user does not see one of them."""
        found = seen(self._api, names)
        self.learn(found)
        return found

    def learn(self, found: Mapping[str, Described]) -> None:
        """Keeps what came. One object that changed makes all others be asked for again."""
        told = self._memory.told()
        prints = {name: fingerprint({name: each}) for name, each in found.items()}
        if any(told.get(_print(name), was) != was for name, was in prints.items()) or not self._memory.fingerprint:
            self._memory.saw(fingerprint(found))
            told = {}
            self._here.clear()
        self._here |= found
        if new := {name: each for name, each in found.items() if _print(name) not in told}:
            kept: dict[str, Any] = {_key(name): msgspec.to_builtins(each) for name, each in new.items()}
            self._memory.keep(self._memory.fingerprint, kept | {_print(name): prints[name] for name in new})


class Choices:
    """What Salesforce takes where a push lands."""

    def __init__(self, known: Known, sinks: SinkSettings, create_as: Kind) -> None:
        self._known = known
        self._sinks = sinks
        self._create_as = create_as

    def choices(self, kind: Kind, fields: Sequence[str]) -> dict[str, frozenset[str]]:
        """Drop-down → its values, where Salesforce refuses others or people could not choose them. Of several objects what any takes."""
        found: dict[str, frozenset[str]] = {}
        for described in self._people(kind):
            for name in fields:
                field = described.get(name)
                if field is not None and field.type in _DROP_DOWNS:
                    values = {each.value for each in field.picklist_values or [] if each.active and each.value}
                    found[name] = found.get(name, frozenset()) | frozenset(values)
        return found

    def limits(self, kind: Kind) -> dict[str, int]:
        """Of people: field → most characters, the least of the objects that may be written. Of activities: value → most characters."""
        found: dict[str, int] = {}
        if kind in _PEOPLE:
            for described in self._people(kind):
                for field in described.fields:
                    if field.length and field.type not in (*_DROP_DOWNS, "id", "reference"):
                        found[field.name] = min(field.length, found.get(field.name, field.length))
            return found
        for thing in objects_for(kind, self._sinks.of(kind)):
            described = self._known.of(object_name(thing, self._sinks.object_prefix))
            part = "page_views." if thing.belongs_to is Belongs.VISIT else ""
            for each in thing.fields:
                shown = described.get(field_name(each.name))
                if shown is not None and shown.length:
                    found[f"{part}{each.value}"] = shown.length
        return found

    def required(self, kind: Kind) -> frozenset[str]:
        """What has no value of its own and must not be empty. The address has its own place in a push, and a company is filled in."""
        return frozenset(
            field.name
            for described in self._people(kind)
            for field in described.fields
            if field.createable
            and not field.nillable
            and not field.defaulted_on_create
            and field.type not in ("boolean", "reference")
            and field.name not in ("Email", COMPANY)
        )

    def _people(self, kind: Kind) -> tuple[Described, ...]:
        if kind in _NAMES:
            return (self._known.of(_NAMES[kind]),)
        if kind is Kind.NEW_LEAD:
            return (self._known.of(_NAMES[self._create_as]),)
        return tuple(self._known.all_of(_NAMES.values()).values())


def _key(name: str) -> str:
    return f"described {name}"


def _print(name: str) -> str:
    return f"print {name}"
