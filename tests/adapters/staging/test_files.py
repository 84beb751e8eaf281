"""INIT-8: files that somebody exported from the CRM, good ones and every kind of wrong one."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.staging import Parcel, ParcelStore
from adapters.staging.file_loading import load_file
from adapters.staging.files import ExportFile, find_files, mistakes_inside, open_file
from sync.errors import ConfigError
from sync.exported_files import FilePlan, FileTold
from sync.fields import BOOLEAN, DECIMAL, INSTANT, TEXT, ColumnType, Reading
from sync.records import Condition, Filter, Kind
from tests.adapters.staging.exports import Record, as_text, write_csv, write_parquet

NOW = datetime(2026, 9, 1, tzinfo=UTC)
EVERYTHING = Filter()
NAMES = {Kind.LEAD: {"Leads", "leads"}, Kind.CONTACT: {"Contacts", "contacts"}}
AWKWARD: list[Record] = [
    {"id": "1", "name": 'a "quoted" word', "note": "two\nlines, and a comma"},
    {"id": "2", "name": "", "note": None},
    {"id": "3", "name": "Zoë 🎈 ; \t", "note": "ends with a backslash \\"},
    {"id": "4", "name": "01920", "note": "\r\n\r\n"},
    {"id": "5", "name": " NULL ", "note": "x" * 3_000_000},
]


def opened(path: Path) -> ExportFile:
    file, mistake = open_file(path)
    assert file is not None, mistake
    return file


def mistakes(path: Path) -> list[str]:
    file, mistake = open_file(path)
    return mistakes_inside(file) if file else [mistake]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def plan_of(file: ExportFile, types: Mapping[str, ColumnType] = {}, deleted: str | None = None) -> FilePlan:
    """Every column is read under its own name."""
    columns = {name: number for number, name in enumerate(file.names)}
    named = {"date_modified": "crm_modified_at", "id": "crm_id"}
    readings = tuple(Reading(named.get(name, name), name, types.get(name, TEXT)) for name in file.names)
    return FilePlan(readings, columns, (), deleted)


@contextmanager
def loaded(
    folder: Path, file: ExportFile, plan: FilePlan, where: Filter = EVERYTHING, **types: ColumnType
) -> Iterator[tuple[Parcel, FileTold]]:
    store = ParcelStore(folder / "data", memory_limit_mb=128)
    fields = tuple(dict.fromkeys(reading.source for reading in plan.readings))
    ref = store.create("acme", Kind.LEAD, "test", fields, plan.readings, {})
    with store.open(ref) as parcel:
        yield parcel, load_file(parcel, file, plan, where, types, NOW)


def raw(parcel: Parcel) -> list[dict[str, Any]]:
    result = parcel.execute("SELECT * FROM raw ORDER BY rowid")
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def ids_that_meet(folder: Path, records: list[Record], condition: Condition, type_: ColumnType) -> list[str]:
    file = opened(write_csv(folder / "leads.csv", records))
    with loaded(folder, file, plan_of(file), Filter((condition,)), **{condition.field: type_}) as (parcel, told):
        assert told.rows + told.filtered == len(records)
        return [row["id"] for row in raw(parcel)]


@pytest.mark.parametrize("name", ["leads.csv", "leads.csv.gz", "leads.parquet"])
def test_init_8_every_value_comes_as_it_was_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    file = opened(write_parquet(path, AWKWARD) if path.suffix == ".parquet" else write_csv(path, AWKWARD))
    assert mistakes_inside(file) == []
    with loaded(tmp_path, file, plan_of(file)) as (parcel, told):
        assert told.rows == len(AWKWARD)
        assert raw(parcel) == AWKWARD
        assert parcel.progress()["file"].ended


@pytest.mark.parametrize(("delimiter", "line_end"), [(",", "\n"), (",", "\r\n"), (";", "\r\n"), ("\t", "\n")])
def test_init_8_the_delimiter_and_the_line_ends_are_found_out(tmp_path: Path, delimiter: str, line_end: str) -> None:
    file = opened(write_csv(tmp_path / "leads.csv", AWKWARD, delimiter=delimiter, line_end=line_end))
    assert file.names == ("id", "name", "note")
    with loaded(tmp_path, file, plan_of(file)) as (parcel, _):
        assert raw(parcel) == AWKWARD


def test_init_8_a_byte_order_mark_and_a_missing_last_line_end_do_no_harm(tmp_path: Path) -> None:
    file = opened(written(tmp_path / "leads.csv", b"\xef\xbb\xbfid,name\r\n1,a"))
    assert file.names == ("id", "name")
    with loaded(tmp_path, file, plan_of(file)) as (parcel, _):
        assert raw(parcel) == [{"id": "1", "name": "a"}]


def test_init_8_nul_characters_are_taken_out_and_counted(tmp_path: Path) -> None:
    file = opened(written(tmp_path / "leads.csv", b"id,name,note\n1,a\0b\0,c\n2,d,e\n"))
    with loaded(tmp_path, file, plan_of(file)) as (parcel, _):
        assert raw(parcel) == [{"id": "1", "name": "ab", "note": "c"}, {"id": "2", "name": "d", "note": "e"}]
        assert parcel.scalar("SELECT sum(nul_removed) FROM pages") == 2


def test_init_8_typed_parquet_columns_become_the_text_that_the_crm_would_send(tmp_path: Path) -> None:
    at = datetime(2026, 8, 1, 12, 30, tzinfo=UTC)
    table = pa.table(
        {
            "id": pa.array([1], pa.int64()),
            "converted": pa.array([True], pa.bool_()),
            "amount": pa.array(["12.500000"], pa.string()).cast(pa.decimal128(26, 6)),
            "born": pa.array([at.date()], pa.date32()),
            "seen": pa.array([at], pa.timestamp("ns", tz="America/New_York")),
            "local": pa.array([at.replace(tzinfo=None)], pa.timestamp("ns")),
            "tags": pa.array([["A", "B"]], pa.list_(pa.string())),
            "email": pa.array([[{"email_address": "a@example.org", "opt_out": True}]]),
        }
    )
    pq.write_table(table, tmp_path / "leads.parquet")
    file = opened(tmp_path / "leads.parquet")
    with loaded(tmp_path, file, plan_of(file)) as (parcel, _):
        assert raw(parcel) == [
            {
                "id": "1",
                "converted": "true",
                "amount": "12.500000",
                "born": "2026-08-01",
                "seen": "2026-08-01 12:30:00+00",
                "local": "2026-08-01 12:30:00",
                "tags": '["A","B"]',
                "email": '[{"email_address":"a@example.org","opt_out":true}]',
            }
        ]


def test_init_8_broken_records_are_named_by_the_line_where_they_begin_and_no_value_is_told(tmp_path: Path) -> None:
    path = written(
        tmp_path / "leads.csv", b'id,name,x\n1,a,b\n2,"two\nlines",c\n3,secret\n4,a,b,c,d\n5,"shut"in,z\n6,M\xfcller,c\n7,fine,y\n'
    )
    found = mistakes(path)
    assert [each.partition(":")[0] for each in found] == ["line 5", "line 6", "line 7", "line 8"]
    assert "too few" in found[0] and "too many" in found[1] and "quote" in found[2] and "UTF-8" in found[3]
    assert not any(word in " ".join(found) for word in ("secret", "shut", "ller"))
    assert mistakes(written(tmp_path / "leads.csv.gz", gzip.compress(path.read_bytes()))) == found


def test_init_8_thousands_of_broken_records_are_told_in_a_few_lines(tmp_path: Path) -> None:
    found = mistakes(written(tmp_path / "leads.csv", b"id,name,x\n" + b"1,a\n" * 5000))
    assert found[0] == "line 2: too few values" and found[19] == "line 21: too few values"
    assert found[20:] == ["and 4,980 more records like these"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("leads.csv", b"", "it is empty"),
        ("leads.parquet", b"", "it is empty"),
        ("leads.csv", b"id,name\n", "no records"),
        ("leads.csv", "id,name\n1,ä\n".encode("utf-16"), "UTF-16"),
        ("leads.csv", b"id,n\xe4me\n1,a\n", "not UTF-8"),
        ("leads.csv", b"PK\x03\x04\x00\x00\x00\x00\x00\x00", "no CSV file"),
        ("leads.csv", b'id,name,x\r\n1,"a\nb",b\n2,"c\r\nd",e\r\n', "lines end"),
        ("leads.csv", b'id,name\n1,"never closed\n2,b\n', "not closed"),
        ("leads.csv.gz", b"id,name\n1,a\n", "no CSV file"),
        ("leads.parquet", b"id,name\n1,a\n", "no Parquet file"),
        ("leads.csv", b"id,name\n1," + b"x" * (9 << 20) + b"\n", "longer than 8 MiB"),
    ],
)
def test_init_8_a_file_that_is_none_says_why(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    (found,) = mistakes(written(tmp_path / name, content))
    assert told in found


def test_init_8_a_truncated_archive_is_told(tmp_path: Path) -> None:
    body = gzip.compress(b"id,name\n" + b"".join(b"%d,name %d\n" % (n, n * 7919) for n in range(200_000)))
    (found,) = mistakes(written(tmp_path / "leads.csv.gz", body[: len(body) // 2]))
    assert "cut short" in found


def test_init_8_bytes_in_a_parquet_column_are_no_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array(["1"]), "photo": pa.array([b"\x00\x01"], pa.binary())}), tmp_path / "leads.parquet")
    assert mistakes(tmp_path / "leads.parquet") == ["columns hold bytes and no text: photo"]


def test_init_8_a_file_belongs_to_the_kind_that_its_name_says_whatever_the_case(tmp_path: Path) -> None:
    for name in ("LEADS.CSV", "Contacts.parquet", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    found, wrong = find_files(tmp_path, NAMES)
    assert {kind: path.name for kind, path in found.items()} == {Kind.LEAD: "LEADS.CSV", Kind.CONTACT: "Contacts.parquet"}
    assert wrong == []


def test_init_8_a_name_of_no_object_two_files_for_one_and_an_empty_directory_are_mistakes(tmp_path: Path) -> None:
    assert "no file named after an object" in find_files(tmp_path, NAMES)[1][0]
    assert "no directory" in find_files(tmp_path / "nowhere", NAMES)[1][0]
    for name in ("lead.csv", "leads.csv", "leads.parquet"):
        (tmp_path / name).write_bytes(b"x")
    wrong = find_files(tmp_path, NAMES)[1]
    assert 'lead.csv: its name says of no object that is pulled what it holds; did you mean "leads"?' in wrong
    assert "leads.parquet: leads.csv holds leads too; leave one" in wrong


def test_init_8_a_file_that_changed_after_it_was_looked_through_leaves_nothing_behind(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "leads.csv", AWKWARD)
    file = opened(path)
    path.write_bytes(path.read_bytes() + b"6,too few\n")
    store = ParcelStore(tmp_path / "data")
    plan = plan_of(file)
    ref = store.create("acme", Kind.LEAD, "test", file.names, plan.readings, {})
    with store.open(ref) as parcel:
        with pytest.raises(ConfigError, match="changed while it was read"):
            load_file(parcel, file, plan, Filter(), {}, NOW)
        assert parcel.rows() == 0 and parcel.progress() == {}


def test_init_8_records_that_the_crm_has_deleted_are_left_out_and_counted(tmp_path: Path) -> None:
    records: list[Record] = [{"id": str(number), "deleted": value} for number, value in enumerate(["0", "1", "false", "true", None, ""])]
    file = opened(write_csv(tmp_path / "leads.csv", records))
    with loaded(tmp_path, file, plan_of(file, deleted="deleted")) as (parcel, told):
        assert [row["id"] for row in raw(parcel)] == ["0", "2", "4", "5"]
        assert told.deleted == 2


@pytest.mark.parametrize(
    ("condition", "type_", "ids"),
    [
        (Condition("v", "equals", "NEW"), TEXT, ["1"]),
        (Condition("v", "not_equals", "new"), TEXT, ["2", "3"]),
        (Condition("v", "in", ("new", "10")), TEXT, ["1", "2"]),
        (Condition("v", "not_in", ("new", "10")), TEXT, ["3"]),
        (Condition("v", "starts", "n"), TEXT, ["1"]),
        (Condition("v", "contains", "W"), TEXT, ["1"]),
        (Condition("v", "is_null"), TEXT, ["4"]),
        (Condition("v", "not_null"), TEXT, ["1", "2", "3"]),
        (Condition("v", "gt", 9), DECIMAL, ["2"]),
        (Condition("v", "lte", "10.00"), DECIMAL, ["2", "3"]),
    ],
)
def test_filt_1_the_sync_filter_holds_for_files_too(tmp_path: Path, condition: Condition, type_: ColumnType, ids: list[str]) -> None:
    records: list[Record] = [{"id": "1", "v": "New"}, {"id": "2", "v": "10"}, {"id": "3", "v": "9.0"}, {"id": "4", "v": None}]
    assert ids_that_meet(tmp_path, records, condition, type_) == ids


def test_filt_1_points_in_time_and_truths_are_compared_as_such(tmp_path: Path) -> None:
    at: list[Record] = [{"id": "1", "v": "2026-08-01T01:00:00+02:00"}, {"id": "2", "v": "2026-08-01 00:00:00"}]
    assert ids_that_meet(tmp_path, at, Condition("v", "gte", "2026-08-01T00:00:00Z"), INSTANT) == ["2"]
    flags: list[Record] = [{"id": "1", "v": "1"}, {"id": "2", "v": "false"}, {"id": "3", "v": True}]
    assert ids_that_meet(tmp_path, flags, Condition("v", "equals", True), BOOLEAN) == ["1", "3"]


def test_init_8_points_in_time_without_an_offset_are_counted_and_the_newest_stamp_is_not_in_the_future(tmp_path: Path) -> None:
    stamps = ["2026-08-01T12:00:00+00:00", "2026-08-01 15:00:00", "2026-08-01T16:00:00+02:00", "2099-01-01T00:00:00Z", "not a time"]
    records: list[Record] = [{"id": str(number), "date_modified": stamp} for number, stamp in enumerate(stamps)]
    file = opened(write_csv(tmp_path / "leads.csv", records))
    with loaded(tmp_path, file, plan_of(file, {"date_modified": INSTANT})) as (_, told):
        assert told == FileTold(5, datetime(2026, 8, 1, 15, tzinfo=UTC), 1, 0, 0)


def test_the_builder_of_files_writes_json_for_what_is_no_text() -> None:
    assert [as_text(value) for value in (None, "", "a", True, 1, ["A"])] == [None, "", "a", "true", "1", '["A"]']
