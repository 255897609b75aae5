# SPDX-License-Identifier: Apache-2.0
"""Passkeys with a real browser: Debian's Chromium and its virtual authenticators, at the service over TLS.

chromium and chromium-driver are installed by tests/tools/deps.sh peers. Without them the tests are skipped with
the reason, and fail when REQUIRE_PEERS=1.
"""
import base64
import json
import pathlib
import sys
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests" / "stories")]
from browser import Chromium, free_port  # noqa: E402  (the path is set above)
from oauth import AUTHORIZE, App  # noqa: E402
from service import Service, bootstrap, person  # noqa: E402

counter = iter(range(1000))


@pytest.fixture(scope="module")
def service():
    port = free_port()
    started = Service(None, "--listen", f"127.0.0.1:{port}", "--public-url", f"https://localhost:{port}")
    try:
        yield started.start()
    finally:
        started.close()


@pytest.fixture(scope="module")
def admin(service):
    return bootstrap(service, service.bootstrap_code(), "acme")


@pytest.fixture(scope="module")
def app(service, admin):
    boss = person(service, admin, "boss", [("tenant-admin", None)])
    back = service.url + "/healthz"
    made = boss.ok("POST", "/v1/oauth/clients", {"name": "app", "kind": "public", "redirect_uris": [back],
                                                "grants": ["authorization_code"]})
    return App(service, made["client_id"], redirect=back)


@pytest.fixture
def chromium(service, tmp_path):
    browser = Chromium(tmp_path, service.url)
    yield browser
    browser.close()


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def newcomer(service, admin):
    return person(service, admin, f"surfer-{next(counter)}")


def register(chromium, service, ann):
    """Through the pages, from the password to the recovery codes."""
    chromium.open(service.url + "/passkeys")
    chromium.fill(tenant="acme", user=ann.name, password=ann.password)
    chromium.press("form button")
    chromium.wait(lambda: chromium.find("input[name=name]"))
    chromium.fill(name="virtual", password=ann.password)
    chromium.press("form button")
    chromium.wait(lambda: chromium.find("#passkey"))
    chromium.press("#passkey")


def ask(chromium, service, app, ann, **changes):
    """At the page that asks for the passkey."""
    wanted, verifier = app.ask(**{"prompt": "login", **changes})
    chromium.open(service.url + AUTHORIZE + "?" + urllib.parse.urlencode(wanted))
    chromium.fill(user=ann.name, password=ann.password)
    chromium.press("form button")
    chromium.wait(lambda: chromium.find("#passkey"))
    chromium.press("#passkey")
    return verifier


def arrived(chromium, service):
    chromium.wait(lambda: chromium.url().startswith(service.url + "/healthz?code="))
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(chromium.url()).query))["code"]


def test_register_and_sign_in(chromium, service, admin, app):
    ann = newcomer(service, admin)
    key = chromium.authenticator()
    register(chromium, service, ann)
    chromium.wait(lambda: "Your passkey is kept" in chromium.text())
    assert len(chromium.find("code")) == 10
    assert len(chromium.credentials(key)) == 1 and chromium.credentials(key)[0]["rpId"] == "localhost"
    assert [p["name"] for p in ann.ok("GET", "/v1/me/passkeys")["value"]] == ["virtual"]
    verifier = ask(chromium, service, app, ann)
    tokens = app.redeem(arrived(chromium, service), verifier).json()
    assert claims(tokens["id_token"])["acr"] == "mfa" and {"hwk", "pop", "mfa"} <= set(claims(tokens["id_token"])["amr"])
    assert ann.ok("GET", "/v1/me/passkeys")["value"][0]["last_used_at"]


def test_step_up(chromium, service, admin, app):
    """Signed in with a passkey long ago: the client asks for a fresh sign-in and gets one."""
    ann = newcomer(service, admin)
    chromium.authenticator()
    register(chromium, service, ann)
    chromium.wait(lambda: "Your passkey is kept" in chromium.text())
    service.sql("UPDATE chancery.login_session SET auth_at = now() - interval '1 hour', mfa_at = now() - interval '1 hour'"
                " WHERE kind = 'browser'")
    verifier = ask(chromium, service, app, ann, prompt=None, max_age="60", acr_values="mfa")
    told = claims(app.redeem(arrived(chromium, service), verifier).json()["id_token"])
    assert told["acr"] == "mfa" and told["iat"] - told["auth_time"] < 60


