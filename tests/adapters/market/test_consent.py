"""Who may be mailed."""

from __future__ import annotations

import pytest

from adapters.market.engine import Market
from adapters.market.watch import LedgerEntry, Watched
from sync.errors import ConfigError
from tests.adapters.market.building import AT, NOW, person, put


def watched(address: str, campaign: str = "spring") -> Watched:
    return Watched(address, campaign, NOW, "unsubscribed", "landing page")


def test_nobody_on_the_guarded_watch_is_mailed_whatever_opt_out_says(market: Market) -> None:
    """CONSENT-7: "may this person be mailed" is false while their address is on it."""
    put(market, "contacts", person(1, email="Ann@Example.com"))
    assert market.consent.may_be_mailed(" ann@EXAMPLE.com")
    assert market.consent.watch([watched(" ANN@example.com "), watched("ann@example.com"), watched("ann@example.com", "summer")]) == 2
    assert not market.consent.may_be_mailed("ann@example.com")
    assert market.consent.watch([watched("ann@example.com")]) == 0


def test_address_leaves_the_watch_by_an_operator_with_a_reason_in_the_ledger(market: Market) -> None:
    """CONSENT-7: taking an address off it is an operator's act with a reason."""
    put(market, "contacts", person(1, email="ann@example.com"))
    market.consent.watch([watched("ann@example.com")])
    with pytest.raises(ConfigError):
        market.consent.unwatch("ann@example.com", who="olga", why="  ", now=NOW)
    assert not market.consent.may_be_mailed("ann@example.com")
    assert market.consent.unwatch("Ann@example.com", who="olga", why="asked by letter", now=NOW) == 1
    assert market.consent.unwatch("ann@example.com", who="olga", why="asked by letter", now=NOW) == 0
    assert market.consent.may_be_mailed("ann@example.com")
    entries = [(entry.who, entry.old, entry.new, entry.why) for entry in market.consent.ledger(address="ann@example.com")]
    assert entries == [("landing page", False, True, "unsubscribed"), ("olga", True, False, "asked by letter")]


@pytest.mark.parametrize(
    ("people", "may"),
    [
        ([], False),
        ([{}], True),
        ([{"opt_out": True}], False),
        ([{}, {"opt_out": True}], False),
        ([{"deleted_date": AT}], False),
        ([{}, {"opt_out": True, "deleted_date": AT}], False),
        ([{}, {"opt_out": True, "deleted_date": AT, "merged_into": 1}], True),
    ],
)
def test_mail_needs_a_living_person_and_nobody_who_opted_out(market: Market, people: list[dict[str, object]], may: bool) -> None:
    """CONSENT-10, DEL-1: deleting somebody who opted out frees their address for nobody."""
    for place, values in enumerate(people, start=1):
        put(market, "contacts", person(place, **({"email": "ann@example.com"} | values)))
    assert market.consent.may_be_mailed("ann@example.com") is may


def test_ledger_keeps_entries_in_order(market: Market) -> None:
    """CONSENT: who, when, source, old, new, why."""
    entries = [LedgerEntry(1, "ann@example.com", NOW, "olga", "market", bool(n % 2), not n % 2, f"change {n}") for n in range(3)]
    market.consent.record(entries)
    assert market.consent.ledger(contact_id=1) == tuple(entries)
    assert market.consent.ledger(contact_id=2) == ()
