"""The quality reports for a browser on this machine, for as long as `marketsync up` lasts.

A browser opens no file from a page that came over HTTP, so the runs in the Prefect UI link to this. It reads, and never writes; it lists
no folder; and it answers only who asks for it by a name of this machine. Where the UI asks for a password, this asks for the same.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from sync.errors import ConfigError

HOST = "127.0.0.1"
AUTH_VARIABLE = "PREFECT_SERVER_API_AUTH_STRING"
_PAGES = re.compile(r"/([A-Za-z0-9][A-Za-z0-9._-]{0,127}/)?([A-Za-z0-9][A-Za-z0-9._-]{0,255}\.html|report\.json)?")
_DATA_DOCS = re.compile(r"/[^/]+/data-docs-[^/]+\.html")
_NAMES = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_DATA_DOCS_POLICY = "sandbox allow-scripts; default-src https: data: 'unsafe-inline'"
"""Great Expectations' pages take their looks from the internet; as nobody's page they can read no other page here."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Pages(SimpleHTTPRequestHandler):
    """The list of runs with its days, the checks, the overview, and each run's pages and data."""

    def send_head(self) -> BytesIO | BinaryIO | None:
        """What GET and HEAD begin with."""
        path = self.path.partition("?")[0]
        if not _NAMES.fullmatch(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif not self._admitted():
            self.send_error(HTTPStatus.UNAUTHORIZED)
        elif not _PAGES.fullmatch(path) or not self._is_page(path):
            self.send_error(HTTPStatus.NOT_FOUND, "There is no such report", "It may be older than reports are kept.")
        else:
            return super().send_head()
        return None

    def end_headers(self) -> None:
        """With what keeps a page to itself."""
        docs = _DATA_DOCS.fullmatch(getattr(self, "path", ""))
        self.send_header("Content-Security-Policy", _DATA_DOCS_POLICY if docs else _POLICY)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def send_response(self, code: int, message: str | None = None) -> None:
        """A browser asks for the password when it is told that there is one."""
        super().send_response(code, message)
        if code == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="marketsync reports"')

    def log_message(self, format: str, *args: object) -> None:
        """Who read what is nobody's business."""

    def _admitted(self) -> bool:
        wanted = os.environ.get(AUTH_VARIABLE)
        if not wanted:
            return True
        given = self.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), b"Basic " + base64.b64encode(wanted.encode()))

    def _is_page(self, path: str) -> bool:
        place = Path(self.directory) / path.lstrip("/")
        return place.is_file() or (place / "index.html").is_file()


@contextmanager
def reports_shown(folder: Path, port: int) -> Iterator[str]:
    """Serves the reports in `folder` while the block lasts, on loopback. `port` 0: a free one. → the address.

    Raises ConfigError when the port is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        server = ThreadingHTTPServer((HOST, port), partial(Pages, directory=str(folder)))
    except OSError as error:
        todo = "End the program that listens there, or choose another port for the reports with --reports-port."
        raise ConfigError(f"port {port}, for the quality reports, is taken", where=f"{HOST}:{port}", todo=todo) from error
    thread = threading.Thread(target=server.serve_forever, name="reports", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
