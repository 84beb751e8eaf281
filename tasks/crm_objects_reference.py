"""The definitions of the CRM's custom objects as a page for administrators, and as a file to work from."""

from __future__ import annotations

import json
from typing import Any

from adapters.crm import salesforce_objects
from adapters.crm.sugarcrm_definitions import definitions


def crm_objects_file() -> str:
    """JSON: SugarCRM's package, modules and fields, with the stock prefix."""
    return json.dumps(definitions(), indent=2, ensure_ascii=False) + "\n"


def salesforce_objects_file() -> str:
    """JSON: Salesforce's objects and fields, with the stock prefix."""
    return json.dumps(salesforce_objects.definitions(), indent=2, ensure_ascii=False) + "\n"


def crm_objects_tables() -> str:
    """Markdown, CRM by CRM: a table per object, then the fields of stock objects."""
    return f"## SugarCRM's modules\n\n{_sugarcrm_tables()}\n## Salesforce's objects\n\n{_salesforce_tables()}"


def _salesforce_tables() -> str:
    every = salesforce_objects.definitions()
    parts: list[str] = []
    for each in every["objects"]:
        parts += [f"### {each['object']}", "", f"{each['label']}: {each['what_for']}. Its name is {each['record_name']}.", ""]
        parts += [*_plain_table(each["fields"]), ""]
    for each in every["fields_of_stock_objects"]:
        parts += [f"### {each['object']}: {', '.join(field['name'] for field in each['fields'])}", "", *_plain_table(each["fields"]), ""]
    return "\n".join(parts)


def _plain_table(fields: list[dict[str, Any]]) -> list[str]:
    rows = [f"| `{field['name']}` | {field['type']} | {field['holds']} |" for field in fields]
    return ["| field | type | what it holds |", "|---|---|---|", *rows]


def _sugarcrm_tables() -> str:
    every = definitions()
    parts: list[str] = []
    for module in every["modules"]:
        parts += [f"### {module['module']}", "", f"{module['label']}: {module['what_for']}.", "", *_table(module["fields"]), ""]
    modules = " and ".join(one["module"] for one in every["studio"])
    parts += [f"### {modules}", "", "Made in Studio, in each of the two, for scores.", "", *_table(every["studio"][0]["fields"]), ""]
    return "\n".join(parts) + "\n"


def _table(fields: list[dict[str, Any]]) -> list[str]:
    rows = [f"| {_name(field)} | {field['label']} | {field['type']} | {_size(field)} | {field['holds']} |" for field in fields]
    return ["| field | label | data type | size | what it holds |", "|---|---|---|---|---|", *rows]


def _name(field: dict[str, Any]) -> str:
    return f"`{field['name']}`, typed as `{field['typed']}`" if "typed" in field else f"`{field['name']}`"


def _size(field: dict[str, Any]) -> str:
    if "module" in field:
        return f"to `{field['module']}`"
    sizes = [f"max size {field['max_size']}"] if "max_size" in field else []
    return ", ".join(sizes + ([f"precision {field['precision']}"] if "precision" in field else []))
