"""A believable day of marketing: what the demo records, made from a seed and from people whom Market knows.

Plain records for `tasks.recording.Recorder`. Everybody who is new in it is invented, and every new address is under example.net.
Numbers follow the audience; the same seed, audience and beginning make the same day.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sync.recording_fields import Recordable

Records = tuple[dict[str, Any], ...]
Day = tuple[tuple[Recordable, Records], ...]

CAMPAIGN, PAGE, EVENT, PROFILE = "autumn-letter", "buyers-guide", "open-house", "default"
RIVAL = "Rival Works"
"""The company of a new lead whom the demo's CRM refuses by a rule of its own."""

_SITE = "https://www.example.com"
_PAGES = (("/guide", "The buyer's guide"), ("/prices", "Prices"), ("/stories", "Customer stories"), ("/contact", "Contact"))
_FIRST = (
    "Alma",
    "Bruno",
    "Carla",
    "Dario",
    "Elif",
    "Fritz",
    "Greta",
    "Hugo",
    "Ines",
    "Jonas",
    "Kaia",
    "Leon",
    "Mira",
    "Nils",
    "Olga",
    "Piet",
)
_LAST = (
    "Ahorn",
    "Birke",
    "Dorn",
    "Erle",
    "Fichte",
    "Ginster",
    "Hasel",
    "Iris",
    "Linde",
    "Mohn",
    "Nelke",
    "Quitte",
    "Rose",
    "Tanne",
    "Ulme",
)
_COMPANIES = ("Harbour Tools", "North Mill", "Lantern & Co", "Bright Bakery", "Quay Print", "Field Optics")
_TITLES = ("Head of Purchasing", "Plant Manager", "Managing Director", "IT Lead", "Office Manager")
_WISHES = ("A quote", "A visit", "A sample", "A call next week")


@dataclass(frozen=True, slots=True, order=True)
class Recipient:
    """Somebody whom Market knows and who may be mailed."""

    contact_id: int
    address: str


_Scored = tuple[dict[str, Any], int, str]  # who, by how much, and why
_Filled = tuple[dict[str, Any], dict[str, str]]  # who filled in a form, and what they gave of themselves
_Mailed = tuple[int, Recipient]  # the mail's number, and who got it


def make_day(seed: int, audience: Sequence[Recipient], begin: datetime) -> Day:
    """What happened in the ten hours from `begin` (UTC), kind by kind, in an order in which it can be recorded.

    A mail to the whole audience; a few bounce, and of a few nothing is known yet. Of those who opened it some clicked, visited the site,
    filled in the form, registered, turned us down. New people come along: one gives no last name, one works for a rival.
    """
    return _Day(seed, audience, begin).made()


@dataclass(frozen=True, slots=True)
class _Newcomer:
    """Somebody whom nobody knew: their address, and what they gave of themselves."""

    address: str
    values: dict[str, str]


