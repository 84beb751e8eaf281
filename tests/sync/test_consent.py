"""May they be mailed: CONSENT-1 to CONSENT-6, and the law CONSENT-10 over every situation."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from sync.consent import ConsentDecision, ConsentFacts, FirstAdoption, MailFacts, decide_in_turn, decide_opt_out, may_be_mailed

OUT, IN, UNSAID = True, False, None
STAYS = ConsentDecision(None, False, "")
EVERY = [
    ConsentFacts(market, crm, base, *flags)
    for market, crm, base in itertools.product((OUT, IN, UNSAID), repeat=3)
    for flags in itertools.product((True, False), repeat=5)
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


@pytest.mark.parametrize(
    ("market", "crm", "base", "queued"), [(OUT, IN, IN, True), (OUT, IN, UNSAID, True), (OUT, IN, OUT, False), (IN, IN, IN, False)]
)
def test_consent_8_a_record_that_lives_again_hears_of_an_opt_out_of_meanwhile(
    market: bool, crm: bool, base: bool | None, queued: bool
) -> None:
    """One that says in after it said out is a re-subscribe (CONSENT-4)."""
    assert decide_opt_out(ConsentFacts(market, crm, base, False, False, revived=True)).queue is queued


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
    seen = ConsentFacts(OUT, IN, OUT, adoption=False, unacknowledged=False, stale=False, others_out=False)
    assert taken_back == [replace(seen, revived=True), seen]


@pytest.mark.parametrize("setting", FirstAdoption)
def test_every_change_of_an_opt_out_says_why(setting: FirstAdoption) -> None:
    for each in EVERY:
        decision = decide_opt_out(each, setting)
        changes = decision.opt_out is not None and decision.opt_out != bool(each.market)
        assert bool(decision.why) == (changes or decision.queue), each


def test_consent_5_what_was_read_before_the_crm_took_our_opt_out_re_subscribes_nobody() -> None:
    assert decide_opt_out(ConsentFacts(OUT, IN, OUT, adoption=False, unacknowledged=False, stale=True)) == STAYS


def test_consent_10_of_one_person_the_strictest_record_counts() -> None:
    assert decide_opt_out(ConsentFacts(OUT, IN, OUT, adoption=False, unacknowledged=False, others_out=True)) == STAYS


# -- several records of one person in one batch -----------------------------------------------------------------------


def turn(market: bool, *says: tuple[bool | None, bool | None], others_out: bool = False) -> bool | None:
    """What (base, CRM) of each record in their order come to."""
    records = [ConsentFacts(market, crm, base, adoption=False, unacknowledged=False, others_out=others_out) for base, crm in says]
    decision, queue = decide_in_turn(records)
    assert not any(queue) and bool(decision.why) == (decision.opt_out is not None)
    return decision.opt_out


@pytest.mark.parametrize(
    ("market", "says", "expected"),
    [
        (OUT, [(OUT, IN), (OUT, IN)], IN),
        (OUT, [(OUT, IN), (OUT, OUT)], None),
        (OUT, [(OUT, OUT), (OUT, IN)], None),
        (OUT, [(OUT, IN), (IN, OUT)], None),
        (OUT, [(IN, OUT), (OUT, IN)], None),
        (IN, [(IN, OUT), (IN, IN)], OUT),
        (IN, [(IN, IN), (IN, OUT)], OUT),
        (OUT, [(OUT, IN), (IN, IN)], IN),
        (OUT, [(OUT, IN), (OUT, UNSAID)], None),
    ],
)
def test_consent_10_several_records_of_one_batch_take_turns(
    market: bool, says: list[tuple[bool | None, bool | None]], expected: bool | None
) -> None:
    """MATCH-9: what one record after the other would have come to; a record that still says out holds back the others."""
    assert turn(market, *says) is expected


def test_consent_10_a_record_outside_of_the_batch_that_says_out_holds_them_all_back() -> None:
    assert turn(OUT, (OUT, IN), (OUT, IN), others_out=True) is None


def test_consent_1_each_record_that_is_adopted_in_one_batch_is_queued() -> None:
    records = [ConsentFacts(OUT, IN, UNSAID, adoption=True, unacknowledged=False)] * 2
    assert decide_in_turn(records) == (STAYS, (True, True))


def test_consent_2_what_one_adopted_record_says_is_told_to_the_crm_about_the_next() -> None:
    first, second = (ConsentFacts(IN, crm, UNSAID, adoption=True, unacknowledged=False) for crm in (OUT, IN))
    decision, queue = decide_in_turn([first, second])
    assert (decision.opt_out, queue) == (OUT, (False, True))


# -- may they be mailed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("facts", [MailFacts(*values) for values in itertools.product((True, False), repeat=6)], ids=repr)
def test_consent_7_one_reason_against_it_is_enough(facts: MailFacts) -> None:
    """CONSENT-10, DEL-1, ADDR-3: the whole table."""
    decision = may_be_mailed(facts)
    against = facts.opted_out or facts.watched or facts.shared_out or facts.bounced or not facts.living or not facts.has_address
    assert (decision.may, bool(decision.why)) == (not against, against)
