# SPDX-License-Identifier: Apache-2.0
"""What an auditor takes home: graphs, proofs, bills of materials, statements, dossiers; the same bytes each time."""
import base64
import hashlib
import json
import subprocess
import time

import pytest
from service import BUILD

KINDS = ("cyclonedx", "spdx", "provenance", "approval", "dossier.json", "dossier.html")
TAGS = {"intended-purpose": "Support in deciding on <credit> & loans", "human-oversight": "A clerk decides",
        "limitations": "Not for companies", "risk-management": "https://example.com/risk",
        "standards": "ISO/IEC 42001", "declaration-of-conformity": "https://example.com/doc",
        "post-market-monitoring": "https://example.com/pmm"}


@pytest.fixture(scope="module")
def served(world):
    """models/risk/versions/1 with everything on record: approved, deployed, described."""
    world.trained()
    world.promoted("models/risk/versions/1")
    world["deployer"].ok("PUT", "/v1/projects/credit/endpoints/live", {})
    world["deployer"].ok("POST", "/v1/projects/credit/endpoints/live/deployments", {"version": "models/risk/versions/1"})
    return world


def document(client, kind, model="risk", version=1):
    return client.get(f"/v1/projects/credit/models/{model}/versions/{version}/documents/{kind}")


def describe(world):
    owner = world["project-owner"]
    owner.ok("PUT", "/v1/projects/credit/models/risk", {"description": "Risk of default"},
             headers={"If-Match": "*"})
    owner.ok("PUT", "/v1/projects/credit/datasets/cancer", {"description": "Patients of Wisconsin"}, headers={"If-Match": "*"})
    for key, value in TAGS.items():
        owner.ok("PUT", f"/v1/projects/credit/models/risk/tags/{key}", {"value": value})


def proof_of(world, node, limit=20):
    """The proof, once a checkpoint covers all of it."""
    end = time.monotonic() + limit
    while True:
        reply = world["auditor"].get(f"/v1/lineage/proof?direction=upstream&node={node}")
        if reply.status_code != 503 or time.monotonic() > end:
            return reply
        time.sleep(0.2)


def test_a_dossier_is_refused_with_the_names_of_what_is_missing(served):
    reply = document(served["auditor"], "dossier.json")
    assert reply.status_code == 422
    said = reply.json()["error"]["message"]
    for missing in ("tag intended-purpose of projects/credit/models/risk/versions/1", "tag risk-management",
                    "description of projects/credit/models/risk", "description of projects/credit/datasets/cancer/versions/1"):
        assert missing in said


def test_every_document_is_the_same_bytes_twice(served):
    describe(served)
    for kind in KINDS:
        first, second = document(served["auditor"], kind), document(served["reader"], kind)
        assert first.status_code == 200, f"{kind}: {first.text}"
        assert first.content == second.content, kind
        assert document(served.foreign_admin, kind).status_code == 404
        assert document(served["endpoint-consumer"], kind).status_code in (403, 404)
    assert document(served["auditor"], "novel").status_code == 404
    assert document(served["auditor"], "spdx", version=2).status_code == 404
    assert document(served["auditor"], "spdx", version="x").status_code == 404


def test_the_page_is_whole_and_escaped(served):
    page = document(served["auditor"], "dossier.html")
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Support in deciding on &#60;credit&#62; &#38; loans" in page.text and "<credit>" not in page.text
    assert "@media print" in page.text and "http-equiv" not in page.text and "<script" not in page.text
    for number in range(1, 10):
        assert f"<h2>{number}. " in page.text
    assert "the-approver" in page.text and "accuracy" in page.text and "mean_radius" in page.text


