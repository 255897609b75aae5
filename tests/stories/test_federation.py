# SPDX-License-Identifier: Apache-2.0
"""Signing in at a tenant's own identity provider, and every way a hostile one is refused."""
import base64
import concurrent.futures
import hashlib
import json
import time
import urllib.parse

import pytest
from idp import Idp, Key
from service import Client, Service, World

SECRET = "a client secret with ümlauts & more"


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    made = Idp(tmp_path_factory.mktemp("idp"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(idp):
    started = Service(None, *idp.flags())
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def world(service, idp):
    made = World(service)
    provider(made.admin, "corp", idp.issuer)
    return made


@pytest.fixture(autouse=True)
def honest(idp):
    idp.answers.clear()
    idp.configuration_more = {}
    yield


def provider(admin, name, issuer, **more):
    return admin.ok("POST", "/v1/identity-providers", {
        "name": name, "issuer": issuer, "client_id": "chancery-here", "client_secret": SECRET, "provisioning": "jit", **more})


def begin(service, tenant="acme", name="corp"):
    """A browser that was sent to the provider; what it was sent with."""
    browser = service.client()
    reply = browser.get(f"/v1/login/{tenant}/{name}", allow_redirects=False)
    assert reply.status_code == 303, reply.text
    return browser, dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(reply.headers["Location"]).query))


def end(browser, state, **more):
    query = urllib.parse.urlencode({"state": state, "code": "the-code", **more})
    return browser.get("/v1/login/callback?" + query)


def sign_in(service, idp, tenant="acme", at="corp", token=None, key=None, **claims):
    browser, asked = begin(service, tenant, at)
    idp.id_token = token(asked["nonce"]) if token else \
        (key or idp.key).token(idp.claims(nonce=asked["nonce"], **claims))
    return end(browser, asked["state"])


def test_somebody_signs_in_and_is_the_same_person_next_time(world, idp):
    browser, asked = begin(world.service)
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
    assert asked["client_id"] == "chancery-here" and asked["redirect_uri"] == world.service.url + "/v1/login/callback"
    idp.id_token = idp.key.token(idp.claims(nonce=asked["nonce"], preferred_username="Ann@corp.example", name="Ann"))
    reply = end(browser, asked["state"])
    assert reply.status_code == 200, reply.text
    path, form, basic = [a for a in idp.asked if a[0] == "/token"][-1]
    challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert challenge == asked["code_challenge"] and form["code"] == "the-code"
    user, password = base64.b64decode(basic.split()[1]).decode().split(":")
    assert (user, urllib.parse.unquote(password)) == ("chancery-here", SECRET)
    me = Client(world.service, reply.json()["access_token"]).ok("GET", "/v1/me")
    assert me["name"].startswith("ann.") and me["tenant"] == "acme", me
    again = sign_in(world.service, idp, preferred_username="renamed").json()
    assert again["user"] == me["name"]
    other = sign_in(world.service, idp, sub="u-2", preferred_username="Ann@corp.example", email="ann@corp.example").json()
    assert other["user"] != me["name"]


def test_an_address_links_nobody(world, idp):
    """nOAuth: an e-mail address or a name in a token takes no account over."""
    world.admin.ok("POST", "/v1/users", {"name": "boss", "email": "boss@corp.example", "password": "correct horse battery"})
    world.admin.ok("POST", "/v1/bindings", {"principal": "boss", "role": "tenant-admin", "scope": "tenant"})
    token = sign_in(world.service, idp, sub="evil", email="boss@corp.example", email_verified=True,
                    preferred_username="boss", name="boss").json()["access_token"]
    me = Client(world.service, token).ok("GET", "/v1/me")
    assert me["name"] != "boss" and "tenant-admin" not in json.dumps(me)


@pytest.mark.parametrize("alg", range(4), ids=["RS256", "ES256", "EdDSA", "PS256"])
def test_each_algorithm_is_taken_from_its_key(world, idp, alg):
    assert sign_in(world.service, idp, key=idp.keys[alg], sub=f"alg-{alg}").status_code == 200


