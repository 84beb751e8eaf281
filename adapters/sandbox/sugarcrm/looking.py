"""What is stored, for tests and operators: without rights, zones or delays in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import islice
from typing import Any

import orjson

from adapters.sandbox.store import Row
from adapters.sandbox.sugarcrm.instance import Instance

Where = dict[str, Any] | None


def dump(
    instance: Instance,
    module: str,
    after_id: str,
    limit: int,
    deleted: bool,
    ids: list[str] | None = None,
    where: Where = None,
) -> list[dict[str, Any]]:
    """Records as stored, in id order, instants in UTC; `where`: only those whose fields have these values."""
    table, values = instance.records.tables[module], instance.records.values
    keep = _having(instance, module, where)
    if ids is not None:
        return [values(module, row) for row in table.by_ids(ids) if (deleted or not row.deleted) and keep(row)]
    condition = "id > ?" if deleted else "id > ? and deleted = 0"
    if where:
        found = (row for row in table.scan(condition, (after_id,), "id") if keep(row))
        return [values(module, row) for row in list(islice(found, limit))]
    return [values(module, row) for row in table.scan(condition, (after_id,), f"id limit {int(limit)}")]


def count(instance: Instance, module: str, where: Where = None) -> dict[str, int]:
    """Living and deleted rows."""
    table = instance.records.tables[module]
    if not where:
        return {"living": table.count("deleted = 0", ()), "deleted": table.count("deleted = 1", ())}
    keep = _having(instance, module, where)
    found = [row.deleted for row in table.scan("1", (), "id") if keep(row)]
    return {"living": found.count(0), "deleted": sum(found)}


def repeats(instance: Instance, module: str, fields: list[str]) -> list[dict[str, Any]]:
    """Living records that agree in all these fields, where they have a value in one of them: `values` and `ids`, most of them first."""
    layout = instance.schema.module(module)
    slots = [layout.slot[layout.field(name).name] for name in fields]
    groups: dict[tuple[bytes, ...], list[str]] = defaultdict(list)
    for row in instance.records.tables[module].scan("deleted = 0", (), "id"):
        stored = layout.full(row.slots())
        groups[tuple(stored[slot] for slot in slots)].append(row.id)
    empty = (b"null", b'""')
    shown = [
        {"values": [orjson.loads(one) for one in values], "ids": ids}
        for values, ids in groups.items()
        if len(ids) > 1 and any(one not in empty for one in values)
    ]
    return sorted(shown, key=lambda group: -len(group["ids"]))


def warm(instance: Instance, user: str, module: str, fields: list[str]) -> dict[str, int]:
    """Finish every row of a projection beforehand, so that a measurement times the client and not the sandbox."""
    login = instance.sessions.login(user)
    layout = instance.schema.module(module)
    hidden, protected = instance.schema.hidden_from(user, module), instance.schema.protected_from(user, module)
    projection = instance.renderer.projection(layout, fields, hidden, login.zone, protected)
    table = instance.records.tables[module]
    last, size = 0, 0
    while seqs := table.seqs("seq > ? and deleted = 0", (last,), "seq", 5000):
        instance.renderer.page(module, projection, seqs)
        last, size = seqs[-1], size + len(seqs)
    return {"rows": size, "in_memory": len(projection.lines)}


def _having(instance: Instance, module: str, where: Where) -> Callable[[Row], bool]:
    """Is every one of these values the row's? A typing error in a test must not pass unseen."""
    layout = instance.schema.module(module)
    wanted = [(layout.slot[layout.field(name).name], value) for name, value in (where or {}).items()]

    def keep(row: Row) -> bool:
        stored = layout.full(row.slots())
        return all(orjson.loads(stored[slot]) == value for slot, value in wanted)

    return keep
