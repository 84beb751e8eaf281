"""SugarCRM passes the suite of all CRM adapters."""

from __future__ import annotations

from tests.adapters.crm_contract import CalmSuite, HostileSuite


class TestSugarCrmCalm(CalmSuite):
    """CONN-3, PULL-1, PULL-3, INIT-9, FILT-1."""


class TestSugarCrmHostile(HostileSuite):
    """CONN-4, PULL-3."""
