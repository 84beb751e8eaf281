"""The product's flows as deployments of the tests run them: a step that is tried again waits for no ten seconds before it is."""

from __future__ import annotations

from tasks.wiring import RETRY

RETRY["retry_delay_seconds"] = [0.05, 0.05]  # before the steps are made of it

from flows.core_sync import core_sync  # noqa: E402
from flows.email_activity_sync import email_activity_sync  # noqa: E402
from flows.initial_sync import initial_sync  # noqa: E402
from flows.reconcile import reconciliation  # noqa: E402
from flows.time_sensitive_sync import time_sensitive_sync  # noqa: E402

__all__ = ["core_sync", "email_activity_sync", "initial_sync", "reconciliation", "time_sensitive_sync"]
