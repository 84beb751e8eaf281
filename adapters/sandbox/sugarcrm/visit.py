"""One request on its way through the API, with who sends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.store import Row
from adapters.sandbox.sugarcrm.addresses import check_addresses
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import ENUMS, FieldSpec
from adapters.sandbox.sugarcrm.instance import Instance
from adapters.sandbox.sugarcrm.render import Projection
from adapters.sandbox.sugarcrm.sessions import Session
from adapters.sandbox.sugarcrm.values import encode

_FLAGS = ("email_opt_out", "invalid_email")
_EMAIL_FIELDS = frozenset({"email", "email1", *_FLAGS})
_LISTED = ENUMS | {"multienum"}


def reply(document: Any, status: int = 200, rows: int = 0) -> Response:
    """A JSON answer."""
    return Response(status, orjson.dumps(document), rows=rows)


@dataclass
class Visit:
    """The request, its JSON body, and the session; `summary` is what the call log keeps."""

    instance: Instance
    request: Request
    session: Session
    body: dict[str, Any]
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        """The zone in which this user sees instants."""
        return self.session.login.zone

    @property
    def user_id(self) -> str:
        """The id of the user's own Users record."""
        return self.session.login.user_id

    def asked(self, name: str) -> Any:
        """A parameter from the query or the body; the query wins, as in Sugar."""
        return self.request.query.get(name, self.body.get(name))

    def field_names(self) -> list[str]:
        """The `fields` parameter, a comma list or an array; empty means all."""
        value = self.asked("fields") or []
        names = value.split(",") if isinstance(value, str) else [str(one) for one in value]
        return [name.strip() for name in names if name.strip()]

    def hidden(self, module: str) -> frozenset[str]:
        """Fields of the module that this user may not see."""
        return self.instance.schema.hidden_from(self.session.login.user_name, module)

    def projection(self, module: str, names: list[str]) -> Projection:
        """How this user sees those fields."""
        layout = self.instance.schema.module(module)
        protected = self.instance.schema.protected_from(self.session.login.user_name, module)
        return self.instance.renderer.projection(layout, names, self.hidden(module), self.zone, protected)

    def shown(self, module: str, record_id: str) -> bytes:
        """One record as this user sees it, with the fields asked for."""
        row = self.instance.records.need(module, record_id)
        return self.projection(module, self.field_names()).line(row.body)

    def literals(self, module: str, document: dict[str, Any]) -> dict[str, bytes]:
        """The writable values of a payload as JSON text. What is unknown, read-only, calculated or a link is
        dropped without a word; a protected field is refused, a hidden one refused or dropped, by the settings."""
        layout = self.instance.schema.module(module)
        hidden = self.hidden(module)
        protected = self.instance.schema.protected_from(self.session.login.user_name, module)
        strict = self.instance.refuse_over_long
        out: dict[str, bytes] = {}
        written = layout.facts.written
        if "email" in layout.slot:
            check_addresses(_texts_of(document))
        for name, value in document.items():
            spec = written.get(name)
            if spec is None:
                continue
            if name in hidden or name in protected:
                if name in protected or self.instance.settings.hidden_field_write_refused:
                    raise ApiError("not_authorized", f"Not allowed to edit field {name} in module: {module}")
                continue
            out[name] = encode(spec, value, module, self.zone, self._allowed(spec), strict)
        return out

    def write_addresses(self, module: str, record_id: str, document: dict[str, Any]) -> dict[str, bytes]:
        """Apply the e-mail part of a payload; returns what the record, which need not be there yet, has to show of it afterwards."""
        records = self.instance.records
        if "email" not in records.schema.module(module).slot or not _EMAIL_FIELDS & set(document):
            return {}
        book = records.addresses
        if isinstance(document.get("email"), list):
            book.replace(module, record_id, document["email"])
        elif isinstance(document.get("email1"), str):
            book.set_primary(module, record_id, document["email1"])
        flags: dict[str, Any] = {key: document[key] for key in _FLAGS if key in document}
        if flags and "email" not in document:
            self._flag_primary(module, record_id, flags)
        return records.shown_addresses(module, record_id)

    def _flag_primary(self, module: str, record_id: str, flags: dict[str, Any]) -> None:
        book = self.instance.records.addresses
        entries = [held.as_json() for held in book.of(module, record_id)]
        for entry in entries:
            if entry["primary_address"]:
                entry["opt_out"] = flags.get("email_opt_out", entry["opt_out"])
                entry["invalid_email"] = flags.get("invalid_email", entry["invalid_email"])
        book.replace(module, record_id, entries)

    def _allowed(self, spec: FieldSpec) -> dict[str, str] | None:
        if not self.instance.settings.check_enums or spec.type not in _LISTED:
            return None
        return self.instance.schema.lists.get(spec.options)

    def row(self, module: str, record_id: str) -> Row:
        """A record that this user may see."""
        return self.instance.visible(self.session.login, module, record_id)


def _texts_of(document: dict[str, Any]) -> list[str]:
    """All addresses in a payload."""
    entries = document["email"] if isinstance(document.get("email"), list) else []
    texts = [entry.get("email_address") for entry in entries if isinstance(entry, dict)] + [document.get("email1")]
    return [text for text in texts if isinstance(text, str)]
