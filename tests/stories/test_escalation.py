# SPDX-License-Identifier: Apache-2.0
"""The fourteen rules against escalation, E1 to E14, each with its attacker: what they try, and that it fails.

The attackers hold real roles, their own included; every story ends with what they still may not do.
"""
import datetime
import secrets

import pytest
from oauth import App
from service import DATA, PASSWORD, Client, person

counter = iter(range(1000))
CREDIT = {"scope": "project", "project": "credit"}
TENANT = {"scope": "tenant"}
DENIED, HIDDEN = 403, 404


@pytest.fixture(scope="module")
def admin(world):
    return world.admin


def newcomer(world, *bindings):
    return person(world.service, world.admin, f"esc-{next(counter)}", bindings)


def made(admin, *actions):
    """A role of the tenant's own with these actions, privileged ones too."""
    name = f"esc-role-{next(counter)}"
    admin.ok("PUT", f"/v1/roles/{name}", {"actions": list(actions)})
    return name


def group(admin, *members):
    name = f"esc-group-{next(counter)}"
    admin.ok("POST", "/v1/groups", {"name": name})
    for member in members:
        admin.ok("POST", f"/v1/groups/{name}/members", {"principal": member})
    return name


def robot(admin, owner, *bindings):
    name = f"esc-robot-{next(counter)}"
    admin.ok("POST", "/v1/service-accounts", {"name": name, "owner": owner})
    for role, where in bindings:
        admin.ok("POST", "/v1/bindings", {"principal": name, "role": role, **where})
    return name


def give(client, role, where=None, **more):
    return client.post("/v1/bindings", {"role": role, **(where or CREDIT), **more})


def code(reply):
    return reply.json()["error"]["code"]


def actions(client):
    """All the caller may, everywhere."""
    return {(p["scope"], p.get("project"), p.get("asset"), a)
            for p in client.ok("GET", "/v1/access/what-can")["value"] for a in p["actions"]}


def limited(world, who, *scope):
    """The same person by a token that is good for these actions only."""
    name = f"esc-server-{next(counter)}"
    account = robot(world.admin, "admin")
    world.admin.ok("POST", "/v1/oauth/clients", {
        "name": name, "kind": "confidential", "service_account": account,
        "grants": ["urn:ietf:params:oauth:grant-type:token-exchange"]})
    app = App(world.service, f"acme/{name}", world.admin.ok("POST", "/v1/tokens", {
        "name": "secret", "service_account": account})["token"])
    reply = app.call("/oauth2/token", {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                                       "subject_token": who.token, "scope": " ".join(scope),
                                       "subject_token_type": "urn:ietf:params:oauth:token-type:access_token"})
    assert reply.status_code == 200, reply.text
    return Client(world.service, reply.json()["access_token"], "acme")


# E1: nobody gives what they lack.

def test_e1_a_role_is_given_only_by_who_has_all_of_it_there(world, admin):
    owner, keeper, ann = world["project-owner"], world["access-admin"], newcomer(world)
    assert give(owner, "data-scientist", TENANT, principal=ann.name).status_code == DENIED
    assert give(owner, "auditor", {"scope": "project", "project": "elsewhere"}, principal=ann.name).status_code == 400
    for role in ("tenant-admin", "access-admin", "security-operator", "provisioner"):
        for attacker in (owner, keeper):
            assert give(attacker, role, TENANT, principal=ann.name).status_code == DENIED, role
            assert give(attacker, role, TENANT, principal=attacker.name).status_code == DENIED, role
    half = newcomer(world, (made(admin, "access/bindings/write", "projects/read", "identity/users/read"), None))
    assert give(half, "reader", principal=ann.name).status_code == DENIED
    assert give(half, "reader", principal=half.name).status_code == DENIED
    assert actions(ann) == set()


