"""Calls for one record: read, create, change, delete, and all of that by an external id."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

from adapters.sandbox.http_server import Response
from adapters.sandbox.salesforce.errors import ApiError, not_found
from adapters.sandbox.salesforce.instants import seconds_of
from adapters.sandbox.salesforce.records import Values
from adapters.sandbox.salesforce.rendering import record_url, shown_as
from adapters.sandbox.salesforce.saving import Saver
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.soql_paths import Paths
from adapters.sandbox.salesforce.visit import Visit, reply

Document = dict[str, Any]


def shown(visit: Visit, one: SObject, row: Values, names: list[str]) -> Document:
    """A record with these fields, or with all that this user may see."""
    paths = Paths(visit.instance.schema, visit.login, one)
    hidden = visit.login.hidden.get(one.name, ())
    specs = [paths.visible(one, name) for name in names] or [spec for name, spec in one.fields.items() if name not in hidden]
    found: Document = {"attributes": {"type": one.name, "url": record_url(visit.base, one.name, row["Id"])}}
    for spec in specs:
        if spec.parts:
            keys = ("street", "city", "state", "postalCode", "country")
            parts = {key: row[part] for key, part in zip(keys, spec.parts, strict=True)}
            found[spec.name] = parts if any(parts.values()) else None
        else:
            make = shown_as(spec)
            found[spec.name] = make(row[spec.name]) if make else row[spec.name]
    return found


def read(visit: Visit, name: str, record_id: str) -> Response:
    """One record; `fields` names those that are wanted."""
    one = visit.target(name, "view")
    try:
        row = Saver(visit).need(one, record_id)
    except ApiError as error:
        if error.code == "INVALID_CROSS_REFERENCE_KEY":
            raise not_found() from None
        raise
    _check_preconditions(visit, row)
    names = [field.strip() for field in visit.request.query.get("fields", "").split(",") if field.strip()]
    return reply(shown(visit, one, row, names), rows=1)


def create(visit: Visit, name: str) -> Response:
    """201 and the new id."""
    one, document = visit.target(name, "create"), visit.document()
    visit.summary["fields"] = sorted(document)
    record_id = Saver(visit).create(one, document)
    address = record_url(visit.base, one.name, record_id)
    return reply({"id": record_id, "success": True, "errors": []}, 201, rows=1, headers={"Location": address})


def update(visit: Visit, name: str, record_id: str) -> Response:
    """204 and nothing else."""
    one, document = visit.target(name, "edit"), visit.document()
    visit.summary["fields"] = sorted(document)
    saver = Saver(visit)
    _check_preconditions(visit, _addressed(saver, one, record_id))
    saver.update(one, record_id, document)
    return Response(204, rows=1)


def delete(visit: Visit, name: str, record_id: str) -> Response:
    """204 and nothing else."""
    one = visit.target(name, "delete")
    saver = Saver(visit)
    _addressed(saver, one, record_id)
    saver.delete(one, record_id)
    return Response(204, rows=1)


def _addressed(saver: Saver, one: SObject, record_id: str) -> Values:
    """The record that a path names; one that is not there is 404 NOT_FOUND."""
    try:
        return saver.need(one, record_id)
    except ApiError as error:
        if error.code == "INVALID_CROSS_REFERENCE_KEY":
            raise not_found("Provided external ID field does not exist or is not accessible") from None
        raise


def _check_preconditions(visit: Visit, row: Values) -> None:
    """If-Unmodified-Since and If-Modified-Since against LastModifiedDate, whole seconds; raises ApiError 412 (304 for a read)."""
    modified = seconds_of(row["LastModifiedDate"])
    for header in ("if-unmodified-since", "if-modified-since"):
        text = visit.request.headers.get(header)
        if not text:
            continue
        newer = modified > parsedate_to_datetime(text).timestamp()
        if newer == (header == "if-unmodified-since"):
            status = 304 if header == "if-modified-since" and visit.request.method == "GET" else 412
            raise ApiError("PRECONDITION_FAILED", "The record was changed in the meantime", status=status)


def by_key(visit: Visit, method: str, name: str, field: str, value: str) -> Response:
    """The record that an external id names: read, upsert or delete. Several are 300 with their addresses, and nothing is written."""
    one = visit.target(name, {"GET": "view", "DELETE": "delete"}.get(method, "edit"))
    saver = Saver(visit)
    spec = saver.keyed(one, field)
    document = visit.document() if method in ("PATCH", "POST") else {}
    saver.check_names(one, document)
    found = saver.matches(one, spec, value)
    if len(found) > 1:
        return reply([record_url(visit.base, one.name, one_id) for one_id in found], 300)
    if method == "PATCH":
        visit.summary["fields"] = sorted(document)
        record_id, created = saver.upsert(one, spec, value, document)
        return reply({"id": record_id, "success": True, "errors": [], "created": created}, 201 if created else 200, rows=1)
    if not found:
        raise not_found()
    if method == "DELETE":
        return delete(visit, name, found[0])
    return read(visit, name, found[0])
