"""What a marketing application records, in any number: one batch of lines per kind of push."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from sync.recording import Told
from sync.records import Kind
from tasks.recording import Recorder

AT = "2026-06-01T09:30:00Z"
_PAGES = [{"url": f"https://example.com/{page}", "title": page.title(), "at": AT} for page in ("prices", "contact", "terms")]
_numbers = count(1)

Line = dict[str, Any]


def prepare(recorder: Recorder) -> None:
    """What the lines of a day name."""
    for told in (
        recorder.profiles({"profile_key": "default", "name": "Default"}),
        recorder.campaigns({"campaign_key": "spring", "name": "Spring", "subject": "News", "from_address": "us@example.com"}),
        recorder.landing_pages({"page_key": "paper", "name": "White paper", "sync_with_crm": False}),
        recorder.events({"event_key": "fair", "name": "Fair", "place": "Basel", "starts_at": AT}),
    ):
        _all_recorded(told)


def record(recorder: Recorder, kind: Kind, people: Sequence[int], rows: int) -> None:
    """`rows` lines that queue as many pushes of this kind, to these people in turn; of opt-outs and updates at most one per person."""
    taken = (people[number % len(people)] for number in count())
    what, lines = _WAYS[kind]
    _all_recorded(recorder.record(what, [line for line, _ in zip(lines(taken), range(rows), strict=False)]))


def _all_recorded(told: Told) -> None:
    if told.refused:
        raise SystemExit(f"{len(told.refused):,} lines were refused: {told.refused[0].why}")


def _event(**values: Any) -> Line:
    return {"event_id": f"event-{next(_numbers)}", **values}


def _sends(people: Iterator[int]) -> Iterator[Line]:
    return (_event(campaign="spring", contact_id=who, sent_at=AT, delivery_status="delivered") for who in people)


def unsettled_sends(people: Iterator[int]) -> Iterator[Line]:
    """Mails of which nobody knows yet whether they arrived."""
    return (_event(campaign="spring", contact_id=who, sent_at=AT) for who in people)


def _reactions(people: Iterator[int]) -> Iterator[Line]:
    return (_event(campaign="spring", contact_id=who, at=AT) for who in people)


def _clicks(people: Iterator[int]) -> Iterator[Line]:
    return ({**line, "url": "https://example.com/more"} for line in _reactions(people))


def _scores(people: Iterator[int]) -> Iterator[Line]:
    return (_event(contact_id=who, profile="default", score=number % 100 + 1, at=AT) for number, who in enumerate(people))


def _leads(_: Iterator[int]) -> Iterator[Line]:
    for number in _numbers:
        values = {"first_name": "Nora", "last_name": f"Newcomer {number}", "title": "Engineer"}
        yield {"address": f"newcomer-{number}@example.org", "values": values, "push_into_crm": True}


def _updates(people: Iterator[int]) -> Iterator[Line]:
    return ({"contact_id": who, "values": {"title": f"Title {next(_numbers)}"}} for who in people)


def _tasks(people: Iterator[int]) -> Iterator[Line]:
    return (_event(contact_id=who, subject="Call them", description="They read the prices.", priority="high") for who in people)


def _visits(people: Iterator[int]) -> Iterator[Line]:
    return (_event(contact_id=who, started_at=AT, landing_page="https://example.com/", pages=_PAGES) for who in people)


def _completions(people: Iterator[int]) -> Iterator[Line]:
    answers = {"Company": "Analytical", "Staff": "12"}
    return (_event(page="paper", contact_id=who, form="short", completed_at=AT, answers=answers) for who in people)


def _registrations(people: Iterator[int]) -> Iterator[Line]:
    return (_event(event="fair", contact_id=who, registered_at=AT) for who in people)


def _opt_outs(people: Iterator[int]) -> Iterator[Line]:
    return ({"contact_id": who, "at": AT, "why": "they asked"} for who in people)


_WAYS: Mapping[Kind, tuple[str, Callable[[Iterator[int]], Iterator[Line]]]] = {
    Kind.SENT: ("sends", _sends),
    Kind.OPENED: ("opens", _reactions),
    Kind.CLICKED: ("clicks", _clicks),
    Kind.SCORE: ("scores", _scores),
    Kind.NEW_LEAD: ("leads", _leads),
    Kind.UPDATE: ("update-in-crm", _updates),
    Kind.TASK: ("tasks", _tasks),
    Kind.VISIT: ("visits", _visits),
    Kind.COMPLETION: ("completions", _completions),
    Kind.REGISTRATION: ("registrations", _registrations),
    Kind.OPT_OUT: ("unsubscribes", _opt_outs),
}
