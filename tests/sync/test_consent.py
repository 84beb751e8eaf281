"""May they be mailed: CONSENT-1 to CONSENT-6, and the law CONSENT-10 over every situation."""

from __future__ import annotations

import itertools

import pytest

from sync.consent import ConsentDecision, ConsentFacts, FirstAdoption, decide_opt_out

OUT, IN, UNSAID = True, False, None
STAYS = ConsentDecision(None, False, "")
EVERY = [
    ConsentFacts(market, crm, base, adoption, pending)
    for market, crm, base in itertools.product((OUT, IN, UNSAID), repeat=3)
    for adoption, pending in itertools.product((True, False), repeat=2)
]


def facts(
    market: bool | None, crm: bool | None, base: bool | None = UNSAID, *, adoption: bool = False, pending: bool = False
) -> ConsentFacts:
    return ConsentFacts(market, crm, base, adoption, pending)


@pytest.mark.parametrize(("crm", "expected"), [(OUT, True), (IN, False), (UNSAID, False)])
def test_a_new_row_takes_the_crms_first_word(crm: bool | None, expected: bool) -> None:
    decision = decide_opt_out(facts(UNSAID, crm, adoption=True))
    assert (decision.opt_out, decision.queue) == (expected, False)


def test_consent_1_an_opt_out_of_ours_survives_the_first_adoption_and_is_queued() -> None:
    decision = decide_opt_out(facts(OUT, IN, adoption=True))
    assert (decision.opt_out, decision.queue) == (None, True)
    assert decision.why.startswith("CONSENT-1")


@pytest.mark.parametrize("setting", FirstAdoption)
def test_consent_1_holds_whatever_the_setting_for_first_adoption(setting: FirstAdoption) -> None:
    decision = decide_opt_out(facts(OUT, IN, adoption=True), setting)
    assert (decision.opt_out, decision.queue) == (None, True)


def test_consent_2_at_first_adoption_the_strictest_wins() -> None:
    decision = decide_opt_out(facts(IN, OUT, adoption=True))
    assert (decision.opt_out, decision.queue) == (True, False)
    assert decision.why.startswith("CONSENT-2")


def test_consent_2_keep_market_does_not_overwrite() -> None:
    assert decide_opt_out(facts(IN, OUT, adoption=True), FirstAdoption.KEEP_MARKET) == STAYS


@pytest.mark.parametrize("same", [OUT, IN])
def test_consent_1_and_2_adoption_changes_nothing_where_both_agree(same: bool) -> None:
    assert decide_opt_out(facts(same, same, adoption=True)) == STAYS


@pytest.mark.parametrize("base", [IN, UNSAID])
@pytest.mark.parametrize("pending", [True, False])
def test_consent_3_a_later_opt_out_in_the_crm_counts(base: bool | None, pending: bool) -> None:
    """Also when the field was hidden before, so that the CRM never said anything."""
    decision = decide_opt_out(facts(IN, OUT, base, pending=pending))
    assert (decision.opt_out, decision.queue) == (True, False)
    assert decision.why.startswith("CONSENT-3")


def test_consent_3_who_is_out_already_stays_out_without_an_entry() -> None:
    assert decide_opt_out(facts(OUT, OUT, IN)) == STAYS


def test_consent_4_a_resubscribe_in_the_crm_counts_once_ours_is_acknowledged() -> None:
    decision = decide_opt_out(facts(OUT, IN, OUT))
    assert (decision.opt_out, decision.queue) == (False, False)
    assert decision.why.startswith("CONSENT-4")


def test_consent_5_while_our_opt_out_is_on_its_way_it_wins() -> None:
    assert decide_opt_out(facts(OUT, IN, OUT, pending=True)) == STAYS


@pytest.mark.parametrize("value", [OUT, IN])
@pytest.mark.parametrize("market", [OUT, IN])
@pytest.mark.parametrize("pending", [True, False])
def test_consent_6_an_unchanged_crm_value_changes_nothing(value: bool, market: bool, pending: bool) -> None:
    assert decide_opt_out(facts(market, value, value, pending=pending)) == STAYS


@pytest.mark.parametrize("base", [OUT, IN, UNSAID])
@pytest.mark.parametrize("market", [OUT, IN])
@pytest.mark.parametrize("adoption", [True, False])
def test_consent_6_a_hidden_field_changes_nothing(base: bool | None, market: bool, adoption: bool) -> None:
    assert decide_opt_out(facts(market, UNSAID, base, adoption=adoption)) == STAYS


def test_consent_6_a_field_that_appears_with_in_re_subscribes_nobody() -> None:
    assert decide_opt_out(facts(OUT, IN, UNSAID)) == STAYS


@pytest.mark.parametrize("setting", FirstAdoption)
def test_consent_10_only_a_resubscribe_that_was_seen_to_happen_takes_an_opt_out_back(setting: FirstAdoption) -> None:
    taken_back = [each for each in EVERY if each.market is OUT and decide_opt_out(each, setting).opt_out is False]
    assert taken_back == [ConsentFacts(OUT, IN, OUT, adoption=False, unacknowledged=False)]


@pytest.mark.parametrize("setting", FirstAdoption)
def test_every_change_of_an_opt_out_says_why(setting: FirstAdoption) -> None:
    for each in EVERY:
        decision = decide_opt_out(each, setting)
        changes = decision.opt_out is not None and decision.opt_out != bool(each.market)
        assert bool(decision.why) == (changes or decision.queue), each
