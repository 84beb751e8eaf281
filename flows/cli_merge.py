"""The commands for merge fields: list them, and see what one shows of a person (CUST-3)."""

from __future__ import annotations

import click

from flows.cli_errors import Terminal, table


@click.group("merge-field", short_help="Try what a mail would show of one person.")
def merge_field() -> None:
    """The merge fields of the configuration, [merge_fields.NAME]: rows of a saved report for one person, as text or HTML."""


@merge_field.command("list")
@click.pass_obj
def list_(terminal: Terminal) -> None:
    """List the merge fields, and the saved report that each shows."""
    from tasks.merge_fields import merge_fields_of

    fields = merge_fields_of(terminal.config)
    if not fields:
        click.echo("No merge field is configured. docs/merge-fields.md shows what [merge_fields.NAME] holds.")
        return
    table(
        ["merge field", "report", "rows at most"], [[each.name, each.report, f"{each.limit:,}"] for each in fields], left=frozenset({0, 1})
    )


@merge_field.command()
@click.argument("name")
@click.option("--person", required=True, metavar="ADDRESS_OR_ID", help="The person: an address, or a contact_id of Market.")
@click.option("--html", "as_html", is_flag=True, help="As HTML instead of text.")
@click.pass_obj
def preview(terminal: Terminal, name: str, person: str, as_html: bool) -> None:
    """Print what a merge field shows of one person, exactly as a mail would get it."""
    from tasks.merge_fields import MergeFields
    from tasks.operate import has_market

    if not has_market(terminal.config):
        click.echo("Nothing has been synced yet.")
        return
    fields = MergeFields(terminal.config)
    contact_id = fields.person(person)
    click.echo(fields.html(name, contact_id) if as_html else fields.text(name, contact_id))
