"""What the Prefect server does by itself, once it is told: a run whose process is gone does not stay Running for ever.

An automation is known by its name. One that is there is left as it is: somebody may have changed it or switched it off in the UI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from tasks.operate import CORE_FLOW, EMAIL_FLOW, INITIAL_FLOW, PARTITION_FLOW, TIME_SENSITIVE_FLOW
from tasks.reconciled import RECONCILIATION_FLOW

if TYPE_CHECKING:
    from prefect.events.schemas.automations import AutomationCore

HEARTBEAT_S = 30
"""How often a run says that it lives: PREFECT_FLOWS_HEARTBEAT_FREQUENCY where it runs. Prefect allows nothing shorter."""

SILENT_S = 90
"""A run that said nothing for so long is gone: its worker was killed, or its machine is off."""

UNSTARTED_S = 600
"""A run that a worker took on and that did not begin for so long never will."""

FLOWS = [INITIAL_FLOW, PARTITION_FLOW, CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW, RECONCILIATION_FLOW]

CRASHED_RUNS = "marketsync: a run that fell silent is marked as crashed"
UNSTARTED_RUNS = "marketsync: a run that never began is marked as crashed"


def ensure_automations(more: Iterable[Callable[[], AutomationCore]] = ()) -> tuple[str, ...]:
    """Makes the automations that the server does not have yet, ours and `more`; → the names of those that are new.

    Safe to repeat. Asks the server that PREFECT_API_URL names.
    """
    from prefect.client.orchestration import get_client

    made = []
    with get_client(sync_client=True) as client:
        for make in (crashed_runs, unstarted_runs, *more):
            wanted = make()
            if not client.read_automations_by_name(wanted.name):
                client.create_automation(wanted)
                made.append(wanted.name)
    return tuple(made)


def crashed_runs(silent_s: int = SILENT_S) -> AutomationCore:
    """After a heartbeat something else has to follow: the next heartbeat, or a change of state, whatever its name."""
    return _marking(
        CRASHED_RUNS,
        f"A run says every {HEARTBEAT_S} seconds that it lives. One that falls silent is marked, so that it keeps no other from starting.",
        {"prefect.flow-run.heartbeat", "prefect.flow-run.Running"},
        silent_s,
        f"The run gave no sign of life for {silent_s} seconds: its worker was killed, or its machine is off. Nothing that it committed is "
        "lost, and the next run goes on where it stopped.",
    )


def unstarted_runs() -> AutomationCore:
    """Pending lasts as long as a process takes to start. A worker that was killed meanwhile leaves it so."""
    return _marking(
        UNSTARTED_RUNS,
        "A worker that was killed while it started a run leaves it Pending; such a run is marked, so that it keeps no other from starting.",
        {"prefect.flow-run.Pending"},
        UNSTARTED_S,
        f"The run did not begin within {UNSTARTED_S // 60} minutes: its worker was killed while it started it. The next run does its work.",
    )


def _marking(name: str, description: str, after: set[str], within_s: int, said: str) -> AutomationCore:
    """Only runs of our flows; a server may have others."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    trigger = EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": [*FLOWS]}),
        for_each={"prefect.resource.id"},
        after=after,
        expect={"prefect.flow-run.*"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=within_s),
    )
    return AutomationCore(
        name=name,
        description=description,
        trigger=trigger,
        actions=[ChangeFlowRunState(state=StateType.CRASHED, name=None, message=said, force=False)],
    )
