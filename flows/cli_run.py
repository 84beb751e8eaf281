"""The commands that run a flow: `run initial`, and the demo."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli_errors import Terminal, heading, shown, table

if TYPE_CHECKING:
    from sync.report import RunReport
    from tasks.demo import DemoSize
    from tasks.operate import LastRun

_FINDINGS = 6

connector_option = click.option("--connector", metavar="NAME", help="Which connector; needed only if several are configured.")


@click.group(short_help="Run a sync.")
def run() -> None:
    """Run a sync."""


@run.command(short_help="Bring everything that a CRM has into Market.")
@connector_option
@click.option("--again", is_flag=True, help="Read everything once more although the initial sync is complete. Equal rows are not written.")
@click.option(
    "--files", metavar="DIR", help="Read leads.csv, contacts.parquet … from this folder; a kind without a file comes from the CRM."
)
@click.option("--exported-at", metavar="INSTANT", help="When that export began, such as 2026-01-31T08:00:00Z.")
@click.pass_obj
def initial(terminal: Terminal, connector: str | None, again: bool, files: str | None, exported_at: str | None) -> None:
    """Bring everything that a CRM has into Market, and explain every difference.

    Users, accounts, leads, contacts, opportunities, in this order; each is staged, checked, and only then committed. A run that was stopped
    goes on where it stopped: type the same command again. Rows that fail their checks are held back (`marketsync quarantine list`).
    """
    from tasks.operate import completed_at, connector_named

    name = connector_named(terminal.config, connector)
    done = completed_at(terminal.config, name)
    if done is not None and not again:
        click.echo(
            f"The initial sync of {name} was completed on {done:%-d %B %Y, %H:%M} UTC. Nothing to do; --again reads everything once more."
        )
        return
    run_id, took = run_initial(terminal, name, again=again, files=files, exported_at=exported_at)
    show_run(terminal, run_id, took)


def run_initial(terminal: Terminal, connector: str, **options: Any) -> tuple[str, float]:
    """Runs the initial sync with its progress on the terminal; gives the run and the seconds it took. `options` are the flow's own."""
    from tasks.operate import INITIAL_FLOW

    return run_flow(terminal, connector, INITIAL_FLOW, _initial_sync, **options)


def _initial_sync() -> Callable[..., str]:
    from flows.initial_sync import initial_sync  # not earlier: Prefect reads its settings when it is imported

    return initial_sync


def run_flow(
    terminal: Terminal,
    connector: str,
    flow_name: str,
    load_flow: Callable[[], Callable[..., str]],
    progress: Callable[[bool], AbstractContextManager[None]] | None = None,
    **options: Any,
) -> tuple[str, float]:
    """Runs a flow in a flow engine of its own; gives the run and the seconds it took. `options` are the flow's own.

    `load_flow` imports the flow, once the engine's settings are there. `progress`: shows how far it is, told whether logs share the
    terminal; by default a bar per kind.
    """
    from tasks.engine import flow_engine, load_gate, log_file
    from tasks.operate import INITIAL_FLOW, data_dir, last_run, not_at_work
    from tasks.stopping import stoppable
    from tasks.terminal import progress_shown

    home = data_dir(terminal.config)
    terminal.log = log_file(home)
    not_at_work(terminal.config, flow_name, connector)
    before = last_run(terminal.config, connector)
    since = time.monotonic()
    click.echo(f"Starting the flow engine{' …' if sys.stderr.isatty() else ''}", err=True)
    gate = load_gate if flow_name == INITIAL_FLOW else None  # a run that finds nothing to do needs none, and most find nothing
    with flow_engine(home, verbose=terminal.verbose, meanwhile=lambda: _load(load_flow, gate)):
        flow = load_flow()
        click.echo(f"Syncing {connector}", err=True)
        with _naming_report(terminal, connector, before), stoppable(_say_stopping) as stopping:
            terminal.stopping = stopping
            with (progress or (lambda plain: progress_shown(plain=plain)))(terminal.verbose):
                run_id = flow(connector, config=terminal.config, **options)
    return run_id, time.monotonic() - since


def _say_stopping() -> None:
    click.echo("Stopping after the page that is under way; Ctrl-C once more ends at once …", err=True)


def _load(load_flow: Callable[[], object], gate: Callable[[], None] | None) -> None:
    load_flow()
    if gate is not None:
        gate()


@contextmanager
def _naming_report(terminal: Terminal, connector: str, before: LastRun | None) -> Iterator[None]:
    """A run that fails has a report all the same: says where, before the error is told."""
    from tasks.operate import last_run

    try:
        yield
    except BaseException:
        after = last_run(terminal.config, connector)
        if after is not None and after.report and (before is None or after.run_id != before.run_id):
            click.echo(f"\nThe report of this run: {shown(after.report)}", err=True)
        raise


