"""The demo: an invented CRM, an initial sync of it, a day of marketing, and the recurring flows that carry both sides' news across."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, heading, shown, table, typed
from flows.cli_run import engine, in_engine, initial_sync, show_places, show_report

if TYPE_CHECKING:
    from sync.recording import Told
    from sync.recording_fields import Recordable
    from tasks.demo import DemoSize, Stage
    from tasks.demo_crm import DemoCrm, Meanwhile

STAYS = "The sandbox stays at work; Ctrl-C ends it."


def _hidden_size(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(f"--{name}", type=click.IntRange(0), hidden=True)


@click.command(short_help="Show both directions of a sync against an invented CRM.")
@click.option("--folder", metavar="DIR", default="demo", show_default=True, help="Where the demo's configuration, Market and reports go.")
@click.option("--stay", is_flag=True, help="Keep the invented CRM at work afterwards, until Ctrl-C, for trying more commands with it.")
@click.option("--crm", type=click.Choice(("sugarcrm", "salesforce")), default="sugarcrm", show_default=True, help="Which CRM is invented.")
@_hidden_size("users")
@_hidden_size("accounts")
@_hidden_size("leads")
@_hidden_size("contacts")
@_hidden_size("opportunities")
@click.pass_obj
def demo(terminal: Terminal, /, folder: str, stay: bool, crm: str, **sizes: int | None) -> None:
    """Show both directions of a sync against an invented CRM on this machine.

    Starts a sandbox of the CRM on a free loopback port, writes a configuration, and brings about 20,000 records into a SQLite file. Then a
    day of marketing is recorded (a campaign, visits, forms, an event, scores, tasks, opt-outs) while colleagues work in the CRM, and each
    recurring flow runs once. Needs no network. Every demo starts afresh.
    """
    from tasks.demo import NAMES, DemoSize, clear_stage, demo_sandbox

    folder_path = Path(folder).resolve()
    size = DemoSize(**{name: count for name, count in sizes.items() if count is not None})
    terminal.advice = "The sandbox is gone too. `marketsync demo` starts afresh."
    clear_stage(folder_path)
    click.echo(f"Inventing a {NAMES[crm]}: {_sizes(size)}", err=True)
    with demo_sandbox(folder_path, size, crm) as stage:
        terminal.config_option = stage.config
        _play(terminal, stage)
        if stay:
            click.echo(f"\n{STAYS}")
            with suppress(KeyboardInterrupt):
                threading.Event().wait()


def _play(terminal: Terminal, stage: Stage) -> None:
    """Both acts, in one flow engine."""
    from tasks.demo import CONNECTOR
    from tasks.engine import load_gate
    from tasks.operate import report_of

    with engine(terminal, initial_sync, load_gate, _recurring):
        run_id, took = in_engine(terminal, CONNECTOR, initial_sync)
        report, page = report_of(terminal.config, run_id)
        show_report(report, took)
        crm = _a_day(terminal, stage)
        seconds = [in_engine(terminal, CONNECTOR, lambda flow=flow: flow)[1] for flow in _recurring().values()]  # type: ignore[misc]
    _show_runs(terminal, seconds)
    _show_pushes(terminal)
    _show_landed(terminal, crm)
    pages = {"Quality report": page, "All reports": page.parents[1] / page.name}
    show_places(terminal, report, pages, *_steps(terminal))


def _recurring() -> Mapping[str, Callable[..., str]]:
    """The flows by name, in the order in which the demo runs them. Imported late: Prefect reads its settings when it is imported."""
    from flows.core_sync import core_sync
    from flows.email_activity_sync import email_activity_sync
    from flows.time_sensitive_sync import time_sensitive_sync

    return {flow.name: flow for flow in (core_sync, email_activity_sync, time_sensitive_sync)}


def _a_day(terminal: Terminal, stage: Stage) -> DemoCrm:
    from tasks.demo_crm import DemoSugar  # not earlier: Prefect reads its settings when it is imported
    from tasks.demo_day import record_day
    from tasks.demo_salesforce import DemoSalesforce

    crm: DemoCrm = (DemoSalesforce if stage.crm == "salesforce" else DemoSugar)(stage.url)
    click.echo("\nRecording a day of marketing", err=True)
    recorded = record_day(terminal.config)
    click.echo("Colleagues work in the CRM meanwhile", err=True)
    _show_day(recorded, crm.colleagues_work())
    return crm


def _show_day(recorded: Mapping[Recordable, Told], meanwhile: Meanwhile) -> None:
    from sync.recording_fields import Recordable

    heading("A day of marketing")
    words = {
        Recordable.SENDS: "mails sent",
        Recordable.BOUNCES: "bounced",
        Recordable.OPENS: "opened",
        Recordable.CLICKS: "clicked",
        Recordable.VISITS: "visits",
        Recordable.COMPLETIONS: "forms filled in",
        Recordable.REGISTRATIONS: "registrations",
        Recordable.ATTENDANCE: "came to the event",
        Recordable.SCORES: "scores changed",
        Recordable.TASKS: "tasks",
        Recordable.UNSUBSCRIBES: "unsubscribed",
    }
    new, refused = sum(told.people for told in recorded.values()), sum(len(told.refused) for told in recorded.values())
    _flowing("Recorded", [f"{recorded[kind].recorded:,} {word}" for kind, word in words.items()] + [f"{new:,} people are new"])
    if refused:
        click.echo(click.style(f"  {refused:,} lines could not be recorded.", fg="yellow"))
    edited = [f"{meanwhile.contacts:,} contacts and {meanwhile.accounts:,} accounts changed", f"{meanwhile.converted:,} lead converted"]
    _flowing("Meanwhile in the CRM", [*edited, f"{meanwhile.opted_out:,} person told them to be mailed no more"])


def _flowing(title: str, words: Sequence[str]) -> None:
    """A sentence, wrapped between its parts."""
    kept = ", ".join(word.replace(" ", "\xa0") for word in words)
    click.echo(click.wrap_text(f"{title}: {kept}.", width=110, initial_indent="  ", subsequent_indent="    ").replace("\xa0", " "))


def _show_runs(terminal: Terminal, seconds: Sequence[float]) -> None:
    from tasks.demo import CONNECTOR
    from tasks.recurring import pulse_line

    heading("What the recurring flows made of it")
    for flow_name, took in zip(_recurring(), seconds, strict=True):
        said = pulse_line(terminal.config, flow_name, CONNECTOR).removeprefix(f"{CONNECTOR}: ")
        click.echo(f"  {flow_name}{click.style(f'  ({took:.0f} s)', dim=True)}")
        click.echo(click.wrap_text(said, width=110, initial_indent="      ", subsequent_indent="      "))


def _show_pushes(terminal: Terminal) -> None:
    """What went out kind by kind, what was refused in whose words, and what waits for what."""
    from sync.push import State
    from sync.records import Kind
    from tasks.demo import CONNECTOR
    from tasks.demo_day import refusals, went
    from tasks.outbox_desk import WAITS_FOR, outbox_counts

    heading("What went to the CRM")
    rows = [[each.kind.plural, *(f"{number:,}" for number in each.numbers), each.remark] for each in went(terminal.config)]
    table(["", "pushed", "refused", "waiting", ""], rows, left=frozenset({0, 4}))
    refused = refusals(terminal.config)
    waiting = [each for each in outbox_counts(terminal.config, CONNECTOR) if each.state in (State.PENDING, State.SENDING)]
    waiting.sort(key=lambda each: list(Kind).index(each.kind))
    if refused:
        heading("Refused, and in whose words")
        for kind, words, count in refused:
            ours = words.startswith("held back: ")
            click.echo(f"  {kind.counted(count)}, {'by our own checks' if ours else 'by the CRM'}: {words.removeprefix('held back: ')}")
    if waiting:
        heading("Waiting, and for what")
        for each in waiting:
            click.echo(f"  {each.kind.counted(each.rows)}: {WAITS_FOR.get(each.waits_for or '', 'the next run of their flow')}")


def _show_landed(terminal: Terminal, crm: DemoCrm) -> None:
    """PUSH-3, asked at the CRM itself."""
    landed, campaign = crm.landed(terminal.config), crm.campaign()
    heading("Asked at the CRM itself")
    if landed.exactly_once:
        click.echo(f"  Each of the {landed.acknowledged:,} records that this made is there exactly once.")
    else:
        said = f"  {landed.acknowledged:,} records should be there; {landed.there:,} of them are, and {landed.more:,} are new."
        click.echo(click.style(said, fg="red"))
    if campaign:
        opens, clicks = (f"{campaign[what]:,} {what} by {campaign[people]:,} people" for what, people in _COUNTERS)
        click.echo(f"  Its record of the campaign says: {opens}, {clicks}.")


_COUNTERS = (("opens", "people_opened"), ("clicks", "people_clicked"))


def _steps(terminal: Terminal) -> tuple[str, ...]:
    from tasks.operate import market_place

    query = "SELECT crm_type, count(*) FROM contacts WHERE deleted_date IS NULL AND merged_into IS NULL GROUP BY crm_type"
    python = f"""python3 -c "import sqlite3; print(*sqlite3.connect('{shown(market_place(terminal.config))}').execute('{query}'))\""""
    return (
        f"{typed(terminal, 'outbox list')}\nwhat waits for the CRM or was refused, row by row",
        f"{python}\nthe Market itself is a SQLite file; any SQL tool opens it",
    )


def _sizes(size: DemoSize) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in asdict(size).items())