def forged(idp, name, nonce):
    """The named bad ID token; all else in it is right."""
    now, rsa, good = int(time.time()), idp.keys[0], idp.claims(nonce=nonce)
    stranger, double = Key("RS256", "rsa"), Key("ES256", "stranger")

    def unsigned(header, signature=""):
        def part(value):
            return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
        return f"{part(header)}.{part(good)}.{signature}"

    def twice():
        text = json.dumps(good)[:-1] + ',"sub":"u-1","sub":"admin"}'
        head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"rsa"}').decode().rstrip("=")
        body = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        sign = base64.urlsafe_b64encode(rsa.sign(f"{head}.{body}".encode())).decode().rstrip("=")
        return f"{head}.{body}.{sign}"

    return {
        "wrong issuer": lambda: rsa.token({**good, "iss": idp.issuer + "/"}),
        "wrong audience": lambda: rsa.token({**good, "aud": "another"}),
        "no audience": lambda: rsa.token({k: v for k, v in good.items() if k != "aud"}),
        "among audiences without azp": lambda: rsa.token({**good, "aud": ["chancery-here", "another"]}),
        "azp is another": lambda: rsa.token({**good, "azp": "another"}),
        "wrong nonce": lambda: rsa.token({**good, "nonce": "another"}),
        "no nonce": lambda: rsa.token({k: v for k, v in good.items() if k != "nonce"}),
        "no subject": lambda: rsa.token({k: v for k, v in good.items() if k != "sub"}),
        "empty subject": lambda: rsa.token({**good, "sub": ""}),
        "subject is a number": lambda: rsa.token({**good, "sub": 7}),
        "other key's signature": lambda: stranger.token(good),
        "unknown kid": lambda: double.token(good),
        "no kid": lambda: rsa.token(good, kid=None),
        "kid of another key": lambda: rsa.token(good, kid="ec"),
        "alg of another key": lambda: rsa.token(good, alg="PS256"),
        "alg none": lambda: unsigned({"alg": "none"}),
        "alg none with kid": lambda: unsigned({"alg": "none", "kid": "rsa"}),
        "alg None": lambda: unsigned({"alg": "None", "kid": "rsa"}),
        "alg in small letters": lambda: rsa.token(good, alg="rs256"),
        "alg RS512": lambda: rsa.token(good, alg="RS512"),
        "HS256 under the public key": lambda: rsa.confused(good),
        "expired": lambda: rsa.token({**good, "iat": now - 600, "exp": now - 1}),
        "exp is a text": lambda: rsa.token({**good, "exp": str(now + 300)}),
        "exp is a fraction": lambda: rsa.token({**good, "exp": now + 300.5}),
        "no exp": lambda: rsa.token({k: v for k, v in good.items() if k != "exp"}),
        "no iat": lambda: rsa.token({k: v for k, v in good.items() if k != "iat"}),
        "not valid yet": lambda: rsa.token({**good, "nbf": now + 300}),
        "issued in the future": lambda: rsa.token({**good, "iat": now + 200}),
        "lives for years": lambda: rsa.token({**good, "exp": now + 10 ** 8}),
        "crit": lambda: rsa.token(good, crit=["b64"], b64=False),
        "brings its key": lambda: stranger.token(good, jwk=stranger.jwk()),
        "names a key set": lambda: stranger.token(good, jku=idp.at("/evil/jwks")),
        "compressed": lambda: rsa.token(good, zip="DEF"),
        "an access token": lambda: rsa.token(good, typ="at+jwt"),
        "a logout token": lambda: rsa.token(good, typ="logout+jwt"),
        "subject said twice": twice,
        "signature cut": lambda: rsa.token(good)[:-4],
        "signature empty": lambda: rsa.token(good).rsplit(".", 1)[0] + ".",
        "two segments": lambda: rsa.token(good).rsplit(".", 1)[0],
        "four segments": lambda: rsa.token(good) + ".x",
        "too long": lambda: rsa.token({**good, "pad": "x" * 9000}),
        "nested": lambda: rsa.token({**good, "deep": [[[[[[[[[[]]]]]]]]]]}),
        "not a token": lambda: "hello",
    }[name]()


