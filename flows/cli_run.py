"""The commands that run a flow: `run initial` and `run core`; and how a flow is run and its summary shown."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli_errors import Terminal, heading, shown, table

if TYPE_CHECKING:
    from sync.report import RunReport
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

    return run_flow(terminal, connector, INITIAL_FLOW, initial_sync, **options)


def initial_sync() -> Callable[..., str]:
    """Imports that flow. Not earlier: Prefect reads its settings when it is imported."""
    from flows.initial_sync import initial_sync as flow

    return flow


def run_flow(
    terminal: Terminal,
    connector: str,
    flow_name: str,
    load_flow: Callable[[], Callable[..., str]],
    progress: Callable[[bool], AbstractContextManager[None]] | None = None,
    **options: Any,
) -> tuple[str, float]:
    """Runs a flow in a flow engine of its own; gives the run and the seconds it took. For the arguments see `in_engine`."""
    from tasks.engine import load_gate
    from tasks.operate import INITIAL_FLOW, data_dir, not_at_work

    data_dir(terminal.config)  # before the lock is looked for in it
    not_at_work(terminal.config, flow_name, connector)
    since = time.monotonic()
    gate = [load_gate] if flow_name == INITIAL_FLOW else []  # a run that finds nothing to do needs none, and most find nothing
    with engine(terminal, load_flow, *gate):
        run_id, _ = in_engine(terminal, connector, load_flow, progress, **options)
    return run_id, time.monotonic() - since


@contextmanager
def engine(terminal: Terminal, *loading: Callable[[], object]) -> Iterator[None]:
    """A flow engine while the block lasts; `loading` is done while it starts, in this order."""
    from tasks.engine import flow_engine, log_file
    from tasks.operate import data_dir

    home = data_dir(terminal.config)
    terminal.log = log_file(home)
    click.echo(f"Starting the flow engine{' …' if sys.stderr.isatty() else ''}", err=True)

    def load() -> None:
        for each in loading:
            each()

    with flow_engine(home, verbose=terminal.verbose, meanwhile=load):
        yield


def in_engine(
    terminal: Terminal,
    connector: str,
    load_flow: Callable[[], Callable[..., str]],
    progress: Callable[[bool], AbstractContextManager[None]] | None = None,
    **options: Any,
) -> tuple[str, float]:
    """Runs a flow in the engine that is there; gives the run and the seconds it took. `options` are the flow's own.

    `load_flow` imports the flow, once the engine's settings are there. `progress`: shows how far it is, told whether logs share the
    terminal; by default a bar per kind.
    """
    from tasks.operate import last_run
    from tasks.stopping import stoppable
    from tasks.terminal import progress_shown

    before = last_run(terminal.config, connector)
    since = time.monotonic()
    flow = load_flow()
    click.echo(f"Syncing {connector}", err=True)
    with _naming_report(terminal, connector, before), stoppable(_say_stopping) as stopping:
        terminal.stopping = stopping
        with (progress or (lambda plain: progress_shown(plain=plain)))(terminal.verbose):
            run_id = flow(connector, config=terminal.config, **options)
    return run_id, time.monotonic() - since


def _say_stopping() -> None:
    click.echo("Stopping after the page that is under way; Ctrl-C once more ends at once …", err=True)


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
    from tasks.operate import report_of

    report, page = report_of(terminal.config, run_id)
    show_report(report, took)
    show_places(terminal, report, {"Quality report": page})


def show_places(terminal: Terminal, report: RunReport, pages: Mapping[str, Path], *steps: str) -> None:
    """Where things lie, and what to type next: what the run proposes, and `steps` (see `sync.report.step_parts`)."""
    from sync.report import step_parts
    from tasks.operate import market_place

    heading("Where things are")
    click.echo(f"  Market           {shown(market_place(terminal.config))}")
    for name, page in pages.items():
        click.echo(f"  {name:<14}   {shown(page)}")
    heading("What to type next")
    for command, meaning in map(step_parts, (*report.next_steps, *steps)):
        click.echo(f"  {click.style(command, fg='cyan')}\n      {meaning}")


def show_report(report: RunReport, took: float) -> None:
    """What came, what was held back and why, whether the counts agree."""
    from sync.report import headline

    click.echo("\n" + click.style(headline(report), bold=True, fg="green") + click.style(f"  ({took:.0f} s)", dim=True))
    _show_counts(report)
    _show_held(report)
    _show_verification(report)
    _show_findings(report)


def _show_counts(report: RunReport) -> None:
    """One line per kind; what was fetched on the side for another kind is added to its own kind's line."""
    from sync.records import PULL_ORDER

    custom = sorted({part.kind for part in report.parcels if part.kind.is_custom}, key=lambda kind: kind.place)
    rows, names = [], ("read", "inserted", "updated", "unchanged", "held")
    for kind in (*PULL_ORDER, *custom):
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
