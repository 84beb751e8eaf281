"""Salesforce passes the suite of all CRM adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.crm.salesforce_bench import salesforce_benches
from tests.adapters.crm_contract import CalmSuite, HostileSuite, OpenBench
from tests.adapters.crm_contract_push import CalmPushSuite, HostilePushSuite


@pytest.fixture
def open_bench(tmp_path: Path) -> OpenBench:
    return salesforce_benches(tmp_path)


class TestSalesforceCalm(CalmSuite):
    """CONN-3, PULL-1, PULL-3, INIT-9, FILT-1."""


class TestSalesforceHostile(HostileSuite):
    """CONN-4, PULL-3."""


class TestSalesforceCalmPush(CalmPushSuite):
    """PUSH-3, PUSH-4, PUSH-7, CONSENT-8, SINK-1, SINK-2."""


class TestSalesforceHostilePush(HostilePushSuite):
    """PUSH-2, PUSH-3."""
