"""What the push options need in the CRM: rights to write, custom objects and their fields (CONN-3). Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from adapters.crm.sugarcrm_push_activities import TASKS, visit_key
from adapters.crm.sugarcrm_schema import MODULES, denied, metadata
from adapters.crm.sugarcrm_session import SugarApi
from sync.activity_objects import PAGE_VIEW, ActivityObject, Belongs, objects_for
from sync.crm import CheckLine
from sync.push_settings import SinkSettings
from sync.records import PUSHED, Kind

_PEOPLE_ONLY = frozenset({Kind.OPT_OUT, Kind.SCORE, Kind.NEW_LEAD, Kind.UPDATE})


def writing_lines(api: SugarApi, kinds: Sequence[Kind], sinks: SinkSettings) -> Iterator[CheckLine]:
    """One line per module that is written. `kinds`: records that are changed, and kinds that are pushed; one call for all of them."""
    activities = [kind for kind in kinds if kind in PUSHED and kind not in _PEOPLE_ONLY]
    custom = {each.named(sinks.object_prefix): each for kind in activities for each in objects_for(kind, sinks.of(kind))}
    own = [TASKS for kind in activities if not objects_for(kind, sinks.of(kind))]
    names = list(dict.fromkeys((*(MODULES[kind] for kind in kinds if kind in MODULES), *own, *custom)))
    modules = metadata(api, names) if names else {}
    for name in names:
        yield _line(api.session.username, name, modules.get(name), custom.get(name), sinks.object_prefix)


def _line(user: str, name: str, module: dict[str, Any] | None, thing: ActivityObject | None, prefix: str) -> CheckLine:
    if module is None and thing is not None:
        todo = (
            f"have an administrator of the CRM install {name} ({thing.label}: {thing.purpose}) and give {user} access to it; "
            "docs/crm-objects.md says how. Or choose another sink"
        )
        return CheckLine(False, f"write {name}", f"the CRM has no {name}, or {user} does not see it", todo)
    missing = [action for action in ("create", "edit") if module is None or denied(module, action)]
    if missing:
        todo = f"have an administrator of the CRM give a role of {user} the rights {' and '.join(missing)} on {name}"
        return CheckLine(False, f"write {name}", f"not allowed: {', '.join(missing)}", todo)
    lacking = [field for field in _fields(thing, prefix) if field not in ((module or {}).get("fields") or {})]
    if lacking:
        todo = f"have an administrator of the CRM add {'it' if len(lacking) == 1 else 'them'}; docs/crm-objects.md says how"
        return CheckLine(False, f"write {name}", f"{name} lacks {', '.join(lacking)}", todo)
    return CheckLine(True, f"write {name}", "allowed")


def _fields(thing: ActivityObject | None, prefix: str) -> Iterator[str]:
    if thing is None:
        return
    yield from (each.name for each in thing.fields)
    if thing.belongs_to is Belongs.PERSON:
        yield from ("parent_type", "parent_id")
    if thing is PAGE_VIEW:
        yield visit_key(prefix)
