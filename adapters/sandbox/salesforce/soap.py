"""The one SOAP call that programs still make: login, by user name and password."""

from __future__ import annotations

from html import escape
from xml.etree import ElementTree

from adapters.sandbox.http_server import Request, Response
from adapters.sandbox.salesforce.errors import OAuthError
from adapters.sandbox.salesforce.instance import Instance
from adapters.sandbox.salesforce.sessions import ORG_ID

_PARTNER = "{urn:partner.soap.sforce.com}"
_XML = {"Content-Type": "text/xml;charset=UTF-8"}
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)
_FAULT = (
    "<soapenv:Fault><faultcode>{0}</faultcode><faultstring>{0}: {1}</faultstring><detail><sf:LoginFault><sf:exceptionCode>{0}"
    "</sf:exceptionCode><sf:exceptionMessage>{1}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
)
_RESULT = (
    "<loginResponse><result><metadataServerUrl>{url}/services/Soap/m/{version}/{org}</metadataServerUrl><passwordExpired>{expired}"
    "</passwordExpired><sandbox>true</sandbox><serverUrl>{url}/services/Soap/u/{version}/{org}</serverUrl><sessionId>{token}</sessionId>"
    "<userId>{user}</userId><userInfo><organizationId>{org}</organizationId><userId>{user}</userId><userName>{name}</userName></userInfo>"
    "</result></loginResponse>"
)


def call(instance: Instance, request: Request) -> tuple[Response, str]:
    """The answer of the partner API, and the user's name for the call log. Whoever's password has expired is let in, to nothing."""
    version = request.parts()[3] if len(request.parts()) > 3 else "60.0"
    try:
        tree = ElementTree.fromstring(request.body)
    except ElementTree.ParseError as error:
        return _fault("UNKNOWN_EXCEPTION", f"no XML: {error}"), ""
    login = tree.find(f".//{_PARTNER}login")
    if login is None:
        if tree.find(f".//{_PARTNER}logout") is not None:
            instance.sessions.close(tree.findtext(f".//{_PARTNER}sessionId") or "")
            return Response(200, _ENVELOPE.format("<logoutResponse/>").encode(), dict(_XML)), ""
        return _fault("INVALID_OPERATION", "this sandbox knows login and logout only"), ""
    name, password = (login.findtext(f"{_PARTNER}{one}") or "" for one in ("username", "password"))
    try:
        who = instance.sessions.by_password(name, password)
    except OAuthError:
        return _fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out."), name
    session = instance.sessions.open(who, "", restricted=who.password_expired)
    expired = "true" if who.password_expired else "false"
    told = {"url": instance.url, "version": version, "org": ORG_ID[:15], "token": session.token, "user": who.user_id}
    text = _RESULT.format(**told, name=escape(who.user_name), expired=expired)
    return Response(200, _ENVELOPE.format(text).encode(), dict(_XML)), name


def _fault(code: str, text: str) -> Response:
    return Response(500, _ENVELOPE.format(_FAULT.format(code, escape(text))).encode(), dict(_XML))
