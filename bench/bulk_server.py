"""A Salesforce that costs next to nothing: a bulk result is slices of a CSV file, sent by the kernel. It knows just enough for a sync.

`python -m bench.bulk_server ROWS` makes the file if it is not there, prints the server's address, and serves until it is stopped.
"""

from __future__ import annotations

import csv
import json
import os
import random
import re
import struct
import sys
from array import array
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench.contacts import FIELDS, make_contact

STOCK = {
    "id": "Id",
    "date_entered": "CreatedDate",
    "date_modified": "SystemModstamp",
    "email": "Email",
    "first_name": "FirstName",
    "last_name": "LastName",
    "title": "Title",
    "phone_work": "Phone",
    "phone_mobile": "MobilePhone",
    "lead_source": "LeadSource",
    "account_id": "AccountId",
    "assigned_user_id": "OwnerId",
    "primary_address_street": "MailingStreet",
    "primary_address_city": "MailingCity",
    "primary_address_state": "MailingState",
    "primary_address_postalcode": "MailingPostalCode",
    "primary_address_country": "MailingCountry",
}
TYPES = {"bool": "boolean", "int": "int", "date": "date", "datetime": "datetime", "datetimecombo": "datetime", "decimal": "double"}


def sf_id(prefix: str, number: int) -> str:
    return f"{prefix}{number:012d}AAA"


FEW: dict[str, list[dict[str, Any]]] = {
    "Account": [{"Id": sf_id("001", n), "SystemModstamp": "2026-01-01T00:00:00.000+0000", "Name": f"Account {n:x}"} for n in range(10_000)],
    "User": [
        {"Id": sf_id("005", n), "SystemModstamp": "2026-01-01T00:00:00.000+0000", "Email": f"u{n}@example.org", "Username": f"u{n}"}
        for n in range(40)
    ],
}


def name_of(field: str) -> str:
    return STOCK.get(field, f"{field}__c")


def columns() -> list[str]:
    return [*map(name_of, FIELDS), "HasOptedOutOfEmail"]


def rows_of(rows: int) -> Iterator[list[Any]]:
    """The same people as the other routes have, in Salesforce's words: an empty cell is null, a list is parted by semicolons."""
    chance = random.Random(rows)
    for number in range(rows):
        told = make_contact(number, rows, chance)
        [address] = told["email"]  # type: ignore[misc]
        told |= {
            "id": sf_id("003", number),
            "email": address["email_address"],  # type: ignore[index]
            "account_id": sf_id("001", number % 10_000),
            "assigned_user_id": sf_id("005", number % 40),
        }
        yield [*(_cell(told[field], FIELDS[field][0]) for field in FIELDS), "true" if number % 30 == 0 else "false"]


def _cell(value: Any, kind: str) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(value)
    if kind.startswith("datetime") and value:
        return str(value).replace("+02:00", ".000Z").replace("+00:00", ".000Z")
    return value


def make_file(folder: Path, rows: int) -> tuple[Path, Path]:
    """The records without a header, and where each begins (8 bytes a record, one more for the end)."""
    folder.mkdir(parents=True, exist_ok=True)
    data, index = folder / f"bulk-{rows}.csv", folder / f"bulk-{rows}.index"
    if data.exists() and index.exists() and index.stat().st_size == 8 * (rows + 1):
        return data, index
    with data.open("w", encoding="utf-8", newline="") as records, index.open("wb") as places:
        writer = csv.writer(records, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for row in rows_of(rows):
            places.write(struct.pack("<Q", records.tell()))
            writer.writerow(row)
        places.write(struct.pack("<Q", records.tell()))
    return data, index


def described(name: str) -> dict[str, Any]:
    plain = {"length": 255, "precision": 0, "scale": 0}
    if name == "Contact":
        fields = [{"name": name_of(field), "type": TYPES.get(kind, "string"), **plain} for field, (kind, _) in FIELDS.items()]
        fields.append({"name": "HasOptedOutOfEmail", "type": "boolean", **plain})
        for field in fields:
            field |= {"type": "multipicklist"} if field["name"] == "interests_c__c" else {}
            field |= {"precision": 18, "scale": 2} if field["type"] == "double" else {}
            field |= {"length": 32_000} if field["name"] in ("description__c", "MailingStreet") else {}
    else:
        fields = [{"name": key, "type": "datetime" if key == "SystemModstamp" else "string", **plain} for key in FEW[name][0]]
    return {"name": name, "queryable": True, "createable": True, "updateable": True, "fields": fields}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    data: int
    places: array[int]

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/token"):
            return self._json({"access_token": "a", "instance_url": "", "id": "https://x/id/00D/005000000000001AAA"})
        asked = json.loads(body)
        if "compositeRequest" in asked:
            parts = [
                {"referenceId": each["referenceId"], "httpStatusCode": 200, "body": described(each["referenceId"])}
                for each in asked["compositeRequest"]
            ]
            return self._json({"compositeResponse": parts})
        return self._json({"id": "750000000000001AAA", "state": "UploadComplete"})

    def do_DELETE(self) -> None:
        self.send_response(204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.endswith("/results"):
            return self._part(int(query.get("locator", 0)), int(query["maxRecords"]))
        if "/jobs/query/" in parts.path:
            return self._json({"id": "750000000000001AAA", "state": "JobComplete"})
        if parts.path.endswith(("/query", "/queryAll")):
            return self._query(query["q"])
        return self._json({})

    def _query(self, soql: str) -> None:
        name = soql.partition(" FROM ")[2].split()[0]
        if "COUNT()" in soql:
            return self._json({"totalSize": len(FEW[name]) if name in FEW else len(self.places) - 1, "done": True, "records": []})
        after = re.search(r"Id > '(\w+)'", soql)
        found = [] if "SystemModstamp >=" in soql else [each for each in FEW[name] if after is None or each["Id"] > after[1]]
        return self._json({"totalSize": len(found), "done": True, "records": found[:2_000]})

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self._head("application/json", len(body))
        self.wfile.write(body)

    def _part(self, first: int, most: int) -> None:
        last = min(first + most, len(self.places) - 1)
        head = (",".join(f'"{name}"' for name in columns()) + "\n").encode()
        start, end = self.places[first], self.places[last]
        more = "null" if last == len(self.places) - 1 else str(last)
        self._head("text/csv", len(head) + end - start, ("Sforce-Locator", more), ("Sforce-NumberOfRecords", str(last - first)))
        self.wfile.write(head)
        self.wfile.flush()
        while start < end:
            start += os.sendfile(self.connection.fileno(), self.data, start, end - start)

    def _head(self, kind: str, length: int, *more: tuple[str, str]) -> None:
        self.send_response(200)
        for name, value in (("Content-Type", kind), ("Content-Length", str(length)), *more):
            self.send_header(name, value)
        self.end_headers()


def main() -> None:
    data, index = make_file(Path(__file__).parent / "data", int(sys.argv[1]))
    Handler.data = os.open(data, os.O_RDONLY)
    Handler.places = array("Q")
    Handler.places.frombytes(index.read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
