# SPDX-License-Identifier: Apache-2.0
"""Clients that others wrote, against our issuer: npm openid-client, oauth4webapi and jose, and Debian's authlib.

The scripts in issuer/ say "ok NAME" or "not ok NAME: why", one line a test, and "please …" for what only the
test can do. The people's browser is a page of script that fills in our forms.
"""
import base64
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "stories"))
from npm import installed, missing  # noqa: E402  (the path is set above)
from oauth import AUTHORIZE, REDIRECT, App, Browser, b64  # noqa: E402
from service import Client, Service, bootstrap, person  # noqa: E402

BYE = "https://app.example/bye"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class Setting:
    """acme with somebody and the clients app, server, signer and device; globex with a token."""

    def __init__(self):
        self.service = Service().start()
        self.admin = bootstrap(self.service, self.service.bootstrap_code(), "acme")
        self.admin.ok("PUT", "/v1/projects/credit", {})
        code = self.admin.ok("POST", "/v1/tenants", {"name": "globex"})["bootstrap_code"]
        self.foreign = bootstrap(self.service, code, "globex")
        self.ann = person(self.service, self.admin, "ann", [("reader", "credit")])
        code_grants = ["authorization_code", "refresh_token"]
        self.clients = {
            "app": self.client("app", redirect_uris=[REDIRECT], logout_uris=[BYE], grants=code_grants),
            "server": self.client("server", account=True, redirect_uris=[REDIRECT, "http://127.0.0.1/callback"],
                                  logout_uris=[BYE, "http://127.0.0.1/bye"],
                                  grants=[*code_grants, "client_credentials", EXCHANGE]),
            "signer": self.client("signer", account=True, grants=["client_credentials"], key=self.key()),
            "device": self.client("device", grants=[DEVICE, "refresh_token"])}

    def key(self):
        from cryptography.hazmat.primitives.asymmetric import ec
        n = ec.generate_private_key(ec.SECP256R1()).private_numbers()
        parts = {"x": n.public_numbers.x, "y": n.public_numbers.y, "d": n.private_value}
        return {"kty": "EC", "crv": "P-256", "kid": "k1", **{k: b64(v.to_bytes(32, "big")) for k, v in parts.items()}}

    def client(self, name, account=False, key=None, **more):
        made = {"id": f"acme/{name}"}
        body = {"name": name, "kind": "confidential" if account else "public", **more}
        if account:
            made["account"] = body["service_account"] = f"{name}-account"
            self.admin.ok("POST", "/v1/service-accounts", {"name": made["account"]})
            self.admin.ok("POST", "/v1/bindings", {"principal": made["account"], "role": "reader", "scope": "project",
                                                   "project": "credit"})
            made["secret"] = self.admin.ok("POST", "/v1/tokens", {"name": "secret", "service_account": made["account"]})["token"]
        if key:
            made["key"] = key
            body["jwks"] = {"keys": [{k: v for k, v in key.items() if k != "d"}]}
        self.admin.ok("POST", "/v1/oauth/clients", body)
        return made

    def please(self, what):
        """What the scripts ask for."""
        wishes = {
            "let the grace pass": "UPDATE chancery.refresh_token SET used_at = used_at - interval '21 s' WHERE used_at IS NOT NULL",
            "let the device ask again": "UPDATE chancery.device_code SET polled_at = polled_at - interval '1 minute'",
            "use a new signing key": "UPDATE chancery.signing_key SET signs_until = now()"}
        if what in wishes:
            self.service.sql(wishes[what])
            if "key" in what:
                self.service.client().ok("GET", "/oauth2/jwks")
        else:
            state = {"disable the person": "disabled", "enable the person": "active"}[what]
            self.admin.ok("PATCH", f"/v1/users/{self.ann.name}", {"state": state})

    def signing_key(self):
        """The service's own, opened with its key file as only its machine can."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        row = self.service.sql("SELECT kid, encode(sealed, 'hex') FROM chancery.signing_key ORDER BY created_at DESC LIMIT 1")
        kid, sealed = row.strip().split("|")
        sealed = bytes.fromhex(sealed)
        key = (self.service.home / "home" / "secret.key").read_bytes()
        der = AESGCM(key).decrypt(sealed[:12], sealed[12:], f"signing key {kid}".encode())
        pkcs8 = serialization.load_der_private_key(der, None).private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return {"kid": kid, "pkcs8": base64.b64encode(pkcs8).decode()}

    def config(self):
        tokens = App(self.service, "acme/app").tokens(Browser(self.service), self.ann)
        foreign = json.loads(base64.urlsafe_b64decode(self.foreign.token.split(".")[1] + "=="))
        return {"url": self.service.url, "tenant": "acme", "clients": self.clients, "foreign": self.foreign.token,
                "foreign_tenant": foreign["tenant_id"], "id_token": tokens["id_token"], "signing": self.signing_key(),
                "user": {"user": self.ann.name, "password": self.ann.password}}


@pytest.fixture(scope="module")
def setting():
    made = Setting()
    try:
        yield made
    finally:
        made.service.close()


def run(setting, script, folder):
    """{name: "" or why not} of a script's tests."""
    modules = installed("issuer")
    (folder / "config.json").write_text(json.dumps(setting.config()))
    said = {}
    process = subprocess.Popen(["node", script, folder / "config.json"], cwd=modules, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={"PATH": "/usr/local/bin:/usr/bin:/bin", "NODE_EXTRA_CA_CERTS": setting.service.ca})
    others = []
    for line in process.stdout:
        name, _, why = line.rstrip("\n").partition("\t")
        if line.startswith("please "):
            setting.please(line.removeprefix("please ").strip())
            process.stdin.write("done\n")
            process.stdin.flush()
        elif name.startswith("ok "):
            said[name.removeprefix("ok ")] = ""
        elif name.startswith("not ok "):
            said[name.removeprefix("not ok ")] = why or "failed"
        else:
            others.append(line)
    assert process.wait(30) == 0, "".join(others)[-2000:]
    return said


