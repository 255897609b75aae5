# SPDX-License-Identifier: Apache-2.0
"""MLflow's own client, unmodified, against the real service: a tracking URI, a token, nothing else.

The client lives in a virtual environment of pinned versions, which is made once in build/peers/mlflow.
Without it the tests are skipped with the reason, and fail when REQUIRE_PEERS=1.
"""
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "stories"))
from service import Service, World  # noqa: E402  (the path is set above)

VENV = pathlib.Path(os.environ.get("MLFLOW_VENV", ROOT / "build" / "peers" / "mlflow"))


def missing(reason):
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def python():
    path = VENV / "bin" / "python"
    if not path.exists() or subprocess.run([path, "-c", "import mlflow, sklearn, pandas"], capture_output=True,
                                           check=False).returncode:
        VENV.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(f"{sys.executable} -m venv {VENV} && {path} -m pip install --quiet"
                              f" -r {HERE / 'mlflow-requirements.txt'}", shell=True, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            missing(f"mlflow cannot be installed: {made.stderr[-300:]}")
    return path


@pytest.fixture(scope="module")
def world():
    service = Service()
    try:
        service.start()
        made = World(service)
        made.python = None
        yield made
    finally:
        service.close()


@pytest.fixture(scope="module")
def mlflow(world, python):
    """Calls mlflow_peer.py as one of the people."""
    def call(who, *arguments, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        done = subprocess.run(
            [python, HERE / "mlflow_peer.py", *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd="/tmp",
            env={**clean, "MLFLOW_TRACKING_URI": world.service.url, "MLFLOW_TRACKING_TOKEN": who.token,
                 "MLFLOW_TRACKING_SERVER_CERT_PATH": str(world.service.ca), "MLFLOW_DISABLE_TELEMETRY": "true",
                 "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "GIT_PYTHON_REFRESH": "quiet", **environment}, check=False)
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
        return json.loads(done.stdout.split("RESULT ")[1])
    return call


def test_the_whole_script(world, mlflow):
    scientist = world["data-scientist"]
    seen = mlflow(scientist, "script", "iris")
    assert seen["same"] and seen["by_latest"] and seen["version"] in ("1", 1)
    assert seen["found"] == [seen["run"]] == [seen["source_run"]] and seen["status"] == "FINISHED"
    assert seen["params"] == {"max_iter": "300", "solver": "lbfgs"} and seen["tags"]["team"] == "risk"
    assert seen["history"] == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5] and seen["inputs"] == ["iris"]
    assert seen["files"] == ["notes/empty", "notes/notes.txt"] and seen["config"] == {"a": 1}
    assert len(seen["outputs"]) == 1
    version = scientist.ok("GET", "/v1/projects/credit/models/iris/versions/1")
    assert version["state"] == "ready" and version["manifest"]["mlflow"]["run_id"] == seen["run"]
    assert "MLmodel" in [f["path"] for f in version["manifest"]["files"]]


def test_a_protected_alias_waits_for_its_approval(world, mlflow):
    scientist, approver = world["data-scientist"], world["approver"]
    asked = mlflow(scientist, "protected", "iris", 1)
    assert asked["code"] == "PERMISSION_DENIED"
    pending = scientist.ok("GET", "/v1/projects/credit/approvals?state=pending")["value"]
    assert len(pending) == 1 and pending[0]["id"] in asked["message"]
    again = mlflow(scientist, "protected", "iris", 1)
    assert pending[0]["id"] in again["message"]
    approver.ok("POST", f"/v1/projects/credit/approvals/{pending[0]['id']}/decision", {"verdict": "approve", "reason": "good"})
    assert mlflow(scientist, "load", "iris", "production") == {"rows": 150}
    assert mlflow(scientist, "protected", "iris", 1)["code"] is None


def test_the_registry_whole(world, mlflow):
    seen = mlflow(world["data-scientist"], "registry", "iris", "iris-copies")
    assert seen["model"] == ["other words", {"b": "2"}, "the first", {"k": "v"}, "models:/iris/1"]
    assert seen["found"] == ["iris-copies"] and [str(v) for v in seen["versions"]] == ["1", "2"]
    assert seen["stage"] == "Staging" and seen["archived"] == "Archived" and [str(v) for v in seen["latest"]] == ["2"]
    assert seen["uri"] == "mlflow-artifacts:/registered-models/iris-copies/1" and seen["refused"] == "PERMISSION_DENIED"
    assert seen["renamed"] == "iris-copies-grown" and seen["loaded"] == 150


def test_prompts(world, mlflow):
    seen = mlflow(world["data-scientist"], "prompts", "hello")
    assert seen["versions"] == [1, 2] and seen["chat"] == [{"role": "user", "content": "{{q}}?"}] and seen["text"] == "Hello you"
    assert seen["found"] == ["hello"] and seen["tagged"] == [] and sorted(seen["all"]) == [1, 2] and "hello" not in seen["models"]
    assert seen["refused"] == "PERMISSION_DENIED"


def test_webhooks(world, mlflow):
    seen = mlflow(world["project-owner"], "webhooks", "https://example.com/hook")
    assert seen["made"] == ["hook", "https://example.com/hook", ["model_version.created", "prompt_alias.deleted"], "words", "ACTIVE"]
    assert seen["changed"] == ["renamed", "DISABLED", None] and seen["listed"] == ["renamed"] and seen["left"] == []
    assert seen["refused"] == "INVALID_PARAMETER_VALUE"


def test_lineage_knows_what_the_client_did(world):
    found = world["auditor"].ok("GET", "/v1/lineage?node=projects/credit/models/iris/versions/1&direction=upstream&depth=5")
    kinds = {n["kind"] for n in found.get("nodes", found.get("value", []))}
    assert {"run", "dataset", "model-version"} <= kinds, found


def test_autolog_and_nested_runs(world, mlflow):
    seen = mlflow(world["data-scientist"], "autolog")
    assert seen["child"] and seen["children"] >= 2 and seen["params"] > 5 and seen["metrics"] > 3 and seen["models"] >= 1


def test_a_hundred_megabytes_and_odd_names(world, mlflow):
    seen = mlflow(world["data-scientist"], "artifacts", 100 << 20)
    assert seen["same"] and seen["names"] == ["large.bin", "sub/dir/naïve name.txt"] and seen["left"] == ["large.bin"]


def test_large_files_in_parts(world, mlflow):
    seen = mlflow(world["data-scientist"], "artifacts", 24 << 20, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD="true",
                  MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=str(8 << 20), MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=str(5 << 20),
                  REQUESTS_CA_BUNDLE=str(world.service.ca))
    assert seen["same"] and seen["names"] == ["large.bin", "sub/dir/naïve name.txt"]
    assert world.service.sql("SELECT count(*) FROM chancery.multipart").strip() == "0"
    assert int(world.service.sql("SELECT count(*) FROM chancery.audit_entry WHERE action = 'put_mlflow_part'")) == 5


def test_writers_at_once(world, mlflow):
    seen = mlflow(world["data-scientist"], "writers", 8)
    assert seen == {"failures": [], "metrics": 9, "history": 20}


def test_two_tenants_side_by_side(world, mlflow):
    theirs = mlflow(world.foreign_admin, "names", "claims")
    assert theirs == {"experiments": ["Default"]}
    assert "iris" in mlflow(world["data-scientist"], "names", "credit")["experiments"]
    assert "iris" in mlflow(world["data-scientist"], "names", "")["experiments"]
    assert world.foreign_admin.get("/api/2.0/mlflow/experiments/get-by-name?experiment_name=iris",
                                   headers={"X-MLFLOW-WORKSPACE": "credit"}).status_code == 404
