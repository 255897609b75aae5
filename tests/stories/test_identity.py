# SPDX-License-Identifier: Apache-2.0
"""Signing in, tokens, people, roles: what the service promises about who may do what, and attacks on it."""
import base64
import concurrent.futures
import datetime
import json
import pathlib
import secrets
import time

import pytest
from service import PASSWORD, Client, Service, bootstrap, person


def decode(part):
    return json.loads(raw(part))


def encode(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def raw(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sha256():
    from cryptography.hazmat.primitives import hashes
    return hashes.SHA256()


def der_signature(r_and_s):
    from cryptography.hazmat.primitives.asymmetric import utils
    return utils.encode_dss_signature(int.from_bytes(r_and_s[:32], "big"), int.from_bytes(r_and_s[32:], "big"))


def raw_signature(der):
    from cryptography.hazmat.primitives.asymmetric import utils
    return base64.urlsafe_b64encode(b"".join(n.to_bytes(32, "big") for n in utils.decode_dss_signature(der))
                                    ).decode().rstrip("=")


def code_of(reply):
    return reply.json()["error"]["code"]


def login(client, password, user=None):
    return client.service.client().post(
        "/v1/login", {"tenant": client.tenant, "user": user or client.name, "password": password})


def sign_in(client, password=None):
    reply = login(client, password or client.password)
    assert reply.status_code == 200, reply.text
    again = Client(client.service, reply.json()["access_token"], client.tenant)
    again.name, again.password = client.name, password or client.password
    return again


@pytest.fixture(scope="module")
def admin(world):
    return world.admin


counter = iter(range(1000))


def newcomer(world, *bindings):
    return person(world.service, world.admin, f"user-{next(counter)}", bindings)


def give(client, principal, role, project=None, **more):
    scope = {"scope": "project", "project": project} if project else {"scope": "tenant"}
    return client.post("/v1/bindings", {"principal": principal, "role": role, **scope, **more})


# The first admin.

def test_a_bootstrap_code_works_once_and_its_file_is_gone():
    service = Service()
    try:
        service.start()
        path = pathlib.Path(service.runtime["bootstrap_code_file"])
        code = service.bootstrap_code()
        assert path.stat().st_mode & 0o777 == 0o600
        body = {"code": "x" * 43, "tenant": "first", "user": "ann", "password": PASSWORD}
        refused = service.client().post("/v1/bootstrap", body)
        assert (refused.status_code, code_of(refused)) == (401, "credentials")
        body["code"] = code
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda n: service.client().post("/v1/bootstrap", {**body, "tenant": f"first{n}"}),
                                    range(8)))
        assert sorted(r.status_code for r in replies) == [201] + 7 * [401]
        assert not path.exists()
        assert service.sql("SELECT count(*) FROM chancery.tenant").strip() == "1"
    finally:
        service.close()


def test_a_code_for_a_tenant_makes_only_that_tenant(world, admin):
    made = admin.ok("POST", "/v1/tenants", {"name": "initech"})
    body = {"code": made["bootstrap_code"], "tenant": "umbrella", "user": "ann", "password": PASSWORD}
    assert world.service.client().post("/v1/bootstrap", body).status_code == 401
    other = bootstrap(world.service, made["bootstrap_code"], "initech")
    assert [r["role"] for r in other.ok("GET", "/v1/me")["roles"]] == ["tenant-admin"]
    assert other.post("/v1/tenants", {"name": "x"}).status_code == 403
    assert admin.post("/v1/tenants", {"name": "initech"}).status_code == 409


# Passwords.

def test_wrong_tenant_user_and_password_are_answered_alike(world):
    ann = newcomer(world)
    client = world.service.client()
    replies = [client.post("/v1/login", {"tenant": t, "user": u, "password": "not the password"})
               for t, u in [("acme", ann.name), ("acme", "nobody-here"), ("no-such-tenant", ann.name)]]
    assert {r.status_code for r in replies} == {401}
    assert len({r.text for r in replies}) == 1


