"""The outbox desk: list what waits for a CRM or was refused, look at a row, have it tried again, park it (PUSH-2, PUSH-4)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, heading, table, typed
from flows.cli_look import age, connector_option, plain

if TYPE_CHECKING:
    from tasks.outbox_desk import OutboxCount, OutboxRow

_NOTHING = "Nothing waits for a CRM."


@click.group(short_help="Look at what waits for a CRM or was refused, and have it tried again.")
def outbox() -> None:
    """Look at what waits to be written to a CRM and at what the CRM refused, have it tried again, or park it.

    A refused row is tried again by itself, with growing pauses; after `push_limits.most_attempts` it is parked and waits for you.
    """


@outbox.command("list")
@connector_option
@click.option("--kind", metavar="KIND", help='Only this kind: "opt-outs", "scores", "sent emails", "tasks", …')
@click.option("--state", metavar="STATE", help="Only pending, sending, acknowledged, refused or parked.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many rows to list.")
@click.option("--json", "as_json", is_flag=True, help="For programs: counts by reason, and the rows. Instants are ISO 8601, UTC.")
@click.pass_obj
def list_(terminal: Terminal, connector: str | None, kind: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List what no CRM has acknowledged yet: how much by kind and state, then the rows, the oldest first."""
    from tasks.operate import has_market
    from tasks.outbox_desk import outbox_counts, outbox_rows, which_rows

    which = which_rows(terminal.config, connector, kind, state)
    there = has_market(terminal.config)
    counts = [each for each in outbox_counts(terminal.config, connector) if which.kind in (None, each.kind)] if there else []
    counts = [each for each in counts if which.state in (None, each.state)]
    rows = outbox_rows(terminal.config, which, limit) if there else ()
    if as_json:
        click.echo(json.dumps({"counts": [asdict(each) for each in counts], "rows": [asdict(each) for each in rows]}, default=plain))
    elif not rows:
        click.echo(_NOTHING if state is None else f"Nothing is {state}.")
    else:
        _show_list(terminal, counts, rows)


def _show_list(terminal: Terminal, counts: list[OutboxCount], rows: tuple[OutboxRow, ...]) -> None:
    if counts:
        show_counts(counts, with_connector=True)
    heading("The oldest of them" if sum(each.rows for each in counts) > len(rows) else "Each of them")
    lines = [[str(row.outbox_id), row.kind, _about(row), row.state, str(row.attempts), _why(row)] for row in rows]
    table(["id", "", "about", "state", "refused", "why"], lines, left=frozenset({1, 2, 3, 5}))
    click.echo(f"\n{typed(terminal, f'outbox show {rows[0].outbox_id}')}   shows one of them whole")


def show_waiting(terminal: Terminal, connector: str) -> None:
    """The part of `status` that tells of one connector's pushes; nothing where nothing waits."""
    from tasks.outbox_desk import outbox_counts

    if counts := list(outbox_counts(terminal.config, connector)):
        heading("Waiting for the CRM")
        show_counts(counts, with_connector=False)
        click.echo(f"\n{typed(terminal, 'outbox list')} shows which rows, and why.")


def show_counts(counts: list[OutboxCount], *, with_connector: bool) -> None:
    """One line per kind, state and reason to wait."""
    lines = [[each.connector, each.kind.counted(each.rows), _standing(each), age(each.since)] for each in counts]
    first = 0 if with_connector else 1
    table(["connector", "", "", "for"][first:], [line[first:] for line in lines], left=frozenset(range(4)))


def _standing(each: OutboxCount) -> str:
    from tasks.outbox_desk import WAITS_FOR

    return WAITS_FOR.get(each.waits_for or "", each.state.value)


def _about(row: OutboxRow) -> str:
    if row.crm_id:
        return f"{row.crm_kind} {row.crm_id}"
    return f"person {row.contact_id}" if row.contact_id else "a campaign's counters"


def _why(row: OutboxRow) -> str:
    from sync.held import printable
    from tasks.outbox_desk import WAITS_FOR

    return printable(row.refusal) if row.refusal else WAITS_FOR.get(row.waits_for or "", "")


@outbox.command()
@click.argument("row", metavar="ID", type=int)
@click.pass_obj
def show(terminal: Terminal, row: int) -> None:
    """Show one row: what it is about, what became of it, in the CRM's own words, and when it is tried again."""
    from sync.held import printable
    from tasks.outbox_desk import outbox_row

    if not _with_market(terminal):
        return
    found = outbox_row(terminal.config, row)
    click.echo(f"{click.style(f'{found.kind}, {_about(found)}', bold=True)} of {found.connector}")
    for name, said in _told(found):
        click.echo(f"  {name:<12}  {printable(said)}")
    if found.state in ("refused", "parked", "pending"):
        click.echo(f"\n{typed(terminal, f'outbox retry {row}')}   has it tried again by the next run")


def _told(row: OutboxRow) -> list[tuple[str, str]]:
    at = {name: f"{value:%Y-%m-%d %H:%M:%S} UTC" for name, value in asdict(row).items() if name.endswith("_at") and value is not None}
    why = _why(row)
    return [
        ("state", f"{row.state}, version {row.version}" + (f", refused {row.attempts} times" if row.attempts else "")),
        *([("why", why)] if why else []),
        ("waits since", at["created_at"]),
        *(
            (said, at[name])
            for name, said in (("tried_at", "last tried"), ("next_try_at", "next try"), ("acknowledged_at", "taken"))
            if name in at
        ),
        ("subject", str(row.subject_id)),
        *([("value", row.value)] if row.value != "{}" else []),
        *([("made there", row.remote_id)] if row.remote_id else []),
        *([("our key", row.push_key)] if row.push_key else []),
    ]


@outbox.command()
@click.argument("rows", metavar="[ID]...", nargs=-1, type=int)
@click.option("--all-parked", is_flag=True, help="Every parked row instead.")
@connector_option
@click.pass_obj
def retry(terminal: Terminal, rows: tuple[int, ...], all_parked: bool, connector: str | None) -> None:
    """Have rows tried again by the next run, with all attempts before them."""
    from tasks.operate import connectors_named
    from tasks.outbox_desk import retry_all_parked, retry_rows

    if bool(rows) == all_parked:
        raise click.UsageError("Name rows by their IDs, or all parked ones by --all-parked.")
    if connector is not None:
        connectors_named(terminal.config, connector)
    if not _with_market(terminal):
        return
    done = retry_all_parked(terminal.config, connector) if all_parked else retry_rows(terminal.config, rows)
    left = len(rows) - done if rows else 0
    click.echo(f"{done:,} {'row is' if done == 1 else 'rows are'} tried again by the next run.")
    if left:
        click.echo(f"{left:,} of them {'is' if left == 1 else 'are'} with the CRM already, or on the way there.")


@outbox.command()
@click.argument("rows", metavar="ID...", nargs=-1, type=int, required=True)
@click.option("--why", required=True, help="Why these shall wait. It is kept with the row, with your name.")
@click.pass_obj
def park(terminal: Terminal, rows: tuple[int, ...], why: str) -> None:
    """Let rows wait until you have them tried again. An opt-out stays ours: the person is not mailed meanwhile."""
    from tasks.outbox_desk import park_rows

    if not _with_market(terminal):
        return
    done = park_rows(terminal.config, rows, why)
    click.echo(f"{done:,} {'row waits' if done == 1 else 'rows wait'} until you type {typed(terminal, 'outbox retry')}.")


def _with_market(terminal: Terminal) -> bool:
    from tasks.operate import has_market

    if has_market(terminal.config):
        return True
    click.echo(_NOTHING)
    return False
