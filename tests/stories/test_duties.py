# SPDX-License-Identifier: Apache-2.0
"""Separation of duties, roles that are asked for, classification and purposes: the rules that need two people."""
import base64
import datetime
import json
import time

import pytest
from service import DATA, Client, person

counter = iter(range(1000))
CREDIT = {"scope": "project", "project": "credit"}


@pytest.fixture(scope="module")
def admin(world):
    return world.admin


def newcomer(world, *bindings):
    return person(world.service, world.admin, f"duty-{next(counter)}", bindings)


def group(admin, *members):
    name = f"duty-group-{next(counter)}"
    admin.ok("POST", "/v1/groups", {"name": name})
    for member in members:
        admin.ok("POST", f"/v1/groups/{name}/members", {"principal": member})
    return name


def give(client, role, where=None, **more):
    return client.post("/v1/bindings", {"role": role, **(where or CREDIT), **more})


# Separation of duties.

@pytest.fixture(scope="module")
def apart(admin):
    assert admin.put("/v1/duties/apart", {"roles": ["data-scientist", "approver", "deployer"]}).status_code == 204
    return admin


def test_nobody_gets_two_roles_that_are_kept_apart(world, apart):
    ann = newcomer(world, ("data-scientist", "credit"))
    refused = give(apart, "approver", principal=ann.name)
    assert refused.status_code == 409 and "data-scientist and approver" in refused.json()["error"]["message"]
    assert give(apart, "approver", {"scope": "tenant"}, principal=ann.name).status_code == 409
    apart.ok("PUT", "/v1/projects/elsewhere", {})
    assert give(apart, "approver", {"scope": "project", "project": "elsewhere"}, principal=ann.name).status_code == 201


def test_not_through_groups_either(world, apart):
    ann = newcomer(world, ("data-scientist", "credit"))
    approvers = group(apart)
    apart.ok("POST", "/v1/bindings", {"group": approvers, "role": "approver", **CREDIT})
    assert apart.post(f"/v1/groups/{approvers}/members", {"principal": ann.name}).status_code == 409
    outer, inner = group(apart), group(apart, ann.name)
    apart.ok("POST", f"/v1/groups/{outer}/members", {"group": inner})
    assert give(apart, "deployer", group=outer).status_code == 409


def test_nor_through_a_service_account_of_theirs(world, apart):
    ann = newcomer(world, ("data-scientist", "credit"))
    robot = f"duty-robot-{next(counter)}"
    apart.ok("POST", "/v1/service-accounts", {"name": robot, "owner": ann.name})
    assert give(apart, "approver", principal=robot).status_code == 409


def test_nor_by_being_eligible_unless_the_duty_is_dynamic(world, apart):
    ann = newcomer(world, ("data-scientist", "credit"))
    ask = {"principal": ann.name, "role": "approver", **CREDIT}
    assert apart.post("/v1/eligible", ask).status_code == 409
    assert apart.put("/v1/duties/apart", {"roles": ["data-scientist", "approver", "deployer"],
                                          "active_only": True}).status_code == 204
    eligible = apart.ok("POST", "/v1/eligible", {**ask, "approval": False})
    refused = ann.post("/v1/activations", {"eligible": eligible["id"], "justification": "month end"})
    assert refused.status_code == 409 and "apart" in refused.text
    apart.put("/v1/duties/apart", {"roles": ["data-scientist", "approver", "deployer"]})


def test_the_report_names_who_breaks_a_rule_and_who_could_do_all_alone(world, apart):
    ann = newcomer(world, ("reader", "credit"), ("endpoint-consumer", "credit"))
    apart.put("/v1/duties/late", {"roles": ["reader", "endpoint-consumer"]})
    report = world["auditor"].ok("GET", "/v1/access/duties")
    assert {"duty": "late", "user": ann.name, "at": "project credit",
            "roles": ["reader", "endpoint-consumer"]} in report["broken"]
    assert {"user": "the-project-owner", "project": "credit"} in report["train_approve_deploy"]
    assert not any(r["user"] == "the-approver" for r in report["train_approve_deploy"])
    assert give(apart, "reader", {"scope": "tenant"}, principal="the-deployer").status_code == 201  # others go on
    apart.delete("/v1/duties/late")


def test_a_duty_with_nonsense_is_refused_by_name(admin):
    for body, target in [({"roles": ["reader"]}, "at_most"), ({"roles": ["reader", "king"]}, "roles"),
                         ({"roles": ["reader", "reader"]}, "roles"), ({"roles": ["reader", "approver"], "at_most": 2},
                                                                       "at_most")]:
        reply = admin.put("/v1/duties/nonsense", body)
        assert reply.status_code == 400 and reply.json()["error"]["target"] == target, reply.text