def test_e1_a_role_under_a_condition_covers_nothing_to_give(world, admin):
    attacker = newcomer(world)
    give(admin, "project-owner", principal=attacker.name, condition="network in 127.0.0.0/8")
    assert attacker.get("/v1/projects/credit").status_code == 200
    assert give(attacker, "data-scientist", principal=attacker.name).status_code == DENIED


def test_e1_a_deny_is_not_stepped_over_by_giving(world, admin):
    """What is taken from somebody is not theirs to give to their other hand."""
    attacker = newcomer(world, ("project-owner", "credit"))
    hand = robot(admin, attacker.name)
    admin.ok("POST", "/v1/denies", {"principals": [attacker.name], "actions": ["assets/files/read"], "reason": "a wall", **CREDIT})
    assert give(attacker, "data-scientist", principal=hand).status_code == DENIED
    assert give(attacker, "reader", principal=hand).status_code == 201


def test_e1_a_role_above_a_wall_reaches_not_behind_it(world, admin):
    """Found by the fixpoint search: with a role in the tenant and a wall in one project, the other hand was sent behind it."""
    attacker = newcomer(world, ("project-owner", None))
    hand = robot(admin, attacker.name)
    admin.ok("POST", "/v1/denies", {"principals": [attacker.name], "actions": ["jobs/*"], "reason": "a wall", **CREDIT})
    assert give(attacker, "project-owner", TENANT, principal=hand).status_code == DENIED
    assert give(attacker, "project-owner", TENANT, principal=newcomer(world).name).status_code == DENIED
    assert give(attacker, "endpoint-consumer", TENANT, principal=hand).status_code == 201


def test_e1_who_makes_people_up_gives_nothing_they_lack(world, admin):
    """Found by the fixpoint search: a role of the tenant's own that delegates and makes users makes its own accomplices."""
    maker = newcomer(world, (made(admin, "identity/users/write", "identity/users/read", "access/bindings/write",
                                  "access/bindings/delegate", "access/bindings/read", "projects/read"), None))
    maker.ok("POST", "/v1/users", {"name": "esc-puppet", "password": "a horse of another stable"})
    assert give(maker, "data-scientist", principal="esc-puppet").status_code == DENIED


# E2: a role is changed only by who could give the change wherever it is held.

def test_e2_widening_a_role_needs_its_new_actions(world, admin):
    keeper = world["access-admin"]
    role = made(admin, "projects/read")
    ann = newcomer(world, (role, "credit"))
    for wider in (["projects/read", "assets/read"], ["*"], ["projects/read", "access/bindings/write"]):
        assert keeper.put(f"/v1/roles/{role}", {"actions": wider}).status_code == DENIED
    assert keeper.put(f"/v1/roles/{role}", {"actions": ["projects/read"], "data_actions": ["*"]}).status_code == DENIED
    assert {a for *_, a in actions(ann)} == {"projects/read"}


def test_e2_a_privileged_role_is_not_emptied_either(world, admin):
    """Who could not give it could otherwise take it from all who have it."""
    role = made(admin, "identity/users/write", "identity/users/read")
    assert world["access-admin"].put(f"/v1/roles/{role}", {"actions": []}).status_code == DENIED
    assert "identity/users/write" in admin.ok("GET", f"/v1/roles/{role}")["actions"]


# E3: no wildcard reaches the privileged.

def test_e3_wildcards_stop_before_the_privileged(world, admin):
    privileged = {"identity/users/write", "access/bindings/write", "access/roles/write", "access/denies/write",
                  "access/bindings/administer", "audit/manage", "secrets/write", "identity/providers/write"}
    role = f"esc-role-{next(counter)}"
    made_of = admin.ok("PUT", f"/v1/roles/{role}", {"actions": ["*", "*/*", "access/*", "audit/*", "secrets/*", "identity/*"],
                                                    "data_actions": ["*"]})["actions"]
    assert not privileged & set(made_of)
    ann = newcomer(world, (role, None))
    assert ann.post("/v1/users", {"name": "esc-puppet"}).status_code == DENIED
    assert give(ann, "reader", principal=ann.name).status_code == DENIED
    assert ann.put("/v1/audit/retention/read", {"days": 180}).status_code == DENIED


