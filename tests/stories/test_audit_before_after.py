# SPDX-License-Identifier: Apache-2.0
"""Every route that replaces, changes or removes a thing leaves what it was before and after in its audit entry, or stands
below with the reason why not. The routes come from the table: a new one has to be placed."""
import json
import pathlib

import pytest
from service import DATA, World
from test_audit_changes import changes, newest
from test_audit_complete import ROUTES
from test_audit_witness import Witness

P = "/v1/projects/credit"
SPACE = {"X-MLFLOW-WORKSPACE": "credit"}
HERE = pathlib.Path(__file__).parent

PENDING = "of a pending version: all of it stands in the digest that finalizing records"
LOGGED = "what runs and traces log is recorded as a fact, with whose and which, not with its values"
DIRECTORY = "what a directory says of people stands in the directory; the log keeps whom it was about"
EXCEPTIONS = {
    "put_file": PENDING, "delete_file": PENDING, "patch_transfer": PENDING, "delete_transfer": PENDING,
    "put_mlflow_artifact": LOGGED, "put_mlflow_part": LOGGED, "delete_mlflow_artifact": LOGGED,
    "patch_mlflow_logged_model": LOGGED, "patch_mlflow_logged_model_tags": LOGGED, "delete_mlflow_logged_model_tag": LOGGED,
    "patch_mlflow_trace_tag": LOGGED, "delete_mlflow_trace_tag": LOGGED, "patch_mlflow_assessment": LOGGED,
    "delete_mlflow_assessment": LOGGED, "delete_mlflow_evaluation_records": LOGGED,
    "put_scim_user": DIRECTORY, "patch_scim_user": DIRECTORY, "delete_scim_user": DIRECTORY,
    "put_scim_group": DIRECTORY, "patch_scim_group": DIRECTORY, "delete_scim_group": DIRECTORY,
    "put_asset_tag": "set without a condition, by one statement that does not read; the entry has what it became",
    "delete_member": "a membership is nothing but the two names that the object has",
    "delete_my_session": "that it ended is all that can change of it", "delete_user_sessions": "likewise, of all of them",
    "delete_tenant_key": "what is destroyed is what nobody may see; the entry has how many values went",
}
ELSEWHERE = {handler: file for file, handlers in {
    "test_audit_changes.py": ["put_project", "patch_project", "put_project_policy", "delete_project", "patch_asset", "delete_asset_tag",
                              "patch_version", "put_version_tag", "put_alias", "delete_alias", "delete_asset", "patch_user",
                              "delete_binding", "put_role", "delete_role", "delete_group", "put_mfa_policy", "put_endpoint",
                              "delete_endpoint"],
    "test_passkeys.py": ["patch_my_passkey", "delete_my_passkey"]}.items() for handler in handlers}
# Changes that MLflow's clients ask for by POST.
POSTED = {"post_mlflow_experiment_update", "post_mlflow_experiment_delete", "post_mlflow_experiment_restore", "post_mlflow_experiment_tag",
          "post_mlflow_experiment_tag_delete", "post_mlflow_run_delete", "post_mlflow_run_restore",
          "post_mlflow_registered_model_rename", "post_mlflow_registered_model_tag", "post_mlflow_model_version_tag",
          "post_mlflow_model_version_stage", "post_mlflow_alias"}
SHOWN = {}  # handler: the test below that shows it


def shows(*handlers):
    def mark(test):
        SHOWN.update(dict.fromkeys(handlers, test.__name__))
        return test
    return mark


def mlflow(client, method, path, body=None, api="2.0"):
    query = "?" + "&".join(f"{k}={v}" for k, v in body.items()) if method == "GET" and body else ""
    return client.ok(method, f"/api/{api}/mlflow/{path}{query}", None if method == "GET" else body or {},
                     headers={**SPACE, "Content-Type": "application/json"})


