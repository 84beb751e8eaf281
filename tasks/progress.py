"""How far a step has come, told while it works. Whoever shows it (a terminal, the Prefect UI) listens; nobody has to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One sign of life: `done` of `total` rows (None: unknown) of one kind have passed one step. `ended` comes once."""

    run_id: str
    kind: str
    verb: str
    done: int
    total: int | None = None
    ended: bool = False
    note: str = ""


Listener = Callable[[Step], None]
_listeners: list[Listener] = []
_lock = threading.Lock()


def tell(step: Step) -> None:
    for listener in tuple(_listeners):
        listener(step)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hears the steps of this process while the block runs."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)
