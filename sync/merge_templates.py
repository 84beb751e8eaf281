"""The templates of merge fields: text with columns of a report in braces, read once and filled per row (CUST-3).

`{name}` stands for a column, `{end_date:%d.%m.%Y}` for one written in a form, `{{` and `}}` for braces. Nothing else in a template means
anything: no attribute, index or expression is ever reached. What is filled in is cleaned first, and escaped for where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from html import escape
from typing import Any
from urllib.parse import quote

from sync.fields import ValueType

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_FIELD = re.compile(r"([a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)?)(?::(.+))?", re.DOTALL)
_DIGITS = re.compile(r"\.([0-9])")
_DIRECTIVE = re.compile(r"%.?", re.DOTALL)
_DATED = ("%d", "%m", "%Y", "%y", "%H", "%M", "%%")
_SCHEMES = ("https://", "http://", "mailto:")


class Where(StrEnum):
    """Where in HTML a value stands, which says how it is escaped."""

    TEXT = "text"  # between tags, or in a quoted attribute that is text
    LINK = "link"  # the begin of a quoted href: only addresses that a reader may follow
    IN_LINK = "in link"  # further on in a quoted href


@dataclass(frozen=True, slots=True)
class Slot:
    """One column in a template. `form`: how it is written, empty: plainly."""

    field: str
    form: str = ""
    where: Where = Where.TEXT


Template = tuple[str | Slot, ...]


def parse(text: str) -> Template:
    """The template. ValueError says what is wrong with it."""
    parts: list[str | Slot] = []
    end = 0
    for found in _PART.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        word = found[0]
        if word in ("{{", "}}"):
            parts.append(word[0])
        elif found[1] is None:
            raise ValueError("a brace stands alone; {{ and }} are braces, {name} is a column")
        else:
            parts.append(_slot(found[1]))
    return tuple(part for part in (*parts, text[end:]) if part != "")


def _slot(inside: str) -> Slot:
    found = _FIELD.fullmatch(inside)
    if found is None:
        raise ValueError(f"{{{inside[:40]}}} is no column; write {{name}}, {{account.industry}} or {{end_date:%d.%m.%Y}}")
    form = found[2] or ""
    if form and not _DIGITS.fullmatch(form) and any(each not in _DATED for each in _DIRECTIVE.findall(form) or ["%"]):
        raise ValueError(f"{{{found[1]}}} has a form that is none: {', '.join(_DATED)} for days and instants, .2 for numbers")
    return Slot(found[1], form)


def fields_of(template: Template) -> tuple[str, ...]:
    """The columns that it names, each once."""
    return tuple(dict.fromkeys(part.field for part in template if isinstance(part, Slot)))


def form_mistake(slot: Slot, type_: ValueType) -> str:
    """Why a column of this type can't be written so; empty: it can."""
    if not slot.form:
        return ""
    if _DIGITS.fullmatch(slot.form):
        return "" if type_ in (ValueType.INTEGER, ValueType.DECIMAL) else f"{{{slot.field}}} is {type_} and has no digits after the point"
    return "" if type_ in (ValueType.DATE, ValueType.INSTANT) else f"{{{slot.field}}} is {type_} and no day or point in time"


def fill_text(template: Template, values: dict[str, Any]) -> str:
    """One row as text. A value that is not there is nothing."""
    return "".join(part if isinstance(part, str) else written(values[part.field], part.form) for part in template)


def fill_html(template: Template, values: dict[str, Any]) -> str:
    """One row as HTML: the template's own text is markup, what is filled in never is."""
    return "".join(part if isinstance(part, str) else _escaped(part, written(values[part.field], part.form)) for part in template)


def as_html(template: Template) -> Template:
    """A template of text as one of HTML: its own words are escaped as well."""
    return tuple(escape(part) if isinstance(part, str) else part for part in template)


def _escaped(slot: Slot, text: str) -> str:
    if slot.where is Where.IN_LINK:
        return quote(text, safe="")
    if slot.where is Where.LINK and not text.lower().startswith(_SCHEMES):
        return ""  # javascript:, data: and whatever else a browser would carry out
    return escape(text, quote=True)


def written(value: Any, form: str = "") -> str:
    """A value as a reader expects it, on one line; instants in UTC."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return _dated(value.astimezone(UTC), form or "%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return _dated(datetime(value.year, value.month, value.day), form or "%Y-%m-%d")
    if isinstance(value, int | float | Decimal):
        return _number(Decimal(str(value)), form)
    return clean(str(value))


def _dated(at: datetime, form: str) -> str:
    """Not by strftime, whose words depend on the machine."""
    words = {
        "%d": f"{at.day:02}",
        "%m": f"{at.month:02}",
        "%Y": f"{at.year:04}",
        "%y": f"{at.year % 100:02}",
        "%H": f"{at.hour:02}",
        "%M": f"{at.minute:02}",
        "%%": "%",
    }
    return _DIRECTIVE.sub(lambda found: words[found[0]], form)


def _number(value: Decimal, form: str) -> str:
    if not form:
        plain = format(value, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    # Scaled by hand: quantize() refuses numbers of more digits than the context has.
    return format(value, "f") if not value.is_finite() else _rounded(value, int(form[1:]))


def _rounded(value: Decimal, digits: int) -> str:
    from decimal import localcontext

    with localcontext() as context:
        context.prec = 200
        return format(value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP), "f")


# Characters that would forge a line, hide text, or turn the direction of what follows.
_BREAKS = dict.fromkeys([*range(9, 14), 0x85, 0x2028, 0x2029], " ")
_GONE = dict.fromkeys(
    [*range(9), *range(14, 32), *range(127, 0x85), *range(0x86, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF], ""
)
_LONE = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
_CLEAN = {**_GONE, **_BREAKS, **_LONE}


def clean(text: str) -> str:
    """On one line, without control characters, and without those that turn the direction of writing."""
    return text.translate(_CLEAN).strip()


def joined(parts: Sequence[str], between: str) -> str:
    """Those that are not empty."""
    return between.join(part for part in parts if part)
