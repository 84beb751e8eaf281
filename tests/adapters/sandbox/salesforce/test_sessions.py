"""Logging in to a Salesforce, and staying there."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.sandbox.salesforce import SalesforceControl
from tests.adapters.sandbox.salesforce.conftest import CLIENT_ID, CLIENT_SECRET, PASSWORD, USER, Client

Start = Callable[..., tuple[Client, SalesforceControl]]
PASSWORD_GRANT = {"grant_type": "password", "username": USER, "password": PASSWORD}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    found = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found.decode()


def assertion(key: rsa.RSAPrivateKey, **claims: Any) -> str:
    """A signed login; `alg` among the claims goes to the header."""
    told = {"iss": CLIENT_ID, "sub": USER, "aud": "https://login.salesforce.com", "exp": int(time.time()) + 180, **claims}
    header = {"alg": told.pop("alg", "RS256")}
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, told)]
    signature = key.sign(b".".join(parts), padding.PKCS1v15(), hashes.SHA256())
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_a_token_answer_names_the_instance_and_no_end(start: Start) -> None:
    client, control = start()
    assert "expires_in" not in client.token and "refresh_token" not in client.token
    assert client.token["instance_url"] == client.root
    assert client.token["id"].endswith(client.good("GET", "/services/oauth2/userinfo")["user_id"])
    control.set_app(instance_host="localhost")
    assert client.login().json()["instance_url"] == client.root.replace("127.0.0.1", "localhost")


def test_the_app_shows_its_secret_in_the_body_or_in_the_header(client: Client) -> None:
    basic = client.http.post(
        f"{client.root}/services/oauth2/token", data={"grant_type": "client_credentials"}, auth=(CLIENT_ID, CLIENT_SECRET), timeout=10
    )
    assert basic.status_code == 200
    for form, error in (({"client_secret": "wrong"}, "invalid_client"), ({"client_id": "wrong"}, "invalid_client_id")):
        refused = client.login(**form)
        assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert client.login(grant_type="magic").json()["error"] == "unsupported_grant_type"


def test_one_text_for_every_reason_unless_the_administrator_chose_another(start: Start) -> None:
    client, control = start(bad_logins_before_lock=2)
    for _ in range(2):
        assert client.login(**{**PASSWORD_GRANT, "password": "wrong"}).json()["error_description"] == "authentication failure"
    assert client.login(**PASSWORD_GRANT).json()["error_description"] == "authentication failure"  # locked by now
    control.set_password(PASSWORD)
    assert client.login(**PASSWORD_GRANT).ok
    control.refuse_login("inactive user")
    assert client.login().json() == {"error": "invalid_grant", "error_description": "inactive user"}
    control.refuse_login("")
    control.set_app(password_grant=False)
    assert (client.login().ok, client.login(**PASSWORD_GRANT).ok) == (True, False)


def test_a_session_lives_as_long_as_it_is_used(start: Start) -> None:
    client, control = start(session_timeout_s=600)
    for _ in range(3):
        control.advance_clock(500)
        client.good("GET", "limits")
    control.advance_clock(601)
    answer = client.call("GET", "limits")
    assert answer.status_code == 401
    assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_a_refresh_token_is_used_up_where_it_rotates(start: Start) -> None:
    client, control = start()
    refresh = client.login(**PASSWORD_GRANT).json()["refresh_token"]
    for _ in range(2):
        assert "refresh_token" not in client.login(grant_type="refresh_token", refresh_token=refresh).json()
    control.set_app(rotate_refresh_tokens=True)
    second = client.login(grant_type="refresh_token", refresh_token=refresh).json()["refresh_token"]
    old = client.login(grant_type="refresh_token", refresh_token=refresh).json()
    assert old == {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    assert client.login(grant_type="refresh_token", refresh_token=second).ok
    client.http.post(f"{client.root}/services/oauth2/revoke", data={"token": client.token["access_token"]}, timeout=10)
    assert client.call("GET", "limits").status_code == 401


def test_a_signed_login_is_believed_when_key_claims_and_time_are_right(start: Start, key: rsa.RSAPrivateKey) -> None:
    client, control = start(certificate=pem(key))
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert client.login(grant_type=grant, assertion=assertion(key)).ok
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wrong = {
        "invalid assertion": assertion(stranger),
        "expired authorization code": assertion(key, exp=int(time.time()) - 1),
        "assertion exp is too far in the future": assertion(key, exp=int(time.time()) + 3600),
        "audience is invalid": assertion(key, aud="https://example.com"),
        "user hasn't approved this consumer": assertion(key, sub="nobody@example.com"),
        "client identifier invalid": assertion(key, iss="another app"),
    }
    for words, text in wrong.items():
        assert client.login(grant_type=grant, assertion=text).json()["error_description"] == words
    body, _, tail = assertion(key).rpartition(".")
    flipped = "B" if tail[20] == "A" else "A"
    for text in (f"{body}.{tail[:20]}{flipped}{tail[21:]}", f"{body}.AAAA", "no assertion", assertion(key, alg="none")):
        assert client.login(grant_type=grant, assertion=text).json()["error_description"] == "invalid assertion"
    control.set_app(certificate="")
    assert client.login(grant_type=grant, assertion=assertion(key)).json()["error"] == "invalid_app_access"


def test_an_expired_password_opens_a_soap_session_that_is_good_for_nothing(start: Start) -> None:
    client, control = start()
    control.expire_password()
    envelope = (
        '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body><n1:login xmlns:n1="urn:partner.soap.sforce.com">'
        f"<n1:username>{USER}</n1:username><n1:password>{PASSWORD}</n1:password></n1:login></env:Body></env:Envelope>"
    )
    answer = client.http.post(f"{client.root}/services/Soap/u/60.0", data=envelope, timeout=10)
    assert "<passwordExpired>true</passwordExpired>" in answer.text
    client.token = {"access_token": answer.text.partition("<sessionId>")[2].partition("<")[0]}
    refused = client.call("GET", "limits")
    assert (refused.status_code, refused.json()[0]["message"]) == (401, "This session is not valid for use with the REST API")
