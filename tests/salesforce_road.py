"""The pull, core and push roads with a Salesforce on the other side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.sandbox.salesforce import CALM, SalesforceSandboxSettings, start_sandbox
from tests.core_road import CoreRoad, initial
from tests.pull_road import OPEN_GATE, SALESFORCE_LOGIN, pull_road
from tests.push_road import EVERYTHING, Marketing, PushRoad


@contextmanager
def salesforce_road(
    folder: Path, market_url: str, *, connector: str = "", push: str = EVERYTHING, more: str = OPEN_GATE, **settings: Any
) -> Iterator[PushRoad]:
    """An installation whose initial sync of an invented org is done. `connector`: lines of the connector; `settings`: of the sandbox."""
    few = {"accounts": 8, "leads": 12, "contacts": 24, "opportunities": 5, "users": 4, "campaigns": 0, "tasks": 0, "subscriptions": 0}
    chosen: dict[str, Any] = {"nastiness": CALM, "time_zone": "UTC", **few, **settings}
    with start_sandbox(SalesforceSandboxSettings(**chosen)) as sandbox:
        told = {"connector": f"{connector}\n{push}", "more": more, "who": SALESFORCE_LOGIN, "password": "sandbox-client-secret"}
        with pull_road(folder, market_url, sandbox.url, **told) as road:
            initial(road)
            core = CoreRoad(road, sandbox)
            yield PushRoad(core, Marketing(road.market))
