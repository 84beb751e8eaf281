"""The sandbox's custom modules are those that the product tells an administrator to make (SINK-1, SINK-2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from adapters.crm.sugarcrm_definitions import definitions
from adapters.sandbox.sugarcrm import SandboxControl
from adapters.sandbox.sugarcrm.__main__ import settings_from
from adapters.sandbox.sugarcrm.stock_fields import COMMON
from tests.adapters.sandbox.conftest import Client

DEFINED = definitions()
STOCK = {line.split()[0] for line in COMMON.splitlines() if line}
Start = Callable[..., tuple[Client, SandboxControl]]


def described(client: Client, module: str) -> dict[str, dict[str, Any]]:
    """The fields that are the module's own."""
    modules = client.good("GET", f"metadata?type_filter=modules&module_filter={module}")["modules"]
    fields = modules[module]["fields"] if module in modules else {}
    return {name: field for name, field in fields.items() if name not in STOCK}


def as_metadata(field: dict[str, Any]) -> dict[str, tuple[str, int | None]]:
    """What one line of the definition becomes in the metadata: name → type and length."""
    if field["type"] == "Flex Relate":
        return {"parent_type": ("parent_type", 255), "parent_id": ("id", 36)}
    if field["type"] == "Relate":
        return {field["name"]: ("relate", None), f"{field['module'].lower()}_id_c": ("id", 36)}
    return {field["name"]: (field["vardef"], field.get("max_size"))}


@pytest.mark.parametrize("module", DEFINED["modules"], ids=lambda module: str(module["module"]))
def test_sink_1_and_2_a_custom_module_has_the_fields_that_the_definition_names(client: Client, module: dict[str, Any]) -> None:
    wanted: dict[str, tuple[str, int | None]] = {}
    for field in module["fields"]:
        wanted.update(as_metadata(field))
    found = {name: (field["type"], field.get("len")) for name, field in described(client, module["module"]).items()}
    assert found == wanted


@pytest.mark.parametrize("module", ["Leads", "Contacts"])
def test_push_s_the_score_fields_are_there(client: Client, module: str) -> None:
    found = described(client, module)
    for field in next(one for one in DEFINED["studio"] if one["module"] == module)["fields"]:
        assert (found[field["name"]]["type"], found[field["name"]].get("len")) == (field["vardef"], field.get("max_size"))


def test_conn_3_a_module_or_a_field_may_be_missing_so_that_check_can_be_tried(start: Start) -> None:
    client, _ = start(leads=3, without=settings_from(["--without", "mkt_Visit", "--without", "Leads.mkt_score_c"]).without)
    assert described(client, "mkt_Visit") == {} and "mkt_score_c" not in described(client, "Leads")
    assert client.call("POST", "mkt_Visit", {"name": "v"}).status_code == 404
    lead = client.good("POST", "Leads/filter", {"filter": [], "fields": "id,mkt_score_date_c,converted", "max_num": 1})["records"][0]
    assert lead["converted"] in (True, False) and re.fullmatch(r"|20\d\d-.*", lead["mkt_score_date_c"] or "")
    view = client.good("POST", "mkt_PageView", {"name": "Home", "mkt_visit_id_c": "gone"})
    assert "visit" not in view and view["mkt_visit_id_c"] == "gone"


def test_a_name_that_nothing_has_is_a_mistake_and_no_gap(start: Start) -> None:
    with pytest.raises(ValueError, match="mkt_Vist"):
        start(without=("mkt_Vist",))