def names(script):
    """What the script will say, so that a test that never runs is missed."""
    text = (HERE / "issuer" / script).read_text()
    found = [m[1] or m[2] for m in re.finditer(r"""^await test\((?:'([^']+)'|"([^"]+)"),""", text, re.M)]
    assert len(found) > 3
    return found


@pytest.fixture(scope="module")
def said(setting, tmp_path_factory):
    kept = {}

    def of(script):
        if script not in kept:
            kept[script] = run(setting, script, tmp_path_factory.mktemp("issuer"))
        return kept[script]
    return of


@pytest.mark.parametrize("name", names("openid_client.mjs"))
def test_openid_client(said, name):
    assert said("openid_client.mjs").get(name, "did not run") == ""


@pytest.mark.parametrize("name", names("oauth4webapi.mjs"))
def test_oauth4webapi(said, name):
    assert said("oauth4webapi.mjs").get(name, "did not run") == ""


@pytest.mark.parametrize("name", names("jose.mjs"))
def test_jose(said, name):
    assert said("jose.mjs").get(name, "did not run") == ""


def test_every_forgery_of_jose_is_refused(said):
    forged = {name: why for name, why in said("jose.mjs").items() if name.startswith("refused: ")}
    assert len(forged) >= 35 and not any(forged.values()), {n: w for n, w in forged.items() if w}


@pytest.fixture
def authlib(setting):
    """What makes one of authlib's clients."""
    try:
        from authlib.integrations.requests_client import OAuth2Session
    except ImportError:
        missing("python3-authlib is not installed")
    found = setting.service.client().ok("GET", "/.well-known/openid-configuration")

    def make(name, **more):
        known = setting.clients[name]
        session = OAuth2Session(known["id"], known.get("secret"), scope="openid profile chancery", redirect_uri=REDIRECT,
                                token_endpoint=found["token_endpoint"], code_challenge_method="S256", **more)
        session.verify, session.trust_env, session.found = setting.service.ca, False, found
        return session
    return make


def through_our_pages(setting, location):
    """Where a browser is sent from there, once the person has signed in."""
    browser = Browser(setting.service)
    page = browser.get(location.removeprefix(setting.service.url))
    reply = browser.submit(page, user=setting.ann.name, password=setting.ann.password)
    assert reply.status_code == 303, reply.text
    return reply.headers["Location"]


@pytest.mark.parametrize("name, how", [("app", "none"), ("server", "client_secret_basic"), ("server", "client_secret_post")])
def test_authlib_signs_in_refreshes_and_revokes(setting, authlib, name, how):
    from authlib.jose import JsonWebKey, JsonWebToken
    from authlib.oidc.core import CodeIDToken
    session = authlib(name, token_endpoint_auth_method=how)
    verifier, nonce = "v" * 64, "n-0815"
    url, state = session.create_authorization_url(session.found["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    token = session.fetch_token(authorization_response=through_our_pages(setting, url), state=state, code_verifier=verifier)
    keys = JsonWebKey.import_key_set(setting.service.client().ok("GET", "/oauth2/jwks"))
    claims = JsonWebToken(["ES256"]).decode(token["id_token"], keys, claims_cls=CodeIDToken, claims_params={
        "nonce": nonce, "client_id": session.client_id, "access_token": token["access_token"]},
        claims_options={"iss": {"values": [setting.service.url]}, "aud": {"values": [session.client_id]}})
    claims.validate(leeway=5)
    assert session.get(session.found["userinfo_endpoint"]).json()["sub"] == claims["sub"]
    access = JsonWebToken(["ES256"]).decode(token["access_token"], keys)
    assert access["sub"] == claims["sub"] and access.header["typ"] == "at+jwt"
    fresh = session.refresh_token(session.found["token_endpoint"], refresh_token=token["refresh_token"])
    assert fresh["refresh_token"] != token["refresh_token"]
    assert session.revoke_token(session.found["revocation_endpoint"], token=fresh["refresh_token"]).status_code == 200
    assert session.get(session.found["userinfo_endpoint"]).status_code == 401


def test_authlib_as_a_machine(setting, authlib):
    from authlib.integrations.base_client import OAuthError
    from authlib.jose import JsonWebKey
    from authlib.oauth2.rfc7523 import PrivateKeyJWT
    machine = authlib("server", token_endpoint_auth_method="client_secret_basic")
    token = machine.fetch_token(grant_type="client_credentials", scope="projects/read")
    assert token["scope"] == "projects/read"
    told = machine.introspect_token(machine.found["introspection_endpoint"], token=token["access_token"])
    assert told.json()["active"] and told.json()["client_id"] == machine.client_id
    signer = authlib("signer")
    key = JsonWebKey.import_key(setting.clients["signer"]["key"])
    signer.client_secret = key.as_dict(is_private=True)

    def show(audience, seconds):
        now = int(time.time())
        signer.register_client_auth_method(PrivateKeyJWT(audience, alg="ES256", claims={"exp": now + seconds, "iat": now}))
        signer.token_endpoint_auth_method = PrivateKeyJWT.name
        return signer.fetch_token(grant_type="client_credentials", scope="chancery")

    assert Client(setting.service, show(setting.service.url, 60)["access_token"]).get("/v1/me").json()["name"] == "signer-account"
    for audience, seconds in ((signer.found["token_endpoint"], 60), (setting.service.url, 3600), ("https://other.example", 60)):
        with pytest.raises(OAuthError, match="invalid_client"):
            show(audience, seconds)
