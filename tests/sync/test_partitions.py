"""A large first load is divided among workers, so that nothing is read twice and nothing by nobody (INIT-7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import StagingFailed
from sync.partitions import ShareEnd, failure_of, is_large, split
from sync.records import Kind
from sync.settings import ConnectorSettings
from tests.sync.test_settings import parse, with_connector

STREAMS = st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=8), max_size=40)


@given(STREAMS, st.integers(1, 16))
def test_every_stream_is_in_exactly_one_share_with_the_place_where_it_goes_on(streams: dict[str, str | None], partitions: int) -> None:
    shares = split(streams, partitions)
    assert sum(map(len, shares)) == len(streams)
    assert {name: at for share in shares for name, at in share.items()} == streams
    assert len(shares) == min(partitions, len(streams)) and all(shares)
    assert max(map(len, shares), default=0) - min(map(len, shares), default=0) <= 1


def test_the_same_streams_fall_apart_the_same_way_in_whatever_order_they_come() -> None:
    streams = dict.fromkeys("hgfedcba")
    assert split(streams, 3) == split(dict(sorted(streams.items())), 3)
    assert [list(share) for share in split(streams, 3)] == [["a", "d", "g"], ["b", "e", "h"], ["c", "f"]]


@pytest.mark.parametrize(
    "partitions, records, large",
    [(1, 10_000_000, False), (4, 499_999, False), (4, 500_000, True), (4, None, False)],
    ids=["not divided by default", "too small", "large enough", "not counted"],
)
def test_only_a_large_kind_is_divided_and_only_if_that_is_set(partitions: int, records: int | None, large: bool) -> None:
    connector: ConnectorSettings = parse(with_connector(partitions=partitions)).connectors["acme"]
    assert is_large(connector, records) is large


def test_the_error_names_the_runs_that_failed_what_they_said_and_what_to_do() -> None:
    failed = ShareEnd(2, "run-17", "Crashed", "Flow run process exited with non-zero status code -9.\nmore")
    error = failure_of("acme", Kind.CONTACT, 4, [failed, ShareEnd(3, "run-18", "Failed", "")])
    assert isinstance(error, StagingFailed)
    assert str(error) == (
        "connector acme, contacts: 2 of 4 shares of contacts did not come to their end. share 2 Crashed (flow run run-17): Flow run "
        "process exited with non-zero status code -9.; share 3 Failed (flow run run-18): it does not say why\nWhat to do: Mend what the "
        "named flow runs say; then retry this run, or start the initial sync again: it reads only what is missing."
    )
