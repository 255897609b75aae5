# SPDX-License-Identifier: Apache-2.0
"""Edges from what is declared: manifests of every kind of asset, commits, notebooks and prompts of MLflow's clients,
columns of our own jobs. They are seen by walks, impact, PROV, documents; and hidden with what they lead to."""
import json

import pytest
from service import person
from test_documents import TAGS
from test_openlineage import names, walk

P = "/v1/projects/credit"
N = "projects/credit/"
COMMIT = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"
CODE = {"repository": "git@git.example:risk/train.git", "commit": COMMIT}
SPACE = {"X-MLFLOW-WORKSPACE": "credit"}


def make(owner, kind, name, manifest, files=()):
    """A finalized version, or the refusal."""
    owner.ok("PUT", f"{P}/{kind}s/{name}", {}, headers={"If-Match": "*"} if owner.get(f"{P}/{kind}s/{name}").ok else {})
    made = owner.post(f"{P}/{kind}s/{name}/versions", {"manifest": manifest})
    if made.status_code != 201:
        return made
    place = f"{P}/{kind}s/{name}/versions/{made.json()['number']}"
    for path in files:
        owner.ok("PUT", f"{place}/files/{path}", data=b"{}", headers={"Content-Type": "application/octet-stream"})
    return owner.post(place + "/finalize", {})


def edges(client, node):
    """(kind, source) of every edge into a node."""
    found = client.ok("GET", f"/v1/lineage?node={node}&direction=upstream&depth=1")
    return {(e["kind"], e["src"]) for e in found["edges"] if e["dst"] == node}


def mlflow(client, path, body, method="POST", api="2.0"):
    return client.ok(method, f"/api/{api}/mlflow/{path}", body, headers=SPACE)


@pytest.fixture(scope="module")
def owner(world):
    """A trained model and one thing of each kind that names the next."""
    owner, scientist = world["project-owner"], world["data-scientist"]
    world.trained()
    for kind, name, manifest, files in (
            ("environment", "base", {"python": "3.11", "packages": [], "code": CODE}, ()),
            ("prompt", "ask", {"template": "Why {{x}}?", "model": "models/risk/versions/1"}, ()),
            ("prompt", "hosted", {"template": "Why?", "model": "some-vendor/large-3"}, ()),
            ("component", "train", {"command": "python train.py", "inputs": {}, "outputs": {}, "code": CODE,
                                    "environment": "environments/base/versions/1"}, ()),
            ("notebook", "look", {"kernel": "python3", "entry": "main.ipynb", "environment": "environments/base/versions/1",
                                  "uses": ["datasets/cancer/versions/1", "models/risk/versions/1"]}, ("main.ipynb",)),
            ("flow", "nightly", {"nodes": [{"name": "a", "uses": "components/train/versions/1"}, {"name": "b", "uses": "send-mail"}],
                                 "edges": [{"from": "a", "to": "b"}]}, ()),
            ("connection", "lake", {"type": "s3", "target": "lake.example", "uses": ["datasets/cancer/versions/1"]}, ())):
        assert make(owner, kind, name, manifest, files).status_code == 200, kind
    owner.scientist = scientist
    return owner


