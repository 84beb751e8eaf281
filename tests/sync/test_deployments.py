"""What each deployment is called, and that prefect.yaml says the same as the code."""

from __future__ import annotations

import pytest
import yaml

from sync.deployments import CADENCES, deployments_of, prefect_yaml, schedule_in_words
from tasks.up_automations import FLOWS


def names(*connectors: str, there: tuple[tuple[str, str, str], ...] = ()) -> list[str]:
    """Of the core sync, connector by connector."""
    return [f"{each.connector}: {each.name}" for each in deployments_of(connectors, there) if each.cadence.flow == "core-sync"]


def test_the_first_connector_has_the_plain_names_and_every_other_its_own_behind() -> None:
    assert [each.full_name for each in deployments_of(("acme",))] == [
        "initial-sync/on-demand",
        "initial-sync-partition/on-demand",
        "core-sync/every-20-minutes",
        "email-activity-sync/every-10-minutes",
        "time-sensitive-sync/every-2-minutes",
        "reconciliation/daily",
    ]
    assert names("acme", "hub") == ["acme: every-20-minutes", "hub: every-20-minutes-hub"]


@pytest.mark.parametrize(
    "connectors, there, expected",
    [
        (("hub", "acme"), {"every-20-minutes": "acme"}, ["hub: every-20-minutes-hub", "acme: every-20-minutes"]),
        (("hub",), {"every-20-minutes": "acme", "every-20-minutes-hub": "hub"}, ["hub: every-20-minutes-hub"]),
        (("hub",), {"every-20-minutes": "hub", "every-20-minutes-hub": "hub"}, ["hub: every-20-minutes"]),
        (("hub",), {"weekly": "hub"}, ["hub: every-20-minutes"]),
    ],
    ids=["another order", "the first is gone", "both names are its own", "a deployment that somebody made"],
)
def test_a_name_that_is_given_stays_with_its_connector(connectors: tuple[str, ...], there: dict[str, str], expected: list[str]) -> None:
    assert names(*connectors, there=tuple(("core-sync", name, connector) for name, connector in there.items())) == expected


def test_prefect_yaml_holds_every_deployment_whatever_a_connector_is_called() -> None:
    """`no` is a truth value in YAML."""
    written = yaml.safe_load(prefect_yaml(("acme", "no")))["deployments"]
    said = [(each["name"], each["parameters"]["connector"], each["tags"][-1]) for each in written]
    assert said == [(each.name, each.connector, each.connector) for each in deployments_of(("acme", "no"))]


def test_the_automations_know_every_flow() -> None:
    assert {each.flow for each in CADENCES} == {*FLOWS}


@pytest.mark.parametrize(
    "every_s, cron, active, words",
    [
        (1_200, None, True, "every 20 minutes"),
        (60, None, True, "every minute"),
        (7_200, None, True, "every 2 hours"),
        (120, None, False, "paused (every 2 minutes)"),
        (None, "30 2 * * *", True, "daily at 02:30 UTC"),
        (None, "0 6 * * 1", True, "cron 0 6 * * 1"),
        (None, None, True, "when somebody starts it"),
    ],
)
def test_a_schedule_is_told_in_words(every_s: float | None, cron: str | None, active: bool, words: str) -> None:
    assert schedule_in_words(every_s, cron, active=active) == words
