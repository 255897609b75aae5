# SPDX-License-Identifier: Apache-2.0
"""The issuer: clients, authorization codes with PKCE, refresh families, devices, exchange; RFC 9700's attacks."""
import base64
import concurrent.futures
import json
import secrets
import subprocess
import time
import urllib.parse

import pytest
import requests
from oauth import AUTHORIZE, REDIRECT, TOKEN, App, Browser, answer, b64
from service import BUILD, Client, person
from test_second_factor import enrol, totp

counter = iter(range(1000))


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def newcomer(world, *bindings):
    return person(world.service, world.admin, f"issuer-user-{next(counter)}", bindings)


def make(world, kind="public", **more):
    name = f"app-{next(counter)}"
    body = {"name": name, "kind": kind, "redirect_uris": [REDIRECT],
            "grants": ["authorization_code", "refresh_token"], **more}
    secret = None
    if kind == "confidential":
        account = f"acct-{name}"
        world.admin.ok("POST", "/v1/service-accounts", {"name": account})
        body["service_account"] = account
        secret = world.admin.ok("POST", "/v1/tokens", {"name": "secret", "service_account": account})["token"]
    world.admin.ok("POST", "/v1/oauth/clients", body)
    return App(world.service, f"acme/{name}", secret)


@pytest.fixture(scope="module")
def app(world):
    return make(world)


@pytest.fixture(scope="module")
def server(world):
    return make(world, "confidential", grants=["authorization_code", "refresh_token", "client_credentials",
                                               "urn:ietf:params:oauth:grant-type:token-exchange"])


@pytest.fixture(scope="module")
def ann(world):
    return newcomer(world, ("reader", "credit"))


@pytest.fixture
def browser(world):
    return Browser(world.service)


def error(reply):
    assert reply.headers.get("Cache-Control") == "no-store", reply.text
    return reply.status_code, reply.json()["error"]


# The way it should go.

