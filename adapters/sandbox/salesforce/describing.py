"""What the org says about itself: versions, resources, objects, fields, limits."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from adapters.sandbox.http_server import Response
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.schema import SObject
from adapters.sandbox.salesforce.stock_objects import NEVER_DELETED
from adapters.sandbox.salesforce.visit import Visit, reply

OLDEST_VERSION = 31
Document = dict[str, Any]


def versions(instance: Instance) -> Response:
    """GET /services/data, without a login."""
    spring = ("Winter", "Spring", "Summer")
    listed = [
        {"label": f"{spring[n % 3]} '{n // 3 + 4:02}", "url": f"/services/data/v{n}.0", "version": f"{n}.0"}
        for n in range(OLDEST_VERSION, instance.settings.newest_version + 1)
    ]
    return reply(listed)


def resources(visit: Visit) -> Response:
    """GET /services/data/vXX.X."""
    names = ("sobjects", "query", "queryAll", "limits", "composite", "jobs")
    return reply({name: f"{visit.base}/{name}" for name in names} | {"identity": f"{visit.instance.url}/services/oauth2/userinfo"})


def _summary(visit: Visit, one: SObject) -> Document:
    may, base = visit.login.may, f"{visit.base}/sobjects/{one.name}"
    urls = {"sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}"}
    return {
        "name": one.name,
        "label": one.label,
        "labelPlural": f"{one.label}s",
        "keyPrefix": one.prefix,
        "custom": one.custom,
        "customSetting": False,
        "queryable": may(one.name, "view"),
        "retrieveable": may(one.name, "view"),
        "createable": may(one.name, "create"),
        "updateable": may(one.name, "edit"),
        "deletable": may(one.name, "delete") and one.name not in NEVER_DELETED,
        "undeletable": one.name not in NEVER_DELETED,
        "replicateable": one.name not in NEVER_DELETED,
        "mergeable": one.name in ("Account", "Contact", "Lead"),
        "searchable": True,
        "layoutable": True,
        "triggerable": True,
        "activateable": False,
        "deprecatedAndHidden": False,
        "mruEnabled": True,
        "feedEnabled": False,
        "urls": urls,
    }


def sobjects(visit: Visit) -> Response:
    """The objects that this user may read."""
    listed = [one for name, one in sorted(visit.instance.schema.objects.items()) if visit.login.may(name, "list")]
    changed = max((one.changed_at for one in listed), default=0.0)
    if _unchanged(visit, changed):
        return Response(304)
    document = {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [_summary(visit, one) for one in listed]}
    return reply(document, headers={"Last-Modified": formatdate(changed, usegmt=True)})


def basic(visit: Visit, name: str) -> Response:
    """GET sobjects/X."""
    one = visit.target(name, "view")
    return reply({"objectDescribe": _summary(visit, one), "recentItems": []})


def describe(visit: Visit, name: str) -> Response:
    """The fields that this user may see; those that they may not see are not there at all."""
    one = visit.target(name, "view")
    if _unchanged(visit, one.changed_at):
        return Response(304)
    hidden, protected = visit.login.hidden.get(one.name, ()), visit.login.protected.get(one.name, ())
    fields = []
    for field_name, spec in sorted(one.fields.items()):
        if field_name in hidden:
            continue
        told = spec.described()
        if field_name in protected:
            told |= {"createable": False, "updateable": False}
        fields.append(told)
    children = [
        {
            "childSObject": child.name,
            "field": spec.name,
            "relationshipName": spec.children or None,
            "cascadeDelete": False,
            "deprecatedAndHidden": False,
        }
        for child, spec in visit.instance.schema.children(one.name)
        if visit.login.may(child.name, "list")
    ]
    document = _summary(visit, one) | {"fields": fields, "childRelationships": children, "recordTypeInfos": [], "supportedScopes": []}
    return reply(document, headers={"Last-Modified": formatdate(one.changed_at, usegmt=True)})


def _unchanged(visit: Visit, changed: float) -> bool:
    since = visit.request.headers.get("if-modified-since", "")
    try:
        return bool(since) and changed <= parsedate_to_datetime(since).timestamp()
    except ValueError:
        return False


def limits(visit: Visit) -> Response:
    """GET limits."""
    instance = visit.instance
    state = instance.gateway.state()
    most = state["daily_calls"] or instance.settings.daily_calls
    left = most if state["left"] is None else state["left"]
    jobs = instance.bulk.query_jobs
    answer: Document = {
        "DailyApiRequests": {"Max": most, "Remaining": left},
        "DailyBulkApiBatches": {"Max": 15_000, "Remaining": 15_000},
        "DailyBulkV2QueryJobs": {"Max": jobs, "Remaining": max(0, jobs - instance.bulk.queries_today())},
        "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
        "DataStorageMB": {"Max": 10_240, "Remaining": 9_000},
    }
    if instance.app_limit:
        used = instance.app_calls[visit.session.app]
        answer["DailyApiRequests"][visit.session.app] = {"Max": instance.app_limit, "Remaining": max(0, instance.app_limit - used)}
    return reply(answer)


def record_counts(visit: Visit) -> Response:
    """GET limits/recordCount: living records, of the objects asked for."""
    asked = [name for name in visit.request.query.get("sObjects", "").split(",") if name]
    known = visit.instance.schema.objects
    names = [name for name in (asked or sorted(known)) if name in known and visit.login.may(name, "list")]
    return reply({"sObjects": [{"count": visit.instance.records.count(name, deleted=False), "name": name} for name in names]})