def show_run(terminal: Terminal, run_id: str, took: float) -> None:
    """The run's summary: what came, what was held back and why, whether the counts agree, where things lie, what to type next."""
    from sync.report import headline, step_parts
    from tasks.operate import market_place, report_of

    report, page = report_of(terminal.config, run_id)
    click.echo("\n" + click.style(headline(report), bold=True, fg="green") + click.style(f"  ({took:.0f} s)", dim=True))
    _show_counts(report)
    _show_held(report)
    _show_verification(report)
    _show_findings(report)
    heading("Where things are")
    click.echo(f"  Market           {shown(market_place(terminal.config))}")
    click.echo(f"  Quality report   {shown(page)}")
    heading("What to type next")
    for command, meaning in map(step_parts, report.next_steps):
        click.echo(f"  {click.style(command, fg='cyan')}\n      {meaning}")


def _show_counts(report: RunReport) -> None:
    """One line per kind; what was fetched on the side for another kind is added to its own kind's line."""
    from sync.records import PULL_ORDER

    rows, names = [], ("read", "inserted", "updated", "unchanged", "held")
    for kind in PULL_ORDER:
        parts = [part.counts for part in report.parcels if part.kind is kind]
        earlier = kind in report.earlier
        if parts or earlier:
            numbers = [f"{sum(getattr(part, name) for part in parts):,}" if parts else "" for name in names]
            rows.append([kind.plural, *numbers, "done in an earlier run" if earlier else ""])
    if rows:
        click.echo()
        table(["", "came", "new", "updated", "unchanged", "held back", ""], rows, left=frozenset({0, 6}))


def _show_held(report: RunReport) -> None:
    from sync.gate import Status

    held = [(part.kind.plural, check) for part in report.parcels for check in part.checks if check.status is Status.HELD]
    if held:
        heading("Held back, and why")
        for title in dict.fromkeys(check.title for _, check in held):
            same = [(kind, check) for kind, check in held if check.title == title]
            where = ", ".join(f"{check.failed:,} {kind}" for kind, check in same)
            click.echo(f"  {title}: not so in {where}.\n      {click.style(same[0][1].reason, dim=True)}")


def _show_verification(report: RunReport) -> None:
    if report.verification:
        heading("CRM against Market")
        rows = [[line.kind.plural, f"{line.crm:,}", f"{line.market:,}", line.explanation] for line in report.verification]
        table(["", "CRM", "linked records", "what explains the difference"], rows, left=frozenset({0, 3}))


def _show_findings(report: RunReport) -> None:
    """The largest ones; the report's page has them all."""
    found = [*report.findings, *(finding for part in report.parcels for finding in part.findings)]
    if not found:
        return
    heading("Worth knowing")
    for finding in sorted(found, key=lambda each: -each.count)[:_FINDINGS]:
        named = finding.kind is None or finding.kind.plural in finding.message
        click.echo(f"  - {'' if named or finding.kind is None else f'{finding.kind.plural}: '}{finding.message}")
    if len(found) > _FINDINGS:
        click.echo(click.style(f"  … and {len(found) - _FINDINGS} more in the quality report", dim=True))


def _hidden_size(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(f"--{name}", type=click.IntRange(0), hidden=True)


@click.command(short_help="Show a whole sync against an invented CRM.")
@click.option("--folder", metavar="DIR", default="demo", show_default=True, help="Where the demo's configuration, Market and reports go.")
@_hidden_size("users")
@_hidden_size("accounts")
@_hidden_size("leads")
@_hidden_size("contacts")
@_hidden_size("opportunities")
@click.pass_obj
def demo(terminal: Terminal, /, folder: str, **sizes: int | None) -> None:
    """Show a whole initial sync against an invented SugarCRM on this machine.

    Starts a SugarCRM sandbox on a free loopback port, writes a configuration, brings about 20,000 records into a SQLite file, and ends the
    sandbox again. Needs no network. Every demo starts afresh.
    """
    from tasks.demo import CONNECTOR, DemoSize, clear_stage, demo_sandbox

    stage = Path(folder).resolve()
    size = DemoSize(**{name: count for name, count in sizes.items() if count is not None})
    terminal.advice = "The sandbox is gone too. `marketsync demo` starts afresh."
    clear_stage(stage)
    click.echo(f"Inventing a SugarCRM: {_sizes(size)}", err=True)
    with demo_sandbox(stage, size) as config:
        terminal.config_option = str(config)
        run_id, took = run_initial(terminal, CONNECTOR)
        show_run(terminal, run_id, took)
    query = "SELECT crm_type, count(*) FROM contacts WHERE deleted_date IS NULL AND merged_into IS NULL GROUP BY crm_type"
    command = f"""python3 -c "import sqlite3; print(*sqlite3.connect('{shown(stage / "market.db")}').execute('{query}'))\""""
    click.echo(f"  {click.style(command, fg='cyan')}\n      the Market itself is a SQLite file; any SQL tool opens it")


def _sizes(size: DemoSize) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in asdict(size).items())