def test_discovery_says_what_there_is(world):
    found = world.service.client().get("/.well-known/openid-configuration").json()
    assert found["issuer"] == world.service.url
    assert found["code_challenge_methods_supported"] == ["S256"] and found["response_types_supported"] == ["code"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert world.service.client().get("/.well-known/oauth-authorization-server").json() == found  # RFC 8414
    for name, url in found.items():
        if name.endswith(("_endpoint", "jwks_uri")):
            assert requests.get(url, verify=world.service.ca, timeout=30).status_code != 404, name


def test_a_person_signs_in_to_a_client(world, app, ann, browser):
    got, verifier, asked = app.sign_in(browser, ann)
    assert got["iss"] == world.service.url and got["state"] == asked["state"]
    reply = app.redeem(got["code"], verifier)
    assert reply.status_code == 200 and reply.headers["Cache-Control"] == "no-store", reply.text
    tokens = reply.json()
    said = claims(tokens["id_token"])
    assert (said["aud"], said["nonce"], said["acr"], said["amr"]) == (app.id, asked["nonce"], "pwd", ["pwd"])
    assert abs(said["auth_time"] - time.time()) < 60
    me = Client(world.service, tokens["access_token"])
    assert me.ok("GET", "/v1/me")["name"] == ann.name
    assert me.ok("GET", "/oauth2/userinfo")["sub"] == said["sub"] == claims(tokens["access_token"])["sub"]


def test_a_browser_signs_in_once_for_all_clients(world, app, ann, browser):
    app.sign_in(browser, ann)
    reply = browser.get(AUTHORIZE, make(world).ask(prompt="none")[0])
    assert "code" in answer(reply)


def test_prompt_login_and_max_age_ask_again(app, ann, browser):
    app.sign_in(browser, ann)
    assert 'name="password"' in browser.get(AUTHORIZE, app.ask(prompt="login")[0]).text
    time.sleep(1.1)
    assert 'name="password"' in browser.get(AUTHORIZE, app.ask(max_age="0")[0]).text
    assert answer(browser.get(AUTHORIZE, app.ask(prompt="none", max_age="0")[0]))["error"] == "login_required"


def test_prompt_none_without_a_session_is_login_required(app, browser):
    got = answer(browser.get(AUTHORIZE, app.ask(prompt="none")[0]))
    assert got["error"] == "login_required" and got["iss"]


def app_page(app, browser, person, **changes):
    """What the sign-in page answers to the password."""
    page = browser.get(AUTHORIZE, app.ask(**changes)[0])
    assert 'name="password"' in page.text, "asked again, though signed in"
    return browser.submit(page, user=person.name, password=person.password)


def test_acr_values_ask_for_a_second_factor(world, app, browser):
    """RFC 9470, and unmet_authentication_requirements where nobody could help it."""
    carl = newcomer(world)
    weak, unmet = app.ask(acr_values="mfa", prompt="none")[0], "unmet_authentication_requirements"
    assert answer(browser.get(AUTHORIZE, weak))["error"] == "login_required"
    app.sign_in(browser, carl)
    assert answer(browser.get(AUTHORIZE, weak))["error"] == unmet
    assert answer(browser.get(AUTHORIZE, app.ask(acr_values="phr phrh")[0]))["error"] == unmet
    assert "code" in answer(browser.get(AUTHORIZE, app.ask(acr_values="mfa pwd")[0])), "either will do"
    assert answer(app_page(app, browser, carl, acr_values="mfa"))["error"] == unmet, "there is no second factor"
    secret, _ = enrol(carl)
    page = app_page(app, browser, carl, acr_values="urn:other mfa")
    assert page.status_code == 401 and "second factor" in page.text
    wanted, verifier = app.ask(acr_values="mfa", max_age="60")
    page = browser.submit(browser.get(AUTHORIZE, wanted), user=carl.name, password=carl.password, code=totp(secret))
    told = claims(app.redeem(answer(page)["code"], verifier).json()["id_token"])
    assert told["acr"] == "mfa" and set(told["amr"]) == {"pwd", "otp", "mfa"}
    assert "code" in answer(browser.get(AUTHORIZE, weak)), "and the browser stays so"
    world.service.sql("UPDATE chancery.login_session SET mfa_at = now() - interval '1 hour' WHERE kind = 'browser'")
    stale = app.ask(acr_values="mfa", max_age="60", prompt="none")[0]
    assert answer(browser.get(AUTHORIZE, stale))["error"] == unmet


def test_prompt_is_a_list(app, ann, browser):
    app.sign_in(browser, ann)
    assert 'name="password"' in browser.get(AUTHORIZE, app.ask(prompt="consent login")[0]).text
    for wrong in ("none login", "silent", "login silent"):
        assert answer(browser.get(AUTHORIZE, app.ask(prompt=wrong)[0]))["error"] == "invalid_request"


def test_userinfo_tells_what_the_scope_is_for(world, app, browser):
    dora = newcomer(world)
    world.service.sql("UPDATE chancery.principal SET display_name = 'Dora', email = 'dora@acme.example'"
                      f" WHERE name = '{dora.name}'")

    def told(scope):
        token = app.tokens(browser, dora, scope=scope)["access_token"]
        return Client(world.service, token).get("/oauth2/userinfo")

    sub = claims(dora.token)["sub"]
    assert told("openid chancery").json() == {"sub": sub}
    assert told("openid email").json() == {"sub": sub, "email": "dora@acme.example", "email_verified": False}
    assert told("openid profile").json() == {"sub": sub, "preferred_username": dora.name, "name": "Dora"}
    reply = told("profile chancery")
    assert (reply.status_code, reply.json()["error"]) == (403, "insufficient_scope")
    assert dora.ok("GET", "/oauth2/userinfo")["email"] == "dora@acme.example", "one's own token tells all"


def test_clients_of_others_need_consent_once(world, ann, browser):
    app = make(world, third_party=True)
    wanted, verifier = app.ask()
    page = browser.submit(browser.get(AUTHORIZE, wanted), user=ann.name, password=ann.password)
    assert page.status_code == 200 and "Allow" in page.text
    assert answer(browser.submit(page, decision="deny"))["error"] == "access_denied"
    page = browser.get(AUTHORIZE, wanted)
    assert app.redeem(answer(browser.submit(page, decision="allow"))["code"], verifier).status_code == 200
    assert "code" in answer(browser.get(AUTHORIZE, app.ask(prompt="none")[0]))
    more = app.ask(prompt="none", scope="openid profile email chancery")[0]
    assert answer(browser.get(AUTHORIZE, more))["error"] == "consent_required"


def test_the_sign_in_page_is_plain_and_shut(app, browser):
    page = browser.get(AUTHORIZE, app.ask(state='"><script>alert(1)</script>')[0])
    policy = page.headers["Content-Security-Policy"]
    assert page.status_code == 200 and "<script" not in page.text
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert page.headers["X-Frame-Options"] == "DENY" and page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] in ("no-referrer", "same-origin")


