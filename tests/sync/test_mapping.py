"""Which CRM field fills which Market column (INIT-2 to INIT-5), with SugarCRM's stock mapping."""

from __future__ import annotations

from random import Random

import pytest

from sync.columns import FIXED_COLUMNS, MANAGED, POINTERS
from sync.errors import AccessDenied, ConfigError
from sync.fields import (
    BOOLEAN,
    DATE,
    DECIMAL,
    INSTANT,
    INTEGER,
    JSON,
    TEXT,
    ColumnType,
    FieldSpec,
    ObjectSchema,
    Pick,
    Reading,
    ValueType,
    WritePolicy,
)
from sync.mapping import Direction, MappingRow, combine, mappable_columns, readings, rows_of
from sync.mapping_sugarcrm import SUGARCRM
from sync.records import PULL_ORDER, Kind
from sync.stock_mappings import STOCK_MAPPINGS

COMMON = {"id": TEXT, "date_entered": INSTANT, "date_modified": INSTANT, "assigned_user_id": TEXT}


def schema(kind: Kind, *texts: str, **typed: ColumnType) -> ObjectSchema:
    fields = COMMON | dict.fromkeys(texts, TEXT) | typed
    return ObjectSchema(kind, kind.plural.title(), tuple(FieldSpec(name, str(type_), type_) for name, type_ in sorted(fields.items())))


def own(
    kind: Kind, column: str, field: str, direction: Direction = Direction.BOTH, policy: WritePolicy = WritePolicy.OVERWRITE
) -> MappingRow:
    return MappingRow(field, column, frozenset({kind}), direction, policy, stock=False)


def by_column(found: tuple[Reading, ...]) -> dict[str, Reading]:
    assert len({reading.column for reading in found}) == len(found)
    return {reading.column: reading for reading in found}


def test_the_address_is_the_primary_entry_and_the_whole_list_is_kept() -> None:
    found = by_column(readings(Kind.CONTACT, schema(Kind.CONTACT, email=JSON), SUGARCRM))
    assert found["email"] == Reading("email", "email", TEXT, Pick("primary_address", "email_address"), mapped=True)
    assert found["opt_out"] == Reading("opt_out", "email", BOOLEAN, Pick("primary_address", "opt_out"), mapped=True)
    assert found["email_addresses"] == Reading("email_addresses", "email", JSON, mapped=True)


def test_init_2_mapped_fields_come_first_then_all_others_by_name_under_their_own_safe_names() -> None:
    found = readings(Kind.CONTACT, schema(Kind.CONTACT, "first_name", "Zeta_c", "order", "connector", alpha_c=INTEGER), SUGARCRM)
    assert [reading.column for reading in found if not reading.mapped] == ["zeta_c", "alpha_c", "connector_crm", "order_crm"]
    mapped = [reading.mapped for reading in found]
    assert mapped == sorted(mapped, reverse=True)
    assert by_column(found)["alpha_c"].type == INTEGER


def test_init_2_readings_do_not_depend_on_the_order_in_which_the_crm_describes_its_fields() -> None:
    described = schema(Kind.LEAD, "first_name", "Foo", "foo", "FOO", "title", "Title", beta_c=DATE)
    fields = list(described.fields)
    Random(7).shuffle(fields)
    shuffled = ObjectSchema(Kind.LEAD, "Leads", tuple(fields))
    assert readings(Kind.LEAD, shuffled, SUGARCRM) == readings(Kind.LEAD, described, SUGARCRM)


def test_init_2_no_replicated_field_takes_one_of_markets_own_columns() -> None:
    names = [*FIXED_COLUMNS["contacts"], *POINTERS]
    for kind in (Kind.LEAD, Kind.CONTACT):
        found = readings(kind, schema(kind, *names), SUGARCRM)
        replicated = {reading.column for reading in found if not reading.mapped}
        assert not replicated & {*FIXED_COLUMNS["contacts"], *POINTERS}
        assert {reading.source for reading in found} >= set(names)


def test_init_5_every_described_field_of_accounts_leads_and_contacts_comes_down() -> None:
    for kind in (Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT):
        described = schema(kind, "name", "custom_c", "website", "phone_fax", score_c=DECIMAL)
        assert {reading.source for reading in readings(kind, described, SUGARCRM)} == set(described.names())