BAD = ["wrong issuer", "wrong audience", "no audience", "among audiences without azp", "azp is another", "wrong nonce",
       "no nonce", "no subject", "empty subject", "subject is a number", "other key's signature", "unknown kid", "no kid",
       "kid of another key", "alg of another key", "alg none", "alg none with kid", "alg None", "alg in small letters",
       "alg RS512", "HS256 under the public key", "expired", "exp is a text", "exp is a fraction", "no exp", "no iat",
       "not valid yet", "issued in the future", "lives for years", "crit", "brings its key", "names a key set",
       "compressed", "an access token", "a logout token", "subject said twice", "signature cut", "signature empty",
       "two segments", "four segments", "too long", "nested", "not a token"]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_id_token_is_refused(world, idp, name):
    reply = sign_in(world.service, idp, token=lambda nonce: forged(idp, name, nonce))
    assert reply.status_code == 401 and "access_token" not in reply.text, reply.text
    assert "the ID token is refused: " in reply.json()["error"]["message"], reply.text


def bad_provider(world, idp, name):
    """A provider whose issuer is /name of the same server."""
    provider(world.admin, name, idp.at("/" + name))
    return world.service.client().get(f"/v1/login/acme/{name}", allow_redirects=False)


def test_discovery_names_another_issuer(world, idp):
    idp.answers["/mixed/.well-known/openid-configuration"] = (200, idp.usual("/other/.well-known/openid-configuration"), {})
    reply = bad_provider(world, idp, "mixed")
    assert reply.status_code == 503 and "names another issuer" in reply.text


def test_discovery_that_redirects_is_not_followed(world, idp):
    idp.answers["/moved/.well-known/openid-configuration"] = \
        (302, b"", {"Location": idp.at("/else/.well-known/openid-configuration")})
    reply = bad_provider(world, idp, "moved")
    assert reply.status_code == 503 and "redirects" in reply.text
    assert not [a for a in idp.asked if a[0].startswith("/else")]


def test_a_huge_key_set_is_cut_off(world, idp):
    idp.answers["/huge/jwks"] = (200, b'{"keys":[' + b" " * 400_000 + b"]}", {})
    reply = bad_provider(world, idp, "huge")
    assert reply.status_code == 503 and "more than 262144 bytes" in reply.text


def test_endless_headers_are_cut_off(world, idp):
    """libcurl would keep them all."""
    usual = idp.usual("/heads/.well-known/openid-configuration")
    idp.answers["/heads/.well-known/openid-configuration"] = (200, usual, {f"X-{i}": "a" * 4000 for i in range(20)})
    provider(world.admin, "heads", idp.at("/heads"))
    reply = world.service.client().get("/v1/login/acme/heads", allow_redirects=False)
    assert reply.status_code == 503 and "said more than 65536 bytes" in reply.text


def test_a_slow_issuer_holds_nobody_up(world, idp):
    """As many sign-ins as there are slow threads wait for a tarpit; others go on, and so does who has been there."""
    begin(world.service)
    for i in range(3):
        idp.answers[f"/tar-{i}/.well-known/openid-configuration"] = lambda: time.sleep(6) or (500, b"", {})
        provider(world.admin, f"tar-{i}", idp.at(f"/tar-{i}"))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        slow = [pool.submit(lambda i=i: world.service.client().get(f"/v1/login/acme/tar-{i % 3}", allow_redirects=False))
                for i in range(12)]
        time.sleep(0.5)
        began = time.monotonic()
        begin(world.service)
        assert time.monotonic() - began < 3, "known issuers need not wait"
        replies = [one.result() for one in slow]
    assert {r.status_code for r in replies} == {503}
    assert sum("other issuers are being asked" in r.text for r in replies) >= 8


def test_key_sets_without_a_usable_key(world, idp):
    weak = Key("RS256", "weak", bits=1024)
    for name, keys in [("none", []), ("weak", [weak.jwk()]), ("enc", [idp.keys[0].jwk(use="enc")]),
                       ("offcurve", [idp.keys[1].jwk(y=idp.keys[1].jwk()["x"])]), ("hmac", [{"kty": "oct", "kid": "k", "k": "AAAA"}])]:
        idp.answers[f"/{name}/jwks"] = (200, {"keys": keys}, {})
        reply = bad_provider(world, idp, name)
        assert reply.status_code == 503 and "no key that can be used" in reply.text, (name, reply.text)


