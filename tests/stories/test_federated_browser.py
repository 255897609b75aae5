# SPDX-License-Identifier: Apache-2.0
"""A browser that signs in at the tenant's provider, goes on to a client, and is signed out from there."""
import base64
import html
import json
import re
import time
import urllib.parse
import uuid

import pytest
from idp import Idp, Key, b64
from oauth import AUTHORIZE, REDIRECT, App, Browser, answer
from service import Client, Service, World
from test_federation import provider

EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}
LOGOUT = "/v1/login/acme/corp/logout"
people = iter(range(1000))


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    made = Idp(tmp_path_factory.mktemp("idp"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(idp):
    started = Service(None, *idp.flags())
    try:
        yield started.start()
    finally:
        started.close()


@pytest.fixture(scope="module")
def world(service, idp):
    made = World(service)
    provider(made.admin, "corp", idp.issuer)
    return made


@pytest.fixture(scope="module")
def app(world):
    made = world["tenant-admin"].ok("POST", "/v1/oauth/clients", {
        "name": "app", "kind": "public", "redirect_uris": [REDIRECT], "logout_uris": [REDIRECT],
        "grants": ["authorization_code", "refresh_token"]})
    return App(world.service, made["client_id"])


def visit(idp, browser, location, **claims):
    """What the provider does with a browser that was sent there, and where the callback sends it."""
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
    idp.id_token = idp.key.token(idp.claims(nonce=asked["nonce"], **claims))
    return browser.get("/v1/login/callback?" + urllib.parse.urlencode({"state": asked["state"], "code": "the-code"}))


class Visitor:
    """Somebody with a session at the provider, in a browser of ours, and with tokens of the client."""

    def __init__(self, world, app, idp, **changes):
        self.sub, self.sid = f"visitor-{next(people)}", str(uuid.uuid4())
        self.browser = Browser(world.service)
        wanted, verifier = app.ask(**changes)
        page = self.browser.get(AUTHORIZE, wanted)
        link = html.unescape(re.search(r'href="(/v1/login/acme/corp[^"]*)"', page.text).group(1))
        self.sent = self.browser.get(link)
        assert self.sent.status_code == 303, self.sent.text
        reply = visit(idp, self.browser, self.sent.headers["Location"], sub=self.sub, sid=self.sid)
        assert reply.status_code == 303 and reply.headers["Location"].startswith("/oauth2/authorize?"), reply.text
        self.arrival, self.wanted = reply, wanted
        self.answer = answer(self.browser.get(reply.headers["Location"]))
        self.tokens = app.redeem(self.answer["code"], verifier).json()
        self.client = Client(world.service, self.tokens["access_token"])

    def is_in(self, app):
        signed_in = "code" in answer(self.browser.get(AUTHORIZE, app.ask(prompt="none")[0]))
        refreshed = app.refresh(self.tokens["refresh_token"])
        if refreshed.status_code == 200:
            self.tokens = refreshed.json()
        states = {signed_in, refreshed.status_code == 200, self.client.get("/v1/me").status_code == 200}
        assert len(states) == 1, "all of it or nothing"
        return signed_in


def logout_token(idp, header=None, key=None, **changes):
    now = int(time.time())
    claims = {"iss": idp.issuer, "aud": "chancery-here", "iat": now, "exp": now + 120, "jti": str(uuid.uuid4()),
              "events": EVENT, **changes}
    return (key or idp.key).token({k: v for k, v in claims.items() if v is not None}, **{"typ": "logout+jwt", **(header or {})})


def send(world, token, path=LOGOUT):
    return world.service.client().request("POST", path, data={"logout_token": token})


def test_a_sign_in_elsewhere_ends_at_the_client(world, app, idp):
    ann = Visitor(world, app, idp)
    cookies = ann.arrival.raw.headers.getlist("Set-Cookie")
    session = next(c for c in cookies if c.startswith("__Host-chancery="))
    assert "HttpOnly" in session and "Secure" in session and "SameSite=Lax" in session
    assert any(c.startswith("__Host-chancery-login=;") and "Max-Age=0" in c for c in cookies), "its own cookie is spent"
    assert ann.answer["state"] == ann.wanted["state"] and ann.answer["iss"] == world.service.url
    assert ann.client.ok("GET", "/v1/me")["name"].startswith("user.")
    part = ann.tokens["id_token"].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert told["nonce"] == ann.wanted["nonce"] and "acr" not in told, "how it was done is the provider's to say"
    assert ann.is_in(app)


def test_a_fresh_sign_in_is_asked_of_the_provider(world, app, idp):
    for wish in ({"prompt": "login"}, {"max_age": "0"}):
        ann = Visitor(world, app, idp, **wish)
        assert "prompt=login" in ann.sent.headers["Location"]
    assert "prompt=login" not in Visitor(world, app, idp).sent.headers["Location"]


BACKS = ["https://evil.example/", "//evil.example", "/\\\\evil.example", "/v1/me", "/device.evil", "/oauth2/authorize", "/oauth2/logout",
         "/oauth2/authorize?a=1#x", "/oauth2/authorize?a=1\\", "/passkeysx", "", "/device?" + "x" * 1800]


@pytest.mark.parametrize("back", BACKS, ids=range(len(BACKS)))
def test_nobody_is_sent_back_to_elsewhere(world, back):
    reply = Browser(world.service).get("/v1/login/acme/corp", {"back": back})
    assert reply.status_code == 400 and "back" in reply.text


def test_it_comes_back_to_other_pages_too(world, idp):
    browser = Browser(world.service)
    reply = visit(idp, browser, browser.get("/v1/login/acme/corp", {"back": "/device"}).headers["Location"], sub="d-1")
    assert reply.headers["Location"] == "/device" and "code it shows" in browser.get("/device").text


def test_a_second_factor_is_not_taken_from_the_provider(world, app, idp):
    ann = Visitor(world, app, idp)
    reply = ann.browser.get(AUTHORIZE, app.ask(acr_values="mfa", prompt="none")[0])
    assert answer(reply)["error"] == "unmet_authentication_requirements"


def test_leaving_the_provider_ends_browser_families_and_tokens(world, app, idp):
    ann, other = Visitor(world, app, idp), Visitor(world, app, idp)
    reply = send(world, logout_token(idp, sid=ann.sid))
    assert reply.status_code == 200 and reply.headers["Cache-Control"] == "no-store", reply.text
    assert not ann.is_in(app) and other.is_in(app)
    assert send(world, logout_token(idp, sub=other.sub)).status_code == 200
    assert not other.is_in(app)
    both = Visitor(world, app, idp)
    assert send(world, logout_token(idp, sub=both.sub, sid=str(uuid.uuid4()))).status_code == 200 and both.is_in(app)
    assert send(world, logout_token(idp, sub=both.sub, sid=both.sid)).status_code == 200 and not both.is_in(app)
    assert send(world, logout_token(idp, sub="nobody-we-know")).status_code == 200
    entries = world["auditor"].ok("GET", "/v1/audit?action=post_backchannel_logout")["value"]
    assert len(entries) == 5 and sorted(e["detail"]["detail"]["sessions_ended"] for e in entries)[-3:] == [2, 2, 2]


def test_a_token_of_a_sign_in_without_a_page_dies_too(world, idp):
    browser = Browser(world.service)
    sent = browser.get("/v1/login/acme/corp")
    reply = visit(idp, browser, sent.headers["Location"], sub="plain", sid="plain-session")
    client = Client(world.service, reply.json()["access_token"])
    assert [s["kind"] for s in client.ok("GET", "/v1/me/sessions")["value"]] == ["federated"]
    assert send(world, logout_token(idp, sid="plain-session")).status_code == 200
    assert client.get("/v1/me").status_code == 401


NOW = int(time.time())
BAD = {
    "nonce": ({"nonce": "x"}, {}, "nonce"),
    "no event": ({"events": None}, {}, "events"),
    "another event": ({"events": {"https://evil.example/event": {}}}, {}, "events"),
    "an event that is no object": ({"events": {next(iter(EVENT)): True}}, {}, "events"),
    "no jti": ({"jti": None}, {}, "jti"),
    "jti is no text": ({"jti": 7}, {}, "jti"),
    "sid is no text": ({"sid": 7}, {}, "sid"),
    "neither sub nor sid": ({"sid": None, "sub": None}, {}, "neither"),
    "sub is no text": ({"sub": ["x"]}, {}, "sub"),
    "another issuer": ({"iss": "https://evil.example"}, {}, "iss"),
    "for another client": ({"aud": "another"}, {}, "aud"),
    "expired": ({"iat": NOW - 600, "exp": NOW - 60}, {}, "expired"),
    "never expires": ({"exp": None}, {}, "exp"),
    "lives too long": ({"exp": NOW + 10 * 86400}, {}, "lives too long"),
    "of the future": ({"iat": NOW + 3600, "exp": NOW + 4000}, {}, "future"),
    "an access token": ({}, {"typ": "at+jwt"}, "typ"),
    "unknown key": ({}, {"kid": "other"}, "kid"),
    "alg none": ({}, {"alg": "none"}, "alg"),
    "another alg": ({}, {"alg": "ES256"}, "alg"),
}


@pytest.fixture(scope="module")
def staying(world, app, idp):
    return Visitor(world, app, idp)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_logout_token_ends_nothing(world, app, idp, staying, name):
    changes, header, why = BAD[name]
    reply = send(world, logout_token(idp, header, **{"sid": staying.sid, **changes}))
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request") and why in reply.text, reply.text
    assert staying.client.get("/v1/me").status_code == 200


def test_forged_logout_tokens_end_nothing(world, app, idp, staying):
    forged = logout_token(idp, key=Key("RS256", idp.key.kid), sid=staying.sid)
    unsigned = logout_token(idp, {"alg": "none"}, sid=staying.sid).rsplit(".", 1)[0] + "."
    id_token = idp.key.token(idp.claims(sub=staying.sub, sid=staying.sid, nonce="n"))
    for token in (forged, unsigned, id_token, idp.key.confused({"sid": staying.sid}), "", "x.y.z", "x" * 9000, b64(b"{}")):
        assert send(world, token).status_code == 400
    assert world.service.client().post(LOGOUT, {"logout_token": forged}).status_code == 400, "JSON is no form"
    assert staying.is_in(app)


def test_a_logout_token_is_good_once(world, app, idp):
    ann = Visitor(world, app, idp)
    token = logout_token(idp, sub=ann.sub)
    assert send(world, token).status_code == 200 and not ann.is_in(app)
    reply = send(world, token)
    assert reply.status_code == 400 and "used before" in reply.text


def test_another_tenants_provider_ends_nothing_here(world, app, idp, staying):
    """The same issuer and client at another tenant: its word is for its own people."""
    provider(world.foreign_admin, "corp", idp.issuer)
    token = logout_token(idp, sub=staying.sub, sid=staying.sid)
    assert send(world, token, "/v1/login/globex/corp/logout").status_code == 200
    assert staying.is_in(app)
    absent = [send(world, token, p) for p in ("/v1/login/never-was/corp/logout", "/v1/login/acme/never-was/logout")]
    assert [r.status_code for r in absent] == [400, 400] and absent[0].content == absent[1].content


def test_whoever_came_from_a_removed_provider_is_signed_out(world, app, idp):
    provider(world.admin, "leased", idp.issuer)
    browser = Browser(world.service)
    sent = browser.get("/v1/login/acme/leased")
    client = Client(world.service, visit(idp, browser, sent.headers["Location"], sub="leased-1").json()["access_token"])
    assert client.get("/v1/me").status_code == 200
    assert world.admin.delete("/v1/identity-providers/leased").status_code == 204
    assert client.get("/v1/me").status_code == 401


def test_how_somebody_signed_in_there_can_be_asked_for(world, idp):
    """acr_values of a provider: asked for, and what the ID token says is what counts (ASVS 5.0, 6.8.4)."""
    provider(world.admin, "strong", idp.issuer, acr_values="urn:mfa phr")
    for acr, status in (("phr", 200), ("urn:mfa", 200), ("pwd", 401), (None, 401), ("urn:mfa phr", 401), (["phr"], 401)):
        browser = Browser(world.service)
        sent = browser.get("/v1/login/acme/strong").headers["Location"]
        assert "acr_values=urn%3Amfa%20phr" in sent
        reply = visit(idp, browser, sent, sub="strong-1", **({"acr": acr} if acr else {}))
        assert reply.status_code == status, reply.text
    reply = world.admin.post("/v1/identity-providers", {
        "name": "x", "issuer": idp.issuer, "client_id": "c", "client_secret": "s", "provisioning": "jit", "acr_values": " "})
    assert reply.status_code == 400 and reply.json()["error"]["target"] == "acr_values"


def test_a_client_signs_its_person_out_by_id_token(world, app, idp):
    """RP-Initiated Logout with id_token_hint instead of client_id."""
    ann = Visitor(world, app, idp)
    hint = {"id_token_hint": ann.tokens["id_token"], "post_logout_redirect_uri": REDIRECT, "state": "s"}
    broken = hint["id_token_hint"][:-4] + "AAAA"
    for wrong in ({"id_token_hint": broken}, {"id_token_hint": ann.tokens["access_token"]}, {"id_token_hint": "x"},
                  {"client_id": "acme/chancery-cli"}, {"post_logout_redirect_uri": "https://evil.example/"}):
        assert ann.browser.get("/oauth2/logout", {**hint, **wrong}).status_code == 400, wrong
    page = ann.browser.get("/oauth2/logout", hint)
    assert page.status_code == 200 and "Sign out" in page.text, page.text
    reply = ann.browser.submit(page)
    assert reply.status_code == 303 and reply.headers["Location"] == REDIRECT + "?state=s"
    assert not ann.is_in(app)
