"""When are two addresses the same, and what does another one reset: MATCH-2, ADDR-1 to ADDR-3."""

from __future__ import annotations

import itertools

import pytest

from sync.address import BLANKS, DELIVERY_UNKNOWN, RESET_MESSAGE, AddressFacts, address_key, resets_delivery


@pytest.mark.parametrize("blank", list(BLANKS), ids=lambda blank: f"U+{ord(blank):04X}")
def test_addr_2_blanks_around_an_address_are_no_part_of_it(blank: str) -> None:
    assert address_key(f"{blank}Ann@Example.com{blank}{blank}") == "ann@example.com"


@pytest.mark.parametrize(
    ("one", "other"),
    [("ann@example.com", "ANN@EXAMPLE.COM"), ("Ünal@example.com", "üNAL@example.com"), ("İl@example.com", "il@example.com")],
)
def test_match_2_case_is_no_part_of_an_address(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


@pytest.mark.parametrize("nothing", [None, "", " ", BLANKS])
def test_match_2_blanks_alone_are_no_address(nothing: str | None) -> None:
    assert address_key(nothing) is None


def test_match_2_blanks_inside_an_address_count() -> None:
    assert address_key("ann @example.com") != address_key("ann@example.com")


def test_addr_1_and_3_what_a_reset_writes() -> None:
    assert (DELIVERY_UNKNOWN, RESET_MESSAGE) == (0, "Reset by Sync")


TABLE = [
    # known, fills only, ours, theirs, same → reset
    (True, True, True, True, False, False),
    (True, True, True, False, False, False),
    (True, True, False, True, False, True),
    (True, True, False, False, False, False),
    (True, False, False, False, False, False),
    (True, False, True, True, True, False),
    (True, False, True, True, False, True),
    (True, False, True, False, False, True),
    (True, False, False, True, False, True),
]


@pytest.mark.parametrize(("known", "fills", "ours", "theirs", "same", "reset"), TABLE)
def test_addr_1_another_address_starts_the_delivery_status_afresh(
    known: bool, fills: bool, ours: bool, theirs: bool, same: bool, reset: bool
) -> None:
    """ADDR-2: the same key is no change. MATCH-6: a lead never replaces its contact's address, it only fills an absent one."""
    assert resets_delivery(AddressFacts(known, fills, ours, theirs, same)) is reset


@pytest.mark.parametrize("rest", list(itertools.product((True, False), repeat=4)))
def test_addr_1_a_new_row_has_nothing_to_reset(rest: tuple[bool, bool, bool, bool]) -> None:
    assert not resets_delivery(AddressFacts(False, *rest))


def test_addr_2_a_sigma_at_the_end_of_a_word_is_no_other_letter() -> None:
    """The staging engine folds letter by letter; what is typed by hand has to meet it."""
    assert address_key("ΑΣ@X.TEST") == "ασ@x.test"
