"""Values that clients send → stored values, with the refusals that Salesforce gives."""

from __future__ import annotations

import math
import re
from typing import Any

from adapters.sandbox.salesforce import instants
from adapters.sandbox.salesforce.derived import flag
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.fields import IDS, NUMBERS, WHOLE, FieldSpec
from adapters.sandbox.salesforce.ids import is_id, whole

_EMAIL = re.compile(r"[^@\s,;:<>()\"\\]+@[^@\s,;:<>()\"\\.]+(?:\.[^@\s,;:<>()\"\\.]+)+")
Stored = str | int | float | None


def stored(spec: FieldSpec, value: Any, strict_ids: bool = True) -> Stored:
    """What the column of a field holds for a JSON value; texts are trimmed and empty ones are null. Raises ApiError."""
    if value is None or value == "":
        return "false" if spec.type == "boolean" else None
    kind = spec.type
    if kind == "boolean":
        return flag(value) if isinstance(value, bool) else _wrong(spec, value)
    if kind in NUMBERS:
        return _number(spec, value)
    if not isinstance(value, str):
        return _wrong(spec, value)
    if kind in IDS:
        return _id(spec, value, strict_ids)
    if kind == "date":
        return _date(spec, value)
    if kind == "datetime":
        return instants.normal(value) or _wrong(spec, value)
    return _text(spec, value)


def from_csv(spec: FieldSpec, cell: str, strict_ids: bool = True) -> Stored:
    """The same for a cell of a CSV file, where everything is text. `#N/A` is null. Raises ApiError."""
    if cell == "#N/A":
        return stored(spec, None)
    if spec.type == "boolean":
        if cell.lower() not in ("true", "false", "1", "0"):
            raise ApiError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{spec.title}: value not of required type: {cell}", [spec.name])
        return flag(cell.lower() in ("true", "1"))
    if spec.type in NUMBERS:
        try:
            return _number(spec, float(cell))
        except ValueError:
            raise ApiError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{spec.title}: value not of required type: {cell}", [spec.name]) from None
    return stored(spec, cell, strict_ids)


def _wrong(spec: FieldSpec, value: Any) -> Stored:
    kinds = {bool: "BOOLEAN", int: "NUMBER", float: "NUMBER", str: "STRING", list: "ARRAY", dict: "OBJECT"}
    name = "dateTime" if spec.type == "datetime" else spec.type if spec.type in ("date", "boolean", "double", "int") else "string"
    text = f"Cannot deserialize instance of {name} from VALUE_{kinds.get(type(value), 'NULL')} value {value} or request may be missing a "
    raise ApiError("JSON_PARSER_ERROR", f"{text}required field at [line:1, column:1]", [spec.name])


def _number(spec: FieldSpec, value: Any) -> Stored:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return _wrong(spec, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return _wrong(spec, value)
    if spec.type in WHOLE:
        return int(value)
    if spec.precision and abs(value) >= 10 ** (spec.precision - spec.scale):
        most = spec.precision - spec.scale
        raise ApiError(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{spec.title}: value outside of valid range on numeric field: {value} (max {most} digits)",
            [spec.name],
        )
    return round(float(value), spec.scale)


def _id(spec: FieldSpec, value: str, strict: bool) -> Stored:
    if strict and not is_id(value.strip()):
        raise ApiError("MALFORMED_ID", f"{spec.title}: id value of incorrect type: {value}", [spec.name])
    return whole(value.strip())


def _date(spec: FieldSpec, value: str) -> Stored:
    if instants.is_date(value):
        return value
    found = instants.normal(value)  # an instant is cut to its day
    return found[:10] if found else _wrong(spec, value)


def _text(spec: FieldSpec, value: str) -> Stored:
    text = value.strip()
    if not text:
        return None
    if spec.length and len(text) > spec.length:
        raise ApiError("STRING_TOO_LONG", f"{spec.title}: data value too large: {text[:255]} (max length={spec.length})", [spec.name])
    if spec.type == "email" and _EMAIL.fullmatch(text) is None:
        raise ApiError("INVALID_EMAIL_ADDRESS", f"{spec.title}: invalid email address: {text}", [spec.name])
    if spec.restricted or spec.type == "multipicklist":
        chosen = text.split(";") if spec.type == "multipicklist" else [text]
        known = {one.lower(): one for one in spec.values}
        wrong = next((one for one in chosen if one.lower() not in known), None)
        if wrong is not None and spec.restricted:
            text = f"{spec.title}: bad value for restricted picklist field: {wrong}"
            raise ApiError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, [spec.name])
        return ";".join(known.get(one.lower(), one) for one in chosen)
    return text
