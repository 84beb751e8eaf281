"""What a literal of a WHERE clause means for a field: the bound value, or the refusal that Salesforce gives."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from adapters.sandbox.salesforce import instants
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.fields import IDS, NUMBERS, FieldSpec
from adapters.sandbox.salesforce.ids import is_id, whole
from adapters.sandbox.salesforce.soql_tree import Value

_SPOKEN = {"datetime": "dateTime", "textarea": "string", "picklist": "string", "email": "string", "phone": "string", "url": "string"}
_SINGLE = {"TODAY": ("DAY", 0), "YESTERDAY": ("DAY", -1), "TOMORROW": ("DAY", 1)}
Bound = str | int | float | None


def bound(spec: FieldSpec, value: Value, strict_ids: bool) -> Bound:
    """The value to compare a column with; raises ApiError when literal and field do not fit."""
    if value.kind == "null":
        return None
    kind = spec.type
    if kind in IDS:
        return _id(spec, value, strict_ids)
    if kind in NUMBERS:
        return value.value if value.kind == "number" else _misfit(spec, "")
    if kind == "boolean":
        return str(value.value) if value.kind == "boolean" else _misfit(spec, "not ")
    if kind == "datetime":
        return _instant(spec, value)
    if kind == "date":
        return str(value.value) if value.kind == "date" and instants.is_date(value.value) else _misfit(spec, "not ")
    return str(value.value) or None if value.kind == "string" else _misfit(spec, "")


def _id(spec: FieldSpec, value: Value, strict: bool) -> Bound:
    if value.kind != "string":
        return _misfit(spec, "")
    if strict and value.value and not is_id(value.value):
        raise ApiError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value.value}")
    return whole(value.value) or None


def _instant(spec: FieldSpec, value: Value) -> Bound:
    if value.kind != "datetime":
        return _misfit(spec, "not ")
    found = instants.normal(value.value)
    if found is None:
        raise ApiError("INVALID_FIELD", f"value of filter criterion for field '{spec.name}' is not a valid dateTime")
    return found


def _misfit(spec: FieldSpec, no: str) -> Bound:
    kind = _SPOKEN.get(spec.type, spec.type)
    quoted = "should be" if not no and spec.type not in NUMBERS else "should not be"
    text = f"value of filter criterion for field '{spec.name}' must be of type {kind} and {quoted} enclosed in quotes"
    raise ApiError("INVALID_FIELD", text)


def period(spec: FieldSpec, word: str, now: datetime, zone: str) -> tuple[str, str]:
    """First and end (the first that is no more part of it) of a date literal, as stored values of this field; raises ApiError."""
    if spec.type not in ("date", "datetime"):
        _misfit(spec, "")
    place = ZoneInfo(zone)
    begin, end = _days(word, now.astimezone(place).date())
    if spec.type == "date":
        return begin.isoformat(), end.isoformat()
    ends = (datetime(day.year, day.month, day.day, tzinfo=place).timestamp() for day in (begin, end))
    return instants.literal(next(ends)), instants.literal(next(ends))


def _days(word: str, today: date) -> tuple[date, date]:
    name, _, number = word.partition(":")
    if name in _SINGLE and not number:
        day = today + timedelta(days=_SINGLE[name][1])
        return day, day + timedelta(days=1)
    parts = name.split("_")
    if len(parts) == 2 and parts[0] in ("THIS", "LAST", "NEXT") and parts[1] in ("WEEK", "MONTH", "QUARTER", "YEAR") and not number:
        begin = instants.moved(parts[1], instants.first_of(parts[1], today), {"THIS": 0, "LAST": -1, "NEXT": 1}[parts[0]])
        return begin, instants.moved(parts[1], begin, 1)
    if name in ("LAST_90_DAYS", "NEXT_90_DAYS"):
        name, number = name.replace("90", "N"), "90"
    unit = name[7:].removesuffix("S")
    if number and name[:7] in ("LAST_N_", "NEXT_N_") and unit in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR"):
        first = instants.first_of(unit, today)
        if name[:4] == "LAST":
            # The last n days hold today; the last n weeks, months and years do not hold the present one.
            return instants.moved(unit, first, -int(number)), first + timedelta(days=1) if unit == "DAY" else first
        begin = instants.moved(unit, first, 1)
        return begin, instants.moved(unit, begin, int(number))
    raise ApiError("MALFORMED_QUERY", f"unexpected token: '{word}'")
