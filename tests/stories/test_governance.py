# SPDX-License-Identifier: Apache-2.0
"""One model, governed from data to decision: what the approvals promise, over HTTP."""
import csv
import io
import time

import pytest
from service import DATA, PATIENCE, World, person

FEATURES = next(csv.reader(io.StringIO((DATA / "breast_cancer.csv").read_text())))[:-1]
ROW = [float(x) for x in (DATA / "breast_cancer.csv").read_text().splitlines()[1].split(",")[:-1]]
P = "/v1/projects/credit"
INFER = "/serve/credit/risk/v2/models/risk/infer"


def question(*rows):
    return {"inputs": [{"name": "features", "shape": [len(rows), len(ROW)], "datatype": "FP64",
                        "data": [x for row in rows for x in row]}]}


def refused(reply, status, code):
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["code"] == code, reply.text
    return reply.json()["error"]["message"]


@pytest.fixture(scope="module")
def story(world):
    """acme with a trained, promoted and deployed model."""
    world.dataset, world.job = world.trained()
    world.version = world.job["output"]
    world.approval = world.promoted(world.version)
    world.unapproved = world.trained(dataset="cancer2", model="shadow")[1]["output"]
    deployer = world["deployer"]
    deployer.ok("PUT", P + "/endpoints/risk", {})
    world.deployment = deployer.ok("POST", P + "/endpoints/risk/deployments", {"version": world.version})
    return world


def test_a_dataset_shows_its_schema(story):
    columns = {c["name"]: c for c in story.dataset["manifest"]["columns"]}
    assert story.dataset["manifest"]["rows"] == 569
    assert len(columns) == len(FEATURES) + 1
    assert columns["mean_radius"]["type"] == "real"
    assert columns["mean_radius"]["min"] == pytest.approx(6.981)
    assert columns["mean_radius"]["missing"] == 0
    assert len(story.dataset["digest"]) == 64


def test_the_trained_model_is_good_and_says_where_it_came_from(story):
    assert story.job["result"]["metrics"]["accuracy"] > 0.95
    version = story["reader"].ok("GET", f"{P}/{story.version}")
    assert version["manifest"]["made_by"]["job"] == story.job["id"]
    assert version["manifest"]["made_by"]["spec"]["input"]["digest"] == story.dataset["digest"]


def test_nobody_approves_their_own_request(story):
    owner = person(story.service, story.admin, "both", [("data-scientist", "credit"), ("approver", "credit")])
    job = owner.ok("POST", P + "/jobs", {"kind": "train", "input": "datasets/cancer/versions/1", "trainer": "logistic",
                                         "output": "models/own", "target": "diagnosis"})
    message = refused(owner.post(f"{P}/approvals/{job['approval']}/decision",
                                 {"verdict": "approve", "reason": "mine"}), 403, "four-eyes")
    assert "requester" in message or "asked" in message or "part" in message
    assert owner.ok("GET", f"{P}/jobs/{job['id']}")["state"] == "waiting"


def test_a_service_account_counts_as_its_owner(story):
    owner = person(story.service, story.admin, "schemer", [("data-scientist", "credit")])
    story.admin.ok("POST", "/v1/service-accounts", {"name": "puppet", "owner": "schemer"})
    story.admin.ok("POST", "/v1/bindings", {"principal": "puppet", "role": "approver", "scope": "project",
                                            "project": "credit"})
    token = owner.ok("POST", "/v1/tokens", {"name": "strings", "service_account": "puppet"})["token"]
    puppet = story.service.client(token)
    job = owner.ok("POST", P + "/jobs", {"kind": "train", "input": "datasets/cancer/versions/1", "trainer": "logistic",
                                         "output": "models/own", "target": "diagnosis"})
    refused(puppet.post(f"{P}/approvals/{job['approval']}/decision", {"verdict": "approve", "reason": "trust me"}),
            403, "four-eyes")


def test_a_rejected_job_never_runs(story):
    job = story["data-scientist"].ok("POST", P + "/jobs", {
        "kind": "train", "input": "datasets/cancer/versions/1", "trainer": "logistic", "output": "models/never",
        "target": "diagnosis"})
    story["approver"].ok("POST", f"{P}/approvals/{job['approval']}/decision", {"verdict": "reject", "reason": "no"})
    assert story["data-scientist"].ok("GET", f"{P}/jobs/{job['id']}")["state"] == "cancelled"


def test_a_protected_alias_moves_only_by_approval(story):
    _, job = story.trained(dataset="cancer3", model="unproven")
    refused(story["project-owner"].put(f"{P}/models/unproven/aliases/production", {"version": 1}), 403, "unapproved")
    assert story["reader"].ok("GET", f"{P}/models/unproven")["aliases"] == {}
    refused(story["project-owner"].delete(f"{P}/models/risk/aliases/production"), 403, "unapproved")
    assert story["reader"].ok("GET", f"{P}/models/risk")["aliases"]["production"] == 1


def test_an_unprotected_alias_moves_freely(story):
    name, number = story.version.split("/")[1], int(story.version.split("/")[-1])
    story["data-scientist"].ok("PUT", f"{P}/models/{name}/aliases/candidate", {"version": number})
    assert story["reader"].ok("GET", f"{P}/models/{name}/versions/@candidate")["number"] == number


