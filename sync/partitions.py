"""A large first load is divided among workers: which streams each of them reads, and what is said of those that did not come through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sync.errors import ShareFailed
from sync.records import Finding, Kind
from sync.settings import ConnectorSettings

Streams = Mapping[str, str | None]
"""Name of a stream → where it goes on; None: at its start."""


@dataclass(frozen=True, slots=True)
class ShareEnd:
    """How the flow run that read one share ended: the name of its state, and what that says."""

    number: int
    flow_run: str
    state: str
    message: str


def is_large(connector: ConnectorSettings, records: int | None) -> bool:
    """Whether a kind with so many records (None: not counted) is to be divided."""
    return connector.partitions > 1 and records is not None and records >= connector.partition_from_rows


def split(streams: Streams, partitions: int) -> tuple[dict[str, str | None], ...]:
    """Every stream in exactly one share. Shares differ by one stream at most, none is empty; the same streams fall apart the same way."""
    names = sorted(streams)
    return tuple({name: streams[name] for name in names[first::partitions]} for first in range(min(partitions, len(names))))


def failure_of(connector: str, kind: Kind, shares: int, failed: Sequence[ShareEnd]) -> ShareFailed:
    """The error of an initial sync some of whose shares failed. It names their runs: what went wrong stands there."""
    told = "; ".join(f"share {each.number} {each.state} (flow run {each.flow_run}): {_first_line(each.message)}" for each in failed)
    return ShareFailed(
        f"{len(failed)} of {shares} shares of {kind.plural} did not come to their end. {told}",
        where=f"connector {connector}, {kind.plural}",
        todo="Mend what the named flow runs say; then retry this run, or start the initial sync again: it reads only what is missing.",
    )


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0][:300] if message.strip() else "it does not say why"


def undivided(kind: Kind, partitions: int, why: str) -> Finding:
    """Told where a large kind was not read as the settings want it; nothing is missing because of that."""
    return Finding(kind, "read by one worker", f"{kind.plural} were not divided into {partitions} shares: {why}")