# Roles that are asked for.

def test_an_eligible_role_is_had_only_after_another_has_agreed(world, admin):
    ann, ben = newcomer(world), newcomer(world)
    eligible = admin.ok("POST", "/v1/eligible", {"principal": ann.name, "role": "deployer", "max_hours": 4, **CREDIT})
    assert ann.get("/v1/projects/credit").status_code == 404
    assert [e["id"] for e in ann.ok("GET", "/v1/eligible")["value"]] == [eligible["id"]]
    assert ben.ok("GET", "/v1/eligible")["value"] == []
    assert ben.post("/v1/activations", {"eligible": eligible["id"], "justification": "me too"}).status_code == 404
    too_long = ann.post("/v1/activations", {"eligible": eligible["id"], "justification": "release", "hours": 5})
    assert too_long.json()["error"]["target"] == "hours"
    asked = ann.ok("POST", "/v1/activations", {"eligible": eligible["id"], "justification": "release", "hours": 1})
    assert asked["state"] == "pending" and ann.get("/v1/projects/credit").status_code == 404
    again = ann.post("/v1/activations", {"eligible": eligible["id"], "justification": "release"})
    assert again.status_code == 409
    decision = f"/v1/activations/{asked['id']}/decision"
    own = ann.post(decision, {"verdict": "approve", "reason": "I need it"})
    assert own.json()["error"]["code"] == "four-eyes"
    assert ben.post(decision, {"verdict": "approve", "reason": "why not"}).status_code == 404
    assert world["data-scientist"].post(decision, {"verdict": "approve", "reason": "x"}).status_code == 404
    done = world["project-owner"].ok("POST", decision, {"verdict": "approve", "reason": "planned"})
    assert done["state"] == "active" and done["decided_by"] == "the-project-owner"
    assert ann.get("/v1/projects/credit").status_code == 200
    assert ann.post(decision, {"verdict": "approve", "reason": "twice"}).status_code == 409


def test_an_activated_role_ends_by_the_clock(world, admin):
    ann = newcomer(world)
    eligible = admin.ok("POST", "/v1/eligible", {"principal": ann.name, "role": "reader", "approval": False, **CREDIT})
    assert ann.ok("POST", "/v1/activations", {"eligible": eligible["id"], "justification": "look"})["state"] == "active"
    assert ann.get("/v1/projects/credit").status_code == 200
    binding = admin.ok("GET", f"/v1/bindings?principal={ann.name}")["value"][0]
    assert binding["valid_until"] is not None


def test_step_up_is_asked_for_where_it_is_wanted(world, admin):
    ann = newcomer(world)
    eligible = admin.ok("POST", "/v1/eligible", {"principal": ann.name, "role": "tenant-admin", "scope": "tenant",
                                                 "step_up": True, "approval": False})
    reply = ann.post("/v1/activations", {"eligible": eligible["id"], "justification": "break glass"})
    assert reply.status_code == 401 and "max_age=900" in reply.headers["WWW-Authenticate"] and "second factor" in reply.text


def test_e1_who_may_not_give_a_role_may_not_let_others_ask_for_it(world, admin):
    keeper, owner = world["access-admin"], world["project-owner"]
    assert keeper.post("/v1/eligible", {"principal": "the-reader", "role": "tenant-admin", "scope": "tenant"}
                       ).status_code == 403
    assert keeper.post("/v1/eligible", {"principal": keeper.name, "role": "project-owner", **CREDIT}).status_code == 403
    assert owner.post("/v1/eligible", {"principal": "the-reader", "role": "security-operator", "scope": "tenant"}
                      ).status_code == 403
    assert owner.post("/v1/eligible", {"principal": "the-reader", "role": "deployer", **CREDIT}).status_code == 201


# Classification.

def classified(client, name, level, kind="datasets", **more):
    client.ok("PUT", f"/v1/projects/credit/{kind}/{name}", {})
    return client.put(f"/v1/projects/credit/{kind}/{name}/classification", {"level": level, **more})


