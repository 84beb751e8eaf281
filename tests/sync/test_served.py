"""An option that does nothing yet is told, never passed over in silence."""

from __future__ import annotations

from sync.served import not_served
from sync.settings_parser import parse_settings

_CONNECTOR = {"crm": "sugarcrm", "url": "https://crm.example.com", "username": "sync", "password": {"env": "CRM_PASSWORD"}}


def _told(**more: object) -> list[str]:
    settings = parse_settings({"connectors": {"acme": {**_CONNECTOR, **more}}}, base_dir=".")
    return [finding.message for finding in not_served(settings.connector("acme"))]


def test_conn_5_options_that_have_no_effect_yet_are_named() -> None:
    (message,) = _told(pull={"custom_objects": True}, push={"scores": True})
    assert message.endswith(": pull.custom_objects")


def test_the_defaults_promise_nothing_that_is_not_done() -> None:
    assert _told() == []
