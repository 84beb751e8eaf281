"""CRM type → the mapping that the product ships for it. A CRM type that is not here is not supported."""

from __future__ import annotations

from collections.abc import Mapping

from sync.mapping import MappingRow
from sync.mapping_sugarcrm import SUGARCRM

STOCK_MAPPINGS: Mapping[str, tuple[MappingRow, ...]] = {"sugarcrm": SUGARCRM}
