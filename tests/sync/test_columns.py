"""Market's own columns, and which type holds the values of another (INIT-2, INIT-3, PULL-4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.market.schema import metadata
from adapters.market.schema_custom import table_of
from sync.columns import CUSTOM_COLUMNS, FIXED_COLUMNS, MANAGED, POINTERS, STANDARD, Change, fixed_columns, reserved_columns, widens, wider
from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, JSON, LIST, TEXT, TIME, ColumnType, ValueType


def text(length: int) -> ColumnType:
    return ColumnType(ValueType.TEXT, length=length)


def decimal(precision: int | None, scale: int | None) -> ColumnType:
    return ColumnType(ValueType.DECIMAL, precision=precision, scale=scale)


TYPES = (
    TEXT, text(50), text(255), BOOLEAN, INTEGER, DECIMAL, decimal(10, 2), decimal(38, 0), decimal(None, None),
    DATE, TIME, INSTANT, LIST, JSON,
)  # fmt: skip
types = st.sampled_from(TYPES)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (text(50), text(255), text(255)),
        (text(50), TEXT, TEXT),
        (INTEGER, decimal(10, 2), decimal(21, 2)),
        (INTEGER, DECIMAL, DECIMAL),
        (decimal(26, 6), decimal(10, 8), decimal(28, 8)),
        (decimal(10, 2), decimal(8, 2), decimal(10, 2)),
        (INTEGER, decimal(38, 30), None),
        (decimal(38, 0), decimal(10, 2), None),
        (LIST, JSON, JSON),
        (DATE, INSTANT, None),
        (DATE, TIME, None),
        (BOOLEAN, INTEGER, None),
        (INTEGER, TEXT, None),
        (BOOLEAN, text(255), None),
        (LIST, TEXT, None),
    ],
)
def test_init_2_the_wider_type_is_the_one_that_holds_both(one: ColumnType, other: ColumnType, both: ColumnType | None) -> None:
    assert wider(one, other) == wider(other, one) == both


@given(types, types)
def test_init_2_a_wider_type_holds_both_and_does_not_grow_again(one: ColumnType, other: ColumnType) -> None:
    both = wider(one, other)
    assert both == wider(other, one)
    if both is not None:
        assert widens(both, one) is widens(both, other) is Change.SAME
    assert wider(one, one) == one


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (TEXT, TEXT, Change.SAME),
        (text(255), text(50), Change.SAME),
        (text(50), text(255), Change.WIDER),
        (text(50), TEXT, Change.WIDER),
        (INTEGER, decimal(10, 2), Change.WIDER),
        (DECIMAL, INTEGER, Change.SAME),
        (decimal(10, 2), INTEGER, Change.WIDER),
        (LIST, JSON, Change.WIDER),
        (JSON, LIST, Change.SAME),
        (decimal(None, None), decimal(38, 0), Change.SAME),
        (DATE, INSTANT, Change.INCOMPATIBLE),
        (TEXT, LIST, Change.INCOMPATIBLE),
        (INTEGER, TEXT, Change.INCOMPATIBLE),
    ],
)
def test_pull_4_a_changed_type_is_held_widens_or_does_not_fit(old: ColumnType, new: ColumnType, change: Change) -> None:
    assert widens(old, new) is change


@pytest.mark.parametrize("table", sorted(FIXED_COLUMNS))
def test_init_3_the_fixed_columns_are_those_that_the_market_has(table: str) -> None:
    assert set(FIXED_COLUMNS[table]) == set(metadata.tables[table].columns.keys())


def test_cust_1_every_custom_object_has_the_same_columns_by_design() -> None:
    assert list(fixed_columns("custom_subscription")) == list(CUSTOM_COLUMNS)
    assert set(CUSTOM_COLUMNS) == set(table_of("custom_subscription").columns.keys())


def test_init_3_opportunities_have_the_same_columns_for_every_crm() -> None:
    standard = (
        "opportunity_id crm_id account_id contact_id owner_id opportunity_name description stage amount currency probability close_date "
        "type lead_source next_step is_closed is_won crm_created_at crm_modified_at deleted_date"
    )
    assert set(standard.split()) <= set(FIXED_COLUMNS["opportunities"])


def test_columns_that_no_mapping_may_fill_exist() -> None:
    every = {column for table in (*FIXED_COLUMNS.values(), CUSTOM_COLUMNS) for column in table} | set(POINTERS)
    assert every >= MANAGED | STANDARD
    assert "converted_contact_ref" in reserved_columns("contacts")
