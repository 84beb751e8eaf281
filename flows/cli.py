"""The command line, `marketsync`. Each command's own imports come late, so that the quick ones are quick."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from flows.cli_alerts import alerts
from flows.cli_backup import backup, restore, upgrade
from flows.cli_consent import consent
from flows.cli_deletions import deletions
from flows.cli_demo import demo
from flows.cli_desk import quarantine
from flows.cli_errors import Terminal, telling_errors
from flows.cli_import import import_
from flows.cli_look import status
from flows.cli_merge import merge_field
from flows.cli_operate import check, init, purge, sandbox
from flows.cli_outbox import outbox
from flows.cli_reconcile import reconcile
from flows.cli_record import record
from flows.cli_recurring import run
from flows.cli_report import report
from flows.cli_up import deploy, up


def _version() -> str:
    try:
        return version("marketsync")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "not installed"


class _Group(click.Group):
    """A group whose commands' errors are told to a person instead of traced."""

    def invoke(self, ctx: click.Context) -> Any:
        with telling_errors(ctx):
            return super().invoke(ctx)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(_version(), prog_name="marketsync")
@click.option(
    "--config",
    metavar="FILE",
    default="marketsync.toml",
    show_default=True,
    envvar="MARKETSYNC_CONFIG",
    show_envvar=True,
    help="The configuration file.",
)
@click.option("--verbose", "-v", is_flag=True, help="Show the flow engine's log while it works, and the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, config: str, verbose: bool) -> None:
    """Keeps a marketing database ("Market") and a CRM in step: staged, checked, and only then committed.

    New here? `marketsync demo` shows both directions against an invented CRM on this machine.
    For your own CRM: `init`, `check`, `run initial`, `status`.
    """
    ctx.obj = Terminal(config, verbose)


for _command in (
    demo,
    init,
    check,
    run,
    up,
    deploy,
    record,
    import_,
    reconcile,
    status,
    alerts,
    quarantine,
    outbox,
    deletions,
    report,
    merge_field,
    purge,
    backup,
    restore,
    upgrade,
    consent,
    sandbox,
):
    cli.add_command(_command)


def main() -> None:
    """The console script."""
    cli(prog_name="marketsync")


if __name__ == "__main__":
    main()
