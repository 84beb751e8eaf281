"""Where an installation keeps things: the marketing database, batches that wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.secrets import SecretRef
from sync.setting import Form
from sync.setting import doc as _doc


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSettings:
    """The marketing database."""

    url: str = field(
        default="sqlite:///marketsync.db",
        metadata=_doc(
            "Where the marketing database is: sqlite:///file.db or postgresql://user@host:5432/database. Never with a password in it.",
            form=Form.MARKET_URL,
        ),
    )
    password: SecretRef | None = field(
        default=None, metadata=_doc("The database user's password, by reference.", example='{ env = "MARKET_PASSWORD" }')
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingSettings:
    """The files in which batches wait for their checks."""

    keep_committed_days: int = field(default=7, metadata=_doc("How long the file of a committed batch is kept.", unit="days", minimum=0))
    memory_limit_mb: int = field(default=176, metadata=_doc("Most memory that staging may use per process.", unit="MiB", minimum=64))
    threads: int = field(default=2, metadata=_doc("Threads that staging may use per process.", unit="threads", minimum=1, maximum=256))
