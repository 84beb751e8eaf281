"""What the push options need in Salesforce: rights to write, custom objects, and the fields that hold our keys (CONN-3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.crm.salesforce_objects import key_field, needed_fields, object_name
from adapters.crm.salesforce_push import OPTED_OUT, TASK
from adapters.crm.salesforce_schema import OBJECTS, Described, describe
from adapters.crm.salesforce_session import SalesforceApi
from sync.activity_objects import ActivityObject, objects_for
from sync.crm import CheckLine
from sync.push_settings import SinkSettings
from sync.records import PEOPLE, PUSHED, Kind

_PEOPLE_ONLY = frozenset({Kind.OPT_OUT, Kind.SCORE, Kind.NEW_LEAD, Kind.UPDATE})
_MADE_BY_HAND = "docs/crm-objects.md says how"


def writing_lines(api: SalesforceApi, kinds: Sequence[Kind], sinks: SinkSettings, create_as: Kind) -> Iterator[CheckLine]:
    """One line per object that is written. `kinds`: records that are changed, and kinds that are pushed; one call for all of them."""
    activities = [kind for kind in kinds if kind in PUSHED and kind not in _PEOPLE_ONLY]
    needed: dict[str, set[str]] = {OBJECTS[kind]: set() for kind in kinds if kind in OBJECTS}
    things: dict[str, ActivityObject] = {}
    for kind in activities:
        found = objects_for(kind, sinks.of(kind))
        for thing in found:
            name = object_name(thing, sinks.object_prefix)
            things[name] = thing
            needed.setdefault(name, set()).update(needed_fields(thing, sinks.object_prefix))
        if not found:
            needed.setdefault(TASK, set()).add(key_field(sinks.object_prefix))
    if Kind.NEW_LEAD in kinds:
        needed.setdefault(OBJECTS[create_as], set()).add(key_field(sinks.object_prefix))
    if Kind.OPT_OUT in kinds:
        for kind in sorted(PEOPLE):
            needed.setdefault(OBJECTS[kind], set()).add(OPTED_OUT)
    described = describe(api, list(needed)) if needed else {}
    for name, fields in needed.items():
        yield _line(api.session.user, name, described.get(name), things.get(name), fields, key_field(sinks.object_prefix))


def _line(user: str, name: str, shown: Described | None, thing: ActivityObject | None, fields: set[str], key: str) -> CheckLine:
    subject = f"write {name}"
    if shown is None:
        what = f"make {name} ({thing.label}: {thing.purpose}) and " if thing else ""
        how = f"; {_MADE_BY_HAND}. Or choose another sink" if thing else ""
        todo = f"have an administrator of the CRM {what}give {user} access to {name}{how}"
        return CheckLine(False, subject, f"the CRM has no {name}, or {user} does not see it", todo)
    denied = [word for word, allowed in (("create", shown.createable), ("edit", shown.updateable)) if not allowed]
    if denied:
        todo = f"have an administrator of the CRM give {user} a permission set with the rights {' and '.join(denied)} on {name}"
        return CheckLine(False, subject, f"not allowed: {', '.join(denied)}", todo)
    lacking = sorted(field for field in fields if (found := shown.get(field)) is None or not found.writable)
    if lacking:
        them = "it" if len(lacking) == 1 else "them"
        todo = f"have an administrator of the CRM make {them}, or let {user} see and edit {them} (field-level security); {_MADE_BY_HAND}"
        return CheckLine(False, subject, f"{name} lacks {', '.join(lacking)} that this user may write", todo)
    held = shown.get(key) if key in fields else None
    if held is not None and not held.external_id:
        todo = f"have an administrator of the CRM mark {key} of {name} as an external id; {_MADE_BY_HAND}"
        return CheckLine(False, subject, f"{key} of {name} is no external id", todo)
    return CheckLine(True, subject, "allowed")
