"""A start that comes too early or twice (FLOW-1, FLOW-2) is no failure: on a schedule it ends as Skipped, with the reason.

Every two minutes a red run would bury the one that matters, and a green one would say that something was synced.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from prefect.runtime import deployment
from prefect.states import Cancelled

from sync.errors import AlreadyRunning, InitialSyncMissing

P = ParamSpec("P")

SKIPPED = "Skipped"
"""The name of the state; its type is Cancelled, as of the starts that Prefect itself skips."""


def skipped_if_untimely(flow: Callable[P, str]) -> Callable[P, Any]:
    """For the function of a flow. A run that a deployment started ends as Skipped; one that was typed raises, for the exit code."""

    @wraps(flow)
    def run_or_skip(*given: P.args, **named: P.kwargs) -> Any:
        try:
            return flow(*given, **named)
        except (AlreadyRunning, InitialSyncMissing) as untimely:
            if not deployment.id:
                raise
            return Cancelled(name=SKIPPED, message=str(untimely))

    return run_or_skip
