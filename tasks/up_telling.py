"""While `up` is up, alerts are looked for every few minutes, also when no worker is at work and no run ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

EVERY_S = 300.0
_PATIENCE_S = 120.0


@contextmanager
def alerts_told(config: str, data_dir: Path, every_s: float = EVERY_S) -> Iterator[None]:
    """Types `marketsync alerts` every `every_s` while the block lasts, in a process of its own: what was changed in the configuration
    counts at once, and nothing that goes wrong there disturbs `up`. What it says is in logs/alerts.log."""
    ended = threading.Event()
    log = data_dir / "logs" / "alerts.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    thread = threading.Thread(target=_keep_telling, args=(config, log, every_s, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_PATIENCE_S)


def _keep_telling(config: str, log: Path, every_s: float, ended: threading.Event) -> None:
    while not ended.wait(every_s):
        with log.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "flows.cli", "--config", config, "alerts"], stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            while process.poll() is None:
                if ended.wait(0.5):
                    process.terminate()
                    process.wait()
