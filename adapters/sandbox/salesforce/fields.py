"""What a field is: its type, its size, who may write it, and how describe tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

TEXTS = frozenset({"string", "textarea", "email", "phone", "url", "picklist", "multipicklist", "combobox", "encryptedstring", "anyType"})
IDS = frozenset({"id", "reference"})
WHOLE = frozenset({"int", "long"})
NUMBERS = frozenset({"double", "currency", "percent"}) | WHOLE
COMPOUND = frozenset({"address"})
TYPES = TEXTS | IDS | NUMBERS | COMPOUND | {"boolean", "date", "datetime", "time"}
LONG_TEXT = 255
_SOAP = {"boolean": "xsd:boolean", "int": "xsd:int", "long": "xsd:long", "date": "xsd:date", "datetime": "xsd:dateTime", "time": "xsd:time"}
_DEFAULT_LENGTH = {"email": 80, "phone": 40, "url": 255, "picklist": 255, "multipicklist": 4099, "string": 255, "textarea": 255}


@dataclass(frozen=True)
class FieldSpec:
    """One field. `writable`: c on create, u on update. `refers_to` and `relationship` of a reference; `values` of a picklist,
    `restricted` when it takes no others; `parts` of a compound field by the name of the part."""

    name: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    required: bool = False
    writable: str = "cu"
    refers_to: tuple[str, ...] = ()
    relationship: str = ""
    children: str = ""
    values: tuple[str, ...] = ()
    restricted: bool = False
    external_id: bool = False
    unique: bool = False
    default: Any = None
    label: str = ""
    compound: str = ""
    parts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"unknown field type {self.type!r}: one of {', '.join(sorted(TYPES))}")

    @property
    def custom(self) -> bool:
        """Made by an administrator."""
        return self.name.endswith("__c")

    @property
    def filterable(self) -> bool:
        """May a WHERE name it? Long texts may not be."""
        return self.type not in COMPOUND and not (self.type == "textarea" and self.length > LONG_TEXT)

    @property
    def sortable(self) -> bool:
        """May an ORDER BY name it?"""
        return self.filterable and self.type != "multipicklist"

    @property
    def title(self) -> str:
        """The label that people see, and that messages about a value begin with."""
        if self.label:
            return self.label
        name = re.sub(r"__c$", "", self.name).replace("_", " ")
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", re.sub(r"Id$", " ID", name)).replace("  ", " ").strip()

    def described(self) -> dict[str, Any]:
        """The entry of `fields` in a describe."""
        number = self.type in NUMBERS - WHOLE
        return {
            "name": self.name,
            "label": self.title,
            "type": self.type,
            "soapType": _SOAP.get(self.type, "xsd:double" if number else "tns:ID" if self.type in IDS else "xsd:string"),
            "length": self.length,
            "byteLength": self.length * 3,
            "precision": self.precision,
            "scale": self.scale,
            "digits": 9 if self.type in WHOLE else 0,
            "nillable": not self.required and self.type not in ("id", "boolean"),
            "defaultedOnCreate": self.default is not None or self.type == "boolean" or self.name == "OwnerId" or "c" not in self.writable,
            "defaultValue": self.default if self.type == "boolean" else None,
            "createable": "c" in self.writable,
            "updateable": "u" in self.writable,
            "calculated": False,
            "custom": self.custom,
            "externalId": self.external_id,
            "idLookup": self.external_id or self.type in ("id", "email"),
            "unique": self.unique,
            "caseSensitive": False,
            "referenceTo": list(self.refers_to),
            "relationshipName": self.relationship or None,
            "polymorphicForeignKey": len(self.refers_to) > 1,
            "picklistValues": [
                {"active": True, "defaultValue": one == self.default, "label": one, "validFor": None, "value": one} for one in self.values
            ],
            "restrictedPicklist": self.restricted,
            "compoundFieldName": self.compound or None,
            "filterable": self.filterable,
            "sortable": self.sortable,
            "groupable": self.filterable and not number and self.type != "multipicklist",
            "aggregatable": self.filterable,
            "permissionable": self.custom or (not self.required and self.type not in IDS and "u" in self.writable),
            "encrypted": self.type == "encryptedstring",
            "htmlFormatted": False,
            "nameField": self.name == "Name",
            "autoNumber": False,
            "deprecatedAndHidden": False,
            "inlineHelpText": None,
            "calculatedFormula": None,
        }

    def renamed(self, name: str) -> FieldSpec:
        """The same field under another name."""
        return replace(self, name=name)


_LINE = re.compile(r"(\w+) (\w+)(?:\((\d+)(?:,(\d+))?\))?((?: \S+)*)")


def field_from(line: str) -> FieldSpec:
    """A field from a line such as `LastName string(80) req` or `AccountId reference to=Account rel=Account children=Contacts`.

    Flags: req, ro, createonly, ext, unique, restricted, default=x, to=A,B, rel=R, children=Name, values=a|b (a space is written _),
    in=CompoundField, parts=A,B.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"no field: {line!r}")
    name, kind, size, scale, rest = found.groups()
    flags = {key: value for key, _, value in (one.partition("=") for one in rest.split())}
    number = kind in NUMBERS - WHOLE
    default: Any = flags.get("default", "").replace("_", " ") or None
    if kind == "boolean":
        default = default == "true"
    spec = FieldSpec(
        name,
        kind,
        length=(int(size) if size else _DEFAULT_LENGTH.get(kind, 18 if kind in IDS else 0)) if not number else 0,
        precision=int(size or 18) if number else 0,
        scale=int(scale or 0) if number else 0,
        required="req" in flags,
        writable="" if "ro" in flags else "c" if "createonly" in flags else "cu",
        refers_to=tuple(flags["to"].split(",")) if "to" in flags else (),
        relationship=flags.get("rel", ""),
        children=flags.get("children", ""),
        values=tuple(one.replace("_", " ") for one in flags["values"].split("|")) if "values" in flags else (),
        restricted="restricted" in flags,
        external_id="ext" in flags,
        unique="unique" in flags,
        default=default,
        compound=flags.get("in", ""),
        parts=tuple(flags["parts"].split(",")) if "parts" in flags else (),
    )
    return replace(spec, writable="") if kind in ("id", *COMPOUND) else spec