def test_failures_delay_the_account_and_nobody_else(world):
    victim, other = newcomer(world), newcomer(world)
    for _ in range(5):
        assert login(victim, "not the password").status_code == 401
    delayed = login(victim, victim.password)
    assert delayed.status_code == 429 and int(delayed.headers["Retry-After"]) >= 1
    assert sign_in(other)
    time.sleep(1.1)
    assert sign_in(victim)


def test_short_and_long_passwords_are_refused_by_name(admin):
    for password in ("short", "x" * 257):
        reply = admin.post("/v1/users", {"name": "weak", "password": password})
        assert reply.status_code == 400 and reply.json()["error"]["target"] == "password"


def test_passwords_are_nowhere_in_the_database_or_the_log(world, admin):
    secret = "unmistakable-" + secrets.token_hex(8)
    admin.ok("POST", "/v1/users", {"name": "quiet", "password": secret})
    assert world.service.client().post(
        "/v1/login", {"tenant": "acme", "user": "quiet", "password": secret}).status_code == 200
    tables = world.service.sql("SELECT relname FROM pg_class WHERE relnamespace = 'chancery'::regnamespace"
                               " AND relkind = 'r'").split()
    for table in tables:
        assert world.service.sql(f"SELECT count(*) FROM chancery.{table} t WHERE t::text LIKE '%{secret}%'").strip() == "0"
    assert secret not in world.service.log()


def test_a_password_is_changed_by_its_owner_who_knows_it(world):
    ann = newcomer(world)
    refused = ann.post("/v1/me/password", {"current": "not the password", "new": PASSWORD})
    assert refused.status_code == 403
    assert ann.post("/v1/me/password", {"current": ann.password, "new": PASSWORD}).status_code == 204
    assert login(ann, ann.password).status_code == 401
    assert sign_in(ann, PASSWORD)


def test_a_sign_in_that_failed_is_on_record(world, admin):
    ann = newcomer(world)
    assert login(ann, "not the password").status_code == 401
    entries = admin.ok("GET", "/v1/audit?action=post_login&outcome=credentials")["value"]
    assert any(e["object"] == f"users/{ann.name}" for e in entries)


# Access tokens.

def test_an_access_token_says_who_and_not_what(admin):
    header, claims = (decode(p) for p in admin.token.split(".")[:2])
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    assert set(claims) == {"iss", "aud", "sub", "tenant", "tenant_id", "name", "kind", "jti", "iat", "exp", "auth_time",
                           "sid", "acr", "amr"} - ({"sid", "acr", "amr"} - set(claims))
    assert claims["iss"] == admin.service.url and claims["exp"] - claims["iat"] == 900


@pytest.mark.parametrize("name, forge", [
    ("another tenant", lambda c: {**c, "tenant_id": c["sub"]}),
    ("another subject", lambda c: {**c, "sub": c["tenant_id"]}),
    ("a longer life", lambda c: {**c, "exp": c["exp"] + 3600}),
    ("a role", lambda c: {**c, "roles": ["tenant-admin"]}),
])
def test_a_token_with_other_claims_is_refused(world, name, forge):
    header, claims, signature = world["reader"].token.split(".")
    forged = ".".join([header, encode(forge(decode(claims))), signature])
    reply = Client(world.service, forged).get("/v1/me")
    assert (reply.status_code, code_of(reply)) == (401, "token"), name


@pytest.mark.parametrize("value", [
    "", "Bearer", "Bearer ", "Bearer x", "Bearer a.b.c", "Bearer " + 9000 * "a", "Basic", "Basic !!!",
    "Basic " + base64.b64encode(b"no colon").decode(), "Basic " + base64.b64encode(b"user:password").decode(),
    "Digest username=x", "Bearer chy_pat_" + 75 * "0", "Bearer eyJhbGciOiJub25lIn0.e30.",
])
def test_odd_credentials_are_refused(world, value):
    reply = world.service.client().get("/v1/me", headers={"Authorization": value})
    assert reply.status_code in (401, 431), reply.text
    if reply.status_code == 401:
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="chancery"' + (', error="invalid_token"' if value else "")


