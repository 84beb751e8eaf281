"""What the commands that take records share: a record from --set, and the lines that could not be used."""

from __future__ import annotations

from collections.abc import Sequence

import click

from flows.cli_errors import shown
from sync.errors import ConfigError
from sync.recording import Refused
from sync.recording_files import nested

REFUSED = 2
"""The exit code when some lines were refused."""
_REFUSED_SHOWN = 20


def one_record(settings: Sequence[str], where: str, example: str) -> dict[str, object]:
    """FIELD=VALUE, once for each field. Raises ConfigError."""
    pairs = [text.partition("=") for text in settings]
    wrong = next((text for text, (name, sign, _) in zip(settings, pairs, strict=True) if not sign or not name.strip()), None)
    if wrong is not None:
        raise ConfigError(f'"{wrong}" names no field and value', where=where, todo=f"Write FIELD=VALUE, such as {example}.")
    return nested((name.strip(), value) for name, _, value in pairs)


def tell_refused(refused: Sequence[Refused], file: str | None, verb: str, once: str) -> None:
    """The first of them with their numbers and reasons, to standard error. `once`: why doing it again is harmless."""
    for each in refused[:_REFUSED_SHOWN]:
        place = f"  line {each.number}: " if file is not None else "  "
        click.echo(click.style(f"{place}{each.why}", fg="yellow"), err=True)
    if len(refused) > _REFUSED_SHOWN:
        click.echo(f"  … and {len(refused) - _REFUSED_SHOWN:,} more; --json tells all of them", err=True)
    if refused:
        what = f"Correct them and {verb} {shown(file)} again" if file is not None else f"Correct it and {verb} it again"
        click.echo(f"{what}: {once}", err=True)
