"""The settings that open a session with a CRM."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.login import LoginWay
from sync.secrets import SecretRef
from sync.setting import Form
from sync.setting import doc as _doc
from sync.stock_mappings import STOCK_MAPPINGS
from sync.urls import port_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Where a CRM is, and who we are there (CONN-1). Which of these are needed follows from the CRM and the way to log in."""

    name: str
    crm: str = field(metadata=_doc("The type of CRM.", choices=tuple(STOCK_MAPPINGS), example='"sugarcrm"'))
    url: str = field(
        metadata=_doc(
            "The CRM's address, without the API's path. The port follows from it: 443 for https, unless it names one (CONN-2).",
            form=Form.SERVICE_URL,
            example='"https://crm.example.com"',
        )
    )
    login: LoginWay | None = field(
        default=None,
        metadata=_doc(
            "How to log in. SugarCRM: password. Salesforce: client_credentials (the default, as the user that the connected app runs as), "
            "jwt, refresh_token or password.",
            choices=tuple(LoginWay),
            example='"password"',
        ),
    )
    username: str = field(
        default="",
        metadata=_doc(
            "The syncing user. Give this user the rights that the options below need. Not needed for client_credentials and refresh_token.",
            example='"marketsync"',
            usual=True,
        ),
    )
    password: SecretRef | None = field(
        default=None,
        metadata=_doc("The syncing user's password, by reference, for the login password.", example='{ env = "CRM_PASSWORD" }', usual=True),
    )
    security_token: SecretRef | None = field(
        default=None,
        metadata=_doc(
            "Salesforce, login password: the user's security token, by reference, unless our address is trusted there.",
            example='{ env = "CRM_SECURITY_TOKEN" }',
        ),
    )
    client_id: str | None = field(
        default=None,
        metadata=_doc(
            "The OAuth client. SugarCRM: `sugar`, unless you say otherwise. Salesforce: the connected app's consumer key.",
            example='"sugar"',
        ),
    )
    client_secret: SecretRef | None = field(
        default=None, metadata=_doc("The OAuth client's secret, by reference, if it has one.", example='{ env = "CRM_CLIENT_SECRET" }')
    )
    private_key: SecretRef | None = field(
        default=None,
        metadata=_doc("Salesforce, login jwt: the RSA key whose certificate the connected app has, PEM.", example='{ file = "crm.key" }'),
    )
    refresh_token: SecretRef | None = field(
        default=None,
        metadata=_doc(
            "Salesforce, login refresh_token: the token that the app was given. A newer one that the CRM sends is kept in data_dir.",
            example='{ env = "CRM_REFRESH_TOKEN" }',
        ),
    )
    login_url: str | None = field(
        default=None,
        metadata=_doc(
            "Salesforce: where to log in, if that is not the CRM's own address, such as https://test.salesforce.com.",
            example='"https://login.salesforce.com"',
        ),
    )
    platform: str = field(
        default="mkt_sync",
        metadata=_doc("SugarCRM: the API platform that we log in as; one of our own, or people and we end each other's sessions."),
    )
    api_version: str | None = field(
        default=None,
        metadata=_doc("The version of the API that we speak. None: v11_24 for SugarCRM, v60.0 for Salesforce.", example='"v11_24"'),
    )
    allow_plain_http: bool = field(
        default=False, metadata=_doc("Allow http to another machine. The password then travels readable (CONN-2).")
    )
    ca_file: str | None = field(
        default=None,
        metadata=_doc(
            "Certificates to trust, a PEM file, if the CRM's is not signed by a public authority.", form=Form.PATH, example='"crm-ca.pem"'
        ),
    )
    verify: bool = field(default=True, metadata=_doc("Check the CRM's certificate."))

    @property
    def port(self) -> int:
        """Follows from the URL (CONN-2)."""
        return port_of(self.url)
