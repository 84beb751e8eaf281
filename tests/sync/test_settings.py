"""The configuration file becomes typed settings, or one error that names every mistake (CONN-1, CONN-2, CONN-4, CONN-5, CONN-6)."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.errors import ConfigError
from sync.fields import WritePolicy
from sync.mapping import Direction, MappingRow
from sync.records import Condition, Filter, Kind
from sync.secrets import SecretKind, SecretRef
from sync.settings import FirstAdoption, LeftScope, PullOption, PushOptions, Settings
from sync.settings_parser import parse_settings, parse_toml
from sync.settings_reference import setting_docs

BASE = "/srv/acme"


def connector(**changes: Any) -> dict[str, Any]:
    table: dict[str, Any] = {
        "crm": "sugarcrm",
        "url": "https://crm.example.com",
        "username": "sync",
        "password": {"env": "CRM_PASSWORD"},
    }
    return {key: value for key, value in (table | changes).items() if value is not None}


def parse(table: dict[str, Any]) -> Settings:
    return parse_settings(table, base_dir=BASE)


def with_connector(**changes: Any) -> dict[str, Any]:
    return {"connectors": {"acme": connector(**changes)}}


def mistakes(table: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(table)
    return str(caught.value)


def test_an_empty_file_gives_every_default_and_no_connector() -> None:
    found = parse({})
    assert found.connectors == {}
    assert (found.gate.max_held_share, found.staging.memory_limit_mb, found.staging.threads, found.reports.keep_days) == (0.05, 176, 2, 90)


def test_conn_1_several_connectors_feed_one_market_each_with_its_own_name() -> None:
    found = parse({"connectors": {"acme": connector(), "beta": connector(url="https://beta.example.com")}})
    assert [(name, each.name, each.crm) for name, each in found.connectors.items()] == [
        ("acme", "acme", "sugarcrm"),
        ("beta", "beta", "sugarcrm"),
    ]


def test_conn_1_an_unknown_connector_is_refused_with_near_names() -> None:
    with pytest.raises(ConfigError, match='did you mean "acme"'):
        parse(with_connector()).connector("acmee")
    assert parse(with_connector()).connector("acme").username == "sync"


@pytest.mark.parametrize("name", ["Acme", "a b", "1st", "a/b", "..", "", "a" * 41])
def test_conn_1_a_connectors_name_has_to_fit_into_paths_and_keys(name: str) -> None:
    assert "a connector's name has" in mistakes({"connectors": {name: connector()}})


def test_relative_paths_start_at_the_folder_of_the_file() -> None:
    found = parse({"data_dir": "./data"} | with_connector(ca_file="ca.pem", password={"file": "secret.txt"}))
    acme = found.connector("acme")
    assert (found.data_dir, acme.ca_file, acme.password.name) == (f"{BASE}/data", f"{BASE}/ca.pem", f"{BASE}/secret.txt")
    assert parse({}).data_dir == f"{BASE}/marketsync-data"


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("sqlite:///market.db", f"sqlite:///{BASE}/market.db"),
        ("sqlite:////var/market.db", "sqlite:////var/market.db"),
        ("sqlite:///market.db?timeout=5", f"sqlite:///{BASE}/market.db?timeout=5"),
        ("postgresql://me@db.example.com/market", "postgresql+psycopg://me@db.example.com/market"),
        ("postgresql+psycopg://me@db:5433/market?sslmode=require", "postgresql+psycopg://me@db:5433/market?sslmode=require"),
    ],
)
def test_the_market_is_a_sqlite_file_or_postgresql_through_the_driver_that_we_ship(written: str, used: str) -> None:
    assert parse({"market": {"url": written}}).market.url == used


def test_the_default_market_is_a_file_beside_the_configuration() -> None:
    assert parse({}).market.url == f"sqlite:///{BASE}/marketsync.db"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:hunter2@db/market", "carries credentials"),
        ("postgresql://me:@db/market", "carries credentials"),
        ("postgresql://me@db/market?password=hunter2", "carries credentials"),
        ("postgresql://me@db:hunter2/market", "is no URL"),
        ("postgresql://me@db", "names no database"),
        ("mysql://db/market", "is no URL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite://host/file.db", "needs a file"),
    ],
)
def test_conn_4_a_market_url_with_a_password_or_without_a_place_is_refused(url: str, said: str) -> None:
    text = mistakes({"market": {"url": url}})
    assert f"market.url: {said}" in text.replace("the URL carries", "carries")
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("https://crm.example.com", 443),
        ("https://crm.example.com:8443/sugar/", 8443),
        ("http://localhost", 80),
        ("http://127.0.0.1:8080", 8080),
        ("http://[::1]:8080", 8080),
        ("http://crm.localhost", 80),
        ("HTTPS://crm.example.com", 443),
    ],
)
def test_conn_2_the_port_follows_from_the_url(url: str, port: int) -> None:
    assert parse(with_connector(url=url)).connector("acme").port == port


@pytest.mark.parametrize(
    "url", ["http://crm.example.com", "http://10.0.0.7", "http://localhost.example.com", "http://127.0.0.1.example.com"]
)
def test_conn_2_plain_http_to_another_machine_is_refused_unless_it_is_allowed_by_name(url: str) -> None:
    assert "connectors.acme.url: plain http" in mistakes(with_connector(url=url))
    assert parse(with_connector(url=url, allow_plain_http=True)).connector("acme").port == 80


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hunter2@crm.example.com",
        "https://hunter2@crm.example.com",
        "https://crm.example.com?token=hunter2",
        "https://a b",
        "https://crm.example.com#hunter2",
        "crm.example.com",
        "ftp://crm.example.com",
        "https://",
        "https://host:hunter2",
        "http://[::1",
    ],
)
def test_conn_4_a_crm_url_with_credentials_or_of_no_use_is_refused_without_repeating_it(url: str) -> None:
    text = mistakes(with_connector(url=url))
    assert "connectors.acme.url: " in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("written", "ref"),
    [
        ({"env": "CRM_PASSWORD"}, SecretRef(SecretKind.ENV, "CRM_PASSWORD")),
        ({"file": "/run/secrets/crm"}, SecretRef(SecretKind.FILE, "/run/secrets/crm")),
        ({"prefect_block": "acme-password"}, SecretRef(SecretKind.PREFECT_BLOCK, "acme-password")),
    ],
)
def test_conn_4_a_password_is_a_reference_to_where_it_is_kept(written: dict[str, str], ref: SecretRef) -> None:
    assert parse(with_connector(password=written)).connector("acme").password == ref


@pytest.mark.parametrize("secret", ["hunter2!", {"env": "hunter2!"}, {"prefect_block": "hunter2!"}, {"evn": "hunter2!"}, 5, [], {}])
@pytest.mark.parametrize("place", ["password", "client_secret"])
def test_conn_4_a_literal_password_is_refused_with_how_to_refer_to_it_and_is_not_repeated(place: str, secret: object) -> None:
    text = mistakes(with_connector(**{place: secret}))
    assert f"connectors.acme.{place}: " in text
    assert "hunter2" not in text


def test_conn_4_a_literal_market_password_is_refused_likewise() -> None:
    text = mistakes({"market": {"password": "hunter2"}})
    assert "market.password: a secret never stands in this file" in text
    assert '{ env = "NAME" }' in text
    assert "hunter2" not in text


@given(place=st.sampled_from([doc.place.split(".") for doc in setting_docs("acme")]), wrap=st.sampled_from(["text", "list", "table"]))
@settings(max_examples=80, deadline=None)
def test_conn_4_a_secret_in_a_wrong_place_is_never_repeated(place: list[str], wrap: str) -> None:
    secret = "hunter2 correct horse"
    table: dict[str, Any] = with_connector()
    inner = table
    for key in place[:-1]:
        inner = inner.setdefault(key, {})
    inner[place[-1]] = {"text": secret, "list": [secret], "table": {"x": secret}}[wrap]
    try:
        parse(table)
    except ConfigError as error:
        assert "hunter2" not in str(error)
    else:
        assert wrap == "text" or "mapping" in place  # a free text, such as the user's or a field's name


def test_conn_5_pull_options_are_on_or_off_and_may_state_the_expected_number_of_records() -> None:
    pull = parse(with_connector(pull={"users": False, "leads": {"expected": 1200}, "deletions": False})).connector("acme").pull
    assert pull.kinds() == (Kind.ACCOUNT, Kind.LEAD, Kind.CONTACT, Kind.OPPORTUNITY)
    assert (pull.expected(Kind.LEAD), pull.expected(Kind.CONTACT)) == (1200, None)
    assert (pull.leads, pull.deletions, pull.marketing_lists) == (PullOption(True, 1200), PullOption(False), PullOption(False))


@pytest.mark.parametrize("value", ["yes", 1, {"expected": -1}, {"expected": "many"}, {"expected": True}, {}, {"expects": 4}])
def test_conn_5_anything_else_as_a_pull_option_is_refused(value: object) -> None:
    assert "connectors.acme.pull.leads: has to be true, false or { expected = N }" in mistakes(with_connector(pull={"leads": value}))


def test_conn_6_every_push_option_is_off_until_it_is_switched_on() -> None:
    assert parse(with_connector()).connector("acme").push == PushOptions()
    assert not any(getattr(PushOptions(), name) for name in PushOptions.__dataclass_fields__)
    assert parse(with_connector(push={"scores": True})).connector("acme").push == PushOptions(scores=True)


def test_push_7_a_new_person_becomes_a_lead_unless_the_connector_says_contact() -> None:
    assert parse(with_connector()).connector("acme").create_as is Kind.LEAD
    assert parse(with_connector(create_as="contact")).connector("acme").create_as is Kind.CONTACT
    assert "has to be one of lead, contact" in mistakes(with_connector(create_as="account"))


def test_consent_2_and_filt_2_have_safe_defaults_and_named_alternatives() -> None:
    plain = parse(with_connector()).connector("acme")
    other = parse(with_connector(consent={"on_first_adoption": "keep_market"}, scope={"left": "soft_delete"})).connector("acme")
    assert (plain.consent.on_first_adoption, plain.scope.left) == (FirstAdoption.STRICTEST, LeftScope.MARK)
    assert (other.consent.on_first_adoption, other.scope.left) == (FirstAdoption.KEEP_MARKET, LeftScope.SOFT_DELETE)


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ('{field="status", op="in", value=["New", "Assigned"]}', Condition("status", "in", ("New", "Assigned"))),
        ('{field="rating", op="gte", value=3}', Condition("rating", "gte", 3)),
        ('{field="vip", op="equals", value=true}', Condition("vip", "equals", True)),
        ('{field="site", op="is_null"}', Condition("site", "is_null", None)),
        ('{field="date_entered", op="gte", value=2026-01-31T08:00:00+02:00}', Condition("date_entered", "gte", "2026-01-31T06:00:00Z")),
        ('{field="birthdate", op="lt", value=2000-01-01}', Condition("birthdate", "lt", "2000-01-01")),
    ],
)
def test_init_9_a_sync_filter_per_object_limits_what_comes_down(written: str, condition: Condition) -> None:
    table = parse_toml(f"[filters]\nleads = [{written}]", "test.toml")
    assert parse(with_connector(**table)).connector("acme").filters == {Kind.LEAD: Filter((condition,))}


def test_init_9_a_filter_without_conditions_lets_every_record_through() -> None:
    assert parse(with_connector(filters={"leads": []})).connector("acme").filters == {}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ({"field": "status", "op": "inn", "value": ["New"]}, "leads.1.op: has to be one of equals, not_equals, in, not_in"),
        ({"field": "status", "op": "in", "value": "New"}, "leads.1.value: in takes a list of texts"),
        ({"field": "status", "op": "in", "value": []}, "leads.1.value: in takes a list of texts"),
        ({"field": "status", "op": "is_null", "value": "x"}, "leads.1.value: is_null takes no value"),
        ({"field": "status", "op": "equals"}, "leads.1.value: equals takes one text"),
        ({"field": "status", "op": "starts", "value": 3}, "leads.1.value: starts takes a text"),
        ({"op": "is_null"}, "leads.1.field: has to name a field"),
        ({"field": "status", "op": "is_null", "values": 1}, 'leads.1.values: is no setting; did you mean "value"?'),
        ("status = New", "leads.1: has to be a condition"),
    ],
)
def test_init_9_a_filter_that_says_nothing_clear_is_refused(condition: object, said: str) -> None:
    assert f"connectors.acme.filters.{said}" in mistakes(with_connector(filters={"leads": [condition]}))


def test_init_9_a_time_without_an_offset_is_refused_because_crms_would_read_it_in_their_users_zone() -> None:
    table = parse_toml('[filters]\nleads = [{field="d", op="lt", value=2026-01-31T08:00:00}]', "test.toml")
    assert "needs its offset" in mistakes(with_connector(**table))


def test_an_operators_mapping_names_column_field_direction_and_policy() -> None:
    mapping = {"contacts": {"region": "region_c", "title": {"field": "job_c", "direction": "pull", "policy": "only_if_empty"}}}
    found = parse(with_connector(mapping=mapping)).connector("acme")
    contacts = frozenset({Kind.CONTACT})
    assert found.own_rows == (
        MappingRow("region_c", "region", contacts, Direction.BOTH, WritePolicy.OVERWRITE, stock=False),
        MappingRow("job_c", "title", contacts, Direction.PULL, WritePolicy.ONLY_IF_EMPTY, stock=False),
    )


@pytest.mark.parametrize(
    ("kind", "column", "said"),
    [
        ("contacts", "crm_id", "is filled by the sync itself"),
        ("contacts", "account_id", "is filled by the sync itself"),
        ("contacts", "deleted_date", "is filled by the sync itself"),
        ("contacts", "converted_contact_ref", "is filled by the sync itself"),
        ("contacts", "My Column", "a column's name has lower-case letters"),
        ("accounts", "select", "a column's name has lower-case letters"),
        ("opportunities", "stag", 'opportunities has a fixed set of columns; did you mean "stage"'),
        ("users", "region", "users has a fixed set of columns"),
    ],
)
def test_init_3_a_mapping_can_fill_only_columns_that_are_free(kind: str, column: str, said: str) -> None:
    assert f"connectors.acme.mapping.{kind}.{column}: {said}" in mistakes(with_connector(mapping={kind: {column: "x"}}))


def test_every_mistake_is_named_at_once_with_its_place_and_near_names() -> None:
    text = mistakes(
        {"gate": {"max_held_share": 2}, "stagging": {}, "staging": {"threads": "2"}}
        | with_connector(crm="sugarcmr", username=None, url="http://crm.example.com", pull={"contact": True}, scope={"left": "marc"})
    )
    assert text.startswith("8 mistakes in the configuration:")
    for line in (
        "gate.max_held_share: has to be between 0 and 1",
        'stagging: is no setting; did you mean "staging"?',
        "staging.threads: has to be a whole number of threads, without quotes",
        'connectors.acme.crm: has to be one of sugarcrm, salesforce; did you mean "sugarcrm"?',
        "connectors.acme.username: is missing: the syncing user.",
        "connectors.acme.url: plain http",
        'connectors.acme.pull.contact: is no setting; did you mean "contacts"?',
        'connectors.acme.scope.left: has to be one of mark, soft_delete, keep; did you mean "mark"?',
    ):
        assert line in text


@pytest.mark.parametrize("value", [True, "5", -1, float("nan"), 1.5])
def test_a_share_is_a_number_from_zero_to_one(value: object) -> None:
    assert "gate.collapse_share: has to be" in mistakes({"gate": {"collapse_share": value}})


@pytest.mark.parametrize("table", [{"market": 1}, {"connectors": []}, with_connector(pull=True), with_connector(filters="x", mapping=3)])
def test_a_value_where_a_table_belongs_is_refused(table: dict[str, Any]) -> None:
    assert "has to" in mistakes(table)


@pytest.mark.parametrize("value", ["", "  ", 3, "a\nb"])
def test_a_text_is_not_empty_and_on_one_line(value: object) -> None:
    assert "connectors.acme.username: " in mistakes(with_connector(username=value))


def test_a_toml_mistake_is_told_with_file_and_line() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_toml('data_dir = "x"\nurl = https://crm', "marketsync.toml")
    assert caught.value.where == "marketsync.toml, line 2"


def test_a_number_of_thousands_of_digits_is_a_mistake_like_any_other() -> None:
    with pytest.raises(ConfigError, match="a number is too long"):
        parse_toml("x = " + "9" * 5000, "marketsync.toml")


def test_settings_travel_between_processes() -> None:
    found = parse(with_connector(filters={"leads": [{"field": "status", "op": "is_null"}]}))
    assert pickle.loads(pickle.dumps(found)) == found