def test_statements_are_signed_with_the_logs_key(served):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    vkey = served["auditor"].get("/v1/audit/log/vkey").text.split("\n")[0]
    name, key_id, key = vkey.split("+", 2)
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
    model = served["data-scientist"].get("/v1/projects/credit/models/risk/versions/1/files/model.onnx").content
    for kind, predicate in (("provenance", "https://slsa.dev/provenance/v1"), ("approval", "/approval/v1")):
        envelope = document(served["auditor"], kind).json()
        payload = base64.b64decode(envelope["payload"])
        [signature] = envelope["signatures"]
        assert signature["keyid"] == f"{name}+{key_id}"
        kind_bytes = envelope["payloadType"].encode()
        public.verify(base64.b64decode(signature["sig"]),
                      b"DSSEv1 %d %s %d %s" % (len(kind_bytes), kind_bytes, len(payload), payload))
        statement = json.loads(payload)
        assert statement["predicateType"].endswith(predicate)
        assert statement["subject"] == [{"name": "model.onnx", "digest": {"sha256": hashlib.sha256(model).hexdigest()}}]
    made = json.loads(base64.b64decode(document(served["auditor"], "provenance").json()["payload"]))["predicate"]
    assert made["buildDefinition"]["externalParameters"]["trainer"] == "logistic"
    assert len(made["buildDefinition"]["resolvedDependencies"][0]["digest"]["sha256"]) == 64


def test_the_graph_as_prov(served):
    node = "projects/credit/models/risk/versions/1"
    prov = served["auditor"].ok("GET", f"/v1/lineage/export?format=prov&direction=both&node={node}")
    assert "chancery:" + node in prov["entity"]
    assert [r["prov:entity"] for r in prov["wasGeneratedBy"].values()] == ["chancery:" + node]
    assert any(r["prov:entity"].endswith("datasets/cancer/versions/1") for r in prov["used"].values())
    assert served["auditor"].get(f"/v1/lineage/export?format=dot&node={node}").status_code == 400


def run(*arguments):
    return subprocess.run([BUILD / "chancery", *map(str, arguments)], capture_output=True, text=True)


def test_a_proof_holds_offline_and_no_change_to_it_does(served, tmp_path):
    deployment = served["auditor"].ok("GET", "/v1/projects/credit/endpoints/live/deployments")["value"][0]["id"]
    reply = proof_of(served, f"projects/credit/endpoints/live/deployments/{deployment}")
    assert reply.status_code == 200, reply.text
    proof = reply.json()
    assert proof["complete"] and len(proof["edges"]) == 6
    vkey = tmp_path / "vkey"
    vkey.write_text(served["auditor"].get("/v1/audit/log/vkey").text.split("\n")[0] + "\n")
    file = tmp_path / "proof.json"

    def verify(changed):
        file.write_text(json.dumps(changed))
        return run("lineage", "verify", file, "--vkey", vkey)

    done = verify(proof)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "6 of 6 edges proven" in done.stdout + done.stderr
    done = run("audit", "verify", file, "--vkey", vkey)
    assert done.returncode == 0 and "6 of 6 edges proven" in done.stdout + done.stderr
    for i in range(len(proof["edges"])):
        edge = dict(proof["edges"][i], request="00000000-0000-7000-8000-000000000000")
        assert verify({**proof, "edges": [edge]}).returncode == 4
        foreign = dict(proof["edges"][i], src="projects/credit/datasets/x/versions/9", dst="projects/credit/jobs/9")
        nodes = [{"name": foreign["src"]}, {"name": foreign["dst"]}]
        assert verify({**proof, "nodes": nodes, "edges": [foreign]}).returncode == 4
    for i, entry in enumerate(proof["entries"]):
        forged = json.loads(json.dumps(proof))
        forged["entries"][i]["leaf"] = entry["leaf"].replace('"outcome":"ok"', '"outcome":"OK"')
        assert verify(forged).returncode == 4
    assert verify({**proof, "entries": proof["entries"][1:]}).returncode == 4
    assert verify({}).returncode == 4
    other = tmp_path / "other"
    other.write_text(served.foreign_admin.get("/v1/audit/log/vkey").text.split("\n")[0] + "\n")
    assert run("lineage", "verify", file, "--vkey", other).returncode == 4
    assert run("audit", "verify", file, "--vkey", other).returncode == 4
    file.write_text(json.dumps({**proof, "entries": proof["entries"][1:]}))
    assert run("audit", "verify", file, "--vkey", vkey).returncode == 4
    assert served["reader"].get("/v1/lineage/proof?node=projects/credit/models/risk/versions/1").status_code == 403
