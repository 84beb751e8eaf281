"""The command that records what a marketing application produced."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal
from flows.cli_lines import REFUSED, one_record, tell_refused
from sync.errors import ConfigError
from sync.recording_fields import Recordable
from sync.records import Kind

if TYPE_CHECKING:
    from sync.recording import Told


@click.command(short_help="Record what a marketing application produced.")
@click.argument("kind", type=click.Choice([kind.value for kind in Recordable]))
@click.option("--file", "file", metavar="FILE", help="CSV with a header, or one JSON object per line, in UTF-8.")
@click.option(
    "--set", "settings", metavar="FIELD=VALUE", multiple=True, help="A field of one record, instead of a file; once for each field."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="For programs: the counts, and every refused line with its reason.")
@click.pass_obj
def record(terminal: Terminal, kind: str, file: str | None, settings: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Record what a marketing application produced: one record from --set, or many from --file.

    docs/recording.md lists the fields of every kind. The same record twice is recorded once. Lines that can't be used are told with their
    number and the reason, the others are recorded; then the exit code is 2. What the CRMs are to be told waits in the outbox.
    """
    from tasks.operate import data_dir, has_market
    from tasks.recording import Recorder

    if (file is None) == (not settings):
        raise ConfigError("there is nothing to record", where="record", todo="Name either --file FILE, or --set FIELD=VALUE once or more.")
    if dry_run and not has_market(terminal.config):
        raise ConfigError("there is no Market to compare with", where="record", todo="Record it without --dry-run, or sync first.")
    if not dry_run:
        data_dir(terminal.config)
    recorder = Recorder(terminal.config, dry_run=dry_run)
    told = recorder.file(kind, file) if file is not None else recorder.record(kind, one_record(settings, "record --set", "campaign=spring"))
    if as_json:
        click.echo(json.dumps(asdict(told), indent=1))
    else:
        _tell(kind, told, dry_run, file)
    if told.refused:
        raise SystemExit(REFUSED)


def _tell(kind: str, told: Told, dry_run: bool, file: str | None) -> None:
    would = "would be " if dry_run else ""
    click.echo(f"{kind}: {told.recorded:,} {would}recorded, {told.known:,} already there, {len(told.refused):,} refused.")
    if told.people:
        click.echo(f"{told.people:,} {'person' if told.people == 1 else 'people'} {'would be made' if dry_run else 'made'} in Market.")
    if told.queued:
        waiting = ", ".join(Kind(name).counted(count) for name, count in told.queued.items())
        click.echo(f"{'Would wait' if dry_run else 'Waiting'} for the CRM: {waiting}.")
    tell_refused(told.refused, file, "record", "what is there already is not recorded twice.")
