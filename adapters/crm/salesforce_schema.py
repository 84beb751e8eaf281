"""What Salesforce describes → what the sync knows of an object (INIT-2). A field that the user may not see is not described at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from adapters.crm.salesforce_session import SalesforceApi
from adapters.crm.salesforce_wire import Refused
from sync.errors import AccessDenied, ContractBroken, Transient
from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, LIST, TEXT, TIME, ColumnType, FieldSpec, ObjectSchema, ValueType
from sync.records import Kind

OBJECTS: Mapping[Kind, str] = {
    Kind.USER: "User",
    Kind.ACCOUNT: "Account",
    Kind.LEAD: "Lead",
    Kind.CONTACT: "Contact",
    Kind.OPPORTUNITY: "Opportunity",
    Kind.LIST: "Campaign",
}
MOST_DESCRIBED = 25
ID_LENGTH = 18
_MOST_DIGITS = 38
_TYPES = {
    "boolean": BOOLEAN,
    "int": INTEGER,
    "long": INTEGER,
    "date": DATE,
    "datetime": INSTANT,
    "time": TIME,
    "multipicklist": LIST,
}
_NUMBERS = frozenset({"double", "currency", "percent"})
# Compound fields come as parts too, and Bulk refuses them; the content of base64 is a call of its own.
_SKIPPED_TYPES = frozenset({"address", "location", "base64"})
# Always false of records that live; the others are about the user who looks, and move without a stamp.
_SKIPPED_NAMES = frozenset({"IsDeleted", "LastViewedDate", "LastReferencedDate"})


class Value(msgspec.Struct, frozen=True):
    """One value of a drop-down."""

    value: str | None = None
    active: bool = True


class Field(msgspec.Struct, frozen=True, rename="camel"):
    """One field, as far as it concerns us."""

    name: str
    type: str
    label: str | None = None
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    defaulted_on_create: bool = False
    createable: bool = False
    updateable: bool = False
    calculated: bool = False
    custom: bool = False
    filterable: bool = True
    external_id: bool = False
    reference_to: list[str] | None = None
    picklist_values: list[Value] | None = None

    @property
    def writable(self) -> bool:
        return self.createable or self.updateable


class Described(msgspec.Struct, frozen=True, rename="camel"):
    """One object, as this user sees it."""

    name: str
    fields: list[Field]
    queryable: bool = True
    createable: bool = False
    updateable: bool = False

    def get(self, name: str) -> Field | None:
        """Names have no case in Salesforce."""
        wanted = name.lower()
        return next((field for field in self.fields if field.name.lower() == wanted), None)


class _Part(msgspec.Struct, rename="camel"):
    http_status_code: int
    reference_id: str
    body: msgspec.Raw


class _Composite(msgspec.Struct, rename="camel"):
    composite_response: list[_Part]


def describe(api: SalesforceApi, names: Sequence[str]) -> dict[str, Described]:
    """The objects of these names as this user sees them, 25 per call. Those that the user may not see are missing."""
    found: dict[str, Described] = {}
    for first in range(0, len(names), MOST_DESCRIBED):
        some = names[first : first + MOST_DESCRIBED]
        for name, part in zip(some, _parts(api, some), strict=True):
            if part.http_status_code == 200:
                found[name] = _described(api, name, part)
            elif part.http_status_code >= 500:
                raise Transient("the CRM does not describe its objects now", where=f"connector {api.wire.connector}, {name}")
            elif part.http_status_code not in (400, 403, 404):
                where = f"connector {api.wire.connector}, {name}"
                raise Refused(f"the CRM refused to describe {name} with status {part.http_status_code}", where=where)
    return found


def seen(api: SalesforceApi, names: Sequence[str]) -> dict[str, Described]:
    """The same; AccessDenied for an object that the user may not see."""
    found = describe(api, names)
    if hidden := [name for name in names if name not in found]:
        who = api.session.user
        raise AccessDenied(
            f"user {who} does not see {', '.join(hidden)}",
            where=f"connector {api.wire.connector}",
            todo=f"have an administrator of the CRM give {who} read access to {', '.join(hidden)}",
        )
    return found


def fingerprint(found: Mapping[str, Described]) -> str:
    """Changes when a described field comes, goes or changes: not with labels, help texts or layouts."""
    told = {
        name: sorted(
            [
                field.name,
                field.type,
                field.length,
                field.precision,
                field.scale,
                field.writable,
                _required(field),
                [value.value for value in field.picklist_values or [] if value.active],
            ]
            for field in each.fields
        )
        for name, each in found.items()
    }
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()


def schema_of(kind: Kind, found: Described) -> ObjectSchema:
    """The fields that can be copied, by name and type."""
    specs = [_spec(field) for field in found.fields if field.type not in _SKIPPED_TYPES and field.name not in _SKIPPED_NAMES]
    return ObjectSchema(kind, found.name, tuple(sorted(specs, key=lambda spec: (spec.name, spec.crm_type))))


def column_type(field: Field) -> ColumnType:
    """What a value of this field is. Unknown types are text."""
    if field.type in ("id", "reference"):
        return ColumnType(ValueType.TEXT, length=field.length or ID_LENGTH)
    if field.type in _NUMBERS:
        return _decimal(field)
    return _TYPES.get(field.type) or ColumnType(TEXT.value, length=field.length or None)


def _decimal(field: Field) -> ColumnType:
    """A formula is not rounded to the digits that it shows."""
    if field.calculated:
        return ColumnType(ValueType.DECIMAL, precision=_MOST_DIGITS, scale=18)
    if not field.precision or field.scale > field.precision or field.precision > _MOST_DIGITS:
        return DECIMAL
    return ColumnType(ValueType.DECIMAL, precision=field.precision, scale=field.scale)


def _spec(field: Field) -> FieldSpec:
    return FieldSpec(
        name=field.name,
        crm_type=field.type,
        type=column_type(field),
        label=field.label or "",
        custom=field.custom,
        writable=field.writable,
        required=_required(field),
        options=tuple(value.value for value in field.picklist_values or [] if value.active and value.value),
        filterable=field.filterable,
        separator=";" if field.type == "multipicklist" else "",
    )


def _required(field: Field) -> bool:
    return field.createable and not field.nillable and not field.defaulted_on_create and field.type != "boolean"


def _parts(api: SalesforceApi, names: Sequence[str]) -> list[_Part]:
    """A composite call counts as one, where every part of a batch counts for itself."""
    root = f"/services/data/{api.wire.version}/sobjects"
    requests = [{"method": "GET", "url": f"{root}/{name}/describe", "referenceId": name} for name in names]
    answer = api.call("POST", "composite", subject="describe", payload={"allOrNone": False, "compositeRequest": requests})
    try:
        told = {part.reference_id: part for part in msgspec.json.decode(answer.body, type=_Composite).composite_response}
    except msgspec.DecodeError:
        told = {}
    parts = [told[name] for name in names if name in told]
    if len(parts) != len(names):
        raise ContractBroken(
            f"{len(names)} objects were to be described, {len(parts)} answers came",
            where=f"connector {api.wire.connector}",
            todo="report this to the developers",
        )
    return parts


def _described(api: SalesforceApi, name: str, part: _Part) -> Described:
    try:
        return msgspec.json.decode(part.body, type=Described)
    except msgspec.DecodeError as trouble:
        raise ContractBroken(
            f"the description of {name} is none ({trouble})", where=f"connector {api.wire.connector}", todo="report this to the developers"
        ) from None
