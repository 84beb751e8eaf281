"""The result of a query as an Arrow table, without a Python object per value where the server can help."""

from __future__ import annotations

import io
from typing import Any

import psycopg
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import BigInteger, Boolean, Connection, Integer, Select
from sqlalchemy.types import TypeEngine

from adapters.market.loading import is_lite
from adapters.market.types import Instant

_INSTANT = pa.timestamp("us")


def arrow_schema(query: Select[Any]) -> pa.Schema:
    return pa.schema([(column.name, _type(column.type)) for column in query.selected_columns])


def fetch(connection: Connection, query: Select[Any]) -> pa.Table:
    """Instants come out in UTC without a zone, as the parcels hold them."""
    return _from_sqlite(connection, query) if is_lite(connection) else _from_postgres(connection, query)


def _type(type_: TypeEngine[Any]) -> pa.DataType:
    if isinstance(type_, Boolean):
        return pa.bool_()
    if isinstance(type_, BigInteger | Integer):
        return pa.int64()
    return _INSTANT if isinstance(type_, Instant) else pa.string()


def _from_sqlite(connection: Connection, query: Select[Any]) -> pa.Table:
    schema = arrow_schema(query)
    statement = query.compile(connection, compile_kwargs={"literal_binds": True})
    driver = connection.connection.driver_connection
    assert driver is not None
    rows = driver.execute(str(statement)).fetchall()
    values = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table([_column(column, field.type) for column, field in zip(values, schema, strict=True)], schema=schema)


def _column(values: tuple[Any, ...], type_: pa.DataType) -> pa.Array:
    if type_ == pa.bool_():
        return pa.array(values, pa.int64()).cast(pa.bool_())
    if type_ == _INSTANT:
        return pa.array(values, pa.string()).cast(_INSTANT)
    return pa.array(values, type_)


def _from_postgres(connection: Connection, query: Select[Any]) -> pa.Table:
    """COPY as CSV into Arrow's reader: several times as fast as rows through Python."""
    schema = arrow_schema(query)
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    statement = str(query.compile(connection, compile_kwargs={"literal_binds": True})).replace("%%", "%")
    whole = io.BytesIO()
    with driver.cursor() as cursor, cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT csv)".encode()) as copy:
        for chunk in copy:
            whole.write(chunk)
    if whole.tell() == 0:
        return schema.empty_table()
    whole.seek(0)
    types = {field.name: pa.timestamp("us", "UTC") if field.type == _INSTANT else field.type for field in schema}
    table = csv.read_csv(
        whole,
        read_options=csv.ReadOptions(column_names=schema.names),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return table.cast(schema)
