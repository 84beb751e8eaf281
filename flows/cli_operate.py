"""The commands around a sync: write a configuration, check a connection, try out and clear away."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from flows.cli_errors import Terminal, shown, table, typed
from sync.config_template import config_template
from sync.errors import ConfigError

connector_option = click.option("--connector", metavar="NAME", help="Which connector; needed only if several are configured.")


@click.command(short_help="Write a configuration with every setting explained.")
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@click.option("--connector", metavar="NAME", default="acme", show_default=True, help="What to call your CRM.")
@click.pass_obj
def init(terminal: Terminal, force: bool, connector: str) -> None:
    """Write a configuration file with every setting explained."""
    path = Path(terminal.config)
    if path.exists() and not force:
        raise ConfigError("the configuration file is there already", where=shown(path), todo="Edit it, or overwrite it with --force.")
    text = config_template(connector)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the file can't be written: {error.strerror}", where=shown(path), todo="Name another place: --config FILE."
        ) from error
    click.echo(f"Wrote {shown(path)}. Next: fill in the CRM's address and user, put the password where the file says, then")
    click.echo(f"  {click.style(typed(terminal, 'check'), fg='cyan')}")


@click.command(short_help="Check a connection. Changes nothing in the CRM.")
@connector_option
@click.pass_obj
def check(terminal: Terminal, connector: str | None) -> None:
    """Check a connection: log in, read the clock, see whether the rights suffice. Changes nothing in the CRM.

    Ends with exit code 4 when something is wrong, and says for each finding what to do.
    """
    from tasks.operate import check_connector, connector_named, connectors_named, has_market, initial_sync_is_complete

    name = connector_named(terminal.config, connector)
    lines = check_connector(terminal.config, name)
    width = max(len(line.subject) for line in lines)
    for line in lines:
        mark = click.style("ok   ", fg="green") if line.ok else click.style("WRONG", fg="red", bold=True)
        click.echo(f"  {mark}  {line.subject:<{width}}  {line.said}")
        if line.todo:
            click.echo(click.style(f"         {'':<{width}}  → {line.todo}", fg="yellow"))
    wrong = sum(not line.ok for line in lines)
    if wrong:
        click.echo(click.style(f"\n{wrong} of {len(lines)} things are wrong with {name}.", fg="red", bold=True), err=True)
        raise SystemExit(4)
    done = has_market(terminal.config) and initial_sync_is_complete(terminal.config, name)
    which = f" --connector {name}" if len(connectors_named(terminal.config, None)) > 1 else ""
    then = typed(terminal, f"run {'core' if done else 'initial'}{which}")
    click.echo(f"\nAll is well with {name}. Next: {click.style(then, fg='cyan')}")


@click.command(short_help="Remove what one connector brought.")
@connector_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def purge(terminal: Terminal, connector: str | None, yes: bool) -> None:
    """Remove every account, person and opportunity that came from one connector. For trying the product out before going live.

    Campaigns, forms and activity stay, and so do rows that were in Market before, rows that another connector holds, the ledger of
    opt-outs, and the guarded watch: whoever had opted out is put on it, so that reading them in again makes nobody mailable.
    """
    from tasks.operate import connector_named, has_market, purge_connector, status_of

    name = connector_named(terminal.config, connector)
    if not has_market(terminal.config):
        click.echo("Nothing has been synced yet; there is nothing to remove.")
        return
    click.echo(f"This is what {name} brought:\n")
    rows = [
        [kind.kind.plural, f"{kind.counts.linked:,}", f"{kind.counts.held + kind.counts.held_linked:,}"]
        for kind in status_of(terminal.config, name).kinds
    ]
    table(["", "records in Market", "held back"], rows)
    click.echo(
        "\nWhat stays: rows that were in Market before or that another connector holds; opt-outs and their ledger; everything in the CRM."
    )
    if not yes and not click.confirm(f"\nRemove what {name} brought from Market?", default=False):
        click.echo("Nothing was removed.")
        return
    counts = purge_connector(terminal.config, name, getpass.getuser())
    removed = ", ".join(f"{count:,} {table_name}" for table_name, count in counts.removed.items())
    click.echo(f"Removed {removed}.")
    kept = {table_name: count for table_name, count in counts.kept.items() if count}
    if kept:
        click.echo(
            "Kept, because they were there before or another connector holds them: "
            + ", ".join(f"{n:,} {t}" for t, n in kept.items())
            + "."
        )
    if counts.guarded:
        click.echo(f"{counts.guarded:,} addresses that had opted out are on the guarded watch now.")


@click.group()
def sandbox() -> None:
    """Run an invented CRM on this machine."""


@sandbox.command("sugarcrm", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def sugarcrm(options: tuple[str, ...]) -> None:
    """A SugarCRM on loopback until Ctrl-C. `--help` lists its options: --port, --accounts, --contacts, …

    It prints its address. The syncing user is mkt_sync; `--password-env VARIABLE` says where the password is.
    """
    from tasks.demo import become_sandbox

    sys.stdout.flush()
    become_sandbox("sugarcrm", options)


@sandbox.command("salesforce", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def salesforce(options: tuple[str, ...]) -> None:
    """A Salesforce on loopback until Ctrl-C. `--help` lists its options: --port, --accounts, --contacts, …

    It prints its address and how to log in. `--password-env VARIABLE` and `--client-secret-env VARIABLE` say where secrets are.
    """
    from tasks.demo import become_sandbox

    sys.stdout.flush()
    become_sandbox("salesforce", options)
