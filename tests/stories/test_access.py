# SPDX-License-Identifier: Apache-2.0
"""Groups, own roles, denies, ceilings, conditions, assets: what an admin can say, and that it holds."""
import datetime
import time

import pytest
from service import Client, person

counter = iter(range(1000))
DATA = b"a,b\n1,2\n3,4\n5,6\n"


@pytest.fixture(scope="module")
def admin(world):
    return world.admin


def newcomer(world, *bindings):
    return person(world.service, world.admin, f"access-{next(counter)}", bindings)


def soon(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat().replace(
        "+00:00", "Z")


def at(project="credit", asset=None):
    return {"scope": "asset", "project": project, "asset": asset} if asset else {"scope": "project", "project": project}


def give(client, role, where, **more):
    return client.post("/v1/bindings", {"role": role, **where, **more})


def code_of(reply):
    return reply.json()["error"]["code"]


def group(admin, *members):
    name = f"group-{next(counter)}"
    admin.ok("POST", "/v1/groups", {"name": name})
    for member in members:
        admin.ok("POST", f"/v1/groups/{name}/members", {"principal": member})
    return name


def models(client, project="credit"):
    return {m["name"] for m in client.ok("GET", f"/v1/projects/{project}/models?limit=1000")["value"]}


@pytest.fixture(scope="module")
def two_models(world):
    owner = world["project-owner"]
    for name in ("open-book", "closed-book"):
        owner.ok("PUT", f"/v1/projects/credit/models/{name}", {})
    return owner


# Groups.

def test_what_a_group_has_its_members_have_until_they_leave(world, admin):
    ann = newcomer(world)
    name = group(admin, ann.name)
    assert ann.get("/v1/projects/credit").status_code == 404
    admin.ok("POST", "/v1/bindings", {"group": name, "role": "reader", **at()})
    assert ann.get("/v1/projects/credit").status_code == 200
    assert any(r.get("group") == name for r in ann.ok("GET", "/v1/me")["roles"])
    assert admin.delete(f"/v1/groups/{name}/members/{ann.name}").status_code == 204
    assert ann.get("/v1/projects/credit").status_code == 404


def test_groups_nest_five_deep_and_never_in_a_circle(world, admin):
    ann = newcomer(world)
    names = [group(admin) for _ in range(6)]
    for above, below in zip(names[:5], names[1:5]):
        admin.ok("POST", f"/v1/groups/{above}/members", {"group": below})
    admin.ok("POST", f"/v1/groups/{names[4]}/members", {"principal": ann.name})
    admin.ok("POST", "/v1/bindings", {"group": names[0], "role": "reader", **at()})
    assert ann.get("/v1/projects/credit").status_code == 200
    deep = admin.post(f"/v1/groups/{names[4]}/members", {"group": names[5]})
    assert deep.status_code == 400 and "five deep" in deep.text
    circle = admin.post(f"/v1/groups/{names[4]}/members", {"group": names[0]})
    assert circle.status_code == 400 and "itself" in circle.text
    assert admin.post(f"/v1/groups/{names[0]}/members", {"group": names[0]}).status_code == 400


def test_a_membership_ends_by_the_clock(world, admin):
    ann = newcomer(world)
    name = group(admin)
    admin.ok("POST", f"/v1/groups/{name}/members", {"principal": ann.name, "valid_until": soon(2)})
    admin.ok("POST", "/v1/bindings", {"group": name, "role": "reader", **at()})
    assert ann.get("/v1/projects/credit").status_code == 200
    time.sleep(2.1)
    assert ann.get("/v1/projects/credit").status_code == 404


# Assets.

def test_a_role_at_one_model_shows_that_model_and_no_other(world, admin, two_models):
    ann = newcomer(world)
    admin.ok("POST", "/v1/bindings", {"principal": ann.name, "role": "reader", **at(asset="models/open-book")})
    assert ann.get("/v1/projects/credit/models/open-book").status_code == 200
    hidden, absent = (ann.get(f"/v1/projects/credit/models/{n}") for n in ("closed-book", "never-was"))
    assert hidden.status_code == absent.status_code == 404 and hidden.content == absent.content
    assert models(ann) == {"open-book"}
    assert ann.get("/v1/projects/credit").status_code == 404
    assert ann.patch("/v1/projects/credit/models/open-book", {"description": "x"}).status_code == 403


def test_a_model_denied_is_a_model_that_is_not_there(world, admin, two_models):
    ann = newcomer(world, ("data-scientist", "credit"))
    assert {"open-book", "closed-book"} <= models(ann)
    deny = admin.ok("POST", "/v1/denies", {"principals": [ann.name], "actions": ["assets/*"], "reason": "a wall",
                                           **at(asset="models/closed-book")})
    assert "closed-book" not in models(ann) and "open-book" in models(ann)
    for path in ("", "/versions", "/aliases"):
        hidden, absent = (ann.get(f"/v1/projects/credit/models/{n}{path}") for n in ("closed-book", "never-was"))
        assert hidden.status_code == absent.status_code == 404 and hidden.content == absent.content, path
    assert ann.get("/v1/projects/credit/models?q=closed").json()["value"] == []
    assert admin.delete(f"/v1/denies/{deny['id']}").status_code == 204
    assert "closed-book" in models(ann)


def test_lists_show_what_checks_allow(world, admin, two_models):
    """list == filter(check), for each identity, with a deny, an asset role and a condition in play."""
    people = [newcomer(world, ("reader", "credit")), newcomer(world), newcomer(world, ("reader", "credit"))]
    admin.ok("POST", "/v1/bindings", {"principal": people[1].name, "role": "reader", **at(asset="models/closed-book")})
    admin.ok("POST", "/v1/denies", {"principals": [people[2].name], "actions": ["*"], "reason": "a wall",
                                    **at(asset="models/open-book")})
    everything = models(two_models)
    for client in [*people, world["endpoint-consumer"], world["auditor"]]:
        allowed = set()
        for name in everything:
            reply = client.post("/v1/access/check", {"action": "assets/read", "project": "credit",
                                                     "asset": f"models/{name}"})
            if reply.status_code == 200 and reply.json()["allowed"]:
                allowed.add(name)
        reply = client.get("/v1/projects/credit/models?limit=1000")
        listed = {m["name"] for m in reply.json()["value"]} if reply.status_code == 200 else set()
        assert listed == allowed


# Roles of one's own.

def test_a_role_of_ones_own_is_what_its_patterns_say(world, admin):
    role = f"role-{next(counter)}"
    made = admin.ok("PUT", f"/v1/roles/{role}", {"actions": ["*"], "not_actions": ["*/delete", "assets/purge"],
                                                 "data_actions": ["assets/*"]})
    assert made["custom"] and not made["privileged"] and made["widening"] == []
    assert "assets/read" in made["actions"] and "assets/files/read" in made["actions"]
    assert "assets/delete" not in made["actions"] and "endpoints/invoke" not in made["actions"]
    everything = admin.ok("GET", "/v1/roles/tenant-admin")["actions"]
    privileged = {"access/bindings/write", "identity/users/write", "access/roles/write", "access/denies/write"}
    assert privileged <= set(everything) and not privileged & set(made["actions"])
    ann = newcomer(world)
    assert give(admin, role, at(), principal=ann.name).status_code == 201
    assert ann.put("/v1/projects/credit/models/by-own-role", {}).status_code == 201
    assert ann.delete("/v1/projects/credit/models/by-own-role").status_code == 403
    assert admin.delete(f"/v1/roles/{role}").status_code == 409
    admin.ok("PUT", f"/v1/roles/{role}", {"actions": ["projects/read"]})
    assert ann.put("/v1/projects/credit/models/by-own-role-2", {}).status_code == 403


def test_a_role_with_nonsense_is_refused_by_name(admin):
    for body, target in [({"actions": ["assets/reed"]}, "actions"), ({"actions": ["platform/tenants/write"]}, "actions"),
                         ({"actions": ["assets/read"], "scopes": ["platform"]}, "scopes"),
                         ({"actions": ["identity/users/write"], "scopes": ["project"]}, "scopes")]:
        reply = admin.put("/v1/roles/nonsense", body)
        assert reply.status_code == 400 and reply.json()["error"]["target"] == target, reply.text
    assert admin.put("/v1/roles/reader", {"actions": ["*"]}).status_code == 409


def test_an_upgrade_that_would_widen_a_role_is_reported_and_does_not(world, admin):
    role = f"role-{next(counter)}"
    admin.ok("PUT", f"/v1/roles/{role}", {"actions": ["assets/*", "projects/read"]})
    ann = newcomer(world)
    admin.ok("POST", "/v1/bindings", {"principal": ann.name, "role": role, **at()})
    tenant = admin.ok("GET", "/v1/me")["tenant_id"]
    world.service.sql(f"SET search_path = chancery; SET app.tenant = '{tenant}'; UPDATE custom_role"
                      f" SET expanded = array_remove(expanded, 'assets/write') WHERE name = '{role}'")
    time.sleep(1.2)
    widened = {r["name"]: r["widening"] for r in admin.ok("GET", "/v1/roles?widening=true")["value"]}
    assert widened[role] == ["assets/write"]
    assert ann.put("/v1/projects/credit/models/not-widened", {}).status_code == 403
    admin.ok("PUT", f"/v1/roles/{role}", {"actions": ["assets/*", "projects/read"]})
    assert ann.put("/v1/projects/credit/models/widened", {}).status_code == 201


# Denies, ceilings, conditions.

def test_a_deny_beats_every_role_is_inherited_and_ends_by_the_clock(world, admin):
    ann = newcomer(world, ("project-owner", None), ("project-owner", "credit"))
    admin.ok("POST", "/v1/denies", {"principals": [ann.name], "actions": ["assets/write"], "reason": "on leave",
                                    "scope": "tenant", "valid_until": soon(2)})
    assert ann.put("/v1/projects/credit/models/denied", {}).status_code == 403
    time.sleep(2.1)
    assert ann.put("/v1/projects/credit/models/denied", {}).status_code == 201


def test_a_deny_for_all_spares_whom_it_excludes(world, admin):
    ann, ben = newcomer(world, ("data-scientist", "credit")), newcomer(world, ("data-scientist", "credit"))
    spared = group(admin, ben.name)
    deny = admin.ok("POST", "/v1/denies", {"excluded": ["group:" + spared], "actions": ["jobs/*"], "reason": "a freeze",
                                           **at()})
    assert ann.get("/v1/projects/credit/jobs").status_code == 403
    assert ben.get("/v1/projects/credit/jobs").status_code == 200
    late = newcomer(world, ("data-scientist", "credit"))
    assert late.get("/v1/projects/credit/jobs").status_code == 403
    admin.delete(f"/v1/denies/{deny['id']}")
    assert ann.get("/v1/projects/credit/jobs").status_code == 200


def test_nobody_denies_the_last_admins_their_office(admin):
    for actions in (["*"], ["access/*"], ["access/denies/write"], ["access/bindings/administer"]):
        reply = admin.post("/v1/denies", {"actions": actions, "scope": "tenant", "reason": "mischief"})
        assert reply.status_code == 409, reply.text
    assert admin.post("/v1/denies", {"actions": ["assets/reed"], "scope": "tenant", "reason": "x"}).status_code == 400


def test_a_service_account_with_a_ceiling_stays_under_it(world, admin):
    robot = f"robot-{next(counter)}"
    admin.ok("POST", "/v1/service-accounts", {"name": robot})
    admin.ok("POST", "/v1/bindings", {"principal": robot, "role": "project-owner", **at()})
    bot = Client(world.service, admin.ok("POST", "/v1/tokens", {"name": "t", "service_account": robot})["token"])
    assert bot.put("/v1/projects/credit/models/under", {}).status_code in (200, 201)
    ceiling = admin.ok("POST", "/v1/ceilings", {"principal": robot, "actions": ["*/read", "projects/read"], **at()})
    assert bot.get("/v1/projects/credit/models/under").status_code == 200
    assert bot.put("/v1/projects/credit/models/under", {}).status_code == 403
    answer = admin.ok("POST", "/v1/access/explain", {"principal": robot, "action": "assets/write", "project": "credit"})
    assert not answer["allowed"] and "ceiling" in answer["reason"]
    assert admin.post("/v1/ceilings", {"principal": "admin", "actions": ["*"], "scope": "tenant"}).status_code == 400
    admin.delete(f"/v1/ceilings/{ceiling['id']}")
    assert bot.put("/v1/projects/credit/models/under", {}).status_code == 200


@pytest.mark.parametrize("condition, holds", [
    ("network in 127.0.0.0/8", True), ("network in 10.0.0.0/8", False), ("network in 127.0.0.1/32", True),
    ("hour >= 0", True), ("hour < 0", False), ("classification <= internal", True), ("classification > public", False),
    ("purpose = fraud", False), ("mfa_age < 900", False), ("alias = production", False),
    ("network in 127.0.0.0/8 and hour <= 23", True), ("network in 127.0.0.0/8 and hour < 0", False),
    ("tag.stage = gold", False), ("tag.stage != gold", False),
])
def test_a_role_under_a_condition_holds_while_it_does(world, admin, condition, holds):
    ann = newcomer(world)
    admin.ok("POST", "/v1/bindings", {"principal": ann.name, "role": "reader", "condition": condition, **at()})
    assert ann.get("/v1/projects/credit/models").status_code == (200 if holds else 404)


@pytest.mark.parametrize("condition", [
    "", "true", "hour", "hour >=", "hour >= noon", "hour >= 24", "network = 10.0.0.0/8", "network in 10.0.0.0/33",
    "network in ten/8", "classification <= top-secret", "alias < a", "hour >= 1 or hour < 2", "hour >= 1 and",
    " and ".join(["hour >= 1"] * 9), "tag.X Y = 1", "system('rm')",
])
def test_a_condition_that_is_none_is_refused_by_name(admin, world, condition):
    reply = give(admin, "reader", at(), principal="the-reader", condition=condition)
    assert reply.status_code == 400 and reply.json()["error"]["target"] == "condition", reply.text


def test_a_purpose_is_stated_by_the_request(world, admin):
    ann = newcomer(world)
    admin.ok("POST", "/v1/bindings", {"principal": ann.name, "role": "reader", "condition": "purpose = fraud", **at()})
    for purpose, status in [("fraud", 200), ("marketing", 404), (None, 404)]:
        headers = {"Chancery-Purpose": purpose} if purpose else {}
        assert ann.get("/v1/projects/credit", headers=headers).status_code == status


def test_tags_of_an_asset_decide_and_follow_its_changes(world, admin, two_models):
    ann = newcomer(world)
    give(admin, "reader", at(), principal=ann.name, condition="tag.stage = gold")
    two_models.ok("PATCH", "/v1/projects/credit/models/open-book", {"tags": {"stage": "gold"}})
    assert models(ann) == {"open-book"}
    assert ann.get("/v1/projects/credit/models/open-book").status_code == 200
    assert ann.get("/v1/projects/credit/models/closed-book").status_code == 404
    two_models.ok("PATCH", "/v1/projects/credit/models/open-book", {"tags": {"stage": "lead"}})
    assert ann.get("/v1/projects/credit/models/open-book").status_code == 404


# Answers.

def test_explain_agrees_with_check_and_says_each_step(world, admin):
    ann = newcomer(world)
    name = group(admin, ann.name)
    admin.ok("POST", "/v1/bindings", {"group": name, "role": "data-scientist", **at()})
    admin.ok("POST", "/v1/denies", {"principals": [ann.name], "actions": ["jobs/write"], "reason": "a wall", **at()})
    for action in admin.ok("GET", "/v1/roles/project-owner")["actions"]:
        ask = {"principal": ann.name, "action": action, "project": "credit"}
        check, explain = (admin.ok("POST", f"/v1/access/{q}", ask) for q in ("check", "explain"))
        assert {k: explain[k] for k in check} == check
        assert explain["steps"][-1].startswith("allowed" if check["allowed"] else "refused")
    steps = admin.ok("POST", "/v1/access/explain", {"principal": ann.name, "action": "jobs/write",
                                                   "project": "credit"})["steps"]
    assert any(f"through group {name} allows it" in s for s in steps) and any("takes it away" in s for s in steps)


def test_who_can_is_the_inverse_of_check(world, admin):
    for action in ("approvals/decide", "endpoints/invoke", "access/bindings/write"):
        found = admin.ok("GET", f"/v1/access/who-can?action={action}&project=credit")["value"]
        able = {w["principal"] for w in found if not w["conditional"]}
        for user in admin.ok("GET", "/v1/users?limit=1000")["value"]:
            answer = admin.ok("POST", "/v1/access/check", {"principal": user["name"], "action": action,
                                                          "project": "credit"})
            assert answer["allowed"] == (user["name"] in able)
    assert world["reader"].get("/v1/access/who-can?action=assets/read&project=credit").status_code == 403
    assert admin.get("/v1/access/who-can?action=all").status_code == 400


def test_what_can_lists_each_place_that_adds_or_takes(world, admin, two_models):
    ann = newcomer(world, ("reader", "credit"))
    give(admin, "data-scientist", at(asset="models/open-book"), principal=ann.name)
    places = ann.ok("GET", "/v1/access/what-can")["value"]
    assert {(p["scope"], p.get("asset")) for p in places} == {("project", None), ("asset", "models/open-book")}
    assert ann.get("/v1/access/what-can?principal=admin").status_code == 403


# Attacks.

def test_e2_nobody_widens_a_role_beyond_themselves(world, admin):
    keeper = world["access-admin"]
    assert keeper.put("/v1/roles/grab", {"actions": ["assets/write"]}).status_code == 403
    assert keeper.put("/v1/roles/peek", {"actions": ["projects/read"]}).status_code == 200
    assert keeper.put("/v1/roles/peek", {"actions": ["projects/read", "access/denies/write"]}).status_code == 403
    assert keeper.put("/v1/roles/peek", {"actions": ["projects/read", "assets/*"]}).status_code == 403


def test_e3_no_wildcard_reaches_the_privileged(world, admin):
    made = admin.ok("PUT", "/v1/roles/all-there-is", {"actions": ["*", "*/*", "a*", "identity/*", "access/*"],
                                                      "data_actions": ["*"]})
    assert not made["privileged"]
    ann = newcomer(world, ("all-there-is", None))
    assert ann.post("/v1/users", {"name": "sock-puppet"}).status_code == 403
    assert give(ann, "reader", at(), principal=ann.name).status_code == 403


def test_e5_joining_a_group_is_being_given_its_roles(world, admin):
    keeper = world["access-admin"]
    ann = newcomer(world)
    strong = group(admin)
    admin.ok("POST", "/v1/bindings", {"group": strong, "role": "tenant-admin", "scope": "tenant"})
    assert keeper.post(f"/v1/groups/{strong}/members", {"principal": ann.name}).status_code == 403
    inner = group(admin)
    admin.ok("POST", f"/v1/groups/{strong}/members", {"group": inner})
    assert keeper.post(f"/v1/groups/{inner}/members", {"principal": keeper.name}).status_code == 403
    ordinary = group(admin)
    admin.ok("POST", "/v1/bindings", {"group": ordinary, "role": "project-owner", **at()})
    assert keeper.post(f"/v1/groups/{ordinary}/members", {"principal": keeper.name}).status_code == 403
    assert keeper.post(f"/v1/groups/{ordinary}/members", {"principal": ann.name}).status_code == 201
    own = keeper.ok("POST", "/v1/groups", {"name": f"own-{next(counter)}"})["name"]
    keeper.ok("POST", f"/v1/groups/{own}/members", {"principal": keeper.name})
    assert give(keeper, "project-owner", at(), group=own).status_code == 403


def test_leaving_or_joining_a_group_does_not_lift_a_deny(world, admin):
    keeper, ann = world["access-admin"], newcomer(world, ("data-scientist", "credit"))
    walled, spared = group(admin, ann.name), group(admin)
    admin.ok("POST", "/v1/denies", {"principals": ["group:" + walled], "actions": ["jobs/*"], "reason": "a wall", **at()})
    admin.ok("POST", "/v1/denies", {"principals": [ann.name], "excluded": ["group:" + spared], "reason": "a wall",
                                    "actions": ["endpoints/*"], **at()})
    assert keeper.delete(f"/v1/groups/{walled}/members/{ann.name}").status_code == 403
    assert keeper.post(f"/v1/groups/{spared}/members", {"principal": ann.name}).status_code == 403
    assert ann.get("/v1/projects/credit/jobs").status_code == 403


def test_another_tenants_groups_roles_and_denies_do_not_exist(world, admin):
    name = group(admin)
    stranger = world.foreign_admin
    assert stranger.get(f"/v1/groups/{name}").content == stranger.get("/v1/groups/never-was").content
    assert stranger.post(f"/v1/groups/{name}/members", {"principal": "admin"}).status_code == 404
    assert give(stranger, "reader", {"scope": "tenant"}, group=name).status_code == 400
    assert name not in stranger.get("/v1/groups?limit=1000").text


# Before a change.

def test_what_if_says_who_would_gain_and_lose_and_changes_nothing(world, admin):
    ann = newcomer(world)
    credit = {"scope": "project", "project": "credit"}
    with world.service.unchanged():
        gain = admin.ok("POST", "/v1/access/what-if", {"change": "give", "principal": ann.name, "role": "reader", **credit})
        assert {"principal": ann.name, "action": "assets/read", "at": "project credit"} in gain["gained"]
        assert gain["lost"] == [] and gain["complete"] and {g["principal"] for g in gain["gained"]} == {ann.name}
        cut = admin.ok("POST", "/v1/access/what-if", {"change": "deny", "principal": "the-reader", "actions": ["jobs/*"],
                                                      **credit})
        assert {(t["principal"], t["action"]) for t in cut["lost"]} == {("the-reader", "jobs/read")}
    binding = admin.ok("POST", "/v1/bindings", {"principal": ann.name, "role": "reader", **credit})
    lost = admin.ok("POST", "/v1/access/what-if", {"change": "take", "binding": binding["id"]})
    assert {(t["action"], t["principal"]) for t in lost["lost"]} == {(g["action"], ann.name) for g in gain["gained"]}
    assert ann.get("/v1/projects/credit").status_code == 200
    assert world["reader"].post("/v1/access/what-if", {"change": "take", "binding": binding["id"]}).status_code == 403
    wrong = admin.post("/v1/access/what-if", {"change": "give", "role": "reader"})
    assert wrong.status_code == 400 and wrong.json()["error"]["target"] == "scope"


def test_what_if_a_role_were_changed(world, admin):
    role = f"role-{next(counter)}"
    admin.ok("PUT", f"/v1/roles/{role}", {"actions": ["projects/read", "assets/read"]})
    ann = newcomer(world, (role, "credit"))
    seen = admin.ok("POST", "/v1/access/what-if", {"change": "role", "role": role, "actions": ["projects/read", "jobs/read"]})
    place = {"principal": ann.name, "at": "project credit"}
    assert seen["gained"] == [{**place, "action": "jobs/read"}] and seen["lost"] == [{**place, "action": "assets/read"}]


def test_what_if_replays_what_was_decided_of_late(world, admin):
    """The log's own decisions, asked again: which would have been refused, or allowed, under the change."""
    ann = newcomer(world, ("data-scientist", "credit"))
    ann.ok("PUT", "/v1/projects/credit/models/replayed", {})
    ann.ok("PUT", "/v1/projects/credit/models/replayed", {})
    assert ann.put("/v1/projects/credit/endpoints/replayed", {}).status_code == 403
    credit = {"scope": "project", "project": "credit"}
    with world.service.unchanged():
        cut = admin.ok("POST", "/v1/access/what-if", {"change": "deny", "principal": ann.name, "actions": ["assets/write"],
                                                      "replay_days": 1, **credit})
    mine = [d for d in cut["replay"] if d["principal"] == ann.name]
    assert [(d["action"], d["project"], d["asset"], d["times"], d["was"], d["would_be"]) for d in mine] == [
        ("assets/write", "credit", "models/replayed", 2, "allowed", "refused")]
    assert cut["replayed"] > 10 and cut["replay_complete"]
    gain = admin.ok("POST", "/v1/access/what-if", {"change": "give", "principal": ann.name, "role": "deployer",
                                                   "replay_days": 1, **credit})
    mine = [d for d in gain["replay"] if d["principal"] == ann.name]
    assert [(d["action"], d["was"], d["would_be"]) for d in mine] == [("endpoints/write", "refused", "allowed")]
    role = f"role-{next(counter)}"
    admin.ok("PUT", f"/v1/roles/{role}", {"actions": ["projects/read", "assets/*"]})
    ben = newcomer(world, (role, "credit"))
    ben.ok("PUT", "/v1/projects/credit/models/replayed-2", {})
    less = admin.ok("POST", "/v1/access/what-if", {"change": "role", "role": role, "actions": ["projects/read"], "replay_days": 1})
    assert {(d["principal"], d["action"]) for d in less["replay"]} == {(ben.name, "assets/write")}
    without = admin.ok("POST", "/v1/access/what-if", {"change": "role", "role": role, "actions": ["projects/read"]})
    assert without["replay"] == [] and without["replayed"] == 0
    assert admin.post("/v1/access/what-if", {"change": "role", "role": role, "actions": ["x"], "replay_days": 366}
                      ).json()["error"]["target"] == "replay_days"
