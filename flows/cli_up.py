"""`up`: a server, its deployments and a worker here, until Ctrl-C; `deploy`: the deployments alone, on a server of your own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from flows.cli_errors import Terminal, heading, shown, table, typed
from sync.deployments import CADENCES, POOL, prefect_yaml
from sync.errors import ConfigError
from tasks.engine import API_VARIABLE

if TYPE_CHECKING:
    from prefect import Flow

    from tasks.up import Place, Workers
    from tasks.up_deploy import Deployed

_PORT = 4200
DATABASE_VARIABLE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"

pool_option = click.option("--pool", metavar="NAME", default=POOL, show_default=True, help="The work pool; made if there is none.")
reset_option = click.option(
    "--reset-schedules", is_flag=True, help="Set schedules back that were changed or paused in the UI; otherwise they are left alone."
)


@click.command(short_help="Run everything on a schedule, on this machine, until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True, help="Where the server listens, on loopback.")
@click.option(
    "--reports-port", type=click.IntRange(1, 65535), help="Where the quality reports are shown. Not given: the port after the server's."
)
@click.option("--workers", type=click.IntRange(1, 32), default=1, show_default=True, help="How many workers to start.")
@click.option("--at-once", type=click.IntRange(1), metavar="N", help="Most runs at a time, over all workers. Not given: as it is.")
@click.option("--initial", is_flag=True, help="Start the initial sync of every connector that has none yet.")
@click.option("--no-schedules", is_flag=True, help="Pause every deployment: flows run when somebody starts them. Until the next `up`.")
@reset_option
@pool_option
@click.pass_obj
def up(
    terminal: Terminal,
    port: int,
    reports_port: int | None,
    workers: int,
    at_once: int | None,
    initial: bool,
    no_schedules: bool,
    reset_schedules: bool,
    pool: str,
) -> None:
    """Run everything on a schedule, on this machine, until Ctrl-C: a Prefect server with its UI, every connector's deployments, a worker.

    PREFECT_API_URL names a server that is there already; then none is started. PREFECT_SERVER_DATABASE_CONNECTION_URL names a PostgreSQL
    database for the server of our own, which otherwise keeps its runs in SQLite. Deployments that are there keep their schedules.
    """
    from tasks.operate import connectors_named, data_dir
    from tasks.recurring import without_initial_sync
    from tasks.up import keep_up, server_up, workers_up
    from tasks.up_telling import alerts_told

    connectors = _some(terminal, connectors_named(terminal.config, None))
    home = data_dir(terminal.config)
    waiting = without_initial_sync(terminal.config, connectors)
    with _told_to_end():
        click.echo("Starting the Prefect server", err=True)
        with server_up(home, port, _load_flows) as (place, server):
            from tasks.up_alerts import alert_automations
            from tasks.up_automations import ensure_automations
            from tasks.up_deploy import deploy, ensure_pool

            ensure_pool(pool, at_once)
            deployed = deploy(terminal.config, _flow, pool=pool, reset_schedules=reset_schedules, schedules=not no_schedules)
            ensure_automations(alert_automations(terminal.config, pool))
            with (
                _reports(home, place, reports_port or port + 1) as reports,
                workers_up(terminal.config, home, workers, pool, reports) as crew,
            ):
                _show(place, deployed, crew.logs, reports)
                _show_first_steps(terminal, place, waiting, deployed, start=initial)
                click.echo("\n" + click.style("Ctrl-C ends all of it.", bold=True))
                with suppress(KeyboardInterrupt), alerts_told(terminal.config, home):
                    keep_up(server, crew, place, _say_revived)
                _cancel_runs(place, crew)
    click.echo("All is down. Nothing is lost: the next `up` goes on.", err=True)


@click.command(short_help="Put the deployments of every connector on a Prefect server.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Only print a prefect.yaml with them, for `prefect deploy --all`.")
@reset_option
@pool_option
@click.pass_obj
def deploy(terminal: Terminal, as_yaml: bool, reset_schedules: bool, pool: str) -> None:
    """Put the deployments of every connector on the Prefect server that PREFECT_API_URL names, and what it does by itself about dead runs.

    Safe to repeat: what is there is brought up to date, and schedules that were changed in the UI stay. Start workers with
    `prefect worker start --pool marketsync`, or use `up`, which does it all.
    """
    from tasks.engine import NO_TELEMETRY, has_server, wait_for_server
    from tasks.operate import connectors_named

    connectors = _some(terminal, connectors_named(terminal.config, None))
    if as_yaml:
        click.echo(prefect_yaml(connectors), nl=False)
        return
    if not has_server():
        raise ConfigError(
            "no Prefect server is named",
            where=API_VARIABLE,
            todo=f"Name it, as in {API_VARIABLE}=http://127.0.0.1:{_PORT}/api; or use `up`.",
        )
    os.environ.update({name: value for name, value in NO_TELEMETRY.items() if not os.environ.get(name)})
    wait_for_server(os.environ[API_VARIABLE], None, "Start that server, or name another.")
    from tasks.up_alerts import alert_automations
    from tasks.up_automations import ensure_automations
    from tasks.up_deploy import deploy as put
    from tasks.up_deploy import ensure_pool

    ensure_pool(pool)
    deployed = put(terminal.config, _flow, pool=pool, reset_schedules=reset_schedules)
    ensure_automations(alert_automations(terminal.config, pool))
    _show_deployments(deployed)


def _flow(entrypoint: str) -> Flow[..., Any]:
    module, _, name = entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(import_module(module), name)
    return flow


def _load_flows() -> None:
    for cadence in CADENCES:
        _flow(cadence.entrypoint)


def _some(terminal: Terminal, connectors: tuple[str, ...]) -> tuple[str, ...]:
    if not connectors:
        todo = "Add a table [connectors.NAME]; `marketsync init` shows what stands in it."
        raise ConfigError("no connector is configured", where=shown(terminal.config), todo=todo)
    return connectors


@contextmanager
def _told_to_end() -> Iterator[None]:
    """SIGTERM, as from a service manager, is heard like Ctrl-C; and Ctrl-C also where a shell in the background had it ignored."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reports(home: Path, place: Place, port: int) -> AbstractContextManager[str]:
    """Where browsers find the quality reports. With a server elsewhere that is for its operator to say."""
    from tasks.report import REPORTS_VARIABLE
    from tasks.report_server import reports_shown

    given = os.environ.get(REPORTS_VARIABLE, "")
    return reports_shown(home / "reports", port) if place.own and not given else nullcontext(given)