def test_the_key_set_verifies_the_token_by_foreign_code(world, admin):
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    text, _, signature = admin.token.rpartition(".")
    kid = decode(text.split(".")[0])["kid"]
    jwk = next(k for k in world.service.client().ok("GET", "/oauth2/jwks")["keys"] if k["kid"] == kid)
    x, y = (int.from_bytes(raw(jwk[part]), "big") for part in "xy")
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    key.verify(der_signature(raw(signature)), text.encode(), ec.ECDSA(sha256()))


def test_discovery_names_what_there_is(world):
    client = world.service.client()
    found = client.ok("GET", "/.well-known/openid-configuration")
    assert found["issuer"] == world.service.url
    assert client.session.get(found["jwks_uri"]).status_code == 200
    assert client.session.post(found["token_endpoint"]).status_code == 400


def test_a_key_planted_in_the_database_signs_nothing(world, admin):
    """Whoever can write to the table, but has not the key file, forges nothing."""
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    from cryptography.hazmat.primitives import serialization
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption()).hex()
    public = key.public_key().public_bytes(serialization.Encoding.DER,
                                           serialization.PublicFormat.SubjectPublicKeyInfo).hex()
    world.service.sql("INSERT INTO chancery.signing_key (kid, public, sealed, signs_until, retired_at) VALUES"
                      f" ('planted-key-0001', '\\x{public}', '\\x{der}', now() + '1 day', now() + '2 days')")
    text = encode({"alg": "ES256", "kid": "planted-key-0001", "typ": "at+jwt"}) + "." + admin.token.split(".")[1]
    forged = text + "." + raw_signature(key.sign(text.encode(), ec.ECDSA(sha256())))
    assert Client(world.service, forged).get("/v1/me").status_code == 401
    kids = [k["kid"] for k in world.service.client().ok("GET", "/oauth2/jwks")["keys"]]
    assert "planted-key-0001" not in kids
    assert admin.get("/v1/me").status_code == 200


def test_a_worn_key_is_replaced_and_verifies_until_it_is_retired():
    service = Service()
    try:
        service.start()
        admin = bootstrap(service, service.bootstrap_code(), "acme")
        admin.name, admin.password = "admin", PASSWORD
        old = decode(admin.token.split(".")[0])["kid"]
        service.sql("UPDATE chancery.signing_key SET signs_until = now() - interval '1 second'")
        kids = [k["kid"] for k in service.client().ok("GET", "/oauth2/jwks")["keys"]]
        again = sign_in(admin)
        new = decode(again.token.split(".")[0])["kid"]
        assert new != old and {old, new} == set(kids)
        assert (admin.get("/v1/me").status_code, again.get("/v1/me").status_code) == (200, 200)
        service.sql(f"DELETE FROM chancery.signing_key WHERE kid = '{old}'")
        service.client().ok("GET", "/oauth2/jwks")  # reads the table anew, as the watch does every half minute
        assert (admin.get("/v1/me").status_code, again.get("/v1/me").status_code) == (401, 200)
    finally:
        service.close()


# Personal access tokens and service accounts.

def test_a_personal_access_token_is_shown_once_and_works_both_ways(world):
    ann = newcomer(world)
    made = ann.ok("POST", "/v1/tokens", {"name": "laptop"})
    assert made["token"].startswith("chy_pat_")
    assert made["token"] not in json.dumps(ann.ok("GET", "/v1/tokens"))
    assert Client(world.service, made["token"]).ok("GET", "/v1/me")["name"] == ann.name
    basic = base64.b64encode(f"whoever:{made['token']}".encode()).decode()
    reply = world.service.client().get("/v1/me", headers={"Authorization": "Basic " + basic})
    assert reply.json()["name"] == ann.name


def test_a_revoked_token_is_dead_at_the_next_request(world):
    ann = newcomer(world)
    made = ann.ok("POST", "/v1/tokens", {"name": "laptop"})
    client = Client(world.service, made["token"])
    assert client.get("/v1/me").status_code == 200
    assert newcomer(world).delete(f"/v1/tokens/{made['id']}").status_code == 404
    assert ann.delete(f"/v1/tokens/{made['id']}").status_code == 204
    assert client.get("/v1/me").status_code == 401


