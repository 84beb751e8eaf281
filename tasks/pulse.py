"""When each flow last came to its end, also when it had nothing to do: such a run leaves no trace in Market (FLOW-4)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sync.disk import disk_errors
from sync.records import RunRef
from tasks.wiring import Installation, installation


@dataclass(frozen=True, slots=True)
class Pulse:
    """The latest run of one flow for one connector that came to its end; UTC. `headline` is what it did, in a sentence."""

    run_id: str
    flow: str
    connector: str
    started_at: datetime
    ended_at: datetime
    headline: str


def artifact_key(run: RunRef, part: str = "") -> str:
    """Without underscores, which Prefect does not take. One key per connector and flow, so that its artifacts form a series."""
    return "-".join(filter(None, (run.connector, run.flow, part))).replace("_", "-")


def keep_pulse(run: RunRef, started_at: datetime, ended_at: datetime, headline: str) -> None:
    """Replaces the flow's earlier one, at once as a whole."""
    path = _path(installation(run.config), run.flow, run.connector)
    told = asdict(Pulse(run.run_id, run.flow, run.connector, started_at, ended_at, headline))
    with disk_errors(f"pulse of {run.flow} of {run.connector}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{run.run_id}.new")
        fresh.write_text(json.dumps(told, default=datetime.isoformat), encoding="utf-8")
        fresh.rename(path)


def pulse_of(home: Installation, flow: str, connector: str) -> Pulse | None:
    """None: this flow never came to its end here."""
    path = _path(home, flow, connector)
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    times = {name: datetime.fromisoformat(found[name]) for name in ("started_at", "ended_at")}
    return Pulse(**{**found, **times})


def _path(home: Installation, flow: str, connector: str) -> Path:
    return home.data_dir / "pulse" / f"{connector}-{flow}.json"
