"""What a setting is: its documentation and its limits, kept with the field that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Form(StrEnum):
    """What a text has to be beyond a text."""

    ANY = "any"
    PATH = "path"  # relative ones start where the configuration file is
    SERVICE_URL = "service_url"
    MARKET_URL = "market_url"


@dataclass(frozen=True, slots=True)
class Setting:
    """The documentation and the limits of one setting. `example` is TOML text for the template; needed where there is no default.
    `usual`: most files have it, so that the template does; whether it may be left out depends on other settings."""

    text: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    form: Form = Form.ANY
    example: str = ""
    usual: bool = False


def doc(text: str, **more: Any) -> Mapping[str, Setting]:
    """The metadata of a dataclass field that is a setting. A field that is a table of its own needs none."""
    return {"setting": Setting(text, **more)}


def share(text: str) -> Mapping[str, Setting]:
    """The same for a share, from 0 to 1."""
    return doc(text, unit="share, 0 to 1", minimum=0, maximum=1)
