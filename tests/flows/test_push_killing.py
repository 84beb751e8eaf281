"""Kill -9 while pushing: whatever was killed where, the CRM holds everything exactly once (PUSH-3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import text

from adapters.market.engine import open_market
from adapters.sandbox.sugarcrm import RunningSandbox
from sync.push import CORE, EMAIL_ACTIVITY, TIME_SENSITIVE
from sync.records import Kind
from tasks.operate import CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tests.flows.place import Driver, Place, lite_place, sandbox
from tests.pull_road import OPEN_GATE
from tests.push_road import EVERYTHING, Marketing

FLOWS = ((TIME_SENSITIVE_FLOW, TIME_SENSITIVE), (CORE_FLOW, CORE), (EMAIL_FLOW, EMAIL_ACTIVITY))
MADE = {
    "Leads": 1,
    "Contacts": 0,
    "Tasks": 2,
    "mkt_EmailActivity": 2,
    "mkt_Campaign": 1,
    "mkt_Visit": 2,
    "mkt_PageView": 4,
    "mkt_Completion": 2,
    "mkt_Registration": 2,
}


def after_the_write(kind: Kind) -> dict[str, Any]:
    """The CRM has written the batch, and nothing of that was kept."""
    return {"kind": kind.value, "verb": "send", "ended": False, "nth": 2, "after_s": 0.0}


ELSEWHERE = [
    {"kind": kind.value, "verb": verb, "ended": ended, "nth": 1, "after_s": 0.0}
    for kind, verb, ended in (
        (Kind.NEW_LEAD, "send", False),  # marked, and not sent
        (Kind.VISIT, "send", True),  # the answers are kept, and not settled
        (Kind.COMPLETION, "settle", False),
        (Kind.REGISTRATION, "settle", True),  # settled, and the parcel is still there
    )
]


def days_work(does: Marketing, people: list[int]) -> None:
    """Two people did everything, one is new, one opted out."""
    campaign, new = does.campaign(), does.person("nora@newcomer.example")
    for contact_id in people[:2]:
        does.mail(contact_id, campaign)
        does.reaction(Kind.OPENED, contact_id, campaign)
        does.reaction(Kind.CLICKED, contact_id, campaign)
        does.score(contact_id, 41.5)
        does.queue(Kind.UPDATE, contact_id, value='{"title": "Head of Pushing"}')
    for contact_id in (people[0], new):
        does.task(contact_id)
        does.visit(contact_id)
        does.completion(contact_id)
        does.registration(contact_id)
    does.opt_out(people[2])


def push_until_done(driver: Driver, place: Place, flow: str, kills: list[dict[str, Any]]) -> int:
    """→ how often it died."""
    deaths = 0
    for _ in range(len(kills) + 1):
        answer = driver.run_on(place, flow=flow, kills=kills, gate=False)
        assert "error" not in answer, answer["text"]
        if "hit" not in answer:
            break
        deaths += 1
        del kills[answer["hit"]]
    assert driver.run_on(place, flow=flow, gate=False) == {}
    return deaths


def counts(crm: RunningSandbox) -> dict[str, int]:
    return {module: len(list(crm.control.dump(module, deleted=False))) for module in MADE}


def test_push_3_killed_between_the_crms_write_and_our_record_of_it_everything_is_there_once(driver: Driver, tmp_path: Path) -> None:
    with sandbox() as crm:
        place = lite_place(tmp_path).write(crm.url, connector=EVERYTHING, more=OPEN_GATE)
        assert driver.run(place) == {}
        market = open_market(place.market_url)
        alone = text(
            "SELECT market_id FROM crm_links WHERE kind IN ('lead', 'contact') GROUP BY 1 HAVING count(*) = 1 AND min(kind) = 'contact'"
        )
        with market.database.reading() as connection:
            people = [int(contact_id) for (contact_id,) in connection.execute(alone)][:3]
        days_work(Marketing(market), people)
        before, wanted, deaths = counts(crm), 0, 0
        for flow, kinds in FLOWS:
            kills = [after_the_write(kind) for kind in kinds if flow != CORE_FLOW or kind is not Kind.OPT_OUT]
            kills += ELSEWHERE if flow == TIME_SENSITIVE_FLOW else []
            wanted += len(kills)
            deaths += push_until_done(driver, place, flow, kills)
        made = {module: count - before[module] for module, count in counts(crm).items()}
        with market.database.reading() as connection:
            states = [
                tuple(row) for row in connection.execute(text("SELECT kind, state, refusal FROM outbox WHERE state <> 'acknowledged'"))
            ]
        market.close()
        titles = [contact["title"] for contact in crm.control.dump("Contacts", deleted=False)]
    assert made == MADE
    assert states == []
    assert deaths == wanted
    assert titles.count("Head of Pushing") == 2
