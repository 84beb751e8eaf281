"""HTML templates of merge fields: a column stands only where its value can never become markup, script or a dangerous link (CUST-3)."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from sync.merge_templates import Slot, Template, Where, parse

_MARK = "\ue000"  # of a private area: no template has it
_MARKED = re.compile(f"{_MARK}([0-9]+){_MARK}")
_AS_TEXT = frozenset({"title", "alt"})
_RAW = frozenset({"script", "style", "textarea", "title", "noscript", "template", "iframe", "xmp", "noembed", "noframes", "plaintext"})
_SAFE_BEGIN = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_HOW = 'a column stands between tags, or in href="…", title="…" or alt="…"; a "<" in text is written &lt;'


def parse_html(text: str) -> Template:
    """The template; each slot knows where it stands. ValueError says why one may not stand there."""
    if _MARK in text:
        raise ValueError("it holds a character of the private area")
    parts = parse(text)
    slots = [part for part in parts if isinstance(part, Slot)]
    numbers = iter(range(len(slots)))
    looking = _Looking()
    looking.feed("".join(part if isinstance(part, str) else f"{_MARK}{next(numbers)}{_MARK}" for part in parts))
    looking.close()
    if missing := [slot.field for number, slot in enumerate(slots) if number not in looking.found]:
        raise ValueError(f"{{{missing[0]}}} stands where nothing may be filled in: {_HOW}")
    placed = iter([replace(slot, where=looking.found[number]) for number, slot in enumerate(slots)])
    return tuple(part if isinstance(part, str) else next(placed) for part in parts)


class _Looking(HTMLParser):
    """Walks through a template and notes where each mark stands; what it does not find stands nowhere that is safe."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: dict[int, Where] = {}
        self._inside: list[str] = []
        self._broken = False

    def handle_data(self, data: str) -> None:
        """A "<" in text may begin a tag for a browser, together with what is filled in behind it: from there on nothing is."""
        before, lone, _ = data.partition("<")
        if not self._inside and not self._broken:
            self._note(before, Where.TEXT)
        self._broken = self._broken or bool(lone)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and not self._broken and _MARK in value and _MARK not in f"{tag}{name}" and self._is_quoted(value):
                self._note_attribute(name, value)
        if tag in _RAW:
            self._inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            self._inside.remove(tag)

    def _is_quoted(self, value: str) -> bool:
        """A browser ends an unquoted value at the first blank, and the rest would be attributes."""
        return any(f"={quote}{value}{quote}" in (self.get_starttag_text() or "") for quote in "\"'")

    def _note_attribute(self, name: str, value: str) -> None:
        if name in _AS_TEXT:
            self._note(value, Where.TEXT)
        elif name == "href":
            begin = value.partition(_MARK)[0]
            if not begin:
                first = _MARKED.match(value)
                assert first is not None
                self.found[int(first[1])] = Where.LINK
                self._note(value[first.end() :], Where.IN_LINK)
            elif _SAFE_BEGIN.match(begin):
                self._note(value, Where.IN_LINK)

    def _note(self, text: str, where: Where) -> None:
        self.found |= {int(number): where for number in _MARKED.findall(text)}
