"""`reconcile`: compare Market with the CRM as a whole, and say what was found."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, heading, shown, table
from flows.cli_run import run_flow

if TYPE_CHECKING:
    from sync.reconciled import Compared
    from tasks.progress import Step


@click.command(short_help="Compare Market with the CRM as a whole, and heal what differs.")
@click.option("--connector", metavar="NAME", help="Which connector; needed only if several are configured.")
@click.option("--kind", metavar="KIND", help="Only users, accounts, leads, contacts, opportunities or custom_NAME.")
@click.option("--minutes", type=click.FloatRange(0), metavar="N", help="How long to go on; by default the setting reconcile_minutes.")
@click.option("--all", "everything", is_flag=True, help="Compare everything, however long it takes.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object. Instants are ISO 8601, UTC.")
@click.pass_obj
def reconcile(terminal: Terminal, connector: str | None, kind: str | None, minutes: float | None, everything: bool, as_json: bool) -> None:
    """Compare Market with the CRM as a whole: find and heal changes that moved no stamp, and deletions that left no trace.

    A slice of a few thousand records at a time is read again, the one that was compared longest ago first. What differs is brought in; what
    Market lacked comes; what the CRM no longer has is treated as deleted, as far as the brake allows. Ctrl-C loses nothing: the next run
    goes on.
    """
    from tasks.operate import connector_named
    from tasks.reconciled import RECONCILIATION_FLOW, compared_of, refuse_too_early

    if everything and minutes is not None:
        raise click.UsageError("--all goes on to the end; --minutes says when to stop. Give one of them.")
    name = connector_named(terminal.config, connector)
    refuse_too_early(terminal.config, name)
    options = {"kind": kind, "minutes": minutes, "everything": everything}
    run_id, took = run_flow(terminal, name, RECONCILIATION_FLOW, _flow, _slices_shown, **options)
    found = compared_of(terminal.config, run_id)
    if as_json:
        click.echo(json.dumps(_as_json(terminal, name, run_id, found), indent=1))
        return
    _show(terminal, name, run_id, found, took)


def _flow() -> Callable[..., str]:
    from flows.reconcile import reconciliation  # not earlier: Prefect reads its settings when it is imported

    return reconciliation


@contextmanager
def _slices_shown(_plain: bool) -> Iterator[None]:
    """One line per slice, on standard error."""
    from tasks.progress import listening

    with listening(_tell_slice):
        yield


def _tell_slice(step: Step) -> None:
    if step.verb == "settle" and step.ended:
        click.echo(f"  {step.note}", err=True)


def _as_json(terminal: Terminal, name: str, run_id: str, found: tuple[Compared, ...]) -> dict[str, object]:
    from tasks.reconciled import staleness_of

    stale = staleness_of(terminal.config, name)
    kinds = {each.kind.plural: {key: value for key, value in asdict(each).items() if key != "kind"} for each in found}
    oldest = stale.oldest.isoformat() if stale.oldest else None
    slices = {"slices": stale.slices, "never_compared": stale.never, "oldest": oldest}
    return {"run_id": run_id, "connector": name, "kinds": kinds, "staleness": slices}


def _show(terminal: Terminal, name: str, run_id: str, found: tuple[Compared, ...], took: float) -> None:
    from sync.reconciled import in_one_sentence
    from tasks.operate import report_of

    report, page = report_of(terminal.config, run_id)
    agree = not any(each.healed or each.missing or each.gone or each.left for each in found)
    said = click.style(in_one_sentence(name, found), bold=True, fg="green" if agree else "yellow")
    click.echo(f"\n{said}{click.style(f'  ({took:.0f} s)', dim=True)}")
    if found:
        click.echo()
        names = ("slices", "records", "healed", "missing", "gone", "left")
        rows = [[each.kind.plural, *(f"{getattr(each, column):,}" for column in names)] for each in found]
        table(["", "slices", "compared", "differed", "missing", "vanished", "left the filter"], rows)
    heading("Worth knowing")
    for finding in report.findings:
        click.echo(f"  - {finding.message}")
    click.echo(f"\nQuality report   {shown(page)}")
