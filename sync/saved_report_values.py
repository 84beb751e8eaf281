"""Values of a saved report's conditions: written in the configuration, compared with columns of a type."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from sync.fields import ValueType
from sync.saved_reports import Value

_MOST_DAYS = 36_500
_MOST_DIGITS = 15  # what a float, and so a number in the configuration, gives back unchanged
_INT64 = 2**63

Typed = str | bool | int | Decimal | date | datetime


def days(value: Value) -> int:
    """The number of days; ValueError that says what is wanted."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_DAYS:
        raise ValueError(f"a whole number of days, 0 to {_MOST_DAYS}")
    return value


def typed(type_: ValueType, value: Value) -> Typed:
    """The value as the field's own type; instants are UTC. ValueError that says what is wanted, without the value."""
    if type_ is ValueType.BOOLEAN:
        return _boolean(value)
    if type_ is ValueType.INTEGER:
        return _integer(value)
    if type_ is ValueType.DECIMAL:
        return _decimal(value)
    if type_ is ValueType.DATE:
        return _day(value)
    return _instant(value) if type_ is ValueType.INSTANT else _text(value)


def _text(value: Value) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError("a text in quotes")
    return value


def _boolean(value: Value) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false, without quotes")
    return value


def _integer(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise ValueError("a whole number, without quotes")
    return value


def _decimal(value: Value) -> Decimal:
    wanted = f"a number of at most {_MOST_DIGITS} digits, without quotes"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(wanted)
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= 10**_MOST_DIGITS or len(number.normalize().as_tuple().digits) > _MOST_DIGITS:
        raise ValueError(wanted)
    return number


def _day(value: Value) -> date:
    wanted = "a day, such as 2026-01-31"
    if isinstance(value, datetime) or not isinstance(value, date | str):
        raise ValueError(wanted)
    try:
        return value if isinstance(value, date) else date.fromisoformat(value)
    except ValueError:
        raise ValueError(wanted) from None


def _instant(value: Value) -> datetime:
    wanted = "a point in time with its offset, such as 2026-01-31T08:00:00Z"
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise ValueError(wanted)
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(wanted) from None
