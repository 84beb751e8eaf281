"""The typed control client of a Salesforce sandbox."""

from __future__ import annotations

from adapters.sandbox.control_client import ControlClient


class SalesforceControl(ControlClient):
    """Act as colleagues, administrators and time."""
