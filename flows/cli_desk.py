"""The quarantine desk: list what is held back, look at it, have it read again, let it go (GATE-2)."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, heading, table, typed
from flows.cli_look import age, connector_option, held_as_json, plain

if TYPE_CHECKING:
    from tasks.desk import Asked, Held, HeldCount

_NOTHING_YET = "Nothing has been synced yet."
kind_option = click.option("--kind", metavar="KIND", help="Only users, accounts, leads, contacts, opportunities or custom_NAME.")


@click.group(short_help="Look at held records, have them read again, or let them go.")
def quarantine() -> None:
    """Look at the records that failed their checks, have them read again, and let them go.

    A held record is read again when it changes in the CRM, when you ask for it, and else from time to time (`gate.retry_held_minutes`).
    As soon as it passes its checks it comes into Market and leaves this list by itself.
    """


@quarantine.command("list")
@connector_option
@kind_option
@click.option("--rule", metavar="RULE", help="Only what this rule holds back.")
@click.option("--released", is_flag=True, help="The ones that were let go instead, the last first: when, why, by whom.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many records to list.")
@click.option("--json", "as_json", is_flag=True, help="For programs: counts by reason, and the entries. Instants are ISO 8601, UTC.")
@click.pass_obj
def list_(terminal: Terminal, connector: str | None, kind: str | None, rule: str | None, released: bool, limit: int, as_json: bool) -> None:
    """List what is held back: how many by reason and for how long, then the records, the oldest first."""
    from tasks.desk import held_counts, held_records, kind_named, which_held
    from tasks.operate import connectors_named, has_market

    connectors_named(terminal.config, connector)
    if kind is not None:
        kind_named(terminal.config, kind)
    there = has_market(terminal.config)
    which = which_held(terminal.config, connector, kind, rule, released=released) if there else None
    counts = held_counts(terminal.config, which) if which else ()
    records = held_records(terminal.config, which, limit) if which and counts else ()
    if as_json:
        click.echo(json.dumps({"reasons": [_count_json(each) for each in counts], "records": list(map(_json, records))}, default=plain))
    elif not counts:
        click.echo("Nothing was released." if released else "Nothing is held back.")
    elif released:
        _show_released(records)
    else:
        _show_open(terminal, counts, records)


def _count_json(each: HeldCount) -> dict[str, object]:
    return {"connector": each.connector, "kind": each.kind.value, **held_as_json(each)}


def _json(held: Held) -> dict[str, object]:
    """Without the record itself: `show` has it."""
    return {name: value for name, value in asdict(held).items() if name != "row"}


def _show_open(terminal: Terminal, counts: tuple[HeldCount, ...], records: tuple[Held, ...]) -> None:
    rows = [[each.connector, each.kind.counted(each.records), age(each.oldest), each.rule, each.reason] for each in counts]
    table(["connector", "held back", "since", "rule", "why"], rows, left=frozenset({0, 2, 3, 4}))
    more = sum(each.records for each in counts) > len(records)
    heading(f"The oldest {len(records):,}" if more else "Each of them")
    table(
        ["id", "", "CRM id", "what is wrong"],
        [[str(each.quarantine_id), each.kind.value, _crm_id(each), _wrong(each)] for each in records],
        left=frozenset({1, 2, 3}),
    )
    click.echo(f"\n{typed(terminal, f'quarantine show {records[0].quarantine_id}')}   shows one of them whole, and where to correct it")


def _show_released(records: tuple[Held, ...]) -> None:
    rows = [
        [str(each.quarantine_id), each.kind.value, _crm_id(each), each.rule, f"{each.released_at:%Y-%m-%d %H:%M}", _released_for(each)]
        for each in records
    ]
    table(["id", "", "CRM id", "held by", "released (UTC)", "why"], rows, left=frozenset({1, 2, 3, 4, 5}))


def _released_for(held: Held) -> str:
    from sync.held import printable

    return printable(held.release_reason) + (f" ({held.released_by})" if held.released_by else "")


def _crm_id(held: Held) -> str:
    from sync.held import printable

    return printable(held.crm_id) or "(none)"


def _wrong(held: Held) -> str:
    from sync.held import what_is_wrong

    return what_is_wrong(held.rule, held.reason, held.column, held.value)


@quarantine.command()
@click.argument("entry", metavar="ID", type=int)
@click.pass_obj
def show(terminal: Terminal, entry: int) -> None:
    """Show one held record: what is wrong, where to correct it in the CRM, since when it is held, and the whole record as it came."""
    from tasks.desk import held_record

    if not _with_market(terminal):
        return
    held = held_record(terminal.config, entry)
    click.echo(f"{click.style(f'{held.kind.value} {_crm_id(held)}', bold=True)} of {held.connector}")
    for name, said in _told(terminal, held):
        click.echo(f"  {name:<10}  {said}")
    heading("The record")
    _show_record(held.row)
    if held.released_at is None:
        again = typed(terminal, f"quarantine retry {entry}")
        click.echo(f"\n{click.style(again, fg='cyan')}   reads it again with the next run" if held.crm_id else "")


def _told(terminal: Terminal, held: Held) -> list[tuple[str, str]]:
    from tasks.desk import place_in_crm

    said = [("wrong", _wrong(held))] if held.column else []
    said.append(("held by", f"{held.rule}: {held.reason}"))
    place = place_in_crm(terminal.config, held)
    if place and held.released_at is None:
        said.append(("correct it", place))
    times = "once" if held.times_held == 1 else f"{held.times_held:,} times"
    said.append(("since", f"{held.first_held_at:%Y-%m-%d %H:%M} UTC ({age(held.first_held_at)}); read and held back {times}"))
    said.append(("last read", f"{max(held.last_held_at, held.asked_at or held.last_held_at):%Y-%m-%d %H:%M} UTC"))
    if held.released_at:
        said.append(("released", f"{held.released_at:%Y-%m-%d %H:%M} UTC: {_released_for(held)}"))
    elif held.retry_asked_at and held.retry_asked_at > max(held.last_held_at, held.asked_at or held.last_held_at):
        said.append(("asked for", "the next run reads it again"))
    return said


def _show_record(row: str) -> None:
    """Only what is filled. A record that no reader could take is shown as the text that it is."""
    from sync.held import printable

    try:
        record = json.loads(row)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        click.echo(f"  {printable(row)}")
        return
    filled = {name: value for name, value in record.items() if value not in (None, "")}
    width = max((len(name) for name in filled), default=0)
    for name, value in filled.items():
        click.echo(f"  {name:<{width}}  {printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))}")


@quarantine.command()
@click.argument("entries", metavar="[ID...]", nargs=-1, type=int)
@connector_option
@kind_option
@click.option("--rule", metavar="RULE", help="Everything that this rule holds back.")
@click.option("--all", "everything", is_flag=True, help="Everything that is held back.")
@click.pass_obj
def retry(
    terminal: Terminal, entries: tuple[int, ...], connector: str | None, kind: str | None, rule: str | None, everything: bool
) -> None:
    """Have held records read again with the next run. They stay held until they pass their checks.

    Name them by ID, by --rule, or take --all; --connector and --kind narrow the last two.
    """
    from tasks.desk import retry_all_held, retry_held, which_held

    if sum((bool(entries), rule is not None, everything)) != 1:
        raise click.UsageError("Name either entries by their ID, or --rule RULE, or --all.")
    if not _with_market(terminal):
        return
    if entries:
        asked = retry_held(terminal.config, entries)
    else:
        asked = retry_all_held(terminal.config, which_held(terminal.config, connector, kind, rule))
    _say_asked(asked)


def _say_asked(asked: Asked) -> None:
    if asked.asked:
        click.echo(f"{_entries(asked.asked)} will be read again with the next run.")
    if asked.released:
        click.echo(f"{_entries(asked.released)} had been released before.")
    if asked.nameless:
        click.echo(f"{_entries(asked.nameless)} can't be asked for: the record came without a CRM id.")
    if not (asked.asked or asked.released or asked.nameless):
        click.echo("Nothing is held back.")


def _entries(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


@quarantine.command()
@click.argument("entries", metavar="ID...", nargs=-1, required=True, type=int)
@click.option("--reason", metavar="TEXT", required=True, help="Why; it is kept with the record, and so is your name.")
@click.pass_obj
def release(terminal: Terminal, entries: tuple[int, ...], reason: str) -> None:
    """Let held records go: they are no longer listed nor asked for.

    The record does not come into Market by this. It is read again when it changes in the CRM, and passes its checks or is held anew.
    """
    from tasks.desk import release_held

    if not _with_market(terminal):
        return
    released = release_held(terminal.config, entries, reason)
    already = len(set(entries)) - released
    click.echo(f"Released {released:,}." + (f" {already:,} had been released before." if already else ""))
    if released:
        click.echo(
            "Nothing came into Market by this: when the record changes in the CRM it is checked again, and held again if it still fails."
        )


def _with_market(terminal: Terminal) -> bool:
    """Says so where there is no Market yet."""
    from tasks.operate import has_market

    there = has_market(terminal.config)
    if not there:
        click.echo(_NOTHING_YET)
    return there