# E4: the right to give can itself be under conditions.

def test_e4_who_may_give_one_role_gives_no_other_and_to_no_other_kind(world, admin):
    steward, ann = newcomer(world), newcomer(world)
    machine, team = robot(admin, "admin"), group(admin)
    give(admin, "access-admin", TENANT, principal=steward.name, condition="gives in reader,deployer and to = user")
    assert give(steward, "reader", principal=ann.name).status_code == 201
    assert give(steward, "deployer", principal=ann.name).status_code == 201
    for role in ("approver", "data-scientist", "project-owner", "access-admin"):
        assert give(steward, role, principal=ann.name).status_code == DENIED, role
    assert give(steward, "reader", principal=machine).status_code == DENIED
    assert give(steward, "reader", group=team).status_code == DENIED
    assert give(steward, "reader", principal=steward.name).status_code == DENIED
    assert steward.post(f"/v1/groups/{team}/members", {"principal": steward.name}).status_code == DENIED
    assert steward.put(f"/v1/roles/esc-role-{next(counter)}", {"actions": ["projects/read"]}).status_code == DENIED
    assert steward.post("/v1/eligible", {"principal": ann.name, "role": "approver", **CREDIT}).status_code == DENIED
    assert steward.post("/v1/eligible", {"principal": ann.name, "role": "reader", **CREDIT}).status_code == 201
    taken = [b for b in admin.ok("GET", f"/v1/bindings?principal={ann.name}")["value"]]
    other = admin.ok("POST", "/v1/bindings", {"principal": ann.name, "role": "approver", **CREDIT})
    assert steward.delete(f"/v1/bindings/{other['id']}").status_code in (DENIED, HIDDEN)
    assert {b["role"] for b in taken} == {"reader", "deployer"}


# E5: joining a group is being given all it has.

def test_e5_nobody_joins_what_they_could_not_be_given(world, admin):
    keeper, ann = world["access-admin"], newcomer(world)
    strong, inner = group(admin), group(admin)
    give(admin, "tenant-admin", TENANT, group=strong)
    admin.ok("POST", f"/v1/groups/{strong}/members", {"group": inner})
    for name in (strong, inner):
        assert keeper.post(f"/v1/groups/{name}/members", {"principal": ann.name}).status_code == DENIED
        assert keeper.post(f"/v1/groups/{name}/members", {"principal": keeper.name}).status_code == DENIED
    ordinary = group(admin)
    give(admin, "project-owner", group=ordinary)
    assert keeper.post(f"/v1/groups/{ordinary}/members", {"principal": keeper.name}).status_code == DENIED
    own = keeper.ok("POST", "/v1/groups", {"name": f"esc-group-{next(counter)}"})["name"]
    keeper.ok("POST", f"/v1/groups/{own}/members", {"principal": keeper.name})
    assert keeper.post(f"/v1/groups/{ordinary}/members", {"group": own}).status_code == DENIED
    assert give(keeper, "project-owner", group=own).status_code == DENIED
    waiting = group(admin)
    admin.ok("POST", "/v1/eligible", {"group": waiting, "role": "security-operator", "approval": False, **TENANT})
    assert keeper.post(f"/v1/groups/{waiting}/members", {"principal": ann.name}).status_code == DENIED


