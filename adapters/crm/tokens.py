"""The file that all threads and processes share one session with a CRM through.

Sugar keeps one session per user, client and platform: a second login kills the first. Salesforce allows thousands of logins an hour and
no more, and a rotated refresh token works once. So the tokens live in one file (mode 0600), and whoever wants to change them holds a
lock on the file beside it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from sync.errors import ConfigError

_ROUNDS = 200_000


@dataclass(frozen=True, slots=True)
class DeadCredential:
    """A login that the CRM refused: when (UTC, ISO), what it meant, what the CRM said, and a proof of which credential it was."""

    at: str
    what: str
    said: str
    proof: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the file holds. `salt` is random and belongs to this file; no password is stored.

    `instance`: the address that the CRM told us to use with these tokens, `user`: our own id there; both empty where it tells neither.
    `seed`: a proof of the configured refresh token that `refresh` descends from.
    """

    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)
    salt: str = field(default="", repr=False)
    dead: DeadCredential | None = None
    instance: str = ""
    user: str = ""
    seed: str = field(default="", repr=False)


class TokenFile:
    """One session's file. Reading needs no lock: the file is replaced as a whole. `whose` is what tells one session from another."""

    def __init__(self, session_dir: Path, crm: str, *whose: str) -> None:
        name = hashlib.sha256("\n".join(whose).encode()).hexdigest()[:20]
        self._path = session_dir / f"{crm}-{name}.json"
        self._lock_path = session_dir / f"{crm}-{name}.lock"
        try:
            session_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as trouble:
            todo = "let data_dir name a folder that this user may make and write"
            raise ConfigError(
                f"the folder for sessions can't be made: {trouble.strerror}", where=f"data_dir, {session_dir}", todo=todo
            ) from trouble

    def read(self) -> Tokens:
        """What is known; a missing or damaged file is an empty one, which only costs a login."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Tokens)
        except (FileNotFoundError, msgspec.DecodeError):
            return Tokens()

    def write(self, tokens: Tokens) -> None:
        """Replaces the file; whoever calls holds the lock. On disk before anybody uses the new tokens."""
        draft = self._path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(msgspec.json.encode(tokens))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One thread of one process at a time. A process that dies gives the lock back."""
        handle = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def new_salt() -> str:
    """Random, one per file."""
    return secrets.token_hex(16)


def proof_of(salt: str, *parts: str) -> str:
    """Tells whether a credential is the one that was refused, without keeping it: slow on purpose, useless without the salt."""
    return hashlib.pbkdf2_hmac("sha256", "\0".join(parts).encode(), bytes.fromhex(salt), _ROUNDS).hex()
