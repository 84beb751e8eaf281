"""What the Prefect server tells the webhook by itself: what no run can tell, because none is at work or it died (`[alerts] prefect`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sync.alerts import VERSION
from sync.deployments import POOL
from tasks.up_automations import FLOWS
from tasks.wiring import read_settings, resolve_secret

if TYPE_CHECKING:
    from prefect.events.schemas.automations import AutomationCore

BLOCK = "marketsync-alerts"
"""The block that holds the receiver's address; written anew by every `up` and `deploy`."""

NO_WORKER = "marketsync: tell that no worker is at work"
WORKER_BACK = "marketsync: tell that a worker is at work again"
LATE = "marketsync: tell that runs are late and none begins"
FAILED = "marketsync: tell that a run failed or crashed"
WELL_AGAIN = "marketsync: tell that a flow is well again"

LATE_S = 3_600
"""So long runs are late and none begins before that is told; told again each time that it has lasted so long."""

_LONG = timedelta(days=30)
_BAD = frozenset(f"prefect.flow-run.{state}" for state in ("Failed", "Crashed", "TimedOut"))
_ENDED_WELL = frozenset({"prefect.flow-run.Completed"})
_EACH_DEPLOYMENT = frozenset({"related:deployment:prefect.resource.id"})
_CONNECTOR = "{{ flow_run.parameters.connector }}"
_FLOW = "{{ flow.name }}"


def alert_automations(config: str, pool: str = POOL) -> tuple[Callable[[], AutomationCore], ...]:
    """The automations to make, if a webhook is configured and the server may tell it. Keeps the receiver's address on the server.

    Asks the server that PREFECT_API_URL names. Raises ConfigError when the address is not where the configuration says.
    """
    limits = read_settings(config).alerts
    if limits.webhook is None or not limits.prefect:
        return ()
    block = _keep_address(resolve_secret(limits.webhook, "alerts.webhook"))
    makers = (no_worker, worker_back, late, failed, well_again)
    return tuple(_made_by(make, block, pool) for make in makers)


def _made_by(make: Callable[[UUID, str], AutomationCore], block: UUID, pool: str) -> Callable[[], AutomationCore]:
    return lambda: make(block, pool)


def _keep_address(url: str) -> UUID:
    from prefect.blocks.webhook import Webhook

    headers = {"Content-Type": "application/json; charset=utf-8"}
    block = Webhook.model_validate({"method": "POST", "url": url, "headers": headers})
    saved: UUID = block.save(BLOCK, overwrite=True)  # type: ignore[assignment]
    return saved


def no_worker(block: UUID, pool: str) -> AutomationCore:
    """The server notices that a pool's last worker is silent within two minutes, and says so once."""
    told = ("raised", "no worker", "", f"no worker of the pool {pool} is at work, so nothing is synced", "Start one: `marketsync up`.")
    return _telling(NO_WORKER, block, told, match=_pool(pool), expect={"prefect.work-pool.not-ready"}, within=timedelta())


def worker_back(block: UUID, pool: str) -> AutomationCore:
    told = ("over", "no worker", "", f"a worker of the pool {pool} is at work again", "")
    after, expect = {"prefect.work-pool.not-ready"}, {"prefect.work-pool.ready"}
    return _telling(WORKER_BACK, block, told, match=_pool(pool), after=after, expect=expect, within=_LONG)


def late(block: UUID, _pool_name: str, span_s: int = LATE_S) -> AutomationCore:
    """A run is late after fifteen seconds already; that none begins for an hour is another matter."""
    said = f"runs have been late for {span_s // 60} minutes, and none has begun"
    told = ("raised", "late runs", "", said, "Is a worker at work, and does it still take runs? Work Pools, in the Prefect UI.")
    within = timedelta(seconds=span_s)
    each = frozenset({"related:work-pool:prefect.resource.id"})
    after, expect = {"prefect.flow-run.Late"}, {"prefect.flow-run.Running"}
    return _telling(LATE, block, told, after=after, expect=expect, within=within, each=each, proactive=True)


def failed(block: UUID, _pool_name: str) -> AutomationCore:
    """The first one after a run that went well, and no other until one goes well again."""
    said = f"a run of {_FLOW} ended as {{{{ flow_run.state.name }}}}"
    told = ("raised", "failed run", _FLOW, said, "Its page in the Prefect UI says why: {{ flow_run | ui_url }}")
    return _telling(FAILED, block, told, after=set(_ENDED_WELL), expect=set(_BAD), within=_LONG, each=_EACH_DEPLOYMENT)


def well_again(block: UUID, _pool_name: str) -> AutomationCore:
    told = ("over", "failed run", _FLOW, f"{_FLOW} came to its end again", "")
    return _telling(WELL_AGAIN, block, told, after=set(_BAD), expect=set(_ENDED_WELL), within=_LONG, each=_EACH_DEPLOYMENT)


def _pool(name: str) -> dict[str, Any]:
    return {"prefect.resource.id": "prefect.work-pool.*", "prefect.resource.name": name}


def _telling(
    name: str,
    block: UUID,
    told: tuple[str, str, str, str, str],
    *,
    expect: set[str],
    within: timedelta,
    after: set[str] | None = None,
    match: dict[str, Any] | None = None,
    each: frozenset[str] = frozenset(),
    proactive: bool = False,
) -> AutomationCore:
    from prefect.events.actions import CallWebhook
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    ours: dict[str, str | list[str]] = {"prefect.resource.role": "flow", "prefect.resource.name": [*FLOWS]}
    trigger = EventTrigger(
        match=ResourceSpecification(match or {"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification({} if match else ours),
        for_each=set(each),
        after=after or set(),
        expect=expect,
        posture=Posture.Proactive if proactive else Posture.Reactive,
        threshold=1,
        within=within,
    )
    description = "Made by `marketsync up` or `deploy`. What was changed here stays; switched off, it stays off."
    action = CallWebhook(block_document_id=block, payload=_payload(*told, of_run=match is None and not proactive))
    return AutomationCore(name=name, description=description, trigger=trigger, actions=[action])


def _payload(event: str, topic: str, subject: str, message: str, todo: str, *, of_run: bool) -> str:
    """The form of `sync.alerts.payload`, as a template that the server fills in. Never the run's message: it may hold anything."""
    connector = _CONNECTOR if of_run else ""
    mark, over = ("🔴", "") if event == "raised" else ("🟢", "over: ")
    place = f"marketsync, {connector}: " if connector else "marketsync: "
    text = f"{mark} {place}{over}{message}" + (f"\n      What to do: {todo}" if todo else "")
    alert = {"event": event, "topic": topic, "connector": connector, "subject": subject, "message": message, "todo": todo}
    return json.dumps({"version": VERSION, "text": text, "by": "prefect", "alerts": [alert]}, ensure_ascii=False)
