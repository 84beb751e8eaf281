"""`python -m adapters.sandbox.salesforce`: a Salesforce sandbox as a process of its own, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from dataclasses import fields
from pathlib import Path

from adapters.sandbox.salesforce.server import start_sandbox
from adapters.sandbox.salesforce.settings import CALM, Nastiness, SalesforceSandboxSettings

_HELP = {
    "port": "loopback port, 0: any that is free",
    "accounts": "accounts to invent",
    "leads": "leads to invent",
    "contacts": "contacts to invent",
    "opportunities": "opportunities to invent",
    "users": "users to invent",
    "campaigns": "campaigns to invent",
    "members_per_campaign": "members of each campaign",
    "tasks": "tasks to invent",
    "subscriptions": "records of the custom object Subscription__c to invent",
    "seed": "the same seed invents the same data",
    "user_name": "name of the user who may log in",
    "client_id": "consumer key of the connected app",
    "app_name": "name of the connected app",
    "password_grant": "let user names and passwords in",
    "rotate_refresh_tokens": "give a new refresh token at each use of one",
    "session_timeout_s": "seconds until an access token that is not used expires",
    "bad_logins_before_lock": "wrong passwords until the user is locked",
    "instance_host": "host in the address that a token answer gives, such as localhost",
    "time_zone": "time zone of the user",
    "clock_skew_s": "seconds that the CRM's clock is ahead",
    "clock_fixed": "stop the clock at this epoch second",
    "data_from": "oldest date of the invented data",
    "data_until": "newest date of the invented data",
    "newest_version": "newest API version that it speaks",
    "page_rows": "most rows of a page of a query",
    "page_bytes": "most bytes of a page of a query: wide rows make short pages",
    "open_cursors": "results with further pages that are kept for a user",
    "cascade_deletes": "a deleted account takes its contacts and opportunities along",
    "recycle_bin_days": "days that the log of deletions reaches back",
    "bulk_inline_rows": "rows up to which a bulk query is done before its creation is answered",
    "bulk_max_records": "most rows of a part of a bulk result",
    "csv_charset": "name the character set of bulk results",
    "daily_calls": "calls per day until REQUEST_LIMIT_EXCEEDED, 0: no limit",
    "app_calls": "calls of the connected app until REQUEST_LIMIT_EXCEEDED, 0: no limit",
    "calls_at_once": "calls at the same time until REQUEST_LIMIT_EXCEEDED, 0: no limit",
    "bulk_query_jobs": "bulk queries per day until LIMIT_EXCEEDED",
    "gzip_level": "how hard answers are packed, 0 to 9",
    "keep_calls": "how many calls its log keeps",
}
_SECRETS = {"password": "CRM_PASSWORD", "security_token": "", "client_secret": "CRM_CLIENT_SECRET", "certificate": ""}
_TOLD = """\
A Salesforce sandbox is at work at {url}; Ctrl-C ends it.

connected app  {client_id}, secret {secret}
user           {user}, password {password}"""


def _parser() -> argparse.ArgumentParser:
    """One option per plain setting, named like it."""
    description = "A Salesforce sandbox with invented data, on loopback, until Ctrl-C. Standard output gets one JSON line: where it is."
    parser = argparse.ArgumentParser(prog="marketsync sandbox salesforce", description=description)
    for one in fields(SalesforceSandboxSettings):
        default = one.default
        option = "--" + one.name.replace("_", "-")
        if isinstance(default, bool):
            action = parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
            action.help = f"{_HELP[one.name]} (default: {'yes' if default else 'no'})"  # set late: some Pythons add a default of their own
        elif isinstance(default, (int, float, str)) and one.name not in _SECRETS:
            told = f"{_HELP[one.name]} (default: {default})"
            parser.add_argument(option, type=type(default), default=default, metavar=type(default).__name__.upper(), help=told)
    parser.add_argument("--clock-fixed", type=float, default=None, metavar="FLOAT", help=f"{_HELP['clock_fixed']} (default: it goes)")
    for name, word in (("password", "sandbox-password"), ("client-secret", "sandbox-client-secret")):
        told = f"environment variable that holds the {name.replace('-', ' ')} (default: {word} is it)"
        parser.add_argument(f"--{name}-env", default="", metavar="NAME", help=told)
    parser.add_argument(
        "--certificate", default="", metavar="FILE", help="public key of the connected app, PEM, for signed logins (default: none)"
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="an object, or Object.field, that is not there, such as Mkt_Visit__c; may be repeated (default: all are)",
    )
    parser.add_argument("--calm", action="store_true", help="no awkward data at all (default: some)")
    return parser


def settings_from(arguments: list[str]) -> SalesforceSandboxSettings:
    """Settings from the command line; raises SystemExit on a wrong one."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    calm = options.pop("calm")
    for name in ("password", "client_secret"):
        variable = options.pop(f"{name}_env")
        if variable and variable not in os.environ:
            parser.error(f"environment variable {variable} is not set")
        if variable:
            options[name] = os.environ[variable]
    if options["certificate"]:
        options["certificate"] = Path(options["certificate"]).read_text(encoding="ascii")
    options["without"] = tuple(options["without"])
    return SalesforceSandboxSettings(**options, nastiness=CALM if calm else Nastiness())


def _told(settings: SalesforceSandboxSettings, url: str) -> str:
    """Where it is and how to log in. Secrets that the operator chose are not repeated."""
    plain = SalesforceSandboxSettings
    secret = settings.client_secret if settings.client_secret == plain.client_secret else "as you gave it"
    password = settings.password if settings.password == plain.password else "as you gave it"
    return _TOLD.format(url=url, client_id=settings.client_id, secret=secret, user=settings.user_name, password=password)


def main() -> int:
    """Serve until SIGTERM or SIGINT; one JSON line on standard output says where."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = settings_from(sys.argv[1:])
    with start_sandbox(settings) as sandbox:
        print(json.dumps({"url": sandbox.url, "control": f"{sandbox.url}/sandbox"}), flush=True)
        print(_told(settings, sandbox.url), file=sys.stderr, flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