def test_the_evidence_shows_what_is_decided_on(story):
    evidence = story["approver"].ok("GET", f"{P}/approvals/{story.approval['id']}")["evidence"]
    assert evidence["version"]["digest"] == story["reader"].ok("GET", f"{P}/{story.version}")["digest"]
    assert evidence["metrics"]["accuracy"] == story.job["result"]["metrics"]["accuracy"]
    upstream = str(evidence["lineage"]["upstream"])
    assert "datasets/cancer/versions/1" in upstream and story.job["id"] in upstream
    assert evidence["current"] is None


def test_an_unapproved_version_cannot_be_deployed(story):
    refused(story["deployer"].post(P + "/endpoints/risk/deployments", {"version": story.unapproved}), 403, "unapproved")
    assert story["deployer"].ok("GET", P + "/endpoints/risk")["version"] == story.version


def test_an_endpoint_answers_and_the_answer_is_on_record(story):
    reply = story["endpoint-consumer"].post(INFER, question(ROW, ROW))
    assert reply.status_code == 200, reply.text
    outputs = {o["name"]: o for o in reply.json()["outputs"]}
    assert outputs["label"]["shape"][0] == 2 and outputs["label"]["data"][0] == outputs["label"]["data"][1]
    assert outputs["probabilities"]["data"][0] + outputs["probabilities"]["data"][1] == pytest.approx(1)
    assert reply.headers["Chancery-Deployment"] == story.deployment["id"]
    assert reply.headers["Chancery-Model"] == story.version
    graph = story["auditor"].ok("GET", "/v1/lineage", params={"node": reply.headers["Chancery-Prediction"],
                                                              "direction": "upstream"})
    names = {n.get("name") for n in graph["nodes"]}
    assert graph["complete"] is True
    assert {"projects/credit/datasets/cancer/versions/1", f"projects/credit/{story.version}",
            f"projects/credit/jobs/{story.job['id']}", f"projects/credit/approvals/{story.approval['id']}"} <= names


@pytest.mark.parametrize("change, says", [
    (lambda q: q["inputs"][0].update(shape=[1, 3], data=[1, 2, 3]), "features"),
    (lambda q: q["inputs"][0].update(data=["x"] * 30), "features"),
    (lambda q: q["inputs"][0].update(name="other"), "other"),
    (lambda q: q.update(inputs=[]), "features"),
    (lambda q: q["inputs"][0].update(data=[1.0]), "features"),
    (lambda q: q["inputs"][0].update(shape=[-1, 30]), "features"),
], ids=["wrong width", "texts for numbers", "unknown input", "missing input", "too few values", "negative shape"])
def test_a_wrong_question_is_told_what_is_wrong(story, change, says):
    asked = question(ROW)
    change(asked)
    reply = story["endpoint-consumer"].post(INFER, asked)
    assert reply.status_code == 400, reply.text
    assert says in reply.json()["error"]


def test_a_batch_of_predictions_is_a_dataset_version(story):
    job = story["data-scientist"].ok("POST", P + "/jobs", {
        "kind": "predict", "model": story.version, "input": "datasets/cancer/versions/1", "output": "datasets/scores"})
    job = story["data-scientist"].await_job("credit", job["id"])
    assert job["state"] == "succeeded", job
    scores = story["reader"].ok("GET", f"{P}/{job['output']}")
    assert scores["state"] == "ready" and scores["manifest"]["rows"] == 569
    graph = story["auditor"].ok("GET", "/v1/lineage", params={"node": f"projects/credit/{job['output']}",
                                                              "direction": "upstream"})
    assert f"projects/credit/{story.version}" in {n.get("name") for n in graph["nodes"]}


def test_the_impact_of_a_dataset_names_the_endpoint_and_who_approved(story):
    impact = story["auditor"].ok("GET", "/v1/lineage/impact", params={"node": "projects/credit/datasets/cancer/versions/1"})
    found = [e for e in impact["endpoints"] if "risk" in e["endpoint"]]
    assert found and found[0]["serving"] is True
    assert "the-approver" in str(found[0]["approvals"])


def test_a_job_can_be_followed_to_its_end(story):
    reply = story["data-scientist"].get(f"{P}/jobs/{story.job['id']}/events", stream=True)
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    states = []
    for line in reply.iter_lines(decode_unicode=True):
        if line.startswith("data:") and '"state"' in line:
            states.append(line.split('"state":"')[1].split('"')[0])
    assert states[0] == "waiting" and states[-1] == "succeeded"


def test_z_a_revoked_approval_stops_the_endpoint_at_once_and_for_ever(story):
    """Last in this file: it ends what the others use."""
    approver, consumer = story["approver"], story["endpoint-consumer"]
    assert consumer.post(INFER, question(ROW)).status_code == 200
    approver.ok("POST", f"{P}/approvals/{story.approval['id']}/revoke", {"reason": "the data was wrong"})
    assert consumer.post(INFER, question(ROW)).status_code == 403
    assert consumer.get("/serve/credit/risk/v2/health/ready").status_code == 403
    assert story["reader"].ok("GET", f"{P}/{story.version.rsplit('/versions', 1)[0]}")["aliases"].get("production") is None
    story.service.stop()
    story.service.start()
    again = story.service.client().post("/v1/login", {"tenant": "acme", "user": consumer.name,
                                                      "password": consumer.password})
    consumer = story.service.client(again.json()["access_token"])
    end = time.monotonic() + PATIENCE / 10
    while time.monotonic() < end:
        assert consumer.post(INFER, question(ROW)).status_code == 403
        time.sleep(0.2)
