"""What the CRM last said to our login, and how many calls it allows: kept beside the pulses, so that looking needs no CRM."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.disk import disk_errors
from sync.errors import CredentialError, Transient
from sync.push import Quota
from sync.standing import Credential, QuotaSeen
from tasks.wiring import Installation, installation, now, open_crm


def keep_refused(config: str, connector: str, error: CredentialError) -> None:
    """The credential is dead (CONN-4); since the first time that this was said."""
    home = installation(config)
    before = credential_of(home, connector)
    since = before.since if before is not None and not before.accepted else now()
    _keep(home, connector, credential={"accepted": False, "since": since, "said": error.what})


def keep_accepted(config: str, connector: str) -> None:
    """The CRM was asked something just now and answered: the login is good. Keeps its allowance of calls as it last told it."""
    home = installation(config)
    before = credential_of(home, connector)
    since = before.since if before is not None and before.accepted else now()
    try:
        quota = open_crm(config, connector).quota()
    except Transient:
        quota = None  # it was well a moment ago; what was known of its allowance is no longer
    told = {"quota": None if quota is None else {**asdict(quota), "at": now()}}
    _keep(home, connector, credential={"accepted": True, "since": since, "said": ""}, **told)


def credential_of(home: Installation, connector: str) -> Credential | None:
    """None: the CRM was never asked from here."""
    found = _read(home, connector).get("credential")
    return None if not found else Credential(found["accepted"], datetime.fromisoformat(found["since"]), found["said"])


def quota_of(home: Installation, connector: str) -> QuotaSeen | None:
    """None: the CRM has none, or never told."""
    found = _read(home, connector).get("quota")
    if not found:
        return None
    resets_at = datetime.fromisoformat(found["resets_at"]) if found["resets_at"] else None
    return QuotaSeen(Quota(found["left"], found["of"], resets_at), datetime.fromisoformat(found["at"]))


def _keep(home: Installation, connector: str, **told: Any) -> None:
    path = _path(home, connector)
    with disk_errors(f"what {connector} said"):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{now().timestamp()}.new")
        fresh.write_text(json.dumps({**_read(home, connector), **told}, default=datetime.isoformat), encoding="utf-8")
        fresh.replace(path)


def _read(home: Installation, connector: str) -> dict[str, Any]:
    path = _path(home, connector)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _path(home: Installation, connector: str) -> Path:
    return home.data_dir / "pulse" / f"{connector}.contact.json"
