"""Ctrl-C, or SIGTERM, while a flow is at work: reading ends after the page that is under way, and what it brought is staged (INIT-7)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tasks.progress import Step, listening

STOPPED, TERMINATED = 130, 143  # exit codes, as shells know them: Ctrl-C, SIGTERM


_at_work: list[Stopping] = []


def was_stopped() -> bool:
    """Whether Ctrl-C came to the flow that is at work in this process, whatever error it became on its way."""
    return any(stopping.asked for stopping in _at_work)


def stop_reading() -> None:
    """The same without Ctrl-C: the run was told to end (SIGTERM), and its reading threads must not go on for it."""
    for stopping in _at_work:
        stopping.asked = True


class Stopping:
    """`asked`: somebody pressed Ctrl-C, or the machine ends the process. Libraries turn that into errors of their own, so this is what
    tells them apart. `code`: what the process ends with."""

    def __init__(self, told: Callable[[], None]) -> None:
        self.asked = False
        self.code = STOPPED
        self._told = told

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """The second time the process ends at once: every step can bear that."""
        if self.asked:
            os._exit(STOPPED)
        self.asked = True
        # From a thread: the interrupted one may be in the middle of writing to the terminal.
        threading.Thread(target=self._told, daemon=True).start()
        raise KeyboardInterrupt

    def terminate(self, _number: int, _frame: FrameType | None) -> None:
        """SIGTERM. While a flow runs Prefect hears it first, and hands it on when the flow has ended."""
        self.asked, self.code = True, TERMINATED
        raise KeyboardInterrupt

    def hear(self, step: Step) -> None:
        """Ends the threads that read; a signal reaches the main thread only."""
        if self.asked and step.verb == "extract" and not step.ended:
            raise KeyboardInterrupt


@contextmanager
def stoppable(told: Callable[[], None]) -> Iterator[Stopping]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt here and end the reading threads; `told` is called at Ctrl-C. Only the main thread can."""
    stopping = Stopping(told)
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    before = signal.signal(signal.SIGINT, stopping.interrupt)
    before_term = signal.signal(signal.SIGTERM, stopping.terminate)
    try:
        with listening(stopping.hear):
            _at_work.append(stopping)
            yield stopping
    finally:
        _at_work.remove(stopping)
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, before_term)
