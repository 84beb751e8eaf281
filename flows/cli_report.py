"""The commands for saved reports: list, ask, explain, and delete by them (REPORT-1, DEL-4)."""

from __future__ import annotations

import csv
import getpass
import json
import sys
from collections.abc import Iterable
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli_errors import Terminal, heading, shown, table, typed
from sync.errors import ConfigError

if TYPE_CHECKING:
    from sync.saved_reports import Preview

_SHOWN_ROWS = 50
_NOTHING_YET = "Nothing has been synced yet."


@click.group(short_help="Ask saved questions, and delete by them.")
def report() -> None:
    """Ask the saved questions of the configuration, [saved_reports.NAME], and delete by them."""


@report.command("list")
@click.pass_obj
def list_(terminal: Terminal) -> None:
    """List the saved reports: what they are of and what they are used for."""
    from tasks.operate import has_market
    from tasks.saved_reports import reports_of, segment_sizes

    reports = reports_of(terminal.config)
    sizes = segment_sizes(terminal.config) if has_market(terminal.config) else {}
    if not reports:
        click.echo("No report is configured. docs/saved-reports.md shows what [saved_reports.NAME] holds.")
    else:
        rows = [[each.name, str(each.of), ", ".join(each.uses), _size(sizes, each.name), each.text or ""] for each in reports]
        table(["report", "of", "used for", "in the segment", ""], rows, left=frozenset({0, 1, 2, 4}))
    stale = [name for name in sizes if not any(each.name == name and each.segment for each in reports)]
    if stale:
        click.echo(f"\nSegments that no report of this file feeds: {', '.join(stale)}. They stay as they are.")


def _size(sizes: dict[str, int], name: str) -> str:
    return f"{sizes[name]:,}" if name in sizes else ""


@report.command()
@click.argument("name")
@click.option("--csv", "csv_file", metavar="FILE", type=click.Path(dir_okay=False), help='Write the rows into this file; "-": print them.')
@click.option(
    "--json", "as_json", is_flag=True, help="For programs: one JSON object per row and line. Decimals are texts, instants ISO 8601, UTC."
)
@click.option("--limit", type=click.IntRange(1), help="How many rows at most, instead of the report's own limit.")
@click.pass_obj
def run(terminal: Terminal, name: str, csv_file: str | None, as_json: bool, limit: int | None) -> None:
    """List the rows that meet a report. Without --csv, --json or --limit: the first 50."""
    from tasks.saved_reports import run_report

    if csv_file and as_json:
        raise ConfigError("rows are written as CSV or as JSON, not both", where=f"report run {name}", todo="Leave out --csv or --json.")
    if not _with_market(terminal, name):
        return
    columns, rows = run_report(terminal.config, name, limit)
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(columns, map(_plain, row), strict=True)), ensure_ascii=False))
    elif csv_file:
        _write_csv(csv_file, columns, rows)
    else:
        _print(columns, list(islice(rows, limit or _SHOWN_ROWS + 1)), limit or _SHOWN_ROWS)


def _print(columns: tuple[str, ...], rows: list[tuple[Any, ...]], most: int) -> None:
    if not rows:
        click.echo("No row meets the report.")
        return
    table(columns, [[_text(value) for value in row] for row in rows[:most]], left=frozenset(range(len(columns))))
    if len(rows) > most:
        click.echo(f"\nOnly the first {most:,} rows are shown; --limit N shows more, --csv FILE writes all.")


