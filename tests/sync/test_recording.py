"""Lines of a marketing application: which can be used, and what is said about the others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, LIST, ColumnType, ValueType
from sync.push import Sink
from sync.recording import read_entries
from sync.recording_columns import as_json, column_values
from sync.recording_fields import SHAPES, Recordable
from sync.recording_files import file_records
from sync.recording_pushes import Action, Destination, ToPush, destination, pushes_of
from sync.records import Kind
from sync.settings_parser import parse_settings

SEND = {"event_id": "s1", "campaign": "spring", "address": "ann@x.test", "sent_at": "2026-03-01T12:00:00+01:00"}


@pytest.mark.parametrize(
    ("kind", "line", "said"),
    [
        ("sends", {"campain": "spring"}, 'there is no field "campain"; did you mean "campaign"?'),
        ("sends", {"event_id": " "}, "event_id is missing"),
        ("sends", {"sent_at": "2026-03-01T12:00:00"}, "sent_at: an instant with an offset is expected, such as 2026-03-01T12:00:00+01:00"),
        ("sends", {"sent_at": datetime(2026, 3, 1, 12)}, "sent_at: an instant with an offset is expected"),
        ("sends", {"sent_at": "0001-01-01T00:00:00+14:00"}, "sent_at: an instant with an offset is expected"),
        ("sends", {"sent_at": 7}, "sent_at: an instant with an offset is expected"),
        ("sends", {"delivery_status": "lost"}, 'delivery_status: "lost" is none of unknown, delivered, bounced'),
        ("sends", {"contact_id": "ann"}, "contact_id: a whole number is expected"),
        ("sends", {"contact_id": True}, "contact_id: a whole number is expected"),
        ("sends", {"contact_id": "9999999999999999999"}, "contact_id: a whole number is expected"),
        ("sends", {"address": "ann"}, "address: an e-mail address is expected"),
        ("sends", {"address": None}, "it names nobody: give contact_id or address"),
        ("sends", {"subject": 7}, "subject: a text is expected"),
        ("sends", {"subject": "a\x00b"}, "subject: a text of whole characters, none of them null, is expected"),
        ("sends", {"subject": "half \ud83d"}, "subject: a text of whole characters"),
        ("completions", {"answers": {"a": "half \ud83d"}}, "answers: a text of whole characters"),
        ("scores", {"score": "1e999"}, "score: a number is expected"),
        ("scores", {"score": "NaN"}, "score: a number is expected"),
        ("scores", {"score": "ten"}, "score: a number is expected"),
        ("visits", {"pages": [{"at": "2026-03-01T12:00:00Z"}]}, "pages: page 1: url is missing"),
        ("visits", {"pages": "[7]"}, "pages: a list of page views is expected"),
        ("completions", {"values": "title=Head"}, "values: this is no JSON"),
        ("leads", {"push_into_crm": "perhaps"}, "push_into_crm: true or false is expected"),
    ],
)
def test_push_1_a_mistake_names_the_field_and_what_is_expected(kind: str, line: dict[str, Any], said: str) -> None:
    wanted = {field.name for field in SHAPES[Recordable(kind)]}
    entries, [refused] = read_entries(Recordable(kind), [(7, {name: value for name, value in SEND.items() if name in wanted} | line)])
    assert entries == [] and refused.number == 7 and said in refused.why


def test_push_1_instants_become_utc_and_empty_fields_say_nothing() -> None:
    [entry], refused = read_entries(Recordable.SENDS, [(1, SEND | {"subject": "", "contact_id": None})])
    assert refused == [] and entry.values == SEND | {"sent_at": datetime(2026, 3, 1, 11, tzinfo=UTC)}
    there = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    assert read_entries(Recordable.SENDS, [(1, SEND | {"sent_at": there})])[0] == [entry]


def test_a_csv_file_gives_objects_by_dotted_columns_and_counts_lines_as_an_editor_does() -> None:
    lines = ["event_id,values.title,values.company,subject\n", 'a,Head,,"two\n', 'lines"\n', "\n", "b,,,x,y\n", "c,,Ulm Ltd,\n"]
    assert list(file_records(["\ufeff" + lines[0], *lines[1:]])) == [
        (2, {"event_id": "a", "values": {"title": "Head"}, "subject": "two\nlines"}),
        (5, "there are more values than columns"),
        (6, {"event_id": "c", "values": {"company": "Ulm Ltd"}}),
    ]
    assert list(file_records(["a,a\n", "1,2\n"])) == [(1, "the first line has to name every column, each once")]
    assert list(file_records(['{"a": 1}\n', "\n", "[1]\n", "{"])) == [
        (1, {"a": 1}),
        (3, "this is no JSON object"),
        (4, "this is no JSON object"),
    ]
    assert list(file_records([])) == []


TYPES = {
    "active": BOOLEAN,
    "size": INTEGER,
    "worth": DECIMAL,
    "born": DATE,
    "seen": INSTANT,
    "tags": LIST,
    "short": ColumnType(ValueType.TEXT, length=3),
}


def test_push_r_values_take_the_type_of_their_column_and_travel_as_json() -> None:
    given = {
        "active": "true",
        "size": "7",
        "worth": 1.5,
        "born": "2026-03-01",
        "seen": "2026-03-01T12:00:00+01:00",
        "tags": ["a"],
        "short": "",
    }
    values, faults = column_values(given, TYPES, TYPES)
    assert faults == []
    seen = datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert values == {
        "active": True,
        "size": 7,
        "worth": Decimal("1.5"),
        "born": date(2026, 3, 1),
        "seen": seen,
        "tags": '["a"]',
        "short": None,
    }
    assert as_json(values) == values | {"worth": "1.5", "born": "2026-03-01", "seen": "2026-03-01T11:00:00+00:00"}


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("active", "perhaps", "true or false is expected"),
        ("size", "many", "integer is expected"),
        ("size", str(2**63), "integer is expected"),
        ("worth", "much", "decimal(26,6) is expected"),
        ("worth", "NaN", "decimal(26,6) is expected"),
        ("worth", "1e999", "decimal(26,6) is expected"),
        ("short", "\ud83d", "a text of whole characters"),
        ("born", "soon", "date is expected"),
        ("seen", "2026-03-01T12:00:00", "an instant with an offset is expected"),
        ("tags", "[1]", "a JSON array of texts is expected"),
        ("short", "four", "at most 3 characters fit"),
        ("short", ["a"], "text(3) is expected"),
        ("gone", "x", "Market has no such column yet"),
        ("sizes", "x", 'no connector pushes a column "sizes"; did you mean "size"?'),
    ],
)
def test_push_r_a_value_that_does_not_fit_names_its_column(column: str, value: Any, said: str) -> None:
    values, [fault] = column_values({column: value}, TYPES, {*TYPES, "gone"})
    assert values == {} and fault.startswith(f"values.{column}: ") and said in fault


def _settings(push: str) -> Destination:
    table = {"crm": "sugarcrm", "url": "https://crm.example.com", "username": "u", "password": {"env": "P"}}
    options: dict[str, Any] = {"push": dict.fromkeys(push.split(), True), "mapping": {"contacts": {"region": {"field": "region_c"}}}}
    whole = {"data_dir": "d", "market": {"url": "sqlite:///m.db"}, "connectors": {"acme": table | options}}
    return destination(parse_settings(whole, base_dir="/").connector("acme"))


def test_push_1_a_connector_waits_for_its_options_and_takes_the_columns_that_its_mapping_pushes() -> None:
    to = _settings("sent_emails scores")
    assert to.kinds == {Kind.SENT, Kind.SCORE} and to.sinks[Kind.SENT] is Sink.CUSTOM and to.scores == {"default"}
    assert {"first_name", "title", "region"} <= to.columns
    assert not {"opt_out", "email", "crm_id", "account_ref", "converted"} & to.columns


def test_sink_1_clicks_of_two_people_wait_as_one_row_of_their_campaign() -> None:
    clicks = [Action(Kind.CLICKED, person, 30 + person, campaign_id=5, send_id=10 + person) for person in (1, 2)]
    assert pushes_of(clicks, [_settings("clicked_emails")]) == [ToPush("acme", Kind.CLICKED, 0, 5)]
    assert pushes_of(clicks, [_settings("sent_emails")]) == [ToPush("acme", Kind.SENT, 1, 11), ToPush("acme", Kind.SENT, 2, 12)]


def test_push_l_only_who_may_be_created_waits_as_a_new_lead() -> None:
    to = [_settings("new_leads record_updates")]
    there, nowhere = frozenset({"acme"}), frozenset[str]()
    values = {"title": "Head", "opt_out": True}
    assert pushes_of([Action(Kind.NEW_LEAD, 1, records_in=nowhere, values=values, may_create=True)], to) == [
        ToPush("acme", Kind.NEW_LEAD, 1)
    ]
    assert pushes_of([Action(Kind.UPDATE, 1, records_in=nowhere, values=values)], to) == []
    update = [ToPush("acme", Kind.UPDATE, 1, value='{"title": "Head"}')]
    assert pushes_of([Action(Kind.NEW_LEAD, 1, records_in=there, values=values, may_create=True)], to) == update
    assert pushes_of([Action(Kind.NEW_LEAD, 1, records_in=there, may_create=True)], to) == []
