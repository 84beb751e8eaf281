"""An HTTP server that answers from a script: one step per request, the last one for ever. Real sockets, loopback only."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """One answer.

    `spoil`: truncate (length promised, half sent), reset (in the middle of the body), damage or shorten (the gzip stream).
    """

    status: int = 200
    body: bytes = b'{"ok": true}'
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    spoil: str = ""
    packed: bool = False
    length: bool = True


@dataclass
class Scripted:
    """The running server and what it saw."""

    url: str
    steps: list[Step]
    seen: list[tuple[str, str]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0


def page(status: int, text: str = "<html><body>Please wait</body></html>", **headers: str) -> Step:
    """What a gateway says."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Step(status, text.encode(), (("Content-Type", "text/html"), *named))


def _handler(state: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            state.connections += 1

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def _answer(self) -> None:
            state.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            step = state.steps.pop(0) if len(state.steps) > 1 else state.steps[0]
            state.seen.append((self.command, self.path))
            state.heads.append(dict(self.headers))
            body = gzip.compress(step.body) if step.packed else step.body
            if step.spoil == "damage":
                body = body[:-8] + bytes(8)
            if step.spoil == "shorten":
                body = body[:-10]
            self.send_response_only(step.status)
            for name, value in step.headers:
                self.send_header(name, value)
            if step.packed:
                self.send_header("Content-Encoding", "gzip")
            if step.length:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = step.spoil in ("truncate", "reset")
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.wfile.flush()
            self.close_connection = cut or not step.length
            if step.spoil == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()

        do_GET = do_POST = do_PUT = _answer

    return Handler


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was reset on purpose, or a handshake that the client gave up, is no news."""


@contextmanager
def scripted(*steps: Step, certificate: Path | None = None) -> Iterator[Scripted]:
    """Runs the script; with a certificate (PEM with its key) over TLS."""
    state = Scripted("", list(steps))
    server = _QuietServer(("127.0.0.1", 0), _handler(state))
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody trusts, with its key, in one PEM file."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "self-signed.pem"
    path.write_bytes(pem + built.public_bytes(serialization.Encoding.PEM))
    return path