@shows("put_duty", "delete_duty", "put_lattice", "put_limits", "delete_deny", "delete_ceiling", "delete_eligible")
def test_policy(world):
    admin = world.admin
    admin.put("/v1/duties/apart", {"roles": ["reader", "auditor"], "description": "one"})
    assert changes(world, "put_duty") == {}, "what is new has no before"
    admin.put("/v1/duties/apart", {"roles": ["reader", "auditor"], "description": "two"})
    assert changes(world, "put_duty") == {"description": ("one", "two")}
    admin.delete("/v1/duties/apart")
    assert changes(world, "delete_duty")["description"] == ("two", None)
    levels = admin.ok("GET", "/v1/lattice")["levels"]
    admin.ok("PUT", "/v1/lattice", {"levels": [*levels[:-1], "most-secret"]})
    assert changes(world, "put_lattice") and "most-secret" in json.dumps(newest(world, "put_lattice")["changes"])
    admin.ok("PUT", "/v1/lattice", {"levels": levels})
    admin.ok("PUT", "/v1/limits", {"read": 5000})
    admin.ok("PUT", "/v1/limits", {"read": 6000})
    assert changes(world, "put_limits") == {"read": (5000, 6000)}
    admin.ok("PUT", "/v1/limits", {})
    deny = admin.ok("POST", "/v1/denies", {"principals": ["the-reader"], "actions": ["jobs/*"], "reason": "a wall", "scope": "project",
                                           "project": "credit"})
    admin.ok("DELETE", f"/v1/denies/{deny['id']}")
    assert changes(world, "delete_deny")["reason"] == ("a wall", None)
    admin.ok("POST", "/v1/service-accounts", {"name": "bot", "owner": "admin"})
    ceiling = admin.ok("POST", "/v1/ceilings", {"principal": "bot", "actions": ["projects/read"], "scope": "project", "project": "credit"})
    admin.ok("DELETE", f"/v1/ceilings/{ceiling['id']}")
    assert changes(world, "delete_ceiling")
    eligible = admin.ok("POST", "/v1/eligible", {"principal": "the-reader", "role": "deployer", "scope": "project", "project": "credit"})
    admin.ok("DELETE", f"/v1/eligible/{eligible['id']}")
    assert changes(world, "delete_eligible")["role"] == ("deployer", None)


@shows("put_secret", "delete_secret", "delete_identity_provider", "delete_workload_identity", "delete_oauth_client", "delete_token",
       "patch_service_account")
def test_what_keeps_secrets_shows_none(world):
    admin, owner = world.admin, world["project-owner"]
    for value in ("hunter-one", "hunter-two"):
        owner.ok("PUT", P + "/secrets/db", {"value": value})
    assert changes(world, "put_secret")["versions"] == (1, 2)
    owner.ok("DELETE", P + "/secrets/db")
    assert changes(world, "delete_secret")["name"] == ("db", None)
    admin.ok("POST", "/v1/identity-providers", {"name": "corp", "issuer": "https://idp.example", "client_id": "here",
                                                "client_secret": "hunter-three", "provisioning": "jit"})
    admin.ok("DELETE", "/v1/identity-providers/corp")
    assert changes(world, "delete_identity_provider")["issuer"] == ("https://idp.example", None)
    admin.ok("POST", "/v1/service-accounts", {"name": "trainer", "owner": "admin", "display_name": "One"})
    admin.ok("PATCH", "/v1/service-accounts/trainer", {"display_name": "Two"})
    assert changes(world, "patch_service_account")["display_name"] == ("One", "Two")
    admin.ok("POST", "/v1/workload-identities", {"name": "ci", "issuer": "https://ci.example", "subject": "repo:x:main",
                                                 "service_account": "trainer"})
    admin.ok("DELETE", "/v1/workload-identities/ci")
    assert changes(world, "delete_workload_identity")["subject"] == ("repo:x:main", None)
    admin.ok("POST", "/v1/oauth/clients", {"name": "app", "kind": "public", "display_name": "App",
                                           "redirect_uris": ["https://app.example/cb"], "grants": ["authorization_code"]})
    admin.ok("DELETE", "/v1/oauth/clients/app")
    assert changes(world, "delete_oauth_client")["display_name"] == ("App", None)
    made = owner.ok("POST", "/v1/tokens", {"name": "short"})
    owner.ok("DELETE", f"/v1/tokens/{made['id']}")
    assert changes(world, "delete_token")["name"] == ("short", None)
    told = world["auditor"].get("/v1/audit?limit=500").text
    assert "hunter-" not in told and made["token"] not in told


