"""A real receiver on loopback, in good and in bad moods."""

from __future__ import annotations

import json
import socket

import pytest

from adapters.webhook import post
from sync.errors import ConfigError, MarketsyncError, Transient
from sync.urls import webhook_url_mistake
from tests.adapters.scripted_server import Step, scripted

KEY = "/services/T0/very-secret-key?sig=also-secret"


def test_one_post_of_json_in_utf_8() -> None:
    with scripted(Step(body=b"ok", headers=(("Content-Type", "text/plain"),))) as receiver:
        post(receiver.url + KEY, {"text": "🔴 Größe"}, timeout_s=5)
    assert receiver.seen == [("POST", KEY)]
    assert receiver.heads[0]["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(receiver.bodies[0].decode("utf-8")) == {"text": "🔴 Größe"}


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, Transient), (503, Transient), (429, Transient), (404, ConfigError), (403, ConfigError), (302, ConfigError)],
)
def test_a_refusal_says_who_recovers_from_it_and_never_the_address_conn_4(status: int, error: type[MarketsyncError]) -> None:
    """CONN-4: what stands in the address is a key. A redirect is not followed: it could lead anywhere."""
    with scripted(Step(status, headers=(("Location", "http://127.0.0.1:9/elsewhere"),))) as receiver, pytest.raises(error) as refused:
        post(receiver.url + KEY, {}, timeout_s=5)
    assert str(status) in str(refused.value) and "secret" not in repr(refused.getrepr(chain=True, style="native"))


def test_a_receiver_that_is_away_or_silent_is_worth_another_try_conn_4() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Transient, match="did not answer") as away:
            post(f"http://127.0.0.1:{silent.getsockname()[1]}{KEY}", {}, timeout_s=0.2)
    assert "secret" not in str(away.value)
    with pytest.raises(Transient, match="did not answer"):
        post(f"http://127.0.0.1:9{KEY}", {}, timeout_s=5)


@pytest.mark.parametrize(
    ("url", "plain", "right"),
    [
        ("https://hooks.example.com/x?y=z#t", False, True),
        ("http://127.0.0.1:8080/x", False, True),
        ("http://hooks.example.com/x", False, False),
        ("http://hooks.example.com/x", True, True),
        ("hooks.example.com/x", False, False),
        ("ftp://hooks.example.com/x", False, False),
        ("https://", False, False),
    ],
)
def test_an_address_is_https_or_on_this_machine(url: str, plain: bool, right: bool) -> None:
    assert (webhook_url_mistake(url, allow_plain_http=plain) is None) is right
    if not right:
        with pytest.raises(ConfigError, match="webhook"):
            post(url, {}, timeout_s=1)