def _show(place: Place, deployed: Sequence[Deployed], logs: Sequence[Path], reports: str) -> None:
    click.echo("\n" + click.style("marketsync is up.", bold=True, fg="green"))
    click.echo(f"  UI      {click.style(place.ui, fg='cyan')}")
    if reports:
        click.echo(f"  Reports {click.style(reports, fg='cyan')}")
    click.echo(
        f"  Logs    {', '.join(shown(log) for log in ([place.log] if place.own else []) + [*logs])}; a run's are on its page in the UI"
    )
    if place.lite:
        click.echo(
            "  Runs    are kept in SQLite, which is enough for trying out and stalls under load. For PostgreSQL, set\n"
            f"          {DATABASE_VARIABLE}=postgresql://USER:PASSWORD@HOST/NAME"
        )
    _show_deployments(deployed)
    click.echo(
        "\n  Pause or change a schedule in the UI: Deployments, the deployment's page, Schedules. It stays so when `up` starts again."
    )


def _show_deployments(deployed: Sequence[Deployed]) -> None:
    heading("Deployments")
    table(
        ["connector", "deployment", "runs"],
        [[each.connector, each.name, each.schedule] for each in deployed if not each.left_behind],
        left=frozenset(range(3)),
    )
    for each in deployed:
        if each.left_behind:
            click.echo(click.style(f"  {each.name} is paused: {each.connector} is not in the configuration any more.", fg="yellow"))


def _show_first_steps(terminal: Terminal, place: Place, waiting: Sequence[str], deployed: Sequence[Deployed], *, start: bool) -> None:
    """FLOW-2: the recurring flows of these connectors are skipped until their initial sync has completed."""
    from tasks.up_deploy import start_initial_syncs

    if not waiting:
        return
    if start:
        start_initial_syncs(waiting, deployed)
    heading("What to do next")
    for name in waiting:
        click.echo(f"  The initial sync of {name} has not completed; until it has, its other flows are skipped (FLOW-2).")
    if start:
        click.echo("  It is started now; follow it in the UI, under Runs.")
        return
    first = next(each.name for each in deployed if each.connector == waiting[0])
    click.echo(f"  Start it in the UI ({first}, Run, Quick run), with `up --initial`, or from another terminal:")
    click.echo(click.style(f"      {API_VARIABLE}={place.api} prefect deployment run {first}", fg="cyan"))
    click.echo(click.style(f"      {typed(terminal, 'run initial')}", fg="cyan"))


def _cancel_runs(place: Place, crew: Workers) -> None:
    from tasks.engine import answers
    from tasks.up_stopping import cancel_runs, runs_in

    runs = runs_in(crew.started())
    click.echo("\nEnding the workers, then the server" + (", after the runs that are at work …" if runs else ""), err=True)
    if runs and answers(place.api, own=place.own):
        cancel_runs(runs)


def _say_revived(log: Path) -> None:
    click.echo(click.style(f"A worker had ended and was started anew; {shown(log)} says why.", fg="yellow"), err=True)