def test_the_cookie_is_locked_to_the_host(app, ann, browser):
    page = browser.get(AUTHORIZE, app.ask()[0])
    reply = browser.submit(page, user=ann.name, password=ann.password)
    cookie = reply.headers["Set-Cookie"]
    assert cookie.startswith("__Host-chancery=") and reply.status_code == 303
    assert all(word in cookie for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/")) and "Domain" not in cookie


# RFC 9700 and friends: attacks.

@pytest.mark.parametrize("uri", [
    REDIRECT + "/", REDIRECT + "?x=1", "https://app.example/callback/../evil", "https://app.example.evil/callback",
    "https://app.example@evil.example/callback", "http://app.example/callback", "https://APP.example/callback",
    "https://app.example:444/callback", REDIRECT + "#x", "javascript:alert(1)", "//app.example/callback", " " + REDIRECT])
def test_redirect_uri_is_compared_letter_by_letter(app, browser, uri):
    reply = browser.get(AUTHORIZE, app.ask(redirect_uri=uri)[0])
    assert reply.status_code == 400 and "Location" not in reply.headers and "redirect_uri" in reply.text


def test_only_the_port_of_a_loopback_address_is_free(world, browser):
    app = make(world, redirect_uris=["http://127.0.0.1/done"])
    assert browser.get(AUTHORIZE, app.ask(redirect_uri="http://127.0.0.1:49152/done")[0]).status_code == 200
    for uri in ("http://127.0.0.1:49152/other", "http://localhost:49152/done", "http://127.0.0.1:x/done",
                "http://127.0.0.1.evil.example/done", "https://127.0.0.1:49152/done"):
        assert browser.get(AUTHORIZE, app.ask(redirect_uri=uri)[0]).status_code == 400, uri


def test_an_unknown_client_is_not_redirected(app, browser):
    for client_id in ("acme/never-was", "never-was/app", "app", "acme/", "/", None):
        reply = browser.get(AUTHORIZE, app.ask(client_id=client_id)[0])
        assert reply.status_code == 400 and "client_id" in reply.text and "Location" not in reply.headers


@pytest.mark.parametrize("changes, code, named", [
    ({"response_type": "token"}, "unsupported_response_type", "response_type"),
    ({"response_type": "code id_token"}, "unsupported_response_type", "response_type"),
    ({"response_type": None}, "invalid_request", "response_type"),
    ({"response_mode": "fragment"}, "invalid_request", "response_mode"),
    ({"code_challenge": None}, "invalid_request", "code_challenge"),
    ({"code_challenge": "short"}, "invalid_request", "code_challenge"),
    ({"code_challenge_method": "plain"}, "invalid_request", "code_challenge_method"),
    ({"code_challenge_method": None}, "invalid_request", "code_challenge_method"),
    ({"scope": "openid everything"}, "invalid_scope", "scope"),
    ({"prompt": "maybe"}, "invalid_request", "prompt"),
    ({"max_age": "-1"}, "invalid_request", "max_age"),
    ({"request": "eyJ"}, "request_not_supported", "request"),
    ({"request_uri": "https://evil.example"}, "request_uri_not_supported", "request_uri"),
])
def test_what_is_wrong_is_sent_back_by_name(app, browser, changes, code, named):
    got = answer(browser.get(AUTHORIZE, app.ask(**changes)[0]))
    assert got["error"] == code and named in got["error_description"] and got["state"] and got["iss"]


def test_a_parameter_said_twice_is_refused(app, browser):
    query = urllib.parse.urlencode(app.ask()[0]) + "&state=again"
    reply = browser.get(AUTHORIZE + "?" + query)
    assert reply.status_code == 400 and "state is said twice" in reply.text
    reply = app.call(TOKEN, {"grant_type": ["refresh_token", "refresh_token"]})
    assert error(reply) == (400, "invalid_request")


def test_a_code_is_good_once_and_a_second_use_revokes(world, app, ann, browser):
    got, verifier, _ = app.sign_in(browser, ann)
    tokens = app.redeem(got["code"], verifier).json()
    me = Client(world.service, tokens["access_token"])
    assert me.get("/v1/me").status_code == 200
    assert error(app.redeem(got["code"], verifier)) == (400, "invalid_grant")
    assert me.get("/v1/me").status_code == 401
    assert error(app.refresh(tokens["refresh_token"])) == (400, "invalid_grant")


def test_a_code_redeemed_by_eight_at_once_gives_at_most_one_and_that_is_revoked(world, app, ann, browser):
    got, verifier, _ = app.sign_in(browser, ann)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: app.redeem(got["code"], verifier), range(8)))
    good = [r for r in replies if r.status_code == 200]
    assert len(good) <= 1 and all(r.status_code in (200, 400) for r in replies)
    for reply in good:
        assert Client(world.service, reply.json()["access_token"]).get("/v1/me").status_code == 401


