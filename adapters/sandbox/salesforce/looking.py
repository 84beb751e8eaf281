"""What is stored, for tests and operators: without rights or delays in between."""

from __future__ import annotations

import json
from typing import Any

from adapters.sandbox.salesforce.events import instant, shown
from adapters.sandbox.salesforce.ids import whole
from adapters.sandbox.salesforce.instance import Instance

Where = dict[str, Any] | None


def _kept(instance: Instance, name: str, where: Where) -> tuple[str, list[Any]]:
    """SQL for records whose fields have exactly these values; raises ApiError for a field that is not there."""
    one = instance.schema.object(name)
    parts, values = ["1"], []
    for field, value in (where or {}).items():
        spec = one.need(field)
        parts.append(f'"{spec.name}" is ?')
        values.append(("true" if value else "false") if isinstance(value, bool) else instant(value))
    return " and ".join(parts), values


def dump(
    instance: Instance,
    name: str,
    after_id: str = "",
    limit: int = 1000,
    deleted: bool = True,
    ids: list[str] | None = None,
    where: Where = None,
) -> list[dict[str, Any]]:
    """Records as stored, in the order of their ids; `where`: only those whose fields have these values."""
    one = instance.schema.object(name)
    kept, values = _kept(instance, name, where)
    if ids is not None:
        kept += ' and "Id" in (select value from json_each(?))'
        values.append(json.dumps([whole(record_id) for record_id in ids]))
    if not deleted:
        kept += " and \"IsDeleted\" = 'false'"
    rows = instance.records.rows(one.name, f'{kept} and "Id" > ?', [*values, after_id], f'order by "Id" limit {int(limit)}')
    return [shown(one, row) for row in rows]


def count(instance: Instance, name: str, where: Where = None) -> dict[str, int]:
    """Living and deleted records."""
    kept, values = _kept(instance, name, where)
    sql = f'select "IsDeleted", count(*) from "{instance.schema.object(name).name}" where {kept} group by 1'
    found = dict(instance.database.execute(sql, values).fetchall())
    return {"living": found.get("false", 0), "deleted": found.get("true", 0)}


def repeats(instance: Instance, name: str, fields: list[str]) -> list[dict[str, Any]]:
    """Living records that agree in all these fields, where they have a value in one of them: `values` and `ids`, most of them first."""
    one = instance.schema.object(name)
    columns = ", ".join(f'"{one.need(field).name}"' for field in fields)
    living = f"\"IsDeleted\" = 'false' and coalesce({columns}, null) is not null"
    grouped = f"group by {columns} having count(*) > 1 order by count(*) desc"
    sql = f'select json_group_array("Id"), {columns} from "{one.name}" where {living} {grouped}'
    return [{"values": list(values), "ids": sorted(json.loads(ids))} for ids, *values in instance.database.execute(sql)]
