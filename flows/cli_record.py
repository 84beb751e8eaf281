"""The command that records what a marketing application produced."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, shown
from sync.errors import ConfigError
from sync.recording_fields import Recordable
from sync.recording_files import nested
from sync.records import Kind

if TYPE_CHECKING:
    from sync.recording import Told

_REFUSED_SHOWN = 20
_REFUSED = 2


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
    told = recorder.file(kind, file) if file is not None else recorder.record(kind, _one(settings))
    if as_json:
        click.echo(json.dumps(asdict(told), indent=1))
    else:
        _tell(kind, told, dry_run, file)
    if told.refused:
        raise SystemExit(_REFUSED)


def _one(settings: tuple[str, ...]) -> dict[str, object]:
    pairs = [text.partition("=") for text in settings]
    wrong = next((text for text, (name, sign, _) in zip(settings, pairs, strict=True) if not sign or not name.strip()), None)
    if wrong is not None:
        raise ConfigError(f'"{wrong}" names no field and value', where="record --set", todo="Write FIELD=VALUE, such as campaign=spring.")
    return nested((name.strip(), value) for name, _, value in pairs)


def _tell(kind: str, told: Told, dry_run: bool, file: str | None) -> None:
    would = "would be " if dry_run else ""
    click.echo(f"{kind}: {told.recorded:,} {would}recorded, {told.known:,} already there, {len(told.refused):,} refused.")
    if told.people:
        click.echo(f"{told.people:,} {'person' if told.people == 1 else 'people'} {'would be made' if dry_run else 'made'} in Market.")
    if told.queued:
        waiting = ", ".join(Kind(name).counted(count) for name, count in told.queued.items())
        click.echo(f"{'Would wait' if dry_run else 'Waiting'} for the CRM: {waiting}.")
    for refused in told.refused[:_REFUSED_SHOWN]:
        place = f"  line {refused.number}: " if file is not None else "  "
        click.echo(click.style(f"{place}{refused.why}", fg="yellow"), err=True)
    if len(told.refused) > _REFUSED_SHOWN:
        click.echo(f"  … and {len(told.refused) - _REFUSED_SHOWN:,} more; --json tells all of them", err=True)
    if told.refused:
        what = f"Correct them and record {shown(file)} again" if file is not None else "Correct it and record it again"
        click.echo(f"{what}: what is there already is not recorded twice.", err=True)
