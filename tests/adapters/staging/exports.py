"""What somebody exports from the CRM: records of a test as CSV or Parquet."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Record = Mapping[str, Any]


def as_text(value: Any) -> str | None:
    """As a CRM's export writes a value: lists and objects as JSON, true and false as words, nothing as nothing."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def columns_of(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record))


def csv_text(records: Sequence[Record], delimiter: str = ",", line_end: str = "\r\n") -> str:
    """NULL unquoted and empty, every text quoted, so that the empty text is told from NULL."""
    names = columns_of(records)
    lines = [delimiter.join(names)]
    lines += [delimiter.join(_quoted(as_text(record.get(name))) for name in names) for record in records]
    return line_end.join(lines) + line_end


def _quoted(text: str | None) -> str:
    return "" if text is None else '"' + text.replace('"', '""') + '"'


def write_csv(path: Path, records: Sequence[Record], **form: str) -> Path:
    body = csv_text(records, **form).encode()
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def write_parquet(path: Path, records: Sequence[Record]) -> Path:
    names = columns_of(records)
    pq.write_table(pa.table({name: pa.array([as_text(record.get(name)) for record in records], pa.string()) for name in names}), path)
    return path
