"""What a changed CRM schema asks of Market, and how it is said (PULL-4)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sync.column_plan import ColumnPlan, plan_columns
from sync.drift import (
    ACTIVE,
    RETYPED,
    VANISHED,
    FieldChange,
    KnownField,
    What,
    compare_fields,
    compare_own_columns,
    own_side,
    readings_to_fill,
    refuse_loss,
)
from sync.errors import AccessDenied
from sync.fields import BOOLEAN, DATE, DECIMAL, INSTANT, INTEGER, TEXT, ColumnType, FieldSpec, ObjectSchema, Pick, Reading, ValueType
from sync.mapping import MappingRow
from sync.mapping_sugarcrm import SUGARCRM
from sync.records import Condition, Filter, Kind

T50, T255 = ColumnType(ValueType.TEXT, length=50), ColumnType(ValueType.TEXT, length=255)
WORDS = {
    T50: "varchar",
    T255: "varchar",
    TEXT: "text",
    INTEGER: "int",
    DECIMAL: "decimal",
    DATE: "date",
    INSTANT: "datetime",
    BOOLEAN: "bool",
}


def spec(name: str, type_: ColumnType = T50, crm_type: str = "") -> FieldSpec:
    return FieldSpec(name, crm_type or WORDS[type_], type_)


def known(field: str, type_: ColumnType = T50, status: str = ACTIVE, *, column: str = "", crm_type: str = "") -> KnownField:
    return KnownField(field, column or field, type_, crm_type or WORDS[type_], status)


def drift(catalogue: Sequence[KnownField], *specs: FieldSpec, kind: Kind = Kind.CONTACT) -> tuple[FieldChange, ...]:
    """The changes of one kind whose fields are all replicated under their own names, or those of the catalogue."""
    columns = {each.field: each.column for each in catalogue}
    readings = [Reading(columns.get(each.name, each.name), each.name, each.type) for each in specs]
    plan = plan_columns({kind: readings}, {each.column: each.type for each in catalogue}, {kind: columns})
    return compare_fields(kind, catalogue, plan.readings[kind], ObjectSchema(kind, "Contacts", specs), plan.clashes)


def outcome(changes: Sequence[FieldChange]) -> list[tuple[What, str, str]]:
    return [(change.what, change.field, change.status) for change in changes]


@pytest.mark.parametrize(
    ("catalogue", "described", "expected"),
    [
        ([known("a")], [spec("a")], []),
        ([known("a")], [spec("a"), spec("b")], [(What.ADDED, "b", ACTIVE)]),
        ([known("a")], [], [(What.VANISHED, "a", VANISHED)]),
        ([known("a", status=VANISHED)], [], []),
        ([known("a", status=VANISHED)], [spec("a")], [(What.RETURNED, "a", ACTIVE)]),
        ([known("a", status=VANISHED)], [spec("a", T255)], [(What.RETURNED, "a", ACTIVE)]),
        ([known("a", status=VANISHED)], [spec("a", INTEGER)], [(What.CLASHED, "a", RETYPED)]),
        ([known("a")], [spec("a", T255)], [(What.WIDENED, "a", ACTIVE)]),
        ([known("a", T255)], [spec("a", T50)], []),
        ([known("a", INTEGER)], [spec("a", DECIMAL)], [(What.WIDENED, "a", ACTIVE)]),
        ([known("a", T255)], [spec("a", T50, "enum")], [(What.CHANGED, "a", ACTIVE)]),
        ([known("a", INTEGER)], [spec("a", TEXT)], [(What.CLASHED, "a", RETYPED)]),
        ([known("a", DATE)], [spec("a", INSTANT)], [(What.CLASHED, "a", RETYPED)]),
        ([known("a", INTEGER, RETYPED)], [spec("a", TEXT)], []),
        ([known("a", INTEGER, RETYPED)], [spec("a", INTEGER)], [(What.RETURNED, "a", ACTIVE)]),
        ([known("a", INTEGER, RETYPED)], [], [(What.VANISHED, "a", VANISHED)]),
    ],
)
def test_pull_4_each_case_of_a_changed_field(
    catalogue: list[KnownField], described: list[FieldSpec], expected: list[tuple[What, str, str]]
) -> None:
    assert outcome(drift(catalogue, *described)) == expected


def test_pull_4_a_field_that_goes_while_one_like_it_comes_was_probably_renamed() -> None:
    changes = drift([known("region_c"), known("colour_c")], spec("area_region_c"), spec("height_c", INTEGER))
    assert [(change.what, change.field, change.like) for change in changes] == [
        (What.ADDED, "area_region_c", ""),
        (What.VANISHED, "colour_c", ""),
        (What.ADDED, "height_c", ""),
        (What.RENAMED, "region_c", "area_region_c"),
    ]


@pytest.mark.parametrize("other", [spec("region2_c", INTEGER), spec("colour_c")], ids=["of another type", "of another name"])
def test_pull_4_what_is_of_another_type_or_name_is_no_renamed_field(other: FieldSpec) -> None:
    assert {change.what for change in drift([known("region_c")], other)} == {What.VANISHED, What.ADDED}


def test_pull_4_one_added_field_stands_for_one_vanished_field_only() -> None:
    changes = drift([known("tier_a_c"), known("tier_b_c")], spec("tier_d_c"))
    assert sorted(change.what for change in changes) == sorted([What.ADDED, What.RENAMED, What.VANISHED])


def shared(lead: ColumnType, contact: ColumnType, statuses: tuple[str, str] = (ACTIVE, ACTIVE)) -> tuple[ColumnPlan, list[FieldChange]]:
    """Leads and contacts share the integer column `size`, and are described anew with these types."""
    specs = {Kind.LEAD: spec("size", lead), Kind.CONTACT: spec("size", contact)}
    readings = {kind: [Reading("size", "size", each.type)] for kind, each in specs.items()}
    plan = plan_columns(readings, {"size": INTEGER}, {kind: {"size": "size"} for kind in specs})
    found = [
        change
        for (kind, each), status in zip(specs.items(), statuses, strict=True)
        for change in compare_fields(
            kind, [known("size", INTEGER, status)], plan.readings[kind], ObjectSchema(kind, "", (each,)), plan.clashes
        )
    ]
    return plan, found


@pytest.mark.parametrize(
    ("lead", "contact", "expected"),
    [
        (INTEGER, INTEGER, []),
        (DECIMAL, INTEGER, [(Kind.LEAD, What.WIDENED)]),
        (INTEGER, DECIMAL, [(Kind.CONTACT, What.WIDENED)]),
        (TEXT, INTEGER, [(Kind.LEAD, What.CLASHED)]),
        (INTEGER, TEXT, [(Kind.CONTACT, What.CLASHED)]),
        (TEXT, TEXT, [(Kind.LEAD, What.CLASHED), (Kind.CONTACT, What.CLASHED)]),
        (DECIMAL, TEXT, [(Kind.LEAD, What.WIDENED), (Kind.CONTACT, What.CLASHED)]),
    ],
)
def test_init_2_and_pull_4_one_side_of_a_shared_column_is_retyped(
    lead: ColumnType, contact: ColumnType, expected: list[tuple[Kind, What]]
) -> None:
    """The side whose type fits goes on filling the column; only the side that changed is told of."""
    plan, changes = shared(lead, contact)
    assert [(change.kind, change.what) for change in changes] == expected
    clashed = {change.kind for change in changes if change.what is What.CLASHED}
    assert {kind for kind, found in plan.readings.items() if not found} == clashed
    assert {reading.column for found in plan.readings.values() for reading in found} <= {"size"}


def test_init_2_a_side_whose_type_fits_again_fills_the_shared_column_again() -> None:
    plan, changes = shared(INTEGER, INTEGER, (RETYPED, ACTIVE))
    assert [(change.kind, change.what) for change in changes] == [(Kind.LEAD, What.RETURNED)]
    assert [reading.column for reading in plan.readings[Kind.LEAD]] == ["size"]


def own(column: str, source: str, **more: object) -> Reading:
    return Reading(column, source, TEXT, mapped=True, **more)  # type: ignore[arg-type]


def test_pull_4_markets_own_columns_are_compared_with_the_last_readings() -> None:
    before = [own("title", "title"), own("phone", "phone_work"), own("converted_contact_ref", "contact_id")]
    after = [own("title", "job_c"), own("company", "account_name"), Reading("region_c", "region_c", TEXT)]
    changes = compare_own_columns(Kind.LEAD, before, after)
    assert [(change.what, change.column) for change in changes] == [
        (What.ADDED, "company"),
        (What.VANISHED, "converted_contact_ref"),
        (What.VANISHED, "phone"),
        (What.REMAPPED, "title"),
    ]
    assert [changes[0].message, *(change.message for change in changes[2:])] == [
        "field account_name added to leads: column company",
        "field phone_work of leads is no longer shown by the CRM: column phone keeps its values",
        "column title of leads is now filled from field job_c, was title",
    ]


def test_consent_6_a_hidden_opt_out_changes_nothing_and_is_told() -> None:
    [change] = compare_own_columns(Kind.CONTACT, [own("opt_out", "do_not_mail")], [])
    assert "opt-outs stay as they are here" in change.message


@pytest.mark.parametrize(
    ("kind", "before", "after", "stops"),
    [
        (Kind.CONTACT, [own("email", "email")], [], True),
        (Kind.LEAD, [own("email", "email")], [own("phone", "email")], True),
        (Kind.LEAD, [own("email", "email")], [own("email", "webtolead_email")], False),
        (Kind.CONTACT, [], [], False),
        (Kind.CONTACT, [own("opt_out", "do_not_mail")], [], False),
        (Kind.USER, [own("email", "email")], [], False),
    ],
)
def test_pull_4_people_without_the_field_of_their_address_stop_the_run(
    kind: Kind, before: list[Reading], after: list[Reading], stops: bool
) -> None:
    if not stops:
        refuse_loss(kind, before, after)
        return
    with pytest.raises(AccessDenied, match="field email of"):
        refuse_loss(kind, before, after)


def test_pull_4_what_the_last_readings_did_not_fill_is_to_be_filled() -> None:
    old = Reading("old_c", "old_c", TEXT)
    after = [
        old,
        Reading("new_c", "new_c", TEXT),
        own("title", "job_c"),
        own("email", "email2", pick=Pick("a", "b")),
        own("opt_out", "out"),
        own("owner_ref", "owner"),
        own("company", "firm"),
        own("converted_contact_ref", "contact_id"),
    ]
    assert [each.column for each in readings_to_fill(Kind.LEAD, [old, own("title", "title")], after, ())] == ["new_c", "title"]
    assert readings_to_fill(Kind.LEAD, after, after, ()) == ()


def test_pull_4_without_the_last_readings_the_catalogue_says_what_is_to_be_filled() -> None:
    """A Market that an older release filled has no last readings."""
    after = [Reading("old_c", "old_c", TEXT), Reading("new_c", "new_c", TEXT), Reading("back_c", "back_c", TEXT), own("title", "title")]
    changes = [
        FieldChange(Kind.LEAD, What.ADDED, "new_c", "new_c"),
        FieldChange(Kind.LEAD, What.RETURNED, "back_c", "back_c"),
        FieldChange(Kind.LEAD, What.CHANGED, "old_c", "old_c"),
    ]
    assert [each.column for each in readings_to_fill(Kind.LEAD, None, after, changes)] == ["new_c", "back_c"]


def test_pull_4_our_own_side_is_part_of_what_is_compared() -> None:
    """A changed mapping, kind or filter has the CRM described anew; the order in which sets are told does not."""
    kinds = (Kind.LEAD, Kind.CONTACT)
    plain = own_side(kinds, SUGARCRM, {})
    mapped = MappingRow("region_c", "region", frozenset({Kind.LEAD}), stock=False)
    others = [
        own_side((Kind.LEAD,), SUGARCRM, {}),
        own_side(kinds, (*SUGARCRM, mapped), {}),
        own_side(kinds, SUGARCRM, {Kind.LEAD: Filter((Condition("status", "equals", "New"),))}),
    ]
    assert len({plain, *others}) == 4
    assert own_side(kinds, [MappingRow(r.field, r.column, frozenset(sorted(r.kinds, reverse=True)), r.direction, r.policy, r.pick,
                                       r.true_when, r.stock) for r in SUGARCRM], {}) == plain  # fmt: skip


def test_pull_4_findings_are_words_that_name_field_and_column() -> None:
    [added] = drift([known("a")], spec("a"), spec("renewal_tier_c"))
    assert (added.topic, added.message) == ("field added", "field renewal_tier_c added to contacts: column renewal_tier_c")
    [clash] = drift([known("size", INTEGER)], spec("size", TEXT))
    assert (clash.topic, clash.message) == (
        "field retyped",
        "field size of contacts is now text; column size stays integer and is no longer filled from it",
    )
    [wider] = drift([known("a")], spec("a", T255))
    assert wider.message == "field a of contacts is now text(255): column a was widened from text(50)"
