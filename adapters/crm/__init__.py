"""The CRM dialects. `ADAPTERS` is the whole list: name in the configuration → what makes the adapter."""

from __future__ import annotations

from collections.abc import Callable

from adapters.crm.salesforce import SalesforceCrm
from adapters.crm.sugarcrm import SugarCrm
from sync.crm import Crm

ADAPTERS: dict[str, Callable[..., Crm]] = {"sugarcrm": SugarCrm, "salesforce": SalesforceCrm}
