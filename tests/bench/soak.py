#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Mixed load on one service for minutes, through restarts of its database, and what must hold afterwards.

usage: soak.py BUILD [MINUTES]
Everything is paced, so that it shares a machine. It fails when a reply is a 5xx other than 503, when a 503 comes
outside a restart, when bytes or acknowledged changes are lost, when the audit log does not verify, or when memory,
descriptors or threads grow.
"""
import collections
import json
import os
import pathlib
import random
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import requests

import sides

P = "/v1/projects/credit"
INFER = "/serve/credit/risk/v2/models/risk/infer"
RECOVERY_S = 10       # after a restart's end, how long 503 is forgiven
GROWTH = 32 << 20     # bytes of memory that may be added between the first and the last fifth
BYTES = {"Content-Type": "application/octet-stream"}


class Soak:
    """What the parts share: the clock, the counts, and when the database was away."""

    def __init__(self, stories, seconds):
        self.stories, self.seconds = stories, seconds
        self.service = stories.Service(None, "--token-minutes", "60").start()
        self.world = stories.World(self.service)
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.done, self.wrong = collections.Counter(), []
        self.away = []                # [begin, end] of each restart
        self.receipts = {}            # audit entry -> what it was for
        self.memory = []

    def fault(self, what):
        with self.lock:
            self.wrong.append(what)

    def forgiven(self, began):
        """Whether a request that began then may have met a restart."""
        with self.lock:
            return any(began < end + RECOVERY_S and time.monotonic() > begin for begin, end in self.away)

    def ask(self, client, name, method, path, statuses=(200,), **kwargs):
        """The reply when it is one of those wanted, else None; what may not be is written down."""
        began = time.monotonic()
        try:
            reply = client.request(method, path, **kwargs)
        except requests.RequestException as e:
            self.fault(f"{name}: {method} {path}: {e}")
            return None
        if reply.status_code in statuses:
            self.done[name] += 1
            entry = reply.headers.get("Chancery-Audit")
            if entry:
                with self.lock:
                    self.receipts[entry.split(";")[0].removeprefix("id=")] = f"{method} {path}"
            return reply
        if reply.status_code == 503 and self.forgiven(began):
            self.done["503 at a restart"] += 1
        else:
            self.fault(f"{name}: {method} {path}: {reply.status_code} {reply.text[:200]}")
        return None

    def every(self, seconds):
        """Ticks until the end; a part that is late does not make up for it."""
        while not self.over.wait(seconds):
            yield

    def client(self, role):
        return self.service.client(self.world[role].token)


def reads(soak):
    client, auditor = soak.client("reader"), soak.client("auditor")
    for _ in soak.every(0.02):
        path = random.choice([f"{P}/models/risk", f"{P}/models", f"{P}/models/risk/versions/1", f"{P}/jobs?limit=5", "/v1/me"])
        soak.ask(client, "read", "GET", path)
        if random.random() < 0.05:
            soak.ask(auditor, "audit page", "GET", "/v1/audit?limit=20")
            soak.ask(auditor, "lineage", "GET", "/v1/lineage?node=projects/credit/models/risk/versions/1&direction=upstream")


def writes(soak):
    client = soak.client("data-scientist")
    while not soak.ask(client, "write", "PUT", f"{P}/models/soaked", statuses=(200, 201), body={}):
        time.sleep(1)
    for i, _ in enumerate(soak.every(0.05)):
        soak.ask(client, "write", "PUT", f"{P}/models/soaked/tags/k{i % 20}", statuses=(204,), body={"value": str(i)})


def uploads(soak):
    client = soak.client("data-scientist")
    for _ in soak.every(1):
        data = os.urandom(random.choice([10, 1 << 16, 1 << 20, 8 << 20]))
        version = soak.ask(client, "version", "POST", f"{P}/models/soaked/versions", statuses=(201,), body={})
        if version is None:
            continue
        place = f"{P}/models/soaked/versions/{version.json()['number']}/files/blob"
        if soak.ask(client, "upload", "PUT", place, statuses=(201,), data=data, headers=BYTES) is None:
            continue
        found = soak.ask(client, "download", "GET", place)
        if found is not None and found.content != data:
            soak.fault(f"{place} has other bytes than were sent")
        soak.ask(client, "delete", "DELETE", place, statuses=(204,))


def jobs(soak):
    client, approver = soak.client("data-scientist"), soak.client("approver")
    for i, _ in enumerate(soak.every(5)):
        job = soak.ask(client, "job", "POST", f"{P}/jobs", statuses=(201, 202), body={
            "kind": "train", "input": "datasets/cancer/versions/1", "output": "models/again", "trainer": "logistic",
            "target": "diagnosis", "seed": i, "test_fraction": 0.25})
        while job is not None and not soak.over.is_set():
            path = f"{P}/approvals/{job.json()['approval']}/decision"
            if soak.ask(approver, "approval", "POST", path, statuses=(200, 409), body={"verdict": "approve", "reason": "soak"}):
                break
            time.sleep(1)
        state = "waiting"
        while job is not None and state not in ("succeeded", "failed", "cancelled") and not soak.over.wait(0.3):
            now = soak.ask(client, "job state", "GET", f"{P}/jobs/{job.json()['id']}")
            state = state if now is None else now.json()["state"]
        if state == "failed":
            soak.fault(f"job {job.json()['id']} failed: {now.json().get('message')}")
        if state == "succeeded":
            soak.done["job done"] += 1


def predictions(soak):
    client = soak.client("endpoint-consumer")
    rows = [[float(x) for x in line.split(",")[:-1]]
            for line in (soak.stories.DATA / "breast_cancer.csv").read_text().splitlines()[1:]]
    answers = {}
    for _ in soak.every(0.05):
        i = random.randrange(len(rows))
        reply = soak.ask(client, "prediction", "POST", INFER, body={
            "inputs": [{"name": "features", "shape": [1, len(rows[i])], "datatype": "FP64", "data": rows[i]}]})
        if reply is not None and answers.setdefault(i, reply.json()["outputs"]) != reply.json()["outputs"]:
            soak.fault(f"row {i} is answered differently than before")


def connection(soak):
    context = ssl.create_default_context(cafile=soak.service.ca)
    address = urllib.parse.urlparse(soak.service.url)
    return context.wrap_socket(socket.create_connection((address.hostname, address.port), 5), server_hostname=address.hostname)


def slow_clients(soak):
    """Clients that dawdle, vanish or never read. What they get matters to nobody."""
    token = soak.world["data-scientist"].token
    head = f"HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    openings = ["GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", f"GET {P}/models {head}\r\n",
                f"PUT {P}/models/slow {head}Content-Length: 100\r\nContent-Type: application/json\r\n\r\n{{",
                f"PUT {P}/models/soaked/versions/1/files/slow {head}Content-Length: 1000000\r\n"
                "Content-Type: application/octet-stream\r\n\r\nbytes"]
    held = []
    for _ in soak.every(0.5):
        try:
            held.append(connection(soak))
            held[-1].sendall(random.choice(openings).encode())
            for one in random.sample(held, min(5, len(held))):
                one.send(b"a")
            soak.done["slow client"] += 1
        except OSError:
            pass
        while len(held) > 40 or (held and random.random() < 0.2):
            held.pop(random.randrange(len(held))).close()
    [one.close() for one in held]


def restarts(soak):
    """The database ends now hard, now gently, and comes back by itself."""
    how = [signal.SIGINT, signal.SIGKILL, signal.SIGQUIT]
    pid_file = soak.service.home / "home" / "postgres" / "data" / "postmaster.pid"
    probe = soak.service.client()
    for i, _ in enumerate(soak.every(max(20, soak.seconds / 8))):
        if soak.seconds - (time.monotonic() - soak.began) < 30:
            break
        begun = time.monotonic()
        with soak.lock:
            soak.away.append([begun, float("inf")])
        os.kill(int(pid_file.read_text().split()[0]), how[i % len(how)])
        time.sleep(1)
        while probe.get("/readyz").status_code != 200 and time.monotonic() < begun + 60:
            time.sleep(0.1)
        with soak.lock:
            soak.away[-1][1] = time.monotonic()
        soak.done["restart"] += 1


def resources(soak):
    process = pathlib.Path(f"/proc/{soak.service.process.pid}")
    return {"memory": soak.service.memory(), "descriptors": len(os.listdir(process / "fd")),
            "threads": len(os.listdir(process / "task"))}


def watch(soak):
    for _ in soak.every(2):
        soak.memory.append(resources(soak))


def check_log(soak):
    """The service's own check, every receipt, and the offline proof of the whole log."""
    admin, found, path = soak.world["auditor"], set(), "/v1/audit?limit=1000"
    end = time.monotonic() + 60
    while admin.ok("GET", "/v1/audit?limit=1")["value"][0]["index"] is None and time.monotonic() < end:
        time.sleep(0.2)
    while path:
        page = admin.ok("GET", path)
        found |= {entry["id"] for entry in page["value"]}
        path = page.get("nextLink")
    lost = set(soak.receipts) - found
    if lost:
        soak.fault(f"{len(lost)} acknowledged changes have no audit entry, such as {soak.receipts[lost.pop()]}")
    report = admin.get("/v1/audit/check").json()
    if report.get("faults") != 0 or not report.get("complete"):
        soak.fault(f"the audit log does not check: {report}")
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "CHANCERY_CONFIG": folder + "/config",
                       "CHANCERY_URL": soak.service.url, "CHANCERY_CA": soak.service.ca, "CHANCERY_TOKEN": admin.token}
        pathlib.Path(folder, "vkey").write_bytes(admin.get("/v1/audit/log/vkey").content)
        for arguments in (["audit", "export", "log"], ["--json", "audit", "verify", "log", "--vkey", "vkey", "--payloads"]):
            done = subprocess.run([soak.stories.BUILD / "chancery", *arguments], env=environment, cwd=folder,
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                soak.fault(f"chancery {' '.join(arguments)}: {done.stdout}{done.stderr}")
                return len(found)
        return json.loads(done.stdout)["entries"]


def check_growth(soak):
    """The last fifth against the second one: in the first, caches and threads come to be."""
    fifth = max(1, len(soak.memory) // 5)
    early, late = soak.memory[fifth:2 * fifth], soak.memory[-fifth:]
    grown = {}
    for what, allowed in (("memory", GROWTH), ("descriptors", 60), ("threads", 4)):
        before, after = (statistics.median(m[what] for m in part) for part in (early, late))
        grown[what] = (before, after)
        if after > before + allowed:
            soak.fault(f"{what} grew from {before:.0f} to {after:.0f}")
    return grown


def main():
    stories = sides.build(sys.argv[1])
    seconds = 60 * (float(sys.argv[2]) if len(sys.argv) > 2 else 10)
    soak = Soak(stories, seconds)
    try:
        _, job = soak.world.trained()
        soak.world.promoted(job["output"])
        soak.world["deployer"].ok("PUT", f"{P}/endpoints/risk", {})
        soak.world["deployer"].ok("POST", f"{P}/endpoints/risk/deployments", {"version": job["output"]})
        soak.began = time.monotonic()
        parts = [threading.Thread(target=part, args=(soak,), name=part.__name__)
                 for part in (reads, reads, writes, writes, uploads, jobs, predictions, slow_clients, restarts, watch)]
        [part.start() for part in parts]
        while time.monotonic() < soak.began + seconds and all(part.is_alive() or part.name == "restarts" for part in parts):
            time.sleep(1)
        for part in parts:
            if not part.is_alive() and part.name != "restarts":
                soak.fault(f"{part.name} ended early")
        soak.over.set()
        [part.join(90) for part in parts]
        entries = check_log(soak)
        grown = check_growth(soak)
        if soak.service.process.poll() is not None:
            soak.fault(f"the service ended with {soak.service.process.returncode}")
    finally:
        soak.over.set()
        soak.service.close()
    print(f"{seconds / 60:.1f} minutes: " + ", ".join(f"{count} x {what}" for what, count in sorted(soak.done.items())))
    print(f"{entries} audit entries proven offline, {len(soak.receipts)} receipts found in them; "
          + ", ".join(f"{what} {a:.0f} -> {b:.0f}" for what, (a, b) in grown.items()))
    for what, count in collections.Counter(soak.wrong).most_common(20):
        print(f"WRONG {count} x {what}")
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
