# SPDX-License-Identifier: Apache-2.0
"""Passkeys as second factor and step-up, and every way to pretend one (W3C Web Authentication, §7 and §13)."""
import base64
import html
import json
import re
import socket

import authenticator
import pytest
from authenticator import BE, BS, EDDSA, ES256, RS256, UP, UV, Passkey, b64, cbor
from oauth import AUTHORIZE, App, Browser, answer
from service import Client, Service, World, person
from test_audit_changes import changes

counter = iter(range(1000))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def service():
    """A service with a name, which relying parties must have."""
    port = free_port()
    started = Service(None, "--listen", f"127.0.0.1:{port}", "--public-url", f"https://localhost:{port}")
    try:
        yield started.start()
    finally:
        started.close()


def newcomer(world, *bindings, admin=None):
    return person(world.service, admin or world.admin, f"key-user-{next(counter)}", bindings)


def code_of(reply):
    return reply.json()["error"]["code"]


def message(reply):
    return reply.json()["error"]["message"]


def begin(who):
    """(ceremony, creation options)"""
    begun = who.ok("POST", "/v1/me/passkeys/options", {"password": who.password})
    return begun["ceremony"], begun["publicKey"]


def keep(who, ceremony, credential, name="key"):
    return who.post("/v1/me/passkeys", {"name": name, "ceremony": ceremony, "credential": credential})


def enrol(who, **more):
    """A passkey of theirs; the client's token is the fresh one from then on."""
    key = Passkey(who.service.url, **more)
    ceremony, options = begin(who)
    reply = keep(who, ceremony, key.create(options))
    assert reply.status_code == 201, reply.text
    key.handle, key.made = options["user"]["id"], reply.json()
    who.token = key.made["access_token"]
    return key


def ask(who):
    """(ceremony, request options) of a step-up"""
    begun = who.ok("POST", "/v1/me/step-up/options", data=b"")
    return begun["ceremony"], begun["publicKey"]


def show(who, ceremony, credential):
    return who.post("/v1/me/step-up/passkey", {"ceremony": ceremony, "credential": credential})


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# Having some.

def test_a_passkey_is_made_and_used(world):
    ann = newcomer(world)
    assert ann.ok("GET", "/v1/me/second-factors")["webauthn"] is False
    ceremony, options = begin(ann)
    assert options["rp"]["id"] == "localhost" and options["attestation"] == "none"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert [p["alg"] for p in options["pubKeyCredParams"]] == [EDDSA, ES256, RS256]
    key = Passkey(world.service.url)
    made = keep(ann, ceremony, key.create(options), "the blue one").json()
    assert made["passkey"]["name"] == "the blue one" and len(made["recovery_codes"]) == 10
    assert claims(made["access_token"])["acr"] == "mfa" and {"hwk", "pop", "mfa"} <= set(claims(made["access_token"])["amr"])
    assert ann.ok("GET", "/v1/me/second-factors")["webauthn"] is True
    ceremony, options = ask(ann)
    assert options["rpId"] == "localhost" and [c["id"] for c in options["allowCredentials"]] == [b64(key.id)]
    assert options["userVerification"] == "required"
    reply = show(ann, ceremony, key.get(options))
    assert reply.status_code == 200, reply.text
    assert claims(reply.json()["access_token"])["sid"] == claims(ann.token)["sid"]
    assert ann.ok("GET", "/v1/me/passkeys")["value"][0]["last_used_at"]


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@pytest.mark.parametrize("fmt", ["none", "packed"])
def test_each_algorithm_that_is_offered_works(world, algorithm, fmt):
    ann = newcomer(world)
    key = Passkey(world.service.url, algorithm=algorithm)
    ceremony, options = begin(ann)
    reply = keep(ann, ceremony, key.create(options, fmt))
    assert reply.status_code == 201, reply.text
    ann.token = reply.json()["access_token"]
    ceremony, options = ask(ann)
    assert show(ann, ceremony, key.get(options)).status_code == 200


