"""Metadata, and what administrators do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.sandbox.sugarcrm import CustomField, CustomModule, SandboxControl
from tests.adapters.sandbox.conftest import Client

Start = Callable[..., tuple[Client, SandboxControl]]


def fields_of(client: Client, module: str) -> dict[str, Any]:
    answer = client.good("GET", f"metadata?type_filter=modules&module_filter={module}")
    return dict(answer["modules"][module]["fields"])


def test_metadata_is_narrowed_by_type_and_module(client: Client) -> None:
    narrow = client.good("GET", "metadata?type_filter=modules&module_filter=Contacts,Leads")
    assert (set(narrow), set(narrow["modules"])) == ({"modules", "_hash"}, {"Contacts", "Leads"})
    assert "relationships" in client.good("GET", "metadata")
    contacts = narrow["modules"]["Contacts"]["fields"]
    assert contacts["credit_limit_c"]["source"] == "custom_fields"
    assert contacts["account_name"] == {
        "name": "account_name",
        "vname": "LBL_ACCOUNT_NAME",
        "type": "relate",
        "dbType": "varchar",
        "source": "non-db",
        "module": "Accounts",
        "id_name": "account_id",
        "rname": "name",
    }
    assert contacts["last_name"]["required"] is True
    assert contacts["tier_c"]["options"] == "tier_list"


def test_an_unchanged_hash_is_304(client: Client, control: SandboxControl) -> None:
    first = client.call("GET", "metadata?type_filter=modules&module_filter=Contacts")
    known = {"If-None-Match": first.headers["ETag"]}
    assert client.call("GET", "metadata", headers=known).status_code == 304
    assert client.good("GET", "metadata/_hash")["_hash"] == first.json()["_hash"]
    control.add_field("Contacts", "hash_test_c")
    assert client.call("GET", "metadata", headers=known).status_code == 200
    assert client.good("GET", "metadata/_hash")["_hash"] != first.json()["_hash"]


def test_a_drop_down_gives_keys_and_labels(client: Client, control: SandboxControl) -> None:
    assert client.good("GET", "Contacts/enum/tier_c") == {"": "", "g": "Gold", "s": "Silver", "b": "Bronze"}
    control.set_list("service_level_dom", {"p": "Platinum"})
    assert client.good("GET", "Accounts/enum/service_level") == {"p": "Platinum"}
    assert client.call("GET", "Contacts/enum/last_name").status_code == 404


def test_a_field_can_be_added_filled_and_removed_without_moving_stamps(client: Client, control: SandboxControl) -> None:
    record = client.found("Contacts", [])[0]
    control.add_field("Contacts", "shoe_size_c", "int")
    assert fields_of(client, "Contacts")["shoe_size_c"]["type"] == "int"
    after = client.good("GET", f"Contacts/{record['id']}")
    assert (after["shoe_size_c"], after["date_modified"]) == (None, record["date_modified"])
    control.edit("Contacts", record["id"], {"shoe_size_c": 42}, silent=True)
    assert client.ids("Contacts", [{"shoe_size_c": 42}]) == [record["id"]]
    control.remove_field("Contacts", "shoe_size_c")
    assert "shoe_size_c" not in client.found("Contacts", [], fields="id,shoe_size_c")[0]
    assert client.call("POST", "Contacts/filter", {"filter": [{"shoe_size_c": 42}]}).status_code == 422


def test_a_renamed_field_keeps_its_values(client: Client, control: SandboxControl) -> None:
    new_id = control.create("Leads", {"last_name": "R", "region_c": "north"})
    control.rename_field("Leads", "region_c", "area_c")
    record = client.good("GET", f"Leads/{new_id}")
    assert record["area_c"] == "north"
    assert "region_c" not in record
    control.rename_field("Leads", "area_c", "region_c")


def test_a_retyped_field_converts_what_it_can(start: Start) -> None:
    client, control = start()
    one, two = (control.create("Leads", {"last_name": "R", "region_c": text}) for text in ("17", "north"))
    control.retype_field("Leads", "region_c", "int")
    assert fields_of(client, "Leads")["region_c"]["type"] == "int"
    assert client.good("GET", f"Leads/{one}")["region_c"] == 17
    assert client.good("GET", f"Leads/{two}")["region_c"] is None
    control.retype_field("Leads", "region_c", "varchar", length=10)
    assert client.good("GET", f"Leads/{one}")["region_c"] == "17"


def test_a_hidden_field_is_absent_listed_in_the_acl_and_forbidden(client: Client, control: SandboxControl) -> None:
    new_id = control.create("Contacts", {"last_name": "H", "title": "Boss"})
    client.good("GET", f"Contacts/{new_id}")
    control.hide_field("mkt_sync", "Contacts", "title")
    try:
        record = client.good("GET", f"Contacts/{new_id}")
        assert "title" not in record
        assert record["_acl"]["fields"]["title"]["read"] == "no"
        acl = client.good("GET", "metadata?module_filter=Contacts")["modules"]["Contacts"]["acl"]
        assert "title" in acl["fields"]
        assert client.call("POST", "Contacts/filter", {"filter": [{"title": "Boss"}]}).status_code == 403
        assert client.call("PUT", f"Contacts/{new_id}", {"title": "x"}).status_code == 403
    finally:
        control.hide_field("mkt_sync", "Contacts", "title", hidden=False)
    assert client.good("GET", f"Contacts/{new_id}")["title"] == "Boss"


def test_custom_modules_and_fields_come_from_the_settings(start: Start) -> None:
    client, _ = start(
        custom_modules=(CustomModule("acme_Visit", ("pages_c int custom", "url_c url 100 custom")),),
        custom_fields=(CustomField("Accounts", "acme_rank_c", "decimal"),),
    )
    visit = client.good("POST", "acme_Visit", {"name": "v", "pages_c": "3"})
    assert (visit["pages_c"], visit["_module"]) == (3, "acme_Visit")
    assert client.good("POST", "Accounts", {"name": "A", "acme_rank_c": 1.5})["acme_rank_c"] == "1.500000"


def test_an_unknown_path_or_module_is_no_method(client: Client) -> None:
    for method, path in (
        ("GET", "Nothing"),
        ("PATCH", "Contacts/x"),
        ("POST", "Contacts/filter/x"),
        ("GET", "integrate/x"),
    ):
        answer = client.call(method, path)
        assert (answer.status_code, answer.json()["error"]) == (404, "no_method")
