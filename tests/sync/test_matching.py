"""Which Market row is it: MATCH-1 to MATCH-9, INIT-4. Every row of the tables in `sync.matching`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.matching import Candidate, Claim, Hold, How, Match, UserClaim, UserMatch, match_people, match_users
from sync.records import Kind

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANN = "ann@example.com"


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def claim(crm_id: str, minutes: int = 0, address: str | None = ANN, *, converted_to: str | None = None, row: int | None = None) -> Claim:
    return Claim(crm_id, at(minutes), address, converted_to, row)


def row(market_id: int, *holds: Hold, deleted: bool = False, updated: int = 0, modified: int = 0, barred: bool = False) -> Candidate:
    return Candidate(market_id, deleted, at(updated), at(modified), None, holds, barred)


def lead(crm_id: str = "l1", *, converted_to: str | None = None, connector: str = "acme") -> Hold:
    return Hold(connector, Kind.LEAD, crm_id, converted_to)


def contact(crm_id: str = "c1", *, connector: str = "acme") -> Hold:
    return Hold(connector, Kind.CONTACT, crm_id)


@dataclass(frozen=True)
class World:
    """What Market knows."""

    rows: tuple[Candidate, ...] = ()
    rows_of_leads: dict[str, list[int]] = field(default_factory=dict)
    row_of_contact: dict[str, int] = field(default_factory=dict)
    rows_of_contacts: frozenset[int] = frozenset()

    def match(self, kind: Kind, *claims: Claim) -> dict[str, Match]:
        found = match_people("acme", kind, claims, {ANN: self.rows}, self.rows_of_leads, self.row_of_contact, self.rows_of_contacts)
        return {match.crm_id: match for match in found}


EMPTY = World()


def test_match_1_a_linked_record_keeps_its_row_whatever_its_address() -> None:
    assert World((row(9),)).match(Kind.CONTACT, claim("c1", row=4)) == {"c1": Match("c1", 4, How.ID)}


def test_match_2_an_unknown_record_takes_the_row_with_its_address() -> None:
    assert World((row(4),)).match(Kind.LEAD, claim("l1")) == {"l1": Match("l1", 4, How.ADDRESS)}


def test_match_3_nothing_resembles_it_so_it_is_new() -> None:
    assert EMPTY.match(Kind.LEAD, claim("l1")) == {"l1": Match("l1", None, How.NEW)}


def test_match_3_without_an_address_nothing_can_resemble_it() -> None:
    assert World((row(4),)).match(Kind.LEAD, claim("l1", address=None)) == {"l1": Match("l1", None, How.NEW)}


@pytest.mark.parametrize(("kind", "hold"), [(Kind.CONTACT, contact("c2")), (Kind.LEAD, lead("l2"))])
def test_match_4_a_row_that_a_living_record_of_the_same_kind_holds_is_not_adopted(kind: Kind, hold: Hold) -> None:
    assert World((row(4, hold),)).match(kind, claim("x"))["x"].how is How.NEW


def test_match_4_a_record_of_another_crm_does_not_bar_the_row() -> None:
    assert World((row(4, contact("c2", connector="other")),)).match(Kind.CONTACT, claim("c1"))["c1"].market_id == 4


def test_match_5_of_several_rows_the_living_one_that_was_updated_last() -> None:
    rows = (row(3, updated=1), row(4, updated=5), row(5, updated=9, deleted=True))
    assert World(rows).match(Kind.LEAD, claim("l1"))["l1"].market_id == 4


def test_match_5_a_deleted_row_is_better_than_none() -> None:
    assert World((row(5, deleted=True),)).match(Kind.LEAD, claim("l1"))["l1"].market_id == 5


def test_match_5_ties_fall_by_the_crms_stamp_then_by_id() -> None:
    assert World((row(3, modified=1), row(4, modified=2))).match(Kind.LEAD, claim("l1"))["l1"].market_id == 4
    assert World((row(4), row(3))).match(Kind.LEAD, claim("l1"))["l1"].market_id == 3


def test_match_6_a_contact_takes_the_row_of_a_lead_with_its_address() -> None:
    assert World((row(4, lead()),)).match(Kind.CONTACT, claim("c1")) == {"c1": Match("c1", 4, How.ADDRESS)}


def test_match_6_a_lead_joins_the_row_of_a_contact_with_its_address() -> None:
    world = World((row(4, contact()),), rows_of_contacts=frozenset({4}))
    assert world.match(Kind.LEAD, claim("l1")) == {"l1": Match("l1", 4, How.ADDRESS)}


def test_match_6_a_second_lead_with_that_address_stays_a_row_of_its_own() -> None:
    world = World((row(4, contact()),), rows_of_contacts=frozenset({4}))
    found = world.match(Kind.LEAD, claim("l1", 2), claim("l2", 1))
    assert {crm_id: match.market_id for crm_id, match in found.items()} == {"l2": 4, "l1": None}


def test_match_7_a_lead_that_names_a_known_contact_has_its_row_whatever_the_addresses_say() -> None:
    world = World((row(9),), row_of_contact={"c1": 4}, rows_of_contacts=frozenset({4}))
    assert world.match(Kind.LEAD, claim("l1", converted_to="c1")) == {"l1": Match("l1", 4, How.CONVERSION)}


def test_match_7_the_row_that_the_lead_had_is_absorbed() -> None:
    world = World(row_of_contact={"c1": 4}, rows_of_contacts=frozenset({4}))
    assert world.match(Kind.LEAD, claim("l1", converted_to="c1", row=7))["l1"] == Match("l1", 4, How.CONVERSION, (7,))


def test_match_7_a_row_that_another_contact_holds_is_not_absorbed() -> None:
    world = World(row_of_contact={"c1": 4}, rows_of_contacts=frozenset({4, 7}))
    assert world.match(Kind.LEAD, claim("l1", converted_to="c1", row=7))["l1"] == Match("l1", 4, How.CONVERSION)


def test_match_7_read_again_the_lead_absorbs_nothing() -> None:
    world = World(row_of_contact={"c1": 4}, rows_of_contacts=frozenset({4}))
    assert world.match(Kind.LEAD, claim("l1", converted_to="c1", row=4))["l1"] == Match("l1", 4, How.CONVERSION)


def test_match_7_a_contact_takes_the_row_of_its_lead() -> None:
    world = World((row(9),), rows_of_leads={"c1": [7]})
    assert world.match(Kind.CONTACT, claim("c1"))["c1"] == Match("c1", 7, How.CONVERSION)


def test_match_7_of_several_leads_the_one_modified_last_gives_the_row_and_the_others_are_absorbed() -> None:
    assert World(rows_of_leads={"c1": [7, 8]}).match(Kind.CONTACT, claim("c1"))["c1"] == Match("c1", 7, How.CONVERSION, (8,))


def test_match_7_a_contact_that_has_a_row_keeps_it_and_absorbs_its_leads() -> None:
    assert World(rows_of_leads={"c1": [7]}).match(Kind.CONTACT, claim("c1", row=4))["c1"] == Match("c1", 4, How.ID, (7,))


def test_match_7_the_row_of_a_lead_that_another_contact_owns_is_left_alone() -> None:
    world = World(rows_of_leads={"c1": [7]}, rows_of_contacts=frozenset({7}))
    assert world.match(Kind.CONTACT, claim("c1"))["c1"] == Match("c1", None, How.NEW)


def test_match_7_a_converted_leads_row_is_reserved_for_the_contact_that_it_became() -> None:
    world = World((row(7, lead(converted_to="c1")),))
    assert world.match(Kind.CONTACT, claim("c2"))["c2"].how is How.NEW
    assert world.match(Kind.CONTACT, claim("c1"))["c1"].market_id == 7


def test_match_7_a_lead_that_became_somebody_else_does_not_join_a_contact_with_its_address() -> None:
    world = World((row(4, contact("c2")),), rows_of_contacts=frozenset({4}))
    assert world.match(Kind.LEAD, claim("l1", converted_to="c1"))["l1"].how is How.NEW


def test_match_8_a_row_that_was_merged_away_is_not_among_the_candidates_that_sync_sees() -> None:
    """Staging leaves merged rows out; what is left is nobody's, so the record is new."""
    assert World(()).match(Kind.LEAD, claim("l1"))["l1"].how is How.NEW