def test_a_token_ends_when_it_says(world):
    ann = newcomer(world)
    client = Client(world.service, ann.ok("POST", "/v1/tokens", {"name": "brief", "expires_in": 1})["token"])
    assert client.get("/v1/me").status_code == 200
    time.sleep(1.1)
    assert client.get("/v1/me").status_code == 401
    assert ann.post("/v1/tokens", {"name": "long", "expires_in": 366 * 86400}).status_code == 400


def test_tokens_do_not_make_tokens_or_change_passwords(world):
    ann = newcomer(world)
    client = Client(world.service, ann.ok("POST", "/v1/tokens", {"name": "laptop"})["token"])
    assert client.post("/v1/tokens", {"name": "more"}).status_code == 403
    assert client.post("/v1/me/password", {"current": ann.password, "new": PASSWORD}).status_code == 403


def robot_of(world, owner):
    name = f"robot-{next(counter)}"
    world.admin.ok("POST", "/v1/service-accounts", {"name": name, "owner": owner.name})
    secret = owner.ok("POST", "/v1/tokens", {"name": "ci", "service_account": name})["token"]
    return name, secret


def client_credentials(service, client_id, secret, **more):
    return service.client().session.post(service.url + "/oauth2/token", data={
        "grant_type": "client_credentials", "client_id": client_id, "client_secret": secret, **more})


def test_client_credentials_give_an_access_token(world):
    owner = newcomer(world)
    name, secret = robot_of(world, owner)
    reply = client_credentials(world.service, f"acme/{name}", secret)
    assert reply.status_code == 200 and reply.headers["Cache-Control"] == "no-store"
    me = Client(world.service, reply.json()["access_token"]).ok("GET", "/v1/me")
    assert (me["name"], me["kind"]) == (name, "service")
    basic = world.service.client().session.post(
        world.service.url + "/oauth2/token", data={"grant_type": "client_credentials"}, auth=(f"acme%2F{name}", secret))
    assert basic.status_code == 200


def test_client_credentials_are_refused_in_oauths_words(world):
    owner = newcomer(world)
    name, secret = robot_of(world, owner)
    own = owner.ok("POST", "/v1/tokens", {"name": "mine"})["token"]
    for client_id, given in [(f"acme/{name}", own), (f"globex/{name}", secret), (f"acme/{owner.name}", own),
                             (f"acme/{name}", secret[:-1]), ("", secret)]:
        reply = client_credentials(world.service, client_id, given)
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client"), client_id
    post = world.service.client().session.post
    url = world.service.url + "/oauth2/token"
    assert post(url, data={"grant_type": "password"}).json()["error"] == "unsupported_grant_type"
    assert post(url, data={}).json()["error"] == "invalid_request"
    assert post(url, data="grant_type=%", headers={"Content-Type": "application/x-www-form-urlencoded"}
                ).json()["error"] == "invalid_request"
    twice = "grant_type=client_credentials&grant_type=client_credentials"
    assert post(url, data=twice, headers={"Content-Type": "application/x-www-form-urlencoded"}
                ).json()["error"] == "invalid_request"


def test_disabling_somebody_ends_every_token_at_once(world, admin):
    ann = newcomer(world, ("reader", "credit"))
    pat = Client(world.service, ann.ok("POST", "/v1/tokens", {"name": "laptop"})["token"])
    name, secret = robot_of(world, ann)
    robot = Client(world.service, client_credentials(world.service, f"acme/{name}", secret).json()["access_token"])
    everything = (ann, pat, robot, Client(world.service, secret))
    assert [c.get("/v1/me").status_code for c in everything] == [200] * 4
    admin.ok("PATCH", f"/v1/users/{ann.name}", {"state": "disabled"})
    assert [c.get("/v1/me").status_code for c in everything] == [401] * 4
    assert login(ann, ann.password).status_code == 401
    assert client_credentials(world.service, f"acme/{name}", secret).status_code == 401
    heir = newcomer(world)
    admin.ok("PATCH", f"/v1/service-accounts/{name}", {"owner": heir.name})
    assert robot.get("/v1/me").status_code == 200 and ann.get("/v1/me").status_code == 401


