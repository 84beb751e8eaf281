"""Which fields a person's values go to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from sync.fields import WritePolicy
from sync.mapping import Direction, MappingRow, combine
from sync.mapping_salesforce import SALESFORCE
from sync.mapping_sugarcrm import SUGARCRM
from sync.pushed_fields import outgoing_fields, plain_value, pushed_columns
from sync.records import PEOPLE, Kind

ROW = {"first_name": "Ann", "last_name": "Lee", "email": "ann@x.test", "title": None, "company": "Lee & Co", "opt_out": True, "crm_id": "c"}


def test_push_l_a_new_lead_carries_every_mapped_value_that_there_is() -> None:
    """PUSH-5; what comes from the CRM only, opt-outs among it, does not go there by this road."""
    lead = outgoing_fields(Kind.LEAD, SUGARCRM, ROW, creates=True)
    assert lead == {"address": "ann@x.test", "fields": {"first_name": "Ann", "last_name": "Lee", "account_name": "Lee & Co"}}
    assert "account_name" not in outgoing_fields(Kind.CONTACT, SUGARCRM, ROW, creates=True)["fields"]


def test_push_r_a_record_update_carries_only_what_changed_and_empties_what_was_emptied() -> None:
    """PUSH-R: an address is replaced, and never taken away."""
    update = {"title": None, "phone": "1", "email": None, "no_such_column": "x"}
    assert outgoing_fields(Kind.CONTACT, SUGARCRM, update, creates=False) == {"fields": {"title": None, "phone_work": "1"}}
    assert outgoing_fields(Kind.CONTACT, SUGARCRM, {"email": "b@x.test"}, creates=False) == {"fields": {}, "address": "b@x.test"}


def test_push_l_an_address_that_stands_in_a_field_of_its_own_is_still_the_address() -> None:
    """Salesforce; also when an operator changed the row's policy."""
    own = MappingRow("Email", "email", PEOPLE, policy=WritePolicy.ONLY_IF_EMPTY, stock=False)
    for mapping in (SALESFORCE, combine(SALESFORCE, [own])):
        lead = outgoing_fields(Kind.LEAD, mapping, ROW, creates=True)
        assert lead == {"address": "ann@x.test", "fields": {"FirstName": "Ann", "LastName": "Lee", "Company": "Lee & Co"}}


def test_push_r_the_operators_mapping_counts() -> None:
    rows = (
        MappingRow("region_c", "region", PEOPLE, Direction.PUSH),
        MappingRow("tier_c", "tier", PEOPLE, Direction.PULL),
        MappingRow("source_c", "source", PEOPLE, policy=WritePolicy.ONLY_IF_EMPTY),
        MappingRow("vip_c", "vip", PEOPLE, true_when=("Yes",)),
        MappingRow("region_c", "other", PEOPLE),
    )
    values = {"region": "North", "tier": "A", "source": "fair", "vip": True, "other": "x"}
    assert outgoing_fields(Kind.LEAD, rows, values, creates=True)["fields"] == {"region_c": "North", "source_c": "fair"}
    assert outgoing_fields(Kind.LEAD, rows, values, creates=False)["fields"] == {"region_c": "North"}
    assert pushed_columns(PEOPLE, rows) == {"region", "source"}


def test_values_go_out_as_json_has_them() -> None:
    given = (Decimal("7.0"), Decimal("7.5"), datetime(2026, 3, 1, 12, tzinfo=UTC), date(2026, 3, 1), "x", True, None)
    assert [plain_value(value) for value in given] == [7, 7.5, "2026-03-01T12:00:00+00:00", "2026-03-01", "x", True, None]
