# SPDX-License-Identifier: Apache-2.0
"""MLflow's model registry on ours: search, stages under approval, names, tags, prompts."""
import json

import pytest
from test_mlflow import Tracker

FILES = "/api/2.0/mlflow-artifacts/artifacts/"


@pytest.fixture(scope="module")
def tracker(world):
    return Tracker(world["data-scientist"])


@pytest.fixture(scope="module")
def owner(world):
    return Tracker(world["project-owner"])


@pytest.fixture(scope="module")
def run(tracker):
    made = tracker.run()
    tracker.ok("PUT", f"{FILES}0/{made}/artifacts/model/MLmodel", data=b"flavors: {}")
    return made


def model(tracker, name, **more):
    return tracker.ok("POST", "/registered-models/create", {"name": name, **more})["registered_model"]


def version(tracker, name, run, **more):
    return tracker.ok("POST", "/model-versions/create", {"name": name, "source": f"runs:/{run}/model", "run_id": run,
                                                         **more})["model_version"]


def pairs(items):
    return {i["key"]: i["value"] for i in items}


def stage(tracker, name, number):
    return tracker.ok("GET", "/model-versions/get", {"name": name, "version": number})["model_version"]["current_stage"]


def names(tracker, filter="", **more):
    found = tracker.ok("GET", "/registered-models/search", {"filter": filter, **more})
    return [m["name"] for m in found["registered_models"]]


def test_search_speaks_the_whole_grammar(tracker, run):
    for i in range(5):
        model(tracker, f"find-{i}", tags=[{"key": "team", "value": "risk" if i % 2 else "fraud"}, {"key": "my key", "value": "a%b"}])
        for n in range(i % 3):
            version(tracker, f"find-{i}", run, tags=[{"key": "n", "value": str(n)}])
    every = [f"find-{i}" for i in range(5)]
    for text, expected in {
            "name LIKE 'find-%'": every, "name ILIKE 'FIND-%'": every, "name = 'find-3'": ["find-3"],
            "name LIKE 'FIND-%'": [], "name != 'find-0' AND name LIKE 'find-%'": every[1:],
            "tags.team = 'risk'": ["find-1", "find-3"], "tag.team != 'risk' and name ILIKE 'find%'": ["find-0", "find-2", "find-4"],
            "tags.`my key` LIKE 'a\\%b' AND tags.team ILIKE 'RISK'": [], "tags.\"my key\" = 'a%b' AND name = 'find-1'": ["find-1"],
            "tags.nothing != 'x'": [], "name IN ('find-1', 'find-4')": ["find-1", "find-4"]}.items():
        assert names(tracker, text) == expected, text
    assert names(tracker, "name LIKE 'find-%'", order_by=["name DESC"]) == every[::-1]
    assert names(tracker, "name LIKE 'find-%'", order_by=["last_updated_timestamp ASC", "name DESC"])[0] == "find-0"
    seen, token = [], None
    while token != "":
        page = tracker.ok("GET", "/registered-models/search", {"filter": "name LIKE 'find-%'", "max_results": 2,
                                                               **({"page_token": token} if token else {})})
        seen += [m["name"] for m in page["registered_models"]]
        token = page.get("next_page_token") or ""
    assert seen == every

    def versions(text, **more):
        found = tracker.ok("GET", "/model-versions/search", {"filter": text, **more})["model_versions"]
        return [(v["name"], v["version"]) for v in found]

    assert versions("name = 'find-2'") == [("find-2", "2"), ("find-2", "1")]
    assert versions("name = 'find-2'", order_by=["version_number ASC"]) == [("find-2", "1"), ("find-2", "2")]
    assert versions("name LIKE 'find-%' AND version_number >= 2") == [("find-2", "2")]
    assert versions(f"run_id = '{run}' AND tags.n = '1'") == [("find-2", "2")]
    assert versions(f"run_id IN ('{run}', 'x') AND name = 'find-1'") == [("find-1", "1")]
    assert versions(f"source_path = 'runs:/{run}/model' AND name = 'find-4'") == [("find-4", "1")]
    for path in ("/registered-models/search", "/model-versions/search"):
        for text in ("name = 1", "stage = 'x'", "name = 'a' OR 1=1", "' OR ''='", "tags.a > 'b'", "name"):
            tracker.refused("GET", path, {"filter": text}, "INVALID_PARAMETER_VALUE")
        for bad in ({"order_by": ["size"]}, {"page_token": "x"}, {"max_results": 10 ** 9}, {"max_results": 0}):
            tracker.refused("GET", path, bad, "INVALID_PARAMETER_VALUE")


