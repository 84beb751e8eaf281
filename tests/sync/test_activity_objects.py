"""The custom objects that an administrator makes in a CRM (SINK-1, SINK-2): each value of a push has a place."""

from __future__ import annotations

import re

import pytest

from sync.activity_objects import ACTIVITY_OBJECTS, PAGE_VIEW, SCORE, SCORE_DATE, VISIT, ActivityObject, Belongs, objects_for
from sync.push import Outgoing, Sink
from sync.push_settings import SinkSettings
from sync.records import PUSHED, Kind
from sync.stock_mappings import STOCK_SCORES

CUSTOM = [(kind, sink) for kind in PUSHED for sink in Sink if objects_for(kind, sink)]


def promised(label: str) -> set[str]:
    """The names of the values that `Outgoing` promises for this line of its table."""
    line = re.search(rf"^ *\| {label} *\|(.*)\|$", Outgoing.__doc__ or "", re.MULTILINE)
    assert line, label
    return set(re.findall(r"\b[a-z][a-z_]*\b", re.sub(r"\([^)]*\)", "", line[1]).replace("list of", "").replace(": name → text", "")))


@pytest.mark.parametrize("kind, sink", CUSTOM)
def test_sink_1_and_2_every_value_of_a_push_has_a_field_and_every_field_a_value(kind: Kind, sink: Sink) -> None:
    values = promised("the same, sink campaign" if sink is Sink.CAMPAIGN else kind.value)
    filled = {value for each in objects_for(kind, sink) for value in (each.titled_by, *(field.value for field in each.fields))}
    assert filled == values - {"page_views", "key"}


def test_sink_1_every_default_that_is_not_native_has_an_object() -> None:
    settings = SinkSettings()
    assert all(objects_for(kind, settings.of(kind)) for kind in PUSHED if settings.of(kind) is not Sink.NATIVE)
    assert objects_for(Kind.SENT, Sink.NATIVE) == ()


def test_sink_2_a_page_view_comes_after_the_visit_that_it_hangs_on() -> None:
    assert objects_for(Kind.VISIT, Sink.CUSTOM) == (VISIT, PAGE_VIEW)
    assert PAGE_VIEW.belongs_to is Belongs.VISIT


@pytest.mark.parametrize("each", ACTIVITY_OBJECTS, ids=lambda each: each.key)
def test_the_names_are_ones_that_every_crm_takes(each: ActivityObject) -> None:
    names = [field.name for field in each.fields]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z_]{1,39}", name) for name in names)
    assert not {"id", "name", "description", "date_entered", "date_modified", "deleted"} & set(names)
    assert each.named("mkt") == f"mkt_{each.base}"


def test_push_s_the_score_fields_are_those_that_a_profile_has_by_default() -> None:
    """PUSH-S."""
    stock = STOCK_SCORES["sugarcrm"]["default"]
    assert (stock.field, stock.date_field) == (SCORE.name, SCORE_DATE.name)
