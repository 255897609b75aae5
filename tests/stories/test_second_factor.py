# SPDX-License-Identifier: Apache-2.0
"""One-time codes, step-up before privileged acts, sessions, and what guessing costs."""
import base64
import hmac
import struct
import time

from service import Client, person

counter = iter(range(1000))


def code_of(reply):
    return reply.json()["error"]["code"]


def totp(secret, step=0):
    """RFC 6238, by Python's own means."""
    key = base64.b32decode(secret)
    mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + step), "sha1").digest()
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 1000000:06}"


def newcomer(world, *bindings):
    return person(world.service, world.admin, f"mfa-user-{next(counter)}", bindings)


def login(who, **more):
    return who.service.client().post("/v1/login", {"tenant": "acme", "user": who.name, "password": who.password, **more})


def enrol(who):
    """The secret and the recovery codes; the client's token is the fresh one from then on."""
    begun = who.ok("POST", "/v1/me/totp", {"password": who.password})
    assert begun["uri"].startswith("otpauth://totp/Chancery:acme%2F")
    done = who.ok("POST", "/v1/me/totp/confirm", {"code": totp(begun["secret"], -1)})
    who.token = done["access_token"]
    return begun["secret"], done["recovery_codes"]


def test_a_second_factor_is_asked_for_from_then_on(world):
    ann = newcomer(world)
    secret, recovery = enrol(ann)
    reply = login(ann)
    assert (reply.status_code, code_of(reply)) == (401, "step-up") and reply.json()["error"]["target"] == "code"
    assert "insufficient_user_authentication" in reply.headers["WWW-Authenticate"]
    assert login(ann, code="000000").status_code == 401
    code = totp(secret, 0)
    assert login(ann, code=code).status_code == 200
    assert login(ann, code=code).status_code == 401, "a code is good once"
    assert login(ann, code=recovery[0]).status_code == 200
    assert login(ann, code=recovery[0]).status_code == 401, "so is a recovery code"


def test_the_wrong_password_does_not_tell_that_there_is_a_second_factor(world):
    ann = newcomer(world)
    enrol(ann)
    ann.password = "not the password"
    assert login(ann).status_code == 401


def test_a_new_secret_needs_the_password_and_its_first_code(world):
    ann = newcomer(world)
    assert ann.post("/v1/me/totp", {"password": "not the password"}).status_code == 403
    assert ann.post("/v1/me/totp/confirm", {"code": "123456"}).status_code == 409
    secret = ann.ok("POST", "/v1/me/totp", {"password": ann.password})["secret"]
    assert ann.post("/v1/me/totp/confirm", {"code": "000000"}).status_code == 403
    assert login(ann).status_code == 200, "what is not confirmed locks nobody out"
    assert ann.post("/v1/me/totp/confirm", {"code": totp(secret)}).status_code == 200
    assert ann.post("/v1/me/totp", {"password": ann.password}).status_code == 409


def test_personal_access_tokens_make_no_second_factors(world):
    ann = newcomer(world)
    token = ann.ok("POST", "/v1/tokens", {"name": "t"})["token"]
    assert Client(world.service, token).post("/v1/me/totp", {"password": ann.password}).status_code == 403


def test_privileged_acts_need_a_fresh_second_factor_of_who_has_one(world):
    boss = newcomer(world, ("tenant-admin", None))
    boss.ok("POST", "/v1/users", {"name": f"made-{boss.name}-0"})
    old = Client(world.service, boss.token)
    secret, recovery = enrol(boss)
    for method, path, body in [("POST", "/v1/users", {"name": "x"}), ("PATCH", "/v1/users/the-reader", {}),
                               ("POST", "/v1/bindings", {"principal": "the-reader", "role": "reader", "scope": "tenant"}),
                               ("POST", "/v1/oauth/clients", {"name": "x"})]:
        reply = old.request(method, path, body)
        assert (reply.status_code, code_of(reply)) == (401, "step-up"), (path, reply.text)
        challenge = reply.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ") and 'error="insufficient_user_authentication"' in challenge, challenge
        assert 'acr_values="mfa", max_age=900' in challenge
    assert old.get("/v1/users").status_code == 200
    boss.ok("POST", "/v1/users", {"name": f"made-{boss.name}-1"})
    assert old.post("/v1/me/step-up", {"code": "000000"}).status_code == 403
    old.token = old.ok("POST", "/v1/me/step-up", {"code": recovery[0]})["access_token"]
    old.ok("POST", "/v1/users", {"name": f"made-{boss.name}-2"})
    pat = Client(world.service, boss.ok("POST", "/v1/tokens", {"name": "t"})["token"])
    assert code_of(pat.post("/v1/users", {"name": "by-token"})) == "step-up"