@shows("delete_share", "put_bundle_origin", "delete_bundle_origin")
def test_what_crosses_borders(world):
    admin, owner = world.admin, world["project-owner"]
    admin.ok("PUT", "/v1/projects/claims", {})
    admin.ok("POST", "/v1/bindings", {"principal": "the-project-owner", "role": "project-owner", "scope": "project", "project": "claims"})
    owner.ok("PUT", P + "/datasets/lent", {})
    offer = owner.ok("POST", P + "/shares", {"asset": "datasets/lent", "with": "claims", "reason": "to train on"})
    owner.ok("DELETE", f"{P}/shares/{offer['id']}")
    assert changes(world, "delete_share")["state"] == (offer["state"], None)
    keys = [world.foreign_admin.get("/v1/audit/log/vkey").text.strip(), world.admin.get("/v1/audit/log/vkey").text.strip()]
    for key in keys:
        admin.ok("PUT", "/v1/bundle-origins/far", {"vkey": key})
    assert changes(world, "put_bundle_origin")["vkey"] == tuple(keys)
    admin.ok("DELETE", "/v1/bundle-origins/far")
    assert changes(world, "delete_bundle_origin")["vkey"] == (keys[1], None)


@shows("put_label", "delete_version", "delete_version_tag", "put_asset", "delete_deployment")
def test_assets(world):
    owner, scientist = world["project-owner"], world["data-scientist"]
    for text in ("one", "two"):
        scientist.ok("PUT", P + "/datasets/pecan", {"description": text})
    assert changes(world, "put_asset")["description"] == ("one", "two")
    scientist.upload_dataset("credit", "pecan", DATA / "iris.csv")
    owner.ok("PUT", P + "/datasets/pecan/classification", {"level": "confidential", "purposes": ["fraud"]})
    shown = changes(world, "put_label")
    assert shown["level"][1] == "confidential" and shown["level"][0] != "confidential"
    asked = owner.ok("PUT", P + "/datasets/pecan/classification", {"level": "internal", "reason": "it is old"})
    assert changes(world, "put_label") == {}, "what is asked for has changed nothing yet"
    world.admin.ok("POST", "/v1/bindings", {"principal": "the-approver", "role": "project-owner", "scope": "project", "project": "credit"})
    decided = world["approver"].post(f"{P}/declassifications/{asked['id']}/decision", {"verdict": "approve", "reason": "so"})
    assert decided.status_code in (200, 403), decided.text
    if decided.ok:
        assert changes(world, "post_declassification_decision")["level"] == ("confidential", "internal")
    owner.ok("PUT", P + "/datasets/pecan/versions/1/tags/k", {"value": "v"})
    owner.ok("DELETE", P + "/datasets/pecan/versions/1/tags/k")
    assert changes(world, "delete_version_tag")["tags.k"] == ("v", None)
    owner.ok("DELETE", P + "/datasets/pecan/versions/1")
    assert changes(world, "delete_version")["number"] == (1, None)
    world.trained()
    world.promoted("models/risk/versions/1")
    world["deployer"].ok("PUT", P + "/endpoints/e", {})
    world["deployer"].ok("POST", P + "/endpoints/e/deployments", {"version": "models/risk/versions/1"})
    world["deployer"].ok("DELETE", P + "/endpoints/e/deployment")
    assert changes(world, "delete_deployment")["version"] == ("models/risk/versions/1", None)


@shows("put_audit_witness", "delete_audit_witness", "put_audit_sink", "delete_audit_sink", "put_audit_retention", "delete_audit_retention")
def test_the_log_itself(world):
    admin, witness = world.admin, Witness()
    for end in ("a", "b"):
        admin.ok("PUT", "/v1/audit/witnesses/w", {"vkey": witness.vkey, "url": f"http://127.0.0.1:9/{end}"})
    assert changes(world, "put_audit_witness")["url"] == ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    admin.ok("DELETE", "/v1/audit/witnesses/w")
    assert changes(world, "delete_audit_witness")["name"] == ("w", None)
    for keep in (3, 4):
        admin.ok("PUT", "/v1/audit/sinks/disk", {"kind": "file", "keep": keep})
    assert changes(world, "put_audit_sink")["keep"] == (3, 4)
    admin.ok("DELETE", "/v1/audit/sinks/disk")
    assert changes(world, "delete_audit_sink")["name"] == ("disk", None)
    for days in (400, 500):
        admin.ok("PUT", "/v1/audit/retention/read", {"days": days})
    assert changes(world, "put_audit_retention")["days"] == (400, 500)
    admin.ok("DELETE", "/v1/audit/retention/read")
    assert changes(world, "delete_audit_retention")["days"] == (500, None)