def test_a_code_needs_its_verifier_its_client_and_its_redirect_uri(world, app, ann, browser):
    got, verifier, _ = app.sign_in(browser, ann)
    assert error(app.redeem(got["code"], None)) == (400, "invalid_grant")
    assert error(app.redeem(got["code"], secrets.token_urlsafe(48))) == (400, "invalid_grant")
    assert error(app.redeem(got["code"], verifier, redirect_uri="https://app.example/other")) == (400, "invalid_grant")
    assert error(make(world).redeem(got["code"], verifier)) == (400, "invalid_grant")
    assert app.redeem(got["code"], verifier).status_code == 200


def test_a_code_lives_a_minute(world, app, ann, browser):
    got, verifier, _ = app.sign_in(browser, ann)
    life = world.service.sql("SELECT extract(epoch FROM expires_at - created_at) FROM chancery.authorization_code"
                             " ORDER BY created_at DESC LIMIT 1")
    assert float(life) <= 60
    world.service.sql("UPDATE chancery.authorization_code SET expires_at = now() - interval '1 second'")
    assert error(app.redeem(got["code"], verifier)) == (400, "invalid_grant")


def test_the_form_needs_its_own_page(world, app, ann):
    browser, other = Browser(world.service), Browser(world.service)
    page = browser.get(AUTHORIZE, app.ask()[0])
    form = {**browser.form(page), "user": ann.name, "password": ann.password}
    assert other.post(AUTHORIZE, form).status_code == 403  # login CSRF: the token is another browser's
    assert browser.post(AUTHORIZE, {**form, "csrf": "x" * 43}).status_code == 403
    assert browser.post(AUTHORIZE, form, headers={"Origin": "https://evil.example"}).status_code == 403
    assert browser.post(AUTHORIZE, form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert browser.post(AUTHORIZE, form, headers={"Origin": world.service.url}).status_code == 303


def test_a_sign_in_never_takes_over_the_cookie_that_came_along(app, ann, browser):
    app.sign_in(browser, ann)
    first = browser.session.cookies["__Host-chancery"]
    page = browser.get(AUTHORIZE, app.ask(prompt="login")[0])
    browser.submit(page, user=ann.name, password=ann.password)
    assert browser.session.cookies["__Host-chancery"] != first


def test_wrong_passwords_and_unknown_users_look_alike(app, ann, browser):
    pages = []
    for user in (ann.name, "nobody-at-all"):
        page = browser.submit(browser.get(AUTHORIZE, app.ask(state="s", nonce="n", code_challenge="A" * 43)[0]),
                              user=user, password="not the password")
        pages.append((page.status_code, page.text.replace(user, "")))
    assert pages[0] == pages[1] and pages[0][0] == 401


def test_cookies_are_not_taken_by_the_interface(app, ann, browser):
    app.sign_in(browser, ann)
    assert browser.get("/v1/me").status_code == 401


# Refresh tokens.

def test_refresh_tokens_rotate_and_a_retry_within_the_grace_gets_the_same(app, ann, browser):
    first = app.tokens(browser, ann)["refresh_token"]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: app.refresh(first), range(4)))
    assert [r.status_code for r in replies] == [200] * 4
    assert len({r.json()["refresh_token"] for r in replies}) == 1 and replies[0].json()["refresh_token"] != first


