"""The brake (DEL-8): how much may be deleted without asking, and for how long an answer holds."""

from __future__ import annotations

from enum import StrEnum


class Answer(StrEnum):
    """What an operator said about a deletion that was too large. WAIT: nothing yet."""

    ALLOW = "allow"
    REFUSE = "refuse"
    WAIT = "wait"


def must_ask(rows_affected: int, rows_before: int, *, limit_share: float, min_rows: int) -> bool:
    """Whether deleting so many of so many rows needs an answer first. Tables with fewer than `min_rows` are not judged."""
    return rows_before >= min_rows and rows_affected > limit_share * rows_before


def rows_worth_counting(rows_affected: int, *, limit_share: float, min_rows: int) -> int:
    """A table with more rows than this lets `rows_affected` pass: nobody needs to count on, whatever its size."""
    return max(min_rows, int(rows_affected / limit_share) + 1) if limit_share > 0 else max(min_rows, rows_affected)


def answer_now(said: Answer, answered_rows: int, rows_affected: int) -> Answer:
    """An answer holds for the deletion that was asked about, or a smaller one; what has grown since is asked about again."""
    return Answer.WAIT if rows_affected > answered_rows else said