def test_two_keys_with_one_id_are_refused(world, idp):
    other = Key("RS256", "rsa")
    idp.answers["/double/jwks"] = (200, {"keys": [idp.keys[0].jwk(), other.jwk()]}, {})
    provider(world.admin, "double", idp.at("/double"))
    idp.issuer, usual = idp.at("/double"), idp.issuer
    try:
        reply = sign_in(world.service, idp, at="double")
    finally:
        idp.issuer = usual
    assert reply.status_code == 401 and "two of the issuer's keys have this kid" in reply.text


def test_keys_are_asked_for_at_most_every_30_seconds(world, idp):
    begin(world.service)
    before = len([a for a in idp.asked if a[0] == "/jwks"])
    for i in range(5):
        assert sign_in(world.service, idp, token=lambda n, i=i: idp.key.token(idp.claims(nonce=n), kid=f"new-{i}")).status_code == 401
    assert len([a for a in idp.asked if a[0] == "/jwks"]) - before <= 1


def test_an_outage_does_not_end_what_is_known(world, idp):
    assert sign_in(world.service, idp, sub="before").status_code == 200
    idp.answers["/jwks"] = idp.answers["/.well-known/openid-configuration"] = (500, b"", {})
    assert sign_in(world.service, idp, sub="during").status_code == 200


def test_only_the_browser_that_began_can_end(world, idp):
    """Login CSRF, fixation, replay: state without its cookie, another's cookie, another state."""
    browser, asked = begin(world.service)
    other, theirs = begin(world.service)
    idp.id_token = idp.key.token(idp.claims(nonce=asked["nonce"]))
    for who, state in [(world.service.client(), asked["state"]), (other, asked["state"]), (browser, theirs["state"]), (browser, "")]:
        reply = end(who, state)
        assert reply.status_code == 400 and "not begun in this browser" in reply.text
    browser, asked = begin(world.service)
    idp.id_token = idp.key.token(idp.claims(nonce=asked["nonce"]))
    assert end(browser, asked["state"]).status_code == 200
    assert end(browser, asked["state"]).status_code == 400


def test_mix_up_the_answer_names_another_issuer(world, idp):
    browser, asked = begin(world.service)
    reply = end(browser, asked["state"], iss="https://evil.example")
    assert reply.status_code == 400 and "another issuer" in reply.text


def test_iss_is_missed_where_it_is_promised(world, idp):
    idp.configuration_more = {"authorization_response_iss_parameter_supported": True}
    provider(world.admin, "sayer", idp.at("/sayer"))
    browser, asked = begin(world.service, name="sayer")
    assert "lacks iss" in end(browser, asked["state"]).text
    browser, asked = begin(world.service, name="sayer")
    idp.id_token = idp.key.token({**idp.claims(nonce=asked["nonce"]), "iss": idp.at("/sayer")})
    assert end(browser, asked["state"], iss=idp.at("/sayer")).status_code == 200


def test_a_code_the_provider_refuses(world, idp):
    browser, asked = begin(world.service)
    idp.answers["/token"] = (400, {"error": "invalid_grant"}, {})
    reply = end(browser, asked["state"])
    assert reply.status_code == 401 and "invalid_grant" in reply.text


def test_the_provider_says_no(world):
    browser, asked = begin(world.service)
    reply = browser.get("/v1/login/callback?" + urllib.parse.urlencode({"state": asked["state"], "error": "access_denied"}))
    assert reply.status_code == 403 and "access_denied" in reply.text


def test_private_addresses_are_out_of_bounds(world):
    """SSRF: what the tenant's admin names, the service connects to only in the public internet."""
    for i, host in enumerate(["127.0.0.1:9", "10.0.0.1", "169.254.169.254", "[::1]:9", "[::ffff:127.0.0.1]:9", "0.0.0.0:9",
                              "192.168.1.1", "100.64.0.1", "[fe80::1]", "[fd00::1]", "localhost:9", "2130706433", "0x7f.1", "0177.1", "127.1",
                              "017700000001", "0x7f000001", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
                              "[::ffff:7f00:1]", "168.63.129.16", "[fd00:ec2::254]", "255.255.255.255"]):
        provider(world.admin, f"inside-{i}", f"https://{host}")
        reply = world.service.client().get(f"/v1/login/acme/inside-{i}", allow_redirects=False)
        assert reply.status_code == 503 and "private or reserved" in reply.text, (host, reply.text)


