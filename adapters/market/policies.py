"""What an incoming value does to the value that is there, as SQL."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, Text, case
from sqlalchemy.sql.functions import coalesce


class UpdatePolicy(StrEnum):
    """What an incoming value does to the value that is there."""

    OVERWRITE = "overwrite"
    KEEP_IF_NULL = "keep_if_null"  # an incoming NULL keeps what is there
    ONLY_IF_EMPTY = "only_if_empty"  # fills NULL and '' only


def written_value(old: Column[Any], new: ColumnElement[Any], policy: UpdatePolicy) -> ColumnElement[Any]:
    """The value that the column has afterwards."""
    if policy is UpdatePolicy.OVERWRITE:
        return new
    if policy is UpdatePolicy.KEEP_IF_NULL:
        return coalesce(new, old)
    if isinstance(old.type, Text):
        return case((old.is_(None) | (old == ""), coalesce(new, old)), else_=old)
    return coalesce(old, new)
