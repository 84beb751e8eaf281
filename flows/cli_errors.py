"""What every command shares: which configuration counts, how things are said, and how errors reach a person."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from sync.errors import MarketsyncError
from tasks.typed import shown as shown  # the commands take all that they say from here
from tasks.typed import typed_command

if TYPE_CHECKING:
    from tasks.stopping import Stopping

INTERNAL_ERROR = 70
STOPPED = 130

_GO_ON = "Nothing is lost: what was staged or committed stays. Type the same command again, and it goes on where it stopped."


@dataclass
class Terminal:
    """The options before the command. `log` is where the details of a failure are, as soon as a command knows."""

    config_option: str
    verbose: bool
    log: Path | None = None
    advice: str = ""
    stopping: Stopping | None = None

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C or SIGTERM came, whatever error it became on its way."""
        return self.stopping is not None and self.stopping.asked

    @property
    def config(self) -> str:
        """Absolute: a run names its configuration by it."""
        return str(Path(self.config_option).expanduser().resolve())


def telling_errors(ctx: click.Context) -> AbstractContextManager[None]:
    """Errors of the block end the command with a message for a person and the error's exit code. Click's own errors pass."""
    return _Telling(ctx)


class _Telling(AbstractContextManager[None]):
    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None or isinstance(error, (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit, BrokenPipeError)):
            return
        terminal = self._ctx.obj if isinstance(self._ctx.obj, Terminal) else Terminal("", False)
        known = ours(error)
        if terminal.verbose:
            traceback.print_exception(error)
        if known is not None and not terminal.stopped:
            _tell(known)
            raise SystemExit(known.exit_code) from None
        if terminal.stopped or not isinstance(error, Exception):
            click.echo(click.style("\nStopped. ", fg="yellow", bold=True) + (terminal.advice or _GO_ON), err=True)
            raise SystemExit(terminal.stopping.code if terminal.stopping else STOPPED) from None
        _apologise(error, terminal)
        raise SystemExit(INTERNAL_ERROR) from None


def ours(error: BaseException | None) -> MarketsyncError | None:
    """The error of ours in a chain: the engine may have wrapped it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, MarketsyncError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _tell(error: MarketsyncError) -> None:
    """What, where, what to do: one red block."""
    what = error.what[:1].upper() + error.what[1:]
    bar = click.style("┃ ", fg="red")
    lines = [click.style(line, fg="red", bold=True) for line in what.splitlines()]
    lines += [f"Where:      {error.where}"] if error.where else []
    lines += [f"What to do: {error.todo}"] if error.todo else []
    click.echo("\n" + "\n".join(bar + line for text in lines for line in text.splitlines()), err=True)


def _apologise(error: Exception, terminal: Terminal) -> None:
    """Of errors that are not ours only the type is shown: their text may hold anything. The traceback goes to the log."""
    place = _keep_traceback(error, terminal.log)
    bar = click.style("┃ ", fg="red")
    lines = [
        click.style(f"Sorry, marketsync made a mistake here ({type(error).__name__}).", fg="red", bold=True),
        f"Where:      the details are in {shown(place)}" if place else "Where:      --verbose shows the details",
        "What to do: Type the command again; what was committed stays. If it happens again, send the details to the developers.",
    ]
    click.echo("\n" + "\n".join(bar + line for line in lines), err=True)


def _keep_traceback(error: Exception, log: Path | None) -> Path | None:
    """Frames and types without the messages, which may quote data of people. None: no file can be written there."""
    if log is None:
        return None
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}\n")
    except OSError:
        return None
    return log


def typed(terminal: Terminal, command: str) -> str:
    """A command as it has to be typed here."""
    return typed_command(terminal.config, command)


def heading(text: str) -> None:
    click.echo("\n" + click.style(text, bold=True))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: frozenset[int] = frozenset({0})) -> None:
    """Aligned columns; those in `left` start at the left, the others end at the right. The last column may be as long as it likes."""
    cells = [list(map(str, row)) for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for number, row in enumerate(cells):
        padded = [
            f"{cell:<{width}}" if column in left else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        line = "  " + "   ".join(padded).rstrip()
        click.echo(click.style(line, dim=True) if number == 0 else line)
