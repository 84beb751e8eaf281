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

    def call_counts(self, *, module: str = "", method: str = "", in_bulk: bool | None = None) -> list[dict[str, Any]]:
        """Counts since the start or the last reset: one line per module, method, route (the path without ids), status, `in_bulk` and
        fault, with `calls`; narrowed by what is given."""
        return [
            line
            for line in self.call("calls/counts")
            if (not module or line["module"] == module) and (not method or line["method"] == method) and in_bulk in (None, line["in_bulk"])
        ]

    def http_calls(self) -> int:
        """Requests that came over the wire: the parts of a bulk call are not counted, the call is."""
        return sum(int(line["calls"]) for line in self.call_counts(in_bulk=False))

    def set_quota(self, daily_calls: int | None = None, *, used: int | None = None, calls_at_once: int | None = None) -> dict[str, Any]:
        """Change the limits (0: none) and how many calls of today are used; returns what `quota` says."""
        return dict(self.call("gateway", daily_calls=daily_calls, used=used, calls_at_once=calls_at_once))

    def quota(self) -> dict[str, Any]:
        """`daily_calls`, `used`, `left`, `resets_in_s`, `calls_at_once`, `most_at_once` (since they were last set)."""
        return dict(self.call("gateway"))

    def reset_calls(self) -> None:
        """Empty the call log."""
        self.call("calls/reset")
