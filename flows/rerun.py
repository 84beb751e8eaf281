"""What a flow asks when it is retried (FLOW-3): a step is done afresh if what it left is lost to the run, and only then."""

from __future__ import annotations

from typing import Any, Generic, ParamSpec, TypeVar

from prefect import Task

from sync.records import Kind, RunRef
from tasks.push import Batch
from tasks.removals import forget_braked
from tasks.rerun import is_lost, is_rerun

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def reading(step: Task[P, R], *given: P.args, **named: P.kwargs) -> R:
    """What a step that fills a parcel returns. Its first argument is the run."""
    return _kept(step, step(*given, **named), *given, **named)


class Ahead(Generic[R]):
    """The same step, started beside others."""

    def __init__(self, step: Task[..., R], *given: Any) -> None:
        self._step = step
        self._given = given
        self._future = step.submit(*given)

    def result(self) -> R:
        """Waits for it."""
        return _kept(self._step, self._future.result(), *self._given)


def braked(step: Task[..., tuple[T, ...]], run: RunRef, kinds: tuple[Kind, ...]) -> tuple[T, ...]:
    """What a step that a brake may hold returns. Where one held in an earlier try it is done again: somebody may have answered (DEL-8)."""
    done = step(run, kinds)
    if is_rerun() and forget_braked(run, kinds):
        done += _afresh(step)(run, kinds)
    return done


def _kept(step: Task[..., R], left: R, *given: Any, **named: Any) -> R:
    ref: Any = left.ref if isinstance(left, Batch) else left
    return _afresh(step)(*given, **named) if is_lost(given[0], ref) else left


def _afresh(step: Task[P, R]) -> Task[P, R]:
    """The result that Prefect kept is replaced."""
    return step.with_options(refresh_cache=True, task_run_name=f"{step.task_run_name} afresh")
