"""Values arrive as they were, or they are set aside: never rounded, shifted or lost without a word (GATE-2)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, JSON, LIST, TEXT, TIME, ColumnType, Pick, Reading, ValueType
from tests.adapters.staging.conftest import Read

PICK = Pick("primary_address", "email_address")
SLOW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_(type_: ColumnType, pick: Pick | None = None, **more: Any) -> Reading:
    return Reading("column", "f", type_, pick, **more)


READABLE: list[tuple[ColumnType, bytes, Any]] = [
    (INTEGER, b"12", 12),
    (INTEGER, b'"12"', 12),
    (INTEGER, b"12.0", 12),
    (INTEGER, b'"007"', 7),
    (INTEGER, b'"-5"', -5),
    (INTEGER, b"9223372036854775807", 2**63 - 1),
    (INTEGER, b'"-9223372036854775808"', -(2**63)),
    (INTEGER, b"null", None),
    (INTEGER, b'""', None),
    (DECIMAL, b'"1.500000"', Decimal("1.5")),
    (DECIMAL, b"0.1", Decimal("0.1")),
    (DECIMAL, b'".5"', Decimal("0.5")),
    (DECIMAL, b'"-0.000001"', Decimal("-0.000001")),
    (DECIMAL, b'"1.50000000000"', Decimal("1.5")),
    (DECIMAL, b'"1e3"', Decimal(1000)),
    (DECIMAL, b'"99999999999999999999.999999"', Decimal("99999999999999999999.999999")),
    (DECIMAL, b"12345678901234567890.123456", Decimal("12345678901234567890.123456")),
    (DECIMAL, b"-1234567890123.123456", Decimal("-1234567890123.123456")),
    (DECIMAL, b'""', None),
    (DATE, b'"2024-02-29"', date(2024, 2, 29)),
    (DATE, b'"0001-01-01"', date(1, 1, 1)),
    (DATE, b'"9999-12-31"', date(9999, 12, 31)),
    (DATE, b'""', None),
    (INSTANT, b'"2024-03-10T02:30:00Z"', datetime(2024, 3, 10, 2, 30)),
    (INSTANT, b'"2024-03-10T02:30:00-05:00"', datetime(2024, 3, 10, 7, 30)),
    (INSTANT, b'"2024-03-10T02:30:00+0530"', datetime(2024, 3, 9, 21, 0)),
    (INSTANT, b'"2024-03-10T02:30:00+05"', datetime(2024, 3, 9, 21, 30)),
    (INSTANT, b'"2024-03-10 02:30:00.123456+00:00"', datetime(2024, 3, 10, 2, 30, 0, 123456)),
    (INSTANT, b'"0001-01-01T00:00:00Z"', datetime(1, 1, 1)),
    (INSTANT, b'"9999-12-31T23:59:59.999999Z"', datetime(9999, 12, 31, 23, 59, 59, 999999)),
    (INSTANT, b'""', None),
    (BOOLEAN, b"true", True),
    (BOOLEAN, b"0", False),
    (BOOLEAN, b'"on"', True),
    (BOOLEAN, b'"No"', False),
    (BOOLEAN, b'""', None),
    (TIME, b'"12:30"', "12:30"),
    (TIME, b'"23:59:59.123456+02:00"', "23:59:59.123456+02:00"),
    (LIST, b'["a","b"]', '["a","b"]'),
    (LIST, b'"^a^,^b^"', '["a","b"]'),
    (LIST, b'"plain"', '["plain"]'),
    (LIST, b'"[no array"', '["[no array"]'),
    (LIST, b"[]", "[]"),
    (LIST, b'""', None),
    (JSON, b'{"a":[1,"b"]}', '{"a":[1,"b"]}'),
    (JSON, b"null", None),
    (TEXT, b'"01920"', "01920"),
    (TEXT, b'""', ""),
    (TEXT, b'" a "', " a "),
    (TEXT, b"null", None),
    (TEXT, rb'"a\r\nb\"c\tde, f"', 'a\r\nb"c\tde, f'),
    (TEXT, rb'"\ud83d\ude00"', "\U0001f600"),
    (TEXT, rb'"\\u0000"', "\\u0000"),
    (TEXT, b'["a"]', '["a"]'),
    (TEXT, b"12345678901234567890123", "12345678901234567890123"),
    (TEXT, b'": 12345678901234567, x"', ": 12345678901234567, x"),
    (TEXT, rb'"a\": 12345678901234567, x"', 'a": 12345678901234567, x'),
]
UNREADABLE: list[tuple[ColumnType, bytes]] = [
    (INTEGER, b"12.7"),
    (INTEGER, b'"12.7"'),
    (INTEGER, b"9223372036854775808"),
    (INTEGER, b'"twelve"'),
    (INTEGER, b"true"),
    (INTEGER, b"[12]"),
    (DECIMAL, b'"100000000000000000000"'),
    (DECIMAL, b'"12345678901234567890.1234567"'),
    (DECIMAL, b"123456789012345678901.123456"),
    (DECIMAL, b'"1e-7"'),
    (DECIMAL, b'"1e20"'),
    (DECIMAL, b'"1,5"'),
    (DECIMAL, b'"NaN"'),
    (ColumnType(ValueType.DECIMAL, precision=10, scale=2), b'"1.005"'),
    (DATE, b'"0000-00-00"'),
    (DATE, b'"2023-02-29"'),
    (DATE, b'"29.02.2024"'),
    (DATE, b'"2024-02-29T00:00:00Z"'),
    (INSTANT, b'"2024-03-10T02:30:00"'),
    (INSTANT, b'"2024-03-10"'),
    (INSTANT, b'"0000-00-00T00:00:00Z"'),
    (INSTANT, b'"2024-03-10T02:30:00.1234567Z"'),
    (INSTANT, b'"2024-02-30T00:00:00Z"'),
    (INSTANT, b'"9999-12-31T23:59:59-05:00"'),
    (INSTANT, b'"0001-01-01T00:00:00+05:00"'),
    (INSTANT, b"1710000000"),
    (BOOLEAN, b'"maybe"'),
    (BOOLEAN, b"2"),
    (TIME, b'"half past two"'),
    (TIME, b'"12:30:00.1234567"'),
    (JSON, b'"no JSON"'),
]


@pytest.mark.parametrize(("type_", "sent", "expected"), READABLE, ids=lambda each: str(each)[:40])
def test_a_value_arrives_as_it_was(read: Read, type_: ColumnType, sent: bytes, expected: Any) -> None:
    found = read(as_(type_), sent).value
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("type_", "sent"), UNREADABLE, ids=lambda each: str(each)[:40])
def test_what_a_type_can_not_hold_as_it_is_is_set_aside_with_its_text(read: Read, type_: ColumnType, sent: bytes) -> None:
    """GATE-2: the value stands in `unreadable`, the whole record still in `raw`."""
    outcome = read(as_(type_), sent, b"null")
    assert list(outcome.unreadable) == ["0"]
    assert outcome.raw["0"] == outcome.unreadable["0"]
    as_text = json.loads(sent) if sent.startswith(b'"') else sent.decode()
    assert outcome.unreadable["0"] == as_text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (rb'{"id": "1", "f": "\ud800"}', "surrogate"),
        (b'{"id": "1", "f": "\xff\xfe"}', "UTF-8"),
        (b'{"id": "1", "f": "a", "f": "b"}', "same key twice"),
        (b'{"id": "1", "f": "a\x00b"}', "control character"),
        (b'["1", "a"]', "must be a JSON object, this is list"),
        (b'"a"', "must be a JSON object, this is str"),
        (b'{"id": "1", "f": "a"', "unexpected end"),
        (b'{"id": "1"} {"id": "2"}', "unexpected content"),
    ],
)
def test_a_record_that_no_reader_takes_is_kept_whole_with_the_reason(read: Read, line: bytes, reason: str) -> None:
    """GATE-2; the records beside it go on. NUL and bytes that are no text are written as escapes, because databases refuse them."""
    outcome = read(as_(TEXT), b'"before"', records=[line, b'{"id": "9", "f": "after"}'])
    assert outcome.values == {"0": "before", "9": "after"}
    [(ordinal, content, why)] = outcome.broken
    assert ordinal == 1
    assert reason in why
    assert content == line.decode("utf-8", "backslashreplace").replace("\x00", "\\x00")


def test_nul_characters_are_taken_out_of_texts(read: Read) -> None:
    """No database holds them; `noticing` tells how many there were."""
    assert read(as_(TEXT), rb'"a\u0000b\\\u0000c"').value == "ab\\c"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b'[{"email_address": "a@x.test", "primary_address": true}]', "a@x.test"),
        (b'[{"email_address": "b@x.test", "primary_address": false}, {"email_address": "a@x.test", "primary_address": true}]', "a@x.test"),
        (b'[{"email_address": "b@x.test", "primary_address": "0"}, {"email_address": "a@x.test", "primary_address": "1"}]', "a@x.test"),
        (b'[{"email_address": "a@x.test"}, {"email_address": "b@x.test"}]', "a@x.test"),
        (b'[{"email_address": null, "primary_address": true}, {"email_address": "b@x.test"}]', None),
        (b"[]", None),
        (b"null", None),
        (b'""', None),
    ],
)
def test_the_flagged_entry_is_picked_else_the_first(read: Read, sent: bytes, expected: str | None) -> None:
    assert read(as_(TEXT, PICK), sent).value == expected


@pytest.mark.parametrize("type_", [TEXT, BOOLEAN])
@pytest.mark.parametrize("sent", [b'"a@x.test"', b'{"email_address": "a@x.test"}', b'["a@x.test"]', b"[null]", b"12", b"[[1]]"])
def test_what_is_no_array_of_entries_is_set_aside_where_one_is_picked(read: Read, type_: ColumnType, sent: bytes) -> None:
    """An address, or an opt-out, that stands in another shape than was agreed must not look like none."""
    assert list(read(as_(type_, PICK), sent).unreadable) == ["0"]


def test_an_opt_out_that_is_neither_yes_nor_no_is_set_aside(read: Read) -> None:
    pick = Pick("primary_address", "opt_out")
    assert read(as_(BOOLEAN, pick), b'[{"opt_out": true, "primary_address": true}]').value is True
    assert read(as_(BOOLEAN, pick), b'[{"opt_out": "maybe", "primary_address": true}]').unreadable == {"0": "maybe"}


@pytest.mark.parametrize(("sent", "expected"), [(b'"Active"', True), (b'"active"', False), (b'""', False), (b"null", None)])
def test_a_column_that_is_true_for_some_words(read: Read, sent: bytes, expected: bool | None) -> None:
    assert read(as_(BOOLEAN, true_when=("Active", "Busy")), sent).value is expected


# -- any value ------------------------------------------------------------------------------------------------------

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=1 - 10**20, max_value=10**20 - 1)
TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=60)


@SLOW
@given(st.lists(TEXTS, min_size=1, max_size=20))
def test_any_text_arrives_as_it_was(read: Read, texts: list[str]) -> None:
    outcome = read(as_(TEXT), *(json.dumps(text, ensure_ascii=len(text) % 2 == 0).encode() for text in texts))
    assert outcome.values == {str(at): text for at, text in enumerate(texts)}


@SLOW
@given(st.lists(DECIMALS, min_size=1, max_size=20), st.booleans())
def test_any_decimal_arrives_digit_for_digit(read: Read, numbers: list[Decimal], quoted: bool) -> None:
    outcome = read(as_(DECIMAL), *((b'"%s"' if quoted else b"%s") % format(number, "f").encode() for number in numbers))
    assert outcome.unreadable == {}
    assert outcome.values == {str(at): number for at, number in enumerate(numbers)}


ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)


@SLOW
@given(st.lists(INSTANTS, min_size=1, max_size=20))
def test_any_instant_arrives_at_the_same_point_in_time(read: Read, instants: list[datetime]) -> None:
    outcome = read(as_(INSTANT), *(f'"{instant.isoformat()}"'.encode() for instant in instants))
    assert outcome.unreadable == {}
    assert outcome.values == {str(at): instant.astimezone(UTC).replace(tzinfo=None) for at, instant in enumerate(instants)}