def test_step_up_through_the_interface(chromium, service, admin):
    """The options of the interface are what a browser takes, and what it gives is what the interface takes."""
    ann = newcomer(service, admin)
    chromium.authenticator()
    chromium.open(service.url + "/passkeys")
    script = """const [kind, options, done] = arguments;
        const parse = kind === 'create' ? 'parseCreationOptionsFromJSON' : 'parseRequestOptionsFromJSON';
        navigator.credentials[kind]({publicKey: PublicKeyCredential[parse](options)})
            .then(c => done(JSON.stringify(c.toJSON())), e => done('failed: ' + e));"""

    def run(kind, options):
        found = chromium.call("POST", "/execute/async", {"script": script, "args": [kind, options]})
        assert not found.startswith("failed"), found
        return json.loads(found)

    begun = ann.ok("POST", "/v1/me/passkeys/options", {"password": ann.password})
    made = ann.ok("POST", "/v1/me/passkeys", {"name": "k", "ceremony": begun["ceremony"],
                                              "credential": run("create", begun["publicKey"])})
    ann.token = made["access_token"]
    begun = ann.ok("POST", "/v1/me/step-up/options", data=b"")
    used = {"ceremony": begun["ceremony"], "credential": run("get", begun["publicKey"])}
    assert claims(ann.ok("POST", "/v1/me/step-up/passkey", used)["access_token"])["acr"] == "mfa"
    assert ann.post("/v1/me/step-up/passkey", used).status_code == 403


def test_the_wrong_authenticator_is_refused(chromium, service, admin, app):
    ann = newcomer(service, admin)
    key = chromium.authenticator()
    register(chromium, service, ann)
    chromium.wait(lambda: "Your passkey is kept" in chromium.text())
    chromium.unplug(key)
    chromium.authenticator()
    ask(chromium, service, app, ann)
    chromium.wait(lambda: "This did not work" in chromium.text())
    assert chromium.url().startswith(service.url + AUTHORIZE)


def test_a_copy_with_an_old_counter_is_refused(chromium, service, admin, app):
    ann = newcomer(service, admin)
    key = chromium.authenticator()
    register(chromium, service, ann)
    chromium.wait(lambda: "Your passkey is kept" in chromium.text())
    copy = chromium.credentials(key)[0]
    ask(chromium, service, app, ann)
    arrived(chromium, service)
    chromium.unplug(key)
    other = chromium.authenticator()
    chromium.call("POST", f"/webauthn/authenticator/{other}/credential", {**copy, "signCount": 0})
    ask(chromium, service, app, ann)
    chromium.wait(lambda: "counter went back" in chromium.text())


def test_an_authenticator_that_does_not_know_its_user_is_refused(chromium, service, admin):
    ann = newcomer(service, admin)
    chromium.authenticator(hasUserVerification=False, isUserVerified=False)
    register(chromium, service, ann)
    chromium.wait(lambda: "This did not work" in chromium.text())
    assert ann.ok("GET", "/v1/me/passkeys")["value"] == []


def test_the_page_runs_no_script_but_its_own(chromium, service, admin):
    """The policy holds in a real browser: what is put into the page does not run."""
    ann = newcomer(service, admin)
    chromium.authenticator()
    chromium.open(service.url + "/passkeys")
    chromium.fill(tenant="acme", user=ann.name, password=ann.password)
    chromium.press("form button")
    chromium.wait(lambda: chromium.find("input[name=name]"))
    chromium.fill(name="<script>document.title='owned'</script>", password=ann.password)
    chromium.press("form button")
    chromium.wait(lambda: chromium.find("#passkey"))
    chromium.call("POST", "/execute/sync", {"args": [], "script": """
        const s = document.createElement('script'); s.textContent = "document.title='owned'"; document.body.append(s);
        document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="document.title=\\'owned\\'">');"""})
    assert chromium.call("GET", "/title") == "Make a passkey"
