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


MKT_ACTIVITY = CustomModule(
    "mkt_Activity",
    (
        "mkt_id_c varchar 64 custom indexed",
        "activity_kind_c varchar 50 custom",
        "activity_date_c datetimecombo custom",
        "subject_c varchar 255 custom",
        "from_c varchar 255 custom",
        "url_c url 2000 custom",
        "details_c text custom",
        "opens_c int custom",
        "clicks_c int custom",
        "contact_id_c id custom",
        "lead_id_c id custom",
        "campaign_id_c id custom",
        "parent_type parent_type",
        "parent_id id",
    ),
)


@dataclass(frozen=True)
class SugarSandboxSettings:
    """One sandbox. Counts are records to invent; times are seconds; `Nastiness` says how awkward they are."""

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
    custom_modules: tuple[CustomModule, ...] = (MKT_ACTIVITY,)

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
    gzip_level: int = 1
    projection_cache_mb: int = 512
    keep_calls: int = 20000
