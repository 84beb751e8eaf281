"""Salesforce from the other side: REST, Composite and Bulk 2.0 over real HTTP, with their traps."""

from __future__ import annotations

from adapters.sandbox.faults import FaultRule, storm
from adapters.sandbox.salesforce.automation import DuplicateRule, Rule
from adapters.sandbox.salesforce.control import SalesforceControl
from adapters.sandbox.salesforce.custom_objects import MKT_OBJECTS, SUBSCRIPTION, CustomField, CustomObject
from adapters.sandbox.salesforce.server import RunningSandbox, start_sandbox
from adapters.sandbox.salesforce.settings import CALM, Nastiness, SalesforceSandboxSettings

__all__ = [
    "CALM",
    "MKT_OBJECTS",
    "SUBSCRIPTION",
    "CustomField",
    "CustomObject",
    "DuplicateRule",
    "FaultRule",
    "Nastiness",
    "Rule",
    "RunningSandbox",
    "SalesforceControl",
    "SalesforceSandboxSettings",
    "start_sandbox",
    "storm",
]