@shows("post_mlflow_experiment_update", "post_mlflow_experiment_delete", "post_mlflow_experiment_restore", "post_mlflow_experiment_tag",
       "post_mlflow_experiment_tag_delete", "post_mlflow_run_delete", "post_mlflow_run_restore", "delete_mlflow_logged_model",
       "patch_mlflow_evaluation_tags", "delete_mlflow_evaluation_tag", "delete_mlflow_evaluation", "delete_mlflow_scorer")
def test_mlflow_tracking(world):
    who = world["data-scientist"]
    experiment = mlflow(who, "POST", "experiments/create", {"name": "one"})["experiment_id"]
    key = {"experiment_id": experiment}
    mlflow(who, "POST", "experiments/update", {**key, "new_name": "two"})
    assert changes(world, "post_mlflow_experiment_update")["experiment.name"] == ("one", "two")
    for value in ("red", "blue"):
        mlflow(who, "POST", "experiments/set-experiment-tag", {**key, "key": "colour", "value": value})
    shown = json.dumps(newest(world, "post_mlflow_experiment_tag")["changes"])
    assert "red" in shown and "blue" in shown
    mlflow(who, "POST", "experiments/delete-experiment-tag", {**key, "key": "colour"})
    assert "blue" in json.dumps(newest(world, "post_mlflow_experiment_tag_delete")["changes"])
    run = {"run_id": mlflow(who, "POST", "runs/create", key)["run"]["info"]["run_id"]}
    mlflow(who, "POST", "runs/delete", run)
    assert changes(world, "post_mlflow_run_delete") == {"lifecycle_stage": ("active", "deleted")}
    mlflow(who, "POST", "runs/restore", run)
    assert changes(world, "post_mlflow_run_restore") == {"lifecycle_stage": ("deleted", "active")}
    model = mlflow(who, "POST", "logged-models", {**key, "name": "agent"})["model"]["info"]["model_id"]
    mlflow(who, "DELETE", f"logged-models/{model}")
    assert changes(world, "delete_mlflow_logged_model")
    made = mlflow(who, "POST", "datasets/create", {"name": "golden", "tags": '{"a": "1"}'}, "3.0")["dataset"]["dataset_id"]
    mlflow(who, "PATCH", f"datasets/{made}/tags", {"tags": '{"a": "2"}'}, "3.0")
    assert changes(world, "patch_mlflow_evaluation_tags")
    mlflow(who, "DELETE", f"datasets/{made}/tags/a", api="3.0")
    assert changes(world, "delete_mlflow_evaluation_tag")
    mlflow(who, "DELETE", f"datasets/{made}", api="3.0")
    assert "golden" in json.dumps(newest(world, "delete_mlflow_evaluation")["changes"])
    mlflow(who, "POST", "scorers/register", {**key, "name": "tone", "serialized_scorer": '{"n": 1}'}, "3.0")
    mlflow(who, "DELETE", "scorers/delete", {**key, "name": "tone"}, "3.0")
    assert "tone" in json.dumps(newest(world, "delete_mlflow_scorer")["changes"])
    mlflow(who, "POST", "experiments/delete", key)
    assert changes(world, "post_mlflow_experiment_delete")["experiment.lifecycle_stage"] == ("active", "deleted")
    mlflow(who, "POST", "experiments/restore", key)
    assert changes(world, "post_mlflow_experiment_restore")["experiment.lifecycle_stage"] == ("deleted", "active")


@shows("put_view", "delete_view")
def test_saved_searches(world):
    owner = world["project-owner"]
    for word in ("risk", "churn"):
        owner.put("/v1/views/mine", {"q": word})
    assert changes(world, "put_view")["q"] == ("risk", "churn")
    owner.delete("/v1/views/mine")
    assert changes(world, "delete_view")["q"] == ("churn", None)


@shows("patch_mlflow_registered_model", "post_mlflow_registered_model_tag", "delete_mlflow_registered_model_tag",
       "post_mlflow_registered_model_rename", "delete_mlflow_registered_model", "patch_mlflow_model_version",
       "post_mlflow_model_version_tag", "delete_mlflow_model_version_tag", "post_mlflow_model_version_stage",
       "delete_mlflow_model_version", "post_mlflow_alias", "delete_mlflow_alias", "patch_mlflow_webhook", "delete_mlflow_webhook")
