"""The commands that look: where the sync stands, and what is held back."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, heading, shown, table, typed

if TYPE_CHECKING:
    from sync.records import Kind
    from tasks.faults import Fault
    from tasks.operate import Backfill, ConnectorStatus, KindStatus

connector_option = click.option("--connector", metavar="NAME", help="Only this connector.")

_NOTHING_YET = "Nothing has been synced yet."


@click.command(short_help="Show where the sync stands.")
@connector_option
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object per connector, in a list. Instants are ISO 8601, UTC.")
@click.pass_obj
def status(terminal: Terminal, connector: str | None, as_json: bool) -> None:
    """Show where the sync stands: per connector and kind what is in Market, up to when, what is held back, and the last runs."""
    from tasks.operate import connectors_named, has_market, status_of

    names = connectors_named(terminal.config, connector)
    found = [status_of(terminal.config, name) for name in names] if has_market(terminal.config) else []
    if as_json:
        click.echo(json.dumps([_as_json(terminal, each) for each in found], indent=1, default=_plain))
        return
    if not found:
        click.echo(f"{_NOTHING_YET} {typed(terminal, 'run initial')} begins." if names else "No connector is configured.")
    for each in found:
        _show_connector(terminal, each)


def _as_json(terminal: Terminal, each: ConnectorStatus) -> dict[str, object]:
    from tasks.reconciled import staleness_of

    kinds = {
        one.kind.plural: {
            "synced_until": one.synced_until,
            **asdict(one.counts),
            "held_by_rule": [{"rule": held.rule, "records": held.records, "since": held.oldest} for held in one.held],
        }
        for one in each.kinds
    }
    return {
        "connector": each.name,
        "url": each.url,
        "initial_sync_complete": each.complete,
        "kinds": kinds,
        "reconciliation": asdict(staleness_of(terminal.config, each.name)),
        "backfills": [asdict(backfill) for backfill in each.backfills],
        "runs": [asdict(run) for run in each.runs],
    }


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"status holds no {type(value).__name__}")


def _show_connector(terminal: Terminal, each: ConnectorStatus) -> None:
    from tasks.reconciled import staleness_told

    state = click.style("initial sync complete", fg="green") if each.complete else click.style("initial sync not complete", fg="yellow")
    click.echo(f"{click.style(each.name, bold=True)}   {each.url}   {state}\n")
    table(
        ["", "records", "Market rows", "held back", "synced until (UTC)"], [_kind_row(kind) for kind in each.kinds], left=frozenset({0, 4})
    )
    held = [line for kind in each.kinds for line in _held_lines(kind)]
    if held:
        heading("Held back")
        table(["", "rule", "records", "for"], held, left=frozenset({0, 1, 3}))
    if each.backfills:
        heading("New fields, being filled in for the rows that are here")
        table(
            ["", "field", "column", "records done", "since"], [_backfill_row(one) for one in each.backfills], left=frozenset({0, 1, 2, 4})
        )
    click.echo(f"\n{staleness_told(terminal.config, each.name)} {typed(terminal, 'reconcile')} compares.")
    heading("Last runs")
    rows = [
        [f"{run.started_at:%Y-%m-%d %H:%M}", run.flow, run.state, _headline(run.summary), shown(run.report) if run.report else ""]
        for run in each.runs
    ]
    if not rows:
        click.echo("  none yet")
    for started, flow, run_state, headline, report in rows:
        click.echo(f"  {started}   {flow}   {_coloured(run_state)}   {headline}")
        if report:
            click.echo(click.style(f"      {report}", dim=True))
    if not each.complete:
        click.echo(f"\n{typed(terminal, f'run initial --connector {each.name}')} goes on.")


def _backfill_row(one: Backfill) -> list[str]:
    return [one.kind.plural, one.crm_field, one.column, f"{one.rows_done or 0:,}", age(one.asked_at)]


def _headline(summary: object) -> str:
    return str(summary.get("headline", "")) if isinstance(summary, dict) else ""


def _coloured(state: str) -> str:
    return click.style(state, fg={"completed": "green", "failed": "red"}.get(state, "yellow"))


def _kind_row(one: KindStatus) -> list[str]:
    until = f"{one.synced_until:%Y-%m-%d %H:%M:%S}" if one.synced_until else "never"
    held = one.counts.held + one.counts.held_linked
    return [one.kind.plural, f"{one.counts.linked:,}", f"{one.counts.rows:,}", f"{held:,}", until]


def _held_lines(one: KindStatus) -> list[list[str]]:
    return [[one.kind.plural, held.rule, f"{held.records:,}", age(held.oldest)] for held in one.held]


def age(since: datetime) -> str:
    """How long ago, in the largest unit that says something."""
    seconds = max((datetime.now(UTC) - since).total_seconds(), 0)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


@click.group(short_help="Look at held records, and let them go.")
def quarantine() -> None:
    """Look at the records that failed their checks, and let them go."""


@quarantine.command("list")
@connector_option
@click.option("--kind", metavar="KIND", help="Only users, accounts, leads, contacts or opportunities.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many records to list.")
@click.pass_obj
def list_(terminal: Terminal, connector: str | None, kind: str | None, limit: int) -> None:
    """List what is held back: how many by reason, then the records, the oldest first.

    A held record is read again with every sync until it passes. Correct it in the CRM; then it comes by itself.
    """
    from tasks.faults import faults_known
    from tasks.operate import connectors_named, has_market, held_counts, held_records

    connectors_named(terminal.config, connector)
    wanted = _kind(kind)
    counts = held_counts(terminal.config, connector) if has_market(terminal.config) else ()
    counts = tuple(each for each in counts if wanted is None or each.kind is wanted)
    if not counts:
        click.echo("Nothing is held back.")
        return
    rows = [[each.connector, each.kind.plural, each.rule, f"{each.records:,}", age(each.oldest)] for each in counts]
    table(["connector", "", "rule", "records", "for"], rows, left=frozenset({0, 1, 2, 4}))
    records = held_records(terminal.config, connector, wanted, limit)
    heading(f"The {'oldest ' if sum(each.records for each in counts) > len(records) else ''}{len(records):,}")
    faults = faults_known(terminal.config, records)
    table(
        ["id", "", "CRM id", "what is wrong"],
        [[str(r.quarantine_id), r.kind.value, r.crm_id or "(none)", _wrong(faults.get(r.quarantine_id), r.reason)] for r in records],
        left=frozenset({1, 2, 3}),
    )
    click.echo(f"\n{typed(terminal, f'quarantine show {records[0].quarantine_id}')}   shows one of them whole")


def _wrong(fault: Fault | None, reason: str) -> str:
    """The field and what stands in it, where a report still tells; else why the rule is there."""
    return f"{fault.what}: {fault.value}" if fault else reason


def _kind(text: str | None) -> Kind | None:
    from sync.records import PULL_ORDER
    from tasks.operate import unknown_kind

    if text is None:
        return None
    for kind in PULL_ORDER:
        if text in (kind.value, kind.plural):
            return kind
    raise unknown_kind(text)


@quarantine.command()
@click.argument("entry", metavar="ID", type=int)
@click.pass_obj
def show(terminal: Terminal, entry: int) -> None:
    """Show one held record: why it is held, and the whole record as the CRM sent it."""
    from tasks.faults import faults_known
    from tasks.operate import held_record

    held = _with_market(terminal) and held_record(terminal.config, entry)
    if not held:
        return
    click.echo(f"{click.style(f'{held.kind.value} {held.crm_id}', bold=True)} of {held.connector}")
    fault = faults_known(terminal.config, [held]).get(entry)
    if fault:
        click.echo(f"  wrong     {_wrong(fault, held.reason)}")
    click.echo(f"  held by   {held.rule}: {held.reason}")
    click.echo(
        f"  since     {held.first_held_at:%Y-%m-%d %H:%M} UTC ({age(held.first_held_at)}); last read {held.last_held_at:%Y-%m-%d %H:%M} UTC"
    )
    if held.released_at:
        click.echo(f"  released  {held.released_at:%Y-%m-%d %H:%M} UTC: {held.release_reason}")
    heading("The record")
    record = json.loads(held.row)
    width = max((len(name) for name in record), default=0)
    for name, value in record.items():
        if value not in (None, ""):
            click.echo(f"  {name:<{width}}  {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


@quarantine.command()
@click.argument("entries", metavar="ID...", nargs=-1, required=True, type=int)
@click.option("--reason", metavar="TEXT", required=True, help="Why; it is kept with the record.")
@click.pass_obj
def release(terminal: Terminal, entries: tuple[int, ...], reason: str) -> None:
    """Let held records go: they are no longer listed nor asked for.

    The record does not come into Market by this. It is read again when it changes in the CRM, and passes its checks or is held anew.
    """
    from tasks.operate import release_held

    if not _with_market(terminal):
        return
    released = release_held(terminal.config, entries, reason)
    already = len(set(entries)) - released
    click.echo(f"Released {released:,}." + (f" {already:,} had been released before." if already else ""))


def _with_market(terminal: Terminal) -> bool:
    """Says so where there is no Market yet."""
    from tasks.operate import has_market

    there = has_market(terminal.config)
    if not there:
        click.echo(_NOTHING_YET)
    return there
