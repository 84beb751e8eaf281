"""Progress where the output is no terminal, and the bars where it is one."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from tasks.progress import Step, tell
from tasks.terminal import _Bars, _columns, _InOrder, progress_shown


def test_one_line_per_finished_step_and_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_shown():
        tell(Step("r", "contact", "extract", 0, 2_000))
        tell(Step("r", "contact", "extract", 1_000, 2_000))
        tell(Step("r", "contact", "extract", 2_000, 2_000, ended=True))
        tell(Step("r", "user", "commit", 0, 0, ended=True))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and re.fullmatch(r"  contacts: 2,000 read in \d+\.\d s", lines[0])


def test_planning_again_after_owners_were_fetched_says_so_pull_7(capsys: pytest.CaptureFixture[str]) -> None:
    """PULL-7"""
    with progress_shown():
        for kind, verb in (("lead", "plan"), ("user", "plan"), ("user", "commit"), ("lead", "plan"), ("lead", "check"), ("user", "plan")):
            tell(Step("r", kind, verb, 7, 7, ended=True))
    said = [re.sub(r",? in \d.*", "", line.strip()) for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "leads: 7 planned",
        "users: 7 planned",
        "users: 7 written",
        "leads: 7 planned again, with the owners fetched",
        "leads: 7 checked",
        "users: 7 planned",
    ]


def test_the_bars_stand_in_the_order_of_the_pull_and_each_kind_has_one() -> None:
    console = Console(width=110, record=True)
    bars = _InOrder(*_columns(), console=console)
    show = _Bars(bars)
    show(Step("r", "opportunity", "extract", 10, 30))
    show(Step("r", "user", "commit", 0, None))
    show(Step("r", "user", "commit", 5, 5, ended=True))
    show(Step("r", "user", "extract", 1, 1))
    console.print(next(iter(bars.get_renderables())))
    users, opportunities = (line.split() for line in console.export_text().splitlines())
    assert users[:2] == ["users", "written"] and " ".join(users).endswith("5 of 5")
    assert opportunities[:2] == ["opportunities", "reading"] and "10 of 30" in " ".join(opportunities)


def test_a_push_has_a_bar_behind_those_of_the_pull_and_each_batch_of_it_shows() -> None:
    console = Console(width=110, record=True)
    bars = _InOrder(*_columns(), console=console)
    show = _Bars(bars)
    show(Step("r", "sent email", "settle", 500, 500, ended=True))
    show(Step("r", "user", "extract", 1, 1))
    show(Step("r", "sent email", "collect", 111, 111, ended=True))
    show(Step("r", "sent email", "send", 0, 111))
    console.print(next(iter(bars.get_renderables())))
    users, mails = (line.split() for line in console.export_text().splitlines())
    assert users[0] == "users" and mails[:3] == ["sent", "emails", "sending"] and "0 of 111" in " ".join(mails)
