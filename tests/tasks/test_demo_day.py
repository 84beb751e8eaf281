"""Two days of the demo, pushed while a fifth of all calls fails in every way: in the end the CRM has each activity exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.crm import ADAPTERS
from adapters.http import Patience
from adapters.sandbox.sugarcrm import Hook, storm
from sync.demo_day import RIVAL, Day, Recipient, make_day
from sync.errors import Transient
from tasks.operate import CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW
from tasks.recording import Recorder
from tests.push_road import PushRoad, push_road

BEGIN = datetime(2026, 6, 1, 6, tzinfo=UTC)
MOST_ROUNDS = 40
LANDS = {
    "sent email": "mkt_EmailActivity",
    "web visit": "mkt_Visit",
    "landing page completion": "mkt_Completion",
    "event registration": "mkt_Registration",
    "task": "Tasks",
}
ONCE = {
    "mkt_EmailActivity": ("parent_id", "address", "sent_at"),
    "mkt_Visit": ("parent_id", "started_at"),
    "mkt_PageView": ("mkt_visit_id_c", "url"),
    "mkt_Completion": ("parent_id", "completed_at"),
    "mkt_Registration": ("parent_id", "event", "registered_at"),
    "mkt_Campaign": ("campaign_key",),
    "Tasks": ("parent_id", "date_due"),
}
UNSETTLED = """
    SELECT count(*) FROM outbox LEFT JOIN contacts USING (contact_id) WHERE state <> 'acknowledged' AND waits_for IS NULL
    AND NOT (kind = 'new lead' AND (last_name IS NULL OR company = :rival))
"""


@contextmanager
def stormy_road(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PushRoad]:
    """Pauses between attempts take no time."""
    sugar = partial(ADAPTERS["sugarcrm"], patience=Patience(attempts=4), sleep=lambda seconds: None)
    monkeypatch.setitem(ADAPTERS, "sugarcrm", sugar)
    url = f"sqlite:///{folder / 'market.db'}"
    with push_road(folder, url, leads=30, contacts=60) as road:
        road.control.set_hooks(Hook("Leads", field="account_name", matches=RIVAL, refuse="No rivals"))
        yield road


def day(road: PushRoad, seed: int) -> Day:
    """One day of people whose addresses are all different."""
    people = road.core.rows("SELECT min(contact_id) AS who, email FROM contacts WHERE email IS NOT NULL AND NOT opt_out GROUP BY email_key")
    recipients = [Recipient(row["who"], row["email"]) for row in people if not row["email"].endswith("@example.net")]
    return make_day(seed, recipients, BEGIN + timedelta(days=seed))


def record(road: PushRoad, seed: int) -> None:
    recorder = Recorder(road.core.road.config)
    for kind, records in day(road, seed):
        assert recorder.record(kind, records).refused == ()


def push_round(road: PushRoad, seed: int) -> int:
    """Every flow once, in the storm. → how many calls went wrong."""
    road.control.set_faults(*storm(0.2, seed=seed))
    for flow in (CORE_FLOW, EMAIL_FLOW, TIME_SENSITIVE_FLOW):
        with suppress(Transient):  # the next run goes on
            road.push(flow)
    fired = sum(rule["fired"] for rule in road.control.fault_state())
    road.control.set_faults()
    road.core.road.execute("UPDATE outbox SET next_try_at = NULL WHERE state = 'refused'")  # minutes pass
    return fired


def push_until_quiet(road: PushRoad, first: int) -> int:
    fired = 0
    for number in range(first, first + MOST_ROUNDS):
        print(
            number,
            road.core.rows("SELECT kind,state,count(*) n FROM outbox WHERE state<>'acknowledged' AND waits_for IS NULL GROUP BY 1,2"),
        )
        fired += push_round(road, number)
        if road.core.one(UNSETTLED, rival=RIVAL) == 0:
            return fired
    raise AssertionError(f"still waiting: {road.core.rows('SELECT kind, state, refusal, count(*) FROM outbox GROUP BY 1, 2, 3')}")


def test_push_3_push_4_whole_days_arrive_exactly_once_in_a_storm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PUSH-2, PUSH-3, PUSH-4, CONSENT-8: the second day begins while the first is still on its way."""
    with stormy_road(tmp_path, monkeypatch) as road:
        record(road, 1)
        fired = push_round(road, 0)
        record(road, 2)
        fired += push_until_quiet(road, 1)
        assert fired > 30
        each_activity_is_there_once(road)
        counters_agree(road)
        people_agree(road)
        only_what_should_wait_is_left(road)