class _Day:
    def __init__(self, seed: int, audience: Sequence[Recipient], begin: datetime) -> None:
        self._dice = random.Random(seed)
        self._seed, self._begin = seed, begin
        self._mailed: list[_Mailed] = list(enumerate(audience))
        arrived = self._some(self._mailed, 0.985)
        self._delivered = self._some(arrived, 0.985)  # of the others nothing is known yet
        self._bounced = sorted({*self._mailed} - {*arrived})
        self._opened = self._some(self._delivered, 0.38)
        self._clicked = self._some(self._opened, 0.3)
        self._filled = self._some(self._clicked, 0.35)
        self._registered = self._some(self._opened, 0.15)
        self._turned_down = self._some(sorted({*self._opened} - {*self._clicked}), 0.05)
        self._new = self._newcomers(min(16, max(4, len(audience) // 55)))

    def made(self) -> Day:
        return (
            *self._names(),
            (Recordable.SENDS, self._sends()),
            (Recordable.DELIVERIES, tuple({"send": self._id("mail", n), "at": self._at(2, 40)} for n, _ in self._delivered)),
            (Recordable.BOUNCES, tuple(self._bounce(n) for n, _ in self._bounced)),
            (Recordable.OPENS, self._opens()),
            (Recordable.CLICKS, tuple(self._click(n) for n, _ in self._clicked)),
            (Recordable.VISITS, self._visits()),
            (Recordable.COMPLETIONS, self._completions()),
            (Recordable.REGISTRATIONS, self._registrations()),
            (Recordable.ATTENDANCE, self._attendance()),
            (Recordable.SCORES, self._scores()),
            (Recordable.TASKS, self._tasks()),
            (Recordable.UPDATES, self._updates()),
            (Recordable.UNSUBSCRIBES, self._unsubscribes()),
        )

    # -- what stands still ------------------------------------------------------------------------------------------

    def _names(self) -> Day:
        letter = {
            "campaign_key": CAMPAIGN,
            "name": "Autumn letter",
            "subject": "What we built this year",
            "from_address": "news@example.com",
        }
        guide = {"page_key": PAGE, "name": "The buyer's guide", "url": f"{_SITE}/guide", "sync_with_crm": True}
        house = {"event_key": EVENT, "name": "Open house", "place": "Hall 4", "starts_at": self._at(420, 420)}
        return (
            (Recordable.PROFILES, ({"profile_key": PROFILE, "name": "Interest"},)),
            (Recordable.CAMPAIGNS, (letter,)),
            (Recordable.LANDING_PAGES, (guide,)),
            (Recordable.EVENTS, (house,)),
        )

    # -- mails ------------------------------------------------------------------------------------------------------

    def _sends(self) -> Records:
        return tuple(
            {
                "event_id": self._id("mail", n),
                "campaign": CAMPAIGN,
                "contact_id": who.contact_id,
                "address": who.address,
                "sent_at": self._at(0, 1),
            }
            for n, who in self._mailed
        )

    def _bounce(self, number: int) -> dict[str, Any]:
        return {"send": self._id("mail", number), "at": self._at(2, 40), "message": "550 no such mailbox"}

    def _opens(self) -> Records:
        """Every fourth opens it twice."""
        again = [each for each in self._opened if self._dice.random() < 0.25]
        return tuple(
            {"event_id": self._id("open", count), "send": self._id("mail", n), "at": self._at(60, 300)}
            for count, (n, _) in enumerate((*self._opened, *again))
        )

    def _click(self, number: int) -> dict[str, Any]:
        ids = {"event_id": self._id("click", number), "send": self._id("mail", number)}
        return {**ids, "at": self._at(300, 360), "url": f"{_SITE}{self._dice.choice(_PAGES)[0]}"}

    # -- on the web site --------------------------------------------------------------------------------------------

    def _visits(self) -> Records:
        known: list[dict[str, Any]] = [{"contact_id": who.contact_id, "referrer": "https://mail.example.com/"} for _, who in self._clicked]
        new: list[dict[str, Any]] = [{"address": who.address, "referrer": "https://search.example.org/"} for who in self._new]
        return tuple(self._visit(number, who) for number, who in enumerate((*known, *new)))

    def _visit(self, number: int, who: dict[str, Any]) -> dict[str, Any]:
        begin = self._begin + timedelta(minutes=self._dice.randint(300, 380))
        pages = self._dice.sample(_PAGES, self._dice.randint(1, len(_PAGES)))
        seen = [
            {
                "event_id": self._id(f"page-{number}", n),
                "url": _SITE + path,
                "title": title,
                "at": (begin + timedelta(minutes=n)).isoformat(),
            }
            for n, (path, title) in enumerate(pages)
        ]
        ended = begin + timedelta(minutes=len(pages))
        times = {"started_at": begin.isoformat(), "ended_at": ended.isoformat(), "landing_page": seen[0]["url"]}
        return {"event_id": self._id("visit", number), **who, **times, "pages": seen}

    def _completions(self) -> Records:
        known: list[_Filled] = [
            ({"contact_id": who.contact_id}, {"title": self._title(), "phone": self._phone()}) for _, who in self._filled
        ]
        new: list[_Filled] = [({"address": who.address}, who.values) for who in self._new]
        return tuple(self._completion(number, *each) for number, each in enumerate((*known, *new)))

    def _completion(self, number: int, who: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
        answers = {"What do you need?": self._dice.choice(_WISHES), "How many people are you?": str(self._dice.randint(3, 900))}
        told = {"page": PAGE, "form": "Guide", "completed_at": self._at(385, 400), "answers": answers, "values": values}
        return {"event_id": self._id("form", number), **who, **told}

    # -- the event, and what follows from it all --------------------------------------------------------------------

    def _registrations(self) -> Records:
        return tuple(
            {"event_id": self._id("seat", n), "event": EVENT, "contact_id": who.contact_id, "registered_at": self._at(330, 400)}
            for n, who in self._registered
        )

    def _attendance(self) -> Records:
        return tuple(
            {"event_id": self._id("came", n), "event": EVENT, "contact_id": who.contact_id, "attended_at": self._at(415, 440)}
            for n, who in self._some(self._registered, 0.65)
        )

    def _scores(self) -> Records:
        """Two changes of who filled in the form: the newer one counts."""
        clicked: list[_Scored] = [({"contact_id": who.contact_id}, 20, "clicked a link") for _, who in self._clicked]
        filled: list[_Scored] = [({"contact_id": who.contact_id}, 60, "asked for the guide") for _, who in self._filled]
        new: list[_Scored] = [({"address": who.address}, 50, "found us, and asked for the guide") for who in self._new]
        return tuple(
            {
                "event_id": self._id("score", n),
                **who,
                "profile": PROFILE,
                "score": score + n % 10,
                "at": self._minute(450 + n / 100),
                "why": why,
            }
            for n, (who, score, why) in enumerate((*clicked, *filled, *new))
        )

    def _tasks(self) -> Records:
        """For colleagues: call those who asked, the new ones first."""
        whom: list[dict[str, Any]] = [{"address": who.address} for who in self._new[2:6]] + [
            {"contact_id": who.contact_id} for _, who in self._filled[:8]
        ]
        return tuple(
            {"event_id": self._id("task", n), **who, "subject": "Call: asked for the buyer's guide", "due_at": self._at(1800, 1900)}
            | {"priority": "high" if n < 4 else "normal", "description": "Came through the autumn letter", "created_at": self._at(460, 470)}
            for n, who in enumerate(whom)
        )

    def _updates(self) -> Records:
        """Somebody on the phone corrects what was wrong."""
        return tuple({"contact_id": who.contact_id, "values": {"mobile_phone": self._phone()}} for _, who in self._delivered[:5])

    def _unsubscribes(self) -> Records:
        why = "the link at the end of the autumn letter"
        return tuple(
            {"contact_id": who.contact_id, "at": self._at(310, 500), "why": why, "campaign": CAMPAIGN} for _, who in self._turned_down
        )

    # -- dice -------------------------------------------------------------------------------------------------------

    def _newcomers(self, count: int) -> tuple[_Newcomer, ...]:
        people = []
        for number in range(count):
            first, last = self._dice.choice(_FIRST), self._dice.choice(_LAST)
            company = RIVAL if number == 1 else self._dice.choice(_COMPANIES)
            named = {"first_name": first} if number == 0 else {"first_name": first, "last_name": last}
            address = f"{first}.{last}.{self._seed}.{number}@example.net".lower()
            people.append(_Newcomer(address, {**named, "company": company, "title": self._title(), "phone": self._phone()}))
        return tuple(people)

    def _some(self, of: Sequence[_Mailed], share: float) -> list[_Mailed]:
        return sorted(self._dice.sample(of, min(len(of), max(1, round(len(of) * share)))))

    def _id(self, what: str, number: int) -> str:
        return f"demo-{self._seed}-{what}-{number}"

    def _at(self, earliest: int, latest: int) -> str:
        """Some moment between these minutes of the day."""
        return self._minute(self._dice.uniform(earliest, latest))

    def _minute(self, minute: float) -> str:
        return (self._begin + timedelta(seconds=round(minute * 60))).isoformat()

    def _title(self) -> str:
        return self._dice.choice(_TITLES)

    def _phone(self) -> str:
        """Numbers with 555-01 belong to nobody."""
        return f"+1 202 555 01{self._dice.randint(0, 99):02d}"
