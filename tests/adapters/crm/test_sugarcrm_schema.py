"""Sugar's field types as ours (INIT-2, PULL-4)."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.crm.sugarcrm_schema import column_type, denied, schema_of
from sync.records import Kind


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"type": "id", "len": 36}, "text(36)"),
        ({"type": "id"}, "text(36)"),
        ({"type": "relate", "dbType": "id"}, "text(36)"),
        ({"type": "varchar", "len": "255"}, "text(255)"),
        ({"type": "varchar"}, "text"),
        ({"type": "name", "dbType": "varchar", "len": 150}, "text(150)"),
        ({"type": "enum", "dbType": "varchar", "len": 100}, "text(100)"),
        ({"type": "phone", "dbType": "varchar", "len": 100}, "text(100)"),
        ({"type": "url", "dbType": "varchar", "len": 2000}, "text(2000)"),
        ({"type": "text", "len": 65535}, "text"),
        ({"type": "longtext"}, "text"),
        ({"type": "bool", "dbType": "tinyint"}, "boolean"),
        ({"type": "int", "len": 11}, "integer"),
        ({"type": "autoincrement"}, "integer"),
        ({"type": "enum", "dbType": "int", "len": 11}, "integer"),
        ({"type": "currency", "dbType": "decimal", "len": "26,6"}, "decimal(26,6)"),
        ({"type": "currency", "dbType": "decimal"}, "decimal(26,6)"),
        ({"type": "decimal", "len": 18, "precision": "2"}, "decimal(18,2)"),
        ({"type": "decimal", "len": 2, "precision": 6}, "decimal(26,6)"),
        ({"type": "float", "len": 8, "precision": 3}, "decimal(26,6)"),
        ({"type": "date"}, "date"),
        ({"type": "time"}, "time"),
        ({"type": "datetime"}, "instant"),
        ({"type": "datetimecombo", "dbType": "datetime"}, "instant"),
        ({"type": "multienum", "dbType": "text"}, "list"),
        ({"type": "tag"}, "json"),
        ({"type": "email"}, "json"),
        ({"type": "email", "dbType": "varchar", "len": 100}, "text(100)"),
        ({"type": "team_list"}, "json"),
        ({"type": "newfangled", "dbType": "varchar", "len": 20}, "text(20)"),
        ({"type": "newfangled"}, "text"),
    ],
)
def test_each_type_has_its_column(definition: dict[str, Any], expected: str) -> None:
    assert str(column_type(definition)) == expected


def _described(fields: dict[str, Any], rights: Any = None) -> tuple[str, ...]:
    acl = {"fields": {} if rights is None else rights}
    return schema_of(Kind.CONTACT, "Contacts", {"fields": fields, "acl": acl}).names()


def test_links_pictures_secrets_and_most_fields_outside_of_the_table_are_left_out() -> None:
    fields = {
        "leads": {"type": "link", "source": "non-db"},
        "picture": {"type": "image"},
        "secret_c": {"type": "encrypt", "source": "custom_fields"},
        "user_hash": {"type": "varchar"},
        "my_favorite": {"type": "bool", "source": "non-db"},
        "modified_by_name": {"type": "relate", "source": "non-db", "id_name": "modified_user_id"},
        "account_id": {"type": "id", "source": "non-db"},
        "account_name": {"type": "relate", "source": "non-db", "id_name": "account_id"},
        "email": {"type": "email", "source": "non-db"},
        "region_c": {"type": "varchar", "source": "custom_fields"},
    }
    assert _described(fields) == ("account_id", "account_name", "email", "region_c")


def test_a_field_that_may_not_be_read_is_not_described_and_empty_php_maps_are_understood() -> None:
    fields = {"title": {"type": "varchar"}, "salary_c": {"type": "currency"}}
    assert _described(fields, {"salary_c": {"read": "no", "write": "no"}}) == ("title",)
    assert _described(fields, []) == ("salary_c", "title")
    assert schema_of(Kind.CONTACT, "Contacts", {"fields": []}).fields == ()


def test_what_can_not_be_written_is_marked() -> None:
    fields = {
        "date_modified": {"type": "datetime", "readonly": True},
        "total_c": {"type": "currency", "calculated": "1", "source": "custom_fields"},
        "account_name": {"type": "relate", "source": "non-db", "id_name": "account_id"},
        "account_id": {"type": "relate", "dbType": "id", "source": "non-db", "id_name": "account_id"},
        "last_name": {"type": "varchar", "required": True, "vname": "LBL_LAST_NAME"},
        "rating": {"type": "varchar"},
    }
    schema = schema_of(Kind.CONTACT, "Contacts", {"fields": fields, "acl": {"fields": {"rating": {"write": "no"}}}})
    assert {spec.name for spec in schema.fields if spec.writable} == {"account_id", "last_name"}
    assert [spec.name for spec in schema.fields if spec.custom] == ["total_c"]
    last_name = schema.get("last_name")
    assert last_name is not None
    assert (last_name.required, last_name.label, last_name.crm_type) == (True, "LBL_LAST_NAME", "varchar")


def test_rights_that_the_metadata_do_not_mention_are_there() -> None:
    """CONN-3."""
    assert not denied({}, "edit")
    assert not denied({"acl": []}, "edit")
    assert denied({"acl": {"edit": "no"}}, "edit")
    assert denied({"acl": {"access": "no"}}, "create")
