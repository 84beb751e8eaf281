"""The command that brings people from a file, or changes those whom a saved report finds (DEL-5)."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal
from flows.cli_lines import REFUSED, one_record, tell_refused
from sync.errors import ConfigError

if TYPE_CHECKING:
    from sync.importing import Imported


@click.group("import", short_help="Bring people from a file, or change many at once.")
def import_() -> None:
    """Bring people from a file into Market, or change many at once. Nothing of it goes to a CRM."""


@import_.command(short_help="Bring people from a file, or change those of a saved report.")
@click.option("--file", "file", metavar="FILE", help="CSV with a header, or one JSON object per line, in UTF-8.")
@click.option("--report", metavar="NAME", help="Everybody whom this saved report finds, instead of a file.")
@click.option("--set", "settings", metavar="COLUMN=VALUE", multiple=True, help="The same value for everybody; once for each column.")
@click.option("--do-not-pull", is_flag=True, help="Who is deleted stays away: a change in the CRM does not bring them back.")
@click.option("--reason", metavar="TEXT", default="", help="Why; it is kept with opt-outs and deletions. Else the file's name.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="For programs: the counts, and every refused line with its reason.")
@click.pass_obj
def people(
    terminal: Terminal,
    file: str | None,
    report: str | None,
    settings: tuple[str, ...],
    do_not_pull: bool,
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring people from a file into Market, or set the same values for everybody whom a saved report finds.

    A line names somebody by contact_id or email; an email that nobody has makes a new person. deleted_date deletes, opt_out true opts
    out, opt_out false re-subscribes nobody. docs/importing.md has the rest. Lines that can't be used are told with their number and the
    reason, the others are kept; then the exit code is 2.
    """
    from tasks.importing import import_people
    from tasks.operate import data_dir, has_market

    if dry_run and not has_market(terminal.config):
        raise ConfigError("there is no Market to compare with", where="import", todo="Import without --dry-run, or sync first.")
    if not dry_run:
        data_dir(terminal.config)
    told = import_people(
        terminal.config,
        file=file,
        report=report,
        template=one_record(settings, "import people --set", "title=Dr"),
        who=getpass.getuser(),
        why=reason,
        do_not_pull=do_not_pull,
        dry_run=dry_run,
    )
    if as_json:
        click.echo(json.dumps(asdict(told), indent=1))
    else:
        _tell(told, dry_run, file)
    if told.refused:
        raise SystemExit(REFUSED)


def _tell(told: Imported, dry_run: bool, file: str | None) -> None:
    would = "would be " if dry_run else ""
    counts = f"{told.made:,} {would}new, {told.changed:,} {would}changed, {told.deleted:,} {would}deleted, {told.unchanged:,} unchanged"
    click.echo(f"people: {counts}, {len(told.refused):,} refused.")
    if told.kept_out:
        click.echo(f"{told.kept_out:,} stay opted out: an import re-subscribes nobody.")
    if told.braked:
        click.echo(click.style("The brake would hold this: so many are not deleted without an answer.", fg="yellow"))
    tell_refused(told.refused, file, "import", "what is so already is not written twice.")