def test_mlflow_registry(world):
    owner = world["project-owner"]
    name = {"name": "cedar"}
    mlflow(owner, "POST", "registered-models/create", {**name, "description": "one"})
    mlflow(owner, "PATCH", "registered-models/update", {**name, "description": "two"})
    assert changes(world, "patch_mlflow_registered_model")["description"] == ("one", "two")
    for value in ("red", "blue"):
        mlflow(owner, "POST", "registered-models/set-tag", {**name, "key": "colour", "value": value})
    assert changes(world, "post_mlflow_registered_model_tag")["tags.colour"] == ("red", "blue")
    mlflow(owner, "DELETE", "registered-models/delete-tag", {**name, "key": "colour"})
    assert changes(world, "delete_mlflow_registered_model_tag")["tags.colour"] == ("blue", None)
    mlflow(owner, "POST", "registered-models/rename", {**name, "new_name": "spruce"})
    assert changes(world, "post_mlflow_registered_model_rename")["name"] == ("cedar", "spruce")
    name = {"name": "spruce"}
    experiment = mlflow(owner, "POST", "experiments/create", {"name": "registry"})["experiment_id"]
    run = mlflow(owner, "POST", "runs/create", {"experiment_id": experiment})["run"]["info"]["run_id"]
    owner.ok("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/model/MLmodel", data=b"x: 1",
             headers={"Content-Type": "application/octet-stream", **SPACE})
    for _ in range(2):
        mlflow(owner, "POST", "model-versions/create", {**name, "source": f"runs:/{run}/model"})
    one = {**name, "version": "1"}
    mlflow(owner, "PATCH", "model-versions/update", {**one, "description": "clean"})
    assert changes(world, "patch_mlflow_model_version")["description"] == ("", "clean")
    mlflow(owner, "POST", "model-versions/set-tag", {**one, "key": "k", "value": "v"})
    assert changes(world, "post_mlflow_model_version_tag")["tags.k"] == (None, "v")
    mlflow(owner, "DELETE", "model-versions/delete-tag", {**one, "key": "k"})
    assert changes(world, "delete_mlflow_model_version_tag")["tags.k"] == ("v", None)
    mlflow(owner, "POST", "model-versions/transition-stage", {**one, "stage": "Staging", "archive_existing_versions": False})
    assert changes(world, "post_mlflow_model_version_stage")["model_version.current_stage"] == ("None", "Staging")
    for version in ("1", "2"):
        mlflow(owner, "POST", "registered-models/alias", {**name, "alias": "best", "version": version})
    assert changes(world, "post_mlflow_alias")["version"] == (1, 2)
    mlflow(owner, "DELETE", "registered-models/alias", {**name, "alias": "best"})
    assert changes(world, "delete_mlflow_alias")["version"] == (2, None)
    mlflow(owner, "DELETE", "model-versions/delete", one)
    assert changes(world, "delete_mlflow_model_version")["number"] == (1, None)
    mlflow(owner, "DELETE", "registered-models/delete", name)
    assert changes(world, "delete_mlflow_registered_model")["name"] == ("spruce", None)
    hook = mlflow(owner, "POST", "webhooks", {"name": "bell", "url": "https://bell.example/", "secret": "hunter-bell",
                                              "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]})["webhook"]["webhook_id"]
    mlflow(owner, "PATCH", f"webhooks/{hook}", {"name": "gong"})
    assert changes(world, "patch_mlflow_webhook")["webhook.name"] == ("bell", "gong")
    mlflow(owner, "DELETE", f"webhooks/{hook}")
    assert "gong" in json.dumps(newest(world, "delete_mlflow_webhook")["changes"])
    assert "hunter-bell" not in world["auditor"].get("/v1/audit?limit=500").text


def test_every_route_is_placed():
    """Runs last: each handler is shown by a test above, by the file named, or is an exception; no name is stale."""
    wanted = {r["handler"] for r in ROUTES if r["method"] in ("PUT", "PATCH", "DELETE") and r["audit"] != "none"} | POSTED
    known = {r["handler"] for r in ROUTES}
    placed = {**EXCEPTIONS, **ELSEWHERE, **SHOWN}
    assert sorted(wanted - set(placed)) == [], "say in this file what their entries show, or why they do not"
    assert sorted(set(placed) - known) == [] and len(placed) == len(EXCEPTIONS) + len(ELSEWHERE) + len(SHOWN)
    for handler, file in ELSEWHERE.items():
        assert f'"{handler}"' in (HERE / file).read_text(), (handler, file)
    assert all(len(reason) > 10 for reason in EXCEPTIONS.values())


@pytest.fixture(scope="module")
def world(service):
    return World(service)
