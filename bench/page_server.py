"""A SugarCRM that costs next to nothing: contacts are slices of a file, sent by the kernel. It knows just enough to be synced from.

`python -m bench.page_server DATA INDEX` prints its address and serves until it is stopped. All routes of the benchmark read from it.
"""

from __future__ import annotations

import json
import os
import sys
from array import array
from bisect import bisect_left, bisect_right
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.contacts import FIELDS, contact_id

ACCOUNTS = [{"id": f"acc-{n:x}", "date_modified": "2026-01-01T00:00:00+00:00", "name": f"Account {n:x}"} for n in range(20_000)]
USERS = [
    {"id": f"user-{n}", "date_modified": "2026-01-01T00:00:00+00:00", "email1": f"user{n}@example.org", "user_name": f"user{n}"}
    for n in range(40)
]


class Pages:
    """The file and where its records begin."""

    def __init__(self, data: Path, index: Path) -> None:
        self.file = os.open(data, os.O_RDONLY)
        self.places = array("Q")
        self.places.frombytes(index.read_bytes())
        self.rows = len(self.places) - 1

    def first_after(self, key: str, *, inclusive: bool) -> int:
        keys = _Ids(self.rows)
        return bisect_left(keys, key) if inclusive else bisect_right(keys, key)


class _Ids:
    """The ids as a sequence that is never made."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, number: int) -> str:
        return contact_id(number, self.rows)


class Handler(BaseHTTPRequestHandler):
    """The few routes of REST v11 that a read needs."""

    protocol_version = "HTTP/1.1"
    pages: Pages

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path.endswith("/metadata"):
            return self._json({"modules": self._modules(parse_qs(parts.query)), "_hash": "bench"})
        if parts.path.endswith("/_hash"):
            return self._json({"_hash": "bench"})
        if parts.path.endswith("/ping"):
            return self._json("pong")
        if parts.path.endswith("/contacts"):
            query = parse_qs(parts.query)
            first = int(query.get("first", ["0"])[0])
            return self._slice(first, min(first + int(query["rows"][0]), self.pages.rows))
        return self._json({"current_user": {"id": "1", "user_name": "bench", "preferences": {"timezone": "UTC"}}})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if self.path.endswith("/oauth2/token"):
            return self._json(
                {
                    "access_token": "a",
                    "refresh_token": "r",
                    "expires_in": 36000,
                    "refresh_expires_in": 1209600,
                    "download_token": "d",
                    "token_type": "bearer",
                    "scope": None,
                }
            )
        if "/Contacts/" not in self.path:
            records = self._few(USERS if "/Users/" in self.path else ACCOUNTS, asked.get("filter", []))
            return self._json({"record_count": len(records)} if self.path.endswith("/count") else {"next_offset": -1, "records": records})
        low, high = self._range(asked.get("filter", []))
        if self.path.endswith("/count"):
            return self._json({"record_count": high - low})
        return self._slice(low, min(low + asked["max_num"], high), more=low + asked["max_num"] < high)

    def _range(self, conditions: list[dict[str, Any]]) -> tuple[int, int]:
        low, high = 0, self.pages.rows
        for condition in conditions:
            bounds = condition.get("id", {})
            if "$gt" in bounds or "$gte" in bounds:
                low = max(low, self.pages.first_after(bounds.get("$gt") or bounds["$gte"], inclusive="$gte" in bounds))
            if "$lt" in bounds:
                high = min(high, self.pages.first_after(bounds["$lt"], inclusive=True))
            if "date_modified" in condition:
                return 0, 0  # nothing has changed
        return low, max(low, high)

    def _few(self, records: list[dict[str, Any]], conditions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Users and accounts: all that meet the bounds on the id, at once. Nothing has changed, and nothing is deleted."""
        if any("date_modified" in condition for condition in conditions):
            return []
        low = max((bound for c in conditions for op, bound in c.get("id", {}).items() if op in ("$gt", "$gte")), default="")
        high = min((bound for c in conditions for op, bound in c.get("id", {}).items() if op == "$lt"), default="~")
        return sorted((record for record in records if low <= record["id"] < high), key=lambda record: str(record["id"]))

    def _modules(self, query: dict[str, list[str]]) -> dict[str, Any]:
        wanted = query.get("module_filter", ["Contacts"])[0].split(",")
        users = {name: {"name": name, "type": "varchar", "len": 100} for name in ("id", "user_name", "email1")} | {
            "date_modified": {"name": "date_modified", "type": "datetime"}
        }
        accounts = {
            name: {"name": name, "type": kind, "len": 150}
            for name, kind in (("id", "id"), ("name", "varchar"), ("date_modified", "datetime"))
        }
        contacts = {name: {"name": name, "type": kind, **({"len": size} if size else {})} for name, (kind, size) in FIELDS.items()}
        return {module: {"fields": {"Contacts": contacts, "Accounts": accounts}.get(module, users)} for module in wanted}

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self._head(len(body))
        self.wfile.write(body)

    def _slice(self, low: int, high: int, *, more: bool = False) -> None:
        """Header, records straight from the file, footer. The last record's comma is left out."""
        head = b'{"next_offset":%d,"records":[' % ((high - low) if more else -1)
        start, end = self.pages.places[low], self.pages.places[high] - (1 if high > low else 0)
        self._head(len(head) + end - start + 2)
        self.wfile.write(head)
        self.wfile.flush()
        while start < end:
            start += os.sendfile(self.connection.fileno(), self.pages.file, start, end - start)
        self.wfile.write(b"]}")

    def _head(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length))
        self.end_headers()


def main() -> None:
    Handler.pages = Pages(Path(sys.argv[1]), Path(sys.argv[2]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