def each_activity_is_there_once(road: PushRoad) -> None:
    assert {module: road.control.repeats(module, *fields) for module, fields in ONCE.items()} == {module: [] for module in ONCE}
    for kind, module in LANDS.items():
        taken = road.core.rows("SELECT remote_id FROM outbox WHERE kind = :kind AND state = 'acknowledged'", kind=kind)
        assert {row["id"] for row in road.dump(module)} == {row["remote_id"] for row in taken}, kind
        waiting = road.core.one("SELECT count(*) FROM outbox WHERE kind = :kind AND waits_for IS NOT NULL", kind=kind)
        assert len(taken) + waiting == road.core.one(f"SELECT count(*) FROM {_TABLES[kind]}"), kind
    views = "SELECT count(*) FROM page_views JOIN outbox ON kind = 'web visit' AND subject_id = visit_id AND state = 'acknowledged'"
    assert len(road.dump("mkt_PageView")) == road.core.one(views)


_TABLES = {
    "sent email": "email_sends",
    "web visit": "web_visits",
    "landing page completion": "completions",
    "event registration": "registrations",
    "task": "tasks",
}


def counters_agree(road: PushRoad) -> None:
    """Of each mail, of the campaign, and who came to the event."""
    mails = road.core.rows("SELECT remote_id, opens, clicks FROM outbox JOIN email_sends ON send_id = subject_id WHERE remote_id <> ''")
    there = {row["id"]: (row["opens"], row["clicks"]) for row in road.dump("mkt_EmailActivity")}
    assert there == {row["remote_id"]: (row["opens"], row["clicks"]) for row in mails if row["remote_id"] in there}
    events = "SELECT count(*) AS of, count(DISTINCT contact_id) AS people FROM email_events WHERE what = :what"
    [campaign] = road.dump("mkt_Campaign")
    for what, of, people in (("open", "opens", "people_opened"), ("click", "clicks", "people_clicked")):
        assert road.core.rows(events, what=what) == [{"of": campaign[of], "people": campaign[people]}]
    came = sum(row["attended_at"] is not None for row in road.dump("mkt_Registration"))
    assert came == road.core.one("SELECT count(*) FROM registrations WHERE attended_at IS NOT NULL")


def people_agree(road: PushRoad) -> None:
    """Opt-outs are out, scores and values are those of Market, and who is new is there once."""
    there: dict[tuple[str, str], Any] = {
        (kind, row["id"]): row for kind, module in (("contact", "Contacts"), ("lead", "Leads")) for row in road.dump(module)
    }
    links = "SELECT kind, l.crm_id, {} FROM crm_links l JOIN {} ON contact_id = market_id WHERE {} AND living AND converted_to IS NULL"
    people = "kind IN ('lead', 'contact')"
    for row in road.core.rows(links.format("score", "scores", people)):
        assert float(there[row["kind"], row["crm_id"]]["mkt_score_c"]) == float(row["score"])
    for row in road.core.rows(links.format("title, phone, mobile_phone", "contacts", people)):
        held = there[row["kind"], row["crm_id"]]
        assert (held["title"], held["phone_work"], held["phone_mobile"]) == (row["title"], row["phone"], row["mobile_phone"])
    out = road.core.rows("SELECT DISTINCT email_key FROM consent_ledger WHERE source = 'market' AND new AND contact_id IS NOT NULL")
    flagged = {row["email_address"].lower() for row in road.dump("EmailAddresses") if row["opt_out"]}
    assert out and {row["email_key"] for row in out} <= flagged
    new = road.core.rows("SELECT email FROM contacts WHERE email LIKE '%@example.net' AND last_name IS NOT NULL AND company <> :r", r=RIVAL)
    created = [row["email1"] for row in road.dump("Leads") if str(row["email1"]).endswith("@example.net")]
    assert sorted(created) == sorted(row["email"] for row in new)


def only_what_should_wait_is_left(road: PushRoad) -> None:
    """Two new leads of each day are refused for good reason, and what they did waits for them; some deliveries are not known."""
    left = road.core.rows("SELECT DISTINCT kind, waits_for FROM outbox WHERE state = 'pending' ORDER BY 1")
    assert {(row["kind"], row["waits_for"]) for row in left} == {
        ("sent email", "delivery"),
        *((kind, "record") for kind in ("web visit", "landing page completion", "score")),
    }
    refused = road.core.rows("SELECT DISTINCT kind, refusal FROM outbox WHERE state IN ('refused', 'parked') ORDER BY refusal")
    assert [row["kind"] for row in refused] == ["new lead", "new lead"]
    assert refused[0]["refusal"].startswith("held back: last_name") and "No rivals" in refused[1]["refusal"]