def test_each_kind_leads_to_what_it_names(owner):
    code = ("use", N + "code/git.example/risk/train@" + COMMIT)
    base, data = ("use", N + "environments/base/versions/1"), ("use", N + "datasets/cancer/versions/1")
    assert edges(owner, N + "environments/base/versions/1") == {code}
    assert edges(owner, N + "components/train/versions/1") == {base, code}
    assert edges(owner, N + "prompts/ask/versions/1") == {("use", N + "models/risk/versions/1")}
    assert edges(owner, N + "prompts/hosted/versions/1") == {("use", N + "external/some-vendor/large-3")}
    assert edges(owner, N + "notebooks/look/versions/1") == {base, data, ("use", N + "models/risk/versions/1")}
    assert edges(owner, N + "flows/nightly/versions/1") == {("use", N + "components/train/versions/1"), ("use", N + "external/send-mail")}
    assert edges(owner, N + "connections/lake/versions/1") == {data}
    everything = walk(owner, N + "code/git.example/risk/train@" + COMMIT, "downstream")
    assert everything["complete"] and {N + f"{k}/versions/1" for k in ("environments/base", "components/train", "notebooks/look",
                                                                       "flows/nightly")} <= names(everything)
    kinds = {n["name"]: n["kind"] for n in everything["nodes"]}
    assert kinds[N + "environments/base/versions/1"] == "environment" and kinds[N + "flows/nightly/versions/1"] == "flow"
    prov = owner.ok("GET", f"/v1/lineage/export?format=prov&direction=upstream&node={N}flows/nightly/versions/1")
    assert f"chancery:{N}components/train/versions/1" in prov["entity"] and prov["wasDerivedFrom"]


def test_an_alias_is_what_it_meant_then(owner):
    owner.ok("PUT", P + "/environments/base/aliases/best", {"version": 1})
    manifest = {"command": "x", "inputs": {}, "outputs": {}, "environment": "environments/base/versions/@best"}
    assert make(owner, "component", "by-alias", manifest).status_code == 200
    assert edges(owner, N + "components/by-alias/versions/1") == {("use", N + "environments/base/versions/1")}


@pytest.mark.parametrize("kind, change, member", [
    ("component", {"environment": "environments/none/versions/1"}, "manifest.environment"),
    ("component", {"environment": "environments/base/versions/99"}, "manifest.environment"),
    ("component", {"uses": ["datasets/cancer/versions/1", "datasets/none/versions/1"]}, "manifest.uses[1]"),
    ("component", {"uses": ["cancer"]}, "manifest.uses[0]"),
    ("component", {"code": {"repository": "https://ann:secret@git.example/x", "commit": COMMIT}}, "manifest.code.repository"),
    ("component", {"code": {"repository": "https://t0ken@git.example/x", "commit": COMMIT}}, "manifest.code.repository"),
    ("component", {"code": {"repository": "git.example/x", "commit": "a b"}}, "manifest.code.commit"),
    ("component", {"code": {"repository": "git.example/x"}}, "manifest.code"),
    ("component", {"uses": "datasets/cancer/versions/1"}, "manifest.uses"),
    ("prompt", {"model": "models/none/versions/1"}, "manifest.model"),
    ("flow", {"nodes": [{"name": "a", "uses": "components/none/versions/1"}]}, "manifest.nodes[0].uses"),
])
def test_what_is_not_there_is_refused_by_its_member(owner, service, kind, change, member):
    good = {"component": {"command": "x", "inputs": {}, "outputs": {}, "environment": "environments/base/versions/1"},
            "prompt": {"template": "x"}, "flow": {"nodes": [], "edges": []}}
    owner.ok("PUT", f"{P}/{kind}s/refused", {}, headers={"If-Match": "*"} if owner.get(f"{P}/{kind}s/refused").ok else {})
    with service.unchanged():
        reply = owner.post(f"{P}/{kind}s/refused/versions", {"manifest": {**good[kind], **change}})
        assert reply.status_code == 400 and reply.json()["error"]["target"] == member, reply.text