def test_a_class_rises_at_once_and_sinks_with_two(world, admin):
    steward, owner = world["data-steward"], world["project-owner"]
    assert classified(steward, "patients", "restricted").json()["level"] == "restricted"
    path = "/v1/projects/credit/datasets/patients/classification"
    bare = steward.put(path, {"level": "internal"})
    assert bare.status_code == 400 and bare.json()["error"]["target"] == "reason"
    asked = steward.put(path, {"level": "internal", "reason": "names are gone"})
    assert asked.status_code == 202 and asked.json()["state"] == "pending"
    assert steward.ok("GET", path)["level"] == "restricted"
    decision = f"/v1/projects/credit/declassifications/{asked.json()['id']}/decision"
    alone = steward.post(decision, {"verdict": "approve", "reason": "I know"})
    assert alone.json()["error"]["code"] == "four-eyes"
    assert world["data-scientist"].post(decision, {"verdict": "approve", "reason": "x"}).status_code == 403
    assert owner.ok("POST", decision, {"verdict": "approve", "reason": "seen"})["state"] == "approved"
    assert steward.ok("GET", path)["level"] == "internal"
    assert owner.post(decision, {"verdict": "approve", "reason": "again"}).status_code == 409
    assert classified(steward, "patients", "cosmic").json()["error"]["target"] == "level"


def test_nobody_lowers_a_class_behind_the_services_back(world, admin):
    classified(world["data-steward"], "vault", "restricted")
    with pytest.raises(AssertionError, match="two people"):
        world.service.sql("SET search_path = chancery; UPDATE asset_label SET level = 0 WHERE asset_id ="
                          " (SELECT id FROM asset WHERE name = 'vault')")


def test_a_role_for_low_classes_does_not_reach_high_ones(world, admin):
    steward = world["data-steward"]
    classified(steward, "flat", "internal")
    classified(steward, "steep", "confidential")
    ann = newcomer(world)
    give(admin, "reader", principal=ann.name, condition="classification <= internal")
    listed = {d["name"] for d in ann.ok("GET", "/v1/projects/credit/datasets?limit=1000")["value"]}
    assert "flat" in listed and "steep" not in listed
    hidden, absent = (ann.get(f"/v1/projects/credit/datasets/{n}") for n in ("steep", "never-was"))
    assert hidden.status_code == absent.status_code == 404 and hidden.content == absent.content
    classified(steward, "flat", "restricted")
    assert ann.get("/v1/projects/credit/datasets/flat").status_code == 404


def test_a_model_is_as_secret_as_its_data_and_the_label_stays_until_two_agree(world, admin):
    steward, scientist = world["data-steward"], world["data-scientist"]
    scientist.upload_dataset("credit", "scans", DATA / "breast_cancer.csv")
    classified(steward, "scans", "confidential", purposes=["research", "care"])
    world.trained(dataset="scans", model="scanner")
    label = steward.ok("GET", "/v1/projects/credit/models/scanner/classification")
    assert (label["level"], sorted(label["purposes"]), label["sources"]) == ("confidential", ["care", "research"],
                                                                    ["datasets/scans"])
    ann = newcomer(world)
    give(admin, "reader", principal=ann.name, condition="classification < confidential")
    assert ann.get("/v1/projects/credit/models/scanner").status_code == 404


def test_data_without_a_common_purpose_does_not_train_one_model(world, admin):
    """Depends on the model of the story above."""
    steward, scientist = world["data-steward"], world["data-scientist"]
    version = scientist.upload_dataset("credit", "leads", DATA / "breast_cancer.csv")
    classified(steward, "leads", "internal", purposes=["marketing"])
    reply = scientist.post("/v1/projects/credit/jobs", {
        "kind": "train", "input": f"datasets/leads/versions/{version['number']}", "output": "models/scanner",
        "trainer": "logistic", "target": "diagnosis", "seed": 7, "test_fraction": 0.25})
    assert reply.status_code == 409, reply.text
    assert "datasets/leads" in reply.text and "datasets/scans" in reply.text and "no common purpose" in reply.text


def test_the_levels_have_the_tenants_own_names(world, admin):
    assert admin.ok("GET", "/v1/lattice")["levels"] == ["public", "internal", "confidential", "restricted"]
    assert world["reader"].put("/v1/lattice", {"levels": list("abcd")}).status_code == 403
    assert admin.put("/v1/lattice", {"levels": ["low", "high"]}).status_code == 400
    assert admin.put("/v1/lattice", {"levels": ["low", "low", "high", "top"]}).status_code == 400
    admin.ok("PUT", "/v1/lattice", {"levels": ["public", "internal", "confidential", "restricted", "secret"]})
    assert classified(world["data-steward"], "deep", "secret").json()["level"] == "secret"


# Passwords and tokens, asked for here too: a new password ends what the old one gave.

