"""E-mail addresses: when are two the same, and what does a changed one reset (ADDR)."""

from __future__ import annotations

from dataclasses import dataclass

# Blanks that people and import files leave around an address. The staging SQL strips the same set.
BLANKS = " \t\r\n\v\f\u00a0\u200b\ufeff"

DELIVERY_UNKNOWN = 0
RESET_MESSAGE = "Reset by Sync"


def address_key(address: str | None) -> str | None:
    """What two spellings of one address have in common: no surrounding blanks, no case (MATCH-2, ADDR-2). None when nothing is left."""
    # Letter by letter, as the staging engine does it: as a whole, Python makes a sigma at a word's end another letter than one inside.
    # U+0130 is the one letter whose lower case is two characters here and one there.
    key = "".join(letter.lower() for letter in (address or "").strip(BLANKS).replace("\u0130", "i"))
    return key or None


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """What decides: `ours` and `theirs` say whether there is an address at all, `same` whether their keys are equal."""

    known_row: bool
    fills_only: bool
    ours: bool
    theirs: bool
    same: bool


def resets_delivery(facts: AddressFacts) -> bool:
    """Whether the row's delivery status starts afresh, because its address is now another one (ADDR-1).

    | row known | fills only | ours    | theirs  | keys      | reset |                                             |
    |-----------|------------|---------|---------|-----------|-------|---------------------------------------------|
    | no        |            |         |         |           | no    | a new row starts with 0 anyway              |
    | yes       | yes        | present |         |           | no    | a lead never replaces its contact's address |
    | yes       | yes        | absent  | present |           | yes   | filled                                      |
    | yes       | no         | absent  | absent  |           | no    |                                             |
    | yes       | no         | present | present | equal     | no    | ADDR-2: case and blanks are no change       |
    | yes       | no         | present | present | different | yes   | ADDR-1                                      |
    | yes       | no         | one of them is absent       | yes   | ADDR-1: appeared, or was taken away         |
    """
    if not facts.known_row or (facts.fills_only and facts.ours):
        return False
    if not facts.ours and not facts.theirs:
        return False
    return not (facts.ours and facts.theirs and facts.same)
