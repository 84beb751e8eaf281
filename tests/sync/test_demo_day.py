"""The demo's day: made from a seed, recordable to the last line, and nobody in it is real."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from sync.demo_day import RIVAL, Recipient, make_day
from sync.recording import read_entries
from sync.recording_fields import Recordable

BEGIN = datetime(2026, 11, 24, 8, tzinfo=UTC)


def people(count: int) -> list[Recipient]:
    return [Recipient(number, f"person{number}@example.com") for number in range(1, count + 1)]


def test_the_same_seed_makes_the_same_day_and_another_one_another() -> None:
    assert make_day(3, people(50), BEGIN) == make_day(3, people(50), BEGIN)
    assert make_day(3, people(50), BEGIN) != make_day(4, people(50), BEGIN)


@pytest.mark.parametrize("audience", [1, 7, 60, 620])
def test_every_line_can_be_recorded_whatever_the_audience(audience: int) -> None:
    day = make_day(5, people(audience), BEGIN)
    assert {kind: read_entries(kind, enumerate(records, 1))[1] for kind, records in day} == {kind: [] for kind, _ in day}


def test_a_mail_is_delivered_or_bounces_or_is_not_heard_of_and_is_opened_before_it_is_clicked() -> None:
    day = dict(make_day(5, people(620), BEGIN))
    sent = {each["event_id"] for each in day[Recordable.SENDS]}
    delivered, bounced, opened, clicked = (
        {each["send"] for each in day[kind]} for kind in (Recordable.DELIVERIES, Recordable.BOUNCES, Recordable.OPENS, Recordable.CLICKS)
    )
    assert len(sent) == 620 and delivered < sent and bounced < sent and not delivered & bounced
    assert sent - delivered - bounced and clicked < opened < delivered


def test_new_people_live_at_addresses_and_numbers_that_belong_to_nobody() -> None:
    day = make_day(5, people(620), BEGIN)
    text = json.dumps(day)
    assert all(re.search(r"@example\.(com|net|org)$", address) for address in re.findall(r"[\w.]+@[\w.]+", text))
    assert all(phone.startswith("+1 202 555 01") for phone in re.findall(r"\+\d \d[\d ]+", text))
    assert {"com", "org"} >= set(re.findall(r"https://(?:\w+\.)?example\.(\w+)", text))


def test_one_of_the_new_people_gives_no_last_name_and_one_works_for_a_rival() -> None:
    new = [each["values"] for each in dict(make_day(5, people(620), BEGIN))[Recordable.COMPLETIONS] if "address" in each]
    assert [("last_name" in values, values["company"] == RIVAL) for values in new[:3]] == [(False, False), (True, True), (True, False)]
