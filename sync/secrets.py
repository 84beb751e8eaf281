"""References to secrets. The secret itself is read anew each time it is used: a changed password needs no redeploy (CONN-4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

HOW_TO_REFER = '{ env = "NAME" }, { file = "path" } or { prefect_block = "name" }'


class SecretKind(StrEnum):
    """Where a secret is kept."""

    ENV = "env"
    FILE = "file"
    PREFECT_BLOCK = "prefect_block"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is: an environment variable, a file (its content without the line break at the end) or a Prefect Secret block."""

    kind: SecretKind
    name: str

    def __str__(self) -> str:
        place = {SecretKind.ENV: "environment variable", SecretKind.FILE: "file", SecretKind.PREFECT_BLOCK: "Prefect Secret block"}
        return f"{place[self.kind]} {self.name}"


_NAMES = {
    SecretKind.ENV: (re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), "letters, digits and underscores"),
    SecretKind.FILE: (re.compile(r"[^\0\r\n]+"), "a path"),
    SecretKind.PREFECT_BLOCK: (re.compile(r"[a-z0-9-]+"), "lower-case letters, digits and dashes"),
}


def name_mistake(kind: SecretKind, name: object) -> str | None:
    """What is wrong with the name of a reference; never repeats it, because people write the secret itself there."""
    pattern, said = _NAMES[kind]
    if isinstance(name, str) and pattern.fullmatch(name):
        return None
    return f"{kind.value} takes the name of a place, {said}, and never the secret itself"
