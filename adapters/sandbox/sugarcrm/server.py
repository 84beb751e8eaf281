"""Start a sandbox in threads of this process."""

from __future__ import annotations

import threading
from types import TracebackType

from adapters.sandbox.http_server import SandboxServer
from adapters.sandbox.sugarcrm.api import SugarApp
from adapters.sandbox.sugarcrm.control import SandboxControl
from adapters.sandbox.sugarcrm.instance import Instance
from adapters.sandbox.sugarcrm.populate import Populator
from adapters.sandbox.sugarcrm.settings import SugarSandboxSettings


class RunningSandbox:
    """A sandbox that listens on the loopback interface. `url` is what a client takes for the CRM's address."""

    def __init__(self, instance: Instance, server: SandboxServer) -> None:
        self._instance = instance
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="sugar-sandbox", daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.control = SandboxControl(self.url)

    def close(self) -> None:
        """Stop listening, end all connections, remove the data."""
        self._server.stop()
        self._thread.join()
        self._instance.close()

    def __enter__(self) -> RunningSandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def start_sandbox(settings: SugarSandboxSettings | None = None) -> RunningSandbox:
    """Invent the records, then listen; returns when requests can come."""
    instance = Instance(settings or SugarSandboxSettings())
    Populator(instance).fill()
    return RunningSandbox(instance, SandboxServer(SugarApp(instance), instance.settings.port))
