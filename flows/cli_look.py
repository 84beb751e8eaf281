"""The command that looks: where the sync stands."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, heading, shown, table, typed

if TYPE_CHECKING:
    from tasks.desk import HeldCount
    from tasks.operate import Backfill, ConnectorStatus, KindStatus

connector_option = click.option("--connector", metavar="NAME", help="Only this connector.")

_NOTHING_YET = "Nothing has been synced yet."


@click.command(short_help="Show where the sync stands.")
@connector_option
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object per connector, in a list. Instants are ISO 8601, UTC.")
@click.option("--page", is_flag=True, help="Write it as a page for the browser instead, for all connectors, and say where it is.")
@click.pass_obj
def status(terminal: Terminal, connector: str | None, as_json: bool, page: bool) -> None:
    """Show where the sync stands, without asking the CRM.

    Per connector what needs somebody, when each flow last came to its end, what is in Market and up to when, what is held back, what waits
    for the CRM, whether the login is good, and the last runs.
    """
    from tasks.operate import connectors_named, has_market, status_of

    names = connectors_named(terminal.config, connector)
    there = has_market(terminal.config)
    if page and there:
        from tasks.overview import write_overview

        click.echo(shown(write_overview(terminal.config)))
        return
    found = [status_of(terminal.config, name) for name in names] if there else []
    if as_json:
        click.echo(json.dumps([_as_json(terminal, each) for each in found], indent=1, default=plain))
        return
    if not found:
        click.echo(f"{_NOTHING_YET} {typed(terminal, 'run initial')} begins." if names else "No connector is configured.")
    for each in found:
        _show_connector(terminal, each)


def _as_json(terminal: Terminal, each: ConnectorStatus) -> dict[str, object]:
    from flows.cli_alerts import standing_as_json
    from tasks.outbox_desk import outbox_counts
    from tasks.reconciled import staleness_of

    kinds = {
        one.kind.plural: {
            "synced_until": one.synced_until,
            **asdict(one.counts),
            "held_by_rule": [held_as_json(held) for held in one.held],
        }
        for one in each.kinds
    }
    return {
        "connector": each.name,
        "url": each.url,
        "initial_sync_complete": each.complete,
        **standing_as_json(terminal, each.name),
        "kinds": kinds,
        "reconciliation": asdict(staleness_of(terminal.config, each.name)),
        "backfills": [asdict(backfill) for backfill in each.backfills],
        "outbox": [asdict(waiting) for waiting in outbox_counts(terminal.config, each.name)],
        "runs": [asdict(run) for run in each.runs],
    }


def held_as_json(held: HeldCount) -> dict[str, object]:
    """One reason: how many records, since when the oldest and the newest, and the oldest's age in seconds."""
    age_s = max(int((datetime.now(UTC) - held.oldest).total_seconds()), 0)
    return {
        "rule": held.rule,
        "reason": held.reason,
        "records": held.records,
        "since": held.oldest,
        "newest": held.newest,
        "age_seconds": age_s,
    }


def plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"nothing here is a {type(value).__name__}")


def _show_connector(terminal: Terminal, each: ConnectorStatus) -> None:
    from flows.cli_alerts import show_standing
    from flows.cli_outbox import show_waiting
    from tasks.reconciled import staleness_told

    state = click.style("initial sync complete", fg="green") if each.complete else click.style("initial sync not complete", fg="yellow")
    click.echo(f"{click.style(each.name, bold=True)}   {each.url}   {state}")
    show_standing(terminal, each.name)
    heading("Records")
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
    show_waiting(terminal, each.name)
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
