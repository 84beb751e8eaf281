"""The initial sync of a large kind on several workers: each reads a share of the streams, and the run that started them takes them in.

Who works where is decided by the Prefect server: a share is a flow run of its own, in the work pool of the initial sync. What a share
has staged lies in the data directory, which all workers have to share; nothing of it is ever asked for again (INIT-7).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from prefect import runtime
from prefect.states import Cancelled

from adapters.staging import Parcel
from adapters.staging.shares import make_shares, take_shares
from sync.crm import Crm
from sync.partitions import ShareEnd, failure_of, is_large, split, undivided
from sync.records import Kind, ParcelRef, ReadRequest, RunRef, Stream
from tasks.operate import PARTITION_FLOW
from tasks.progress import Step, tell
from tasks.report import note_findings
from tasks.wiring import installation, settings_of

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse

LOOK_S = 2.0
UNTAKEN_S = 300.0
"""So long a share may wait for a worker while no other one is at work; then the run that started it reads by itself what it was to read."""

UNTAKEN = "Not taken"
"""The name of the state of such a share; its type is Cancelled."""


def read_in_shares(run: RunRef, crm: Crm, request: ReadRequest, ref: ParcelRef, total: int | None) -> None:
    """Has workers read a large kind, each a share, and takes in what was staged. What is left after that the run reads by itself.

    Shares that an earlier, stopped run left are taken in first, whatever is set now. Raises ShareFailed if one failed or died;
    StagingFailed while another process fills one.
    """
    home, connector, kind = installation(run.config), settings_of(run), request.kind
    large = is_large(connector, total)
    workers = _workers(run, kind) if large else None
    rows = 0

    def seen() -> None:
        tell(Step(run.run_id, kind.value, "extract", rows, total))

    if workers is not None:
        ended(workers.at_work(kind), seen)  # those of a run that was stopped go on without it
    streams = crm.streams(request)
    with home.parcels.open(ref, filling=True) as parcel:
        take_shares(home.parcels, parcel)
        left, rows = _left(parcel, streams), parcel.rows()
    if workers is None or len(left) < 2:
        if large and len(streams) < 2:
            _note(run, kind, "the CRM hands them out in one stream.")
        return
    with home.parcels.open(ref) as parcel:
        shares = make_shares(home.parcels, parcel, split(left, connector.partitions))
    runs = ended([workers.start(kind, number, share) for number, share in enumerate(shares, 1)], seen)
    _judge(run, kind, runs)
    with home.parcels.open(ref, filling=True) as parcel:
        take_shares(home.parcels, parcel)


def _left(parcel: Parcel, streams: Sequence[Stream]) -> dict[str, str | None]:
    """The streams that have not ended, and where they go on."""
    progress = parcel.progress()
    known = {stream.name: progress.get(stream.name) for stream in streams}
    return {name: found.position if found else None for name, found in known.items() if found is None or not found.ended}


def _note(run: RunRef, kind: Kind, why: str) -> None:
    note_findings(run, [undivided(kind, settings_of(run).partitions, why)])


def _judge(run: RunRef, kind: Kind, runs: Sequence[FlowRun]) -> None:
    """Raises ShareFailed for those that did not come to their end; what nobody took is told and no failure."""
    states = [each.state for each in runs]
    failed = [
        ShareEnd(number, str(each.id), state.name or "", state.message or "")
        for number, (each, state) in enumerate(zip(runs, states, strict=True), 1)
        if state is not None and not state.is_completed() and state.name != UNTAKEN
    ]
    if failed:
        raise failure_of(run.connector, kind, len(runs), failed)
    untaken = sum(state is not None and state.name == UNTAKEN for state in states)
    if untaken:
        _note(run, kind, f"no worker took {untaken} of them within {UNTAKEN_S / 60:g} minutes; is the limit of the work pool too low?")


class _Workers:
    """The deployment whose runs read shares. `config`: the configuration file, if the initial sync was told it."""

    def __init__(self, deployment: DeploymentResponse, config: str | None) -> None:
        self._id = deployment.id
        self._config = {"config": config} if config else {}

    def start(self, kind: Kind, number: int, share: ParcelRef) -> UUID:
        from prefect.deployments import run_deployment

        asked = {"kind": _word(kind), "number": number, "share": share.parcel_id, **self._config}
        name = f"share {number} of {_word(kind)} of {share.connector}"
        made: Any = run_deployment(self._id, parameters=asked, flow_run_name=name, timeout=0)
        return UUID(str(made.id))

    def at_work(self, kind: Kind) -> list[UUID]:
        """The runs that read shares of this kind now, or are about to."""
        from prefect.client.orchestration import get_client
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId, FlowRunFilterState, FlowRunFilterStateType

        living = FlowRunFilterState(type=FlowRunFilterStateType(not_any_=_final()))
        wanted = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[self._id]), state=living)
        with get_client(sync_client=True) as client:
            found = client.read_flow_runs(flow_run_filter=wanted, limit=200)
        return [each.id for each in found if each.parameters.get("kind") == _word(kind)]


def _word(kind: Kind) -> str:
    """As the run form of the UI names kinds."""
    return kind.value if kind.is_custom else kind.plural


def _final() -> list[Any]:
    from prefect.client.schemas.objects import TERMINAL_STATES

    return sorted(TERMINAL_STATES)


def _workers(run: RunRef, kind: Kind) -> _Workers | None:
    """None, and the report says why: nobody could take a share."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName

    mine = runtime.deployment.id
    if not mine:
        _note(run, kind, "only a run that a Prefect server started from its deployment has workers beside it.")
        return None
    with get_client(sync_client=True) as client:
        pool = client.read_deployment(UUID(mine)).work_pool_name
        found = client.read_deployments(flow_filter=FlowFilter(name=FlowFilterName(any_=[PARTITION_FLOW])), limit=200)
    for each in found:
        if each.work_pool_name == pool and (each.parameters or {}).get("connector") == run.connector:
            return _Workers(each, runtime.flow_run.parameters.get("config"))
    _note(run, kind, f"the work pool {pool} has no deployment {PARTITION_FLOW} for {run.connector}; `marketsync deploy` makes it.")
    return None


def ended(runs: Sequence[UUID], seen: Callable[[], None], untaken_s: float = UNTAKEN_S) -> list[FlowRun]:
    """Waits until all of these have ended; `seen` is called meanwhile.

    Those that no worker takes within `untaken_s` while none of them is at work end as Not taken: a pool that has room for one run at a
    time, the one that waits here, would never take them.
    """
    from prefect.client.orchestration import get_client

    idle_since = time.monotonic()
    with get_client(sync_client=True) as client:
        while True:
            found = [client.read_flow_run(each) for each in runs]
            if all(each.state is not None and each.state.is_final() for each in found):
                return found
            seen()
            if any(each.state is not None and each.state.is_running() for each in found):
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > untaken_s:
                _give_up(client, found)
            time.sleep(LOOK_S)


def _give_up(client: SyncPrefectClient, runs: Sequence[FlowRun]) -> None:
    told = "No worker took it; the initial sync that started it reads its records by itself."
    for each in runs:
        if each.state is not None and (each.state.is_scheduled() or each.state.is_pending()):
            client.set_flow_run_state(each.id, Cancelled(name=UNTAKEN, message=told))
