# SPDX-License-Identifier: Apache-2.0
"""chancery import mlflow against MLflow's own server, filled by MLflow's own client: both sides are asked by
that client and say the same, and a model that was loaded from ours predicts as the one that was logged.

The server lives in $MLFLOW_SERVER_VENV or build/peers/mlflow-server. Without it the tests are skipped with
the reason, and fail when REQUIRE_PEERS=1.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "stories"), str(ROOT / "tests" / "bench")]
import bench_mlflow  # noqa: E402  (the path is set above)
from service import BUILD, Service, World  # noqa: E402

VENV = pathlib.Path(os.environ.get("MLFLOW_SERVER_VENV", ROOT / "build" / "peers" / "mlflow-server"))


def missing(reason):
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def world():
    service = Service()
    try:
        service.start()
        yield World(service)
    finally:
        service.close()


@pytest.fixture(scope="module")
def source(world):
    """An MLflow server's address."""
    try:
        process, url = bench_mlflow.server(VENV, world.service, "mlflow")
    except (subprocess.CalledProcessError, OSError) as e:
        missing(f"mlflow cannot be installed: {e}")
    try:
        yield url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


class Side:
    """MLflow's client at one of the two servers."""

    def __init__(self, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        self.environment = {**clean, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
                            "GIT_PYTHON_REFRESH": "quiet", **environment}

    def __call__(self, *arguments):
        done = subprocess.run([VENV / "bin" / "python", HERE / "mlflow_import_peer.py", *map(str, arguments)], capture_output=True,
                              text=True, timeout=300, cwd="/tmp", env=self.environment, check=False)
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
        return json.loads(done.stdout.split("RESULT ")[1])


@pytest.fixture(scope="module")
def sides(world, source):
    scientist = world["data-scientist"]
    scientist.token = scientist.ok("POST", "/v1/tokens", {"name": "lasting"})["token"]
    theirs = Side(MLFLOW_TRACKING_URI=source)
    ours = Side(MLFLOW_TRACKING_URI=world.service.url, MLFLOW_TRACKING_TOKEN=scientist.token, MLFLOW_WORKSPACE="credit",
                MLFLOW_TRACKING_SERVER_CERT_PATH=str(world.service.ca))
    theirs("fill", 4 << 20)
    return theirs, ours


def start(world, source, *options):
    service = world.service
    return subprocess.Popen(
        [BUILD / "chancery", "--json", "--project", "credit", "import", "mlflow", source, *options], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={
            "PATH": os.environ["PATH"], "CHANCERY_URL": service.url, "CHANCERY_CA": service.ca,
            "CHANCERY_TOKEN": world["data-scientist"].token, "CHANCERY_CONFIG": "/nonexistent/config"})


def finish(process, code=0):
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, f"{process.returncode}\n{out[out.find('differences'):]}\n{err}"
    return json.loads(out)


def test_killed_in_the_middle_it_goes_on_and_both_sides_say_the_same(world, source, sides):
    theirs, ours = sides
    killed = 0
    for moment in (0.15, 0.4, 0.8, 1.2, 1.6, 2.0, 2.5):
        process = start(world, source)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate(timeout=60)
    assert killed >= 3
    whole = finish(start(world, source))
    assert whole["agrees"] and whole["differences"] == []
    counts = {c["kind"]: c for c in whole["counts"]}
    assert all(counts[k]["source"] == counts[k]["here"] > 0 for k in counts if k != "aliases"), counts
    assert [w["what"].split()[-1] for w in whole["waiting"]] == ["production"]
    assert theirs("tell") == ours("tell")

    with world.service.unchanged():
        again = finish(start(world, source, "--reread"))
    assert again["agrees"] and all(c["written"] == 0 for c in again["counts"])
    assert len(world["data-scientist"].ok("GET", "/v1/projects/credit/approvals?state=pending")["value"]) == 1


def test_a_model_from_ours_predicts_as_from_theirs(sides):
    theirs, ours = sides
    assert ours("predict", "models:/credit-risk@staging") == theirs("predict", "models:/Credit Risk@staging")
    assert ours("predict", "models:/credit-risk/1") == theirs("predict", "models:/Credit Risk/1")
    by_id = theirs("logged")
    assert ours("predict", f"models:/{by_id}") == theirs("predict", f"models:/{by_id}")
    assert ours("prompt", "greeting") == theirs("prompt", "greeting")


def test_a_protected_alias_moves_when_it_is_approved(world, source, sides):
    _, ours = sides
    pending, = world["data-scientist"].ok("GET", "/v1/projects/credit/approvals?state=pending")["value"]
    world["approver"].ok("POST", f"/v1/projects/credit/approvals/{pending['id']}/decision", {"verdict": "approve", "reason": "good"})
    assert ours("predict", "models:/credit-risk@production") == ours("predict", "models:/credit-risk/2")
    whole = finish(start(world, source))
    aliases = {c["kind"]: c for c in whole["counts"]}["aliases"]
    assert whole["waiting"] == [] and aliases["source"] == aliases["here"]


def test_what_happens_there_later_comes_too(world, source, sides):
    theirs, ours = sides
    theirs("more")
    began = time.monotonic()
    whole = finish(start(world, source))
    assert whole["agrees"] and {c["kind"]: c["written"] for c in whole["counts"]}["runs"] == 1
    assert theirs("tell") == ours("tell") and time.monotonic() - began < 120