def test_match_9_two_records_with_one_address_take_two_rows_in_the_order_in_which_they_were_modified() -> None:
    world = World((row(3, updated=1), row(4, updated=5)))
    found = world.match(Kind.CONTACT, claim("c1", 2), claim("c2", 1), claim("c3", 3))
    assert {crm_id: match.market_id for crm_id, match in found.items()} == {"c2": 4, "c1": 3, "c3": None}


def test_match_9_a_lead_modified_first_joins_the_contact_before_the_lead_that_became_it() -> None:
    """Each record in its turn: l1 finds the row without a lead; l2 comes after it and is led there by its pointer."""
    world = World((row(4, contact()),), row_of_contact={"c1": 4}, rows_of_contacts=frozenset({4}))
    found = world.match(Kind.LEAD, claim("l1", 1), claim("l2", 2, converted_to="c1"))
    assert {crm_id: match.market_id for crm_id, match in found.items()} == {"l1": 4, "l2": 4}


def test_match_9_a_lead_modified_later_finds_the_row_taken() -> None:
    world = World((row(4, contact()),), row_of_contact={"c1": 4}, rows_of_contacts=frozenset({4}))
    found = world.match(Kind.LEAD, claim("l1", 2), claim("l2", 1, converted_to="c1"))
    assert {crm_id: match.market_id for crm_id, match in found.items()} == {"l1": None, "l2": 4}


