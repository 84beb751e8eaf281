"""What the steps of a run did, kept until the report is made. Written anew by a step that is done again, it is told once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from sync.disk import disk_errors
from sync.happened import Happened, What
from sync.records import Kind, RunRef
from tasks.wiring import Installation, installation


def note_happened(run: RunRef, step: str, happened: Sequence[Happened]) -> None:
    """`step` names what did it, within the run; nothing is written for a step that did nothing."""
    if happened:
        with disk_errors(f"report of run {run.run_id}"):
            path = installation(run.config).run_dir(run.run_id) / f"happened-{step}.json"
            path.write_text(json.dumps([asdict(each) for each in happened]), encoding="utf-8")


def kept_happened(home: Installation, run: RunRef) -> tuple[Happened, ...]:
    found = [each for path in sorted(home.run_dir(run.run_id).glob("happened-*.json")) for each in json.loads(path.read_text("utf-8"))]
    return tuple(Happened(Kind(each["kind"]), What(each["what"]), int(each["count"])) for each in found)