def test_e5_a_wall_is_not_left_by_leaving_its_group(world, admin):
    """Not even by who may lift walls: nobody but a tenant admin lifts their own."""
    warden = newcomer(world, (made(admin, "access/denies/write", "access/bindings/read", "identity/groups/write",
                                   "identity/users/read"), None), ("data-scientist", "credit"))
    walled, spared = group(admin, warden.name), group(admin)
    first = admin.ok("POST", "/v1/denies", {"principals": ["group:" + walled], "actions": ["jobs/*"], "reason": "a wall", **CREDIT})
    second = admin.ok("POST", "/v1/denies", {"principals": [warden.name], "excluded": ["group:" + spared],
                                             "actions": ["endpoints/*"], "reason": "a wall", **CREDIT})
    assert warden.delete(f"/v1/groups/{walled}/members/{warden.name}").status_code == DENIED
    assert warden.post(f"/v1/groups/{spared}/members", {"principal": warden.name}).status_code == DENIED
    for deny in (first, second):
        assert warden.delete(f"/v1/denies/{deny['id']}").status_code == DENIED
    assert warden.get("/v1/projects/credit/jobs").status_code == DENIED
    other = admin.ok("POST", "/v1/denies", {"principals": [newcomer(world).name], "actions": ["jobs/*"], "reason": "x", **CREDIT})
    assert warden.delete(f"/v1/denies/{other['id']}").status_code == 204


def test_e5_a_ceiling_is_not_lifted_by_who_is_under_it(world, admin):
    warden = newcomer(world, (made(admin, "access/denies/write", "access/bindings/read"), None))
    machine = robot(admin, warden.name, ("project-owner", CREDIT))
    cap = admin.ok("POST", "/v1/ceilings", {"principal": machine, "actions": ["projects/read"], **CREDIT})
    assert warden.delete(f"/v1/ceilings/{cap['id']}").status_code == DENIED
    bot = Client(world.service, warden.ok("POST", "/v1/tokens", {"name": "t", "service_account": machine})["token"])
    assert bot.put("/v1/projects/credit/models/esc-under", {}).status_code == DENIED


# E6: who says where identities come from could say they are anybody.

def idp(name, **more):
    return {"name": name, "issuer": "https://idp.example", "client_id": "c", "client_secret": "s" * 40, "provisioning": "jit",
            "group_claim": "groups", **more}


def test_e6_a_mapping_lets_nobody_into_more_than_its_maker_could(world, admin):
    strong = group(admin)
    give(admin, "tenant-admin", TENANT, group=strong)
    federator = newcomer(world, (made(admin, "identity/providers/write", "identity/providers/read"), None))
    reply = federator.post("/v1/identity-providers", idp("esc-grab", groups={"everyone": strong}))
    assert reply.status_code == DENIED
    assert federator.get("/v1/identity-providers/esc-grab").status_code == HIDDEN
    later = federator.post("/v1/identity-providers", idp("esc-later", groups={"everyone": "esc-not-yet"}))
    assert later.status_code == 400 and later.json()["error"]["target"] == "groups"
    for other in ("access-admin", "security-operator", "project-owner", "auditor"):
        assert world[other].post("/v1/identity-providers", idp("esc-other")).status_code == DENIED, other
    assert admin.post("/v1/identity-providers", idp("esc-admin", groups={"admins": strong})).status_code == 201
    admin.delete("/v1/identity-providers/esc-admin")


# E7: what runs as somebody runs by somebody who may as much.

def test_e7_nothing_runs_as_an_account_that_may_more(world, admin):
    machine = robot(admin, "admin", ("project-owner", CREDIT))
    mechanic = newcomer(world, (made(admin, "identity/service-accounts/write", "identity/providers/write",
                                     "identity/users/read"), None))
    assert mechanic.post("/v1/tokens", {"name": "t", "service_account": machine}).status_code == DENIED
    assert mechanic.post("/v1/oauth/clients", {"name": "esc-client", "kind": "confidential", "service_account": machine,
                                               "grants": ["client_credentials"]}).status_code == DENIED
    assert mechanic.post("/v1/workload-identities", {
        "name": "esc-flow", "issuer": "https://token.example", "subject": "system:x", "service_account": machine}
        ).status_code == DENIED
    assert mechanic.patch(f"/v1/service-accounts/{machine}", {"owner": mechanic.name}).status_code == DENIED
    job = world["data-scientist"].post("/v1/projects/credit/jobs", {
        "kind": "train", "input": "datasets/none/versions/1", "output": "models/none", "trainer": "logistic",
        "target": "y", "seed": 1, "test_fraction": 0.25, "service_account": machine})
    assert job.status_code == 400 and job.json()["error"]["target"] == "service_account"


