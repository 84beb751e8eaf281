"""`python -m tasks.engine_server PORT [--whole]`: a Prefect server on loopback. For one command, without the services that nobody needs
then; `--whole` with all of them and the UI, as `marketsync up` runs it."""

from __future__ import annotations

import sys

import uvicorn
from prefect.server.api.server import create_app


def main() -> None:
    """Serves until SIGTERM. The environment says where the server keeps its database."""
    whole = "--whole" in sys.argv[2:]
    app = create_app(final=True) if whole else create_app(ephemeral=True, webserver_only=True, final=True)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")


if __name__ == "__main__":
    main()
