"""Ctrl-C while a flow is at work."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from tasks.progress import Step, tell
from tasks.stopping import stop_reading, stoppable, was_stopped


def step(verb: str, *, ended: bool = False) -> Step:
    return Step("run", "contact", verb, 10, 100, ended)


def test_ctrl_c_stops_the_threads_that_read_and_nothing_that_writes_init_7() -> None:
    """INIT-7"""
    told = threading.Event()
    with stoppable(told.set) as stopping:
        tell(step("extract"))
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert stopping.asked and was_stopped() and told.wait(5)
        with pytest.raises(KeyboardInterrupt):
            tell(step("extract"))
        tell(step("extract", ended=True))
        tell(step("commit"))
    tell(step("extract"))
    assert not was_stopped()


def test_a_run_that_is_told_to_end_stops_the_threads_that_read_init_7() -> None:
    """INIT-7: SIGTERM, which the flow engine turns into an error of its own."""
    with stoppable(lambda: None) as stopping:
        stop_reading()
        assert stopping.asked and was_stopped()
        with pytest.raises(KeyboardInterrupt):
            tell(step("extract"))
        tell(step("commit"))
    stop_reading()
    assert not was_stopped()


def test_sigterm_outside_of_a_flow_is_told_apart_from_ctrl_c_by_its_exit_code() -> None:
    with stoppable(lambda: None) as stopping:
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert (stopping.asked, stopping.code) == (True, 143)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_where_no_signal_can_come_the_work_goes_on_all_the_same() -> None:
    asked: list[bool] = []

    def work() -> None:
        with stoppable(lambda: None) as stopping:
            asked.append(stopping.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert asked == [False]
