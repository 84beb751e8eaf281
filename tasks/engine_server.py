"""`python -m tasks.engine_server PORT`: a Prefect server on loopback for one command, without the services that nobody needs then."""

from __future__ import annotations

import sys

import uvicorn
from prefect.server.api.server import create_app


def main() -> None:
    """Serves until SIGTERM. The environment says where the server keeps its database."""
    app = create_app(ephemeral=True, webserver_only=True, final=True)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")


if __name__ == "__main__":
    main()