def _write_csv(place: str, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
    """UTF-8, a header line, empty for no value, instants and days as ISO 8601."""
    if place == "-":
        written = _csv_lines(sys.stdout, columns, rows)
        return
    try:
        with Path(place).open("w", encoding="utf-8", newline="") as file:
            written = _csv_lines(file, columns, rows)
    except OSError as error:
        raise ConfigError(
            f"the file can't be written: {error.strerror}", where=shown(place), todo="Name another place: --csv FILE."
        ) from error
    click.echo(f"Wrote {written:,} rows to {shown(place)}.")


def _csv_lines(file: Any, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    written = 0
    for row in rows:
        writer.writerow([_text(value) for value in row])
        written += 1
    return written


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    return value if value is None or isinstance(value, str | int) else _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


@report.command()
@click.argument("name")
@click.pass_obj
def explain(terminal: Terminal, name: str) -> None:
    """Lay a report open: the question in words, its SQL, the values bound to it, the database's plan, and how many rows meet it."""
    from tasks.saved_reports import explain_report

    if not _with_market(terminal, name):
        return
    found = explain_report(terminal.config, name)
    click.echo("\n".join(found.words))
    heading("SQL")
    click.echo("\n".join(f"  {line}" for line in found.sql.splitlines()))
    if found.values:
        heading("Values")
        table(["name", "value"], [list(each) for each in found.values], left=frozenset({0, 1}))
    heading("Plan")
    click.echo("\n".join(f"  {line}" for line in found.plan))
    click.echo(f"\n{found.rows:,} rows meet the conditions.")


@report.command()
@click.argument("name")
@click.pass_obj
def preview(terminal: Terminal, name: str) -> None:
    """Show what deleting by a report would remove. Deletes nothing."""
    if _with_market(terminal, name):
        _show_preview(terminal, name)


def _show_preview(terminal: Terminal, name: str) -> Preview:
    from tasks.saved_reports import preview_report

    seen, braked = preview_report(terminal.config, name)
    click.echo(
        f'{seen.rows:,} of {seen.rows_before:,} {seen.of} ({seen.share:.1%}) meet "{name}".' if seen.rows else f'No row meets "{name}".'
    )
    if seen.rows:
        heading("By type")
        table(["", "rows"], [[word, f"{rows:,}"] for word, rows in seen.by_type])
        click.echo(f"\nFor example {', '.join(seen.examples)}")
        click.echo(f"{typed(terminal, f'report run {name}')}   lists them")
    if braked:
        click.echo(click.style("\nThe brake would hold this: so many are not deleted without an answer.", fg="yellow"))
    return seen


@report.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Delete. Without it nothing is deleted.")
@click.option("--do-not-pull", is_flag=True, help="Deleted for good: a change in the CRM does not bring the rows back.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; it is kept with the deletion.")
@click.pass_obj
def delete(terminal: Terminal, name: str, yes: bool, do_not_pull: bool, reason: str) -> None:
    """Delete the rows that meet a report, in Market only. Shows first what goes; nothing goes without --yes.

    Activity, opportunities and list memberships of the deleted stay. A row whose record changes in the CRM later comes back, unless
    --do-not-pull or the report's own do_not_pull says otherwise.
    """
    from tasks.saved_reports import delete_by_report

    if not _with_market(terminal, name):
        return
    seen = _show_preview(terminal, name)
    if not yes:
        again = typed(terminal, f'report delete {name} --yes --reason "…"')
        raise ConfigError(
            "nothing was deleted, because --yes was not given", where=f"report delete {name}", todo=f"`{again}` deletes them."
        )
    if not seen.rows:
        return
    done = delete_by_report(terminal.config, name, who=getpass.getuser(), why=reason, do_not_pull=do_not_pull)
    if done.braked:
        said = "somebody refused this deletion" if done.refused else "so many are not deleted without an answer (DEL-8)"
        how = typed(terminal, "deletions list")
        raise ConfigError(
            f"nothing was deleted: {said}", where=f"report delete {name}", todo=f"`{how}` says how to answer; then type this command again."
        )
    click.echo(f"\nDeleted {done.rows:,} {done.of}.")


def _with_market(terminal: Terminal, name: str) -> bool:
    """Says so where there is no Market yet; a report that is not configured is told first."""
    from tasks.operate import has_market
    from tasks.saved_reports import report_named

    report_named(terminal.config, name)
    there = has_market(terminal.config)
    if not there:
        click.echo(_NOTHING_YET)
    return there
