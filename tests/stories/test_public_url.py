# SPDX-License-Identifier: Apache-2.0
"""public_url: what clients call the service is in every token and address, and outlives its port."""
import base64
import json
import re
import socket
import urllib.parse

import pytest
import requests
from idp import Idp
from oauth import AUTHORIZE, REDIRECT, TOKEN, App, Browser, answer
from service import PASSWORD, Client, Service, bootstrap, person
from test_federation import provider

URL = "https://chancery.example"


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    made = Idp(tmp_path_factory.mktemp("idp"))
    yield made
    made.close()


class Behind(Service):
    """Reached at its port, though it calls itself otherwise: as a proxy in front of it does."""

    def start(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        kept, self.flags = self.flags, [*self.flags, "--listen", f"127.0.0.1:{self.port}"]
        super().start()
        self.flags = kept
        self.said, self.url = self.url, f"https://127.0.0.1:{self.port}"
        return self


@pytest.fixture(scope="module")
def service(idp):
    made = Behind(None, "--public-url", URL + "/", *idp.flags())
    try:
        yield made.start()
    finally:
        made.close()


@pytest.fixture(scope="module")
def admin(service):
    return bootstrap(service, service.bootstrap_code(), "acme")


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_every_address_begins_with_it(service, admin, idp):
    assert service.said == URL
    found = service.client().ok("GET", "/.well-known/openid-configuration")
    assert found["issuer"] == URL
    assert all(v.startswith(URL + "/") for k, v in found.items() if k.endswith("_endpoint") or k == "jwks_uri")
    begun = App(service, "acme/chancery-cli").call("/oauth2/device_authorization", {"scope": "chancery"}).json()
    assert begun["verification_uri"] == URL + "/device" and begun["verification_uri_complete"].startswith(URL + "/device?")
    provider(admin, "corp", idp.issuer)
    there = service.client().get("/v1/login/acme/corp", allow_redirects=False).headers["Location"]
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(there).query))
    assert asked["redirect_uri"] == URL + "/v1/login/callback"
    said = [service.client().get("/openapi.json").text, json.dumps(found), json.dumps(begun), there]
    assert not any(f":{service.port}" in text for text in said)


def test_tokens_and_answers_name_it(service, admin):
    ann = person(service, admin, "ann")
    admin.ok("POST", "/v1/oauth/clients", {"name": "app", "kind": "public", "redirect_uris": [REDIRECT],
                                           "grants": ["authorization_code", "refresh_token"]})
    app, browser = App(service, "acme/app"), Browser(service)
    got, verifier, _ = app.sign_in(browser, ann)
    assert got["iss"] == URL
    tokens = app.redeem(got["code"], verifier).json()
    assert claims(tokens["access_token"])["iss"] == claims(tokens["id_token"])["iss"] == URL
    server = app.call(TOKEN, {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})
    assert claims(server.json()["access_token"])["iss"] == URL
    assert Client(service, tokens["access_token"]).get("/v1/me").status_code == 200


def test_forms_come_from_there(service, admin):
    """A browser's Origin is the public one; that of the port behind it is a stranger's."""
    browser, app = Browser(service), App(service, "acme/app")
    page = browser.get(AUTHORIZE, app.ask()[0])
    form = {**browser.form(page), "user": "admin", "password": PASSWORD}
    assert browser.post(AUTHORIZE, form, headers={"Origin": service.url}).status_code == 403
    assert "code" in answer(browser.post(AUTHORIZE, form, headers={"Origin": URL}))


def test_the_certificate_is_good_for_it(service):
    import ssl
    context = ssl.create_default_context(cafile=service.ca)
    with socket.create_connection(("127.0.0.1", service.port)) as raw, \
            context.wrap_socket(raw, server_hostname="chancery.example") as wrapped:
        assert wrapped.version() in ("TLSv1.2", "TLSv1.3")


def test_tokens_outlive_a_change_of_port(service, admin):
    before = service.port
    service.stop()
    service.start()
    assert service.port != before
    assert admin.get("/v1/me").status_code == 200, "the same token, at another port"


def test_without_it_the_issuer_is_where_it_listens(admin, service):
    """And so changes with port 0: runtime.json says what it is now."""
    alone = Service()
    try:
        alone.start()
        assert alone.url == alone.runtime["url"] and re.fullmatch(r"https://127\.0\.0\.1:\d+", alone.url)
        assert alone.client().ok("GET", "/.well-known/openid-configuration")["issuer"] == alone.url
        for wrong in ("http://chancery.example", "https://chancery.example/path", "https://user@chancery.example",
                      "https://Chancery.example", "https://chancery.example:443", "https://chancery.example:99999",
                      "https://", "https://:8443", "chancery.example", "https://chancery.example?x", "https://[::1",
                      "https://chancery.example#x", "https://-x", "https://chancery.example:", "https://a b"):
            alone.stop()
            alone.flags = ["--public-url", wrong]
            with pytest.raises(AssertionError, match="setting public_url: must be https://HOST"):
                alone.start()
    finally:
        alone.kill()
        alone.close()
