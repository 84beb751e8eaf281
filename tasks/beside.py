"""Programs that work beside a command: the demo's sandbox, the flow engine's server. They end with it, even when it is killed.

A program is started in a session of its own, so that Ctrl-C reaches the command alone and the command decides in which order things
end. Its standard input is a pipe that nobody writes to: it closes when the command is gone, whatever the way, and then the program ends.
"""

from __future__ import annotations

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_PATIENCE_S = 10


class Beside:
    """One Python module at work in a process of its own. `environment` is added to ours; `log` takes what it says on standard error,
    and on standard output unless it `talks` to us."""

    def __init__(
        self, module: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, *, talks: bool = True
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if talks else errors,
                stderr=errors,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def first_line(self) -> str:
        """What it says first on standard output; empty when it ended without a word."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode("utf-8", "replace").strip()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def started(self) -> frozenset[int]:
        """The processes that it has started, and those that these have."""
        return _below(self._process.pid)

    def stop(self) -> None:
        """Asks it to end, and ends it if it does not, with whatever it has started."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            _end_below(self._process.pid)
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass  # nobody writes here; an empty answer means that the other end is gone
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PATIENCE_S)  # a worker waits for its runs; with it they would outlive the command
    _end_below(os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)


def _end_below(process: int) -> None:
    """Kills what that process has started. A killed step is repeated by the next run; nothing is lost."""
    for pid in _below(process):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _below(process: int) -> frozenset[int]:
    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    parents = {int(pid): int(parent) for pid, parent in (line.split() for line in told.splitlines())}
    below = {process}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return frozenset(below - {process})


def main() -> None:
    """`python -m tasks.beside MODULE ARGUMENT…`: runs the module, and ends when standard input closes."""
    module, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
