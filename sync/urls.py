"""What a URL in the configuration may look like (CONN-2, CONN-4). Messages never repeat a URL, because it may hold a password."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, parse_qsl, urlsplit

PORTS = {"http": 80, "https": 443}
POSTGRESQL_DRIVER = "postgresql+psycopg"
_CREDENTIALS = "the URL carries credentials, which may not stand in a file (CONN-4): "
_SECRET_PARAMETERS = frozenset({"password", "passwd", "pwd", "sslpassword", "token", "access_token", "passfile"})


def port_of(url: str) -> int:
    """The port that a checked service URL leads to: the one that it names, else 80 for http and 443 for https (CONN-2)."""
    parts = urlsplit(url)
    return parts.port if parts.port is not None else PORTS[parts.scheme]


def is_loopback(host: str) -> bool:
    """Whether traffic to this host stays on this machine, judged by its name alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name, not an address


def service_url_mistake(url: str, *, allow_plain_http: bool) -> str | None:
    """What is wrong with a CRM's URL, None if nothing is.

    | URL                          | allow_plain_http | verdict             |
    |------------------------------|------------------|---------------------|
    | https://crm.example.com      | –                | port 443            |
    | https://crm.example.com:8443 | –                | port 8443           |
    | http://127.0.0.1:8080        | –                | loopback: allowed   |
    | http://crm.example.com       | true             | port 80             |
    | http://crm.example.com       | false            | refused             |
    | https://name:word@…          | –                | refused (CONN-4)    |
    """
    parts = _split(url)
    if parts is None or parts.scheme not in PORTS or not parts.hostname:
        return "is no URL of the form https://host or https://host:port/path"
    if "@" in parts.netloc:
        return _CREDENTIALS + "use username and password of the connector"
    if "?" in url or "#" in url:
        return 'ends at the path: it takes no "?" and no "#"'
    if parts.scheme == "http" and not allow_plain_http and not is_loopback(parts.hostname):
        return "plain http would send the password readable to all on the way; use https, or set allow_plain_http = true (CONN-2)"
    return None


def webhook_url_mistake(url: str, *, allow_plain_http: bool) -> str | None:
    """What is wrong with a receiver's address, None if nothing is. It may hold its key in the path or behind a question mark."""
    parts = _split(url)
    if parts is None or parts.scheme not in PORTS or not parts.hostname:
        return "is no URL of the form https://host/path"
    if parts.scheme == "http" and not allow_plain_http and not is_loopback(parts.hostname):
        return "is plain http, which anybody on the way can read; use https, or set alerts.allow_plain_http = true"
    return None


def market_url_mistake(url: str) -> str | None:
    """What is wrong with the Market's URL, None if nothing is. SQLite needs a file, because every step is a process of its own."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("sqlite", "postgresql", POSTGRESQL_DRIVER):
        return "is no URL of the form sqlite:///file.db or postgresql://user@host:5432/database"
    if parts.password is not None or any(key.lower() in _SECRET_PARAMETERS for key, _ in parse_qsl(parts.query, keep_blank_values=True)):
        return _CREDENTIALS + 'use market.password = { env = "NAME" }'
    if parts.scheme == "sqlite":
        fits = parts.netloc == "" and parts.path not in ("", "/", "/:memory:") and not parts.fragment
        return None if fits else "needs a file: sqlite:///name.db beside the configuration, or sqlite:////absolute/name.db"
    return None if parts.path.strip("/") else "names no database: postgresql://user@host:5432/database"


def _split(url: str) -> SplitResult | None:
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return None
    return parts
