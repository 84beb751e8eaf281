"""The custom objects of a connector, as an operator writes them (CUST-1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sync.pull_settings import CustomObject
from sync.records import CUSTOM_PREFIX, Kind
from sync.settings_reading import ABSENT, Spot, refuse_unknown

_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_FORM = 'has to be { object = "mkt_Subscription", person = "contact_id_c", account = "account_id_c" }'


def read_custom_objects(value: object, spot: Spot) -> Any:
    """Kind → CustomObject, in the order of the file."""
    if not isinstance(value, Mapping):
        return spot.wrong('has to be a table with a line per custom object: subscription = { object = "mkt_Subscription" }')
    found = {}
    for name, table in value.items():
        inner = spot.at(str(name)[:60])
        if not _NAME.fullmatch(str(name)):
            inner.wrong("a custom object's name has lower-case letters, digits and underscores, 30 at most, a letter first")
            continue
        found[kind_of(str(name))] = _read_object({"object": table} if isinstance(table, str) else table, inner)
    objects = [each.object for each in found.values() if each is not ABSENT]
    if twice := sorted({each for each in objects if objects.count(each) > 1}):
        spot.wrong(f"{', '.join(twice)} stands here twice")
    return found if ABSENT not in found.values() else ABSENT


def kind_of(name: str) -> Kind:
    """The kind of the custom object of that name."""
    return Kind(f"{CUSTOM_PREFIX}{name}")


def custom_kinds(value: object) -> dict[str, Kind]:
    """What filters and mapping call the custom objects of a connector's table, before that is read as a whole."""
    names = [name for name in value if isinstance(name, str) and _NAME.fullmatch(name)] if isinstance(value, Mapping) else []
    return {kind_of(name).value: kind_of(name) for name in names}


def _read_object(table: object, spot: Spot) -> Any:
    if not isinstance(table, Mapping):
        return spot.wrong(_FORM)
    refuse_unknown(table, ("object", "person", "account", "expected"), spot)
    expected = table.get("expected")
    if not _is_name(table.get("object")) or any(name in table and not _is_name(table[name]) for name in ("person", "account")):
        return spot.wrong(f"{_FORM}, with names as the CRM's API has them")
    if expected is not None and (not isinstance(expected, int) or isinstance(expected, bool) or expected < 0):
        return spot.at("expected").wrong("has to be the number of records that you expect")
    return CustomObject(str(table["object"]), table.get("person"), table.get("account"), expected)


def _is_name(value: object) -> bool:
    """A name of the CRM's API goes into addresses and queries: nothing else than a name gets there."""
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,99}", value) is not None
