"""Start a sandbox in threads of this process."""

from __future__ import annotations

import threading
from types import TracebackType

from adapters.sandbox.http_server import SandboxServer
from adapters.sandbox.salesforce.api import SalesforceApp
from adapters.sandbox.salesforce.control import SalesforceControl
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.populate import Populator
from adapters.sandbox.salesforce.settings import SalesforceSandboxSettings


class RunningSandbox:
    """A sandbox that listens on the loopback interface. `url` is what a client takes for the address to log in at."""

    def __init__(self, instance: Instance, server: SandboxServer) -> None:
        self._instance = instance
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="salesforce-sandbox", daemon=True)
        instance.port = int(server.server_address[1])
        self._thread.start()
        self.url = f"http://127.0.0.1:{instance.port}"
        self.control = SalesforceControl(self.url)

    def close(self) -> None:
        """Stop listening, end all connections, remove the data."""
        self._server.stop()
        self._thread.join()
        self._instance.close()

    def __enter__(self) -> RunningSandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def start_sandbox(settings: SalesforceSandboxSettings | None = None) -> RunningSandbox:
    """Invent the records, then listen; returns when requests can come."""
    instance = Instance(settings or SalesforceSandboxSettings())
    Populator(instance).fill()
    return RunningSandbox(instance, SandboxServer(SalesforceApp(instance), instance.settings.port))
