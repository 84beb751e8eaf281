"""Custom objects: which of their fields fill the columns that all of them have (CUST-1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sync.mapping import Direction, MappingRow, combine
from sync.pull_settings import CustomObject
from sync.records import Kind
from sync.settings import ConnectorSettings
from sync.stock_mappings import STOCK_MAPPINGS

_IDENTITY = frozenset({"crm_id", "crm_created_at", "crm_modified_at", "owner_ref"})


def mapping_of(connector: ConnectorSettings) -> tuple[MappingRow, ...]:
    """Every mapping row of a connector: those of its CRM, with the operator's in their place, and those of its custom objects."""
    stock = STOCK_MAPPINGS[connector.crm]
    return combine((*stock, *custom_rows(stock, connector.custom_objects)), connector.own_rows)


def custom_rows(stock: Sequence[MappingRow], objects: Mapping[Kind, CustomObject]) -> Iterator[MappingRow]:
    """A CRM keeps identity, stamps and owner of a custom object in the fields in which it keeps an account's; what it belongs to stands in
    the fields that the operator named."""
    for kind, each in objects.items():
        yield from (replace(row, kinds=frozenset({kind})) for row in stock if Kind.ACCOUNT in row.kinds and row.column in _IDENTITY)
        for column, field in (("contact_ref", each.person), ("account_ref", each.account)):
            if field is not None:
                yield MappingRow(field, column, frozenset({kind}), Direction.PULL, stock=False)