def test_e7_handing_an_account_over_does_not_join_duties_kept_apart(world, admin):
    assert admin.put("/v1/duties/esc-apart", {"roles": ["data-scientist", "approver"]}).status_code == 204
    ann = newcomer(world, ("data-scientist", "credit"))
    machine = robot(admin, "admin", ("approver", CREDIT))
    assert admin.patch(f"/v1/service-accounts/{machine}", {"owner": ann.name}).status_code == 409
    admin.delete("/v1/duties/esc-apart")


# E8: a credential is never worth more than who it is for, and makes no other.

def test_e8_a_token_is_worth_what_its_bearer_is_now(world, admin):
    ann = newcomer(world, ("data-scientist", "credit"))
    pat = Client(world.service, ann.ok("POST", "/v1/tokens", {"name": "t"})["token"])
    assert pat.get("/v1/projects/credit").status_code == 200
    assert pat.post("/v1/tokens", {"name": "child"}).status_code == DENIED
    binding = admin.ok("GET", f"/v1/bindings?principal={ann.name}")["value"][0]
    admin.delete(f"/v1/bindings/{binding['id']}")
    assert pat.get("/v1/projects/credit").status_code == HIDDEN


def test_e8_a_narrow_token_does_not_act_wide_by_others(world, admin):
    """Good for making users only: it may not set the password of who may all else, nor shape roles, nor clients."""
    twin = newcomer(world, ("project-owner", "credit"))
    narrow = limited(world, admin, "identity/users/write", "access/roles/write", "identity/service-accounts/write",
                     "identity/groups/write")
    assert narrow.get("/v1/projects/credit").status_code in (DENIED, HIDDEN)
    assert narrow.patch(f"/v1/users/{twin.name}", {"password": "a horse of another stable"}).status_code == DENIED
    assert narrow.put(f"/v1/roles/esc-role-{next(counter)}", {"actions": ["assets/write"]}).status_code == DENIED
    machine = robot(admin, "admin", ("project-owner", CREDIT))
    assert narrow.post("/v1/oauth/clients", {"name": "esc-wide", "kind": "confidential", "service_account": machine,
                                             "grants": ["client_credentials"]}).status_code == DENIED
    assert narrow.post("/v1/tokens", {"name": "t", "service_account": machine}).status_code == DENIED
    assert narrow.patch("/v1/users/the-reader", {"display_name": "R"}).status_code == 200
    assert twin.get("/v1/projects/credit").status_code == 200


def test_e8_an_account_is_taken_over_only_with_all_its_machines(world, admin):
    """Whoever acts as the owner could have tokens for the machine."""
    victim = newcomer(world)
    robot(admin, victim.name, ("data-scientist", CREDIT))
    operator = world["security-operator"]
    assert operator.patch(f"/v1/users/{victim.name}", {"password": "a horse of another stable"}).status_code == DENIED
    assert operator.request("POST", f"/v1/users/{victim.name}/second-factors/reset").status_code == DENIED
    assert operator.patch(f"/v1/users/{victim.name}", {"state": "disabled"}).status_code == 200
    assert operator.patch(f"/v1/users/{victim.name}", {"state": "active"}).status_code == DENIED


# E9: what is moved, copied or brought back keeps its walls.

