"""What is told when: each once, and once more when it is over."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sync.alerts import Alert, Concern, Topic, concerns, decide, payload
from sync.records import Kind
from sync.standing import Credential, FlowStanding, HeldOfKind, LatestRuns, Standing, flow_state
from sync.watch_settings import AlertSettings

NOW = datetime(2026, 11, 28, 14, 5, tzinfo=UTC)
WRONG = Concern("acme", Topic.RUN, "core-sync", NOW - timedelta(minutes=40), "core-sync failed: no connection")
NOTED, TOLD = Alert(WRONG), Alert(WRONG, told_at=NOW - timedelta(minutes=38))
OVER = replace(TOLD, over_at=NOW - timedelta(minutes=2))


@pytest.mark.parametrize(
    ("wrong", "before", "kept", "dropped", "told"),
    [
        pytest.param([WRONG], [], [NOTED], [], [NOTED], id="new"),
        pytest.param([WRONG], [NOTED], [], [], [NOTED], id="not told yet"),
        pytest.param([WRONG], [TOLD], [], [], [], id="told: not every two minutes"),
        pytest.param([WRONG], [OVER], [TOLD], [], [], id="back before anybody knew that it was over"),
        pytest.param([], [TOLD], [replace(TOLD, over_at=NOW)], [], [replace(TOLD, over_at=NOW)], id="over"),
        pytest.param([], [OVER], [], [], [OVER], id="over, and that was not told yet"),
        pytest.param([], [NOTED], [replace(NOTED, over_at=NOW)], [], [replace(NOTED, over_at=NOW)], id="over before it could be told"),
        pytest.param([], [], [], [], [], id="nothing"),
    ],
)
def test_each_is_told_once_and_once_more_when_it_is_over(
    wrong: list[Concern], before: list[Alert], kept: list[Alert], dropped: list[Alert], told: list[Alert]
) -> None:
    decision = decide(wrong, before, NOW, listened=True)
    assert (list(decision.keep), list(decision.drop), list(decision.tell)) == (kept, dropped, told)


def test_with_nobody_to_tell_alerts_are_kept_while_they_last() -> None:
    assert decide([WRONG], [], NOW, listened=False).keep == (NOTED,)
    assert decide([WRONG], [], NOW, listened=False).tell == ()
    assert decide([], [NOTED], NOW, listened=False).drop == (NOTED,)


def test_new_words_for_the_same_thing_are_kept_and_not_told_again() -> None:
    decision = decide([replace(WRONG, since=NOW, message="core-sync failed: refused")], [TOLD], NOW, listened=True)
    assert [(each.concern.message, each.concern.since) for each in decision.keep] == [("core-sync failed: refused", WRONG.since)]
    assert decision.tell == ()


def flow(name: str = "core-sync", minutes: float = 5, due: int = 60, **runs: object) -> FlowStanding:
    return FlowStanding(name, NOW - timedelta(minutes=minutes), LatestRuns(**runs), timedelta(minutes=due) if due else None)  # type: ignore[arg-type]


def standing(*flows: FlowStanding, **more: object) -> Standing:
    return Standing("acme", "sugarcrm", "https://crm.example.com", NOW, True, flows, **more)  # type: ignore[arg-type]


FAILED = {
    "failures": 1,
    "failing_since": NOW,
    "state": "failed",
    "error": "acme: no connection\nWhat to do: wait",
    "error_type": "Transient",
}


def topics(where: Standing, **limits: object) -> list[tuple[str, str]]:
    return [(each.topic.value, each.subject) for each in concerns(where, AlertSettings(**limits))]  # type: ignore[arg-type]


def test_a_failed_flow_is_told_with_what_to_do_and_a_stopped_one_as_stopped() -> None:
    [failed] = concerns(standing(flow(**FAILED)), AlertSettings())
    assert (failed.message, failed.todo, failed.since) == ("core-sync failed: acme: no connection", "wait", NOW)
    [stopped] = concerns(standing(flow(**{**FAILED, "state": "stopped"})), AlertSettings())
    assert stopped.message == "core-sync was stopped before its end" and stopped.key == failed.key
    assert topics(standing(flow(**FAILED)), failures=2) == []
    assert topics(standing(flow(**{**FAILED, "failures": 2})), failures=2) == [("failed run", "core-sync")]


def test_conn_4_while_a_credential_is_dead_the_runs_that_fail_for_it_are_not_told_one_by_one() -> None:
    refused = {**FAILED, "error_type": "CredentialError"}
    dead = Credential(False, NOW, "user name or password is wrong (need_login)")
    where = standing(flow(**refused), flow("time-sensitive-sync", **refused), flow("reconciliation", **FAILED), credential=dead)
    assert topics(where) == [("dead credential", ""), ("failed run", "reconciliation")]
    assert topics(replace(where, credential=Credential(True, NOW))) == [("failed run", each.flow) for each in where.flows]


@pytest.mark.parametrize(
    ("minutes", "due", "told", "word"),
    [(59, 60, False, "well"), (60, 60, False, "well"), (61, 60, True, "overdue"), (999, 0, False, "well")],
)
def test_a_flow_is_overdue_when_it_came_to_no_end_for_too_long_and_0_is_not_watched(minutes: int, due: int, told: bool, word: str) -> None:
    late = flow(minutes=minutes, due=due)
    assert topics(standing(late)) == ([("overdue sync", "core-sync")] if told else [])
    assert flow_state(late, NOW)[1] == word


def test_a_flow_that_never_ran_is_overdue_only_from_where_it_should_have_run() -> None:
    never = FlowStanding("core-sync", None, due_after=timedelta(minutes=60))
    assert topics(standing(never)) == []
    [told] = concerns(standing(replace(never, due_from=NOW - timedelta(hours=3))), AlertSettings())
    assert told.message == "core-sync has not run since the initial sync, 3 hours ago; allowed: 1 hour"


@pytest.mark.parametrize(("held", "known", "told"), [(19, 20, False), (20, 999, True), (20, 1_000, False), (30, 0, True)])
def test_held_rows_are_told_above_their_share_and_their_number(held: int, known: int, told: bool) -> None:
    where = standing(held=(HeldOfKind(Kind.CONTACT, held, NOW, known),))
    assert topics(where, held_share=0.02, held_rows=20) == ([("held rows", "contacts")] if told else [])


def test_the_page_about_alerts_shows_the_message_as_it_is() -> None:
    page = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert json.loads(shown) == payload([Alert(replace(WRONG, todo="Is the CRM up?"))], NOW)
    for topic in Topic:
        assert f"`{topic.value}`" in page, topic


def test_the_message_is_documented_and_stays_as_it_is() -> None:
    """Its form is a promise to receivers: docs/alerts.md shows this one."""
    raised = Alert(replace(WRONG, todo="Is the CRM up?"))
    body = payload([raised, OVER], NOW)
    assert json.loads(json.dumps(body)) == {
        "version": 1,
        "text": "🔴 marketsync, acme: core-sync failed: no connection\n      What to do: Is the CRM up?\n"
        "🟢 marketsync, acme: over: failed run of core-sync; it lasted 38 minutes",
        "at": "2026-11-28T14:05:00+00:00",
        "alerts": [
            {
                "event": "raised",
                "topic": "failed run",
                "connector": "acme",
                "subject": "core-sync",
                "since": "2026-11-28T13:25:00+00:00",
                "until": None,
                "message": "core-sync failed: no connection",
                "todo": "Is the CRM up?",
            },
            {
                "event": "over",
                "topic": "failed run",
                "connector": "acme",
                "subject": "core-sync",
                "since": "2026-11-28T13:25:00+00:00",
                "until": "2026-11-28T14:03:00+00:00",
                "message": "core-sync failed: no connection",
                "todo": "",
            },
        ],
    }
    assert "could not be told before: core-sync failed" in payload([replace(OVER, told_at=None)], NOW)["text"]
