"""The error tree. The type of an error says who or what recovers from it.

    MarketsyncError
    ├── ConfigError          an operator corrects the configuration, the command or a file
    │   └── InitialSyncMissing   the initial sync, which has to come to its end first (FLOW-2)
    ├── CredentialError      an operator corrects the credentials; stop at once, never retry (CONN-4)
    ├── AccessDenied         an administrator of the CRM grants a right
    ├── AlreadyRunning       nobody: another run of the same flow is at work (FLOW-1)
    ├── Transient            time: try again, after `retry_after_s` if the other side named it
    │   └── QuotaExhausted   time, measured in hours: pause until `resets_at`
    ├── MarketUnavailable    an operator starts or repairs the marketing database; nothing was committed
    ├── StagingFailed        an operator makes room on the disk, or deletes a damaged parcel
    │   └── ShareFailed      an operator looks at the runs that read a part of it, and retries
    ├── ContractBroken       a developer: the CRM answered what we do not understand
    ├── GapError             a fresh read: the cursor is no longer valid
    ├── DeletionHeld         an operator says whether so much may be deleted (DEL-8)
    ├── GateRejected         a person reads the quality report (GATE-3)
    └── VerificationFailed   a person: counts differ and nothing explains it (INIT-6)

Trouble with one record is never an exception: it is a set-aside row or a receipt.
"""

from __future__ import annotations

from datetime import datetime


class MarketsyncError(Exception):
    """What went wrong, where, and what to do next; each in words that an operator understands.

    `exit_code` is what the command line ends with. Messages never hold a secret or a person's data.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.todo:
            parts.append(f"What to do: {self.todo}")
        return "\n".join(parts)


class ConfigError(MarketsyncError):
    """The configuration, a command's arguments or an input file is wrong."""

    exit_code = 2


class InitialSyncMissing(ConfigError):
    """A recurring flow was started for a connector whose initial sync has not completed (FLOW-2)."""


class CredentialError(MarketsyncError):
    """The CRM refuses the credentials: wrong, expired or locked. Repeating it would lock the account (CONN-4)."""

    exit_code = 3


class AccessDenied(MarketsyncError):
    """The syncing user may not read or write an object that an option needs (CONN-3)."""

    exit_code = 4


class AlreadyRunning(MarketsyncError):
    """The same flow is already at work for this connector (FLOW-1)."""

    exit_code = 5


class Transient(MarketsyncError):
    """The other side is busy, away or cut us off; the same request may succeed later."""

    exit_code = 6

    def __init__(self, what: str, *, where: str = "", todo: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(what, where=where, todo=todo)
        self.retry_after_s = retry_after_s


class QuotaExhausted(Transient):
    """The CRM's allowance of calls is used up until `resets_at` (UTC, None when the CRM does not say)."""

    def __init__(self, what: str, *, where: str = "", todo: str = "", resets_at: datetime | None = None) -> None:
        super().__init__(what, where=where, todo=todo)
        self.resets_at = resets_at


class MarketUnavailable(MarketsyncError):
    """The marketing database can't be reached or refused the transaction; nothing of it was kept."""

    exit_code = 7


class StagingFailed(MarketsyncError):
    """A parcel can't be written or read: the disk is full, or the file is damaged."""

    exit_code = 8


class ShareFailed(StagingFailed):
    """A flow run that was to read one share of a large kind failed or died; what it has staged is kept (INIT-7)."""


class ContractBroken(MarketsyncError):
    """The CRM answered what its protocol does not allow. A developer has to look."""

    exit_code = 9


class GapError(MarketsyncError):
    """The CRM can no longer say what changed since the cursor; the object must be read afresh."""

    exit_code = 10


class GateRejected(MarketsyncError):
    """A batch failed its checks; nothing of it was committed or sent, and the cursor stays (GATE-3)."""

    exit_code = 11


class DeletionHeld(MarketsyncError):
    """More would be deleted than may go unasked; everything else of the run is done (DEL-8)."""

    exit_code = 13


class VerificationFailed(MarketsyncError):
    """The counts of CRM and Market differ and nothing explains the difference (INIT-6)."""

    exit_code = 12