def test_e9_a_label_survives_delete_and_restore(world, admin):
    steward, owner = world["data-steward"], world["project-owner"]
    path = "/v1/projects/credit/datasets/esc-vault"
    steward.ok("PUT", path, {})
    steward.ok("PUT", path + "/classification", {"level": "restricted"})
    owner.delete(path)
    owner.ok("POST", path + "/restore", {})
    assert owner.ok("GET", path + "/classification")["level"] == "restricted"


def test_e9_what_is_trained_is_as_secret_as_what_it_read(world, admin):
    steward = world["data-steward"]
    world["data-scientist"].upload_dataset("credit", "esc-scans", DATA / "breast_cancer.csv")
    steward.ok("PUT", "/v1/projects/credit/datasets/esc-scans/classification", {"level": "confidential"})
    world.trained(dataset="esc-scans", model="esc-scanner")
    assert steward.ok("GET", "/v1/projects/credit/models/esc-scanner/classification")["level"] == "confidential"
    lower = world["project-owner"].put("/v1/projects/credit/models/esc-scanner/classification",
                                       {"level": "public", "reason": "it is only weights"})
    assert lower.status_code == 202 and lower.json()["state"] == "pending"


def test_e9_nothing_is_read_for_a_job_that_its_author_may_not_read(world, admin):
    """A job is a copy: what is walled off from its author is not there for it, in another project neither."""
    ann = newcomer(world, ("data-scientist", "credit"))
    world["data-scientist"].upload_dataset("credit", "esc-sealed", DATA / "iris.csv")
    admin.ok("POST", "/v1/denies", {"principals": [ann.name], "actions": ["assets/*"], "reason": "a wall", "scope": "asset",
                                    "project": "credit", "asset": "datasets/esc-sealed"})
    ask = {"kind": "train", "output": "models/esc-copy", "trainer": "logistic", "target": "species", "seed": 1,
           "test_fraction": 0.25}
    hidden = ann.post("/v1/projects/credit/jobs", {**ask, "input": "datasets/esc-sealed/versions/1"})
    absent = ann.post("/v1/projects/credit/jobs", {**ask, "input": "datasets/esc-nothing/versions/1"})
    assert hidden.status_code == absent.status_code == 400
    assert hidden.text.replace("esc-sealed", "X") == absent.text.replace("esc-nothing", "X")


# E10: somebody can always administer.

def test_e10_the_last_admin_stays_whatever_is_tried(world):
    """In a tenant of its own with one admin."""
    stranger = world.foreign_admin
    me = stranger.ok("GET", "/v1/me")["name"]
    binding = next(b for b in stranger.ok("GET", f"/v1/bindings?principal={me}")["value"] if b["role"] == "tenant-admin")
    assert stranger.delete(f"/v1/bindings/{binding['id']}").status_code == 409
    assert stranger.patch(f"/v1/users/{me}", {"state": "disabled"}).status_code == 409
    for pattern in ("*", "access/*", "access/bindings/administer", "access/denies/write"):
        assert stranger.post("/v1/denies", {"actions": [pattern], "reason": "x", **TENANT}).status_code == 409, pattern
    other = person(world.service, stranger, "esc-second")
    give(stranger, "tenant-admin", TENANT, principal=other.name, condition="network in 203.0.113.0/24")
    assert stranger.delete(f"/v1/bindings/{binding['id']}").status_code == 409, "the other cannot come in"
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).isoformat()
    third = person(world.service, stranger, "esc-third")
    give(stranger, "tenant-admin", TENANT, principal=third.name, valid_until=soon)
    assert stranger.delete(f"/v1/bindings/{binding['id']}").status_code == 409, "the other leaves soon"
    stranger.ok("POST", "/v1/reviews", {"name": "esc-all", "reviewers": [other.name], "due_at": soon})
    assert stranger.ok("GET", "/v1/users")["value"]
    fourth = person(world.service, stranger, "esc-fourth", [("tenant-admin", None)])
    stranger.ok("POST", "/v1/denies", {"principals": [fourth.name], "actions": ["access/bindings/administer"],
                                       "reason": "a wall", **TENANT})
    assert stranger.delete(f"/v1/bindings/{binding['id']}").status_code == 409, "the other is denied it"


