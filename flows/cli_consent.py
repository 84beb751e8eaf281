"""The commands about opt-outs: who may be mailed and why not, the guarded watch, and the law that nobody is mailed against their word."""

from __future__ import annotations

import csv
import getpass
import io
import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, heading, shown, table, typed
from sync.errors import ConfigError
from sync.watch_file import COLUMNS

if TYPE_CHECKING:
    from tasks.consent import ConsentView, LedgerEntry, PersonConsent, Watched

json_option = click.option("--json", "as_json", is_flag=True, help="For programs. Instants are ISO 8601, UTC.")


@click.group(short_help="Ask about opt-outs, and mind the guarded watch.")
def consent() -> None:
    """Ask who may be mailed, and mind the guarded watch: the addresses that may not be mailed, whatever their opt-out says."""


@consent.command("may-be-mailed")
@click.argument("address")
@click.pass_obj
def may_be_mailed(terminal: Terminal, address: str) -> None:
    """Say whether an address may be mailed. Ends with exit code 1 when it may not."""
    from tasks.consent import why_not_mailed
    from tasks.operate import has_market

    why = why_not_mailed(terminal.config, address) if has_market(terminal.config) else "Market is empty, and nobody has agreed"
    click.echo(f"No: {why}." if why else "Yes.")
    if why:
        raise SystemExit(1)


@consent.command()
@click.argument("address", required=False)
@click.option("--contact", "contact_id", metavar="ID", type=int, help="A person by the key of the row in Market, instead of an address.")
@json_option
@click.pass_obj
def show(terminal: Terminal, address: str | None, contact_id: int | None, as_json: bool) -> None:
    """Show everything about an address, or a person: whether they may be mailed and why not, every row with the address, the CRM records
    behind each, the guarded watch, and the history in words."""
    from tasks.consent import show_consent
    from tasks.operate import has_market

    if (address is None) == (contact_id is None):
        raise ConfigError("one address or one person has to be named", where="consent show", todo="Write an ADDRESS, or --contact ID.")
    if not has_market(terminal.config):
        click.echo("{}" if as_json else "Nothing has been synced yet.")
        return
    view = show_consent(terminal.config, address, contact_id)
    if as_json:
        click.echo(json.dumps(asdict(view), indent=1, default=_plain))
    else:
        _show(terminal, view)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"consent holds no {type(value).__name__}")


def _show(terminal: Terminal, view: ConsentView) -> None:
    answer = click.style("may be mailed", fg="green") if view.may else click.style("may not be mailed", fg="red") + f": {view.why}"
    click.echo(f"{click.style(view.address or 'without an address', bold=True)}   {answer}")
    for person in view.people:
        _show_person(person)
    if view.watched:
        heading("Guarded watch")
        rows = [[f"{each.added_at:%Y-%m-%d %H:%M}", each.campaign or "(none)", each.who, each.reason] for each in view.watched]
        table(["since (UTC)", "campaign", "added by", "reason"], rows, left=frozenset(range(4)))
        click.echo(f"\n{typed(terminal, f'consent release {view.address} --reason …')}   takes it off")
    heading("History")
    for entry in view.ledger:
        click.echo(f"  {entry.at:%Y-%m-%d %H:%M}   {_words(entry)}")
    if not view.ledger:
        click.echo("  nothing was ever said")


def _show_person(person: PersonConsent) -> None:
    row, judged = person.row, person.judged
    name = " ".join(part for part in (row["first_name"], row["last_name"]) if part) or "without a name"
    heading(f"{row['crm_type'] or 'Person'} {row['contact_id']}   {name}   {row['email'] or 'no address'}")
    click.echo(f"  {'may be mailed' if judged.decision.may else f'may not be mailed: {judged.decision.why}'}")
    if row["merged_into"] is not None:
        click.echo(f"  merged into {row['merged_into']}, which is judged in its place")
    elif row["deleted_date"] is not None:
        click.echo(f"  deleted {row['deleted_date']:%Y-%m-%d %H:%M}")
    if row["opt_out"]:
        click.echo("  opted out" + (f" since {row['opt_out_date']:%Y-%m-%d %H:%M}" if row["opt_out_date"] else ""))
    for link in person.links:
        says = {True: "says out", False: "says in", None: "never said anything"}[link["crm_opt_out"]]
        notes = ["", ", deleted"][not link["living"]] + ["", ", our opt-out is on its way there"][bool(link["opt_out_waits"])]
        click.echo(f"  {link['connector']} {link['kind']} {link['crm_id']}   {says}{notes}")


