"""What an action leaves in the outbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from adapters.market.engine import Market
from adapters.market.queueing import Queued, queue
from sync.records import Kind
from tests.adapters.market.building import NOW, ask, execute

LATER = NOW + timedelta(minutes=5)


def enqueue(market: Market, *rows: Queued, now: Any = NOW) -> int:
    with market.database.writing() as connection:
        return queue(connection, rows, now)


def row_of(market: Market, columns: str) -> tuple[Any, ...]:
    [row] = ask(market, f"SELECT {columns} FROM outbox")
    return row


def test_push_1_an_action_leaves_one_row_per_connector_and_subject(market: Market) -> None:
    rows = [Queued(connector, Kind.VISIT, 7, visit) for connector in ("acme", "other") for visit in (1, 2)]
    assert enqueue(market, *rows) == 4
    found = ask(market, "SELECT connector, kind, contact_id, subject_id, state, version, attempts, value FROM outbox ORDER BY 1, 4")
    assert found == [(connector, "web visit", 7, visit, "pending", 1, 0, "{}") for connector in ("acme", "other") for visit in (1, 2)]
    assert len({key for (key,) in ask(market, "SELECT push_key FROM outbox")}) == 4


STATES = ("pending", "sending", "acknowledged", "refused", "parked")
ONCE = (Kind.TASK, Kind.COMPLETION, Kind.NEW_LEAD, Kind.OPENED, Kind.CLICKED)
CHANGING = ((Kind.SCORE, 7), (Kind.SENT, 7), (Kind.VISIT, 7), (Kind.REGISTRATION, 7), (Kind.UPDATE, 7), (Kind.OPENED, 0), (Kind.CLICKED, 0))


def in_every_state(market: Market, kinds: Sequence[tuple[Kind, int]]) -> list[Queued]:
    """A row of each of these kinds, of these people, in each state; the subject's key is the place of the state."""
    rows = [Queued("acme", kind, person, subject) for kind, person in kinds for subject in range(len(STATES))]
    assert enqueue(market, *rows) == len(rows)
    for subject, state in enumerate(STATES):
        tried = "attempts = 4, refusal = 'no', next_try_at = created_at, remote_id = 'r1'"
        execute(market, f"UPDATE outbox SET state = :state, {tried} WHERE subject_id = :subject", state=state, subject=subject)
    return rows


def test_push_1_what_can_not_change_is_queued_once(market: Market) -> None:
    """The same event twice, in one batch or in two, is one row, and stays what it is."""
    rows = in_every_state(market, [(kind, 7) for kind in ONCE])
    before = ask(market, "SELECT * FROM outbox ORDER BY outbox_id")
    assert enqueue(market, *rows, *rows, now=LATER) == 0
    assert ask(market, "SELECT * FROM outbox ORDER BY outbox_id") == before


def test_push_2_what_changed_again_waits_with_the_next_version(market: Market) -> None:
    """A row that is at the CRM this moment stays `sending`: it is looked up before it goes out again (PUSH-3)."""
    rows = in_every_state(market, CHANGING)
    keys = ask(market, "SELECT outbox_id, push_key FROM outbox ORDER BY outbox_id")
    assert enqueue(market, *rows, now=LATER) == len(rows)
    assert ask(market, "SELECT outbox_id, push_key FROM outbox ORDER BY outbox_id") == keys
    for subject, state in enumerate(STATES):
        waits = "sending" if state == "sending" else "pending"
        columns = "state, version, attempts, refusal, next_try_at IS NULL, remote_id"
        found = ask(market, f"SELECT DISTINCT {columns} FROM outbox WHERE subject_id = :subject", subject=subject)
        assert found == [(waits, 2, 0, None, state != "sending", "r1")], state


def test_push_2_a_row_waits_since_the_first_change_that_the_crm_has_not_taken(market: Market) -> None:
    score = Queued("acme", Kind.SCORE, 7, 1)
    enqueue(market, score)
    [(since,)] = ask(market, "SELECT created_at FROM outbox")
    enqueue(market, score, now=LATER)
    assert row_of(market, "created_at") == (since,)
    execute(market, "UPDATE outbox SET state = 'acknowledged'")
    enqueue(market, score, now=LATER)
    assert row_of(market, "created_at") != (since,)


def update(**values: Any) -> Queued:
    return Queued("acme", Kind.UPDATE, 7, value=json.dumps(values))


def test_push_2_record_updates_that_wait_are_one_with_the_newest_value_of_each_column(market: Market) -> None:
    """An emptied column is a value as well."""
    assert enqueue(market, update(title="CEO", phone="1"), update(title="CTO")) == 1
    enqueue(market, update(phone=None, company="Müller"), Queued("other", Kind.UPDATE, 7, value='{"title": "x"}'))
    [(value,)] = ask(market, "SELECT value FROM outbox WHERE connector = 'acme'")
    assert json.loads(value) == {"title": "CTO", "phone": None, "company": "Müller"}


def test_push_2_a_record_update_that_the_crm_has_is_not_sent_again_with_the_next_one(market: Market) -> None:
    enqueue(market, update(title="CEO"))
    execute(market, "UPDATE outbox SET state = 'acknowledged'")
    enqueue(market, update(phone="1"))
    assert row_of(market, "value, state, version") == ('{"phone": "1"}', "pending", 2)


def test_push_1_thousands_of_rows_are_queued_at_once(market: Market) -> None:
    rows = [Queued("acme", Kind.SENT, person, person) for person in range(1, 3_001)]
    assert (enqueue(market, *rows), enqueue(market, *rows[:1_000])) == (3_000, 1_000)
    assert ask(market, "SELECT version, count(*) FROM outbox GROUP BY version ORDER BY version") == [(1, 2_000), (2, 1_000)]