def test_reuse_outside_the_grace_revokes_the_family(world, app, ann, browser):
    first = app.tokens(browser, ann)["refresh_token"]
    second = app.refresh(first).json()
    world.service.sql("UPDATE chancery.refresh_token SET used_at = used_at - interval '21 seconds'"
                      " WHERE used_at IS NOT NULL")
    assert error(app.refresh(first)) == (400, "invalid_grant")
    assert error(app.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert Client(world.service, second["access_token"]).get("/v1/me").status_code == 401


def test_a_refresh_family_ends_for_good(world, app, ann, browser):
    token = app.tokens(browser, ann)["refresh_token"]
    world.service.sql("UPDATE chancery.login_session SET expires_at = now() - interval '1 second'"
                      " WHERE kind = 'client'")
    assert error(app.refresh(token)) == (400, "invalid_grant")


def test_refresh_only_narrows(app, ann, browser):
    token = app.tokens(browser, ann, scope="openid projects/read assets/read")["refresh_token"]
    assert error(app.refresh(token, scope="chancery")) == (400, "invalid_scope")
    assert app.refresh(token, scope="projects/read").json()["scope"] == "projects/read"


def test_a_refresh_token_is_its_clients_alone(world, app, ann, browser):
    assert error(make(world).refresh(app.tokens(browser, ann)["refresh_token"])) == (400, "invalid_grant")


def test_a_token_may_what_its_scope_says_and_nothing_else(world, app, ann, browser):
    narrow = Client(world.service, app.tokens(browser, ann, scope="openid")["access_token"])
    assert narrow.get("/v1/projects/credit").status_code in (403, 404)
    reader = Client(world.service, app.tokens(browser, ann, scope="projects/read")["access_token"])
    assert reader.get("/v1/projects/credit").status_code == 200
    assert reader.post("/v1/tokens", {"name": "escape"}).status_code == 403


def test_disabling_ends_refresh_families(world, app):
    leaver = newcomer(world)
    token = app.tokens(Browser(world.service), leaver)["refresh_token"]
    world.admin.ok("PATCH", f"/v1/users/{leaver.name}", {"state": "disabled"})
    assert error(app.refresh(token)) == (400, "invalid_grant")


# Clients.

def test_confidential_clients_show_their_secret(server, ann, browser):
    got, verifier, _ = server.sign_in(browser, ann)
    bare = App(server.service, server.id)
    assert error(bare.redeem(got["code"], verifier)) == (401, "invalid_client")
    wrong = App(server.service, server.id, "chy_pat_" + 75 * "0")
    assert error(wrong.redeem(got["code"], verifier)) == (401, "invalid_client")
    reply = wrong.redeem(got["code"], verifier)
    assert reply.headers["WWW-Authenticate"].startswith("Basic")
    assert server.redeem(got["code"], verifier).status_code == 200


def test_a_client_gets_no_grant_it_was_not_given(world, app):
    assert error(app.call(TOKEN, {"grant_type": "client_credentials"})) == (400, "unauthorized_client")
    assert error(app.call(TOKEN, {"grant_type": "password", "username": "x", "password": "y"})) == (
        400, "unsupported_grant_type")


def signer():
    from cryptography.hazmat.primitives.asymmetric import ec
    key = ec.generate_private_key(ec.SECP256R1())
    n = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": "P-256", "kid": "k1", "x": b64(n.x.to_bytes(32, "big")), "y": b64(n.y.to_bytes(32, "big"))}
    return key, jwk


def assertion(key, client_id, aud, header=None, **changes):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    now = int(time.time())
    body = {"iss": client_id, "sub": client_id, "aud": aud, "iat": now, "exp": now + 50,
            "jti": secrets.token_hex(8), **changes}
    head = header or {"alg": "ES256", "kid": "k1"}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(body).encode())
    r, s = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return text + "." + b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_private_key_jwt(world):
    key, jwk = signer()
    app = make(world, "confidential", grants=["client_credentials"], redirect_uris=[], jwks={"keys": [jwk]})
    bare = App(world.service, app.id)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

    def ask(text):
        return bare.call(TOKEN, {"grant_type": "client_credentials", "client_assertion_type": kind,
                                 "client_assertion": text})

    url, now = world.service.url, int(time.time())
    good = assertion(key, app.id, url)
    assert ask(good).status_code == 200
    assert error(ask(good)) == (401, "invalid_client"), "a jti is good once"
    stranger, _ = signer()
    for bad in (assertion(stranger, app.id, url), assertion(key, app.id, "https://other.example"),
                assertion(key, app.id, url + TOKEN), assertion(key, app.id, [url, "https://other.example"]),
                assertion(key, app.id, url, exp=now + 3600), assertion(key, app.id, url, exp=now - 1),
                assertion(key, app.id, url, iss="acme/other"), assertion(key, app.id, url, sub="acme/other"),
                assertion(key, app.id, url, jti=None), assertion(key, app.id, url, iat=now + 600),
                assertion(key, app.id, url, {"alg": "none"}), assertion(key, app.id, url, {"alg": "HS256", "kid": "k1"}),
                assertion(key, app.id, url, {"alg": "ES256", "kid": "other"}),
                assertion(key, app.id, url, {"alg": "ES256", "crit": ["x"]}), "x", "a.b.c"):
        assert error(ask(bad))[0] == 401, bad