# E11: nobody decides on their own request, nor by a right that came after it.

def test_e11_nobody_approves_as_a_group_joined_after_the_request(world, admin):
    judges, late = group(admin), newcomer(world)
    early = newcomer(world)
    admin.ok("POST", f"/v1/groups/{judges}/members", {"principal": early.name})
    give(admin, "approver", group=judges)
    scientist = world["data-scientist"]
    version = scientist.upload_dataset("credit", "esc-asked", DATA / "iris.csv")
    job = scientist.ok("POST", "/v1/projects/credit/jobs", {
        "kind": "train", "input": f"datasets/esc-asked/versions/{version['number']}", "output": "models/esc-asked",
        "trainer": "logistic", "target": "species", "seed": 1, "test_fraction": 0.25})
    admin.ok("POST", f"/v1/groups/{judges}/members", {"principal": late.name})
    path = f"/v1/projects/credit/approvals/{job['approval']}/decision"
    verdict = {"verdict": "approve", "reason": "looks fine"}
    assert late.get(f"/v1/projects/credit/approvals/{job['approval']}").status_code == 200
    refused = late.post(path, verdict)
    assert (refused.status_code, code(refused)) == (403, "four-eyes") and "joined after" in refused.text
    inner = group(admin, late.name)
    admin.ok("POST", f"/v1/groups/{judges}/members", {"group": inner})
    assert code(late.post(path, verdict)) == "four-eyes"
    assert code(scientist.post(path, verdict)) in ("four-eyes", "denied")
    assert early.post(path, verdict).status_code == 200


def test_e11_nobody_gives_themselves_what_they_asked_for(world, admin):
    ann, keeper = newcomer(world), newcomer(world)
    keepers = group(admin)
    give(admin, "project-owner", group=keepers)
    eligible = admin.ok("POST", "/v1/eligible", {"principal": ann.name, "role": "deployer", **CREDIT})
    machine = robot(admin, ann.name, ("project-owner", CREDIT))
    asked = ann.ok("POST", "/v1/activations", {"eligible": eligible["id"], "justification": "release"})
    path, yes = f"/v1/activations/{asked['id']}/decision", {"verdict": "approve", "reason": "sure"}
    assert code(ann.post(path, yes)) == "four-eyes"
    bot = Client(world.service, ann.ok("POST", "/v1/tokens", {"name": "t", "service_account": machine})["token"])
    assert code(bot.post(path, yes)) == "four-eyes"
    admin.ok("POST", f"/v1/groups/{keepers}/members", {"principal": keeper.name})
    assert code(keeper.post(path, yes)) == "four-eyes"
    assert world["project-owner"].post(path, yes).status_code == 200


# E12: who may use or set a secret does not read it.

def test_e12_a_secret_goes_in_and_is_read_by_nobody(world, admin):
    canary = secrets.token_hex(16)
    world["project-owner"].ok("PUT", "/v1/projects/credit/secrets/esc-key", {"value": canary})
    for who in (admin, *world.people.values()):
        for path in ("", "/esc-key", "/esc-key/versions"):
            assert canary not in who.get("/v1/projects/credit/secrets" + path).text
    assert world["data-scientist"].put("/v1/projects/credit/secrets/esc-key", {"value": "mine"}).status_code == DENIED
    assert canary not in admin.get("/v1/audit?limit=1000").text and canary not in world.service.log()


