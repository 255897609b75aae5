# SPDX-License-Identifier: Apache-2.0
"""Engines that die, and jobs that must stop: what was approved happens once, or not at all."""
import os
import pathlib
import random
import signal
import threading
import time

import pytest
from service import DATA, PATIENCE, SANITIZED

P = "/v1/projects/credit"
INFER = "/serve/credit/risk/v2/models/risk/infer"
ROW = [float(x) for x in (DATA / "breast_cancer.csv").read_text().splitlines()[1].split(",")[:-1]]
QUESTION = {"inputs": [{"name": "features", "shape": [1, len(ROW)], "datatype": "FP64", "data": ROW}]}


def engines(service, mode):
    """Process ids of the service's engines in a mode."""
    found = []
    for children in pathlib.Path(f"/proc/{service.process.pid}/task").glob("*/children"):
        try:
            for pid in children.read_text().split():
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if words[:2] == [b"chancery-engine", mode.encode()]:
                    found.append(int(pid))
        except OSError:
            continue
    return found


def catch(service, mode, limit=PATIENCE, other_than=()):
    """Stop the next engine of a mode as soon as it is there; its process id."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        for pid in engines(service, mode):
            if pid not in other_than:
                os.kill(pid, signal.SIGSTOP)
                return pid
        time.sleep(0.001)
    raise AssertionError(f"no engine for {mode} in {limit} s")


def gone(pid, limit=10):
    end = time.monotonic() + limit
    while pathlib.Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.02)
    return not pathlib.Path(f"/proc/{pid}").exists()


def table(rows, columns=20):
    """Numbers with a target that they decide, and work for a moment."""
    chance = random.Random(7)
    lines = [",".join([*(f"x{i}" for i in range(columns)), "y"])]
    for _ in range(rows):
        row = [chance.gauss(0, 1) for _ in range(columns)]
        lines.append(",".join([*(f"{x:.4f}" for x in row), "yes" if sum(row) + chance.gauss(0, 2) > 0 else "no"]))
    return "\n".join(lines).encode()


@pytest.fixture(scope="module")
def world(world):
    world["data-scientist"].upload_dataset("credit", "work", table(20000))
    return world


def ask(world, output):
    return world["data-scientist"].ok("POST", P + "/jobs", {
        "kind": "train", "input": "datasets/work/versions/1", "output": "models/" + output, "trainer": "logistic",
        "target": "y"})


def approve(world, job):
    world["approver"].ok("POST", f"{P}/approvals/{job['approval']}/decision", {"verdict": "approve", "reason": "go"})


def state(world, job):
    return world["data-scientist"].ok("GET", f"{P}/jobs/{job['id']}")


def becomes(world, job, wanted, limit=20):
    end = time.monotonic() + limit
    while (found := state(world, job))["state"] != wanted and time.monotonic() < end:
        time.sleep(0.05)
    assert found["state"] == wanted, found
    return found


def no_version(world, output):
    """The job has made nothing that anybody could take for its result."""
    reply = world["data-scientist"].get(f"{P}/models/{output}/versions")
    assert reply.status_code == 404 or reply.json()["value"] == [], reply.text
    left = [f for f in world.service.files() if f.startswith("jobs/")]
    assert left == []


def test_a_killed_engine_is_replaced_and_the_job_succeeds(world):
    job = ask(world, "once")
    approve(world, job)
    pid = catch(world.service, "train")
    os.kill(pid, signal.SIGKILL)
    done = world["data-scientist"].await_job("credit", job["id"])
    assert done["state"] == "succeeded" and done["attempts"] == 2, done
    versions = world["data-scientist"].ok("GET", P + "/models/once/versions")["value"]
    assert [v["number"] for v in versions] == [1] and versions[0]["state"] == "ready"


def test_an_engine_that_is_killed_each_time_fails_the_job_with_a_reason(world):
    job = ask(world, "never")
    approve(world, job)
    seen = []
    for _ in range(3):
        seen.append(catch(world.service, "train", other_than=seen))
        os.kill(seen[-1], signal.SIGKILL)
    done = world["data-scientist"].await_job("credit", job["id"])
    assert done["state"] == "failed" and done["attempts"] == 3, done
    assert "engine" in done["message"], done
    no_version(world, "never")
    entries = world["auditor"].ok("GET", f"/v1/audit?object=jobs/{job['id']}")["value"]
    assert any(e["action"] == "job_ended" and e["outcome"] != "ok" for e in entries), entries


def test_a_dead_service_leaves_the_job_to_the_next(world):
    job = ask(world, "heir")
    approve(world, job)
    pid = catch(world.service, "train")
    world.service.kill()
    assert gone(pid), "the engine outlived its service"
    world.service.start()
    world.sign_in()
    assert state(world, job)["state"] == "running"
    world.service.sql("UPDATE chancery.job SET lease_until = now() WHERE state = 'running'")
    done = world["data-scientist"].await_job("credit", job["id"])
    assert done["state"] == "succeeded" and done["attempts"] == 2, done


def test_cancel_a_waiting_job(world):
    job = ask(world, "waiting")
    assert job["state"] == "waiting"
    world["data-scientist"].ok("POST", f"{P}/jobs/{job['id']}/cancel", {})
    assert state(world, job)["state"] == "cancelled"
    late = world["approver"].post(f"{P}/approvals/{job['approval']}/decision", {"verdict": "approve", "reason": "late"})
    assert late.status_code == 409 or late.json()["state"] == "void", late.text
    time.sleep(1)
    assert state(world, job)["state"] == "cancelled"
    no_version(world, "waiting")


def test_cancel_a_queued_and_a_running_job(world):
    running = ask(world, "running")
    approve(world, running)
    pid = catch(world.service, "train")
    queued = ask(world, "queued")
    approve(world, queued)
    assert state(world, queued)["state"] == "queued"
    world["data-scientist"].ok("POST", f"{P}/jobs/{queued['id']}/cancel", {})
    assert state(world, queued)["state"] == "cancelled"
    assert state(world, running)["state"] == "running"
    world["data-scientist"].ok("POST", f"{P}/jobs/{running['id']}/cancel", {})
    becomes(world, running, "cancelled")
    assert gone(pid)
    reply = world["data-scientist"].post(f"{P}/jobs/{running['id']}/cancel", {})
    assert reply.status_code == 409, reply.text
    time.sleep(1)
    assert state(world, queued)["state"] == "cancelled" and state(world, queued)["attempts"] == 0
    no_version(world, "running")
    no_version(world, "queued")


def test_a_running_job_whose_approval_is_revoked_is_stopped(world):
    job = ask(world, "revoked")
    approve(world, job)
    pid = catch(world.service, "train")
    world["approver"].ok("POST", f"{P}/approvals/{job['approval']}/revoke", {"reason": "the data was wrong"})
    becomes(world, job, "cancelled")
    assert gone(pid)
    no_version(world, "revoked")


def test_a_queued_job_whose_approval_is_revoked_never_runs(world):
    busy = ask(world, "busy")
    approve(world, busy)
    pid = catch(world.service, "train")
    job = ask(world, "unwanted")
    approve(world, job)
    world["approver"].ok("POST", f"{P}/approvals/{job['approval']}/revoke", {"reason": "changed my mind"})
    os.kill(pid, signal.SIGCONT)
    assert world["data-scientist"].await_job("credit", busy["id"])["state"] == "succeeded"
    done = becomes(world, job, "cancelled")
    assert done["attempts"] == 0
    no_version(world, "unwanted")


def test_input_bytes_that_changed_are_not_trained_on(world):
    """Somebody with access to the disk: the digest is checked before anything reads the file."""
    world["data-scientist"].upload_dataset("credit", "forged", table(50))
    job = world["data-scientist"].ok("POST", P + "/jobs", {
        "kind": "train", "input": "datasets/forged/versions/1", "output": "models/forged", "trainer": "logistic",
        "target": "y"})
    digest = world["data-scientist"].ok("GET", P + "/datasets/forged/versions/1/files")["value"][0]["sha256"]
    blob = next((world.service.home / "home" / "blobs").glob(f"*/*/{digest}"))
    data = blob.read_bytes()
    blob.write_bytes(data.replace(b"yes", b"no "))
    approve(world, job)
    done = world["data-scientist"].await_job("credit", job["id"])
    assert done["state"] == "failed" and "digest" in done["message"], done
    no_version(world, "forged")


# Serving.

@pytest.fixture(scope="module")
def endpoint(world):
    _, job = world.trained()
    world.promoted(job["output"])
    world["deployer"].ok("PUT", P + "/endpoints/risk", {})
    world["deployer"].ok("POST", P + "/endpoints/risk/deployments", {"version": job["output"]})
    return world["endpoint-consumer"]


def test_an_endpoint_recovers_from_the_death_of_its_engine(world, endpoint):
    first = endpoint.post(INFER, QUESTION)
    assert first.status_code == 200, first.text
    for _ in range(3):
        pid, = engines(world.service, "serve")
        os.kill(pid, signal.SIGKILL)
        reply = endpoint.post(INFER, QUESTION)
        assert reply.status_code == 200, reply.text
        assert reply.json()["outputs"] == first.json()["outputs"]
        assert engines(world.service, "serve") != [pid]


def test_an_engine_that_dies_over_a_question_is_replaced(world, endpoint):
    assert endpoint.post(INFER, QUESTION).status_code == 200
    pid, = engines(world.service, "serve")
    os.kill(pid, signal.SIGSTOP)
    replies = []
    asking = threading.Thread(target=lambda: replies.append(endpoint.post(INFER, QUESTION)))
    asking.start()
    time.sleep(0.5)
    assert not replies
    os.kill(pid, signal.SIGKILL)
    asking.join()
    assert replies[0].status_code == 200, replies[0].text


def test_an_engine_that_hangs_is_replaced(world, endpoint):
    assert endpoint.post(INFER, QUESTION).status_code == 200
    pid, = engines(world.service, "serve")
    os.kill(pid, signal.SIGSTOP)
    reply = endpoint.post(INFER, QUESTION)
    assert reply.status_code == 504, reply.text
    assert gone(pid)
    assert endpoint.post(INFER, QUESTION).status_code == 200


def test_engines_are_strangers(world, endpoint):
    """Another user, no capabilities, no new privileges, a system call filter, no network, few files."""
    assert endpoint.post(INFER, QUESTION).status_code == 200
    pid, = engines(world.service, "serve")
    said = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert said["NoNewPrivs"] == "1" and (SANITIZED or said["Seccomp"] == "2")
    assert int(said["CapEff"], 16) == 0
    if os.geteuid() == 0:
        assert said["Uid"].split() == ["65534"] * 4
        names = [os.readlink(f) for f in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
        assert all(n.startswith(("socket:", "/dev/null")) or "/blobs/" in n for n in names if not SANITIZED), names
        assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")


def test_engines_end_with_the_service(world, endpoint):
    assert endpoint.post(INFER, QUESTION).status_code == 200
    pid, = engines(world.service, "serve")
    world.service.kill()
    assert gone(pid)
    world.service.start()
    world.sign_in()
    assert world["endpoint-consumer"].post(INFER, QUESTION).status_code == 200
