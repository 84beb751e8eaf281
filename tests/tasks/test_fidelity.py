"""Values arrive as they were: every field of every record, the CRM's store against Market, over real HTTP into both databases."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox.sugarcrm import CALM, CustomField, Nastiness, SandboxControl, SugarSandboxSettings, start_sandbox
from sync.fields import Reading, ValueType
from sync.records import PULL_ORDER, Kind
from tasks.report import kept_parts
from tasks.schema import readings_of
from tests.pull_road import PullRoad, pull_road

MODULES = {Kind.USER: "Users", Kind.ACCOUNT: "Accounts", Kind.LEAD: "Leads", Kind.CONTACT: "Contacts", Kind.OPPORTUNITY: "Opportunities"}
NEW_YORK = "America/New_York"
FEW = {"prospect_lists": 0, "campaigns": 0, "tasks": 0}
NASTY = Nastiness(
    shared_address=0, address_variant=0, missing_account=0.2, unknown_account=0.1, unknown_owner=0.1, over_long=0, malformed=0,
    awkward_text=0.5, very_long_text=0.1, odd_id=0, deleted=0.05, lead_is_contact=0, converted_lead=0,
)  # fmt: skip
CUSTOM = (
    CustomField("Contacts", "big_c", "int"),
    CustomField("Contacts", "exact_c", "decimal"),
    CustomField("Contacts", "day_c", "date"),
    CustomField("Contacts", "seen_c", "datetimecombo"),
    CustomField("Contacts", "many_c", "multienum"),
    CustomField("Contacts", "zip_c", "varchar", 255),
    CustomField("Contacts", "long_c", "text"),
    CustomField("Contacts", "yes_c", "bool"),
)
TEXTS = [
    "", " ", "01920", "a\nb", "a\r\nb", "a\rb", 'say "no"', "it's", "a,b;c\td", "\\", "\\.", "a\n\\.\nb", "\\N", "NULL", "null", "None",
    "#",
    "\U0001f600\U0001d11e", "e\u0301", "\u202eabc", "\u00a0", "\ufeff", "\x01\x1f\x7f", "%s %(a)s {b} $1 ?1 :c", "<b>&amp;",
    "x" * 70_000, "\U0001f600" * 5_000,
    "'; DROP TABLE contacts; --", "-0", "1e5", "[1]", "{}", " lead and trail ", "\n", '"', '""', "''", "\u2028", "\x1a",
]  # fmt: skip
EXTREMES: list[dict[str, Any]] = [
    {"big_c": 9223372036854775807, "exact_c": "99999999999999999999.999999", "day_c": "0001-01-01", "seen_c": "1900-01-02T00:00:00+00:00"},
    {
        "big_c": -9223372036854775808,
        "exact_c": "-99999999999999999999.999999",
        "day_c": "9999-12-31",
        "seen_c": "9999-12-30T23:59:59+00:00",
    },
    {"big_c": 0, "exact_c": "0.000000", "day_c": "2024-02-29", "seen_c": "2024-11-03T05:30:00+00:00", "yes_c": True},
    {"big_c": None, "exact_c": None, "day_c": None, "seen_c": "2024-11-03T06:30:00+00:00", "yes_c": False},
    {"big_c": 1, "exact_c": "0.000001", "day_c": "1970-01-01", "seen_c": "2024-03-10T06:59:59+00:00", "many_c": ["a,b", 'c"d', "^e^"]},
    {"big_c": -1, "exact_c": "123456789.100000", "seen_c": "2024-03-10T07:00:00+00:00", "many_c": []},
]


def _awkward_contacts(control: SandboxControl) -> None:
    for at, text in enumerate(TEXTS):
        record = control.create("Contacts", {"id": f"text-{at}", "last_name": f"text {at}"})
        control.write_raw("Contacts", record, {"description": text, "long_c": text, "zip_c": text[:20]})
    for at, values in enumerate(EXTREMES):
        record = control.create("Contacts", {"id": f"extreme-{at}", "last_name": f"extreme {at}"})
        control.write_raw("Contacts", record, values)


def _expected(reading: Reading, record: dict[str, Any]) -> Any:
    """What Market has to hold, from what the CRM stores. Written without our code: plain Python."""
    value = record.get(reading.source)
    if reading.pick is not None:
        entries = value or []
        chosen = next((entry for entry in entries if entry[reading.pick.flag]), entries[0] if entries else {})
        value = chosen.get(reading.pick.value)
        if reading.column == "opt_out":
            return bool(value)
        return (value or "").strip() or None if reading.column == "email" else value
    if reading.true_when:
        return None if value is None else value in reading.true_when
    return _typed(reading.type.value, value)


def _typed(type_: ValueType, value: Any) -> Any:
    if value is None or (value == "" and type_ is not ValueType.TEXT):
        return None
    if type_ is ValueType.INSTANT:
        return datetime.fromisoformat(value).astimezone(UTC)
    if type_ is ValueType.DATE:
        return date.fromisoformat(value)
    if type_ is ValueType.DECIMAL:
        return Decimal(str(value))
    if type_ is ValueType.INTEGER:
        return int(value)
    if type_ is ValueType.TEXT and isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.replace("\x00", "")  # databases can't hold it; a finding tells how often
    return value if type_ is not ValueType.TEXT or isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _found(reading: Reading, value: Any) -> Any:
    """What Market holds, both databases alike."""
    type_ = reading.type.value
    if value is None:
        return None
    if type_ is ValueType.BOOLEAN or reading.true_when:
        return bool(value)
    if type_ is ValueType.INSTANT:
        stamp = datetime.fromisoformat(value) if isinstance(value, str) else value
        return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)
    if type_ is ValueType.DATE:
        return date.fromisoformat(value) if isinstance(value, str) else value
    if type_ is ValueType.DECIMAL:
        return Decimal(str(value))
    return json.loads(value) if type_ in (ValueType.LIST, ValueType.JSON) else value


def _differences(road: PullRoad, control: SandboxControl, schema: str, kind: Kind) -> list[str]:
    key, lines = kind.key, []
    rows = {row["crm_id"]: row for row in road.rows(f"SELECT * FROM {kind.table}")}
    links = {each["crm_id"]: each["market_id"] for each in road.rows("SELECT * FROM crm_links WHERE kind = :kind", kind=kind.value)}
    records = list(control.dump(MODULES[kind], deleted=False))
    if set(links) != {record["id"] for record in records}:
        lines.append(f"{kind}: {len(records)} records, {len(links)} links")
    for record in records:
        row = rows.get(record["id"])
        if row is None or row[key] != links.get(record["id"]):
            lines.append(f"{kind} {record['id']}: no row of its own")
            continue
        for reading in readings_of(road.run, schema, kind):
            if reading.column == "converted_contact_ref" or reading.source not in record:
                continue  # a pointer that stays with the link; a text that the CRM takes from another record as it shows this one
            expected, found = _expected(reading, record), _found(reading, row[reading.column])
            references = ("account_ref", "owner_ref", "contact_ref")
            if (found or None) != (expected or None) if reading.column in references else found != expected:
                lines.append(f"{kind} {record['id']} {reading.column} ({reading.type}): {str(found)[:80]!r}, not {str(expected)[:80]!r}")
    return lines


@pytest.mark.parametrize(
    ("market_url", "zone"), [("sqlite", "UTC"), ("sqlite", NEW_YORK), ("postgresql", NEW_YORK)], indirect=["market_url"]
)
def test_every_field_of_every_record_arrives_as_it_was(market_url: str, tmp_path: Path, zone: str) -> None:
    """INIT-2, INIT-5. The CRM shows its instants in the syncing user's zone, summer time included."""
    settings = SugarSandboxSettings(
        accounts=15, leads=25, contacts=25, opportunities=15, users=6, nastiness=NASTY, time_zone=zone, custom_fields=CUSTOM, **FEW
    )
    with start_sandbox(settings) as sandbox, pull_road(tmp_path, market_url, sandbox.url, connector="page_rows = 7") as road:
        sandbox.control.set_zone("mkt_sync", zone)
        _awkward_contacts(sandbox.control)
        schema = road.schema()
        for kind in PULL_ORDER:
            road.bring_in(road.extract(kind, schema), schema)
        held = [row for part in kept_parts(road.home, road.run) for row in part.held]
        assert held == []
        assert [line for kind in PULL_ORDER for line in _differences(road, sandbox.control, schema, kind)] == []
        road.verify()


PAGE = 5


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE])
def test_the_first_and_the_last_record_of_every_page_arrive(tmp_path: Path, count: int) -> None:
    """PULL-3: counts that are exact multiples of the page, and one more, and one less."""
    settings = SugarSandboxSettings(accounts=0, leads=0, contacts=count, opportunities=0, users=1, nastiness=CALM, **FEW)
    url = f"sqlite:///{tmp_path / 'market.sqlite'}"
    with start_sandbox(settings) as sandbox, pull_road(tmp_path, url, sandbox.url, connector=f"page_rows = {PAGE}") as road:
        schema = road.schema()
        counts = road.bring_in(road.extract(Kind.CONTACT, schema), gate=False)
        assert (counts.read, counts.inserted) == (count, count)
        assert _differences(road, sandbox.control, schema, Kind.CONTACT) == []
