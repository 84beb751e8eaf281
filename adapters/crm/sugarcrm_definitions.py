"""What an administrator makes in SugarCRM for the pushes, in the words of its Module Builder and Studio (SINK-1, SINK-2, PUSH-S)."""

from __future__ import annotations

import re
from typing import Any

from sync.activity_objects import ACTIVITY_OBJECTS, SCORE_FIELDS, VISIT, VISIT_LINK, ActivityField, ActivityObject, Belongs
from sync.fields import ColumnType, ValueType

PERSON_MODULES = ("Leads", "Contacts")
_BUILDER_TYPES = {ValueType.INTEGER: "Integer", ValueType.DECIMAL: "Decimal", ValueType.INSTANT: "Datetime"}
_VARDEF_TYPES = {"TextField": "varchar", "TextArea": "text", "Integer": "int", "Decimal": "decimal", "Datetime": "datetimecombo"}


def definitions(prefix: str = "mkt") -> dict[str, Any]:
    """The whole definition as JSON values: the package with its modules, and the fields of the stock modules.

    `type` is Module Builder's data type, `vardef` what `metadata` calls it afterwards. Nothing is required but a record's name, so that a
    record is never refused for a value that marketing does not know.
    """
    return {
        "crm": "SugarCRM",
        "package": {"name": "Marketing", "key": prefix},
        "modules": [_module(each, prefix) for each in ACTIVITY_OBJECTS],
        "studio": [{"module": module, "fields": [_studio_field(field) for field in SCORE_FIELDS]} for module in PERSON_MODULES],
    }


def _module(each: ActivityObject, prefix: str) -> dict[str, Any]:
    return {
        "module": each.named(prefix),
        "name_in_builder": each.base,
        "label": each.label,
        "template": "basic",
        "what_for": each.purpose,
        "fields": [*_link_fields(each, prefix), *(_field(field) for field in each.fields)],
    }


def _link_fields(each: ActivityObject, prefix: str) -> list[dict[str, Any]]:
    """A flex relate brings its own `parent_type` and `parent_id`, a relate its own id field."""
    if each.belongs_to is Belongs.PERSON:
        return [{"name": "parent_name", "label": "Person", "type": "Flex Relate", "vardef": "parent", "holds": "the lead or contact"}]
    if each.belongs_to is Belongs.VISIT:
        target = VISIT.named(prefix)
        return [
            {
                "name": VISIT_LINK,
                "label": "Visit",
                "type": "Relate",
                "vardef": "relate",
                "module": target,
                "holds": "the visit it was part of",
            }
        ]
    return []


def _field(field: ActivityField) -> dict[str, Any]:
    words = re.sub("_s$", "_in_seconds", field.name.removesuffix("_c").removeprefix("mkt_")).replace("_", " ")
    label = words.upper() if words == "url" else words.capitalize()
    kind = _builder_type(field.type)
    sizes: dict[str, Any] = {"max_size": field.type.length or field.type.precision, "precision": field.type.scale}
    known = {name: value for name, value in sizes.items() if value is not None}
    return {"name": field.name, "label": label, "type": kind, "vardef": _VARDEF_TYPES[kind], **known, "holds": field.holds}


def _studio_field(field: ActivityField) -> dict[str, Any]:
    """Studio puts `_c` behind the name that is typed."""
    return {**_field(field), "typed": field.name.removesuffix("_c")}


def _builder_type(type_: ColumnType) -> str:
    if type_.value is ValueType.TEXT:
        return "TextArea" if type_.length is None else "TextField"
    return _BUILDER_TYPES[type_.value]