def test_del_7_a_row_deleted_for_good_is_adopted_by_nobody() -> None:
    assert World((row(4, barred=True),)).match(Kind.LEAD, claim("l1"))["l1"].how is How.NEW


def test_match_5_stamps_are_compared_as_utc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """02:30 does not exist on this day in New York; staging's stamps are UTC and do not say so."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        earlier, later = (replace(row(n), updated_at=datetime(2026, 3, 8, *clock)) for n, clock in ((3, (2, 30)), (4, (3, 10))))
        assert World((earlier, later)).match(Kind.LEAD, claim("l1"))["l1"].market_id == 4
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_record_without_a_stamp_comes_first() -> None:
    found = World((row(4),)).match(Kind.LEAD, claim("l1", 1), replace(claim("l2"), modified_at=None))
    assert {crm_id: match.market_id for crm_id, match in found.items()} == {"l2": 4, "l1": None}


CLAIMS = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3), st.booleans()), unique_by=lambda each: each[0])


@given(CLAIMS, st.randoms(use_true_random=False), st.sampled_from([Kind.LEAD, Kind.CONTACT]), st.integers(0, 4))
def test_match_9_the_order_in_which_claims_are_handed_over_decides_nothing(claims, random, kind, rows) -> None:  # type: ignore[no-untyped-def]
    world = World(tuple(row(10 + n, updated=n % 2) for n in range(rows)))
    given_ = [claim(crm_id, minutes, ANN if has else None) for crm_id, minutes, has in claims]
    shuffled = random.sample(given_, len(given_))
    found = world.match(kind, *given_)
    assert world.match(kind, *shuffled) == found
    taken = [match.market_id for match in found.values() if match.market_id is not None]
    assert len(set(taken)) == len(taken)


# -- users ----------------------------------------------------------------------------------------------------------


def user(crm_id: str, minutes: int = 0, address: str | None = ANN, row: int | None = None) -> UserClaim:
    return UserClaim(crm_id, at(minutes), address, row)


def matched(*claims: UserClaim, by_address: dict[str, int] | None = None) -> dict[str, UserMatch]:
    return {match.crm_id: match for match in match_users(claims, by_address or {})}


def test_init_4_a_user_is_matched_by_id_then_by_address_else_new() -> None:
    found = matched(
        user("u1", row=5), user("u2", address="bob@example.com"), user("u3", address="eve@example.com"), by_address={"bob@example.com": 6}
    )
    assert [found[each].market_id for each in ("u1", "u2", "u3")] == [5, 6, None]
    assert all(match.writes and match.same_as is None for match in found.values())


def test_init_4_users_who_share_an_address_share_the_account_and_the_one_modified_last_gives_the_values() -> None:
    found = matched(user("u1", 2), user("u2", 1), by_address={ANN: 6})
    assert {(match.market_id, match.writes) for match in found.values()} == {(6, True), (6, False)}
    assert found["u1"].writes


def test_init_4_the_record_that_gives_the_values_makes_the_shared_account_and_the_others_name_it() -> None:
    """Only a record that writes values becomes a row; the others can be linked to nothing else."""
    found = matched(user("u1", 1), user("u2", 3), user("u3", 2))
    assert found["u2"] == UserMatch("u2", None, None, True, ANN)
    assert {found["u1"].same_as, found["u3"].same_as} == {"u2"}
    assert not found["u1"].writes
    assert not found["u3"].writes


def test_init_4_users_without_an_address_are_accounts_of_their_own() -> None:
    found = matched(user("u1", address=None), user("u2", address=None))
    assert all(match == UserMatch(match.crm_id, None, None, True) for match in found.values())


def test_match_9_an_address_that_one_user_gives_up_makes_an_account_for_the_next() -> None:
    found = matched(user("u1", 1, "bob@example.com", row=5), user("u2", 2), by_address={ANN: 5})
    assert (found["u1"].market_id, found["u1"].address_key) == (5, "bob@example.com")
    assert found["u2"] == UserMatch("u2", None, None, True, ANN)


def test_init_4_an_account_that_gets_the_address_of_another_keeps_its_row_and_leaves_the_key_to_it() -> None:
    found = matched(user("u2", 1, row=6), by_address={ANN: 5})
    assert found["u2"] == UserMatch("u2", 6, None, True, None)


def test_match_9_two_users_can_swap_their_addresses() -> None:
    found = matched(user("u1", 1, "bob@example.com", row=5), user("u2", 2, ANN, row=6), by_address={ANN: 5, "bob@example.com": 6})
    assert found["u2"].address_key == ANN