def test_e12_a_credential_does_not_follow_to_another_host(world, admin):
    """What is bound to an issuer or a sink cannot be pointed elsewhere with its key still in it."""
    admin.ok("POST", "/v1/identity-providers", {k: v for k, v in idp("esc-bound").items() if k != "group_claim"})
    for method in ("PATCH", "PUT"):
        assert admin.request(method, "/v1/identity-providers/esc-bound", {"issuer": "https://evil.example"}).status_code == 405
    assert admin.post("/v1/identity-providers", {k: v for k, v in idp("esc-bound").items() if k != "client_secret"}).status_code == 400
    admin.delete("/v1/identity-providers/esc-bound")
    sink = {"kind": "webhook", "target": "https://siem.example/in", "secret": secrets.token_hex(16)}
    reply = admin.put("/v1/audit/sinks/esc-sink", sink)
    if reply.status_code < 300:
        moved = admin.put("/v1/audit/sinks/esc-sink", {"kind": "webhook", "target": "https://evil.example/in"})
        assert moved.status_code == 400 and moved.json()["error"]["target"] == "secret", moved.text
        admin.delete("/v1/audit/sinks/esc-sink")


# E13: sending data out is a right of its own.

def test_e13_nobody_sends_the_log_away_but_who_manages_it(world, admin):
    sink = {"kind": "webhook", "target": "https://evil.example/in", "secret": secrets.token_hex(16)}
    for role, who in world.people.items():
        if role != "tenant-admin":
            assert who.put("/v1/audit/sinks/esc-leak", sink).status_code == DENIED, role
            assert who.put("/v1/audit/witnesses/esc-leak", {"vkey": "x", "url": "https://evil.example"}).status_code == DENIED, role
    for role in ("reader", "approver", "deployer", "endpoint-consumer"):
        assert world[role].get("/v1/audit/export").status_code == DENIED, role
        assert world[role].get("/v1/audit/payloads").status_code == DENIED, role


# E14: nobody ends, shortens or thins the log alone.

def test_e14_the_log_cannot_be_switched_off_or_deleted_from(world, admin):
    entry = admin.ok("GET", "/v1/audit?limit=1")["value"][0]
    for method in ("DELETE", "PUT", "PATCH", "POST"):
        for path in ("/v1/audit", f"/v1/audit/entries/{entry['id']}", "/v1/audit/log/checkpoint"):
            assert admin.request(method, path, {} if method != "DELETE" else None).status_code in (404, 405), (method, path)
    for role, who in world.people.items():
        if role != "tenant-admin":
            assert who.put("/v1/audit/retention/read", {"days": 180}).status_code == DENIED, role
            assert who.post("/v1/audit/erasures", {"principal": who.name, "reason": "x"}).status_code == DENIED, role
    assert admin.put("/v1/audit/retention/change", {"days": 1}).status_code == 400
    assert admin.get(f"/v1/audit/entries/{entry['id']}").status_code == 200


def test_e14_who_runs_the_platform_does_not_reach_a_tenants_log(world):
    """The first admin of the installation is platform-operator too; the other tenant's log is not there for it."""
    assert PASSWORD
    theirs = world.foreign_admin.ok("GET", "/v1/audit?limit=1")["value"][0]
    mine = world.admin.get(f"/v1/audit/entries/{theirs['id']}")
    never = world.admin.get("/v1/audit/entries/" + "0" * 8 + "-0000-4000-8000-" + "0" * 12)
    assert mine.status_code == never.status_code == 404 and mine.content == never.content


def test_e14_nobody_erases_alone_what_entries_say(world, admin):
    ann = newcomer(world, ("reader", "credit"))
    asked = admin.ok("POST", "/v1/audit/erasures", {"principal": ann.name, "reason": "on request"})
    assert asked["state"] == "pending"
    path, yes = f"/v1/audit/erasures/{asked['id']}/decision", {"verdict": "approve"}
    assert admin.post(path, yes).status_code == DENIED
    for role in ("access-admin", "security-operator", "auditor", "project-owner"):
        assert world[role].post(path, yes).status_code in (DENIED, HIDDEN), role
    assert world["tenant-admin"].post(path, yes).status_code == 200
