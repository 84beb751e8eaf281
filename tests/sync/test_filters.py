"""INIT-9, FILT-1: a sync filter that can't work is refused before anything is read."""

from __future__ import annotations

import pytest

from sync.errors import ConfigError
from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, JSON, LIST, TEXT, TIME, FieldSpec, ObjectSchema
from sync.filters import OPERATORS_OF, refuse_impossible_filters
from sync.records import Condition, Filter, Kind
from sync.settings_rows import OPERATORS

_TYPES = {
    "status": TEXT,
    "converted": BOOLEAN,
    "score": INTEGER,
    "amount": DECIMAL,
    "born": DATE,
    "calls_at": TIME,
    "date_entered": INSTANT,
    "interests": LIST,
    "email": JSON,
}
LEADS = ObjectSchema(Kind.LEAD, "Leads", tuple(FieldSpec(name, str(type_), type_) for name, type_ in _TYPES.items()))
DEALS = ObjectSchema(
    Kind.OPPORTUNITY, "Opportunities", (FieldSpec("name", "name", TEXT), FieldSpec("contact_id", "link", TEXT, filterable=False))
)


def refused(*conditions: Condition, kind: Kind = Kind.LEAD) -> str:
    with pytest.raises(ConfigError) as raised:
        refuse_impossible_filters("acme", {kind: Filter(conditions)}, {Kind.LEAD: LEADS, Kind.OPPORTUNITY: DEALS})
    assert raised.value.where == f"connectors.acme.filters.{kind.plural}"
    assert raised.value.todo
    return raised.value.what


def accepted(*conditions: Condition) -> bool:
    refuse_impossible_filters("acme", {Kind.LEAD: Filter(conditions)}, {Kind.LEAD: LEADS})
    return True


def test_init_9_an_unknown_field_is_named_with_the_fields_that_look_like_it() -> None:
    assert 'Leads has no field "statsu"; did you mean "status"?' in refused(Condition("statsu", "equals", "New"))


def test_filt_1_every_mistake_is_named_at_once() -> None:
    told = refused(Condition("nothing", "is_null"), Condition("status", "equals", "New"), Condition("converted", "gt", "1"))
    assert "leads, condition 1" in told and "leads, condition 3" in told and "condition 2" not in told


def test_filt_1_an_operator_that_the_type_does_not_take_is_refused_with_those_that_it_takes() -> None:
    told = refused(Condition("converted", "starts", "t"))
    assert "is boolean and takes no starts" in told and "equals" in told


def test_filt_1_a_field_that_is_not_stored_is_no_filter_and_is_not_proposed() -> None:
    assert "no stored field" in refused(Condition("contact_id", "equals", "1"), kind=Kind.OPPORTUNITY)
    assert '"contact_id"' not in refused(Condition("contact_idd", "equals", "1"), kind=Kind.OPPORTUNITY).partition(";")[2]


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("converted", "equals", "maybe"),
        ("score", "gt", "many"),
        ("score", "gt", 1.5),
        ("score", "in", ("1", "two")),
        ("amount", "lt", "NaN"),
        ("born", "gte", "31.01.2026"),
        ("date_entered", "gte", "2026-01-31"),
        ("date_entered", "gte", "2026-01-31T08:00:00"),
    ],
)
def test_filt_1_a_value_that_the_field_can_not_have_is_refused(field: str, op: str, value: str | float | tuple[str, ...]) -> None:
    assert "is compared with" in refused(Condition(field, op, value))


@pytest.mark.parametrize(
    ("field", "op", "value"),
    [
        ("status", "in", ("New", "Assigned")),
        ("status", "starts", "N"),
        ("converted", "equals", False),
        ("converted", "equals", 1),
        ("score", "gt", 10),
        ("score", "in", ("1", "2")),
        ("amount", "lte", "10.50"),
        ("born", "gte", "2026-01-31"),
        ("calls_at", "lt", "08:00:00"),
        ("date_entered", "gte", "2026-01-31T08:00:00Z"),
        ("interests", "contains", "Sailing"),
        ("email", "is_null", None),
    ],
)
def test_filt_1_what_fits_is_let_through(field: str, op: str, value: str | float | tuple[str, ...] | None) -> None:
    assert accepted(Condition(field, op, value))


def test_filters_of_kinds_that_are_not_pulled_do_not_matter() -> None:
    refuse_impossible_filters("acme", {Kind.ACCOUNT: Filter((Condition("nothing", "is_null"),))}, {Kind.LEAD: LEADS})
    assert accepted()


def test_every_operator_of_the_configuration_is_taken_by_some_type() -> None:
    assert frozenset(OPERATORS) == frozenset().union(*OPERATORS_OF.values())
