"""`up` ends: the runs at work on this machine are cancelled as from the UI, so that they end in order and none stays Running."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Collection
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

_SAID = "`marketsync up` was ended. Nothing that was committed is lost; the next run goes on."
_LOOK_S = 0.5
_PATIENCE_S = 20
_RUN_OF_A_PROCESS = re.compile(r"\bPREFECT__FLOW_RUN_ID=([0-9a-f-]{36})\b")


def runs_in(processes: Collection[int]) -> tuple[UUID, ...]:
    """The flow runs that these processes of this machine carry out: a worker tells it to each in its environment."""
    if not processes:
        return ()
    which = ",".join(str(each) for each in sorted(processes))
    told = subprocess.run(
        ["ps", "eww", "-o", "command=", "-p", which], capture_output=True, text=True, errors="replace", check=False
    ).stdout
    return tuple(UUID(found) for found in dict.fromkeys(_RUN_OF_A_PROCESS.findall(told)))


def cancel_runs(runs: Collection[UUID], patience_s: float = _PATIENCE_S) -> None:
    """Cancels these runs and waits for their end. One that does not end in time is marked all the same: its process is ended next."""
    from prefect.client.orchestration import get_client
    from prefect.states import Cancelled, Cancelling

    with get_client(sync_client=True) as client:
        for run in runs:
            client.set_flow_run_state(run, Cancelling(message=_SAID))
        until = time.monotonic() + patience_s
        while (left := [run for run in runs if not _ended(client, run)]) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        for run in left:
            client.set_flow_run_state(run, Cancelled(message=_SAID), force=True)


def _ended(client: SyncPrefectClient, run: UUID) -> bool:
    state = client.read_flow_run(run).state
    return state is not None and state.is_final()
