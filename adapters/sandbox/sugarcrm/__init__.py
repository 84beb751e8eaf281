"""SugarCRM from the other side: REST v11 over real HTTP, with its traps."""

from __future__ import annotations

from adapters.sandbox.faults import FaultRule, storm
from adapters.sandbox.sugarcrm.control import SandboxControl
from adapters.sandbox.sugarcrm.hooks import Hook
from adapters.sandbox.sugarcrm.server import RunningSandbox, start_sandbox
from adapters.sandbox.sugarcrm.settings import (
    CALM,
    MKT_MODULES,
    CustomField,
    CustomModule,
    Nastiness,
    SugarSandboxSettings,
)

__all__ = [
    "CALM",
    "MKT_MODULES",
    "CustomField",
    "CustomModule",
    "FaultRule",
    "Hook",
    "Nastiness",
    "RunningSandbox",
    "SandboxControl",
    "SugarSandboxSettings",
    "start_sandbox",
    "storm",
]
