"""Progress on a terminal: one bar per kind of record. Where the output is no terminal: one line per finished step, nothing else.

    contacts       reading   ━━━━━━━━━━━━━━━────────    7,500 of 9,950   4,120 rows/s   0:00:01

Listens to `tasks.progress`; steps are told from several threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from sync.records import Kind
from tasks.progress import Step, listening

_DOING = {
    "extract": "reading",
    "plan": "planning",
    "check": "checking",
    "commit": "writing",
    "collect": "gathering",
    "send": "sending",
    "settle": "settling",
}
_DONE = {
    "extract": "read",
    "plan": "planned",
    "check": "checked",
    "commit": "written",
    "collect": "gathered",
    "send": "sent",
    "settle": "settled",
}
_LAST = ("commit", "settle")  # of the road in, and of the road out


@contextmanager
def progress_shown(*, plain: bool = False) -> Iterator[None]:
    """Shows on standard error how far the steps of this process are. `plain`: lines even on a terminal, for when logs share it."""
    console = Console(stderr=True)
    if plain or not console.is_terminal:
        with listening(_Lines(lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True))):
            yield
        return
    with _InOrder(*_columns(), console=console, refresh_per_second=8) as bars, listening(_Bars(bars)):
        yield


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("  {task.description:<14}"),
        TextColumn("[dim]{task.fields[doing]:<9}"),
        BarColumn(bar_width=26),
        _Rows(),
        _Rate(),
        _Remaining(),
    )


class _InOrder(Progress):
    """The bars in the order of the kinds, whichever began first."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(sorted(self.tasks, key=lambda task: task.fields["place"]))


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        text = f"{task.completed:,.0f}" if task.total is None else f"{task.completed:,.0f} of {task.total:,.0f}"
        return Text(f"{text:>18}")


class _Rate(ProgressColumn):
    """Rows per second of the step that is at work; nothing while it is unknown, or when the kind is through."""

    def render(self, task: Task) -> Text:
        speed = None if task.finished else task.speed
        return Text(f"{speed:>9,.0f} rows/s" if speed else " " * 16, style="dim")


class _Remaining(ProgressColumn):
    """How long the step that is at work will take, as far as it is known."""

    def render(self, task: Task) -> Text:
        remaining = None if task.finished else task.time_remaining
        return Text(f"{remaining:.0f} s left" if remaining else "", style="dim")


class _Bars:
    """One bar per kind. A kind that is through keeps its bar: fetching a few more of it for another kind is no new line."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._of: dict[str, TaskID] = {}
        self._doing: dict[str, str] = {}
        self._through: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, step: Step) -> None:
        with self._lock:
            if step.verb == "collect":
                self._through.discard(step.kind)  # another batch
            if step.kind not in self._through:
                self._show(step)

    def _show(self, step: Step) -> None:
        name, place = Kind(step.kind).plural, Kind(step.kind).place
        if step.kind not in self._of:
            self._of[step.kind] = self._bars.add_task(name, total=step.total, doing="", place=place)
        bar = self._of[step.kind]
        if self._doing.get(step.kind) != step.verb:
            self._doing[step.kind] = step.verb
            self._bars.reset(bar, total=step.total, doing=_DOING.get(step.verb, step.verb), place=place)  # it forgets all fields
        last = step.ended and step.verb in _LAST
        word = _DONE[step.verb] if last else _waiting(step)
        self._bars.update(bar, completed=step.done, total=_total(step), doing=word)
        if last:
            self._through.add(step.kind)


def _total(step: Step) -> int | None:
    """A bar is full only when its kind is through: between two steps it only waits."""
    if step.ended:
        return step.done if step.verb in _LAST else max(step.done, 1)
    return step.total


def _waiting(step: Step) -> str:
    return _DONE.get(step.verb, step.verb) if step.ended else _DOING.get(step.verb, step.verb)


class _Lines:
    """One line per finished step: what, how many rows, how long. A step of nothing is no line.

    A kind that is planned twice before it is checked had owners fetched in between (PULL-7).
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._since: dict[tuple[str, str], float] = {}
        self._planned: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, step: Step) -> None:
        with self._lock:
            since = self._since.setdefault((step.kind, step.verb), time.monotonic())
            if step.ended:
                del self._since[step.kind, step.verb]
                done = self._word(step)
                if step.done:
                    self._write(f"  {Kind(step.kind).plural}: {step.done:,} {done} in {time.monotonic() - since:.1f} s")

    def _word(self, step: Step) -> str:
        again = step.verb == "plan" and step.kind in self._planned
        if step.verb == "plan":
            self._planned.add(step.kind)
        else:
            self._planned.discard(step.kind)
        return "planned again, with the owners fetched," if again else _DONE.get(step.verb, step.verb)
