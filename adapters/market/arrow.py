"""Arrow tables from the Market. Arrow is loaded at the first one: that takes half a second, and a run with nothing to do asks for none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_schema(query: Select[Any]) -> pa.Schema:
    """The columns that the query has as a table."""
    from adapters.market import arrow_reading

    return arrow_reading.arrow_schema(query)


def fetch(connection: Connection, query: Select[Any]) -> pa.Table:
    """Instants come out in UTC without a zone, as the parcels hold them."""
    from adapters.market import arrow_reading

    return arrow_reading.fetch(connection, query)