@pytest.mark.parametrize("change, target", [
    ({"redirect_uris": ["http://app.example/cb"]}, "redirect_uris"),
    ({"redirect_uris": ["https://app.example/cb#x"]}, "redirect_uris"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "redirect_uris"),
    ({"redirect_uris": []}, "redirect_uris"), ({"grants": ["implicit"]}, "grants"), ({"grants": []}, "redirect_uris"),
    ({"grants": ["authorization_code", "client_credentials"]}, "grants"),
    ({"kind": "secret"}, "kind"), ({"jwks": {"keys": []}}, "jwks"), ({"service_account": "x"}, "service_account"),
    ({"kind": "confidential"}, "service_account"), ({"kind": "confidential", "service_account": "never-was"}, "service_account"),
])
def test_what_is_wrong_with_a_client_is_named(world, change, target):
    body = {"name": "wrong", "kind": "public", "redirect_uris": [REDIRECT], "grants": ["authorization_code"], **change}
    reply = world.admin.post("/v1/oauth/clients", body)
    assert reply.status_code == 400 and reply.json()["error"]["target"] == target, reply.text


def test_clients_are_made_by_admins_and_gone_when_deleted(world, ann, browser):
    assert ann.post("/v1/oauth/clients", {"name": "mine", "kind": "public"}).status_code == 403
    app = make(world)
    tokens = app.tokens(browser, ann)
    world.admin.ok("DELETE", "/v1/oauth/clients/" + app.id.split("/")[1])
    assert Client(world.service, tokens["access_token"]).get("/v1/me").status_code == 401
    assert app.refresh(tokens["refresh_token"]).status_code == 401


# Introspection, revocation, exchange.

