"""HTTP/1.1 with the lid off: a small threaded server that can also misbehave on purpose.

The standard library's request handler hides the socket behind a polite protocol; a sandbox must be able to reset a
connection, cut a body in the middle and spoil a gzip stream.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import zlib
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from adapters.sandbox.faults import AFTER_COMMIT, FaultRule

MAX_HEAD_LINES = 200
GZIP_FROM_BYTES = 600


@dataclass
class Request:
    """One request as it came in. `path` is still percent-encoded, header names are in lower case. `fault`: what will be done to its
    answer."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    in_bulk: bool = False
    fault: FaultRule | None = None

    def parts(self) -> list[str]:
        """Decoded path segments; a `%2F` in a segment stays inside it."""
        return [unquote(piece) for piece in self.path.split("/") if piece]


@dataclass
class Response:
    """What goes back. `rows` is for the call log only."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    rows: int = 0


class Application(Protocol):
    """What the server asks of a CRM dialect."""

    gzip_level: int

    def handle(self, request: Request) -> Response:
        """Answer; everything it changed is committed when it returns."""

    def admit(self, request: Request) -> Response | None:
        """What a gateway says that does not let it through; None: it is in, and `leave` follows."""

    def leave(self, request: Request) -> None:
        """A request that was let in has its answer."""

    def fault(self, request: Request) -> FaultRule | None:
        """The fault that hits this request, if any."""

    def faulted(self, request: Request, rule: FaultRule) -> None:
        """A fault answered instead of the application: only the log wants to know."""

    def expire_token(self, request: Request) -> None:
        """Make the token of this request old before it is looked at."""

    def http_date(self) -> str:
        """The `Date` header."""


class _HangUp(Exception):
    """Leave this connection without a word."""


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of a request target; the last of repeated parameters wins, as in PHP."""
    path, _, query = target.partition("?")
    return path, dict(parse_qsl(query, keep_blank_values=True))


class _Connection(socketserver.StreamRequestHandler):
    """One client connection, kept alive until either side leaves."""

    disable_nagle_algorithm = True
    server: SandboxServer

    def handle(self) -> None:
        self.server.opened(self.connection)
        try:
            with contextlib.suppress(_HangUp, OSError, ValueError, zlib.error):
                while self._one_exchange():
                    pass
        finally:
            self.server.left(self.connection)

    def _one_exchange(self) -> bool:
        request = self._read_request()
        if request is None:
            return False
        refused = self.server.app.admit(request)
        if refused is not None:
            self._send(request, refused)
        else:
            try:
                self._serve(request)
            finally:
                self.server.app.leave(request)
        return request.headers.get("connection", "").lower() != "close"

    def _serve(self, request: Request) -> None:
        app = self.server.app
        rule = app.fault(request)
        if rule is None:
            self._send(request, app.handle(request))
        else:
            self._send_faulty(request, rule)

    def _read_request(self) -> Request | None:
        line = self.rfile.readline(65537).decode("latin-1").strip()
        if not line:
            return None
        try:
            method, target, _version = line.split(" ", 2)
        except ValueError:
            raise _HangUp from None
        headers = self._read_headers()
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        path, query = split_target(target)
        return Request(method.upper(), path, query, headers, self._read_body(headers))

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for _ in range(MAX_HEAD_LINES):
            line = self.rfile.readline(65537).decode("latin-1")
            if line in ("\r\n", "\n"):
                return headers
            name, colon, value = line.partition(":")
            if not colon:
                break
            headers[name.strip().lower()] = value.strip()
        raise _HangUp

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self.rfile.read(int(headers.get("content-length") or 0))
        if headers.get("content-encoding", "").lower() == "gzip":
            body = zlib.decompress(body, 31)
        return body

    def _chunks(self) -> list[bytes]:
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return chunks

    def _send(self, request: Request, response: Response, spoil: str = "") -> None:
        body = response.body
        headers = {"Date": self.server.app.http_date(), "Server": "sandbox", **response.headers}
        headers.setdefault("Content-Type", "application/json")
        level = self.server.app.gzip_level
        accepts = "gzip" in request.headers.get("accept-encoding", "").lower()
        if spoil == "bad_gzip" or (level and accepts and len(body) >= GZIP_FROM_BYTES):
            packer = zlib.compressobj(level or 1, zlib.DEFLATED, 31)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
        if spoil == "bad_gzip":
            # The length is right and the stream is not. Some decoders complain, some give half of the text.
            body = body[: len(body) // 2] + bytes(len(body) - len(body) // 2)
        headers["Content-Length"] = "0" if response.status == HTTPStatus.NOT_MODIFIED else str(len(body))
        self._write(request, response.status, headers, body[: len(body) // 2] if spoil == "truncate" else body)
        if spoil == "truncate":
            raise _HangUp

    def _write(self, request: Request, status: int, headers: dict[str, str], body: bytes) -> None:
        head = [f"HTTP/1.1 {status} {reason(status)}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        packed = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        if request.method == "HEAD" or status == HTTPStatus.NOT_MODIFIED:
            body = b""
        if len(body) < 16384:
            self.connection.sendall(packed + body)
        else:
            self.connection.sendall(packed)
            self.connection.sendall(body)

    def _send_faulty(self, request: Request, rule: FaultRule) -> None:
        app = self.server.app
        kind = rule.kind
        if kind in ("slow", "expire_token"):
            if kind == "slow":
                self.server.stopping.wait(rule.seconds)
            else:
                app.expire_token(request)
            self._send(request, app.handle(request))
            return
        answer = None
        if kind in AFTER_COMMIT:
            request.fault = rule
            answer = app.handle(request)
        app.faulted(request, rule)
        if kind in ("status", "html", "bare") or (kind == "bulk_dies_after" and rule.status):
            self._send(request, gateway_page(rule))
        elif kind in ("truncate", "bad_gzip") and answer is not None:
            self._send(request, answer, spoil=kind)
        else:
            self._vanish(kind, rule.seconds)

    def _vanish(self, kind: str, seconds: float) -> None:
        if kind.startswith("timeout"):
            self.server.stopping.wait(seconds)
        else:
            # Linger 0 turns the close into a TCP reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        raise _HangUp


def reason(status: int) -> str:
    """The reason phrase of a status line."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def gateway_page(rule: FaultRule) -> Response:
    """What a load balancer in front of the CRM says: HTML, whatever was asked for."""
    status = 200 if rule.kind == "html" else rule.status
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if rule.retry_after_s is not None:
        headers["Retry-After"] = str(rule.retry_after_s)
    if rule.kind == "bare":
        return Response(status, b"", headers)
    if rule.says:
        return Response(status, rule.says.encode(), {**headers, "Content-Type": "application/json"})
    title = "Please wait" if status == 200 else f"{status} {reason(status)}"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1><hr>gateway</body>\r\n</html>\r\n"
    return Response(status, page.encode(), headers)


class SandboxServer(socketserver.ThreadingTCPServer):
    """The listening socket and the connections that it accepted; loopback only."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, app: Application, port: int = 0) -> None:
        self.app = app
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Connection)

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection, so that `stop` can close it."""
        with self._open_lock:
            self._open.add(connection)

    def left(self, connection: socket.socket) -> None:
        """Forget a connection that has ended."""
        with self._open_lock:
            self._open.discard(connection)

    def stop(self) -> None:
        """Stop listening, wake every waiting fault, close every connection."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
