"""Sugar's metadata → what our tables need to know (INIT-2, PULL-4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.crm.sugarcrm_opportunities import CONTACT, LINK
from adapters.crm.sugarcrm_session import SugarApi
from sync.errors import AccessDenied, ContractBroken
from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, JSON, LIST, TEXT, TIME, ColumnType, FieldSpec, ObjectSchema, ValueType
from sync.records import Kind

MODULES: dict[Kind, str] = {
    Kind.USER: "Users",
    Kind.ACCOUNT: "Accounts",
    Kind.LEAD: "Leads",
    Kind.CONTACT: "Contacts",
    Kind.OPPORTUNITY: "Opportunities",
    Kind.LIST: "ProspectLists",
    Kind.ADDRESS: "EmailAddresses",
}
_TYPES: dict[str, ColumnType] = {
    **dict.fromkeys(("bool",), BOOLEAN),
    **dict.fromkeys(("int", "uint", "long", "tinyint", "smallint", "bigint", "autoincrement", "integer"), INTEGER),
    **dict.fromkeys(("decimal", "float", "double", "currency", "numeric"), DECIMAL),
    **dict.fromkeys(("datetime", "datetimecombo", "timestamp"), INSTANT),
    **dict.fromkeys(("text", "longtext", "mediumtext", "html", "longhtml"), TEXT),
    # A tag is an object {id, name} and an address is one with flags: only the drop-down is a list of strings.
    **dict.fromkeys(("email", "tag", "json", "team_list", "team_set"), JSON),
    "date": DATE,
    "time": TIME,
    "multienum": LIST,
}
_ID_TYPES = frozenset({"id", "assigned_user_id"})
# Not data (link, collection), not ours to copy (password, encrypt), or not text (image, file).
_SKIPPED_TYPES = frozenset({"link", "collection", "image", "file", "encrypt", "password", "widget", "iframe", "cookie_consent"})
_SKIPPED_NAMES = frozenset({"user_hash", "system_generated_password", "authenticate_id"})
# Fields outside of the module's own table cost a join each and most repeat what an id says; these are worth it.
_USEFUL_NON_DB = frozenset(
    {
        "account_id",
        "account_name",
        "assigned_user_name",
        "contact_id",
        "email",
        "email1",
        "email_opt_out",
        "full_name",
        "invalid_email",
        "name",
    }
)
_DEFAULT_ID_LENGTH = 36


def metadata(api: SugarApi, modules: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The metadata of these modules. Those that the user may not see are missing in it."""
    params = {"type_filter": "modules", "module_filter": ",".join(modules)}
    answer = api.call("GET", "metadata", subject="metadata", params=params)
    document = msgspec.json.decode(answer.body)
    found = document.get("modules") if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise ContractBroken("the metadata hold no modules", where=f"connector {api.wire.connector}", todo="report this to the developers")
    return found


def fingerprint(api: SugarApi, modules: Sequence[str]) -> str:
    """The hash of all metadata."""
    try:
        answer = api.call("GET", "metadata/_hash", subject="metadata")
    except AccessDenied:
        # Older releases have no such route; then the description itself is compared.
        return hashlib.sha256(msgspec.json.encode(metadata(api, modules), order="sorted")).hexdigest()
    document = msgspec.json.decode(answer.body)
    found = document.get("_hash") if isinstance(document, dict) else document
    if not isinstance(found, str) or not found:
        raise ContractBroken("the CRM does not give the hash of its metadata", where=f"connector {api.wire.connector}")
    return found


def schema_of(kind: Kind, name: str, module: dict[str, Any]) -> ObjectSchema:
    """The readable fields of one module of the metadata answer, by name and type. Opportunities also have a contact, by its link."""
    rights = _mapping(_mapping(module.get("acl")).get("fields"))
    fields = _mapping(module.get("fields"))
    linked = kind is Kind.OPPORTUNITY and LINK in fields and _mapping(rights.get(LINK)).get("read") != "no"
    specs = [
        _field(name, definition, _mapping(rights.get(name)))
        for name, definition in fields.items()
        if isinstance(definition, dict) and _wanted(name, definition, _mapping(rights.get(name))) and not (linked and name == CONTACT.name)
    ]
    specs += [CONTACT] if linked else []
    return ObjectSchema(kind, name, tuple(sorted(specs, key=lambda spec: (spec.name, spec.crm_type))))


def denied(module: dict[str, Any], action: str) -> bool:
    """Whether the metadata say that the user may not do this; what they do not mention is allowed."""
    acl = _mapping(module.get("acl"))
    return "no" in (acl.get("access"), acl.get(action))


def column_type(definition: dict[str, Any]) -> ColumnType:
    """What a value of this field is. Unknown types go by their database type, else they are text."""
    crm_type, stored = str(definition.get("type", "")), str(definition.get("dbType", ""))
    if crm_type in _ID_TYPES or (stored == "id" and crm_type not in _TYPES):
        return ColumnType(ValueType.TEXT, length=_number(definition.get("len")) or _DEFAULT_ID_LENGTH)
    if crm_type == "email" and stored == "varchar":
        crm_type = "varchar"
    known = _TYPES.get(crm_type) or _TYPES.get(stored)
    if known is None:
        return ColumnType(ValueType.TEXT, length=_number(definition.get("len")))
    return _decimal(definition) if known is DECIMAL else known


def _decimal(definition: dict[str, Any]) -> ColumnType:
    """`len` holds "26,6", or 26 with `precision` 6 as the scale; anything less clear is the common currency type."""
    digits, _, after = str(definition.get("len", "")).partition(",")
    precision, scale = _number(digits), _number(after or definition.get("precision"))
    if definition.get("type") in ("float", "double") or not precision or scale is None or scale > precision or precision > 38:
        return DECIMAL
    return ColumnType(ValueType.DECIMAL, precision=precision, scale=scale)


def _wanted(name: str, definition: dict[str, Any], rights: dict[str, Any]) -> bool:
    if definition.get("type") in _SKIPPED_TYPES or name in _SKIPPED_NAMES or name.startswith("_") or rights.get("read") == "no":
        return False
    return definition.get("source") != "non-db" or name in _USEFUL_NON_DB


def _field(name: str, definition: dict[str, Any], rights: dict[str, Any]) -> FieldSpec:
    named_by_id = definition.get("type") == "relate" and definition.get("id_name") not in (None, "", name)
    fixed = any(definition.get(word) in (True, 1, "1", "true") for word in ("readonly", "calculated")) or rights.get("write") == "no"
    return FieldSpec(
        name=name,
        crm_type=str(definition.get("type", "")),
        type=column_type(definition),
        label=str(definition.get("vname", "")),
        custom=definition.get("source") == "custom_fields" or name.endswith("_c"),
        writable=not (fixed or named_by_id),
        required=definition.get("required") in (True, 1, "1", "true"),
    )


def _number(value: object) -> int | None:
    """PHP writes lengths as numbers or as text; zero and anything else say nothing."""
    text = str(value if value is not None else "").strip()
    return int(text) or None if text.isdigit() else None


def _mapping(value: object) -> dict[str, Any]:
    """PHP writes an empty map as an empty list."""
    return value if isinstance(value, dict) else {}
