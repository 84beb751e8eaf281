"""Puts the deployments of every connector on a Prefect server, and leaves alone what somebody changed there: schedules, pauses, options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sync.deployments import ANCHOR, ENVIRONMENT, POOL, Cadence, Deployment, deployments_of, schedule_in_words
from sync.errors import ConfigError
from sync.records import Kind
from tasks.operate import connectors_named, kinds_of

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

Form = dict[str, Any]
"""What the UI asks before a run, as JSON schema."""

LEFT_BEHIND = "not-in-the-configuration"
HELD = "started-without-schedules"
_NOT_ADMITTED = (401, 403)
"""Tags of deployments that we paused, and why: what we paused we let go on; what somebody else paused stays paused."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """One deployment on the server, its schedule in words. `left_behind`: its connector is configured no more."""

    name: str
    connector: str
    schedule: str
    new: bool = False
    left_behind: bool = False


def ensure_pool(pool: str = POOL, at_once: int | None = None) -> bool:
    """Makes the process work pool if there is none; → whether it is new. `at_once`: most runs at a time, None: as it is.

    Raises ConfigError when the server wants to know who asks.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

    with get_client(sync_client=True) as client:
        try:
            there = client.read_work_pool(pool)
        except PrefectHTTPStatusError as error:
            if error.response.status_code not in _NOT_ADMITTED:
                raise
            todo = "Put NAME:PASSWORD, as the server has it, into PREFECT_API_AUTH_STRING."
            raise ConfigError("the Prefect server does not admit us", where=str(client.api_url), todo=todo) from error
        except ObjectNotFound:
            about = "Where the flows of marketsync run: each run is a process on the machine of the worker that takes it."
            client.create_work_pool(WorkPoolCreate(name=pool, type="process", description=about, concurrency_limit=at_once))
            return True
        if at_once is not None and there.concurrency_limit != at_once:
            client.update_work_pool(pool, WorkPoolUpdate(concurrency_limit=at_once))
        return False


def deploy(
    config: str,
    load: Callable[[str], Flow[..., Any]],
    *,
    pool: str = POOL,
    reset_schedules: bool = False,
    schedules: bool = True,
) -> tuple[Deployed, ...]:
    """Makes or updates the deployments of every connector in the configuration; → them, and those of connectors that are gone.

    `load` imports the flow of an entrypoint. A schedule that is there stays as it is unless `reset_schedules`. Without `schedules` the
    deployments are paused until they are deployed with them. What belongs to a connector that is configured no more is paused.
    """
    from prefect.client.orchestration import get_client

    connectors = connectors_named(config, None)

    def form(wanted: Deployment) -> Form:
        kinds = kinds_of(config, wanted.connector) if wanted.cadence.alone else ()  # shares name one that came since, too
        return _form(load(wanted.cadence.entrypoint), wanted.connector, kinds)

    with get_client(sync_client=True) as client:
        there = _there(client, pool)
        wanted = deployments_of(connectors, ((flow, name, _connector(found)) for (flow, name), found in there.items()))
        made = [
            _put(client, each, form(each), there.get((each.cadence.flow, each.name)), pool, reset_schedules, schedules) for each in wanted
        ]
        gone = {key: found for key, found in there.items() if _connector(found) not in connectors}
        return (*made, *(_leave_behind(client, flow, found) for (flow, _), found in gone.items()))