def test_a_search_finds_only_what_its_caller_may_read(world, tracker, run):
    model(tracker, "walled")
    version(tracker, "walled", run)
    world.admin.ok("POST", "/v1/denies", {"principals": ["the-reader"], "actions": ["assets/*"], "reason": "a wall", "scope": "asset",
                                          "project": "credit", "asset": "models/walled"})
    reader = Tracker(world["reader"])
    assert "walled" in names(tracker) and "walled" not in names(reader)
    assert reader.ok("GET", "/model-versions/search", {"filter": "name = 'walled'"})["model_versions"] == []
    assert Tracker(world.foreign_admin, "claims").ok("GET", "/registered-models/search")["registered_models"] == []


def test_words_and_tags_of_models_and_versions(tracker, run):
    model(tracker, "worded")
    assert tracker.ok("PATCH", "/registered-models/update", {"name": "worded", "description": "of credit"})[
        "registered_model"]["description"] == "of credit"
    version(tracker, "worded", run)
    tracker.ok("PATCH", "/model-versions/update", {"name": "worded", "version": "1", "description": "the first"})
    for place, more in (("/registered-models", {}), ("/model-versions", {"version": "1"})):
        tracker.ok("POST", place + "/set-tag", {"name": "worded", "key": "owner", "value": "risk", **more})
        shown = next(iter(tracker.ok("GET", place + "/get", {"name": "worded", **more}).values()))
        assert pairs(shown["tags"]) == {"owner": "risk"}
        tracker.ok("DELETE", place + "/delete-tag", {"name": "worded", "key": "owner", **more})
        tracker.ok("DELETE", place + "/delete-tag", {"name": "worded", "key": "owner", **more})
        shown = next(iter(tracker.ok("GET", place + "/get", {"name": "worded", **more}).values()))
        assert shown["tags"] == []
        tracker.refused("POST", place + "/set-tag", {"name": "worded", "value": "x", **more}, "INVALID_PARAMETER_VALUE", "key")
        tracker.refused("POST", place + "/set-tag", {"name": "worded", "key": "mlflow.prompt.text", "value": "x", **more},
                        "INVALID_PARAMETER_VALUE", "cannot be changed")
    tracker.refused("POST", "/registered-models/set-tag", {"name": "never", "key": "a", "value": "b"},
                    "RESOURCE_DOES_NOT_EXIST", status=404)


def test_stages_of_what_is_not_protected(tracker, run):
    model(tracker, "staged")
    for _ in range(3):
        version(tracker, "staged", run)

    def move(number, to, archive=False):
        return tracker.ok("POST", "/model-versions/transition-stage", {
            "name": "staged", "version": str(number), "stage": to, "archive_existing_versions": archive})["model_version"]

    assert stage(tracker, "staged", 1) == "None"
    assert move(1, "staging")["current_stage"] == "Staging"
    assert move(2, "Staging")["current_stage"] == "Staging" and stage(tracker, "staged", 1) == "Staging"
    assert move(3, "Staging", True)["current_stage"] == "Staging"
    assert [stage(tracker, "staged", n) for n in (1, 2, 3)] == ["Archived", "Archived", "Staging"]
    move(2, "None")
    found = tracker.ok("POST", "/registered-models/get-latest-versions", {"name": "staged"})["model_versions"]
    assert [(v["version"], v["current_stage"]) for v in found] == [("1", "Archived"), ("2", "None"), ("3", "Staging")]
    found = tracker.ok("GET", "/registered-models/get-latest-versions", {"name": "staged", "stages": ["staging", "production"]})
    assert [v["version"] for v in found["model_versions"]] == ["3"]
    for bad in ({"stage": "Live"}, {}, {"stage": "Archived", "archive_existing_versions": True}):
        tracker.refused("POST", "/model-versions/transition-stage", {"name": "staged", "version": "1", **bad},
                        "INVALID_PARAMETER_VALUE")


