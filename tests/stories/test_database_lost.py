# SPDX-License-Identifier: Apache-2.0
"""The database goes away under load: 503 with Retry-After, recovery without a restart, nothing acknowledged lost."""
import os
import signal
import threading
import time

import load
import pytest
from lifecycle_support import alive, wait_until
from service import settled

P = "/v1/projects/store"
BYTES = {"Content-Type": "application/octet-stream"}


def postmaster(service):
    return int((service.home / "home/postgres/data/postmaster.pid").read_text().split()[0])


@pytest.fixture(scope="module")
def owner(service):
    return settled(service)


def ready(service):
    return service.client().get("/readyz").status_code == 200


def checked(owner, writers):
    """A changed again after the loss, and everything as it was acknowledged."""
    load.verify(owner, "store", writers)
    load.audited(owner.admin, writers)
    report = owner.admin.ok("GET", "/v1/audit/check")
    assert report["faults"] == 0 and report["complete"], report


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGQUIT, signal.SIGINT], ids=["killed", "immediate", "fast"])
def test_the_postmaster_ends_under_load(service, owner, how):
    writers = load.start(service, owner.token, "store", 6, f"p{int(how)}")
    time.sleep(0.7)
    before = [w.acknowledged for w in writers]
    pid, process = postmaster(service), service.process.pid
    os.kill(pid, how)
    wait_until("the end of the database", lambda: not alive(pid))
    wait_until("readiness", lambda: ready(service), 30)
    wait_until("writes of every writer again", lambda: all(w.acknowledged > b + 3 for w, b in zip(writers, before)), 30)
    load.stop(writers)
    assert service.process.poll() is None and service.process.pid == process
    refused = [r for w in writers for r in w.refused]
    for reply in refused:
        assert int(reply.headers["Retry-After"]) > 0, reply.headers
        assert reply.json()["error"]["code"] in ("database", "unavailable", "retry", "busy"), reply.text
    print(f"{len(refused)} refusals, {sum(w.broken for w in writers)} broken connections")
    assert sum(w.broken for w in writers) == 0
    checked(owner, writers)


def test_a_long_absence_is_503_for_everything_but_liveness(service, owner):
    home = service.home / "home/postgres"
    owner.ok("PUT", P + "/models/absent", {})
    version = owner.ok("POST", P + "/models/absent/versions", {})["number"]
    pid = postmaster(service)
    (home / "data").rename(home / "away")
    try:
        os.kill(pid, signal.SIGKILL)
        wait_until("503", lambda: not ready(service))
        asked = [("GET", "/v1/projects", None), ("GET", P, None), ("PUT", P + "/models/new", {}), ("GET", "/v1/audit", None),
                 ("POST", "/v1/login", {"tenant": "acme", "user": "owner", "password": "wrong"})]
        for method, path, body in asked:
            began = time.monotonic()
            reply = owner.request(method, path, body)
            assert reply.status_code == 503, f"{method} {path}: {reply.status_code} {reply.text}"
            assert int(reply.headers["Retry-After"]) > 0
            assert reply.json()["error"]["code"] in ("database", "unavailable"), reply.text
            assert time.monotonic() - began < 10, f"{method} {path} took {time.monotonic() - began:.1f} s"
        reply = owner.put(f"{P}/models/absent/versions/{version}/files/a.bin", data=b"x" * 100000, headers=BYTES)
        assert reply.status_code == 503, reply.text
        assert owner.get("/healthz").status_code == 200
        assert owner.get("/metrics").status_code == 200
        assert not [f for f in service.files() if f.startswith("spool")]
    finally:
        (home / "away").rename(home / "data")
    wait_until("readiness", lambda: ready(service), 30)
    wait_until("a write", lambda: owner.put(P + "/models/new", {}).status_code < 300, 20)
    assert owner.ok("GET", f"{P}/models/absent/versions/{version}/files")["value"] == []


def test_backends_that_are_terminated_cost_no_reply(service, owner):
    """An administrator ends all our sessions, again and again: requests wait or are told, none is left hanging."""
    writers = load.start(service, owner.token, "store", 4, "b")
    reading = threading.Event()
    statuses = []

    def read():
        client = service.client(owner.token)
        while not reading.is_set():
            statuses.append(client.get(P).status_code)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        time.sleep(0.2)
        service.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chancery_app'")
    time.sleep(0.5)
    reading.set()
    reader.join()
    load.stop(writers)
    assert set(statuses) <= {200, 503} and 200 in statuses, {s: statuses.count(s) for s in set(statuses)}
    wait_until("readiness", lambda: ready(service), 10)
    assert sum(w.broken for w in writers) == 0
    checked(owner, writers)