def test_a_tenant_may_ask_it_of_everybody(world):
    boss = newcomer(world, ("tenant-admin", None))
    assert world["access-admin"].put("/v1/mfa-policy", {"required": True}).status_code == 403
    assert boss.put("/v1/mfa-policy", {"required": True, "max_age": 5}).json()["error"]["target"] == "max_age"
    boss.ok("PUT", "/v1/mfa-policy", {"required": True, "max_age": 600})
    try:
        reply = boss.post("/v1/users", {"name": "x"})
        assert (reply.status_code, code_of(reply)) == (401, "step-up") and "max_age=600" in reply.headers["WWW-Authenticate"]
        enrol(boss)
        boss.ok("POST", "/v1/users", {"name": f"made-{boss.name}"})
    finally:
        world.service.sql("DELETE FROM chancery.mfa_policy")


def test_a_lost_second_factor_is_taken_away_by_an_admin(world):
    ann = newcomer(world)
    enrol(ann)
    assert world.admin.request("POST", f"/v1/users/{ann.name}/second-factors/reset").status_code == 204
    assert ann.get("/v1/me").status_code == 401 and login(ann).status_code == 200


def test_codes_cannot_be_guessed(world):
    ann = newcomer(world)
    enrol(ann)
    statuses = [login(ann, code="000000").status_code for _ in range(5)]
    while statuses[-1] == 401 and len(statuses) < 12:
        statuses.append(login(ann, code="000000").status_code)
    assert statuses[:5] == [401] * 5 and statuses[-1] == 429, statuses


def test_secrets_of_codes_are_sealed(world):
    ann = newcomer(world)
    secret, _ = enrol(ann)
    raw = base64.b32decode(secret).hex()
    assert raw not in world.service.sql("SELECT sealed FROM chancery.totp") and secret not in world.service.log()


# Sessions.

def test_sessions_are_listed_and_ended_one_by_one(world):
    ann = newcomer(world)
    other = Client(world.service, login(ann).json()["access_token"])
    listed = ann.ok("GET", "/v1/me/sessions")["value"]
    assert len(listed) == 2 and [s["current"] for s in listed].count(True) == 1
    gone = next(s for s in listed if not s["current"])
    assert other.get("/v1/me").status_code == 200
    ann.ok("DELETE", f"/v1/me/sessions/{gone['id']}")
    assert other.get("/v1/me").status_code == 401 and ann.get("/v1/me").status_code == 200
    assert ann.delete(f"/v1/me/sessions/{gone['id']}").status_code == 404
    assert newcomer(world).delete(f"/v1/me/sessions/{listed[0]['id']}").status_code == 404


def test_a_new_password_ends_the_other_sessions(world):
    ann = newcomer(world)
    other = Client(world.service, login(ann).json()["access_token"])
    assert other.get("/v1/me").status_code == 200
    assert ann.post("/v1/me/password", {"current": ann.password, "new": "a wholly new password"}).status_code == 204
    assert other.get("/v1/me").status_code == 401 and ann.get("/v1/me").status_code == 200


def test_an_admin_ends_all_sessions_of_a_user(world):
    ann = newcomer(world)
    assert ann.get("/v1/me").status_code == 200
    assert world["reader"].delete(f"/v1/users/{ann.name}/sessions").status_code == 403
    assert world["tenant-admin"].delete(f"/v1/users/{ann.name}/sessions").status_code == 204
    assert ann.get("/v1/me").status_code == 401
