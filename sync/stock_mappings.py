"""CRM type → the mapping that the product ships for it. A CRM type that is not here is not supported."""

from __future__ import annotations

from collections.abc import Mapping

from sync.fields import Reading
from sync.mapping import MappingRow
from sync.mapping_salesforce import SALESFORCE, SALESFORCE_LISTS
from sync.mapping_sugarcrm import SUGARCRM, SUGARCRM_LISTS
from sync.push_settings import ScoreField

STOCK_MAPPINGS: Mapping[str, tuple[MappingRow, ...]] = {"sugarcrm": SUGARCRM, "salesforce": SALESFORCE}

STOCK_LISTS: Mapping[str, tuple[Reading, ...]] = {"sugarcrm": SUGARCRM_LISTS, "salesforce": SALESFORCE_LISTS}
"""CRM type → what is read of a marketing list (LIST-1)."""

STOCK_SCORES: Mapping[str, Mapping[str, ScoreField]] = {
    "sugarcrm": {"default": ScoreField("mkt_score_c", "mkt_score_date_c")},
    "salesforce": {"default": ScoreField("Mkt_Score__c", "Mkt_Score_Date__c")},
}
"""CRM type → scoring profile → the fields that its score goes to, where the operator named none (PUSH-S)."""
