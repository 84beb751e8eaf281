"""What an overview asks of Market, and the book of alerts: on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from adapters.market.books import COMPLETED, FAILED, STOPPED, Run
from adapters.market.engine import Market
from adapters.market.schema_books import crm_links, outbox, quarantine
from sync.alerts import Alert, Concern, Topic
from sync.records import Kind
from sync.standing import LatestRuns

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
FLOW = "core-sync"


def run(market: Market, minute: int, state: str | None, error: str = "", flow: str = FLOW) -> datetime:
    started = AT + timedelta(minutes=minute)
    run_id = f"{flow}-{minute}"
    market.runs.start(Run(run_id, flow, "acme", started))
    if state:
        summary = {"error": error, "error_type": "Transient"}
        market.runs.finish(run_id, state, started + timedelta(seconds=9), summary=summary, report=f"{run_id}/index.html")
    return started


def test_failures_are_counted_since_the_last_run_that_came_to_its_end(market: Market) -> None:
    def asked(connector: str, flow: str, since: datetime | None = None) -> LatestRuns:
        return market.standings.latest_runs(connector, {flow: since, "initial-sync": None})[flow]

    assert asked("acme", FLOW) == LatestRuns()
    run(market, 0, FAILED, "long ago")
    well = run(market, 20, COMPLETED)
    assert asked("acme", FLOW) == LatestRuns(well)
    first = run(market, 40, FAILED, "no connection")
    run(market, 60, STOPPED)
    run(market, 70, FAILED, "of another flow", flow="reconciliation")
    at_work = run(market, 80, None)
    expected = LatestRuns(well, 2, first, STOPPED, "", "Transient", f"{FLOW}-60/index.html", at_work)
    assert asked("acme", FLOW) == expected
    assert asked("acme", FLOW, AT + timedelta(minutes=10)) == expected  # the newest that went well stands in Market after all
    assert asked("acme", FLOW, AT + timedelta(minutes=50)).failures == 1  # one that had nothing to do went well meanwhile
    assert asked("other", FLOW) == LatestRuns()


def test_of_held_records_the_share_is_known_without_counting_a_whole_table(market: Market) -> None:
    hold = {"connector": "acme", "reason": "why", "row": "{}", "last_held_at": AT}
    with market.database.writing() as connection:
        for number, (crm_id, rule) in enumerate((("a", "x"), ("a", "y"), ("b", "x"))):
            since = AT + timedelta(minutes=number)
            connection.execute(insert(quarantine).values(kind="contact", crm_id=crm_id, rule=rule, first_held_at=since, **hold))
        released = {**hold, "released_at": AT}
        connection.execute(insert(quarantine).values(kind="lead", crm_id="c", rule="x", first_held_at=AT, **released))
        links = [{"connector": "acme", "kind": "contact", "crm_id": f"k{n}", "market_id": n} for n in range(150)]
        connection.execute(insert(crm_links), links)
    [held] = market.standings.held("acme", 0.02)
    assert (held.kind, held.records, held.since) == (Kind.CONTACT, 2, AT)
    assert held.known == 101 and held.share < 0.02  # of more it is enough to know that there are more
    [of_many] = market.standings.held("acme", 0.01)
    assert of_many.known == 150 and of_many.share == pytest.approx(2 / 150)
    assert market.standings.held("acme", 0)[0].share == 1 and market.standings.held("other", 0.02) == ()


def test_parked_pushes_are_told_apart_from_those_that_go_by_themselves(market: Market) -> None:
    rows = (("pending", 5), ("refused", 3), ("parked", 1), ("acknowledged", 0))
    with market.database.writing() as connection:
        for number, (state, minute) in enumerate(rows):
            row = {"connector": "acme", "kind": "task", "contact_id": 1, "subject_id": number, "crm_kind": "", "crm_id": "", "value": "{}"}
            connection.execute(insert(outbox).values(state=state, created_at=AT + timedelta(minutes=minute), **row))
    assert market.standings.waiting("acme") == (2, AT + timedelta(minutes=3), 1)
    assert market.standings.waiting("other") == (0, None, 0)


def test_an_alert_is_noted_changed_and_forgotten(market: Market) -> None:
    first = Alert(Concern("acme", Topic.RUN, FLOW, AT, "failed", "wait"))
    other = Alert(Concern("hub", Topic.CREDENTIAL, "", AT + timedelta(minutes=1), "refused"), trouble="no answer")
    market.alerts.note([first, other])
    assert market.alerts.list() == (first, other) and market.alerts.list("hub") == (other,)
    told = replace(first, told_at=AT, over_at=AT)
    market.alerts.note([told], [other])
    assert market.alerts.list() == (told,)
