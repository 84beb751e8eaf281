"""What a client sends, made into the JSON text that is stored: Sugar coerces a lot and refuses a little."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import DATETIMES, DECIMALS, ENUMS, INTEGERS, FieldSpec
from adapters.sandbox.sugarcrm.zones import parse_instant, utc_literal

_TRUE = (True, "1", "true", "on", "yes")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def encode(
    spec: FieldSpec, value: Any, module: str, zone_name: str, allowed: dict[str, str] | None, refuse_over_long: bool = False
) -> bytes:
    """JSON text of `value` in that field; 422 `invalid_parameter` where Sugar would refuse it.

    A text longer than the field is cut without a word, as a database without strict mode does, or refused. `allowed` is the
    drop-down list to check against, None for no check.
    """
    if value is None:
        return spec.default if spec.type in ("bool", "tag") else b"null"
    kind = spec.type
    if kind == "bool":
        return b"true" if value in _TRUE else b"false"
    if kind in INTEGERS:
        return _integer(spec, value, module)
    if kind in DECIMALS:
        return _decimal(spec, value, module)
    if kind in DATETIMES:
        return _instant(spec, value, module, zone_name)
    if kind == "date":
        return _day(spec, value, module)
    if kind in ENUMS:
        return _choice(spec, value, module, allowed)
    if kind == "multienum":
        return _choices(spec, value, module, allowed)
    if kind == "tag":
        return orjson.dumps([tag if isinstance(tag, dict) else {"id": "", "name": str(tag)} for tag in value])
    if isinstance(value, str):
        if refuse_over_long and spec.length and len(value) > spec.length:
            raise ApiError("invalid_parameter", f"Value of field {spec.name} in module {module} is longer than {spec.length} characters")
        return orjson.dumps(value[: spec.length] if spec.length else value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return orjson.dumps(str(value))
    return orjson.dumps(value)


def valid_address(text: str) -> bool:
    """Sugar's own, generous, idea of an e-mail address."""
    return _EMAIL.fullmatch(text) is not None


def decode(literal: bytes) -> Any:
    """The value behind stored JSON text."""
    return orjson.loads(literal)


def _refusal(spec: FieldSpec, module: str) -> ApiError:
    return ApiError("invalid_parameter", f"Invalid value for field {spec.name} in module {module}")


def _integer(spec: FieldSpec, value: Any, module: str) -> bytes:
    if value == "":
        return b"null"
    try:
        return b"%d" % int(value)
    except (TypeError, ValueError):
        raise _refusal(spec, module) from None


def _decimal(spec: FieldSpec, value: Any, module: str) -> bytes:
    if value == "":
        return b"null"
    try:
        return orjson.dumps(f"{Decimal(str(value)):.6f}")
    except InvalidOperation:
        raise _refusal(spec, module) from None


def _instant(spec: FieldSpec, value: Any, module: str, zone_name: str) -> bytes:
    if value == "":
        return b"null"
    try:
        return utc_literal(parse_instant(value, zone_name))
    except (ValueError, OverflowError):
        raise _refusal(spec, module) from None


def _day(spec: FieldSpec, value: Any, module: str) -> bytes:
    if value == "":
        return b"null"
    if not isinstance(value, str) or not _DAY.match(value):
        raise _refusal(spec, module)
    return orjson.dumps(value[:10])


def _choice(spec: FieldSpec, value: Any, module: str, allowed: dict[str, str] | None) -> bytes:
    if allowed is not None and value != "" and value not in allowed:
        message = f"The value of field {spec.name} is invalid in module {module}: {value}"
        raise ApiError("invalid_parameter", message)
    return orjson.dumps(str(value))


def _choices(spec: FieldSpec, value: Any, module: str, allowed: dict[str, str] | None) -> bytes:
    if isinstance(value, str):
        # The form in which old clients copy the database: ^A^,^B^
        value = [part.strip("^") for part in value.split("^,^")] if value else []
    if not isinstance(value, list):
        raise _refusal(spec, module)
    for one in value:
        _choice(spec, one, module, allowed)
    return orjson.dumps([str(one) for one in value])