def test_whoever_is_woken_again_signs_in_again(world, admin):
    ann = newcomer(world)
    admin.ok("PATCH", f"/v1/users/{ann.name}", {"state": "disabled"})
    admin.ok("PATCH", f"/v1/users/{ann.name}", {"state": "active"})
    assert ann.get("/v1/me").status_code == 401 and login(ann, ann.password).status_code == 200


# Roles.

def test_a_role_counts_at_once_and_so_does_its_end(world, admin):
    ann = newcomer(world)
    for _ in range(20):
        assert ann.get("/v1/projects/credit").status_code == 404
        binding = give(admin, ann.name, "reader", "credit")
        assert binding.status_code == 201
        assert ann.get("/v1/projects/credit").status_code == 200
        assert ann.patch("/v1/projects/credit", {"description": "mine"}).status_code == 403
        assert admin.delete(f"/v1/bindings/{binding.json()['id']}").status_code == 204


def test_a_role_for_a_time_ends_by_itself(world, admin):
    ann = newcomer(world)
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1.5)
    text = until.strftime("%Y-%m-%dT%H:%M:%S.") + f"{until.microsecond // 1000:03}Z"
    assert give(admin, ann.name, "reader", "credit", valid_until=text).status_code == 201
    assert ann.get("/v1/projects/credit").status_code == 200
    time.sleep(1.6)
    assert ann.get("/v1/projects/credit").status_code == 404
    assert give(admin, ann.name, "reader", "credit").status_code == 201
    assert give(admin, ann.name, "reader", "credit").status_code == 409
    assert give(admin, ann.name, "deployer", "credit", valid_until="2020-01-01T00:00:00Z").status_code == 400


def test_what_cannot_be_given_is_named(world, admin):
    ann = newcomer(world)
    for body, target in [({"role": "god"}, "role"), ({"principal": "nobody-here"}, "principal"),
                         ({"project": "no-such"}, "project"), ({"scope": "tenant"}, "project"),
                         ({"role": "tenant-admin"}, "scope"), ({"scope": "galaxy"}, "scope"),
                         ({"valid_until": "tomorrow"}, "valid_until")]:
        reply = admin.post("/v1/bindings", {"principal": ann.name, "role": "reader", "scope": "project",
                                            "project": "credit", **body})
        assert (reply.status_code, reply.json()["error"].get("target")) == (400, target), reply.text


def test_project_owners_give_ordinary_roles_in_their_project_only(world):
    owner, ann = world["project-owner"], newcomer(world)
    assert give(owner, ann.name, "approver", "credit").status_code == 201
    assert give(owner, ann.name, "reader").status_code == 403
    assert give(owner, owner.name, "tenant-admin").status_code == 403
    assert [b["role"] for b in owner.ok("GET", "/v1/bindings?project=credit&principal=" + ann.name)["value"]] == ["approver"]
    assert owner.get("/v1/bindings").status_code == 403


@pytest.mark.parametrize("role", ["data-scientist", "approver", "deployer", "auditor", "reader", "data-steward",
                                  "endpoint-consumer", "security-operator"])
def test_others_give_nothing(world, role):
    client = world[role]
    for wanted in ("reader", role if role != "security-operator" else "reader"):
        reply = give(client, client.name, wanted, "credit")
        assert reply.status_code == 403, reply.text


def test_access_admins_delegate_but_not_to_themselves(world):
    client, ann = world["access-admin"], newcomer(world)
    assert give(client, ann.name, "data-scientist", "credit").status_code == 201
    assert give(client, client.name, "data-scientist", "credit").status_code == 403
    assert give(client, ann.name, "security-operator").status_code == 403
    assert client.post("/v1/users", {"name": "puppet", "password": PASSWORD}).status_code == 403