def test_what_its_author_may_not_read_is_not_there(world, owner, service):
    """The same words for a wall, for nothing at all and for another project's."""
    world.admin.ok("POST", "/v1/denies", {"principals": ["the-data-scientist"], "actions": ["assets/read"], "reason": "a wall",
                                          "scope": "asset", "project": "credit", "asset": "environments/walled"})
    assert make(owner, "environment", "walled", {"python": "3.12", "packages": []}).status_code == 200
    manifest = {"command": "x", "inputs": {}, "outputs": {}, "environment": "environments/walled/versions/1"}
    owner.ok("PUT", P + "/components/by-scientist", {})
    told = []
    with service.unchanged():
        for named in ("walled", "absent"):
            reply = owner.scientist.post(P + "/components/by-scientist/versions",
                                         {"manifest": {**manifest, "environment": f"environments/{named}/versions/1"}})
            assert reply.status_code == 400
            told.append(reply.json()["error"]["message"].replace(named, "X"))
    assert told[0] == told[1]
    # Whoever may read it names it; who may not sees that something is there and no more.
    assert make(owner, "component", "walled-in", manifest).status_code == 200
    seen = walk(owner.scientist, N + "components/walled-in/versions/1", "upstream")
    assert not seen["complete"] and seen["truncated_reason"] == "redacted" and "walled/" not in json.dumps(seen)
    assert N + "environments/walled/versions/1" in names(walk(owner, N + "components/walled-in/versions/1", "upstream"))
    # Nor does the log tell an auditor whom it is hidden from.
    spy = person(world.service, world.admin, "walled-auditor", [("auditor", None)])
    assert "environments/walled" in json.dumps(spy.ok("GET", "/v1/audit?project=credit&limit=500")["value"])
    world.admin.ok("POST", "/v1/denies", {"principals": ["walled-auditor"], "actions": ["assets/read"], "reason": "a wall",
                                          "scope": "asset", "project": "credit", "asset": "environments/walled"})
    objects = [e.get("object") or "" for e in spy.ok("GET", "/v1/audit?project=credit&limit=500")["value"]]
    assert objects and not [o for o in objects if o.startswith("environments/walled")]
    # A draft that names it is not finished by who may not read it.
    draft = owner.ok("POST", P + "/components/by-scientist/versions", {"manifest": manifest})["number"]
    late = owner.scientist.post(f"{P}/components/by-scientist/versions/{draft}/finalize", {})
    assert late.status_code == 400 and late.json()["error"]["target"] == "manifest.environment"
    assert owner.ok("GET", f"{P}/components/by-scientist/versions/{draft}")["state"] == "pending"


def test_what_another_project_shares_can_be_named(world, owner):
    """By its owner's name, only while it is shared, and seen for what it is by those it is shared with."""
    world.admin.ok("PUT", "/v1/projects/platform", {})
    platform = person(world.service, world.admin, "platform-owner", [("project-owner", "platform"), ("reader", "credit")])
    platform.ok("PUT", "/v1/projects/platform/environments/gpu", {})
    made = platform.ok("POST", "/v1/projects/platform/environments/gpu/versions", {"manifest": {"python": "3.12", "packages": []}})
    platform.ok("POST", f"/v1/projects/platform/environments/gpu/versions/{made['number']}/finalize", {})
    manifest = {"command": "x", "inputs": {}, "outputs": {}, "environment": "projects/platform/environments/gpu/versions/1"}
    refused = make(owner, "component", "borrows", manifest)
    assert refused.status_code == 400 and refused.json()["error"]["target"] == "manifest.environment"
    share = platform.ok("POST", "/v1/projects/platform/shares", {"asset": "environments/gpu", "with": "credit", "reason": "to run in"})
    owner.ok("POST", f"{P}/shares/{share['id']}/decision", {"verdict": "agree", "reason": "fine"})
    assert make(owner, "component", "borrows", manifest).status_code == 200
    seen = owner.ok("GET", f"/v1/lineage?node={N}components/borrows/versions/1&direction=upstream")
    assert "projects/platform/environments/gpu/versions/1" in names(seen)
    assert make(owner, "component", "own-by-name", {**manifest, "environment": N + "environments/base/versions/1"}).status_code == 200
    assert edges(owner, N + "components/own-by-name/versions/1") == {("use", N + "environments/base/versions/1")}