def test_production_is_a_stage_that_waits_for_its_approval(world, tracker, run):
    model(tracker, "governed")
    for _ in range(2):
        version(tracker, "governed", run)
    body = {"name": "governed", "version": "1", "stage": "Production"}

    def ask(**more):
        reply = tracker.call("POST", "/model-versions/transition-stage", {**body, **more})
        assert reply.status_code == 403 and reply.json()["error_code"] == "PERMISSION_DENIED", reply.text
        return reply.json()["approval"]

    def decide(approval, verdict):
        world["approver"].ok("POST", f"/v1/projects/credit/approvals/{approval}/decision", {"verdict": verdict, "reason": "so"})

    tracker.ok("POST", "/model-versions/transition-stage", {**body, "stage": "Staging"})
    approval = ask()
    assert ask() == approval and stage(tracker, "governed", 1) == "Staging"
    decide(approval, "approve")
    assert stage(tracker, "governed", 1) == "Production"
    shown = tracker.ok("GET", "/registered-models/get", {"name": "governed"})["registered_model"]
    assert {"alias": "production", "version": "1"} in shown["aliases"]
    assert tracker.ok("POST", "/model-versions/transition-stage", body)["model_version"]["current_stage"] == "Production"
    rejected = ask(version="2", archive_existing_versions=True)
    decide(rejected, "reject")
    assert stage(tracker, "governed", 1) == "Production" and stage(tracker, "governed", 2) == "None"
    second = ask(version="2", archive_existing_versions=True)
    decide(second, "approve")
    assert stage(tracker, "governed", 1) == "Archived" and stage(tracker, "governed", 2) == "Production"
    tracker.refused("DELETE", "/model-versions/delete", {"name": "governed", "version": "2"}, "PERMISSION_DENIED", second, status=403)
    world["approver"].ok("POST", f"/v1/projects/credit/approvals/{second}/revoke", {"reason": "a fault"})
    assert stage(tracker, "governed", 2) == "None"


def test_the_database_too_refuses_a_protected_stage(world, run, tracker):
    model(tracker, "held-by-database")
    version(tracker, "held-by-database", run)
    insert = ("SELECT set_config('app.tenant', v.tenant_id::text, false) FROM chancery.version v LIMIT 1;"
              " INSERT INTO chancery.stage_move (tenant_id, asset_id, version_id, stage, set_by)"
              " SELECT v.tenant_id, v.asset_id, v.id, 'Production', v.created_by FROM chancery.version v"
              " JOIN chancery.asset a ON a.id = v.asset_id WHERE a.name = 'held-by-database'")
    with pytest.raises(Exception, match="protected stage"):
        world.service.sql(insert)
    assert stage(tracker, "held-by-database", 1) == "None"


def test_renaming_while_nothing_knows_the_name(tracker, run):
    model(tracker, "young", tags=[{"key": "a", "value": "b"}])
    shown = tracker.ok("POST", "/registered-models/rename", {"name": "young", "new_name": "grown"})["registered_model"]
    assert shown["name"] == "grown" and pairs(shown["tags"]) == {"a": "b"}
    tracker.refused("GET", "/registered-models/get", {"name": "young"}, "RESOURCE_DOES_NOT_EXIST", status=404)
    model(tracker, "taken")
    tracker.refused("POST", "/registered-models/rename", {"name": "grown", "new_name": "taken"}, "RESOURCE_ALREADY_EXISTS")
    tracker.refused("POST", "/registered-models/rename", {"name": "grown", "new_name": "No Name"}, "INVALID_PARAMETER_VALUE")
    tracker.refused("POST", "/registered-models/rename", {"name": "grown"}, "INVALID_PARAMETER_VALUE", "new_name")
    version(tracker, "grown", run)
    reply = tracker.call("POST", "/registered-models/rename", {"name": "grown", "new_name": "older"})
    assert reply.status_code == 409 and "copy its versions" in reply.json()["message"], reply.text


