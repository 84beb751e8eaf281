"""The values of an outgoing row as JSON and back, exactly: a decimal comes back as that decimal, not as a float."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_DECIMAL = "$decimal"
_OBJECT = "$object"  # an object that has a name of ours among its own
_NO_TEXT = re.compile("[\ud800-\udfff]")


def clean(value: Any) -> Any:
    """Without what no database and no CRM takes: NUL characters are removed, halves of characters become U+FFFD. Tuples become lists."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(name)): clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    return value


def clean_text(text: str) -> str:
    return text if text.isascii() and "\x00" not in text else _NO_TEXT.sub("\ufffd", text.replace("\x00", ""))


def to_json(values: Mapping[str, Any]) -> str:
    """TypeError: a value is none that JSON or a decimal can hold, such as a datetime; instants are ISO text by then."""
    return json.dumps(_marked(values))


def from_json(text: str) -> dict[str, Any]:
    """The values that `to_json` wrote."""
    found: dict[str, Any] = json.loads(text, object_hook=_unmarked)
    return found


def _marked(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    if isinstance(value, Mapping):
        inner = {name: _marked(each) for name, each in value.items()}
        return {_OBJECT: list(inner.items())} if inner.keys() & {_DECIMAL, _OBJECT} else inner
    return [_marked(each) for each in value] if isinstance(value, list) else value


def _unmarked(found: dict[str, Any]) -> Any:
    if _DECIMAL in found:
        return Decimal(found[_DECIMAL])
    return dict(found[_OBJECT]) if _OBJECT in found else found