def train(world, **more):
    scientist = world["data-scientist"]
    job = scientist.post(P + "/jobs", {"kind": "train", "input": "datasets/cancer/versions/1", "output": "models/coded",
                                       "trainer": "logistic", "target": "diagnosis", "seed": 7, **more})
    if job.status_code >= 400:
        return job
    world["approver"].ok("POST", f"{P}/approvals/{job.json()['approval']}/decision", {"verdict": "approve", "reason": "so"})
    return scientist.await_job("credit", job.json()["id"])


def test_a_commit_behind_a_job_is_behind_what_serves(world, owner):
    refused = train(world, code={"repository": "https://ann:pw@git.example/x", "commit": "abc"})
    assert refused.status_code == 400 and refused.json()["error"]["target"] == "code.repository" and "pw" not in refused.text
    job = train(world, code=CODE)
    node = N + "code/git.example/risk/train@" + COMMIT
    assert ("use", node) in edges(owner, f"{N}jobs/{job['id']}")
    world.promoted("models/coded/versions/1")
    world["deployer"].ok("PUT", P + "/endpoints/coded", {})
    world["deployer"].ok("POST", P + "/endpoints/coded/deployments", {"version": "models/coded/versions/1"})
    for who in ("auditor", "reader"):  # by look-up and by walk
        found = world[who].ok("GET", f"/v1/lineage/impact?node={node}")
        assert [e["endpoint"] for e in found["endpoints"]] == [N + "endpoints/coded"], who
    assert not world.admin.get("/v1/lineage/impact?node=" + node.replace("credit", "elsewhere")).ok


def test_columns_of_our_own_jobs(world, owner):
    data, model = "projects/credit/datasets/cancer/versions/1", "projects/credit/models/risk/versions/1"
    columns = [c["name"] for c in owner.ok("GET", P + "/datasets/cancer/versions/1")["manifest"]["columns"]]
    feature = next(c for c in columns if c != "diagnosis")
    read = world["auditor"]
    graph = read.ok("GET", f"/api/v1/column-lineage?nodeId=datasetField:chancery:{model}:diagnosis")["graph"]
    found = {n["id"]: n for n in graph}
    target, used = f"datasetField:chancery:{model}:diagnosis", f"datasetField:chancery:{data}:{feature}"
    assert {target, used, f"datasetField:chancery:{data}:diagnosis", f"datasetField:chancery:{model}:{feature}"} <= set(found)
    assert found[used]["data"]["namespace"] == "chancery" and found[used]["data"]["dataset"] == data
    assert found[used]["data"]["fieldType"] not in ("", None)
    assert {"origin": used, "destination": f"datasetField:chancery:{model}:{feature}"} in found[used]["outEdges"]
    whole = read.ok("GET", f"/api/v1/column-lineage?nodeId=dataset:chancery:{data}&withDownstream=true")["graph"]
    assert {target, used} <= {n["id"] for n in whole}
    up = walk(read, f"ol-column:chancery:{model}:diagnosis", "upstream")
    assert up["complete"] and f"ol-column:chancery:{data}:{feature}" in names(up)
    assert not [e for e in up["edges"] if "origin" in e], "observed, not declared"
    # Behind a wall there are no columns either.
    world.admin.ok("POST", "/v1/denies", {"principals": ["the-endpoint-consumer", "the-reader"], "actions": ["assets/read"], "reason": "a wall",
                                          "scope": "asset", "project": "credit", "asset": "datasets/cancer"})
    hidden = world["reader"]
    assert hidden.get(f"/api/v1/column-lineage?nodeId=dataset:chancery:{data}").status_code == 404
    assert "datasets/cancer" not in json.dumps(walk(hidden, f"ol-column:chancery:{model}:diagnosis", "upstream"))
    stranger = person(world.service, world.admin, "column-stranger")
    assert stranger.get(f"/api/v1/column-lineage?nodeId=dataset:chancery:{data}").status_code == 404