def test_introspection_is_for_confidential_clients_of_the_tenant(world, app, server, ann, browser):
    tokens = app.tokens(browser, ann)
    said = server.call("/oauth2/introspect", {"token": tokens["access_token"]}).json()
    assert said["active"] and said["username"] == ann.name and said["client_id"] == app.id
    assert server.call("/oauth2/introspect", {"token": tokens["refresh_token"]}).json()["active"]
    foreign = server.call("/oauth2/introspect", {"token": world.foreign_admin.token})
    assert foreign.json() == {"active": False} and foreign.headers["Cache-Control"] == "no-store"
    assert server.call("/oauth2/introspect", {"token": "x"}).json() == {"active": False}
    assert error(app.call("/oauth2/introspect", {"token": tokens["access_token"]})) == (401, "invalid_client")
    assert error(server.call("/oauth2/introspect", {})) == (400, "invalid_request")


def test_revocation_ends_the_session_at_once(world, app, server, ann, browser):
    for kind in ("refresh_token", "access_token"):
        tokens = app.tokens(browser, ann)
        assert server.call("/oauth2/revoke", {"token": tokens[kind]}).status_code == 200
        assert Client(world.service, tokens["access_token"]).get("/v1/me").status_code == 200, "another client's"
        assert app.call("/oauth2/revoke", {"token": tokens[kind]}).status_code == 200
        assert Client(world.service, tokens["access_token"]).get("/v1/me").status_code == 401, kind
        assert error(app.refresh(tokens["refresh_token"])) == (400, "invalid_grant")
    assert app.call("/oauth2/revoke", {"token": "nonsense"}).status_code == 200


def exchange(client, token, **more):
    return client.call(TOKEN, {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token": token,
                               "subject_token_type": "urn:ietf:params:oauth:token-type:access_token", **more})


def test_exchange_only_narrows(world, server, ann):
    token = exchange(server, ann.token, scope="projects/read").json()
    narrow = Client(world.service, token["access_token"])
    assert narrow.get("/v1/projects/credit").status_code == 200
    assert narrow.get("/v1/projects/credit/models").status_code in (403, 404)
    assert claims(token["access_token"])["exp"] <= claims(ann.token)["exp"]
    assert error(exchange(server, token["access_token"], scope="chancery")) == (400, "invalid_scope")
    assert error(exchange(server, token["access_token"], scope="assets/read")) == (400, "invalid_scope")
    assert error(exchange(server, ann.token)) == (400, "invalid_scope")
    assert error(exchange(server, ann.token, scope="projects/read", audience="elsewhere")) == (400, "invalid_target")
    assert error(exchange(server, world.foreign_admin.token, scope="projects/read")) == (400, "invalid_grant")


def test_exchange_of_an_ended_session_is_refused(world, server, app, ann, browser):
    tokens = app.tokens(browser, ann)
    app.call("/oauth2/revoke", {"token": tokens["access_token"]})
    assert error(exchange(server, tokens["access_token"], scope="projects/read")) == (400, "invalid_grant")


# Signing out.

def test_signing_out_ends_the_browser_and_what_came_from_it(world, ann, browser):
    app = make(world, logout_uris=["https://app.example/bye"])
    tokens = app.tokens(browser, ann)
    wanted = {"post_logout_redirect_uri": "https://app.example/bye", "client_id": app.id, "state": "s"}
    page = browser.get("/oauth2/logout", wanted)
    assert Client(world.service, tokens["access_token"]).get("/v1/me").status_code == 200, "asking is not doing"
    reply = browser.submit(page)
    assert reply.status_code == 303 and reply.headers["Location"] == "https://app.example/bye?state=s"
    assert reply.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert Client(world.service, tokens["access_token"]).get("/v1/me").status_code == 401
    assert answer(browser.get(AUTHORIZE, app.ask(prompt="none")[0]))["error"] == "login_required"
    assert browser.get("/oauth2/logout", {**wanted, "post_logout_redirect_uri": "https://evil.example"}).status_code == 400