def test_init_3_opportunities_fill_only_their_fixed_columns() -> None:
    described = schema(
        Kind.OPPORTUNITY, "name", "sales_stage", "sales_status", "custom_c", amount=DECIMAL, probability=INTEGER, date_closed=DATE
    )
    found = by_column(readings(Kind.OPPORTUNITY, described, SUGARCRM))
    assert set(found) <= set(FIXED_COLUMNS["opportunities"])
    assert "custom_c" not in {reading.source for reading in found.values()}
    assert (found["probability"].type, found["amount"].type, found["stage"].source) == (DECIMAL, DECIMAL, "sales_stage")


@pytest.mark.parametrize(("described", "source"), [(("sales_stage", "sales_status"), "sales_stage"), (("sales_status",), "sales_status")])
def test_init_3_closed_and_won_follow_from_the_stage_or_from_the_status_where_the_stage_is_hidden(
    described: tuple[str, ...], source: str
) -> None:
    found = by_column(readings(Kind.OPPORTUNITY, schema(Kind.OPPORTUNITY, *described), SUGARCRM))
    assert (found["is_closed"].source, found["is_closed"].true_when) == (source, ("Closed Won", "Closed Lost"))
    assert (found["is_won"].source, found["is_won"].true_when, found["is_won"].type) == (source, ("Closed Won",), BOOLEAN)


def test_init_4_of_users_only_mapped_fields_come_down_and_active_is_a_status() -> None:
    found = by_column(readings(Kind.USER, schema(Kind.USER, "user_name", "status", "department", email=JSON), SUGARCRM))
    assert set(found) == {"crm_id", "crm_created_at", "crm_modified_at", "user_name", "email", "active"}
    assert found["active"] == Reading("active", "status", BOOLEAN, mapped=True, true_when=("Active",))


def test_references_keep_the_crms_ids_beside_markets_own_keys() -> None:
    lead = by_column(readings(Kind.LEAD, schema(Kind.LEAD, "account_id", "contact_id", "account_name"), SUGARCRM))
    contact = by_column(readings(Kind.CONTACT, schema(Kind.CONTACT, "account_id", "account_name"), SUGARCRM))
    assert (lead["account_ref"].source, lead["owner_ref"].source) == ("account_id", "assigned_user_id")
    assert (lead["converted_contact_ref"].source, lead["company"].source) == ("contact_id", "account_name")
    assert (contact["account_ref"].source, contact["account_name"].source) == ("account_id", "account_name")
    assert "converted_contact_ref" not in contact


def test_a_stock_row_whose_field_this_crm_lacks_is_skipped() -> None:
    assert "fax" not in by_column(readings(Kind.ACCOUNT, schema(Kind.ACCOUNT, "name"), SUGARCRM))


@pytest.mark.parametrize("hidden", ["id", "date_modified"])
def test_without_id_or_modified_stamp_nothing_can_be_synced(hidden: str) -> None:
    described = schema(Kind.CONTACT)
    left = ObjectSchema(described.kind, "Contacts", tuple(spec for spec in described.fields if spec.name != hidden))
    with pytest.raises(AccessDenied, match=f"Contacts does not show .* {hidden}"):
        readings(Kind.CONTACT, left, SUGARCRM)


def test_an_operators_mapping_of_unknown_fields_lists_all_of_them_with_near_names() -> None:
    rows = combine(SUGARCRM, [own(Kind.CONTACT, "region", "regoin_c"), own(Kind.CONTACT, "title", "job_titel_c")])
    with pytest.raises(ConfigError) as caught:
        readings(Kind.CONTACT, schema(Kind.CONTACT, "region_c", "job_title_c"), rows)
    text = str(caught.value)
    assert 'region: Contacts has no field "regoin_c"; did you mean "region_c"' in text
    assert 'title: Contacts has no field "job_titel_c"; did you mean "job_title_c"' in text


