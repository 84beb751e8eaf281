"""A file of addresses for the guarded watch: what is taken, and what is told about the rest (CONSENT-7)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.watch_file import WatchFile, WatchLine, read_watch_file

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def read(text: str, campaign: str = "", reason: str = "asked") -> WatchFile:
    return read_watch_file(text.splitlines(keepends=True), campaign=campaign, reason=reason, now=NOW)


def test_consent_7_a_csv_file_says_address_campaign_date_and_reason() -> None:
    found = read(
        '\ufeffReason,Address,date,campaign,who\n"a, b", Ann@X.test ,2026-01-02,spring,olga\n\n,bob@x.test,2026-01-02T10:00:00+02:00,,\n'
    )
    assert found.faults == () and found.lines == (
        WatchLine(2, "ann@x.test", "spring", datetime(2026, 1, 2, tzinfo=UTC), "a, b"),
        WatchLine(4, "bob@x.test", "", datetime(2026, 1, 2, 8, tzinfo=UTC), "asked"),
    )


def test_consent_7_a_file_of_json_lines_says_the_same() -> None:
    found = read('{"address": "Ann@x.test", "reason": "letter"}\n\n{"address": "bob@x.test", "campaign": null}\n', campaign="all")
    assert [(line.number, line.address, line.campaign, line.reason) for line in found.lines] == [
        (1, "ann@x.test", "all", "letter"),
        (3, "bob@x.test", "all", "asked"),
    ]


def test_consent_7_an_address_that_stands_there_twice_counts_once_per_campaign() -> None:
    found = read("address,campaign\nann@x.test,a\nANN@x.test,a\nann@x.test,b\n")
    assert ([line.campaign for line in found.lines], found.repeated) == (["a", "b"], 1)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("mail\nann@x.test\n", [1]),
        ("", [1]),
        ("address\nann\n\n@\nbob@x.test\n", [2, 4]),
        ("address,date\nann@x.test,yesterday\n", [2]),
        ("address\nann@x.test,more\n", [2]),
        ('address,reason\nann@x.test,"two\nlines"\nbob\n', [4]),
        ('address\nann@x.test"\n"bob@x.test\n', [3]),
        ('{"address": "ann@x.test"}\n' + '{"a":' * 100_000 + "\n", [2]),
        ('{"address": "ann@x.test"}\n[]\n{"address"\n{"address": 7}\n{}\n', [2, 3, 4, 5]),
    ],
)
def test_consent_7_every_line_at_fault_is_named_by_its_number(text: str, numbers: list[int]) -> None:
    assert [number for number, _ in read(text).faults] == numbers


def test_consent_7_a_line_without_any_reason_is_at_fault() -> None:
    assert [number for number, _ in read("address,reason\nann@x.test,\nbob@x.test,letter\n", reason=" ").faults] == [2]
