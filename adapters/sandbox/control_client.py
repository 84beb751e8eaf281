"""The other end of the control API, for tests: standard library only, works against any process."""

from __future__ import annotations

import http.client
import json
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from adapters.sandbox.faults import FaultRule


class ControlError(Exception):
    """The sandbox did not understand a control call."""


class ControlClient:
    """Control actions that every sandbox has. `url` is the sandbox's root, as in `RunningSandbox.url`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def call(self, action: str, /, **body: Any) -> Any:
        """One control action; raises ControlError with the server's reason."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=600)
        try:
            content = {name: value for name, value in body.items() if value is not None}
            connection.request("POST", f"/sandbox/{action}", json.dumps(content))
            answer = connection.getresponse()
            document = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise ControlError(document.get("error", f"status {answer.status}"))
        return document

    def set_clock(self, *, skew_s: float | None = None, fixed: float | None = None, release: bool = False) -> float:
        """Skew the clock, stop it at an epoch second, or let it run; returns the sandbox's now."""
        return float(self.call("clock", skew_s=skew_s, fixed=fixed, release=release)["now"])

    def advance_clock(self, seconds: float) -> float:
        """Jump ahead; returns the sandbox's now."""
        return float(self.call("clock/advance", seconds=seconds)["now"])

    def set_faults(self, *rules: FaultRule) -> None:
        """Replace the fault plan; without rules, calm."""
        self.call("faults", rules=[asdict(rule) for rule in rules])

    def fault_state(self) -> list[dict[str, Any]]:
        """The plan with its counters `seen` and `fired`."""
        return list(self.call("faults/state"))

    def calls(self, *, module: str = "", method: str = "", path_part: str = "") -> list[dict[str, Any]]:
        """Logged requests, oldest first, narrowed by what is given."""
        return [
            call
            for call in self.call("calls")["calls"]
            if (not module or call["module"] == module) and (not method or call["method"] == method) and path_part in call["path"]
        ]

    def call_count(self) -> int:
        """Requests since the start or the last reset, also those that the log has forgotten."""
        return int(self.call("calls")["total"])

    def reset_calls(self) -> None:
        """Empty the call log."""
        self.call("calls/reset")
