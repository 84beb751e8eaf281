"""The demo's stage: a sandbox of a CRM as a process of its own, and a configuration that names it."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from sync.errors import ConfigError
from sync.push_settings import PushOptions
from tasks.beside import Beside

CONNECTOR, AUDIENCE = "demo", "newsletter"
_SECRET_FILE = "sandbox-password"
_SECRET_VARIABLE = "MARKETSYNC_SANDBOX_PASSWORD"
_MODULES = {"sugarcrm": "adapters.sandbox.sugarcrm", "salesforce": "adapters.sandbox.salesforce"}

_CONFIG = """\
# Written by `marketsync demo`; the next demo writes it anew. `marketsync init` writes one with every setting explained.
data_dir = "data"

[market]
url = "sqlite:///market.db"

[connectors.{connector}]
crm = "{crm}"
url = "{url}"
{login}

[connectors.{connector}.push]
{options}

[saved_reports.{audience}]
of = "people"
text = "Who gets the autumn letter"
all_of = [{{ field = "consent.may_be_mailed", op = "equals", value = true }}]
columns = ["contact_id", "email"]
order_by = ["email", "contact_id"]
limit = 620
"""


_LOGINS = {
    "sugarcrm": 'username = "mkt_sync"\npassword = { file = "%s" }',
    "salesforce": 'client_id = "sandbox-client-id"\nclient_secret = { file = "%s" }',
}
_SECRET_OPTIONS = {"sugarcrm": "--password-env", "salesforce": "--client-secret-env"}
NAMES = {"sugarcrm": "SugarCRM", "salesforce": "Salesforce"}
"""The CRMs that a demo can invent, as they are written."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays: its configuration, and the sandbox's address and sort."""

    config: str
    url: str
    crm: str = "sugarcrm"


@dataclass(frozen=True, slots=True)
class DemoSize:
    """How many records the sandbox invents."""

    users: int = 20
    accounts: int = 2_000
    leads: int = 5_000
    contacts: int = 10_000
    opportunities: int = 3_000

    def options(self) -> list[str]:
        """As the sandbox's command line takes them."""
        return [
            *("--users", str(self.users)),
            *("--accounts", str(self.accounts)),
            *("--leads", str(self.leads)),
            *("--contacts", str(self.contacts)),
            *("--opportunities", str(self.opportunities)),
        ]


def clear_stage(folder: Path) -> None:
    """What an earlier demo left goes; nothing else does. Raises ConfigError when the folder is not a demo's."""
    ours = ("marketsync.toml", _SECRET_FILE, "data", "market.db", "market.db-wal", "market.db-shm")
    strange = [path.name for path in folder.iterdir() if path.name not in ours] if folder.exists() else []
    if strange:
        raise ConfigError(
            f"the folder holds something that is not of the demo: {sorted(strange)[0]}",
            where=str(folder),
            todo="Move it away, or name another folder with --folder.",
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


@contextmanager
def demo_sandbox(folder: Path, size: DemoSize, crm: str = "sugarcrm") -> Iterator[Stage]:
    """A sandbox at work while the block lasts, on a free loopback port, and a configuration that names it and pushes everything."""
    secret = secrets.token_urlsafe(18)
    secret_file = folder / _SECRET_FILE
    secret_file.touch(mode=0o600)
    secret_file.write_text(secret + "\n", encoding="utf-8")
    log = folder / "data" / "logs" / "sandbox.log"
    sandbox = Beside(_MODULES[crm], [*size.options(), _SECRET_OPTIONS[crm], _SECRET_VARIABLE], log, {_SECRET_VARIABLE: secret})
    try:
        config = folder / "marketsync.toml"
        url = _url(sandbox, log)
        options = "\n".join(f"{each.name} = true" for each in fields(PushOptions))
        told = {"connector": CONNECTOR, "crm": crm, "url": url, "login": _LOGINS[crm] % _SECRET_FILE, "options": options}
        config.write_text(_CONFIG.format(audience=AUDIENCE, **told), encoding="utf-8")
        yield Stage(str(config), url, crm)
    finally:
        sandbox.stop()


def _url(sandbox: Beside, log: Path) -> str:
    line = sandbox.first_line()
    if not line:
        raise ConfigError("the sandbox did not start", where="demo", todo=f"Read {log}.")
    return str(json.loads(line)["url"])


def become_sandbox(crm: str, options: tuple[str, ...]) -> None:
    """This process becomes the sandbox of that CRM, until Ctrl-C or SIGTERM. Its own options are its own affair; `--help` lists them."""
    os.execv(sys.executable, [sys.executable, "-m", _MODULES[crm], *options])
