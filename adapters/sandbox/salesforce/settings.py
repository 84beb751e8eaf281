"""What an operator or a test can choose about a Salesforce sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.sandbox.salesforce.custom_objects import MKT_OBJECTS, SUBSCRIPTION, CustomField, CustomObject


@dataclass(frozen=True)
class Nastiness:
    """How often the invented data is awkward; each rate is a share of the records, 0 switches it off."""

    shared_address: float = 0.02
    address_variant: float = 0.01
    opted_out: float = 0.03
    bounced: float = 0.01
    lead_is_contact: float = 0.05
    converted_lead: float = 0.05
    missing_account: float = 0.05
    inactive_owner: float = 0.03
    queue_owner: float = 0.02
    at_the_limit: float = 0.001
    awkward_text: float = 0.01
    very_long_text: float = 0.0005
    no_email: float = 0.03
    deleted: float = 0.005
    mass_update: float = 0.02


CALM = Nastiness(**dict.fromkeys(Nastiness.__dataclass_fields__, 0.0))


@dataclass(frozen=True)
class SalesforceSandboxSettings:
    """One sandbox. Counts are records to invent; times are seconds; `Nastiness` says how awkward the records are.

    `without`: objects, or fields as `Object.field`, that the org does not have. `certificate`: the public key of the connected app, PEM;
    without one, logins by a signed assertion are refused.
    """

    port: int = 0
    accounts: int = 50
    leads: int = 100
    contacts: int = 200
    opportunities: int = 40
    users: int = 10
    campaigns: int = 5
    members_per_campaign: int = 20
    tasks: int = 20
    subscriptions: int = 30
    seed: int = 1
    nastiness: Nastiness = field(default_factory=Nastiness)
    custom_fields: tuple[CustomField, ...] = ()
    custom_objects: tuple[CustomObject, ...] = (*MKT_OBJECTS, SUBSCRIPTION)
    without: tuple[str, ...] = ()

    user_name: str = "mkt_sync@example.com"
    password: str = "sandbox-password"
    security_token: str = ""
    client_id: str = "sandbox-client-id"
    client_secret: str = "sandbox-client-secret"
    certificate: str = ""
    app_name: str = "marketsync"
    password_grant: bool = True
    rotate_refresh_tokens: bool = False
    session_timeout_s: int = 7200
    bad_logins_before_lock: int = 10
    instance_host: str = "127.0.0.1"

    time_zone: str = "Europe/Berlin"
    clock_skew_s: float = 0.0
    clock_fixed: float | None = None
    data_from: str = "2023-01-01T00:00:00+00:00"
    data_until: str = "2026-06-30T23:59:59+00:00"

    newest_version: int = 66
    page_rows: int = 2000
    page_bytes: int = 4_000_000
    open_cursors: int = 10
    cascade_deletes: bool = True
    recycle_bin_days: int = 15
    bulk_inline_rows: int = 20_000
    bulk_max_records: int = 50_000
    csv_charset: bool = False
    daily_calls: int = 1_000_000
    app_calls: int = 0
    calls_at_once: int = 0
    bulk_query_jobs: int = 10_000
    gzip_level: int = 1
    keep_calls: int = 20000