def _words(entry: LedgerEntry) -> str:
    who = f" (person {entry.contact_id})" if entry.contact_id is not None else ""
    if entry.source == "guarded watch":
        what = "put on the guarded watch" if entry.new else "taken off the guarded watch"
    else:
        what = "opted out" if entry.new else "subscribed again"
        what = f"{what} once more" if entry.old == entry.new else what
    return f"{entry.email_key or 'no address'}{who} {what} by {entry.who} [{entry.source}]: {entry.why}"


@consent.command()
@click.argument("address")
@click.option("--reason", required=True, help="Why the address may be mailed again. It is kept in the ledger, with your name.")
@click.pass_obj
def release(terminal: Terminal, address: str, reason: str) -> None:
    """Take an address off the guarded watch. Whoever has opted out stays out all the same."""
    from tasks.consent import release_address, why_not_mailed
    from tasks.operate import has_market

    gone = release_address(terminal.config, address, reason, getpass.getuser()) if has_market(terminal.config) else 0
    if not gone:
        click.echo("The address is not on the guarded watch.")
        raise SystemExit(1)
    click.echo("Taken off the guarded watch.")
    why = why_not_mailed(terminal.config, address)
    click.echo(f"It still may not be mailed: {why}." if why else "It may be mailed now.")


@consent.command("import")
@click.argument("file", type=click.Path())
@click.option("--campaign", metavar="NAME", default="", help="For lines that name no campaign.")
@click.option("--reason", default="", help="For lines that give no reason.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.pass_obj
def import_(terminal: Terminal, file: str, campaign: str, reason: str, dry_run: bool) -> None:
    """Put the addresses of a file on the guarded watch: all of them, or none if one line is at fault.

    CSV with a header, or one JSON object per line. Columns: address; and campaign, date, reason where they are known. What is there
    already stays as it is.
    """
    from tasks.consent import ImportCounts, import_watch
    from tasks.operate import data_dir, has_market

    if not dry_run:
        data_dir(terminal.config)
    who = getpass.getuser()
    fresh = dry_run and not has_market(terminal.config)
    if fresh:
        raise ConfigError("there is no Market to compare with", where=file, todo="Import the file without --dry-run, or sync first.")
    counts: ImportCounts = import_watch(terminal.config, file, campaign=campaign, reason=reason, who=who, dry_run=dry_run)
    verb = "would be put" if dry_run else "put"
    click.echo(f"{counts.new:,} {verb} on the guarded watch; {counts.known:,} there already; {counts.repeated:,} repeated in the file.")


@consent.command()
@json_option
@click.option("--csv", "file", metavar="FILE", help="Write CSV, the columns that `import` takes, to this file instead of the terminal.")
@click.pass_obj
def export(terminal: Terminal, as_json: bool, file: str | None) -> None:
    """Write the guarded watch as CSV, the columns that `import` takes."""
    from tasks.consent import watch_entries
    from tasks.operate import has_market

    entries = watch_entries(terminal.config) if has_market(terminal.config) else ()
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=1, default=_plain))
        return
    if file is None:
        click.echo(_csv(entries), nl=False)
        return
    try:
        Path(file).write_text(_csv(entries), encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(
            f"the file can't be written: {error.strerror}", where=shown(file), todo="Name another place: --csv FILE."
        ) from error
    click.echo(f"Wrote {len(entries):,} {'entry' if len(entries) == 1 else 'entries'} to {shown(file)}.")


def _csv(entries: tuple[Watched, ...]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*COLUMNS, "who"))
    writer.writerows([e.address, e.campaign, e.added_at.isoformat(), e.reason, e.who] for e in entries)
    return out.getvalue()


@consent.command()
@json_option
@click.pass_obj
def verify(terminal: Terminal, as_json: bool) -> None:
    """Look for people who may be mailed although the newest word about them, or about their address, says out.

    There must be none; ends with exit code 1 when there is one. docs/market.md shows the query, which reads the whole Market.
    """
    from tasks.consent import consent_violations
    from tasks.operate import has_market

    found = consent_violations(terminal.config) if has_market(terminal.config) else ()
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=1, default=_plain))
    elif found:
        rows = [[str(v.contact_id), v.address, f"{v.at:%Y-%m-%d %H:%M}", v.source, v.why] for v in found]
        table(["person", "address", "out since (UTC)", "said by", "why"], rows, left=frozenset({1, 2, 3, 4}))
        people = len({each.contact_id for each in found})
        click.echo(click.style(f"\n{people:,} may be mailed against their word.", fg="red", bold=True), err=True)
    else:
        click.echo("Nobody may be mailed against their word.")
    if found:
        raise SystemExit(1)