def test_several_passkeys_are_listed_named_and_removed(world):
    ann = newcomer(world)
    first = enrol(ann)
    ceremony, options = begin(ann)
    assert [c["id"] for c in options["excludeCredentials"]] == [b64(first.id)]
    second = Passkey(world.service.url, flags=UP | UV | BE | BS)
    reply = keep(ann, ceremony, second.create(options), "phone")
    assert reply.status_code == 201 and "recovery_codes" not in reply.json() and reply.json()["passkey"]["synced"] is True
    assert "swk" in claims(reply.json()["access_token"])["amr"]
    listed = ann.ok("GET", "/v1/me/passkeys")["value"]
    assert [p["name"] for p in listed] == ["key", "phone"]
    path = f"/v1/me/passkeys/{listed[1]['id']}"
    assert ann.ok("PATCH", path, {"name": "old phone"})["name"] == "old phone"
    assert changes(world, "patch_my_passkey") == {"name": ("phone", "old phone")}
    assert newcomer(world).patch(path, {"name": "mine"}).status_code == 404
    stranger = newcomer(world)
    assert stranger.delete(path).status_code == 404
    assert ann.delete(path).status_code == 204
    assert changes(world, "delete_my_passkey")["name"] == ("old phone", None)
    ceremony, options = ask(ann)
    assert show(ann, ceremony, second.get(options)).status_code == 403
    assert ann.delete(f"/v1/me/passkeys/{listed[0]['id']}").status_code == 204
    assert ann.ok("GET", "/v1/me/second-factors")["webauthn"] is False
    assert ann.post("/v1/me/step-up", {"code": first.made["recovery_codes"][0]}).status_code == 409


def test_a_stolen_token_or_password_alone_adds_no_passkey(world):
    ann = newcomer(world)
    assert ann.post("/v1/me/passkeys/options", {"password": "not the password"}).status_code == 403
    weak = Client(world.service, ann.token)
    enrol(ann)
    reply = weak.post("/v1/me/passkeys/options", {"password": ann.password})
    assert code_of(reply) == "step-up", "who has a second factor shows it first"
    assert code_of(weak.post("/v1/me/totp", {"password": ann.password})) == "step-up"
    assert code_of(weak.request("DELETE", f"/v1/me/passkeys/{ann.ok('GET', '/v1/me/passkeys')['value'][0]['id']}")) == "step-up"
    pat = Client(world.service, ann.ok("POST", "/v1/tokens", {"name": "t"})["token"])
    assert code_of(pat.post("/v1/me/passkeys/options", {"password": ann.password})) == "denied"


def test_privileged_acts_need_the_passkey_of_who_has_one(world):
    boss = newcomer(world, ("tenant-admin", None))
    old = Client(world.service, boss.token)
    key = enrol(boss)
    reply = old.post("/v1/users", {"name": "x"})
    assert code_of(reply) == "step-up" and "insufficient_user_authentication" in reply.headers["WWW-Authenticate"]
    ceremony, options = ask(old)
    old.token = show(old, ceremony, key.get(options)).json()["access_token"]
    old.ok("POST", "/v1/users", {"name": f"made-by-{boss.name}"})


def login(who, **more):
    return who.service.client().post("/v1/login", {"tenant": "acme", "user": who.name, "password": who.password, **more})


def test_the_password_alone_signs_nobody_in_who_has_a_passkey(world):
    ann = newcomer(world)
    key = enrol(ann)
    reply = login(ann)
    assert code_of(reply) == "step-up" and "passkey" in message(reply)
    codes = key.made["recovery_codes"]
    assert login(ann, code="000000").status_code == 401
    assert login(ann, code=codes[0]).status_code == 200 and login(ann, code=codes[0]).status_code == 401
    new = ann.ok("POST", "/v1/me/recovery-codes", data=b"")["recovery_codes"]
    assert len(set(new) - set(codes)) == 10 and login(ann, code=codes[1]).status_code == 401
    assert login(ann, code=new[0]).status_code == 200
    assert all(c not in world.service.sql("SELECT hash FROM chancery.recovery_code") for c in new)


