"""What an operator asks about the recurring flows: may they run, what did they do, which deletions wait for an answer."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.market.brakes import Brake
from sync.brake import Answer
from sync.errors import ConfigError, InitialSyncMissing
from tasks.operate import has_market, initial_sync_is_complete, ready_market
from tasks.pulse import pulse_of
from tasks.typed import typed_command
from tasks.wiring import installation, now


def refuse_too_early(config: str, name: str, flow: str) -> None:
    """FLOW-2, before anything is started for it. Raises InitialSyncMissing while the initial sync has not completed."""
    if not ready_market(config) or not initial_sync_is_complete(config, name):
        raise initial_sync_missing(config, name, flow)


def without_initial_sync(config: str, names: Iterable[str]) -> tuple[str, ...]:
    """FLOW-2: the connectors whose recurring flows do not start yet."""
    there = ready_market(config)
    return tuple(name for name in names if not there or not initial_sync_is_complete(config, name))


def initial_sync_missing(config: str, name: str, flow: str) -> InitialSyncMissing:
    return InitialSyncMissing(
        f"the initial sync of {name} has not completed",
        where=f"{flow}, connector {name}",
        todo=f"`{typed_command(config, 'run initial')} --connector {name}` brings everything first; one that was stopped goes on.",
    )


def has_report(config: str, run_id: str) -> bool:
    """A recurring run that did nothing leaves none."""
    return (installation(config).reports_dir / run_id / "report.json").exists()


def pulse_line(config: str, flow: str, name: str) -> str:
    """What the flow's latest run did, in a sentence."""
    pulse = pulse_of(installation(config), flow, name)
    return pulse.headline if pulse else f"{flow} of {name} has not come to its end yet."


def open_brakes(config: str, name: str | None = None) -> tuple[Brake, ...]:
    """DEL-8: the deletions that wait for an answer, or for the run that acts upon it."""
    return installation(config).market.brakes.open(name) if has_market(config) else ()


def answer_brake(config: str, brake_id: int, answer: Answer, who: str) -> Brake:
    """Raises ConfigError when there is no such question."""
    found = next((each for each in open_brakes(config) if each.brake_id == brake_id), None)
    if found is None or not installation(config).market.brakes.answer(brake_id, answer, who=who, now=now()):
        raise ConfigError(f"no deletion {brake_id} waits for an answer", where="deletions", todo="`marketsync deletions list` shows them.")
    return found
