# SPDX-License-Identifier: Apache-2.0
"""Lineage before programs that others wrote: OpenLineage's client emits, and readers of PROV, CycloneDX, SPDX,
DSSE, in-toto and OpenSSF model signatures read what we export.

They live in a virtual environment of pinned versions, made once in build/peers/venv-lineage. Without it the tests
are skipped with the reason, and fail when REQUIRE_PEERS=1. Airflow has an environment of its own: test_airflow.py.
"""
import json
import os
import pathlib
import subprocess
import sys
import uuid

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "stories"))
from service import Service, World  # noqa: E402  (the path is set above)
from test_documents import describe, document  # noqa: E402
from test_openlineage import dataset, run_event  # noqa: E402

VENV = ROOT / "build" / "peers" / "venv-lineage"
PYTHON = VENV / "bin" / "python"


def missing(reason):
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def peer():
    """Calls lineage_peer.py in its environment."""
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import openlineage, prov, cyclonedx, spdx_python_model, model_signing"],
                                             capture_output=True, check=False).returncode:
        VENV.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(f"{sys.executable} -m venv {VENV} && {PYTHON} -m pip install --quiet"
                              f" -r {HERE / 'lineage-requirements.txt'}", shell=True, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            missing(f"the readers cannot be installed: {made.stderr[-300:]}")

    def call(*arguments, **environment):
        done = subprocess.run([PYTHON, HERE / "lineage_peer.py", *map(str, arguments)], capture_output=True, text=True,
                              check=False, env={**os.environ, **environment})
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
        return json.loads(done.stdout.splitlines()[-1])

    return call


@pytest.fixture(scope="module")
def world():
    service = Service()
    try:
        made = World(service.start())
        made.trained()
        made.promoted("models/risk/versions/1")
        describe(made)
        code = {"sourceCodeLocation": {"type": "git", "url": "https://git.example/feed", "version": "abc123"}}
        fed = run_event("COMPLETE", uuid.uuid4(), "feed", outputs=[dataset("projects/credit/datasets/cancer/versions/1", "chancery")],
                        job_facets=code)
        made["data-scientist"].ok("POST", "/api/v1/lineage", fed)
        yield made
    finally:
        service.close()


def save(tmp_path, name, reply):
    assert reply.status_code == 200, reply.text
    path = tmp_path / name
    path.write_bytes(reply.content)
    return path


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_openlineage_python_emits_over_tls(world, peer, compression):
    scientist = world["data-scientist"]
    token = scientist.ok("POST", "/v1/tokens", {"name": "emitter" + compression, "expires_in": 3600})["token"]
    ca = str(world.service.ca)
    run = peer("emit", world.service.url, token, "credit", compression, REQUESTS_CA_BUNDLE=ca, SSL_CERT_FILE=ca)["run"]
    graph = scientist.ok("GET", f"/v1/lineage?node=ol-run:{run}")
    assert {"ol-dataset:lake:orders", "ol-dataset:lake:totals"} <= {n["name"] for n in graph["nodes"]}
    job = scientist.ok("GET", f"/api/v1/namespaces/credit/jobs/peer{compression}")
    assert job["latestRun"]["state"] == "COMPLETED" and job["latestRun"]["durationMs"] == 7500
    columns = scientist.ok("GET", "/api/v1/column-lineage?nodeId=datasetField:lake:totals:total")
    assert {n["id"] for n in columns["graph"]} == {"datasetField:lake:totals:total", "datasetField:lake:orders:price"}


def test_prov_reads_the_graph(world, peer, tmp_path):
    reply = world["auditor"].get("/v1/lineage/export?node=projects/credit/models/risk/versions/1")
    graph = world["auditor"].ok("GET", "/v1/lineage?node=projects/credit/models/risk/versions/1")
    read = peer("prov", save(tmp_path, "prov.json", reply))
    assert read["records"] == len(graph["nodes"]) + len(graph["edges"])
    assert "wasGeneratedBy" in read["provn"] and "used" in read["provn"]


def test_cyclonedx_validates_the_bill_of_materials(world, peer, tmp_path):
    read = peer("cyclonedx", save(tmp_path, "bom.json", document(world["auditor"], "cyclonedx")))
    assert read == {"components": 3, "name": "risk"}, "the file, the data, the commit that made the data"


def test_spdx_model_reads_and_resolves_the_document(world, peer, tmp_path):
    read = peer("spdx", save(tmp_path, "spdx.json", document(world["auditor"], "spdx")))
    assert read["models"] == 1 and read["datasets"] == 1
    assert all("NoAssertion" in m for m in read["missing"]), read


@pytest.mark.parametrize("kind", ["provenance", "approval"])
def test_securesystemslib_verifies_statements(world, peer, tmp_path, kind):
    vkey = world["auditor"].get("/v1/audit/log/vkey").text.split("\n")[0]
    path = save(tmp_path, "envelope.json", document(world["auditor"], kind))
    assert len(peer("dsse", path, vkey)["signers"]) == 1
    other = world.foreign_admin.get("/v1/audit/log/vkey").text.split("\n")[0]
    with pytest.raises(AssertionError):
        peer("dsse", path, other)


def test_model_signing_verifies_the_files(world, peer, tmp_path):
    base = "/v1/projects/credit/models/risk/versions/1"
    folder = tmp_path / "risk"
    folder.mkdir()
    model = save(folder, "model.onnx", world["data-scientist"].get(base + "/files/model.onnx"))
    bundle = save(tmp_path, "model.sig", world["data-scientist"].request("POST", base + "/signature"))
    key = save(tmp_path, "key.pem", world["reader"].get("/v1/model-signing-key"))
    peer("signature", folder, bundle, key)
    model.write_bytes(model.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(AssertionError):
        peer("signature", folder, bundle, key)
    assert world.foreign_admin.request("POST", base + "/signature").status_code == 404
    assert world.foreign_admin.get("/v1/model-signing-key").status_code == 404
