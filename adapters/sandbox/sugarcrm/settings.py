"""What an operator or a test can choose about a SugarCRM sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Nastiness:
    """How often the invented data is awkward; each rate is a share of the records, 0 switches it off."""

    shared_address: float = 0.02
    address_variant: float = 0.01
    opted_out: float = 0.03
    lead_is_contact: float = 0.05
    converted_lead: float = 0.05
    missing_account: float = 0.05
    unknown_account: float = 0.01
    inactive_owner: float = 0.03
    unknown_owner: float = 0.01
    over_long: float = 0.001
    malformed: float = 0.001
    awkward_text: float = 0.01
    very_long_text: float = 0.0005
    odd_id: float = 0.002
    no_email: float = 0.03
    second_address: float = 0.02
    deleted: float = 0.005
    mass_update: float = 0.02


CALM = Nastiness(**dict.fromkeys(Nastiness.__dataclass_fields__, 0.0))


@dataclass(frozen=True)
class CustomField:
    """A field that a studio user added; `kind` is a Sugar type, `options` the name of a drop-down list."""

    module: str
    name: str
    kind: str = "varchar"
    length: int | None = None
    options: str = ""


@dataclass(frozen=True)
class CustomModule:
    """A module that a package installed: `fields` are lines `name type [len|options]`, as in `stock_fields`."""

    name: str
    fields: tuple[str, ...] = ()


_NAMED = "name name 255 required"
_ABOUT_A_PERSON = ("parent_type parent_type 255", "parent_id id")

MKT_MODULES = (
    CustomModule(
        "mkt_EmailActivity",
        (
            _NAMED,
            "campaign varchar 255",
            "subject varchar 255",
            "from_address varchar 255",
            "address varchar 255",
            "sent_at datetimecombo",
            "delivery_status varchar 20",
            "opens int",
            "clicks int",
            *_ABOUT_A_PERSON,
        ),
    ),
    CustomModule(
        "mkt_Campaign",
        (_NAMED, "campaign_key varchar 255 indexed", "opens int", "people_opened int", "clicks int", "people_clicked int"),
    ),
    CustomModule(
        "mkt_Visit",
        (
            _NAMED,
            "started_at datetimecombo",
            "ended_at datetimecombo",
            "duration_s int",
            "pages int",
            "referrer text",
            "landing_page text",
            *_ABOUT_A_PERSON,
        ),
    ),
    CustomModule(
        "mkt_PageView",
        (
            _NAMED,
            "url text",
            "title varchar 255",
            "viewed_at datetimecombo",
            "mkt_visit_id_c id",
            "visit relate mkt_visit_id_c mkt_Visit",
        ),
    ),
    CustomModule(
        "mkt_Completion",
        (
            _NAMED,
            "page varchar 255",
            "url text",
            "form varchar 255",
            "completed_at datetimecombo",
            "answers text",
            *_ABOUT_A_PERSON,
        ),
    ),
    CustomModule(
        "mkt_Registration",
        (
            _NAMED,
            "event varchar 255",
            "place varchar 255",
            "starts_at datetimecombo",
            "registered_at datetimecombo",
            "attended_at datetimecombo",
            *_ABOUT_A_PERSON,
        ),
    ),
)


@dataclass(frozen=True)
class SugarSandboxSettings:
    """One sandbox. Counts are records to invent; times are seconds; `Nastiness` says how awkward they are.

    `without`: modules, or fields as `Module.field`, that the administrator did not make.
    """

    port: int = 0
    accounts: int = 50
    leads: int = 100
    contacts: int = 200
    opportunities: int = 40
    users: int = 10
    prospect_lists: int = 3
    members_per_list: int = 20
    tasks: int = 0
    campaigns: int = 5
    seed: int = 1
    nastiness: Nastiness = field(default_factory=Nastiness)
    custom_fields: tuple[CustomField, ...] = ()
    custom_modules: tuple[CustomModule, ...] = MKT_MODULES
    without: tuple[str, ...] = ()

    user_name: str = "mkt_sync"
    password: str = "sandbox-password"
    user_is_admin: bool = True
    platforms: tuple[str, ...] = ("base", "mobile", "portal", "mkt_sync")
    refuse_unknown_platform: bool = True
    access_token_life_s: int = 3600
    refresh_token_life_s: int = 1209600
    bad_logins_before_lock: int = 5

    time_zone: str = "UTC"
    clock_skew_s: float = 0.0
    clock_fixed: float | None = None
    data_from: str = "2023-01-01T00:00:00+00:00"
    data_until: str = "2026-06-30T23:59:59+00:00"

    release: str = "v11_24"
    default_page_rows: int = 20
    max_list_limit: int = 1000
    max_bulk_requests: int = 100
    max_body_bytes: int = 32_000_000
    sync_key_admin_only: bool = True
    equals_on_datetime_matches_day: bool = False
    check_enums: bool = True
    hidden_field_write_refused: bool = True
    refuse_over_long: bool = False
    daily_calls: int = 0
    calls_at_once: int = 0
    gateway_says_html: bool = True
    gzip_level: int = 1
    projection_cache_mb: int = 512
    keep_calls: int = 20000
