"""A disk that is full, or a folder that can't be written, in an operator's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sync.errors import StagingFailed

ROOM = "Make room on the disk that holds the data directory, then start the run again: it goes on from the last staged page."
"""What to do about it."""


@contextmanager
def disk_errors(where: str) -> Iterator[None]:
    """The file system's failures under the data directory, as StagingFailed with the next step."""
    try:
        yield
    except OSError as error:
        raise StagingFailed(f"can't write to the data directory: {error.strerror}", where=where, todo=ROOM) from error
