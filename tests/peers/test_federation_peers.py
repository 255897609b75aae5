# SPDX-License-Identifier: Apache-2.0
"""Signing in at identity providers that others wrote: npm oidc-provider, and oauth2-mock-server as a hostile one.

Both are installed once into build/peers/oidc, at the versions of oidc/package.json. Without them the tests are
skipped with the reason, and fail when REQUIRE_PEERS=1.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse

import pytest
import requests

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "stories"))
from idp import certificate  # noqa: E402  (the path is set above)
from npm import free_port, installed  # noqa: E402
from service import Client, Service, bootstrap  # noqa: E402

SECRET = "a secret & more"


def peer(script, *arguments):
    process = subprocess.Popen(["node", script, *map(str, arguments)], cwd=installed("oidc"), stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.strip() == "ready":
            return process
    process.wait()
    raise AssertionError("".join(lines)[-2000:])


class Setting:
    """A service and one peer that it knows as provider corp of acme."""

    def __init__(self, folder, script, *more):
        installed("oidc")
        self.cert, self.key = certificate(folder)
        self.port, own = free_port(), free_port()
        self.issuer = f"https://localhost:{self.port}"
        self.process = None
        self.service = Service(None, "--outbound-ca", str(self.cert), "--outbound-private", f"localhost:{self.port}",
                               "--listen", f"127.0.0.1:{own}")
        try:
            self.service.start()
            arguments = more or [self.service.url + "/v1/login/callback"]
            self.process = peer(script, self.port, self.cert, self.key, *arguments)
            self.admin = bootstrap(self.service, self.service.bootstrap_code(), "acme")
            self.admin.ok("POST", "/v1/groups", {"name": "readers"})
            self.admin.ok("POST", "/v1/identity-providers", {
                "name": "corp", "issuer": self.issuer, "client_id": "chancery-here", "client_secret": SECRET,
                "provisioning": "jit", "group_claim": "groups", "groups": {"readers": "readers"}})
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        self.service.close()

    def depart(self):
        """A browser at the service, and where it is sent."""
        ours = self.service.client()
        reply = ours.get("/v1/login/acme/corp", allow_redirects=False)
        assert reply.status_code == 303, reply.text
        return ours, reply.headers["Location"]

    def come_back(self, ours, location):
        assert location.startswith(self.service.url + "/v1/login/callback?"), location
        return ours.get(location.removeprefix(self.service.url))


@pytest.fixture(scope="module")
def oidc(tmp_path_factory):
    made = Setting(tmp_path_factory.mktemp("oidc"), "idp.mjs")
    yield made
    made.close()


def walk(setting, location, login):
    """Through the provider's own pages, as a browser does; where it sends us at last."""
    browser = requests.Session()
    browser.verify, browser.trust_env = str(setting.cert), False
    reply = browser.get(location, allow_redirects=False, timeout=20)
    for _ in range(20):
        if reply.is_redirect:
            there = urllib.parse.urljoin(reply.url, reply.headers["Location"])
            if not there.startswith(setting.issuer):
                return there
            reply = browser.get(there, allow_redirects=False, timeout=20)
            continue
        action = re.search(r'<form[^>]*action="([^"]+)"', reply.text)
        assert action, f"{reply.status_code} {reply.text[:1000]}"
        prompt = re.search(r'name="prompt" value="([^"]+)"', reply.text).group(1)
        form = {"prompt": prompt, **({"login": login, "password": "any"} if prompt == "login" else {})}
        reply = browser.post(urllib.parse.urljoin(reply.url, action.group(1)), data=form, allow_redirects=False, timeout=20)
    raise AssertionError("the provider's pages do not end")


def test_oidc_provider_signs_somebody_in(oidc):
    ours, location = oidc.depart()
    back = walk(oidc, location, "ann")
    assert dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(back).query))["iss"] == oidc.issuer
    reply = oidc.come_back(ours, back)
    assert reply.status_code == 200, reply.text
    me = Client(oidc.service, reply.json()["access_token"]).ok("GET", "/v1/me")
    assert me["name"].startswith("ann.")
    assert me["name"] in oidc.admin.get("/v1/groups/readers/members").text
    again, location = oidc.depart()
    assert oidc.come_back(again, walk(oidc, location, "ann")).json()["user"] == me["name"]
    other, location = oidc.depart()
    assert oidc.come_back(other, walk(oidc, location, "bob")).json()["user"].startswith("bob.")


def test_a_code_of_oidc_provider_works_once_and_in_its_browser(oidc):
    ours, location = oidc.depart()
    back = walk(oidc, location, "ann")
    assert oidc.come_back(oidc.service.client(), back).status_code == 400
    cookies = dict(ours.session.cookies)
    assert oidc.come_back(ours, back).status_code == 200
    ours.session.cookies.update(cookies)
    assert oidc.come_back(ours, back).status_code in (400, 401)


def test_a_code_for_another_sign_in_does_not_fit(oidc):
    """The code of one sign-in put into another: PKCE and nonce refuse it."""
    _, location = oidc.depart()
    code = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(walk(oidc, location, "eve")).query))["code"]
    ours, location = oidc.depart()
    back = re.sub(r"code=[^&]+", "code=" + code, walk(oidc, location, "ann"))
    reply = oidc.come_back(ours, back)
    assert reply.status_code == 401 and "invalid_grant" in reply.text


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "plan.json").write_text("{}")
    made = Setting(folder, "hostile.mjs", folder / "plan.json")
    made.plan = folder / "plan.json"
    yield made
    made.close()


def attempt(hostile, plan):
    hostile.plan.write_text(json.dumps(plan))
    ours, location = hostile.depart()
    reply = requests.get(location, verify=str(hostile.cert), allow_redirects=False, timeout=20)
    assert reply.is_redirect, reply.text
    return hostile.come_back(ours, reply.headers["Location"])


NOW = int(time.time())
AUD = {"aud": "chancery-here"}
PLANS = {
    "iss": ({"claims": {**AUD, "iss": "https://localhost"}}, "iss is not the issuer"),
    "aud": ({"claims": {"aud": "another"}}, "aud is not us"),
    "nonce": ({"claims": {**AUD, "nonce": "another"}}, "nonce is not the one"),
    "expired": ({"claims": {**AUD, "iat": NOW - 600, "exp": NOW - 60}}, "expired"),
    "nbf": ({"claims": {**AUD, "nbf": NOW + 3600}}, "not valid yet"),
    "kid": ({"claims": AUD, "header": {"kid": "unknown"}}, "kid names no key"),
    "crit": ({"claims": AUD, "header": {"jku": "https://evil.example"}}, "a member it should not have"),
    "signature": ({"claims": AUD, "break": True}, "signature does not fit"),
    "none": ({"claims": AUD, "header": {"unsigned": True}}, "alg is not one"),
}


def test_the_mock_server_is_believed_when_it_is_honest(hostile):
    reply = attempt(hostile, {"claims": AUD})
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize("name", PLANS)
def test_the_hostile_server_is_refused(hostile, name):
    plan, why = PLANS[name]
    reply = attempt(hostile, plan)
    assert reply.status_code == 401 and why in reply.text, reply.text
