"""Options that can be switched on and that this release does not serve yet: a run says so, instead of looking as if it had done them."""

from __future__ import annotations

from sync.records import Finding
from sync.settings import ConnectorSettings

_NOT_PULLED = ("custom_objects",)


def not_served(connector: ConnectorSettings) -> tuple[Finding, ...]:
    """One finding for all options of this connector that are on and have no effect; none when there is no such option (CONN-5)."""
    names = [f"pull.{name}" for name in _NOT_PULLED if getattr(connector.pull, name).on]
    if not names:
        return ()
    return (Finding(None, "not in this release", f"switched on and not done by this release yet: {', '.join(names)}", len(names)),)
