"""What a reconciliation has found so far: kept per slice while it works, told at its end."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from sync.disk import disk_errors
from sync.errors import ConfigError
from sync.reconciled import Compared, Staleness, by_kind, findings_of, staleness_in_words
from sync.records import Finding, Kind, RunRef
from tasks.operate import has_market, initial_sync_is_complete
from tasks.report import note_findings
from tasks.typed import typed_command
from tasks.wiring import Installation, installation, now, settings_of

RECONCILIATION_FLOW = "reconciliation"


def refuse_too_early(config: str, name: str) -> None:
    """FLOW-2: raises ConfigError before the initial sync is complete."""
    if not has_market(config) or not initial_sync_is_complete(config, name):
        raise ConfigError(
            f"the initial sync of {name} has not completed, so there is nothing to compare yet",
            where=f"connector {name}",
            todo=f"{typed_command(config, f'run initial --connector {name}')} completes it.",
        )


def keep_compared(run: RunRef, step: str, low: str, found: Compared) -> None:
    """What one step found in the slice that begins at `low`. Kept twice, the later one counts."""
    path = _path(installation(run.config), run.run_id)
    with disk_errors(f"run {run.run_id}"), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, "low": low, **asdict(found)}) + "\n")


def compared_of(config: str, run_id: str) -> tuple[Compared, ...]:
    """What a run compared, per kind in the order of the pull. Only slices that it finished count."""
    path = _path(installation(config), run_id)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    latest = {(line["kind"], line.pop("low"), line.pop("step")): line for line in lines}
    return by_kind(Compared(**{**line, "kind": Kind(line["kind"]), "examples": tuple(line["examples"])}) for line in latest.values())


def _path(home: Installation, run_id: str) -> Path:
    return home.run_dir(run_id) / "slices.jsonl"


def staleness_of(config: str, name: str, kinds: tuple[Kind, ...] = ()) -> Staleness:
    """How stale a connector's comparison is; asks the few slices, never the records."""
    home = installation(config)
    return Staleness(*home.market.slices.stalest(name, kinds or home.settings.connector(name).kinds()))


def staleness_told(config: str, name: str) -> str:
    """The same as a sentence."""
    return staleness_in_words(staleness_of(config, name), now())


def note_reconciled(run: RunRef) -> None:
    """Everything that was found becomes findings of the run's report."""
    deletions = settings_of(run).pull.deletions.on
    found = [finding for each in compared_of(run.config, run.run_id) for finding in findings_of(each, deletions=deletions)]
    note_findings(run, [*found, Finding(None, "reconciliation", staleness_told(run.config, run.connector))])