def _there(client: SyncPrefectClient, pool: str) -> dict[tuple[str, str], DeploymentResponse]:
    """(flow, name) → what has our tag and runs in this pool: another installation may share the server."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[POOL]))
    found: list[DeploymentResponse] = []
    while page := client.read_deployments(deployment_filter=ours, limit=200, offset=len(found)):
        found += page
    flows = {each.flow_id: each.flow_id for each in found}
    names = {flow_id: client.read_flow(flow_id).name for flow_id in flows}
    return {(names[each.flow_id], each.name): each for each in found if each.work_pool_name == pool}


def _connector(found: DeploymentResponse) -> str:
    return str((found.parameters or {}).get("connector", ""))


def _put(
    client: SyncPrefectClient,
    wanted: Deployment,
    form: Form,
    found: DeploymentResponse | None,
    pool: str,
    reset_schedules: bool,
    schedules: bool,
) -> Deployed:
    if found is None:
        _create(client, wanted, form, pool, paused=not schedules)
    else:
        _update(client, wanted, form, found, reset_schedules, schedules)
    return _told(wanted.full_name, client.read_deployment_by_name(wanted.full_name), new=found is None)


def _create(client: SyncPrefectClient, wanted: Deployment, form: Form, pool: str, *, paused: bool) -> None:
    client.create_deployment(
        flow_id=client.create_flow_from_name(wanted.cadence.flow),
        name=wanted.name,
        entrypoint=wanted.cadence.entrypoint,
        description=wanted.cadence.description,
        tags=[*wanted.tags, *([HELD] if paused else [])],
        parameters={"connector": wanted.connector},
        parameter_openapi_schema=form,
        enforce_parameter_schema=True,
        work_pool_name=pool,
        job_variables={"env": ENVIRONMENT},
        paused=paused,
        schedules=_schedules(wanted.cadence),
        **_one_at_a_time(wanted.cadence),
    )


def _update(client: SyncPrefectClient, wanted: Deployment, form: Form, found: DeploymentResponse, reset: bool, schedules: bool) -> None:
    """What is not named here stays: schedules above all, and what the operator added to parameters, tags and environment."""
    from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate

    tags = [*dict.fromkeys((*wanted.tags, *(tag for tag in found.tags if tag not in (HELD, LEFT_BEHIND))))]
    changed: dict[str, Any] = {"paused": True} if not schedules else {}
    if schedules and {HELD, LEFT_BEHIND} & {*found.tags}:
        changed = {"paused": False}
    if not schedules and (HELD in found.tags or not found.paused):
        tags.append(HELD)
    if reset:
        made = _schedules(wanted.cadence)
        changed["schedules"] = [DeploymentScheduleUpdate(schedule=each.schedule, active=True, slug=each.slug) for each in made]
    variables = found.job_variables or {}
    update = DeploymentUpdate(
        entrypoint=wanted.cadence.entrypoint,
        description=wanted.cadence.description,
        tags=tags,
        parameters={**(found.parameters or {}), "connector": wanted.connector},
        parameter_openapi_schema=form,
        enforce_parameter_schema=True,
        job_variables={**variables, "env": {**variables.get("env", {}), **ENVIRONMENT}},
        **_one_at_a_time(wanted.cadence),
        **changed,
    )
    client.update_deployment(found.id, update)


def _form(flow: Flow[..., Any], connector: str, kinds: tuple[Kind, ...]) -> Form:
    """The run form of the UI, made of the flow's docstring. The connector is no free choice: each has its own deployment."""
    from prefect.utilities.callables import parameter_schema

    schema = parameter_schema(flow).model_dump_for_openapi()
    schema["properties"] = {name: _field(told) for name, told in schema["properties"].items()}
    schema["properties"]["connector"]["enum"] = [connector]
    if kinds and "kind" in schema["properties"]:
        schema["properties"]["kind"]["enum"] = [kind.value if kind.is_custom else kind.plural for kind in kinds]
    return schema


def _field(told: dict[str, Any]) -> dict[str, Any]:
    """What may be left out is a plain field that stays empty; the UI would ask first whether it is text or "None"."""
    kinds = [each for each in told.get("anyOf", ()) if each != {"type": "null"}]
    if len(kinds) != 1:
        return told
    return {**{name: value for name, value in told.items() if name not in ("anyOf", "default")}, **kinds[0]}


def _one_at_a_time(cadence: Cadence) -> dict[str, Any]:
    """FLOW-1, where a person sees it: a second start is cancelled by the server, before a process is made for it."""
    if not cadence.alone:
        return {}
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions

    return {"concurrency_limit": 1, "concurrency_options": ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)}


def _schedules(cadence: Cadence) -> list[Any]:
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule

    schedule: IntervalSchedule | CronSchedule
    if cadence.every_s is not None:
        anchor = datetime.fromisoformat(ANCHOR)
        schedule = IntervalSchedule(interval=timedelta(seconds=cadence.every_s), anchor_date=anchor, timezone="UTC")
    elif cadence.cron is not None:
        schedule = CronSchedule(cron=cadence.cron, timezone="UTC")
    else:
        return []
    return [DeploymentScheduleCreate(schedule=schedule, active=True, slug=cadence.name)]


def _leave_behind(client: SyncPrefectClient, flow: str, found: DeploymentResponse) -> Deployed:
    from prefect.client.schemas.actions import DeploymentUpdate

    if not found.paused:
        client.update_deployment(found.id, DeploymentUpdate(paused=True, tags=[*found.tags, LEFT_BEHIND]))
    return Deployed(f"{flow}/{found.name}", _connector(found), "paused", left_behind=True)


def _told(name: str, found: DeploymentResponse, *, new: bool) -> Deployed:
    words = [
        schedule_in_words(
            each.schedule.interval.total_seconds() if hasattr(each.schedule, "interval") else None,
            getattr(each.schedule, "cron", None),
            active=each.active and not found.paused,
        )
        for each in found.schedules
    ]
    return Deployed(name, _connector(found), ", ".join(words) or schedule_in_words(None, None, active=True), new)


def start_initial_syncs(connectors: Sequence[str], deployed: Sequence[Deployed]) -> None:
    """Starts the initial sync of these connectors on the server. One that is at work already goes on; the second start is skipped."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for each in deployed:
            if each.connector in connectors and each.name.startswith("initial-sync/"):
                client.create_flow_run_from_deployment(client.read_deployment_by_name(each.name).id)
