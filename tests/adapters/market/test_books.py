"""Runs and findings; counts for the comparison with the CRM."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adapters.market.books import COMPLETED, FAILED, RUNNING, Run
from adapters.market.engine import Market
from adapters.market.verify import MarketCounts
from sync.records import Finding, Kind
from tests.adapters.market.building import AT, NOW, commit, link, put_links
from tests.rows import MemoryRows


def test_run_is_listed_from_its_start_and_tells_how_it_ended(market: Market) -> None:
    """GATE-5: every run leaves a report, and the Market knows where."""
    market.runs.start(Run("r1", "initial-sync", "acme", NOW))
    market.runs.start(Run("r2", "core-sync", "acme", NOW + timedelta(hours=1)))
    market.runs.start(Run("r3", "core-sync", "other", NOW + timedelta(hours=2)))
    market.runs.finish("r1", COMPLETED, NOW + timedelta(minutes=5), summary={"inserted": 3}, report="reports/r1.html")
    assert [run.run_id for run in market.runs.list("acme")] == ["r2", "r1"]
    assert [run.run_id for run in market.runs.list(flow="core-sync", limit=1)] == ["r3"]
    first = market.runs.get("r1")
    assert first == Run("r1", "initial-sync", "acme", NOW, COMPLETED, NOW + timedelta(minutes=5), {"inserted": 3}, "reports/r1.html")
    assert market.runs.get("nobody") is None


def test_initial_sync_counts_as_done_only_when_it_came_to_its_end(market: Market) -> None:
    """FLOW-2: the recurring flows refuse to start for a connector whose initial sync has not completed."""
    market.runs.start(Run("r1", "initial-sync", "acme", NOW))
    assert not market.runs.has_completed("acme", "initial-sync")
    market.runs.finish("r1", FAILED, NOW)
    assert not market.runs.has_completed("acme", "initial-sync")
    market.runs.start(Run("r1", "initial-sync", "acme", NOW + timedelta(days=1)))
    again = market.runs.get("r1")
    assert again is not None
    assert (again.state, again.started_at, again.ended_at) == (RUNNING, NOW, None)
    market.runs.finish("r1", COMPLETED, NOW)
    assert market.runs.has_completed("acme", "initial-sync")
    assert not market.runs.has_completed("other", "initial-sync")


def test_findings_are_kept_with_their_run(market: Market) -> None:
    """MATCH-4: shared addresses are listed in the run's report."""
    found = (Finding(Kind.CONTACT, "shared address", "two contacts share one", 2, ("c1", "c2")), Finding(None, "zone", "clocks differ"))
    market.findings.save("r1", "acme", found)
    market.findings.save("r2", "acme", ())
    assert market.findings.of_run("r1") == found
    assert market.findings.of_run("r2") == ()


def test_counts_explain_what_became_of_the_records(market: Market) -> None:
    """INIT-6: linked, matched onto one row, held, left, gone."""
    put_links(
        market,
        link("c1", 1, crm_created_at=AT),
        link("c2", 1, crm_created_at="2026-02-20 00:00:00.000000"),
        link("c3", 2, living=False),
        link("c4", 3),
        link("l1", 1, kind="lead"),
    )
    with commit(market) as tx:
        tx.put_links(MemoryRows(("connector", "kind", "crm_id", "market_id", "left_scope"), [("acme", "contact", "c4", 3, True)]))
        rows = [("c1", "a", "", "{}"), ("c9", "a", "", "{}"), ("c9", "b", "", "{}"), ("", "a", "", "{1}"), ("", "b", "", "{1}")]
        tx.hold(MemoryRows(("crm_id", "rule", "reason", "row"), rows))
    assert market.counts("acme", Kind.CONTACT) == MarketCounts(linked=2, rows=1, held=2, held_linked=1, left_scope=1, gone=1)
    since = market.counts("acme", Kind.CONTACT, created_from=datetime(2026, 2, 20, tzinfo=UTC))
    assert (since.linked, since.rows) == (1, 1)
    assert market.counts("acme", Kind.ACCOUNT) == MarketCounts(0, 0, 0, 0, 0, 0)
