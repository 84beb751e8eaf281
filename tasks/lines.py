"""The lines of a file of records: CSV with a header, or NDJSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sync.errors import ConfigError
from sync.recording_files import file_records

Line = tuple[int, Mapping[str, Any] | str]
"""Its number, as an editor counts, and its values or what is wrong with it."""


@contextmanager
def lines_of(path: str | Path, what: str) -> Iterator[Iterator[Line]]:
    """The lines, read as they are taken. Raises ConfigError when the file can't be read; `what` is harmless to do again."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as lines:
            yield file_records(lines)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not written in UTF-8"
        raise ConfigError(
            f"the file can't be read: {why}",
            where=str(path),
            todo=f"Name a readable CSV or NDJSON file in UTF-8. {what} again is harmless.",
        ) from error
