"""Replicated columns and their catalogue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from adapters.market.columns import RETYPED, VANISHED, CatalogueEntry
from adapters.market.engine import Market
from sync.errors import ConfigError
from sync.fields import BOOLEAN, DATE, INSTANT, INTEGER, JSON, LIST, TEXT, TIME, ColumnType, ValueType
from sync.records import Kind
from tests.adapters.market.building import NOW, ask, commit, person, put, records
from tests.rows import MemoryRows

SHORT = ColumnType(ValueType.TEXT, length=5)
MONEY = ColumnType(ValueType.DECIMAL, precision=18, scale=2)
EXACT = ColumnType(ValueType.DECIMAL, precision=26, scale=6)


def entry(column: str, type_: ColumnType = TEXT, **values: Any) -> CatalogueEntry:
    given = {"connector": "acme", "kind": Kind.CONTACT, "crm_field": column, "crm_type": "varchar", "table": "contacts"}
    return CatalogueEntry(**(given | {"column": column, "type": type_} | values))


def test_every_described_field_gets_a_column_and_an_entry(market: Market) -> None:
    """INIT-2: a matching column, recorded with the original name and type."""
    made = market.columns.add([entry("colour_c", SHORT, crm_field="Colour_C", crm_type="enum"), entry("budget_c", MONEY)], NOW)
    assert made == ("contacts.colour_c", "contacts.budget_c")
    assert market.columns.types("contacts") == {"budget_c": MONEY, "colour_c": SHORT}
    found = market.columns.entries("acme", Kind.CONTACT)
    assert [(e.crm_field, e.crm_type, e.column, e.type, e.status) for e in found] == [
        ("Colour_C", "enum", "colour_c", SHORT, "active"),
        ("budget_c", "varchar", "budget_c", MONEY, "active"),
    ]
    assert market.columns.entries("other") == ()
    assert market.columns.entries("acme", Kind.LEAD) == ()


def test_leads_and_contacts_share_a_column(market: Market) -> None:
    """INIT-2: a field that both have with the same type is one column; a fixed column is never made again."""
    market.columns.add([entry("colour_c")], NOW)
    assert market.columns.add([entry("colour_c", kind=Kind.LEAD), entry("title", kind=Kind.LEAD)], NOW) == ()
    assert market.columns.types("contacts") == {"colour_c": TEXT}


@pytest.mark.parametrize("name", ["select", "with space", 'quo"te', "100%", "semi;colon", "it's", "größe", "CamelCase"])
def test_any_field_name_is_a_safe_identifier(market: Market, name: str) -> None:
    """INIT-2: names come from the CRM and go through one quoting function."""
    market.columns.add([entry(name)], NOW)
    put(market, "contacts", person(1, **{name: "a"}))
    with commit(market) as tx:
        assert tx.update("contacts", MemoryRows(("contact_id", name), [(1, "b")])) == 1
    table = market.columns.table("contacts")
    with market.database.reading() as connection:
        assert connection.execute(select(table.c[name])).scalar_one() == "b"


@pytest.mark.parametrize("name", ["", "x" * 64, "nul\x00"])
def test_name_that_no_database_takes_is_refused(market: Market, name: str) -> None:
    with pytest.raises(ConfigError, match="no column"):
        market.columns.add([entry(name, crm_field="f")], NOW)


def test_vanished_field_keeps_its_column_and_is_marked(market: Market) -> None:
    """PULL-4: a vanished field keeps its column; a field that comes back keeps when it was first seen."""
    market.columns.add([entry("colour_c")], NOW)
    put(market, "contacts", person(1, colour_c="red"))
    market.columns.mark("acme", Kind.CONTACT, ["colour_c"], VANISHED, "gone since March")
    assert [(e.status, e.note) for e in market.columns.entries("acme")] == [("vanished", "gone since March")]
    assert ask(market, "SELECT colour_c FROM contacts") == [("red",)]
    market.columns.add([entry("colour_c", status=RETYPED)], NOW + timedelta(days=9))
    assert [e.status for e in market.columns.entries("acme")] == ["retyped"]
    assert str(ask(market, "SELECT first_seen_at FROM field_catalogue")[0][0]).startswith("2026-03-01 12:00")


WIDER: list[tuple[ColumnType, ColumnType, Any, Any]] = [
    (SHORT, ColumnType(ValueType.TEXT, length=50), "01920", "01920"),
    (SHORT, TEXT, "01920", "01920"),
    (INTEGER, EXACT, 123456789012345678, Decimal("123456789012345678")),
    (INTEGER, EXACT, 42, Decimal(42)),
    (INTEGER, TEXT, 42, "42"),
    (MONEY, EXACT, "12.50", Decimal("12.5")),
    (BOOLEAN, TEXT, True, "true"),
    (DATE, INSTANT, "2026-02-03", datetime(2026, 2, 3, tzinfo=UTC)),
    (DATE, TEXT, "2026-02-03", "2026-02-03"),
    (LIST, JSON, '["a"]', '["a"]'),
    (TIME, TEXT, "10:00:00+02:00", "10:00:00+02:00"),
]


@pytest.mark.parametrize(("old", "new", "before", "after"), WIDER, ids=[f"{old} to {new}" for old, new, _, _ in WIDER])
def test_widened_column_keeps_its_values(market: Market, old: ColumnType, new: ColumnType, before: Any, after: Any) -> None:
    """PULL-4: a changed type widens where that is safe; what was there stays what it was."""
    market.columns.add([entry("field_c", old), entry("field_c", old, kind=Kind.LEAD)], NOW)
    put(market, "contacts", *(person(1, field_c=before), person(2, field_c=None)))
    market.columns.widen("contacts", "field_c", new)
    table = market.columns.table("contacts")
    with market.database.reading() as connection:
        values = connection.execute(select(table.c.field_c).order_by(table.c.contact_id)).scalars().all()
    assert values == [after, None]
    assert {e.type for e in market.columns.entries("acme")} == {new}


def test_widened_column_takes_values_of_its_new_type(market: Market) -> None:
    """PULL-4: `01920` in a column that held numbers stays `01920`."""
    market.columns.add([entry("zip_c", INTEGER)], NOW)
    put(market, "contacts", person(1, zip_c=10115))
    market.columns.widen("contacts", "zip_c", TEXT)
    with commit(market) as tx:
        tx.insert("contacts", records([person(2, zip_c="01920")]))
    assert ask(market, "SELECT zip_c FROM contacts ORDER BY contact_id") == [("10115",), ("01920",)]


@pytest.mark.parametrize(("old", "new"), [(TEXT, INTEGER), (TEXT, SHORT), (EXACT, INTEGER), (INSTANT, DATE), (EXACT, MONEY)])
def test_narrower_type_is_refused(market: Market, old: ColumnType, new: ColumnType) -> None:
    """PULL-4: else the old column stays and the change is reported."""
    market.columns.add([entry("field_c", old)], NOW)
    with pytest.raises(ConfigError, match="does not fit"):
        market.columns.widen("contacts", "field_c", new)
    assert market.columns.types("contacts") == {"field_c": old}
    with pytest.raises(ConfigError, match="no replicated column"):
        market.columns.widen("contacts", "title", TEXT)
