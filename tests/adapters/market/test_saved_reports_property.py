"""Both databases answer every saved report as a slow reference in Python does (REPORT-1), and as the consent rules do (CONSENT-7)."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.market.engine import Market
from sync.saved_report_fields import BY_DESIGN, report_mistakes
from sync.saved_reports import Of, SavedReport, Term
from tests.adapters.market.report_world import NOW, World, answer, fill, make_columns, reports, worlds


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])
@given(world=worlds(), asked=st.lists(reports(), min_size=8, max_size=20))
def test_report_1_both_databases_answer_as_plain_python_does(market: Market, world: World, asked: list[SavedReport]) -> None:
    make_columns(market)
    fill(market, world)
    for report in asked:
        assert list(report_mistakes(report, BY_DESIGN)) == []
        found = [tuple(row) for row in market.saved_reports.rows(report, NOW)]
        assert found == answer(world, report, coarse=market.database.lite), report


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large])
@given(world=worlds())
def test_consent_7_a_report_and_the_consent_rules_never_differ_about_who_may_be_mailed(market: Market, world: World) -> None:
    make_columns(market)
    fill(market, world)
    living = [row["contact_id"] for row in world.contacts if row["merged_into"] is None and row["email_key"] != ""]
    allowed = {judged.contact_id for judged in market.consent.judge(living) if judged.decision.may}
    asked = SavedReport(
        name="mailable",
        of=Of.PEOPLE,
        all_of=(Term("consent.may_be_mailed", "equals", True),),
        columns=("contact_id",),
        include_deleted=True,
    )
    assert {row[0] for row in market.saved_reports.rows(asked, NOW)} == allowed
