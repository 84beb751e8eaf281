"""A PostgreSQL server of our own for one test session: in a temporary folder, on a free loopback port, gone afterwards.

A machine without the server's programs fails the tests that need it: a Market that was tried on one database only was not tried.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

_FOLDERS = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")
_START_S = 30
_FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "4GB",
    "shared_buffers": "256MB",
    "max_connections": "60",
    "autovacuum": "off",
}


class NoServer(Exception):
    """PostgreSQL could not be started here."""


def binaries() -> Path:
    """The folder with `initdb` and `postgres`: from the PATH, else the newest in the usual places."""
    on_path = shutil.which("initdb")
    if on_path and (Path(on_path).resolve().parent / "postgres").exists():
        return Path(on_path).resolve().parent
    found = [path.parent for folder in _FOLDERS for path in Path(folder).glob("*/bin/initdb")]
    if not found:
        raise NoServer("These tests need PostgreSQL's server programs (initdb, postgres): install the package postgresql, 14 or later.")
    return max(found, key=lambda folder: [int(part) for part in folder.parent.name.split("@")[-1].split(".") if part.isdigit()])


@contextmanager
def postgres_server() -> Iterator[str]:
    """→ the address of a running server, `postgresql://market@127.0.0.1:PORT`, without a database's name. Raises NoServer."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="market-postgres-"))
    become = _other_account(folder)
    data = folder / "data"
    try:
        initdb = [programs / "initdb", "-D", data, "-U", "market", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        _run(initdb, folder, become)
        trusting = data / "pg_hba.conf"
        trusting.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{trusting.read_text()}")  # one account has to give a password
        port = _free_port()
        settings = [f"-c{name}={value}" for name, value in _FAST.items()]
        command = [programs / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, *settings]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen([str(part) for part in command], cwd=folder, preexec_fn=become, stdout=log, stderr=log)
        try:
            address = f"postgresql://market@127.0.0.1:{port}"
            _wait(server, address, folder / "log")
            yield address
        finally:
            server.send_signal(signal.SIGINT)  # ends its sessions; SIGTERM would wait for them
            server.wait(timeout=_START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _other_account(folder: Path) -> Callable[[], None] | None:
    """PostgreSQL refuses to be run by root, as in a container: then it runs as `postgres` or `nobody`."""
    if os.getuid() != 0:
        return None
    account = None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            account = account or pwd.getpwnam(name)
    if account is None:
        raise NoServer("These tests run as root, and there is no account `postgres` or `nobody` for the PostgreSQL server.")
    os.chown(folder, account.pw_uid, account.pw_gid)
    user, group = account.pw_uid, account.pw_gid

    def become() -> None:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)

    return become


def _run(command: list[object], folder: Path, become: Callable[[], None] | None) -> None:
    done = subprocess.run([str(part) for part in command], cwd=folder, preexec_fn=become, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoServer(f"initdb failed: {done.stderr[-2000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and server.poll() is None:
        with suppress(psycopg.OperationalError):
            psycopg.connect(f"{address}/postgres", connect_timeout=2).close()
            return
        time.sleep(0.05)
    raise NoServer(f"PostgreSQL did not start: {log.read_text(errors='replace')[-2000:]}")


def create_database(address: str, name: str) -> str:
    """→ the address of a new, empty database."""
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" STRATEGY wal_log'.encode())
    return f"{address}/{name}"


def drop_database(address: str, name: str) -> None:
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