def test_issuers_must_be_https(world):
    for issuer in ["http://idp.example", "file:///etc/passwd", "https://user:pw@idp.example", "https://idp.example/#x",
                   "https://idp.example/?x=1", "ldap://idp.example", "nonsense"]:
        reply = world.admin.post("/v1/identity-providers", {
            "name": "bad", "issuer": issuer, "client_id": "x", "client_secret": "x", "provisioning": "jit"})
        assert reply.status_code == 400 and reply.json()["error"]["target"] == "issuer", issuer


def test_the_client_secret_is_never_shown(world, service):
    assert SECRET not in json.dumps(world.admin.ok("GET", "/v1/identity-providers/corp"), ensure_ascii=False)
    entries = world["auditor"].get("/v1/audit?limit=1000").text
    assert "identity-providers/corp" in entries and "client secret with" not in entries
    dump = service.sql("SELECT jsonb_agg(to_jsonb(t)) FROM chancery.identity_provider t") + \
        service.sql("SELECT jsonb_agg(to_jsonb(t)) FROM chancery.sealed_value t")
    assert "ümlauts" not in dump and SECRET.encode().hex() not in dump


def test_who_may_add_providers(world):
    body = {"name": "mine", "issuer": "https://idp.example", "client_id": "x", "client_secret": "x", "provisioning": "jit"}
    for role in ("access-admin", "project-owner", "auditor", "data-scientist", "security-operator"):
        assert world[role].post("/v1/identity-providers", body).status_code == 403
    assert world["auditor"].get("/v1/identity-providers/corp").status_code == 200


def test_tenants_do_not_share_providers(world, service, idp):
    """The same issuer and subject in another tenant is another person; a provider here is unknown there."""
    assert service.client().get("/v1/login/globex/corp", allow_redirects=False).status_code == 400
    provider(world.foreign_admin, "corp", idp.issuer)
    theirs = sign_in(service, idp, tenant="globex", preferred_username="ann").json()
    me = Client(service, theirs["access_token"]).ok("GET", "/v1/me")
    assert me["tenant"] == "globex"
    assert world.admin.get(f"/v1/users/{me['name']}").status_code == 404 or me["name"] not in world.admin.get("/v1/users").text


def test_a_disabled_person_stays_out(world, idp):
    name = sign_in(world.service, idp, sub="leaver").json()["user"]
    world.admin.ok("PATCH", f"/v1/users/{name}", {"state": "disabled"})
    reply = sign_in(world.service, idp, sub="leaver")
    assert reply.status_code == 403 and "disabled" in reply.text


def test_provisioned_only_makes_nobody(world, idp):
    provider(world.admin, "strict", idp.issuer, provisioning="provisioned", subject_claim="oid")
    reply = sign_in(world.service, idp, at="strict", sub="new", oid="o-1")
    assert reply.status_code == 403 and "nobody is provisioned" in reply.text


def memberships(service):
    return set(service.sql("SELECT g.name || ' ' || p.name || ' ' || m.source FROM chancery.group_member m"
                           " JOIN chancery.principal_group g ON g.id = m.group_id"
                           " JOIN chancery.principal p ON p.id = m.principal_id").splitlines())


def test_groups_of_the_token(world, service, idp):
    for name in ("readers", "writers"):
        world.admin.ok("POST", "/v1/groups", {"name": name})
    provider(world.admin, "grouped", idp.issuer, group_claim="groups", groups={"id-1": "readers", "id-2": "writers"})
    who = sign_in(service, idp, at="grouped", sub="g", groups=["id-1", "id-9", "readers"]).json()["user"]
    mine = lambda: {m for m in memberships(service) if f" {who} " in m}
    assert mine() == {f"readers {who} claim"}
    sign_in(service, idp, at="grouped", sub="g", groups=["id-2"])
    assert mine() == {f"writers {who} claim"}
    world.admin.ok("POST", "/v1/groups/readers/members", {"principal": who})
    over = sign_in(service, idp, at="grouped", sub="g", _claim_names={"groups": "src1"}).json()
    assert "too many groups" in over["warning"]
    assert mine() == {f"readers {who} local"}, "what was given by hand is not touched"