def test_columns_of_predictions(world, owner):
    world.promoted("models/risk/versions/1")
    scientist = world["data-scientist"]
    job = scientist.ok("POST", P + "/jobs", {"kind": "predict", "input": "datasets/cancer/versions/1", "output": "datasets/scored",
                                             "model": "models/risk/versions/1", "code": CODE})
    job = scientist.await_job("credit", job["id"])
    assert job["state"] == "succeeded", job
    made = owner.ok("GET", P + "/datasets/scored/versions/1")
    before = {c["name"] for c in owner.ok("GET", P + "/datasets/cancer/versions/1")["manifest"]["columns"]}
    new = next(c["name"] for c in made["manifest"]["columns"] if c["name"] not in before)
    up = names(walk(owner, f"ol-column:chancery:{N}datasets/scored/versions/1:{new}", "upstream"))
    assert f"ol-column:chancery:{N}models/risk/versions/1:diagnosis" in up
    assert ("use", N + "code/git.example/risk/train@" + COMMIT) in edges(owner, f"{N}jobs/{job['id']}")


@pytest.fixture(scope="module")
def tracker(world, owner):
    owner.scientist.experiment = mlflow(owner.scientist, "experiments/create", {"name": "kinds"})["experiment_id"]
    return owner.scientist


def run_with(tracker, **tags):
    body = {"experiment_id": tracker.experiment, "tags": [{"key": k.replace("__", "."), "value": v} for k, v in tags.items()]}
    return mlflow(tracker, "runs/create", body)["run"]["info"]["run_id"]


def test_what_a_runs_tags_say(tracker):
    node = N + "code/git.example/risk/train@abc123"
    run = run_with(tracker, mlflow__source__git__commit="abc123", mlflow__source__git__repoURL="https://ann:pw@git.example/risk/train.git",
                   mlflow__source__type="NOTEBOOK", mlflow__source__name="/Users/team/explore",
                   mlflow__linkedPrompts=json.dumps([{"name": "ask", "version": "1"}, {"name": "none", "version": "7"}]))
    assert edges(tracker, N + "runs/" + run) == {("use", node), ("use", N + "mlflow-notebooks//Users/team/explore"),
                                                 ("use", N + "prompts/ask/versions/1")}
    # One tag at a time, as set_tag sends them.
    late = run_with(tracker, plain="x")
    assert tracker.get(f"/v1/lineage?node={N}runs/{late}").status_code == 404
    for key, value in (("mlflow.source.git.repoURL", "git@git.example:risk/train"), ("mlflow.source.git.commit", "abc123"),
                       ("mlflow.source.name", "notebooks/look/versions/1"), ("mlflow.source.type", "NOTEBOOK")):
        mlflow(tracker, "runs/set-tag", {"run_id": late, "key": key, "value": value})
    assert edges(tracker, N + "runs/" + late) == {("use", node), ("use", N + "notebooks/look/versions/1")}
    alone = run_with(tracker, mlflow__source__git__commit="fedcba9")
    assert edges(tracker, N + "runs/" + alone) == {("use", N + "code/@fedcba9")}
    # A tag is never refused for what it says.
    for value in ("no json", '{"a": 1}', '[1, {"name": 3}]', '[{"name": "../x", "version": "1"}]'):
        mlflow(tracker, "runs/set-tag", {"run_id": alone, "key": "mlflow.linkedPrompts", "value": value})
    mlflow(tracker, "runs/set-tag", {"run_id": alone, "key": "mlflow.source.git.commit", "value": "not a commit"})
    assert edges(tracker, N + "runs/" + alone) == {("use", N + "code/@fedcba9")}


