"""The quality reports in a browser: pages and nothing else, for this machine and nobody else."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.errors import ConfigError
from tasks.report_server import AUTH_VARIABLE, reports_shown


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    reports = tmp_path / "data" / "reports"
    (reports / "run-1").mkdir(parents=True)
    (reports / "days").mkdir()
    for page in ("overview", "checks", "days/2026-11-28", "run-1/data-docs-contact-acme"):
        (reports / f"{page}.html").write_text(page)
    (reports / "index.html").write_text("all runs")
    (reports / "run-1" / "index.html").write_text("one run")
    (reports / "index.jsonl").write_text("{}")
    (tmp_path / "data" / "secret.html").write_text("secret")
    with reports_shown(reports, 0) as address:
        yield int(address.rpartition(":")[2])


def asked(port: int, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        policy = answer.getheader("Content-Security-Policy") or ""
        assert ("sandbox allow-scripts;" if "data-docs" in path else "default-src 'none'") in policy
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_list_and_the_pages_are_shown(port: int) -> None:
    assert asked(port, "/") == asked(port, "/index.html?x=1") == (200, "all runs")
    assert asked(port, "/run-1/index.html") == asked(port, "/run-1/") == (200, "one run")
    for page in ("overview", "checks", "days/2026-11-28", "run-1/data-docs-contact-acme"):
        assert asked(port, f"/{page}.html") == (200, page)


@pytest.mark.parametrize(
    "path", ["/../secret.html", "/run-1/../../secret.html", "/%2e%2e/secret.html", "/index.jsonl", "/run-2/", "//etc/"]
)
def test_nothing_else_is(port: int, path: str) -> None:
    status, said = asked(port, path)
    assert status == 404 and "There is no such report" in said


def test_a_page_elsewhere_that_has_its_name_lead_here_gets_nothing(port: int) -> None:
    assert asked(port, "/", Host=f"elsewhere.example:{port}")[0] == 421
    assert asked(port, "/", Host=f"localhost:{port}")[0] == 200


def test_it_asks_for_the_password_of_the_ui(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTH_VARIABLE, "admin:horse")
    assert asked(port, "/")[0] == asked(port, "/", Authorization="Basic bm8=")[0] == 401
    assert asked(port, "/", Authorization=f"Basic {base64.b64encode(b'admin:horse').decode()}") == (200, "all runs")


def test_a_port_that_is_taken_is_told(port: int, tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=f"port {port}, for the quality reports, is taken(.|\n)*--reports-port"),
        reports_shown(tmp_path, port),
    ):
        pass