def test_a_lost_passkey_is_taken_away_by_an_admin(world):
    ann = newcomer(world)
    enrol(ann)
    assert world.admin.request("POST", f"/v1/users/{ann.name}/second-factors/reset").status_code == 204
    assert ann.get("/v1/me").status_code == 401 and login(ann).status_code == 200


# Attacks on registration. Each is refused by name, and nothing is kept.

def edit(**attributes):
    def change(key):
        for name, value in attributes.items():
            setattr(key, name, value)
    return change


def not_offered(key):
    key.cose = lambda: {1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)}


def off_curve(key):
    plain = key.cose()
    key.cose = lambda: {**plain, -3: bytes(32)}


def wrong_type(key):
    plain = key.cose()
    key.cose = lambda: {**plain, 1: 1}


def one_more_member(key):
    plain = key.cose()
    key.cose = lambda: {**plain, 4: [2]}


REGISTRATIONS = {
    "wrong origin": (edit(origin="https://localhost.evil.example"), "origin is not this service"),
    "origin without its port": (edit(client={"origin": "https://localhost"}), "origin is not this service"),
    "origin over http": (lambda key: edit(origin=key.origin.replace("https", "http"))(key), "origin is not this service"),
    "wrong rpId": (edit(rp_id="evil.example"), "another relying party"),
    "inside a page of another site": (edit(client={"crossOrigin": True}), "inside one of another site"),
    "top origin of another site": (edit(client={"topOrigin": "https://evil.example"}), "inside one of another site"),
    "type of an assertion": (edit(kind={"create": "webauthn.get"}), "of another ceremony"),
    "another challenge": (edit(client={"challenge": b64(bytes(32))}), "challenge is not the one"),
    "no challenge": (edit(client={"challenge": None}), "challenge is not the one"),
    "UV missing": (edit(flags=UP), "did not verify who uses it"),
    "UP missing": (edit(flags=UV), "nobody touched"),
    "backed up though it cannot be": (edit(flags=UP | UV | BS), "backed up that cannot be"),
    "algorithm not offered": (not_offered, "algorithm that was not offered"),
    "point off the curve": (off_curve, "key is malformed"),
    "key of another type": (wrong_type, "does not go with its algorithm"),
    "key with one more member": (one_more_member, "key is malformed"),
    "extra bytes in the authenticator data": (edit(trailing=b"\0"), "bytes follow the authenticator data"),
    "short credential id": (edit(id=b"short"), "16 to 1023 bytes"),
    "huge credential id": (edit(id=bytes(1024)), "id or type of the credential"),
}


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_a_pretended_registration_is_refused(world, name):
    change, why = REGISTRATIONS[name]
    ann = newcomer(world)
    key = Passkey(world.service.url)
    change(key)
    ceremony, options = begin(ann)
    reply = keep(ann, ceremony, key.create(options))
    assert reply.status_code == 403 and why in message(reply), reply.text
    assert ann.ok("GET", "/v1/me/passkeys")["value"] == []


BYTES = {
    "truncated CBOR": (lambda raw: raw[:-1], "not canonical CBOR"),
    "cut in the middle": (lambda raw: raw[:40], "not canonical CBOR"),
    "extra bytes": (lambda raw: raw + b"\0", "bytes follow the attestation object"),
    "oversized CBOR": (lambda raw: raw[:-1] + bytes(70000), "canonical CBOR"),
    "a length of 2^63": (lambda raw: b"\xa3\x63fmt\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", "not canonical CBOR"),
    "an indefinite map": (lambda raw: b"\xbf" + raw[1:] + b"\xff", "not canonical CBOR"),
    "a longer length than needed": (lambda raw: b"\xb8\x03" + raw[1:], "not canonical CBOR"),
    "deep nesting": (lambda raw: b"\x81" * 5000, "not canonical CBOR"),
    "a tag": (lambda raw: b"\xc0" + raw, "not canonical CBOR"),
    "no map": (lambda raw: b"\x86" + raw[1:], "must have fmt"),
    "a key twice": (lambda raw: cbor({"fmt": "none"})[:1].replace(b"\xa1", b"\xa2") + 2 * cbor({"fmt": "none"})[1:],
                    "not canonical CBOR"),
    "keys out of order": (lambda raw: b"\xa3" + raw[raw.index(b"\x67attStmt"):] + raw[1:raw.index(b"\x67attStmt")],
                          "not canonical CBOR"),
    "one more member": (lambda raw: b"\xa4" + raw[1:] + cbor("zzzzzzzzzz") + b"\0", "must have fmt"),
}