def test_an_operators_mapping_takes_the_place_of_the_stock_row_for_its_kind_alone() -> None:
    rows = combine(SUGARCRM, [own(Kind.CONTACT, "title", "job_c", policy=WritePolicy.ONLY_IF_EMPTY)])
    contact = by_column(readings(Kind.CONTACT, schema(Kind.CONTACT, "title", "job_c"), rows))
    lead = by_column(readings(Kind.LEAD, schema(Kind.LEAD, "title", "job_c"), rows))
    assert (contact["title"].source, contact["title"].policy, contact["title_crm"].source) == ("job_c", WritePolicy.ONLY_IF_EMPTY, "title")
    assert (lead["title"].source, lead["job_c"].mapped) == ("title", False)


def test_an_operator_who_changes_only_the_policy_keeps_how_the_value_is_picked() -> None:
    rows = combine(SUGARCRM, [own(Kind.CONTACT, "email", "email", policy=WritePolicy.ONLY_IF_EMPTY)])
    found = by_column(readings(Kind.CONTACT, schema(Kind.CONTACT, email=JSON), rows))
    assert (found["email"].pick, found["email"].policy) == (Pick("primary_address", "email_address"), WritePolicy.ONLY_IF_EMPTY)


def test_an_operators_new_column_has_the_fields_type_and_the_field_comes_down_once() -> None:
    rows = combine(SUGARCRM, [own(Kind.ACCOUNT, "segment", "segment_c")])
    type_ = ColumnType(ValueType.TEXT, length=20)
    found = [each for each in readings(Kind.ACCOUNT, schema(Kind.ACCOUNT, segment_c=type_), rows) if each.source == "segment_c"]
    assert found == [Reading("segment", "segment_c", type_, mapped=True)]


def test_a_field_that_is_only_pushed_fills_no_column_by_its_mapping() -> None:
    rows = combine(SUGARCRM, [own(Kind.LEAD, "grade", "grade_c", Direction.PUSH)])
    found = by_column(readings(Kind.LEAD, schema(Kind.LEAD, "grade_c"), rows))
    assert "grade" not in found
    assert not found["grade_c"].mapped


def test_a_mapping_onto_a_column_of_another_type_is_refused() -> None:
    rows = combine(SUGARCRM, [own(Kind.OPPORTUNITY, "close_date", "when_c"), own(Kind.OPPORTUNITY, "stage", "number_c")])
    with pytest.raises(ConfigError, match='close_date: field "when_c" is text, the column holds date') as caught:
        readings(Kind.OPPORTUNITY, schema(Kind.OPPORTUNITY, "when_c", number_c=INTEGER), rows)
    assert "stage" not in str(caught.value)


def test_names_from_the_catalogue_last() -> None:
    found = by_column(readings(Kind.LEAD, schema(Kind.LEAD, "size_c"), SUGARCRM, known={"size_c": "size_c_lead"}))
    assert found["size_c_lead"].source == "size_c"


def test_names_that_somebody_else_took_are_not_given() -> None:
    assert "size_c_crm" in by_column(readings(Kind.LEAD, schema(Kind.LEAD, "size_c"), SUGARCRM, taken={"size_c"}))


@pytest.mark.parametrize("crm", sorted(STOCK_MAPPINGS))
def test_stock_mappings_name_only_columns_that_exist_and_that_no_rule_owns(crm: str) -> None:
    for kind in PULL_ORDER:
        for row in rows_of(kind, STOCK_MAPPINGS[crm]):
            assert row.column in FIXED_COLUMNS[kind.table] or row.column in POINTERS
            assert row.column not in MANAGED


def test_consent_opt_outs_ids_and_stamps_are_never_pushed_by_the_mapping() -> None:
    pushed = {row.column for row in SUGARCRM if row.pushes}
    assert not pushed & {
        "opt_out",
        "crm_id",
        "crm_created_at",
        "crm_modified_at",
        "owner_ref",
        "account_ref",
        "converted",
        "email_addresses",
    }
    assert {"first_name", "last_name", "email", "company"} <= pushed


def test_init_3_the_columns_that_a_mapping_may_fill_are_those_that_no_rule_owns() -> None:
    assert "stage" in mappable_columns(Kind.OPPORTUNITY)
    assert not mappable_columns(Kind.OPPORTUNITY) & {"opportunity_id", "crm_id", "account_id", "deleted_date", "owner_ref"}
