"""Invented contacts of 43 fields, about 1.5 kB of JSON each, as one file of records and an index of where each begins.

The same seed gives the same bytes. Ids rise with the row number and spread evenly over the GUIDs, so a page by key is a slice of the file.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

import orjson

FIELDS: dict[str, tuple[str, int | None]] = {
    "id": ("id", 36),
    "date_entered": ("datetime", None),
    "date_modified": ("datetime", None),
    "email": ("email", None),
    "first_name": ("varchar", 255),
    "last_name": ("varchar", 255),
    "salutation": ("enum", 255),
    "title": ("varchar", 100),
    "department": ("varchar", 255),
    "do_not_call": ("bool", None),
    "phone_home": ("phone", 100),
    "phone_mobile": ("phone", 100),
    "phone_work": ("phone", 100),
    "phone_other": ("phone", 100),
    "phone_fax": ("phone", 100),
    "primary_address_street": ("text", None),
    "primary_address_city": ("varchar", 100),
    "primary_address_state": ("varchar", 100),
    "primary_address_postalcode": ("varchar", 20),
    "primary_address_country": ("varchar", 255),
    "alt_address_street": ("text", None),
    "alt_address_city": ("varchar", 100),
    "alt_address_state": ("varchar", 100),
    "alt_address_postalcode": ("varchar", 20),
    "alt_address_country": ("varchar", 255),
    "assistant": ("varchar", 75),
    "assistant_phone": ("phone", 100),
    "lead_source": ("enum", 255),
    "account_id": ("id", 36),
    "assigned_user_id": ("id", 36),
    "reports_to_id": ("id", 36),
    "birthdate": ("date", None),
    "campaign_id": ("id", 36),
    "description": ("text", None),
    "preferred_language": ("varchar", 255),
    "twitter": ("varchar", 100),
    "facebook": ("varchar", 100),
    "website_c": ("url", 255),
    "interests_c": ("multienum", None),
    "lifetime_value_c": ("decimal", 26),
    "visits_c": ("int", None),
    "newsletter_c": ("bool", None),
    "last_seen_c": ("datetimecombo", None),
}
_WORDS = (
    "north",
    "harbour",
    "lamp",
    "Käse",
    "река",
    "αυγή",
    "雪",
    "orange",
    "quiet",
    "fjord",
    "مدينة",
    "🚲",
    "paper",
    "glass",
    "ridge",
    "sail",
)


def make_contacts(folder: Path, rows: int) -> tuple[Path, Path]:
    """The data file (records joined by commas) and the index file (8 bytes a record: where it begins; one more for the end)."""
    folder.mkdir(parents=True, exist_ok=True)
    data, index = folder / f"contacts-{rows}.json", folder / f"contacts-{rows}.index"
    if data.exists() and index.exists() and index.stat().st_size == 8 * (rows + 1):
        return data, index
    chance = random.Random(rows)
    place = 0
    with data.open("wb") as records, index.open("wb") as places:
        for number in range(rows):
            record = orjson.dumps(make_contact(number, rows, chance))
            places.write(struct.pack("<Q", place))
            records.write(record + b",")
            place += len(record) + 1
        places.write(struct.pack("<Q", place))
    return data, index


def contact_id(number: int, rows: int) -> str:
    """Rises with the number, spread over all GUIDs."""
    whole = f"{number * ((1 << 48) // max(rows, 1)):012x}"
    return f"{whole[:8]}-{whole[8:]}-4000-8000-{number:012x}"


def make_contact(number: int, rows: int, chance: random.Random) -> dict[str, object]:
    """One contact. One in fifty shares its address with its neighbour; one in thirty is opted out."""
    pick = chance.random
    words = [_WORDS[int(pick() * 16)] for _ in range(12)]
    owner = number - number % 2 if number % 50 < 2 else number
    second = number % 86_400
    return {
        "id": contact_id(number, rows),
        "date_entered": "2024-02-03T04:05:06+00:00",
        "date_modified": f"2026-{1 + number % 9:02d}-{1 + number % 28:02d}T"
        f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}+00:00",
        "email": [
            {
                "email_address_id": f"e-{number:x}",
                "email_address": f"person.{owner:x}@example.com",
                "primary_address": True,
                "opt_out": number % 30 == 0,
                "invalid_email": False,
                "reply_to_address": False,
            }
        ],
        "first_name": f"{words[0]} {words[1]}",
        "last_name": f"{words[2]}-{number:x}",
        "salutation": "Dr." if number % 7 == 0 else "",
        "title": f"Head of {words[3]}",
        "department": words[4] if number % 3 else None,
        "do_not_call": number % 11 == 0,
        "phone_home": None,
        "phone_mobile": f"+49 170 {number:07d}",
        "phone_work": f"+49 30 {number:07d}",
        "phone_other": None,
        "phone_fax": "",
        "primary_address_street": f"{words[5]} street {number % 400}\nFloor {number % 9}",
        "primary_address_city": f"{words[6]}ville",
        "primary_address_state": words[7],
        "primary_address_postalcode": f"{number % 100_000:05d}",
        "primary_address_country": "DE",
        "alt_address_street": None,
        "alt_address_city": words[8] if number % 5 == 0 else None,
        "alt_address_state": None,
        "alt_address_postalcode": "01920" if number % 5 == 0 else None,
        "alt_address_country": None,
        "assistant": f"{words[9]} {words[10]}" if number % 4 == 0 else None,
        "assistant_phone": None,
        "lead_source": ("Web Site", "Trade Show", "Campaign", "Other")[number % 4],
        "account_id": f"acc-{number % 20_000:x}",
        "assigned_user_id": f"user-{number % 40}",
        "reports_to_id": None,
        "birthdate": f"19{50 + number % 50}-0{1 + number % 9}-1{number % 9}" if number % 2 else None,
        "campaign_id": None,
        "description": f'{" ".join(words)} said "{words[11]}"; ' * 3,
        "preferred_language": "en_us",
        "twitter": f"@{words[0]}{number:x}",
        "facebook": None,
        "website_c": f"https://www.example.org/{number:x}",
        "interests_c": ["reading", "sailing"] if number % 3 == 0 else [],
        "lifetime_value_c": f"{number * 7 % 1_000_000}.{number % 100:02d}0000",
        "visits_c": number % 1000,
        "newsletter_c": number % 2 == 0,
        "last_seen_c": f"2026-0{1 + number % 9}-12T10:23:28+02:00",
    }