def test_prompts_reach_models_and_traces(world, tracker, owner):
    linked = json.dumps([{"name": "ask", "version": "1"}])
    run = run_with(tracker, plain="x")
    model = mlflow(tracker, "logged-models", {"experiment_id": tracker.experiment, "name": "agent", "source_run_id": run, "tags": [
        {"key": "mlflow.linkedPrompts", "value": linked}, {"key": "mlflow.git.commit", "value": "abc123"},
        {"key": "mlflow.git.repo_url", "value": "git.example/risk/train"}]})["model"]["info"]["model_id"]
    logged = f"{N}logged-models/{model}"
    assert edges(tracker, logged) == {("use", N + "prompts/ask/versions/1"), ("use", N + "code/git.example/risk/train@abc123")}
    mlflow(tracker, "runs/outputs", {"run_id": run, "models": [{"model_id": model, "step": 0}]})
    assert ("produce", f"{N}runs/{run}") in edges(tracker, logged)
    tracker.ok("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{tracker.experiment}/models/{model}/artifacts/MLmodel", data=b"x: 1",
               headers={"Content-Type": "application/octet-stream", **SPACE})
    mlflow(tracker, "registered-models/create", {"name": "agent"})
    made = mlflow(tracker, "model-versions/create", {"name": "agent", "source": f"models:/{model}"})["model_version"]["version"]
    assert {("produce", logged), ("produce", f"{N}runs/{run}")} == edges(tracker, f"{N}models/agent/versions/{made}")
    trace = "tr-" + "5" * 32
    mlflow(tracker, "traces", {"trace": {"trace_info": {
        "trace_id": trace, "request_time": "2026-11-21T10:00:00Z", "tags": {"mlflow.linkedPrompts": linked},
        "trace_location": {"mlflow_experiment": {"experiment_id": tracker.experiment}}}}}, api="3.0")
    assert edges(tracker, f"{N}traces/{trace}") == {("predict", N + "prompts/ask/versions/1")}
    mlflow(tracker, "traces/link-prompts", {"trace_id": trace, "prompt_versions": [{"name": "hosted", "version": "1"}]})
    assert ("predict", N + "prompts/hosted/versions/1") in edges(tracker, f"{N}traces/{trace}")
    # A prompt that says it is linked to itself goes on as if it did not.
    mlflow(tracker, "registered-models/create", {"name": "own", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    mlflow(tracker, "model-versions/create", {"name": "own", "source": "x", "tags": [
        {"key": "mlflow.prompt.text", "value": "Hi"}, {"key": "mlflow.linkedPrompts", "value": '[{"name": "own", "version": "1"}]'}]})
    assert edges(tracker, N + "prompts/own/versions/1") == set()


def test_documents_have_them_and_stay_the_same_bytes(world, owner):
    owner.ok("PUT", P + "/models/coded", {"description": "Risk of default"}, headers={"If-Match": "*"})
    owner.ok("PUT", P + "/datasets/cancer", {"description": "Patients"}, headers={"If-Match": "*"})
    for key, value in TAGS.items():
        owner.ok("PUT", f"{P}/models/coded/tags/{key}", {"value": value})
    owner.ok("PATCH", "/v1/projects/credit", {"description": "Credit"}, headers={"If-Match": "*"})
    node = N + "code/git.example/risk/train@" + COMMIT
    for kind in ("cyclonedx", "spdx", "dossier.json", "dossier.html", "provenance"):
        path = f"{P}/models/coded/versions/1/documents/{kind}"
        one, two = world["auditor"].get(path), owner.get(path)
        assert one.status_code == 200 and one.content == two.content, (kind, one.text[:300])
        assert kind == "provenance" or node in one.text, kind
    bom = world["auditor"].ok("GET", f"{P}/models/coded/versions/1/documents/cyclonedx")
    assert [c["type"] for c in bom["components"] if c["bom-ref"] == node] == ["application"]
    # Who may not read the data is not told of it by a document.
    assert world["reader"].get(f"{P}/models/coded/versions/1/documents/cyclonedx").status_code == 403
    proof = world["auditor"].get(f"/v1/lineage/proof?direction=upstream&node={N}models/coded/versions/1")
    assert proof.status_code in (200, 503)
