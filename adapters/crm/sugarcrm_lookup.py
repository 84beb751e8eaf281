"""Records by their ids, in bulk: are they there, and what do they hold?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from adapters.crm.sugarcrm_session import SugarApi
from sync.errors import ContractBroken

IDS_AT_ONCE = 100


class _Page(msgspec.Struct):
    records: list[dict[str, Any]]
    next_offset: int = -1


_PAGES = msgspec.json.Decoder(_Page, strict=False)


def those_there(api: SugarApi, module: str, ids: Sequence[str]) -> frozenset[str]:
    """Which of these ids were ever used, also by records that are deleted by now. One call per hundred ids."""
    return frozenset(record["id"] for record in _records(api, module, ids, "id", deleted=True))


def read_named(api: SugarApi, module: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Id → record, for those that live and that this user may see. One call per hundred ids."""
    return {record["id"]: record for record in _records(api, module, ids, ",".join(fields), deleted=False)}


def _records(api: SugarApi, module: str, ids: Sequence[str], fields: str, *, deleted: bool) -> Iterator[dict[str, Any]]:
    named = sorted(set(ids))
    for first in range(0, len(named), IDS_AT_ONCE):
        some, offset = named[first : first + IDS_AT_ONCE], 0
        while offset >= 0:
            payload = {
                "filter": [{"id": {"$in": some}}],
                "fields": fields,
                "max_num": IDS_AT_ONCE,
                "offset": offset,
                "order_by": "id:ASC",
                **({"deleted": True} if deleted else {}),
            }
            page = _page(api, module, payload)
            yield from page.records
            # An instance that caps its pages lower goes on. The ids are named, so nothing shifts under the offset.
            offset = page.next_offset if page.next_offset > offset else -1


def _page(api: SugarApi, module: str, payload: dict[str, Any]) -> _Page:
    answer = api.call("POST", f"{module}/filter", subject=module, payload=payload)
    try:
        return _PAGES.decode(answer.body)
    except msgspec.DecodeError:
        where = f"connector {api.wire.connector}, {module}"
        raise ContractBroken("the page is no JSON of records", where=where, todo="report this to the developers") from None
