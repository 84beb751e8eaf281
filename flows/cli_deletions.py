"""The commands that answer a brake: deletions that were too large to be done unasked (DEL-8)."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

import click

from flows.cli_errors import Terminal, table, typed

if TYPE_CHECKING:
    from sync.brake import Answer


@click.group(short_help="Answer deletions that are too large to be done unasked.")
def deletions() -> None:
    """Answer deletions that are too large to be done unasked.

    A run that would delete more than a set share of a table (setting gate.mass_deletion_share) deletes nothing of it, does everything else,
    and ends with an error until somebody answers.
    """


@deletions.command("list", short_help="Show what waits for an answer.")
@click.option("--connector", metavar="NAME", help="Only this connector.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of objects. Instants are ISO 8601, UTC.")
@click.pass_obj
def list_(terminal: Terminal, connector: str | None, as_json: bool) -> None:
    """Show what waits for an answer, or for the next run to act upon it."""
    from tasks.recurring import open_brakes

    found = open_brakes(terminal.config, connector)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=1, default=datetime.isoformat))
        return
    if not found:
        click.echo("No deletion waits for an answer.")
        return
    rows = [
        [str(each.brake_id), each.connector, each.subject, f"{each.rows_affected:,}", f"{each.asked_at:%Y-%m-%d %H:%M}", each.answer.value]
        for each in found
    ]
    table(["", "connector", "of", "rows that would go", "asked (UTC)", "answer"], rows, left=frozenset({1, 2, 4, 5}))
    click.echo(f"\n{typed(terminal, 'deletions allow NUMBER')} lets the next run delete them,")
    click.echo(f"{typed(terminal, 'deletions refuse NUMBER')} keeps the rows.")


@deletions.command(short_help="Let the next run delete them.")
@click.argument("number", type=int)
@click.pass_obj
def allow(terminal: Terminal, number: int) -> None:
    """Let the next run delete them. Good for this deletion, or a smaller one: if it grows until then, the run asks again."""
    from sync.brake import Answer

    click.echo(f"The next run deletes {_answer(terminal, number, Answer.ALLOW)}.")


@deletions.command(short_help="Keep the rows.")
@click.argument("number", type=int)
@click.pass_obj
def refuse(terminal: Terminal, number: int) -> None:
    """Keep the rows, although the CRM no longer has them or a saved report asks for their deletion."""
    from sync.brake import Answer

    click.echo(f"The next run keeps {_answer(terminal, number, Answer.REFUSE)}.")


def _answer(terminal: Terminal, number: int, answer: Answer) -> str:
    from tasks.recurring import answer_brake

    brake = answer_brake(terminal.config, number, answer, getpass.getuser())
    return f"{brake.rows_affected:,} rows ({brake.subject})"