@pytest.mark.parametrize("name", BYTES)
def test_malformed_cbor_is_refused(world, name):
    bend, why = BYTES[name]
    ann = newcomer(world)
    ceremony, options = begin(ann)
    reply = keep(ann, ceremony, Passkey(world.service.url).create(options, bend=bend))
    assert reply.status_code == 403 and why in message(reply), reply.text


def test_attestation_is_none_or_by_the_key_itself(world):
    ann = newcomer(world)
    for fmt, more, why in [("tpm", {}, "must be none or packed"), ("fido-u2f", {}, "must be none or packed"),
                           ("none", {"x": 1}, "empty statement"), ("packed", {"x5c": [b"cert"]}, "certificates"),
                           ("packed", {"alg": RS256}, "algorithm is not that of the key"),
                           ("packed", {"sig": b"not it"}, "signature does not fit")]:
        ceremony, options = begin(ann)
        reply = keep(ann, ceremony, Passkey(world.service.url).create(options, fmt, **more))
        assert reply.status_code == 403 and why in message(reply), (fmt, reply.text)


def test_a_credential_id_is_not_taken_twice(world):
    ann, eve = newcomer(world), newcomer(world)
    key = enrol(ann)
    mine = Passkey(world.service.url)
    mine.id = key.id
    ceremony, options = begin(eve)
    reply = keep(eve, ceremony, mine.create(options))
    assert (reply.status_code, code_of(reply)) == (409, "exists")
    ceremony, options = begin(ann)
    assert keep(ann, ceremony, key.create(options)).status_code == 409


def test_a_challenge_is_good_once_and_for_its_session_and_purpose(world):
    ann, eve = newcomer(world), newcomer(world)
    ceremony, options = begin(ann)
    assert keep(eve, ceremony, Passkey(world.service.url).create(options)).status_code == 403
    bad = Passkey(world.service.url, flags=UP)
    assert keep(ann, ceremony, bad.create(options)).status_code == 403
    reply = keep(ann, ceremony, Passkey(world.service.url).create(options))
    assert reply.status_code == 403 and "used before" in message(reply), "the failed try has spent it"
    key = enrol(ann)
    ceremony, options = begin(ann)
    assert show(ann, ceremony, key.get(options)).status_code == 403, "one for registering is none for signing in"
    ceremony, options = ask(ann)
    other = Client(world.service, login(ann, code=key.made["recovery_codes"][0]).json()["access_token"])
    assert show(other, ceremony, key.get(options)).status_code == 403, "it is of one session"
    world.service.sql("UPDATE chancery.webauthn_challenge SET expires_at = now()")
    reply = show(ann, ceremony, key.get(options))
    assert reply.status_code == 403 and "too old" in message(reply)
    for handle in ("x", ceremony[:-1], ceremony.replace("chy_wa_", "chy_bs_")):
        assert show(ann, handle, key.get(options)).status_code == 403


# Attacks on its use.

def replay(world, ann, key):
    ceremony, options = ask(ann)
    used = key.get(options)
    assert show(ann, ceremony, used).status_code == 200
    return show(ann, ceremony, used)


def replay_under_a_new_challenge(world, ann, key):
    _, options = ask(ann)
    ceremony, _ = ask(ann)
    return show(ann, ceremony, key.get(options))


def of_another_user(world, ann, key):
    eve = newcomer(world)
    theirs = enrol(eve)
    ceremony, options = ask(ann)
    return show(ann, ceremony, theirs.get(options))


def signed_by_another(world, ann, key):
    theirs = enrol(newcomer(world))
    theirs.id, theirs.handle = key.id, key.handle
    ceremony, options = ask(ann)
    return show(ann, ceremony, theirs.get(options))


