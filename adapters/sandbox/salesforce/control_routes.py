"""What only the sandbox's operator can do: act as colleagues, administrators and time."""

from __future__ import annotations

from typing import Any

import orjson

from adapters.sandbox.control_api import Action, dispatch, shared_actions
from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.instance import Instance

Body = dict[str, Any]
DONE = {"done": True}


class ControlRoutes:
    """Control actions of a Salesforce sandbox, by name."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._actions: dict[str, Action] = {
            **shared_actions(instance.clock, instance.faults, instance.calls, instance.gateway),
        }

    def handle(self, request: Request) -> Response:
        """Answer one control request; the caller holds the lock."""
        try:
            return dispatch(self._actions, request)
        except ApiError as error:
            return Response(400, orjson.dumps({"error": error.message}))