def test_a_password_set_anew_ends_the_tokens_it_gave(world, admin):
    ann = newcomer(world, ("reader", "credit"))
    assert ann.get("/v1/me").status_code == 200
    admin.ok("PATCH", f"/v1/users/{ann.name}", {"password": "another horse battery"})
    assert ann.get("/v1/me").status_code == 401
    reply = world.service.client().post("/v1/login", {"tenant": "acme", "user": ann.name,
                                                      "password": "another horse battery"})
    assert Client(world.service, reply.json()["access_token"]).get("/v1/me").status_code == 200


def test_a_suspended_tenant_may_nothing_at_once(world):
    stranger = world.foreign_admin
    assert stranger.get("/v1/me").status_code == 200
    world.service.sql("UPDATE chancery.tenant SET state = 'suspended' WHERE name = 'globex'")
    time.sleep(1.5)
    assert stranger.get("/v1/me").status_code == 401
    world.service.sql("UPDATE chancery.tenant SET state = 'active' WHERE name = 'globex'")
    time.sleep(1.5)
    assert stranger.get("/v1/me").status_code == 200


def test_an_unknown_member_is_the_target(admin):
    reply = admin.post("/v1/groups", {"name": "x", "colour": "red"})
    assert reply.status_code == 400 and reply.json()["error"]["target"] == "colour"


# Reviews.

def test_a_review_applies_itself_when_nobody_answers(world, admin):
    kept, silent, removed = (newcomer(world, ("reader", "elsewhere")) for _ in range(3))
    reviewer = newcomer(world)
    due = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)).isoformat()
    made = admin.ok("POST", "/v1/reviews", {"name": "spring", "project": "elsewhere", "reviewers": [reviewer.name],
                                            "due_at": due})
    review = reviewer.ok("GET", "/v1/reviews/spring")
    assert review["digest"] == made["digest"] and review["open"] == review["items"] >= 3
    items = {i["holder"]: i["binding"] for i in review["value"]}
    answer = "/v1/reviews/spring/decisions"
    reviewer.ok("POST", answer, {"binding": items[kept.name], "decision": "keep", "reason": "on the team"})
    reviewer.ok("POST", answer, {"binding": items[removed.name], "decision": "remove", "reason": "left it"})
    again = reviewer.post(answer, {"binding": items[kept.name], "decision": "remove", "reason": "or not"})
    assert again.status_code == 409
    assert kept.post(answer, {"binding": items[silent.name], "decision": "keep", "reason": "x"}).status_code == 404
    assert world["auditor"].post(answer, {"binding": items[silent.name], "decision": "keep", "reason": "x"}
                                 ).status_code == 403
    assert removed.get("/v1/projects/elsewhere").status_code == 404
    assert silent.get("/v1/projects/elsewhere").status_code == 200
    time.sleep(4.1)
    assert silent.get("/v1/projects/elsewhere").status_code == 404
    assert kept.get("/v1/projects/elsewhere").status_code == 200
    late = reviewer.post(answer, {"binding": items[silent.name], "decision": "keep", "reason": "sorry"})
    assert late.status_code == 409
    envelope = world["auditor"].ok("GET", "/v1/reviews/spring/evidence")
    payload = json.loads(base64.b64decode(envelope["payload"]))
    assert payload["digest"] == made["digest"] and envelope["signatures"]
    assert {i["holder"]: i.get("decision") for i in payload["value"]}[kept.name] == "keep"


def test_nobody_reviews_their_own_roles(world, admin):
    ann = newcomer(world, ("reader", "elsewhere"))
    due = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)).isoformat()
    admin.ok("POST", "/v1/reviews", {"name": "own", "project": "elsewhere", "reviewers": [ann.name], "due_at": due})
    mine = next(i for i in ann.ok("GET", "/v1/reviews/own")["value"] if i["holder"] == ann.name)
    reply = ann.post("/v1/reviews/own/decisions", {"binding": mine["binding"], "decision": "keep", "reason": "me"})
    assert reply.json()["error"]["code"] == "four-eyes"


def test_a_rule_that_nobody_could_meet_is_refused_when_it_is_set(world, admin):
    admin.ok("PUT", "/v1/projects/lonely", {})
    owner = newcomer(world, ("project-owner", "lonely"))
    path = "/v1/projects/lonely/policy"
    rules = owner.ok("GET", path)
    rules["promote"]["approvals"] = 2
    refused = owner.put(path, rules)
    assert refused.status_code == 409 and "nobody could meet this" in refused.text
    newcomer(world, ("approver", "lonely"))
    assert owner.put(path, rules).status_code == 200
    rules["promote"]["approvals"] = 5
    assert owner.put(path, rules).json()["error"]["target"] == "promote"
