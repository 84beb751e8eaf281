"""Invented names and texts in several scripts, seeded, as ready JSON text.

Names are made of syllables, so that no list of real people hides here; e-mail domains are reserved ones.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import orjson

DOMAINS = (
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "shop.example.org",
    "nord.test",
    "sued.test",
)

_SOUNDS = {
    "latin": "ka ri mo len tos va bel dun sar ith ol men gra pel tor win das fe lu min",
    "accents": "ká ří mö łen ñós vå bêl dün šar ïth øl žen gră pėl tőr çin ðas fé lů ãn",
    "greek": "κα ρι μο λεν τος βα δελ νυ σαρ ιθ",
    "cyrillic": "ка ри мо лен тос ва бел дун сар щи",
    "arabic": "كا ري مو لن تس با دل نور سا هم",
    "hebrew": "קא רי מו לן תס בא דל נור שא הם",
    "cjk": "加 里 莫 连 托 瓦 贝 敦 萨 伊 木 山 川 田 김 박 た の み",
}
_SYLLABLES = {script: text.split() for script, text in _SOUNDS.items()}
_WEIGHTS = {"latin": 10, "accents": 4, "greek": 1, "cyrillic": 2, "arabic": 1, "hebrew": 1, "cjk": 2}

AWKWARD = (
    'a "quoted" word',
    "line one\nline two\r\nline three",
    "tab\there, back\\slash, slash/",
    "emoji 🙂👩‍👩‍👧 and 𝒳 (four bytes)",
    "  blanks around  ",
    "<b>html</b> &amp; entities",
    "semi;colon, comma, 'apostrophe'",
    "=1+1",
    "null",
    "\u202eright to left\u202c and zero\u200bwidth",
    "NUL \x00 inside",
    "e\u0301 decomposed",
)
LONG_TEXT = "A very long text with ünïcödé. " * 2200


def words(dice: random.Random, count: int, parts: tuple[int, int] = (2, 3)) -> list[str]:
    """Invented capitalised words; the scripts come in fixed shares."""
    scripts = dice.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=count)
    return ["".join(dice.choices(_SYLLABLES[script], k=dice.randint(*parts) if script != "cjk" else 2)).capitalize() for script in scripts]


def latin(dice: random.Random, count: int) -> list[str]:
    """Plain lower-case words, for e-mail addresses and host names."""
    return ["".join(dice.choices(_SYLLABLES["latin"], k=dice.randint(2, 3))) for _ in range(count)]


def literals(values: Sequence[object]) -> list[bytes]:
    """JSON text of each value. The copy is on purpose: what orjson returns keeps its kilobyte of working space."""
    return [b"%b" % orjson.dumps(value) for value in values]


def guid(dice: random.Random) -> str:
    """A GUID drawn from the seed."""
    text = f"{dice.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
