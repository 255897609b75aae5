# SPDX-License-Identifier: Apache-2.0
"""Writers that make assets, versions, files and tags, and remember every change they were told is done."""
import hashlib
import random
import secrets
import threading
import time

import requests
from service import Client

BYTES = {"Content-Type": "application/octet-stream"}


class Writer(threading.Thread):
    """Talks to the service until stopped, through deaths and restarts of what it talks to."""

    def __init__(self, service, token, project, name):
        super().__init__(daemon=True)
        self.service, self.token, self.base, self.name_ = service, token, f"/v1/projects/{project}", name
        self.client = Client(service, token)
        self.chance = random.Random(name)
        self.stopped = threading.Event()
        self.assets = {}    # name -> {"versions": acknowledged, "asked": asked for, "tag": …, "tag_asked": …}
        self.files = {}     # (name, number, path) -> sha256
        self.ready = set()  # (name, number)
        self.requests = {}  # request id -> what it was
        self.audit = {}     # audit entry id -> what it was
        self.refused, self.broken, self.wrong = [], 0, []

    def say(self, method, path, **kwargs):
        """The reply of an acknowledged change, or None."""
        try:
            reply = self.client.request(method, self.base + path, **kwargs)
        except (requests.RequestException, ConnectionError):
            self.broken += 1
            self.client = Client(self.service, self.token)
            time.sleep(0.02)
            return None
        if reply.status_code == 503:
            self.refused.append(reply)
            time.sleep(0.02)
            return None
        if reply.status_code >= 300:
            return reply
        self.requests[reply.headers["X-Request-Id"]] = f"{method} {path}"
        entry = dict(p.split("=", 1) for p in reply.headers["Chancery-Audit"].split("; "))
        self.audit[entry["id"]] = f"{method} {path}"
        return reply

    def expect(self, reply, status, what):
        if reply is not None and reply.status_code != status:
            self.wrong.append(f"{what}: {reply.status_code} {reply.text[:200]}")
        return reply is not None and reply.status_code == status

    def make_asset(self):
        name = f"{self.name_}-{len(self.assets)}"
        self.assets[name] = {"acknowledged": False, "versions": 0, "asked": 0, "tag": 0, "tag_asked": 0}
        if self.expect(self.say("PUT", "/models/" + name, body={}), 201, "asset " + name):
            self.assets[name]["acknowledged"] = True

    def known(self):
        return [n for n, a in self.assets.items() if a["acknowledged"]]

    def make_version(self):
        name = self.chance.choice(self.known())
        self.assets[name]["asked"] += 1
        reply = self.say("POST", f"/models/{name}/versions", body={})
        if self.expect(reply, 201, "version of " + name):
            self.assets[name]["versions"] = max(self.assets[name]["versions"], reply.json()["number"])
            self.put_file(name, reply.json()["number"])

    def put_file(self, name, number):
        data = secrets.token_bytes(self.chance.randrange(1, 20000))
        place = f"/models/{name}/versions/{number}"
        reply = self.say("PUT", place + "/files/a.bin", data=data, headers=BYTES)
        if not self.expect(reply, 201, place):
            return
        self.files[name, number, "a.bin"] = hashlib.sha256(data).hexdigest()
        if self.chance.random() < 0.5 and self.expect(self.say("POST", place + "/finalize", body={}), 200, place):
            self.ready.add((name, number))

    def set_tag(self):
        asset = self.assets[name := self.chance.choice(self.known())]
        asset["tag_asked"] += 1
        reply = self.say("PUT", f"/models/{name}/tags/n", body={"value": str(asset["tag_asked"])})
        if self.expect(reply, 204, "tag of " + name):
            asset["tag"] = asset["tag_asked"]

    def run(self):
        while not self.stopped.is_set():
            if not self.known() or self.chance.random() < 0.2:
                self.make_asset()
            else:
                self.chance.choice([self.make_version, self.set_tag])()

    @property
    def acknowledged(self):
        return len(self.requests)


def pages(client, path):
    """Everything in a list."""
    found, path = [], path + ("&" if "?" in path else "?") + "limit=1000"
    while path:
        page = client.ok("GET", path)
        found += page["value"]
        path = page.get("nextLink")
    return found


def start(service, token, project, count, generation=0):
    writers = [Writer(service, token, project, f"w{generation}-{i}") for i in range(count)]
    [w.start() for w in writers]
    return writers


def stop(writers):
    [w.stopped.set() for w in writers]
    [w.join(60) for w in writers]


def verify(client, project, writers, thorough=True):
    """Everything that was acknowledged is there, and nothing that is half made."""
    base = f"/v1/projects/{project}"
    there = {a["name"]: a for a in pages(client, base + "/models")}
    for writer in writers:
        assert not writer.wrong, writer.wrong[:3]
        for name, said in writer.assets.items():
            if not said["acknowledged"] and name not in there:
                continue
            assert name in there, f"{name} was acknowledged and is lost"
            check_asset(there[name], said)
            if thorough:
                check_versions(client, base, there[name], writer)


def check_asset(asset, said):
    name, tag = asset["name"], int(asset["tags"].get("n", 0))
    assert said["tag"] <= tag <= said["tag_asked"], f"{name}: tag {tag}, acknowledged {said['tag']}"
    assert said["versions"] <= asset["versions"] <= said["asked"], f"{name}: {asset['versions']} versions, {said}"


def check_versions(client, base, asset, writer):
    name = asset["name"]
    versions = {v["number"]: v for v in pages(client, f"{base}/models/{name}/versions")}
    assert sorted(versions) == list(range(1, asset["versions"] + 1)), f"{name}: {sorted(versions)}"
    for number, version in versions.items():
        place = f"{base}/models/{name}/versions/{number}"
        files = {f["path"]: f for f in client.ok("GET", place + "/files")["value"]}
        wanted = writer.files.get((name, number, "a.bin"))
        assert wanted is None or files["a.bin"]["sha256"] == wanted, f"{place}: an acknowledged file is lost"
        assert version["state"] == "ready" or (name, number) not in writer.ready, f"{place} is not ready any more"
        if version["state"] == "ready":
            assert version["digest"] and version["manifest"]["files"], f"{place} is ready and has no manifest"
        for path, file in files.items():
            content = client.get(f"{place}/files/{path}").content
            assert hashlib.sha256(content).hexdigest() == file["sha256"], f"{place}/files/{path} has other bytes"


def audited(client, writers):
    """Every acknowledged change has its one entry in the log, as the receipt in its reply said."""
    entries = pages(client, "/v1/audit")
    ids, requests_ = {e["id"] for e in entries}, [e["request"] for e in entries]
    for writer in writers:
        lost = [what for entry, what in writer.audit.items() if entry not in ids]
        assert not lost, f"no audit entry for {lost[:3]}"
        assert set(writer.requests) <= set(requests_)
    return len(entries)
