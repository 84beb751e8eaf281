"""Both databases answer every saved report as a slow reference in Python does (REPORT-1)."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.market.engine import Market
from sync.saved_report_fields import BY_DESIGN, report_mistakes
from sync.saved_reports import SavedReport
from tests.adapters.market.report_world import NOW, World, answer, fill, make_columns, reports, worlds


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])
@given(world=worlds(), asked=st.lists(reports(), min_size=8, max_size=20))
def test_report_1_both_databases_answer_as_plain_python_does(market: Market, world: World, asked: list[SavedReport]) -> None:
    make_columns(market)
    fill(market, world)
    for report in asked:
        assert list(report_mistakes(report, BY_DESIGN)) == []
        found = [row[0] for row in market.saved_reports.rows(report, NOW)]
        assert found == answer(world, report, coarse=market.database.lite), report
