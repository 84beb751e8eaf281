"""Collections: up to 200 records in one call, each with a result of its own, in their order, under status 200."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from adapters.sandbox.http_server import Response
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.fields import FieldSpec
from adapters.sandbox.salesforce.ids import whole
from adapters.sandbox.salesforce.saving import Saver
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.single import shown
from adapters.sandbox.salesforce.visit import Visit, reply

MAX_ROWS = 200
MAX_READ = 2000
MAX_CHUNKS = 10
_ROLLED_BACK = ApiError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK", "Record rolled back because not all records were valid and the request was using AllOrNone header"
)
Document = dict[str, Any]
Row = Callable[[], Document]


def create(visit: Visit) -> Response:
    """POST composite/sobjects."""
    saver, records, all_or_none = _asked(visit)
    typed = [(_type(visit, record, "create"), record) for record in records]
    _check_chunks([one.name for one, _ in typed])
    for one, record in typed:
        saver.check_names(one, record)

    def row(one: SObject, record: Document) -> Document:
        return {"id": saver.create(one, record), "success": True, "errors": []}

    return _run(visit, [lambda o=o, r=r: row(o, r) for o, r in typed], all_or_none)  # type: ignore[misc]


def update(visit: Visit) -> Response:
    """PATCH composite/sobjects."""
    saver, records, all_or_none = _asked(visit)
    typed = [(_type(visit, record, "edit"), record) for record in records]
    _check_chunks([one.name for one, _ in typed])
    for one, record in typed:
        saver.check_names(one, record)
    repeated = _repeated([_id_of(record) for record in records])

    def row(one: SObject, record: Document) -> Document:
        record_id = _id_of(record)
        if not record_id:
            raise ApiError("MISSING_ARGUMENT", "Id not specified in an update call")
        if whole(record_id) in repeated:
            raise ApiError("DUPLICATE_VALUE", f"Duplicate id in list: {whole(record_id)}")
        return {"id": saver.update(one, record_id, record), "success": True, "errors": []}

    return _run(visit, [lambda o=o, r=r: row(o, r) for o, r in typed], all_or_none)  # type: ignore[misc]


def upsert(visit: Visit, name: str, field: str) -> Response:
    """PATCH composite/sobjects/X/Key__c: records of one object, by one external id."""
    saver, records, all_or_none = _asked(visit)
    one = visit.target(name, "edit")
    spec = saver.keyed(one, field)
    for record in records:
        if _type(visit, record, "create") is not one:
            raise ApiError("INVALID_TYPE", f"all records of this call have to be {one.name}")
        saver.check_names(one, record)
    keys = [_key_of(record, spec) for record in records]
    repeated = _repeated([str(key).lower() for key in keys if key not in (None, "")])

    def row(record: Document, key: Any) -> Document:
        if str(key).lower() in repeated:
            raise ApiError("DUPLICATE_VALUE", f"Duplicate external id specified: {key}", [spec.name])
        record_id, created = saver.upsert(one, spec, key, record)
        return {"id": record_id, "success": True, "errors": [], "created": created}

    return _run(visit, [lambda r=r, k=k: row(r, k) for r, k in zip(records, keys, strict=True)], all_or_none)  # type: ignore[misc]


def delete(visit: Visit) -> Response:
    """DELETE composite/sobjects?ids=…"""
    ids = [one for one in visit.request.query.get("ids", "").split(",") if one]
    _check_size(len(ids), MAX_ROWS)
    saver, repeated = Saver(visit), _repeated(ids)
    visit.summary.update(rows=len(ids))

    def row(record_id: str) -> Document:
        one = visit.instance.schema.of_id(record_id) or _holding(visit, record_id)
        if one is None:
            raise ApiError("MALFORMED_ID", f"malformed id {record_id}")
        visit.target(one.name, "delete")
        if whole(record_id) in repeated:
            raise ApiError("DUPLICATE_VALUE", f"Duplicate id in list: {whole(record_id)}")
        return {"id": saver.delete(one, record_id), "success": True, "errors": []}

    all_or_none = visit.request.query.get("allOrNone", "").lower() == "true"
    return _run(visit, [lambda i=i: row(i) for i in ids], all_or_none)  # type: ignore[misc]


def _holding(visit: Visit, record_id: str) -> SObject | None:
    """Records that the control API made have ids without a prefix."""
    if not visit.instance.records.odd_ids:
        return None
    return next((one for one in visit.instance.schema.objects.values() if visit.instance.records.row(one.name, record_id)), None)


def retrieve(visit: Visit, name: str) -> Response:
    """GET or POST composite/sobjects/X: records by id, null for those that are not there."""
    one = visit.target(name, "view")
    asked: Document = dict(visit.request.query) if visit.request.method == "GET" else visit.document()
    ids, fields = (value.split(",") if isinstance(value := asked.get(key) or [], str) else value for key in ("ids", "fields"))
    if not fields:
        raise ApiError("MISSING_ARGUMENT", "The fields parameter is missing")
    _check_size(len(ids), MAX_READ)
    hidden = visit.login.hidden_rows.get(one.name, ())
    found = []
    for record_id in ids:
        row = visit.instance.records.row(one.name, whole(str(record_id)))
        there = row is not None and row["IsDeleted"] == "false" and row["Id"] not in hidden
        found.append(shown(visit, one, row, list(fields)) if there and row else None)
    return reply(found, rows=sum(one is not None for one in found))


def _asked(visit: Visit) -> tuple[Saver, list[Document], bool]:
    document = visit.document()
    records = document.get("records")
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise ApiError("JSON_PARSER_ERROR", "records has to be an array of objects")
    _check_size(len(records), MAX_ROWS)
    visit.summary.update(rows=len(records), fields=sorted({name for record in records for name in record if name != "attributes"}))
    return Saver(visit), records, bool(document.get("allOrNone", False))


def _check_size(count: int, most: int) -> None:
    if count > most:
        raise ApiError(
            "EXCEEDED_MAX_SIZE_REQUEST" if most == MAX_ROWS else "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {most} records into this call",
        )
    if not count:
        raise ApiError("MISSING_ARGUMENT", "no records were given")


def _type(visit: Visit, record: Document, action: str) -> SObject:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str):
        raise ApiError("INVALID_FIELD", "The record has no attributes with a type")
    return visit.target(name, action)


def _check_chunks(names: Sequence[str]) -> None:
    """Records of several objects are worked off in runs of one object, of which there may be ten."""
    if len(list(groupby(names))) > MAX_CHUNKS:
        raise ApiError("LIMIT_EXCEEDED", "Operation exceeded the limit of 10 chunks: group the records by their type")


def _id_of(record: Document) -> str:
    return str(record.get("id") or record.get("Id") or "")


def _key_of(record: Document, spec: FieldSpec) -> Any:
    return next((value for name, value in record.items() if name.lower() == spec.name.lower()), None)


def _repeated(ids: Sequence[str]) -> set[str]:
    """What is there more than once: each of them fails."""
    seen = [whole(one) for one in ids if one]
    return {one for one in seen if seen.count(one) > 1} if len(set(seen)) != len(seen) else set()


def _run(visit: Visit, rows: list[Row], all_or_none: bool) -> Response:
    """Row after row; with all-or-none the first failure takes everything back."""
    fault = visit.request.fault
    if fault is not None and fault.kind == "bulk_dies_after":
        rows = rows[: fault.parts]
    results: list[Document] = []
    with visit.instance.records.all_or_none() as take_back:
        for row in rows:
            try:
                results.append(row())
            except ApiError as error:
                results.append({"success": False, "errors": [error.row()]})
        if all_or_none and not all(one["success"] for one in results):
            take_back()
            results = [{"success": False, "errors": [_ROLLED_BACK.row()]} if one["success"] else one for one in results]
    return reply(results, rows=sum(one["success"] for one in results))
