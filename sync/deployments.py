"""The deployments of one installation: which flow runs how often, for which connector, and what each is called on a Prefect server.

This table is the one definition: `marketsync up` and `marketsync deploy` make deployments from it, and prefect.yaml is written from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

POOL = "marketsync"
"""The work pool, and the tag of everything that is ours."""

ANCHOR = "2026-01-01T00:00:00+00:00"
"""Where intervals are counted from. Fixed, so that a schedule keeps its minutes when it is deployed again."""

ENVIRONMENT = {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
"""What every run needs, whoever started its worker: without heartbeats a run that lives would pass for dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """One flow and how often it runs, UTC. `every_s`: seconds between two starts, counted from ANCHOR; neither that nor `cron`: by hand.
    `alone`: a second start is skipped while a run is at work (FLOW-1)."""

    flow: str
    entrypoint: str
    name: str
    description: str
    tags: tuple[str, ...]
    every_s: int | None = None
    cron: str | None = None
    alone: bool = True


CADENCES = (
    Cadence(
        flow="initial-sync",
        entrypoint="flows.initial_sync.initial_sync",
        name="on-demand",
        description="Everything that the CRM has, once per connector. Stopped, it goes on where it stopped.",
        tags=("pull",),
    ),
    Cadence(
        flow="initial-sync-partition",
        entrypoint="flows.initial_sync_partition.initial_sync_partition",
        name="on-demand",
        description="One share of a large kind. An initial sync starts as many as the setting partitions says; nobody has to.",
        tags=("pull",),
        alone=False,
    ),
    Cadence(
        flow="core-sync",
        entrypoint="flows.core_sync.core_sync",
        name="every-20-minutes",
        description="What changed in the CRM since the last run; then opt-outs and scores go to the CRM.",
        tags=("pull", "push"),
        every_s=1_200,
    ),
    Cadence(
        flow="email-activity-sync",
        entrypoint="flows.email_activity_sync.email_activity_sync",
        name="every-10-minutes",
        description="Mails that were sent, opened and clicked go to the CRM.",
        tags=("push",),
        every_s=600,
    ),
    Cadence(
        flow="time-sensitive-sync",
        entrypoint="flows.time_sensitive_sync.time_sensitive_sync",
        name="every-2-minutes",
        description="Opt-outs, new leads, record updates, tasks, visits, completions and registrations go to the CRM.",
        tags=("push",),
        every_s=120,
    ),
    Cadence(
        flow="reconciliation",
        entrypoint="flows.reconcile.reconciliation",
        name="daily",
        description="Market and CRM are compared slice by slice, for changes that left no trace.",
        tags=("pull",),
        cron="30 2 * * *",
    ),
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One cadence for one connector, by the name that it has on the server."""

    cadence: Cadence
    connector: str
    name: str

    @property
    def full_name(self) -> str:
        """As it is started: `prefect deployment run core-sync/every-20-minutes`."""
        return f"{self.cadence.flow}/{self.name}"

    @property
    def tags(self) -> tuple[str, ...]:
        """By the connector's tag the UI shows one CRM alone."""
        return (POOL, *self.cadence.tags, self.connector)


def deployments_of(connectors: Sequence[str], there: Iterable[tuple[str, str, str]] = ()) -> tuple[Deployment, ...]:
    """Every cadence for every connector, in the order of the file. `there`: (flow, name, connector) of what the server has already.

    One rule for names: the first connector has the plain cadence, every other one has its own name behind it (`every-20-minutes-NAME`).
    A name that is given stays with its connector, so that neither a new connector nor another order moves a history or a schedule.
    """
    owners = {(flow, name): connector for flow, name, connector in there}
    return tuple(
        Deployment(cadence, connector, _name(cadence, connector, owners, first=number == 0))
        for number, connector in enumerate(connectors)
        for cadence in CADENCES
    )


def _name(cadence: Cadence, connector: str, owners: dict[tuple[str, str], str], *, first: bool) -> str:
    plain, own = cadence.name, f"{cadence.name}-{connector}"
    if connector in (owners.get((cadence.flow, plain)), owners.get((cadence.flow, own))):
        return plain if owners.get((cadence.flow, plain)) == connector else own
    return plain if first and (cadence.flow, plain) not in owners else own


def prefect_yaml(connectors: Sequence[str]) -> str:
    """prefect.yaml for `prefect deploy --all`, which knows nothing of marketsync: the same deployments, written out."""
    return _HEAD + "\n".join(_entry(each) for each in deployments_of(connectors))


_HEAD = f"""\
# Made from sync/deployments.py. For your connectors: `marketsync deploy --yaml > prefect.yaml`.
#
# The deployments of marketsync, for a Prefect server of your own. `marketsync deploy` makes the same ones, and leaves schedules alone that
# were changed in the UI; `prefect deploy` sets them back. In this folder, with PREFECT_API_URL set:
#
#     prefect work-pool create --type process {POOL}
#     prefect deploy --all
#     prefect worker start --pool {POOL}
#
# Give `connector` the name of yours. The worker must find the configuration: MARKETSYNC_CONFIG, or marketsync.toml in the folder where it
# works. A second start of the same flow is skipped, not queued (FLOW-1); only the shares of one large load run beside each other.
name: marketsync

definitions:
  work_pool: &work_pool
    name: {POOL}
    job_variables:
      env: {{{", ".join(f'{name}: "{value}"' for name, value in ENVIRONMENT.items())}}}
  one_at_a_time: &one_at_a_time
    limit: 1
    collision_strategy: CANCEL_NEW

deployments:
"""


def _entry(each: Deployment) -> str:
    connector = f'"{each.connector}"'  # quoted: one may be called "no", which YAML takes for a truth value
    lines = [
        f"  - name: {each.name}",
        f"    entrypoint: {each.cadence.entrypoint}",
        f"    description: {each.cadence.description}",
        f"    tags: [{', '.join(each.tags[:-1])}, {connector}]",
        f"    parameters: {{connector: {connector}}}",
        "    work_pool: *work_pool",
        *(["    concurrency_limit: *one_at_a_time"] if each.cadence.alone else []),
    ]
    if each.cadence.every_s or each.cadence.cron:
        lines += ["    schedules:", f"      - slug: {each.cadence.name}"]
    if each.cadence.every_s:
        lines += [f"        interval: {each.cadence.every_s}", f'        anchor_date: "{ANCHOR}"', "        timezone: UTC"]
    if each.cadence.cron:
        lines += [f'        cron: "{each.cadence.cron}"', "        timezone: UTC"]
    return "\n".join(lines) + "\n"


def schedule_in_words(every_s: float | None, cron: str | None, *, active: bool) -> str:
    """How often a deployment runs, for a person."""
    if every_s is not None:
        minutes = every_s / 60
        said = f"every {minutes:g} minutes" if minutes != 1 else "every minute"
        said = f"every {minutes / 60:g} hours" if minutes > 60 and minutes % 60 == 0 else said
    elif cron is not None:
        minute, hour, *rest = cron.split()
        daily = minute.isdigit() and hour.isdigit() and rest == ["*", "*", "*"]
        said = f"daily at {int(hour):02d}:{int(minute):02d} UTC" if daily else f"cron {cron}"
    else:
        return "when somebody starts it"
    return said if active else f"paused ({said})"
