"""Which columns a table gets from what a CRM describes, and how leads and contacts share one (INIT-2, PULL-4)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.column_plan import Clash, ColumnPlan, NewColumn, Widening, plan_columns
from sync.columns import Change, reserved_columns, widens
from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, JSON, LIST, TEXT, ColumnType, FieldSpec, ObjectSchema, Reading, ValueType
from sync.mapping import readings
from sync.mapping_sugarcrm import SUGARCRM
from sync.records import Kind

T50, T255 = ColumnType(ValueType.TEXT, length=50), ColumnType(ValueType.TEXT, length=255)


def people(
    lead: ColumnType | None, contact: ColumnType | None, existing: dict[str, ColumnType] | None = None, known: dict[Kind, str] | None = None
) -> ColumnPlan:
    """A plan for one field `size` that leads or contacts or both have. `known`: kind → column in the catalogue."""
    given_readings = {
        Kind.LEAD: [Reading("size", "Size", lead)] if lead else [],
        Kind.CONTACT: [Reading("size", "Size", contact)] if contact else [],
    }
    return plan_columns(given_readings, existing or {}, {kind: {"Size": column} for kind, column in (known or {}).items()})


def columns(plan: ColumnPlan, kind: Kind) -> list[tuple[str, str]]:
    return [(reading.column, str(reading.type)) for reading in plan.readings[kind]]


@pytest.mark.parametrize(
    ("lead", "contact", "added", "lead_reads", "shared"),
    [
        (T50, T50, [NewColumn("size", T50)], "size", ("size",)),
        (T50, T255, [NewColumn("size", T255)], "size", ("size",)),
        (TEXT, T50, [NewColumn("size", TEXT)], "size", ("size",)),
        (INTEGER, DECIMAL, [NewColumn("size", DECIMAL)], "size", ("size",)),
        (LIST, JSON, [NewColumn("size", JSON)], "size", ("size",)),
        (BOOLEAN, TEXT, [NewColumn("size", TEXT), NewColumn("size_lead", BOOLEAN)], "size_lead", ()),
        (TEXT, INTEGER, [NewColumn("size", INTEGER), NewColumn("size_lead", TEXT)], "size_lead", ()),
        (INSTANT, DATE, [NewColumn("size", DATE), NewColumn("size_lead", INSTANT)], "size_lead", ()),
    ],
)
def test_init_2_leads_and_contacts_share_a_column_where_one_type_holds_the_other(
    lead: ColumnType, contact: ColumnType, added: list[NewColumn], lead_reads: str, shared: tuple[str, ...]
) -> None:
    plan = people(lead, contact)
    assert list(plan.add) == added
    assert plan.shared == shared
    types = {column.name: str(column.type) for column in added}
    assert columns(plan, Kind.LEAD) == [(lead_reads, types[lead_reads])]
    assert columns(plan, Kind.CONTACT) == [("size", types["size"])]


def test_init_2_a_second_run_adds_nothing() -> None:
    existing = {"size": INTEGER, "size_lead": TEXT}
    first = people(TEXT, INTEGER)
    again = plan_columns(first.readings, existing, {Kind.LEAD: {"Size": "size_lead"}, Kind.CONTACT: {"Size": "size"}})
    assert (again.add, again.widen, again.clashes) == ((), (), ())
    assert again.readings == first.readings


def test_init_2_a_column_that_is_there_gets_wider_where_that_is_safe() -> None:
    plan = people(T255, None, {"size": T50})
    assert (plan.add, plan.widen) == ((), (Widening("size", T50, T255),))
    assert columns(plan, Kind.LEAD) == [("size", "text(255)")]


def test_init_2_a_narrower_field_uses_the_wider_column_that_is_there() -> None:
    plan = people(T50, None, {"size": T255})
    assert (plan.add, plan.widen) == ((), ())
    assert columns(plan, Kind.LEAD) == [("size", "text(255)")]


def test_init_2_another_connectors_column_of_another_type_is_left_alone() -> None:
    plan = people(None, TEXT, {"size": INTEGER})
    assert plan.add == (NewColumn("size_contact", TEXT),)
    assert columns(plan, Kind.CONTACT) == [("size_contact", "text")]


def test_init_2_the_suffix_never_takes_another_fields_column() -> None:
    lead = [Reading("size", "Size", TEXT), Reading("size_lead", "size_lead", DATE)]
    plan = plan_columns({Kind.LEAD: lead, Kind.CONTACT: [Reading("size", "Size", INTEGER)]}, {})
    found = {reading.source: reading.column for reading in plan.readings[Kind.LEAD]}
    assert found["size_lead"] == "size_lead"
    assert found["Size"] not in ("size", "size_lead")


def test_init_2_fields_of_different_names_never_share_a_column_by_accident() -> None:
    lead, contact = Reading("order_crm", "order", TEXT), Reading("order_crm", "order_crm", TEXT)
    plan = plan_columns({Kind.LEAD: [lead], Kind.CONTACT: [contact]}, {})
    assert [reading.column for reading in plan.readings[Kind.LEAD]] == ["order_crm_lead"]
    later = plan_columns(
        {Kind.LEAD: [], Kind.CONTACT: [Reading("size_lead", "size_lead", TEXT)]}, {"size_lead": TEXT}, {Kind.LEAD: {"size": "size_lead"}}
    )
    assert later.add == (NewColumn("size_lead_contact", TEXT),)


def test_init_2_leads_and_contacts_share_a_column_that_an_operator_gave_to_both() -> None:
    mapped = {Kind.LEAD: [Reading("region", "area_c", TEXT, mapped=True)], Kind.CONTACT: [Reading("region", "zone_c", T50, mapped=True)]}
    plan = plan_columns(mapped, {})
    assert (plan.add, plan.shared) == ((NewColumn("region", TEXT),), ("region",))


def test_pull_4_a_field_that_no_longer_fits_its_column_is_reported_and_no_longer_fills_it() -> None:
    plan = people(None, TEXT, {"size": INTEGER}, {Kind.CONTACT: "size"})
    assert plan.clashes == (Clash(Kind.CONTACT, "Size", "size", INTEGER, TEXT),)
    assert (plan.add, plan.widen, columns(plan, Kind.CONTACT)) == ((), (), [])


def test_init_2_markets_own_columns_are_neither_added_nor_widened() -> None:
    own = [Reading("email", "email", TEXT, mapped=True), Reading("converted_contact_ref", "contact_id", TEXT, mapped=True)]
    plan = plan_columns({Kind.LEAD: own, Kind.CONTACT: []}, {})
    assert (plan.add, plan.widen, plan.readings[Kind.LEAD]) == ((), (), tuple(own))


def test_init_2_accounts_share_with_nobody() -> None:
    plan = plan_columns({Kind.ACCOUNT: [Reading("size", "Size", T50)]}, {})
    assert (plan.add, plan.shared) == ((NewColumn("size", T50),), ())


column_types = st.sampled_from([TEXT, T50, T255, BOOLEAN, INTEGER, DECIMAL, DATE, INSTANT, LIST, JSON])
field_names = st.one_of(
    st.sampled_from(["Foo", "foo", "foo_lead", "foo_contact", "title", "order", "x" * 63, "x" * 70]), st.text(max_size=70)
)
described = st.dictionaries(field_names, column_types, max_size=12)
MANDATORY = {"id": TEXT, "date_modified": INSTANT}


def schema(kind: Kind, fields: dict[str, ColumnType], dice: Random | None = None) -> ObjectSchema:
    specs = [FieldSpec(name, str(type_), type_) for name, type_ in (fields | MANDATORY).items()]
    if dice:
        dice.shuffle(specs)
    return ObjectSchema(kind, kind.plural.title(), tuple(specs))


def plan_of(leads: dict[str, ColumnType], contacts: dict[str, ColumnType], dice: Random | None = None) -> ColumnPlan:
    described_kinds = {Kind.LEAD: leads, Kind.CONTACT: contacts}
    return plan_columns({kind: readings(kind, schema(kind, fields, dice), SUGARCRM) for kind, fields in described_kinds.items()}, {})


@given(described, described)
@settings(max_examples=50, deadline=None)
def test_init_2_every_field_of_any_schema_gets_a_column_that_holds_it(
    leads: dict[str, ColumnType], contacts: dict[str, ColumnType]
) -> None:
    plan = plan_of(leads, contacts)
    added = {column.name: column.type for column in plan.add}
    assert not set(added) & reserved_columns("contacts")
    assert all(len(name.encode()) <= 63 for name in added)
    for kind, fields in ((Kind.LEAD, leads), (Kind.CONTACT, contacts)):
        found = plan.readings[kind]
        assert len({reading.column for reading in found}) == len(found)
        assert {reading.source for reading in found} == set(fields) | set(MANDATORY)
        for reading in found:
            if not reading.mapped:
                assert reading.type == added[reading.column]
                assert widens(reading.type, fields[reading.source]) is Change.SAME


@given(described, described, st.integers())
@settings(max_examples=50, deadline=None)
def test_init_2_the_plan_does_not_depend_on_the_order_of_the_fields(
    leads: dict[str, ColumnType], contacts: dict[str, ColumnType], seed: int
) -> None:
    assert plan_of(leads, contacts, Random(seed)) == plan_of(leads, contacts)


@given(described, described)
@settings(max_examples=50, deadline=None)
def test_init_2_with_the_catalogue_a_second_run_finds_everything_in_place(
    leads: dict[str, ColumnType], contacts: dict[str, ColumnType]
) -> None:
    first = plan_of(leads, contacts)
    existing = {column.name: column.type for column in first.add}
    known = {kind: {each.source: each.column for each in found if not each.mapped} for kind, found in first.readings.items()}
    again = {
        kind: readings(kind, schema(kind, fields), SUGARCRM, known=known[kind])
        for kind, fields in ((Kind.LEAD, leads), (Kind.CONTACT, contacts))
    }
    plan = plan_columns(again, existing, known)
    assert (plan.add, plan.widen, plan.clashes) == ((), (), ())
    assert plan.readings == first.readings
