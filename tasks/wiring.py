"""Reads the settings once and opens what tasks work with. The only place that knows which adapter belongs to which setting.

The CRM's adapters and the staging engine are loaded when they are first needed: a run with nothing to do needs neither.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from adapters.market.engine import Market, open_market
from sync.crm import Crm
from sync.disk import disk_errors
from sync.errors import ConfigError, Transient
from sync.records import RunRef
from sync.secrets import SecretKind, SecretRef
from sync.settings import ConnectorSettings, Settings
from sync.settings_parser import parse_settings, parse_toml

if TYPE_CHECKING:
    from adapters.staging import ParcelStore

CONFIG_VARIABLE = "MARKETSYNC_CONFIG"
DEFAULT_CONFIG = "marketsync.toml"


def now() -> datetime:
    """The one clock of the product's own side, UTC. Windows never use it: they use the CRM's (PULL-1)."""
    return datetime.now(UTC)


def config_path(given: str | None = None) -> str:
    """The configuration file that counts: the one named, else the environment's, else marketsync.toml here. Absolute."""
    return str(Path(given or os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG).expanduser().resolve())


def read_settings(config: str) -> Settings:
    """Raises one ConfigError that names every mistake in the file."""
    path = Path(config)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            "there is no configuration file", where=str(path), todo="`marketsync init` writes one, `--config FILE` names another."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the configuration file can't be read: {error}", where=str(path), todo="Make it a readable text file."
        ) from error
    return parse_settings(parse_toml(text, path.name), base_dir=str(path.parent))


@dataclass(frozen=True, slots=True)
class Installation:
    """Everything that one configuration file names, opened. Shared by the threads of a process."""

    settings: Settings
    market: Market

    @property
    def parcels(self) -> ParcelStore:
        """Where this installation stages."""
        staging = self.settings.staging
        return _parcel_store(self.settings.data_dir, staging.memory_limit_mb, staging.threads)

    @property
    def data_dir(self) -> Path:
        return Path(self.settings.data_dir)

    @property
    def lock_dir(self) -> Path:
        return self.data_dir / "locks"

    @property
    def reports_dir(self) -> Path:
        return self.data_dir / "reports"

    @property
    def mark(self) -> str:
        """Tells this data directory from every other: of two workers with one mark each has what the other has staged."""
        return _mark_of(self.data_dir)

    def forget_mark(self) -> None:
        """From now on no kept result of a step counts. For when no run is at work."""
        (self.data_dir / "mark").unlink(missing_ok=True)
        _mark_of.cache_clear()

    def run_dir(self, run_id: str) -> Path:
        """Where the steps of one run leave what later steps need."""
        path = self.data_dir / "runs" / run_id
        with disk_errors(f"run {run_id}"):
            path.mkdir(parents=True, exist_ok=True)
        return path


@cache
def _mark_of(data_dir: Path) -> str:
    path = data_dir / "mark"
    with disk_errors(str(path)):
        if not path.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            mark = uuid4().hex[:12]
            fresh = path.with_name(f"mark.{mark}.new")
            fresh.write_text(mark, encoding="utf-8")
            with suppress(FileExistsError):  # another process was quicker
                os.link(fresh, path)
            fresh.unlink()
        return path.read_text(encoding="utf-8")


@cache
def installation(config: str) -> Installation:
    settings = read_settings(config)
    password = settings.market.password
    market = open_market(settings.market.url, resolve_secret(password, "market.password") if password else None)
    return Installation(settings, market)


@cache
def _parcel_store(data_dir: str, memory_limit_mb: int, threads: int) -> ParcelStore:
    from adapters.staging import ParcelStore

    return ParcelStore(Path(data_dir), memory_limit_mb, threads)


@cache
def open_crm(config: str, connector: str) -> Crm:
    """The connector's CRM; one per process, so that its streams share connections, session and limits."""
    home = installation(config)
    return make_crm(home.settings.connector(connector), home.data_dir / "sessions")


def make_crm(connector: ConnectorSettings, session_dir: Path) -> Crm:
    """The adapter of this connector; each of its secrets is asked for whenever it is needed (CONN-4)."""
    from adapters.crm import ADAPTERS
    from adapters.crm.opening import options_of

    def secret(name: str) -> Callable[[], str] | None:
        return _secret(getattr(connector, name), f"connectors.{connector.name}.{name}")

    return ADAPTERS[connector.crm](**options_of(connector, secret, session_dir))


def settings_of(run: RunRef) -> ConnectorSettings:
    return installation(run.config).settings.connector(run.connector)


def _secret(ref: SecretRef | None, where: str) -> Callable[[], str] | None:
    return None if ref is None else lambda: resolve_secret(ref, where)


def resolve_secret(ref: SecretRef, where: str) -> str:
    """The secret's value, read where it is kept, each time it is needed (CONN-4). `where`: the setting that refers to it.

    Raises ConfigError that never repeats the secret.
    """
    if ref.kind is SecretKind.ENV:
        value = os.environ.get(ref.name)
    elif ref.kind is SecretKind.FILE:
        value = _secret_file(ref, where)
    else:
        value = _secret_block(ref, where)
    if not value:
        raise ConfigError(f"there is no secret in {ref}", where=where, todo=f"Put the secret into {ref}, or refer to another place.")
    return value


def _secret_file(ref: SecretRef, where: str) -> str:
    try:
        return Path(ref.name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{ref} can't be read: {type(error).__name__}", where=where, todo="Make the file readable for this user."
        ) from error


def _secret_block(ref: SecretRef, where: str) -> str:
    from prefect.blocks.system import Secret  # asks the Prefect server; not needed where no block is named

    try:
        block = Secret.load(ref.name)
    except ValueError as error:
        raise ConfigError(f"{ref} does not exist on the Prefect server", where=where, todo="Create the block in the Prefect UI.") from error
    return str(block.get())  # type: ignore[union-attr]


def retry_transient(task: Any, task_run: Any, state: Any) -> bool:
    """Prefect's one condition for trying a task again: the error cures itself with time."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, Transient)


def result_key(context: Any, parameters: dict[str, Any]) -> str | None:
    """Under which a step's result is kept: as Prefect does it by itself (what it was given, its source, the run), and the data directory.

    A result names files. A rerun by a worker that does not have them finds no result, and does the step again (FLOW-3).
    """
    from prefect.cache_policies import DEFAULT

    key = DEFAULT.compute_key(task_ctx=context, inputs=parameters, flow_parameters={})
    run = parameters.get("run")
    return f"{key}-{installation(run.config).mark}" if key and isinstance(run, RunRef) else key


RETRY: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": [10, 60],
    "retry_condition_fn": retry_transient,
    "persist_result": True,
    "cache_key_fn": result_key,
}
"""What every task of the sync is made with: its result is kept, so that a rerun starts at the failed step (FLOW-3)."""
