"""What only the sandbox's operator can do: act as colleagues, administrators and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import orjson

from adapters.sandbox.control_api import Action, dispatch, shared_actions
from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.sugarcrm import events, looking
from adapters.sandbox.sugarcrm.errors import ApiError
from adapters.sandbox.sugarcrm.fields import FieldSpec
from adapters.sandbox.sugarcrm.hooks import hook_from_json
from adapters.sandbox.sugarcrm.instance import Editor, Instance
from adapters.sandbox.sugarcrm.sessions import Login
from adapters.sandbox.sugarcrm.studio import Studio
from adapters.sandbox.sugarcrm.zones import zone

Body = dict[str, Any]
DONE = {"done": True}


class ControlRoutes:
    """Control actions of a SugarCRM sandbox, by name."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._actions: dict[str, Action] = {
            **shared_actions(instance.clock, instance.faults, instance.calls, instance.gateway),
            **self._record_actions(),
            **self._field_actions(Studio(instance)),
            **self._account_actions(),
            **self._state_actions(),
        }

    def handle(self, request: Request) -> Response:
        """Answer one control request; the caller holds the lock."""
        try:
            return dispatch(self._actions, request)
        except ApiError as error:
            return Response(400, orjson.dumps({"error": error.message}))

    def _record_actions(self) -> dict[str, Action]:
        it = self._instance
        return {
            "records/create": lambda b: {"id": events.create(it, b["module"], b["values"], b.get("delay_s", 0))},
            "records/edit": lambda b: events.edit(
                it, b["module"], b["id"], b["values"], b.get("delay_s", 0), bool(b.get("silent")), b.get("stamp")
            ),
            "records/raw": lambda b: events.write_raw(it, b["module"], b["id"], b["values"]),
            "records/touch": lambda b: {"rows": events.touch(it, b["module"], b["ids"], b.get("stamp"))},
            "records/delete": lambda b: events.delete(it, b["module"], b["id"], b.get("delay_s", 0)),
            "records/undelete": lambda b: events.undelete(it, b["module"], b["id"]),
            "records/merge": lambda b: events.merge(it, b["module"], b["winner"], b["loser"]),
            "records/convert": lambda b: events.convert(
                it, b["lead"], *(b.get(name) for name in ("contact", "account", "opportunity", "new_id"))
            ),
            "records/link": lambda b: events.link(it, b["module"], b["id"], b["link"], b["far_id"], b.get("role", "")),
            "records/unlink": lambda b: events.unlink(it, b["module"], b["id"], b["link"], b["far_id"]),
            "addresses/flag": lambda b: events.flag_address(it, b["address"], b.get("opt_out"), b.get("invalid")),
            "prune": lambda _: {"pruned": it.records.prune(list(it.records.tables))},
        }

    def _field_actions(self, studio: Studio) -> dict[str, Action]:
        def add(body: Body) -> Body:
            spec = FieldSpec(body["name"], body.get("type", "varchar"), body.get("length"), body.get("options", ""), custom=True)
            studio.add(body["module"], spec)
            return DONE

        def done(act: Callable[[Body], None]) -> Action:
            def action(body: Body) -> Body:
                act(body)
                return DONE

            return action

        return {
            "fields/add": add,
            "fields/remove": done(lambda b: studio.remove(b["module"], b["name"])),
            "fields/rename": done(lambda b: studio.rename(b["module"], b["name"], b["new_name"])),
            "fields/retype": done(lambda b: studio.retype(b["module"], b["name"], b["type"], b.get("length"))),
            "fields/hide": done(lambda b: studio.hide(b["user"], b["module"], b["name"], bool(b.get("hidden", True)))),
            "fields/protect": done(lambda b: studio.protect(b["user"], b["module"], b["name"], bool(b.get("protected", True)))),
            "lists/set": done(lambda b: studio.set_list(b["name"], b["values"])),
        }

    def _account_actions(self) -> dict[str, Action]:
        sessions = self._instance.sessions

        def change(act: Callable[[Login, Body], None]) -> Action:
            def action(body: Body) -> Body:
                act(sessions.login(body["user"]), body)
                return DONE

            return action

        def new_password(login: Login, body: Body) -> None:
            login.password, login.password_expired, login.bad_logins = str(body["password"]), False, 0
            sessions.drop(login.user_name)

        def rights(login: Login, body: Body) -> None:
            pair = f"{body['module']}:{body.get('action', '*')}"
            (login.denied.add if body.get("denied", True) else login.denied.discard)(pair)

        def rows(login: Login, body: Body) -> None:
            kept = login.hidden_rows.setdefault(body["module"], set())
            (kept.update if body.get("hidden", True) else kept.difference_update)(body["ids"])

        def set_zone(login: Login, body: Body) -> None:
            login.zone = zone(body["zone"]).key

        def expire(body: Body) -> Body:
            return {"sessions": sessions.expire(body.get("user"), bool(body.get("refresh")))}

        return {
            "tokens/expire": expire,
            "users/add": self._add_login,
            "users/password": change(new_password),
            "users/password-expired": change(lambda u, b: setattr(u, "password_expired", bool(b.get("expired", True)))),
            "users/lock": change(self._lock),
            "users/zone": change(set_zone),
            "users/admin": change(lambda u, b: setattr(u, "is_admin", bool(b["admin"]))),
            "users/deny": change(rights),
            "users/hide-rows": change(rows),
        }

    def _state_actions(self) -> dict[str, Action]:
        it = self._instance

        def editors(body: Body) -> list[Body]:
            if "editors" in body:
                it.editors = [Editor(**one) for one in body["editors"]]
            return [asdict(editor) for editor in it.editors]

        def limits(body: Body) -> Body:
            it.max_list_limit = int(body.get("max_list_limit", it.max_list_limit))
            it.max_bulk_requests = int(body.get("max_bulk_requests", it.max_bulk_requests))
            it.sync_key_admin_only = bool(body.get("sync_key_admin_only", it.sync_key_admin_only))
            it.refuse_over_long = bool(body.get("refuse_over_long", it.refuse_over_long))
            names = ("max_list_limit", "max_bulk_requests", "sync_key_admin_only", "refuse_over_long")
            return {name: getattr(it, name) for name in names}

        def hooks(body: Body) -> list[Body]:
            if "hooks" in body:
                it.hooks.set(tuple(hook_from_json(one, it.schema.module(one["module"])) for one in body["hooks"]))
            return it.hooks.describe()

        return {
            "editors": editors,
            "limits": limits,
            "hooks": hooks,
            "dump": lambda b: looking.dump(
                it,
                b["module"],
                b.get("after_id", ""),
                int(b.get("limit", 1000)),
                bool(b.get("deleted", True)),
                b.get("ids"),
                b.get("where"),
            ),
            "count": lambda b: looking.count(it, b["module"], b.get("where")),
            "repeats": lambda b: looking.repeats(it, b["module"], b["fields"]),
            "links": lambda b: it.records.links.all(b["relationship"]),
            "warm": lambda b: looking.warm(it, b["user"], b["module"], b.get("fields", [])),
            "state": lambda _: {"modules": {name: looking.count(it, name) for name in it.records.tables}},
        }

    def _lock(self, login: Login, body: Body) -> None:
        login.locked, login.bad_logins = bool(body.get("locked", True)), 0

    def _add_login(self, body: Body) -> Body:
        login = Login(body["user"], body["id"], body["password"], bool(body.get("admin")), zone(body.get("zone", "UTC")).key)
        self._instance.sessions.add(login)
        return DONE
