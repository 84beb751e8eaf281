"""Salesforce's names of what an administrator makes there for us, and records of it (SINK-1, SINK-2, PUSH-S)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from adapters.crm.activities import text_of, title_of
from sync.activity_objects import ACTIVITY_OBJECTS, VISIT, ActivityField, ActivityObject, Belongs
from sync.fields import ColumnType, ValueType

NAME_LENGTH = 80
LEAD_LINK, CONTACT_LINK, VISIT_LINK = "Lead__c", "Contact__c", "Visit__c"
KEYED_STOCK = ("Lead", "Contact", "Task")
_SCORES = (("Mkt_Score__c", "Number(16, 2)", "the score as it is now"), ("Mkt_Score_Date__c", "DateTime", "when it last changed"))


def object_name(thing: ActivityObject, prefix: str) -> str:
    """Such as Mkt_PageView__c. Names have no case in Salesforce."""
    return f"{thing.named(_capital(prefix))}__c"


def field_name(name: str) -> str:
    """Such as From_Address__c."""
    return "_".join(map(_capital, name.split("_"))) + "__c"


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def key_field(prefix: str) -> str:
    """The external id field that holds our own keys, on everything that we make."""
    return f"{_capital(prefix)}_Id__c"


def record_of(thing: ActivityObject, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one record, its name first; links come from elsewhere."""
    filled = {field_name(each.name): _value(each, values) for each in thing.fields}
    return {"Name": title_of(values.get(thing.titled_by) or thing.label, NAME_LENGTH), **filled}


def _value(field: ActivityField, values: Mapping[str, Any]) -> Any:
    value = text_of(values.get(field.value))
    return instant(value) if field.type.value is ValueType.INSTANT and value else value


def instant(text: str) -> str:
    """As Salesforce takes it: UTC, milliseconds."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def links_of(thing: ActivityObject) -> tuple[str, ...]:
    """Fields that hold the id of what a record hangs on."""
    if thing.belongs_to is Belongs.PERSON:
        return (LEAD_LINK, CONTACT_LINK)
    return (VISIT_LINK,) if thing.belongs_to is Belongs.VISIT else ()


def needed_fields(thing: ActivityObject, prefix: str) -> Sequence[str]:
    """Everything that the object has to have."""
    return (key_field(prefix), *(field_name(each.name) for each in thing.fields), *links_of(thing))


def definitions(prefix: str = "mkt") -> dict[str, Any]:
    """What an administrator makes, as JSON values, in the words of the Object Manager. Nothing is required, so that a record is never
    refused for a value that marketing does not know."""
    return {
        "crm": "Salesforce",
        "objects": [_object(each, prefix) for each in ACTIVITY_OBJECTS],
        "fields_of_stock_objects": [
            *({"object": name, "fields": [_key(prefix)]} for name in KEYED_STOCK),
            *(
                {"object": name, "fields": [{"name": field, "type": type_, "holds": holds} for field, type_, holds in _SCORES]}
                for name in KEYED_STOCK[:2]
            ),
        ],
    }


def _object(thing: ActivityObject, prefix: str) -> dict[str, Any]:
    links = {
        LEAD_LINK: ("Lookup(Lead)", "the lead"),
        CONTACT_LINK: ("Lookup(Contact)", "the contact"),
        VISIT_LINK: (f"Lookup({object_name(VISIT, prefix)})", "the visit it was part of"),
    }
    linked = [{"name": name, "type": links[name][0], "holds": links[name][1]} for name in links_of(thing)]
    return {
        "object": object_name(thing, prefix),
        "label": thing.label,
        "record_name": f"Text({NAME_LENGTH})",
        "what_for": thing.purpose,
        "fields": [
            _key(prefix),
            *linked,
            *({"name": field_name(each.name), "type": _type(each.type), "holds": each.holds} for each in thing.fields),
        ],
    }


def _key(prefix: str) -> dict[str, Any]:
    return {
        "name": key_field(prefix),
        "type": "Text(64), External ID, Unique, case-insensitive",
        "holds": "our own key, by which nothing is made twice",
    }


def _type(type_: ColumnType) -> str:
    if type_.value is ValueType.TEXT:
        return f"Text({type_.length})" if type_.length else "Long Text Area(131072)"
    return {ValueType.INTEGER: "Number(18, 0)", ValueType.INSTANT: "DateTime"}[type_.value]
