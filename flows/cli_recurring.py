"""The commands that run a recurring flow: `run core`, `run emails`, `run time-sensitive`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal
from flows.cli_run import connector_option, run_flow, show_run
from flows.cli_run import run as run

if TYPE_CHECKING:
    from sync.records import Kind


@run.command(short_help="Bring what changed in the CRM since the last run into Market.")
@connector_option
@click.pass_obj
def core(terminal: Terminal, connector: str | None) -> None:
    """Bring what changed in the CRM since the last run into Market: fields, records, opt-outs, deletions. Opt-outs and scores go out.

    Made to run every 20 minutes; costs one call per object when nothing changed. Needs a completed initial sync.
    """
    from tasks.operate import CORE_FLOW

    _run_recurring(terminal, connector, CORE_FLOW, _core_sync)


@run.command(short_help="Tell the CRM which mails were sent, opened and clicked.")
@connector_option
@click.pass_obj
def emails(terminal: Terminal, connector: str | None) -> None:
    """Tell the CRM which mails people got, opened and clicked: what waits in the outbox, in batches of 500.

    Made to run every 10 minutes; makes no call when nothing waits. Needs a completed initial sync. Which of them go out, and where they
    land, is set in [connectors.NAME.push] and [connectors.NAME.sinks].
    """
    from sync.push import EMAIL_ACTIVITY
    from tasks.operate import EMAIL_FLOW

    _run_recurring(terminal, connector, EMAIL_FLOW, _email_activity_sync, EMAIL_ACTIVITY)


@run.command("time-sensitive", short_help="Tell the CRM what must not wait: opt-outs, new leads, tasks, visits.")
@connector_option
@click.pass_obj
def time_sensitive(terminal: Terminal, connector: str | None) -> None:
    """Tell the CRM what must not wait: opt-outs first, then new leads and record updates, then tasks, visits, completions, registrations.

    Made to run every 2 minutes; makes no call when nothing waits. Needs a completed initial sync. What goes out is set in
    [connectors.NAME.push].
    """
    from sync.push import TIME_SENSITIVE
    from tasks.operate import TIME_SENSITIVE_FLOW

    _run_recurring(terminal, connector, TIME_SENSITIVE_FLOW, _time_sensitive_sync, TIME_SENSITIVE)


def _run_recurring(
    terminal: Terminal, connector: str | None, flow_name: str, load_flow: Callable[[], Callable[..., str]], pushed: Sequence[Kind] = ()
) -> None:
    """Runs it, and shows what it did: a report, or one line. `pushed`: of a flow that only pushes, what."""
    from tasks.operate import connector_named
    from tasks.recurring import has_report, pulse_line, refuse_too_early

    name = connector_named(terminal.config, connector)
    refuse_too_early(terminal.config, name, flow_name)
    if pushed and _was_idle(terminal, flow_name, name, pushed):
        return
    run_id, took = run_flow(terminal, name, flow_name, load_flow)
    if has_report(terminal.config, run_id):
        show_run(terminal, run_id, took)
    else:
        _say(pulse_line(terminal.config, flow_name, name), took)


def _was_idle(terminal: Terminal, flow_name: str, connector: str, pushed: Sequence[Kind]) -> bool:
    """Nothing waits, and nobody watches: then the run has come to its end before a flow engine, which takes seconds, would be there.

    Where the environment names a Prefect server the run is to be seen there, whatever it does.
    """
    from tasks.engine import has_server
    from tasks.idle import whole_idle_run

    since = time.monotonic()
    said = None if has_server() else whole_idle_run(terminal.config, flow_name, connector, pushed)
    if said is not None:
        _say(said, time.monotonic() - since)
    return said is not None


def _say(told: str, took: float) -> None:
    click.echo("\n" + click.style(told, bold=True, fg="green") + click.style(f"  ({took:.0f} s)", dim=True))


def _email_activity_sync() -> Callable[..., str]:
    from flows.email_activity_sync import email_activity_sync  # not earlier: Prefect reads its settings when it is imported

    return email_activity_sync


def _time_sensitive_sync() -> Callable[..., str]:
    from flows.time_sensitive_sync import time_sensitive_sync  # not earlier: Prefect reads its settings when it is imported

    return time_sensitive_sync


def _core_sync() -> Callable[..., str]:
    from flows.core_sync import core_sync  # not earlier: Prefect reads its settings when it is imported

    return core_sync
