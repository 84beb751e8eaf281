"""The file that `marketsync init` writes is made from the settings' own documentation (CONN-1, CONN-4)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from sync.config_template import config_template
from sync.merge_fields import MergeField
from sync.records import Condition, Filter, Kind
from sync.saved_reports import SavedReport
from sync.settings import ConnectorSettings, Settings
from sync.settings_parser import parse_settings, parse_toml
from sync.settings_reference import SettingDoc, setting_docs

UNITS = (
    "_days",
    "_rows",
    "_mb",
    "_s",
    "_minutes",
    "_minutes_per_run",
    "_share",
    "threads",
    "connections",
    "min_rows_for_share",
    "_attempts",
    "_calls",
)


def parsed(text: str) -> Settings:
    return parse_settings(parse_toml(text, "template"), base_dir="/srv")


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^#(?! )", "", text)


def leaves(shape: type[Any], place: str = "") -> set[str]:
    found: set[str] = set()
    for each in fields(shape):
        name = f"{place}{each.name}"
        if is_dataclass(each.default_factory):
            found |= leaves(each.default_factory, f"{name}.")
        elif each.name not in ("name", "connectors", "saved_reports", "merge_fields"):
            found.add(name)
    return found


def test_the_template_parses_into_valid_settings_with_one_connector() -> None:
    found = parsed(config_template("acme"))
    assert list(found.connectors) == ["acme"]
    assert found.connectors["acme"].port == 443


def test_what_the_template_shows_in_comments_are_the_defaults() -> None:
    plain, shown = parsed(config_template()), parsed(uncommented(config_template()))
    assert (shown.data_dir, shown.staging, shown.gate) == (plain.data_dir, plain.staging, plain.gate)
    assert (replace(shown.reports, url=None), replace(shown.alerts, webhook=None)) == (plain.reports, plain.alerts)  # these are examples
    one, other = plain.connector("acme"), shown.connector("acme")
    # Without a default there is an example to show.
    examples = {each.name for each in fields(ConnectorSettings) if each.default is None} | {
        "filters",
        "mapping",
        "scores",
        "custom_objects",
    }
    for each in fields(ConnectorSettings):
        assert each.name in examples or getattr(one, each.name) == getattr(other, each.name), each.name
    assert plain.saved_reports == {} and list(shown.saved_reports) == ["stale_leads"]
    assert plain.merge_fields == {} and list(shown.merge_fields) == ["greeting"]
    assert other.filters == {Kind.LEAD: Filter((Condition("status", "in", ("New", "Assigned")),))}


def test_every_setting_is_in_the_template_and_in_the_reference() -> None:
    documented = {re.sub(r"^connectors\.NAME\.", "", doc.place) for doc in setting_docs()}
    reports = {place.removeprefix("saved_reports.NAME.") for place in documented if place.startswith("saved_reports.NAME.")}
    merges = {place.removeprefix("merge_fields.NAME.") for place in documented if place.startswith("merge_fields.NAME.")}
    documented = {place for place in documented if not place.startswith(("saved_reports.", "merge_fields."))}
    documented = {re.sub(r"^(filters|mapping|scores|custom_objects)\..*", r"\1", place) for place in documented}
    assert documented == leaves(Settings) | leaves(ConnectorSettings)
    assert reports == leaves(SavedReport)
    assert merges == leaves(MergeField)


@pytest.mark.parametrize("doc", setting_docs(), ids=lambda doc: doc.place)
def test_every_setting_says_what_it_does_and_its_default_or_an_example(doc: SettingDoc) -> None:
    assert doc.default or doc.example
    if not doc.table.endswith((".filters", ".mapping", ".scores", ".custom_objects")):
        assert doc.text.endswith(".")
        assert tomllib.loads(f"x = {doc.default or doc.example}").keys() == {"x"}
    assert not doc.unit or doc.key.endswith(UNITS)


def test_conn_4_the_template_holds_references_and_no_secret() -> None:
    for line in uncommented(config_template()).splitlines():
        if line.startswith(("password", "client_secret")):
            assert "{ env = " in line
