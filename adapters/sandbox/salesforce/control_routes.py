"""What only the sandbox's operator can do: act as colleagues, administrators and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import orjson

from adapters.sandbox.control_api import Action, dispatch, shared_actions
from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce import bulk_query, events, lifecycle, looking
from adapters.sandbox.salesforce.automation import DuplicateRule, Rule
from adapters.sandbox.salesforce.custom_objects import CustomObject
from adapters.sandbox.salesforce.errors import ApiError
from adapters.sandbox.salesforce.ids import whole
from adapters.sandbox.salesforce.instance import Editor, Instance
from adapters.sandbox.salesforce.sessions import Login
from adapters.sandbox.salesforce.studio import Studio

Body = dict[str, Any]
DONE = {"done": True}


def _done(act: Callable[[Body], object]) -> Action:
    def action(body: Body) -> Body:
        act(body)
        return DONE

    return action


class ControlRoutes:
    """Control actions of a Salesforce sandbox, by name."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._actions: dict[str, Action] = {
            **shared_actions(instance.clock, instance.faults, instance.calls, instance.gateway),
            **self._record_actions(),
            **self._schema_actions(Studio(instance)),
            **self._account_actions(),
            **self._rule_actions(),
            **self._state_actions(),
        }

    def handle(self, request: Request) -> Response:
        """Answer one control request; the caller holds the lock."""
        try:
            return dispatch(self._actions, request)
        except ApiError as error:
            return Response(400, orjson.dumps({"error": events.refusal(error)}))

    def _record_actions(self) -> dict[str, Action]:
        it = self._instance

        def convert(body: Body) -> Body:
            named = {key: whole(body[key]) if body.get(key) else None for key in ("contact", "account", "new_id")}
            by, stamp = events.admin(it), it.records.stamp()
            return lifecycle.convert(it, whole(body["lead"]), by, stamp, opportunity=bool(body.get("opportunity")), **named)

        return {
            "records/create": lambda b: {"id": events.create(it, b["object"], b["values"], b.get("delay_s", 0))},
            "records/edit": lambda b: events.edit(
                it,
                b["object"],
                b["id"],
                b["values"],
                b.get("delay_s", 0),
                bool(b.get("silent")),
                b.get("stamp"),
                bool(b.get("system")),
            ),
            "records/raw": lambda b: events.write_raw(it, b["object"], b["id"], b["values"]),
            "records/touch": lambda b: {"rows": events.touch(it, b["object"], b["ids"], b.get("stamp"))},
            "records/delete": lambda b: events.delete(it, b["object"], b["id"], b.get("delay_s", 0)),
            "records/undelete": lambda b: events.undelete(it, b["object"], b["id"]),
            "records/purge": lambda b: {"purged": lifecycle.purge(it, b.get("object", ""), b.get("ids"), log=bool(b.get("log")))},
            "records/merge": lambda b: events.merge(it, b["object"], b["winner"], b["loser"]),
            "records/convert": convert,
            "addresses/opt-out": lambda b: events.opt_out(it, b["address"], bool(b.get("opt_out", True))),
            "addresses/bounce": lambda b: events.bounce(it, b["address"], bool(b.get("bounced", True))),
        }

    def _schema_actions(self, studio: Studio) -> dict[str, Action]:
        def login(body: Body) -> Login:
            return self._login(body)

        return {
            "objects/add": _done(lambda b: studio.add_object(CustomObject(b["name"], b.get("label", ""), tuple(b.get("fields", ()))))),
            "fields/add": _done(lambda b: studio.add_field(b["object"], b["line"])),
            "fields/remove": _done(lambda b: studio.remove_field(b["object"], b["name"])),
            "fields/rename": _done(lambda b: studio.rename_field(b["object"], b["name"], b["new_name"])),
            "fields/retype": _done(lambda b: studio.retype_field(b["object"], b["line"])),
            "fields/values": _done(lambda b: studio.set_values(b["object"], b["name"], tuple(b["values"]), bool(b.get("restricted")))),
            "fields/hide": _done(lambda b: studio.hide_field(login(b), b["object"], b["name"], bool(b.get("hidden", True)))),
            "fields/protect": _done(lambda b: studio.protect_field(login(b), b["object"], b["name"], bool(b.get("protected", True)))),
        }

    def _login(self, body: Body) -> Login:
        """The user whom a control call is about: the syncing one when none is named."""
        return self._instance.sessions.login(body.get("user") or self._instance.settings.user_name)

    def _account_actions(self) -> dict[str, Action]:
        it, sessions = self._instance, self._instance.sessions

        def change(act: Callable[[Login, Body], object]) -> Action:
            return _done(lambda body: act(self._login(body), body))

        def password(login: Login, body: Body) -> None:
            login.password, login.password_expired, login.bad_logins = str(body["password"]), False, 0
            sessions.expire(login.user_name)

        def refuse(login: Login, body: Body) -> None:
            login.says, login.bad_logins = str(body.get("says", "")), 0

        def expired(login: Login, body: Body) -> None:
            login.password_expired = bool(body.get("expired", True))

        def zone(login: Login, body: Body) -> None:
            login.zone = str(body["zone"])
            it.records.set("User", login.user_id, {"TimeZoneSidKey": login.zone})

        def rights(login: Login, body: Body) -> None:
            pair = f"{it.schema.object(body['object']).name}:{body.get('action') or '*'}"
            (login.denied.add if body.get("denied", True) else login.denied.discard)(pair)

        def rows(login: Login, body: Body) -> None:
            kept = login.hidden_rows.setdefault(it.schema.object(body["object"]).name, set())
            (kept.update if body.get("hidden", True) else kept.difference_update)(whole(one) for one in body["ids"])

        def app(body: Body) -> None:
            sessions.client_secret = body.get("client_secret", sessions.client_secret)
            sessions.certificate = body.get("certificate", sessions.certificate)
            sessions.rotate = bool(body.get("rotate_refresh_tokens", sessions.rotate))
            sessions.password_grant = bool(body.get("password_grant", sessions.password_grant))
            sessions.timeout_s = float(body.get("session_timeout_s", sessions.timeout_s))
            it.app_limit = int(body.get("app_calls", it.app_limit))
            it.instance_host = str(body.get("instance_host", it.instance_host))

        return {
            "tokens/expire": lambda b: {"sessions": sessions.expire(b.get("user"), refresh=bool(b.get("refresh")))},
            "users/add": _done(lambda b: sessions.add(Login(b["user"], whole(b["id"]), b["password"], b.get("zone", "UTC")))),
            "users/password": change(password),
            "users/password-expired": change(expired),
            "users/refuse": change(refuse),
            "users/zone": change(zone),
            "users/deny": change(rights),
            "users/hide-rows": change(rows),
            "app": _done(app),
        }

    def _rule_actions(self) -> dict[str, Action]:
        automation = self._instance.automation

        def rules(body: Body) -> list[Body]:
            if "rules" in body:
                automation.set_rules(tuple(Rule(**one) for one in body["rules"]))
            return automation.describe()

        def duplicates(body: Body) -> list[Body]:
            if "rules" in body:
                automation.duplicates = [DuplicateRule(**one) for one in body["rules"]]
            return [asdict(one) for one in automation.duplicates]

        return {
            "rules": rules,
            "duplicates": duplicates,
            "rows/lock": _done(lambda b: automation.lock([whole(one) for one in b["ids"]], b.get("count"))),
            "rows/unlock": _done(lambda b: automation.unlock([whole(one) for one in b.get("ids", [])])),
        }

    def _state_actions(self) -> dict[str, Action]:
        it = self._instance

        def editors(body: Body) -> list[Body]:
            if "editors" in body:
                it.editors = [Editor(**one) for one in body["editors"]]
            return [asdict(editor) for editor in it.editors]

        def limits(body: Body) -> Body:
            for name in ("page_cap", "page_rows", "page_bytes"):
                setattr(it, name, int(body.get(name, getattr(it, name))))
            it.cursors.most = int(body.get("open_cursors", it.cursors.most))
            return {"page_cap": it.page_cap, "page_rows": it.page_rows, "page_bytes": it.page_bytes, "open_cursors": it.cursors.most}

        def log_from(body: Body) -> None:
            it.log_from = None if body.get("at") is None else float(body["at"])

        def bulk(body: Body) -> Body:
            plot = it.bulk.plot
            plot.slow_polls = int(body.get("slow_polls", plot.slow_polls))
            plot.ends += [(one["state"], one.get("message")) for one in body.get("ends", [])]
            it.bulk.query_jobs = int(body.get("query_jobs", it.bulk.query_jobs))
            jobs = [job.document(whole_story=True) for job in it.bulk.jobs.values()]
            return {"slow_polls": plot.slow_polls, "query_jobs": it.bulk.query_jobs, "jobs": jobs}

        def keep_from_bulk(body: Body) -> None:
            it.schema.object(body["name"]).in_bulk = not body["kept"]

        return {
            "bulk": bulk,
            "bulk/keep-from": _done(keep_from_bulk),
            "bulk/warm": lambda b: bulk_query.warm(it, b["soql"], b.get("operation", "queryAll")),
            "editors": editors,
            "limits": limits,
            "log-from": _done(log_from),
            "dump": lambda b: looking.dump(
                it,
                b["object"],
                b.get("after_id", ""),
                int(b.get("limit", 1000)),
                bool(b.get("deleted", True)),
                b.get("ids"),
                b.get("where"),
            ),
            "count": lambda b: looking.count(it, b["object"], b.get("where")),
            "repeats": lambda b: looking.repeats(it, b["object"], b["fields"]),
            "state": lambda _: {"objects": {name: looking.count(it, name) for name in it.schema.objects}, "cursors": it.cursors.count()},
        }