def test_an_id_token_says_which_client_asks_to_sign_out(world, app, ann, browser):
    """mod_auth_openidc and others send no client_id."""
    mine = make(world, logout_uris=["https://app.example/bye"])
    tokens = mine.tokens(browser, ann)
    wanted = {"post_logout_redirect_uri": "https://app.example/bye", "id_token_hint": tokens["id_token"]}
    header, payload, signature = tokens["id_token"].split(".")
    other = app.tokens(browser, ann)["id_token"]
    for bad in ({"id_token_hint": other}, {"client_id": app.id}, {"id_token_hint": tokens["access_token"]},
                {"id_token_hint": ".".join([header, payload, signature[::-1]])}, {"id_token_hint": "x"},
                {"id_token_hint": None}, {"post_logout_redirect_uri": "https://app.example/else"}):
        params = {k: v for k, v in {**wanted, **bad}.items() if v is not None}
        assert browser.get("/oauth2/logout", params).status_code == 400, bad
    assert Client(world.service, tokens["access_token"]).get("/v1/me").status_code == 200
    reply = browser.submit(browser.get("/oauth2/logout", wanted))
    assert reply.status_code == 303 and reply.headers["Location"] == "https://app.example/bye"
    assert Client(world.service, tokens["access_token"]).get("/v1/me").status_code == 401


# Devices.

def device(world, scope="chancery"):
    app = App(world.service, "acme/chancery-cli")
    begun = app.call("/oauth2/device_authorization", {"scope": scope}).json()
    return app, begun, lambda: app.call(TOKEN, {"grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                                                "device_code": begun["device_code"]})


def confirm(world, ann, begun, decision):
    browser = Browser(world.service)
    page = browser.get("/device", {"user_code": begun["user_code"]})
    reply = browser.submit(page, tenant="acme", user=ann.name, password=ann.password)
    assert reply.status_code == 303, reply.text
    page = browser.get(reply.headers["Location"])
    assert "127.0.0.1" in page.text and begun["user_code"] in page.text
    assert browser.submit(page, decision=decision).status_code == 200


def test_a_device_waits_for_a_yes(world, ann):
    app, begun, poll = device(world)
    assert error(poll()) == (400, "authorization_pending")
    assert error(poll()) == (400, "slow_down")
    confirm(world, ann, begun, "allow")
    world.service.sql("UPDATE chancery.device_code SET polled_at = polled_at - interval '1 minute'")
    tokens = poll()
    assert tokens.status_code == 200, tokens.text
    assert Client(world.service, tokens.json()["access_token"]).ok("GET", "/v1/me")["name"] == ann.name
    assert app.refresh(tokens.json()["refresh_token"]).status_code == 200
    assert error(poll()) == (400, "invalid_grant")


def test_a_device_may_be_refused_or_forgotten(world, ann):
    _, begun, poll = device(world)
    confirm(world, ann, begun, "deny")
    assert error(poll()) == (400, "access_denied")
    _, begun, poll = device(world)
    world.service.sql("UPDATE chancery.device_code SET expires_at = now() - interval '1 second'")
    assert error(poll()) == (400, "expired_token")


def test_codes_of_devices_cannot_be_tried_out(world):
    browser, ann = Browser(world.service), newcomer(world)
    browser.submit(browser.get("/device"), tenant="acme", user=ann.name, password=ann.password)
    for _ in range(5):
        assert browser.get("/device", {"user_code": "BCDF-GHJK"}).status_code == 400
    assert browser.get("/device", {"user_code": "BCDF-GHJK"}).status_code == 429
    assert browser.get("/device", {"user_code": "no"}).status_code == 400


def test_the_command_line_signs_in_by_device(world, ann, tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "CHANCERY_CONFIG": str(tmp_path / "config.json"),
                   "CHANCERY_URL": world.service.url, "CHANCERY_CA": world.service.ca}
    shell = subprocess.Popen([BUILD / "chancery", "login", "--tenant", "acme", "--device"], env=environment, text=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    line = shell.stdout.readline()
    assert line.startswith(f"open {world.service.url}/device and confirm the code "), line
    confirm(world, ann, {"user_code": line.split()[-1]}, "allow")
    said, _ = shell.communicate(timeout=60)
    assert shell.returncode == 0 and f"signed in as {ann.name} of acme" in said
    me = subprocess.run([BUILD / "chancery", "whoami", "--json"], env=environment, capture_output=True, text=True,
                        check=True)
    assert json.loads(me.stdout)["name"] == ann.name