def test_copies_and_deletions(tracker, owner, run):
    model(tracker, "original")
    version(tracker, "original", run)
    model(tracker, "copy")
    copied = tracker.ok("POST", "/model-versions/create", {"name": "copy", "source": "models:/original/1"})["model_version"]
    assert copied["source"] == "models:/original/1" and copied["version"] == "1"
    a, b = (tracker.client.ok("GET", f"/v1/projects/credit/models/{n}/versions/1")["manifest"]["files"] for n in ("original", "copy"))
    assert a == b
    tracker.ok("POST", "/registered-models/alias", {"name": "copy", "alias": "champion", "version": "1"})
    owner.ok("DELETE", "/model-versions/delete", {"name": "copy", "version": "1"})
    tracker.refused("GET", "/registered-models/alias", {"name": "copy", "alias": "champion"}, "INVALID_PARAMETER_VALUE", "not found")
    owner.ok("DELETE", "/registered-models/delete", {"name": "copy"})
    tracker.refused("GET", "/registered-models/get", {"name": "copy"}, "RESOURCE_DOES_NOT_EXIST", status=404)
    assert "copy" not in names(tracker)


PROMPT = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]


def test_a_prompt_is_an_asset_of_its_own_kind(world, tracker):
    model(tracker, "greeting", tags=PROMPT + [{"key": "lang", "value": "en"}], description="says hello")
    made = tracker.ok("POST", "/model-versions/create", {
        "name": "greeting", "source": "file:///etc", "description": "first", "tags": PROMPT + [
            {"key": "mlflow.prompt.text", "value": "Hello {{name}}"}, {"key": "_mlflow_prompt_type", "value": "text"},
            {"key": "who", "value": "x"}]})["model_version"]
    assert pairs(made["tags"]) == {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "Hello {{name}}",
                                   "_mlflow_prompt_type": "text", "who": "x"}
    assert "etc" not in json.dumps(made)
    chat = json.dumps([{"role": "user", "content": "{{q}}"}])
    made = tracker.ok("POST", "/model-versions/create", {
        "name": "greeting", "source": "prompt-template", "tags": PROMPT + [
            {"key": "mlflow.prompt.text", "value": chat}, {"key": "_mlflow_prompt_type", "value": "chat"}]})["model_version"]
    assert json.loads(pairs(made["tags"])["mlflow.prompt.text"]) == json.loads(chat) and made["version"] == "2"
    assert "greeting" not in names(tracker) and names(tracker, "tags.`mlflow.prompt.is_prompt` = 'true'") == ["greeting"]
    assert names(tracker, "tags.`mlflow.prompt.is_prompt` = 'true' AND tags.lang = 'de'") == []
    assert "greeting" not in names(tracker, "tags.`mlflow.prompt.is_prompt` != 'true'")
    found = tracker.ok("GET", "/model-versions/search", {"filter": "name = 'greeting' AND tag.`mlflow.prompt.is_prompt` = 'true'"})
    assert len(found["model_versions"]) == 2
    tracker.refused("POST", "/registered-models/create", {"name": "greeting"}, "RESOURCE_ALREADY_EXISTS")
    tracker.refused("POST", "/model-versions/create", {"name": "greeting", "source": "x", "tags": PROMPT},
                    "INVALID_PARAMETER_VALUE", "prompt text")
    tracker.refused("POST", "/model-versions/set-tag", {"name": "greeting", "version": "1", "key": "mlflow.prompt.text", "value": "x"},
                    "INVALID_PARAMETER_VALUE", "cannot be changed")
    tracker.ok("POST", "/registered-models/alias", {"name": "greeting", "alias": "staging", "version": "1"})
    reply = tracker.call("POST", "/registered-models/alias", {"name": "greeting", "alias": "production", "version": "1"})
    assert reply.status_code == 403, reply.text
    world["approver"].ok("POST", f"/v1/projects/credit/approvals/{reply.json()['approval']}/decision",
                         {"verdict": "approve", "reason": "polite"})
    assert tracker.ok("GET", "/registered-models/alias", {"name": "greeting", "alias": "production"})["model_version"]["version"] == "1"


def test_a_tag_does_not_make_a_model_a_prompt(tracker):
    """CVE-2026-2614: a version of a model that calls itself a prompt had its source taken unchecked."""
    model(tracker, "no-prompt")
    for source in ("file:///etc", "prompt-template", "http://127.0.0.1/", "dbfs:/x"):
        tracker.refused("POST", "/model-versions/create", {"name": "no-prompt", "source": source, "tags": PROMPT + [
            {"key": "mlflow.prompt.text", "value": "x"}]}, "INVALID_PARAMETER_VALUE", "source")
    tracker.refused("POST", "/registered-models/set-tag", {"name": "no-prompt", "key": "mlflow.prompt.is_prompt", "value": "true"},
                    "INVALID_PARAMETER_VALUE")
