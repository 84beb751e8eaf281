"""SugarCRM passes the suite of all CRM adapters."""

from __future__ import annotations

from tests.adapters.crm_contract import CalmSuite, HostileSuite
from tests.adapters.crm_contract_push import CalmPushSuite, HostilePushSuite


class TestSugarCrmCalm(CalmSuite):
    """CONN-3, PULL-1, PULL-3, INIT-9, FILT-1."""


class TestSugarCrmHostile(HostileSuite):
    """CONN-4, PULL-3."""


class TestSugarCrmCalmPush(CalmPushSuite):
    """PUSH-3, PUSH-4, PUSH-7, CONSENT-8, SINK-1, SINK-2."""


class TestSugarCrmHostilePush(HostilePushSuite):
    """PUSH-2, PUSH-3."""