def of_another_tenant(world, ann, key):
    foreign = newcomer(world, admin=world.foreign_admin)
    theirs = enrol(foreign)
    ceremony, options = ask(ann)
    reply = show(ann, ceremony, theirs.get(options))
    again, options = ask(foreign)
    assert show(ann, again, key.get(options)).status_code == 403, "nor with its challenge"
    return reply


def bent(**attributes):
    def attack(world, ann, key):
        ceremony, options = ask(ann)
        edit(**attributes)(key)
        return show(ann, ceremony, key.get(options))
    return attack


def with_data(bend):
    def attack(world, ann, key):
        ceremony, options = ask(ann)
        return show(ann, ceremony, key.get(options, bend))
    return attack


def unsigned(change):
    """What is changed after the signature."""
    def attack(world, ann, key):
        ceremony, options = ask(ann)
        used = key.get(options)
        change(used)
        return show(ann, ceremony, used)
    return attack


def stronger(used):
    data = bytearray(authenticator.unb64(used["response"]["authenticatorData"]))
    data[-1] += 5
    used["response"]["authenticatorData"] = b64(bytes(data))


USES = {
    "replayed challenge": (replay, "used before"),
    "signature of another challenge": (replay_under_a_new_challenge, "challenge is not the one"),
    "other user's credential": (of_another_user, "none of this account's"),
    "other user's key under this id": (signed_by_another, "signature does not fit"),
    "other tenant's credential": (of_another_tenant, "none of this account's"),
    "wrong origin": (bent(client={"origin": "https://evil.example"}), "origin is not this service"),
    "wrong rpId": (bent(rp_id="evil.example"), "another relying party"),
    "inside a page of another site": (bent(client={"crossOrigin": True}), "inside one of another site"),
    "type of a registration": (bent(kind={"get": "webauthn.create"}), "of another ceremony"),
    "UV missing": (bent(flags=UP), "did not verify who uses it"),
    "UP missing": (bent(flags=UV), "nobody touched"),
    "became copyable": (bent(flags=UP | UV | BE), "whether it can be backed up"),
    "counter rollback": (bent(counter=-1), "counter went back"),
    "user handle of another": (bent(handle=b64(b"another")), "somebody else's"),
    "extra bytes": (with_data(lambda data: data + b"\0"), "bytes follow"),
    "truncated data": (with_data(lambda data: data[:-1]), "cut off"),
    "data changed after signing": (unsigned(stronger), "signature does not fit"),
    "no signature": (unsigned(lambda used: used["response"].pop("signature")), "missing"),
    "no client data": (unsigned(lambda used: used["response"].pop("clientDataJSON")), "missing"),
    "no response": (unsigned(lambda used: used.pop("response")), "missing"),
    "no id": (unsigned(lambda used: used.pop("id")), "none of this account's"),
}


@pytest.mark.parametrize("name", USES)
def test_a_pretended_use_is_refused(world, name):
    attack, why = USES[name]
    ann = newcomer(world)
    key = enrol(ann, counter=5)
    reply = attack(world, ann, key)
    assert reply.status_code == 403 and why in message(reply), reply.text


def test_a_counter_that_goes_back_is_on_record(world):
    ann = newcomer(world)
    key = enrol(ann, counter=5)
    copy, key.counter = key.counter, 9
    ceremony, options = ask(ann)
    assert show(ann, ceremony, key.get(options)).status_code == 200
    key.counter = copy
    ceremony, options = ask(ann)
    reply = show(ann, ceremony, key.get(options))
    assert reply.status_code == 403
    entry_id = reply.headers["Chancery-Audit"].split(";")[0][3:]
    entry = world["auditor"].ok("GET", f"/v1/audit/entries/{entry_id}")
    assert entry["detail"]["detail"]["passkey_counter_went_back"] == key.made["passkey"]["id"] and entry["outcome"] != "ok"
    key.counter = 10
    ceremony, options = ask(ann)
    assert show(ann, ceremony, key.get(options)).status_code == 200, "the true one goes on"


