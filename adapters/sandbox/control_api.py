"""The control API that every sandbox has: time, faults, call log, limits. `POST /sandbox/<action>` with a JSON object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from adapters.sandbox.call_log import CallLog
from adapters.sandbox.clock import Clock
from adapters.sandbox.faults import FaultPlan, rule_from_json
from adapters.sandbox.gateway import Gateway
from adapters.sandbox.http_server import Request, Response

Action = Callable[[dict[str, Any]], Any]


def shared_actions(clock: Clock, faults: FaultPlan, calls: CallLog, gateway: Gateway) -> dict[str, Action]:
    """Actions by name; each takes the body and returns the answer."""

    def set_clock(body: dict[str, Any]) -> dict[str, float]:
        clock.set(body.get("skew_s"), body.get("fixed"), bool(body.get("release")))
        return {"now": clock.now()}

    def advance(body: dict[str, Any]) -> dict[str, float]:
        clock.advance(float(body["seconds"]))
        return {"now": clock.now()}

    def set_faults(body: dict[str, Any]) -> list[dict[str, Any]]:
        faults.set(tuple(rule_from_json(rule) for rule in body.get("rules", [])))
        return faults.describe()

    def set_gateway(body: dict[str, Any]) -> dict[str, Any]:
        gateway.set(body.get("daily_calls"), body.get("used"), body.get("calls_at_once"))
        return gateway.state()

    def reset_calls(_: dict[str, Any]) -> dict[str, bool]:
        calls.reset()
        return {"done": True}

    return {
        "clock": set_clock,
        "clock/advance": advance,
        "faults": set_faults,
        "faults/state": lambda _: faults.describe(),
        "calls": lambda _: {"total": calls.total(), "calls": calls.entries()},
        "calls/counts": lambda _: calls.counts(),
        "calls/reset": reset_calls,
        "gateway": set_gateway,
    }


def dispatch(actions: dict[str, Action], request: Request) -> Response:
    """Run one control action. A wrong call is 400 with the reason: it is a mistake in a test, not a CRM answer."""
    name = request.path.removeprefix("/sandbox/").strip("/")
    action = actions.get(name)
    if action is None:
        known = ", ".join(sorted(actions))
        return Response(404, orjson.dumps({"error": f"no control action {name!r}: one of {known}"}))
    try:
        body = orjson.loads(request.body) if request.body else {}
        return Response(200, orjson.dumps(action(body)))
    except (KeyError, TypeError, ValueError, LookupError) as error:
        return Response(400, orjson.dumps({"error": f"{type(error).__name__}: {error}"}))