def test_nobody_takes_over_the_account_of_someone_who_may_more(world, admin):
    client = world["security-operator"]
    assert client.patch("/v1/users/admin", {"password": PASSWORD}).status_code == 403
    helper = newcomer(world)
    assert client.patch(f"/v1/users/{helper.name}", {"password": PASSWORD}).status_code == 200
    owner = newcomer(world)
    name, _ = robot_of(world, owner)
    assert give(admin, name, "project-owner", "credit").status_code == 201
    assert client.patch(f"/v1/service-accounts/{name}", {"owner": client.name}).status_code == 403
    assert client.post("/v1/tokens", {"name": "steal", "service_account": name}).status_code == 403


def test_a_tenant_admin_is_not_the_platform(world):
    second = newcomer(world, ("tenant-admin", None))
    assert second.patch("/v1/users/admin", {"password": PASSWORD}).status_code == 403
    reply = second.post("/v1/bindings", {"principal": second.name, "role": "platform-operator", "scope": "platform"})
    assert reply.status_code == 403
    assert second.get("/v1/tenants").status_code == 403


def test_the_last_admin_cannot_leave(world):
    code = world.admin.ok("POST", "/v1/tenants", {"name": "lonely"})["bootstrap_code"]
    first = bootstrap(world.service, code, "lonely")
    mine = first.ok("GET", "/v1/bindings?principal=admin")["value"][0]["id"]
    assert first.delete(f"/v1/bindings/{mine}").status_code == 409
    assert first.patch("/v1/users/admin", {"state": "disabled"}).status_code == 409
    second = person(world.service, first, "second", [("tenant-admin", None)])
    theirs = second.ok("GET", "/v1/bindings?principal=second")["value"][0]["id"]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # each takes the other's: one must fail
        a = pool.submit(first.delete, f"/v1/bindings/{theirs}")
        b = pool.submit(second.delete, f"/v1/bindings/{mine}")
        codes = sorted([a.result().status_code, b.result().status_code])
    assert codes[0] == 204 and codes[1] in (403, 404, 409), codes


def test_other_tenants_people_and_tokens_are_not_there(world, admin):
    ann = newcomer(world)
    made = ann.ok("POST", "/v1/tokens", {"name": "laptop"})
    binding = give(admin, ann.name, "reader", "credit").json()["id"]
    foreign = world.foreign_admin
    absent = "00000000-0000-7000-8000-000000000000"
    for path, same in [(f"/v1/tokens/{made['id']}", f"/v1/tokens/{absent}"),
                       (f"/v1/bindings/{binding}", f"/v1/bindings/{absent}")]:
        ours, none = foreign.delete(path), foreign.delete(same)
        assert (ours.status_code, ours.content) == (404, none.content)
    ours, none = foreign.get(f"/v1/users/{ann.name}"), foreign.get("/v1/users/nobody-here")
    assert (ours.status_code, ours.content) == (404, none.content)
    assert give(foreign, ann.name, "reader").status_code == 400


def test_check_says_whether_and_why(world, admin):
    ann = newcomer(world)
    ask = {"action": "approvals/decide", "project": "credit"}
    assert world["approver"].ok("POST", "/v1/access/check", ask) == \
        {"allowed": True, "conditional": False, "reason": "role approver at scope project credit"}
    answer = admin.ok("POST", "/v1/access/check", {**ask, "principal": ann.name})
    assert answer == {"allowed": False, "conditional": False, "reason": "no role in force allows it there"}
    assert ann.post("/v1/access/check", ask).status_code == 404
    assert world["reader"].post("/v1/access/check", {**ask, "principal": ann.name}).status_code == 403
    assert admin.post("/v1/access/check", {"action": "everything"}).status_code == 400


def test_lists_come_in_pages(admin):
    seen, path = [], "/v1/users?limit=3"
    while path:
        page = admin.ok("GET", path)
        assert len(page["value"]) <= 3
        seen += [u["name"] for u in page["value"]]
        path = page.get("nextLink")
    assert seen == sorted(set(seen)) and len(seen) > 3 and "admin" in seen
    assert admin.get("/v1/users?after=../x").status_code == 400
    assert admin.get("/v1/bindings?after=x").status_code == 400