def test_authenticators_without_a_counter_work(world):
    ann = newcomer(world)
    key = enrol(ann, counter=0)
    for _ in range(2):
        ceremony, options = ask(ann)
        assert show(ann, ceremony, key.get(options)).status_code == 200


# On the pages.

@pytest.fixture(scope="module")
def app(world):
    made = world["tenant-admin"].ok("POST", "/v1/oauth/clients", {
        "name": "passkey-app", "kind": "public", "redirect_uris": ["https://app.example/callback"],
        "grants": ["authorization_code"]})
    return App(world.service, made["client_id"])


def options_on(page):
    return json.loads(html.unescape(re.search(r'data-options="([^"]+)"', page.text).group(1)))


def press(browser, page, key, which="get", **values):
    """What the script does."""
    made = getattr(key, which)(options_on(page))
    form = page.text[:page.text.index("data-options")]
    action = re.search(r'action="([^"]+)"', form).group(1)
    hidden = {n: html.unescape(v) for n, v in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form)}
    return browser.post(action, {**hidden, "credential": json.dumps(made), **values})


def test_a_person_makes_a_passkey_on_the_page_and_signs_in_with_it(world, app):
    ann, browser = newcomer(world), Browser(world.service)
    page = browser.get("/passkeys")
    assert "<script" not in page.text
    page = browser.submit(page, tenant="acme", user=ann.name, password=ann.password)
    assert page.status_code == 303 and page.headers["Location"] == "/passkeys"
    page = browser.submit(browser.get("/passkeys"), name="<laptop>", password=ann.password)
    assert page.status_code == 200 and "script-src 'sha256-" in page.headers["Content-Security-Policy"]
    key = Passkey(world.service.url)
    page = press(browser, page, key, "create")
    assert page.status_code == 200 and len(re.findall(r"<code>[0-9a-f]{20}</code>", page.text)) == 10
    assert "&lt;laptop&gt;" in browser.get("/passkeys").text
    fresh = Browser(world.service)
    wanted, verifier = app.ask()
    page = fresh.submit(fresh.get(AUTHORIZE, wanted), user=ann.name, password=ann.password)
    assert page.status_code >= 400 and "data-options" in page.text
    got = answer(press(fresh, page, key))
    tokens = app.redeem(got["code"], verifier).json()
    assert claims(tokens["id_token"])["acr"] == "mfa" and "hwk" in claims(tokens["id_token"])["amr"]


def test_the_page_takes_no_other_passkey_and_none_twice(world, app):
    ann, eve, browser = newcomer(world), newcomer(world), Browser(world.service)
    key, theirs = enrol(ann), enrol(eve)
    wanted, _ = app.ask()
    page = browser.submit(browser.get(AUTHORIZE, wanted), user=ann.name, password=ann.password)
    assert press(browser, page, theirs).status_code == 401
    reply = press(browser, page, key)
    assert reply.status_code == 401 and "used before" in reply.text
    page = browser.submit(browser.get(AUTHORIZE, wanted), user=ann.name, password=ann.password)
    stranger = Browser(world.service)
    stranger.get(AUTHORIZE, wanted)
    assert press(stranger, page, key).status_code == 403, "the form is of one browser"
    assert press(browser, page, key, tenant="globex").status_code == 401
    assert press(browser, page, key, tenant="never-was").status_code == 401
    assert answer(press(browser, page, key))["code"]


def test_the_wrong_password_does_not_tell_that_there_is_a_passkey(world, app):
    ann, browser = newcomer(world), Browser(world.service)
    enrol(ann)
    wanted, _ = app.ask()
    page = browser.submit(browser.get(AUTHORIZE, wanted), user=ann.name, password="not the password")
    assert page.status_code == 401 and "data-options" not in page.text and "<script" not in page.text


def test_a_service_without_a_name_is_no_relying_party():
    plain = Service()
    try:
        world = World(plain.start())
        ann = newcomer(world)
        reply = ann.post("/v1/me/passkeys/options", {"password": ann.password})
        assert (reply.status_code, code_of(reply)) == (409, "conflict") and "public_url" in message(reply)
    finally:
        plain.close()
