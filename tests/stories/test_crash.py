# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the service at random moments under load: what was acknowledged is there, and the log proves it."""
import json
import os
import random
import signal
import subprocess
import time

import load
from service import BUILD, SANITIZED, settled

ROUNDS = 4 if SANITIZED else 20
WRITERS = 5


def chancery(service, client, *arguments):
    return subprocess.run([BUILD / "chancery", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CHANCERY_CONFIG": "/nonexistent/config",
                               "CHANCERY_URL": service.url, "CHANCERY_CA": service.ca, "CHANCERY_TOKEN": client.token})


def whole(admin, limit=60):
    """The service's own check of its log, once it has recovered."""
    end = time.monotonic() + limit
    while (reply := admin.get("/v1/audit/check")).status_code == 503 and time.monotonic() < end:
        time.sleep(0.1)
    report = reply.json()
    assert reply.status_code == 200 and report["faults"] == 0 and report["complete"], reply.text
    return report


def sequenced(admin, limit=60):
    """Wait until nothing waits for its place in the tree."""
    end = time.monotonic() + limit
    while admin.ok("GET", "/v1/audit?limit=1")["value"][0]["index"] is None:
        assert time.monotonic() < end, "the newest entry has no place in the tree"
        time.sleep(0.1)


def die(service, database_too):
    """Half of the deaths take the database along, with whatever it had not written."""
    if database_too:
        note = service.home / "home/postgres/data/postmaster.pid"
        os.kill(int(note.read_text().split()[0]), signal.SIGKILL)
    service.kill()


def under_way(writers, limit=30):
    """Wait until some changes are acknowledged, so that a slow machine has something to lose as well."""
    end = time.monotonic() + limit
    while sum(w.acknowledged for w in writers) < 20 and time.monotonic() < end:
        time.sleep(0.01)


def test_kill_9_at_random_moments_loses_nothing(service, tmp_path):
    chance = random.Random(os.environ.get("CHANCERY_SEED", time.time_ns()))
    owner = settled(service)
    admin, everyone = owner.admin, []
    for round_ in range(ROUNDS):
        writers = load.start(service, owner.token, "store", WRITERS, round_)
        everyone += writers
        under_way(writers)
        time.sleep(chance.uniform(0.0, 1.0))
        die(service, round_ % 2)
        load.stop(writers)
        service.start()
        load.verify(service.client(owner.token), "store", writers)
        whole(service.client(admin.token))
    owner, admin = service.client(owner.token), service.client(admin.token)
    load.verify(owner, "store", everyone, thorough=False)
    sequenced(admin)
    entries = load.audited(admin, everyone)
    acknowledged = sum(w.acknowledged for w in everyone)
    print(f"{ROUNDS} deaths, {acknowledged} acknowledged changes, {sum(w.broken for w in everyone)} cut off,"
          f" {entries} audit entries")
    assert acknowledged >= ROUNDS * 20 and sum(w.broken for w in everyone) >= ROUNDS
    prove(service, admin, tmp_path, acknowledged)


def prove(service, admin, folder, least):
    """The whole log, offline, from an export and the key."""
    (folder / "vkey").write_bytes(admin.get("/v1/audit/log/vkey").content)
    done = chancery(service, admin, "audit", "export", folder / "log")
    assert done.returncode == 0, done.stderr
    done = chancery(service, admin, "--json", "audit", "verify", folder / "log", "--vkey", folder / "vkey", "--payloads")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["entries"] >= least
