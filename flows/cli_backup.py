"""The commands for the Market as a whole: `backup`, `restore`, `upgrade`."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli_errors import Terminal, shown, typed

_MB = 1_000_000


@click.command(short_help="Copy a SQLite Market into a file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def backup(terminal: Terminal, file: Path) -> None:
    """Copy a SQLite Market into a new FILE, as it is at one moment. Flows may be at work meanwhile.

    Of a Market on PostgreSQL it says which command of PostgreSQL to type. Keep the configuration and the secrets as well; what the data
    directory holds can be done without.
    """
    from tasks.backup import back_up_market

    size = back_up_market(terminal.config, file.expanduser().resolve())
    click.echo(f"The Market is in {shown(file)} ({size / _MB:,.1f} MB). `{typed(terminal, 'restore')} {file}` puts it back.")


@click.command(short_help="Go on with a Market from a backup.")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def restore(terminal: Terminal, file: Path | None, yes: bool) -> None:
    """Put a backup of a SQLite Market in its place, and go on with it. Pause the schedules first.

    Without FILE: the database was put back with its own tools, as that of PostgreSQL is. The next runs read again what changed in the CRM
    since the backup, and what waits to be pushed is looked up there first, so that nothing is made twice. What applications recorded since
    the backup has to be recorded again; with the same event ids that makes nothing twice either.
    """
    from tasks.backup import restore_market
    from tasks.operate import market_place

    place = shown(market_place(terminal.config))
    what = f"Replace the Market {place} by {file}?" if file else f"Go on with {place}, which was put back from a backup?"
    if not yes and not click.confirm(what, default=False):
        click.echo("Nothing was changed.")
        return
    done = restore_market(terminal.config, file.expanduser().resolve() if file else None)
    click.echo("The Market is that of the backup." if file else "marketsync goes on with this Market.")
    click.echo(f"  {done.doubted:,} waiting pushes will be looked up in the CRM before they are sent.")
    click.echo(f"  {done.parcels:,} batches that were under way are forgotten; the next runs read them again.")
    click.echo(f"Next: {click.style(typed(terminal, 'run core'), fg='cyan')} brings what changed in the CRM since the backup.")


@click.command(short_help="Bring Market's tables up to date.")
@click.pass_obj
def upgrade(terminal: Terminal) -> None:
    """Bring the tables of a Market of an older version up to date, in one transaction. The next run of a flow does it as well.

    Make a backup first: there is no way back to the older version but that.
    """
    from tasks.backup import upgrade_market

    before, after = upgrade_market(terminal.config)
    if before is None:
        click.echo("There is no Market yet; the first run makes it.")
    elif before == after:
        click.echo(f"The Market is up to date (schema {after}).")
    else:
        click.echo(f"The Market is up to date: schema {before} became {after}.")
