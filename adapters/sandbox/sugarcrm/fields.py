"""What a field is, and the short lines in which modules are written down.

A line is `name type [len or list name] [flag…]`; `relate` takes `id_field module`, `link` takes the relationship.
Flags: `required`, `custom`, `indexed`, `readonly`, `calculated`, `nondb`, `noaudit`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

ENUMS = frozenset({"enum", "radioenum", "dynamicenum"})
DATETIMES = frozenset({"datetime", "datetimecombo", "timestamp"})
INTEGERS = frozenset({"int", "uint", "long", "tinyint", "autoincrement"})
DECIMALS = frozenset({"decimal", "float", "double", "currency"})
TEXTS = frozenset({"varchar", "name", "char", "text", "longtext", "html", "url", "phone", "fullname", "id", "encrypt"})
NO_SLOT = frozenset({"link", "relate", "collection"})
_DB_TYPE = {
    "name": "varchar",
    "fullname": "varchar",
    "phone": "varchar",
    "url": "varchar",
    "relate": "varchar",
    "enum": "varchar",
    "radioenum": "varchar",
    "multienum": "text",
    "datetimecombo": "datetime",
    "currency": "decimal",
    "tag": "",
    "email": "",
    "team_list": "",
    "assigned_user_name": "varchar",
}
_FLAGS = frozenset({"required", "custom", "indexed", "readonly", "calculated", "nondb"})


@dataclass(frozen=True)
class FieldSpec:
    """One described field. `indexed` fields are found by value without a scan; `relates_to` is the module that a
    relate field takes its text from, by the id in `id_name`."""

    name: str
    type: str
    length: int | None = None
    options: str = ""
    required: bool = False
    custom: bool = False
    indexed: bool = False
    readonly: bool = False
    calculated: bool = False
    nondb: bool = False
    id_name: str = ""
    relates_to: str = ""
    relationship: str = ""

    @property
    def has_slot(self) -> bool:
        """Is its value stored in the row?"""
        return self.type not in NO_SLOT

    @property
    def default(self) -> bytes:
        """JSON text of the value of a row that never had one."""
        if self.type == "bool":
            return b"false"
        return b"[]" if self.type in ("multienum", "tag", "email", "team_list") else b"null"

    def describe(self) -> dict[str, Any]:
        """The vardef as the metadata endpoint gives it."""
        out: dict[str, Any] = {"name": self.name, "vname": f"LBL_{self.name.upper()}", "type": self.type}
        db_type = _DB_TYPE.get(self.type, self.type)
        out.update({"dbType": db_type} if db_type else {})
        out.update({"len": self.length} if self.length else {})
        out.update({"options": self.options} if self.options else {})
        out.update({"required": True} if self.required else {})
        out.update({"readonly": True} if self.readonly else {})
        out.update({"calculated": True} if self.calculated else {})
        out.update({"precision": 6} if self.type in DECIMALS else {})
        if self.custom:
            out.update({"source": "custom_fields", "audited": False})
        elif self.nondb or not self.has_slot:
            out["source"] = "non-db"
        if self.relates_to:
            out.update({"module": self.relates_to, "id_name": self.id_name, "rname": "name"})
        out.update({"relationship": self.relationship} if self.relationship else {})
        return out


def parse_field(line: str) -> FieldSpec:
    """A field from its line; raises ValueError on a word it does not know."""
    words = line.split()
    if len(words) < 2:
        raise ValueError(f"a field line needs a name and a type: {line!r}")
    spec = FieldSpec(words[0], words[1], length=36 if words[1] == "id" else None)
    rest = words[2:]
    if spec.type == "relate":
        spec, rest = replace(spec, id_name=rest[0], relates_to=rest[1]), rest[2:]
    elif spec.type == "link":
        spec, rest = replace(spec, relationship=rest[0]), rest[1:]
    for word in rest:
        if word in _FLAGS:
            spec = replace(spec, **{word: True})  # type: ignore[arg-type]
        elif word.isdigit():
            spec = replace(spec, length=int(word))
        elif spec.type in ENUMS or spec.type == "multienum":
            spec = replace(spec, options=word)
        else:
            raise ValueError(f"unknown word {word!r} in field line {line!r}")
    return spec


def parse_fields(text: str) -> tuple[FieldSpec, ...]:
    """All lines of a block; blank lines are skipped."""
    return tuple(parse_field(line) for line in text.splitlines() if line.strip())
