# SPDX-License-Identifier: Apache-2.0
"""A workload's own token, of Kubernetes or a CI system, for an access token; and what is refused."""
import time

import pytest
from idp import Idp, Key
from service import Client, Service, World

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
SUBJECT = "system:serviceaccount:ml:trainer"


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
    for name in ("trainer", "other"):
        made.admin.ok("POST", "/v1/service-accounts", {"name": name})
    made.admin.ok("POST", "/v1/bindings", {"principal": "trainer", "role": "reader", "scope": "project", "project": "credit"})
    made.trust = trust(made.admin, "cluster", idp.issuer, claims={"cluster_id": 7})
    return made


def trust(admin, name, issuer, subject=SUBJECT, account="trainer", **more):
    return admin.ok("POST", "/v1/workload-identities",
                    {"name": name, "issuer": issuer, "subject": subject, "service_account": account, **more})


def claims(world, idp, **more):
    now = int(time.time())
    return {"iss": idp.issuer, "sub": SUBJECT, "aud": [world.trust["audience"]], "iat": now, "exp": now + 3600,
            "cluster_id": 7, **more}


def ask(service, token, account="acme/trainer", grant=JWT_BEARER, **more):
    form = {"grant_type": grant, "client_id": account, **more}
    form.update({"assertion": token} if grant == JWT_BEARER else {"subject_token": token, "subject_token_type": JWT})
    return service.client().request("POST", "/oauth2/token", data=form)


@pytest.mark.parametrize("grant", [JWT_BEARER, EXCHANGE])
def test_a_workload_acts_as_its_service_account(world, idp, grant):
    assert world.trust["audience"] == world.service.url + "/tenants/acme"
    reply = ask(world.service, idp.key.token(claims(world, idp)), grant=grant)
    assert reply.status_code == 200, reply.text
    got = reply.json()
    assert got["expires_in"] <= 900 and got["issued_token_type"].endswith("access_token")
    client = Client(world.service, got["access_token"])
    assert client.ok("GET", "/v1/me")["name"] == "trainer"
    assert client.get("/v1/projects/credit").status_code == 200
    assert client.put("/v1/projects/mine", {}).status_code == 403


def test_the_access_token_does_not_outlive_what_it_was_given_for(world, idp):
    reply = ask(world.service, idp.key.token(claims(world, idp, exp=int(time.time()) + 120)))
    assert reply.json()["expires_in"] <= 120


BAD = {
    "another subject": {"sub": SUBJECT + "2"},
    "the subject in capitals": {"sub": SUBJECT.upper()},
    "a wildcard": {"sub": "*"},
    "another audience": {"aud": ["https://kubernetes.default.svc"]},
    "another cluster": {"cluster_id": 8},
    "the cluster as text": {"cluster_id": "7"},
    "no cluster": {"cluster_id": None},
    "expired": {"exp": int(time.time()) - 10, "iat": int(time.time()) - 100},
    "not yet": {"nbf": int(time.time()) + 3600},
    "another issuer": {"iss": "https://evil.example"},
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_exactly_trusted_is_refused(world, idp, name):
    reply = ask(world.service, idp.key.token(claims(world, idp, **BAD[name])))
    assert reply.status_code == 401 and "access_token" not in reply.text, reply.text


def test_forged_signatures_and_other_accounts(world, idp):
    good = claims(world, idp)
    for token in (Key("RS256", "rsa").token(good), Key("ES256", "evil").token(good), idp.key.confused(good),
                  idp.key.token(good, alg="none"), idp.key.token(good)[:-2], "x.y.z", "nonsense"):
        assert ask(world.service, token).status_code == 401
    token = idp.key.token(good)
    for account in ("acme/other", "globex/trainer", "acme/admin", "nowhere/trainer"):
        assert ask(world.service, token, account).status_code == 401
    assert ask(world.service, token, "trainer").status_code == 400


def test_nobody_is_asked_for_keys_without_trust(world, idp):
    before = len(idp.asked)
    assert ask(world.service, idp.key.token(claims(world, idp, iss=idp.at("/untrusted")))).status_code == 401
    assert len(idp.asked) == before


def test_trust_ends_at_once(world, idp):
    trust(world.admin, "brief", idp.issuer, subject="brief")
    token = idp.key.token(claims(world, idp, sub="brief"))
    assert ask(world.service, token).status_code == 200
    assert world.admin.delete("/v1/workload-identities/brief").status_code == 204
    assert ask(world.service, token).status_code == 401


def test_a_disabled_account_gets_nothing(world, idp):
    trust(world.admin, "second", idp.issuer, account="other")
    token = idp.key.token(claims(world, idp))
    assert ask(world.service, token, "acme/other").status_code == 200
    world.admin.ok("PATCH", "/v1/service-accounts/other", {"state": "disabled"})
    assert ask(world.service, token, "acme/other").status_code == 401


def test_trust_that_is_too_wide_cannot_be_set_up(world, idp):
    github = "https://token.actions.githubusercontent.com"
    base = {"name": "wide", "issuer": idp.issuer, "subject": "s", "service_account": "trainer"}
    for more, target in [({"subject": "repo:acme/*"}, "subject"), ({"subject": "repo:a/b:pull_request"}, "subject"),
                         ({"issuer": "http://x"}, "issuer"), ({"audience": idp.issuer}, "audience"),
                         ({"audience": "https://kubernetes.default.svc.cluster.local"}, "audience"),
                         ({"issuer": github}, "claims"), ({"issuer": github, "claims": {"repository_id": "1"}}, "claims"),
                         ({"issuer": "https://gitlab.com"}, "claims"), ({"claims": {"x": []}}, "claims"),
                         ({"service_account": "admin"}, "service_account")]:
        reply = world.admin.post("/v1/workload-identities", {**base, **more})
        assert reply.status_code == 400 and reply.json()["error"]["target"] == target, (more, reply.text)
    for role in ("access-admin", "project-owner", "auditor"):
        assert world[role].post("/v1/workload-identities", base).status_code == 403


def test_it_is_on_record(world, idp):
    ask(world.service, idp.key.token(claims(world, idp)))
    text = world["auditor"].get("/v1/audit?limit=1000").text
    assert "workload token" in text and "workload-identities/cluster" in text
