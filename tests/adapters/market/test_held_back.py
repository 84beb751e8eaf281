"""Which rows of the outbox our own checks held before (PUSH-4)."""

from __future__ import annotations

from sqlalchemy import insert

from adapters.market.engine import Market
from adapters.market.held_back import held_back
from adapters.market.schema_books import outbox
from tests.adapters.market.building import NOW


def test_only_refusals_of_our_own_checks_count_push_4(market: Market) -> None:
    refusals = ("held back: no address", "The CRM: held back: no", None, "held_back: x", "held back: another")
    rows = [
        {"outbox_id": number, "subject_id": number, "refusal": refusal, "connector": "acme", "kind": "task", "crm_kind": "", "crm_id": ""}
        for number, refusal in enumerate(refusals, 1)
    ]
    with market.database.writing() as connection:
        connection.execute(insert(outbox), [{**each, "value": "{}", "created_at": NOW} for each in rows])
        connection.commit()
    assert held_back(market.database, (1, 2, 3, 4)) == {1}
    assert held_back(market.database, ()) == frozenset()
