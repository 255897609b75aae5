# SPDX-License-Identifier: Apache-2.0
"""A sealed bundle goes from one installation to another that cannot ask it: all of it arrives, or none of it."""
import base64
import hashlib
import io
import json
import os
import random
import resource
import subprocess
import tarfile
import time

import pytest
from bundles import BLOCK, Key, adopted, canonical, changed, head, header, member, read, sealed, sha256, write
from service import BUILD, SANITIZED, Service, World

MODEL, DATA = "models/risk/versions/1", "datasets/cancer/versions/1"
OWNER = "project-owner"


class Sites:
    """The site where a model was trained and approved; the far one, without a way to it; a bundle between them."""

    def __init__(self, folder):
        self.folder, self.services = folder, []
        self.near, self.far = self.world(), self.world()
        self.near.trained()
        self.near.promoted(MODEL)
        self.vkey = folder / "near.vkey"
        self.vkey.write_text(self.near["auditor"].get("/v1/audit/log/vkey").text)
        self.signer = "+".join(self.vkey.read_text().split("+")[:2])
        self.file = folder / "bundle.tar"
        done = self.cli(self.near, "bundle", "export", self.file, "models/risk:1", "datasets/cancer:1")
        assert done.returncode == 0, done.stderr
        self.bytes = self.file.read_bytes()
        self.members = read(self.bytes)

    def world(self):
        started = Service()
        self.services.append(started)
        return World(started.start())

    def environment(self, world, role):
        who = world.admin if role == "admin" else world[role]
        return {**os.environ, "CHANCERY_URL": world.service.url, "CHANCERY_CA": world.service.ca, "CHANCERY_TOKEN": who.token,
                "CHANCERY_PROJECT": "credit", "CHANCERY_CONFIG": str(self.folder / "none")}

    def cli(self, world, *words, role=OWNER):
        return subprocess.run([BUILD / "chancery", *map(str, words)], env=self.environment(world, role), capture_output=True,
                              text=True, errors="replace")

    def verify(self, data, vkey=None):
        """Offline: the client has no service to ask."""
        env = {"PATH": os.environ["PATH"], "CHANCERY_CONFIG": str(self.folder / "none")}
        return subprocess.run([BUILD / "chancery", "bundle", "verify", "-", "--vkey", vkey or self.vkey], env=env, input=data,
                              capture_output=True)

    def send(self, data, role=OWNER):
        """A head as any client might send it."""
        return self.far[role].request("POST", "/v1/projects/credit/bundles/import", data=data,
                                      headers={"Content-Type": "application/octet-stream"})


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    made = Sites(tmp_path_factory.mktemp("bundle"))
    try:
        yield made
    finally:
        for started in made.services:
            started.close()


def test_the_file_is_a_plain_archive_whose_seal_anyone_can_check(sites):
    with tarfile.open(sites.file) as tar:
        names = tar.getnames()
        assert all(m.isreg() for m in tar.getmembers())
        listing = json.loads(tar.extractfile("listing.json").read())
    assert names == [n for n, _ in sites.members] and names[:5] == [
        "listing.json", "seal.note", "checkpoint", "lineage.json", "versions.json"]
    assert [(m["name"], m["sha256"], m["size"]) for m in listing["members"]] == [
        (n, sha256(d), len(d)) for n, d in sites.members[2:]]
    body = dict(sites.members)
    assert canonical(listing) == body["listing.json"] and canonical(json.loads(body["versions.json"])) == body["versions.json"]
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    name, _, key = sites.vkey.read_text().strip().split("+", 2)
    text, signature = body["seal.note"].decode().split("\n\n")
    assert text + "\n" == f"{name}\nbundle\n{base64.b64encode(hashlib.sha256(body['listing.json']).digest()).decode()}\n"
    Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(
        base64.b64decode(signature.split(" ")[2])[4:], (text + "\n").encode())
    versions = json.loads(body["versions.json"])["versions"]
    assert [a["action"] for a in versions[0]["approvals"]] == ["train", "promote"]
    assert all(a["evidence"] and a["decisions"][0]["by"] == "the-approver" for a in versions[0]["approvals"])
    assert sum(n.startswith("documents/") for n in body) == 2


def test_it_verifies_offline_by_its_origins_key_only(sites):
    done = sites.verify(sites.bytes)
    assert done.returncode == 0, done.stderr
    assert b"3 of 3 edges of the history are proven" in done.stdout
    other = sites.folder / "other.vkey"
    other.write_text(sites.far["auditor"].get("/v1/audit/log/vkey").text)
    done = sites.verify(sites.bytes, other)
    assert done.returncode == 4 and b"none of the keys that are trusted" in done.stderr


def test_who_may_not_read_the_files_takes_nothing_out(sites):
    body = {"versions": [MODEL]}
    for role, status in (("auditor", 403), ("approver", 403), ("endpoint-consumer", 404), (OWNER, 200)):
        assert sites.near[role].post("/v1/projects/credit/bundles", body).status_code == status, role
    for wrong in ({"versions": []}, {"versions": ["models/none/versions/1"]}, {"versions": [MODEL, MODEL]}, {"versions": ["x"]}, {}):
        assert sites.near[OWNER].post("/v1/projects/credit/bundles", wrong).status_code == 400, wrong
    entries = sites.near["auditor"].ok("GET", "/v1/audit?action=post_bundle&limit=100")["value"]
    assert sum(e["outcome"] == "ok" for e in entries) == 2 and sum(e["outcome"] == "denied" for e in entries) == 2


def test_a_bundle_of_nobody_known_is_refused_by_name(sites):
    with sites.far.service.unchanged():
        done = sites.cli(sites.far, "bundle", "import", sites.file)
        assert done.returncode == 1
        assert sites.signer in done.stderr and "none of the keys that are trusted" in done.stderr
    assert sites.cli(sites.far, "bundle", "trust", "near", sites.vkey).returncode == 1  # not for project owners
    assert sites.cli(sites.far, "bundle", "trust", "near", sites.vkey, role="admin").returncode == 0
    assert sites.far.admin.put("/v1/bundle-origins/again", {"vkey": sites.vkey.read_text().strip()}).status_code == 409
    assert sites.far.admin.put("/v1/bundle-origins/odd", {"vkey": "x+00000000+AA=="}).status_code == 400


# Every forgery is refused offline, and by the service on its own when a client sends it all the same.
def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def at_of(sites, name, offset=0):
    """Where a member's bytes are in the archive."""
    at = 0
    for n, d in sites.members:
        if n == name:
            return at + BLOCK + offset
        at += BLOCK + len(d) + -len(d) % BLOCK
    raise AssertionError(name)


def forgeries(sites):
    m, data = sites.members, sites.bytes
    files = [n for n, _ in m if n.startswith("files/")]
    manifests = [n for n, _ in m if n.startswith("manifests/")]
    for name, _ in m:
        yield f"a bit of {name}", flip(data, at_of(sites, name))
        yield f"a bit of the header of {name}", flip(data, at_of(sites, name) - BLOCK + 330)
        yield f"{name} left out", write([x for x in m if x[0] != name])
        yield f"{name} twice", write([x for y in m for x in ([y, y] if y[0] == name else [y])])
        yield f"{name} renamed", write([("files/" + "0" * 64 if n == name else n, d) for n, d in m])
    yield "two members swapped", write([*m[:2], m[3], m[2], *m[4:]])
    yield "files swapped", write([*m[:-2], m[-1], m[-2]])
    yield "bytes of files swapped", write([*m[:-2], (m[-2][0], m[-1][1]), (m[-1][0], m[-2][1])])
    swap = {manifests[0]: dict(m)[manifests[1]], manifests[1]: dict(m)[manifests[0]]}
    yield "manifests swapped", write([(n, swap.get(n, d)) for n, d in m])
    yield "a member more", write([*m, ("files/" + "f" * 64, b"more")])
    yield "a way out", write([*m, ("files/../../../etc/passwd", b"root::0:0")])
    for kind in b"123456789xgLKSD\0":
        name, body = m[-1]
        yield f"member of type {chr(kind)!r}", write(m[:-1], b"") + member(name, body, kind=bytes([kind])) + bytes(2 * BLOCK)
    yield "a link", write(m[:2], b"") + header(m[2][0], 0, b"2", b"/etc/passwd") + write(m[3:])
    yield "a size that lies", write(m[:2], b"") + header(m[2][0], 0o77777777777) + write(m[3:])
    yield "bytes behind the end", data + b"x"
    yield "another archive behind the end", data + data
    yield "an end too short", data[:-BLOCK]
    yield "no end", data[:-2 * BLOCK]
    for part in (0, 1, 511, 512, 5000, len(data) // 2, len(data) - 1025, len(data) - 1):
        yield f"cut at {part}", data[:part]
    yield "something in the padding", flip(data, at_of(sites, "listing.json", len(m[0][1])))
    forger = Key(sites.vkey.read_text().split("+")[0])
    yield "sealed by another", write(sealed(forger, m))
    second = forger.note(m[1][1].decode().split("\n\n")[0] + "\n").split(b"\n\n")[1]
    yield "a second signature", write([m[0], (m[1][0], m[1][1] + second), *m[2:]])
    old = dict(m)["listing.json"]
    yield "a listing of another time", write([(m[0][0], old.replace(b'"created":"20', b'"created":"21')), *m[1:]])
    yield "a checkpoint of a smaller log", write([(n, d.replace(b"\n", b"\n1", 1) if n == "checkpoint" else d) for n, d in m])
    assert files


def test_every_forgery_is_refused(sites):
    count = 0
    with sites.far.service.unchanged():
        for what, forged in forgeries(sites):
            done = sites.verify(forged)
            assert done.returncode == 4 and b"unverified: " in done.stderr, f"{what}: {done.returncode} {done.stderr}"
            count += 1
            place = sites.folder / "forged.tar"
            place.write_bytes(forged)
            if count % 4 == 0:
                assert sites.cli(sites.far, "bundle", "import", place).returncode == 4, what
            small = forged[:at_of(sites, sites.members[-2][0]) - BLOCK]
            if small != head(sites.bytes):
                reply = sites.send(small)
                assert reply.status_code in (400, 422), f"{what}: {reply.status_code} {reply.text[:200]}"
    assert count > 80


def test_every_flipped_bit_is_found(sites):
    """At random places of the whole bundle; and in the head, by the service alone."""
    dice, whole, small = random.Random(20261121), sites.bytes, head(sites.bytes)
    with sites.far.service.unchanged():
        for _ in range(200):
            at, bit = dice.randrange(len(whole)), 1 << dice.randrange(8)
            done = sites.verify(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1:])
            assert done.returncode == 4, f"byte {at}, bit {bit}: {done.stdout}"
        for _ in range(100):
            at, bit = dice.randrange(len(small)), 1 << dice.randrange(8)
            reply = sites.send(small[:at] + bytes([small[at] ^ bit]) + small[at + 1:])
            assert reply.status_code == 422, f"byte {at}, bit {bit}: {reply.status_code} {reply.text}"


@pytest.fixture(scope="module")
def strange(sites):
    """An origin that is trusted and lies: whatever it makes bears a right seal."""
    key = Key("liar.example/audit/1")
    sites.far.admin.ok("PUT", "/v1/bundle-origins/liar", {"vkey": key.vkey})
    return key


def edit(value, change):
    change(value)
    return value


def lies(sites, key):
    """Sealed as it must be, and not true in itself."""
    good = adopted(key, sites.members)
    listing, versions = json.loads(dict(good)["listing.json"]), json.loads(dict(good)["versions.json"])["versions"]
    manifests = ["manifests/" + v["digest"] for v in versions]
    body = dict(good)

    def lie(name, change):
        return sealed(key, changed(good, name, lambda v: edit(v, change)))

    yield "lineage.json is missing", sealed(key, [(n, d) for n, d in good if n != "lineage.json"])
    yield "belongs to no version", sealed(key, [*good, ("files/" + sha256(b"x"), b"x")])
    yield "named by what it is not", sealed(key, [(n, body[manifests[1]] if n == manifests[0] else d) for n, d in good])
    yield "listing's member", sealed(key, [*good, ("../../etc/passwd", b"x")])
    yield "listing's member", sealed(key, [good[0], good[1], *reversed(good[2:])], order=False)
    yield "is not as it must be", sealed(key, good, members=[{"name": "checkpoint", "size": 1 << 60, "sha256": "0" * 64}])
    yield "not of a bundle of version", sealed(key, good, v=2)
    yield "versions are not those of the listing", sealed(key, good, versions=listing["versions"][:1])
    yield "stands where", sealed(key, good, versions=listing["versions"][::-1])
    yield "stands where", sealed(key, good, project="other")
    yield "knows", lie("versions.json", lambda v: v["versions"][0].update(digest=versions[1]["digest"]))
    yield "stands where", lie("versions.json", lambda v: v["versions"][0].update(name="../x"))
    yield "is not what it was decided on", lie(
        "versions.json", lambda v: v["versions"][0]["approvals"][1]["evidence"].update(metrics={"accuracy": 1}))
    yield "decided on other evidence", lie(
        "versions.json", lambda v: v["versions"][0]["approvals"][1]["decisions"][0].update(evidence_digest="0" * 64))
    yield "no entry of the log proves approval", lie(
        "versions.json", lambda v: v["versions"][0]["approvals"][1].update(id="01a1fe9d-21f1-7602-80a2-8f0b6c2a7d46"))
    yield "not proven to be in the log", lie("lineage.json", lambda v: v["entries"][0].update(leaf=v["entries"][0]["leaf"].replace(
        '"outcome":"ok"', '"outcome":"no"')))
    yield "not proven to be in the log", lie("lineage.json", lambda v: v["entries"][0].update(proof=v["entries"][1]["proof"]))
    foreign = json.loads(dict(sites.members)["lineage.json"])["entries"][0]["proof"]
    yield "not proven to be in the log", lie("lineage.json", lambda v: v["entries"][0].update(proof=foreign))
    later = adopted(key, read(sites.later))  # under a later checkpoint of the same log
    assert dict(later)["checkpoint"] != body["checkpoint"]
    later = json.loads(dict(later)["lineage.json"])["entries"][0]
    yield "not proven to be in the log", lie("lineage.json", lambda v: v["entries"].append(later))
    yield "the checkpoint is not one", sealed(key, [(n, dict(sites.members)[n] if n == "checkpoint" else d) for n, d in good])
    upload = next(v["node"] for v in versions if v["kind"] == "dataset")
    yield f"no entry of the log proves {upload}", lie("lineage.json", lambda v: v.update(entries=[
        e for e in v["entries"] if json.loads(e["leaf"])["object"] != DATA]))
    yield "is not in the file", lie("lineage.json", lambda v: v["nodes"].pop())
    yield "of the lineage is not one", lie("lineage.json", lambda v: v["nodes"][0].update(kind="'; DROP"))
    yield "of the lineage is not one", lie("lineage.json", lambda v: v["edges"][0].update(at="yesterday"))
    yield "not in canonical form", sealed(key, [(n, d + b" " if n == "versions.json" else d) for n, d in good])
    for path in ("../../x", "/etc/passwd", "a//b", "a\\b"):
        yield "a path that is none", with_manifest(key, good, versions[0], lambda f, p=path: f[0].update(path=p))
    yield "is not among the members", with_manifest(key, good, versions[0], lambda f: f[0].update(sha256="0" * 64))
    yield "is not among the members", with_manifest(key, good, versions[0], lambda f: f[0].update(size=1))
    yield "are not in order", with_manifest(key, good, versions[0], lambda f: f.append(dict(f[0])))


def with_manifest(key, good, version, change):
    """The version with other files in its manifest, everything else made to fit."""
    old = version["digest"]
    body = {n: d for n, d in good if not n.startswith("documents/")}
    manifest = json.loads(body.pop("manifests/" + old))
    change(manifest["files"])
    new = canonical(manifest)
    fitted = [(n, d.replace(old.encode(), sha256(new).encode()) if n in ("versions.json", "lineage.json") else d)
              for n, d in body.items()]
    evidence = json.loads(dict(fitted)["versions.json"])
    for v in evidence["versions"]:
        v["approvals"] = []
    return sealed(key, [*((n, canonical(evidence) if n == "versions.json" else d) for n, d in fitted), ("manifests/" + sha256(new), new)])


def test_a_right_seal_does_not_make_a_lie_true(sites, strange):
    vkey = sites.folder / "strange.vkey"
    vkey.write_text(strange.vkey + "\n")
    later = sites.folder / "later.tar"
    assert sites.cli(sites.near, "bundle", "export", later, "models/risk:1").returncode == 0
    sites.later = later.read_bytes()
    honest = write(sealed(strange, adopted(strange, sites.members)))
    done = sites.verify(honest, vkey)
    assert done.returncode == 0, done.stderr
    wrong = []
    with sites.far.service.unchanged():
        for why, lie in lies(sites, strange):
            done, reply = sites.verify(write(lie), vkey), sites.send(head(write(lie)))
            if done.returncode != 4 or why.encode() not in done.stderr:
                wrong.append(f"{why}: {done.returncode} {done.stderr}")
            if reply.status_code != 422 or why not in reply.text:
                wrong.append(f"{why}: {reply.status_code} {reply.text}")
    assert not wrong, "\n".join(wrong)


def test_an_interrupted_import_goes_on(sites):
    """The head and one file arrive, then the service dies."""
    answer = sites.send(head(sites.bytes)).json()
    assert answer["state"] == "waiting" and [len(v["missing"]) for v in answer["versions"]] == [1, 1]
    first = answer["versions"][0]
    [file] = first["missing"]
    data = dict(sites.members)["files/" + file["sha256"]]
    octets = {"Content-Type": "application/octet-stream"}
    place = f"/v1/projects/credit/{first['version']}/files/{file['path']}"
    sites.far[OWNER].ok("PUT", place, data=data, headers=octets)
    assert [len(v["missing"]) for v in sites.send(head(sites.bytes)).json()["versions"]] == [0, 1]
    sites.far.service.kill()
    sites.far.service.start()
    sites.far.sign_in()
    done = sites.cli(sites.far, "bundle", "import", sites.file, "--vkey", sites.vkey)
    assert done.returncode == 0, done.stderr
    assert [v["number"] for v in sites.far[OWNER].ok("GET", "/v1/projects/credit/models/risk/versions")["value"]] == [1]


def test_what_arrived_is_what_was_sent(sites):
    for path in (MODEL, DATA):
        here, there = (w[OWNER].ok("GET", f"/v1/projects/credit/{path}") for w in (sites.far, sites.near))
        assert (here["digest"], here["manifest"], here["size"]) == (there["digest"], there["manifest"], there["size"])
        for file in here["manifest"]["files"]:
            got = [w[OWNER].get(f"/v1/projects/credit/{path}/files/{file['path']}").content for w in (sites.far, sites.near)]
            assert got[0] == got[1] and sha256(got[0]) == file["sha256"]
        assert here["created_by"] == "the-project-owner" and here["job"] is None and "origin" not in there
        origin = here["origin"]
        assert origin["key"] == sites.signer and origin["version"] == f"projects/credit/{path}"
        assert origin["created_by"] == "the-data-scientist" and origin["bundle"] == sha256(sites.members[0][1])


def test_what_came_can_be_written_and_checked_anew(sites):
    """Seal, approvals and proofs are kept where they came to, so the bundle can be put together again, byte for byte."""
    bundle = sites.far[OWNER].ok("GET", f"/v1/projects/credit/{MODEL}")["origin"]["bundle"]
    again = sites.folder / "again.tar"
    done = sites.cli(sites.far, "bundle", "fetch", bundle, again, "--vkey", sites.vkey)
    assert done.returncode == 0, done.stderr
    assert again.read_bytes() == sites.bytes
    path = f"/v1/projects/credit/bundles/{bundle}"
    assert sites.far["auditor"].get(path).content == head(sites.bytes)
    assert sites.far["endpoint-consumer"].get(path).status_code == 404
    sites.far.admin.ok("POST", "/v1/denies", {"principals": ["the-reader"], "actions": ["assets/read"], "reason": "a wall",
                                              "scope": "asset", "project": "credit", "asset": "models/risk"})
    assert sites.far["reader"].get(path).status_code == 404
    for lift in sites.far.admin.ok("GET", "/v1/denies")["value"]:
        sites.far.admin.ok("DELETE", f"/v1/denies/{lift['id']}")
    assert sites.far["reader"].get(path).status_code == 200


def test_what_is_there_already_stays_as_it_is(sites):
    with sites.far.service.unchanged():
        done = sites.cli(sites.far, "bundle", "import", sites.file, "--vkey", sites.vkey)
        assert done.returncode == 0, done.stderr
        assert all(v["state"] == "ready" for v in sites.send(head(sites.bytes)).json()["versions"])


def test_foreign_approvals_approve_nothing_here(sites):
    far = sites.far
    origin = far[OWNER].ok("GET", f"/v1/projects/credit/{MODEL}")["origin"]
    assert [(a["action"], a["state"], a["decisions"][0]["by"]) for a in origin["approvals"]] == [
        ("train", "approved", "the-approver"), ("promote", "approved", "the-approver")]
    reply = far[OWNER].put("/v1/projects/credit/models/risk/aliases/production", {"version": 1})
    assert reply.status_code == 403 and reply.json()["error"]["code"] == "unapproved"
    far["deployer"].ok("PUT", "/v1/projects/credit/endpoints/live", {})
    assert far["deployer"].post("/v1/projects/credit/endpoints/live/deployments", {"version": MODEL}).status_code == 403
    asked = far["data-scientist"].ok("POST", "/v1/projects/credit/approvals", {"action": "promote", "subject": MODEL, "alias": "production"})
    assert asked["evidence"]["version"]["origin"] == origin
    assert any(n["kind"] == "imported-dataset-version" for n in asked["evidence"]["lineage"]["upstream"])
    # The importer is its author here.
    verdict = {"verdict": "approve", "reason": "seen at the origin too"}
    decision = f"/v1/projects/credit/approvals/{asked['id']}/decision"
    assert far[OWNER].post(decision, verdict).json()["error"]["code"] == "four-eyes"
    far["approver"].ok("POST", decision, verdict)
    assert far[OWNER].ok("GET", f"/v1/projects/credit/{MODEL}")["aliases"] == ["production"]


def test_the_history_reaches_the_origins_data(sites):
    far = sites.far
    graph = far["reader"].ok("GET", f"/v1/lineage?node=projects/credit/{MODEL}&direction=upstream")
    data = next(n["name"] for n in graph["nodes"] if n.get("kind") == "imported-dataset-version")
    assert data.endswith(f":projects/credit/{DATA}") and graph["complete"]
    imported = [e for e in graph["edges"] if e["src"].startswith("imported:")]
    assert len(imported) >= 4 and all(e["origin"] == "imported" for e in imported)
    assert {e["kind"] for e in imported} == {"import", "produce", "consume", "approve"}
    far["deployer"].ok("POST", "/v1/projects/credit/endpoints/live/deployments", {"version": MODEL})
    hit = far["auditor"].ok("GET", f"/v1/lineage/impact?node={data}")
    assert "projects/credit/endpoints/live" in json.dumps(hit)
    assert far["auditor"].ok("GET", "/v1/lineage/coverage")["complete"] is not None
    proof, vkey = sites.folder / "proof.json", sites.folder / "far.vkey"
    vkey.write_text(far["auditor"].get("/v1/audit/log/vkey").text)
    end = time.monotonic() + 20
    while (done := sites.cli(far, "lineage", "prove", MODEL, proof, role="auditor")).returncode == 3 and time.monotonic() < end:
        time.sleep(0.3)
    assert done.returncode == 0, done.stderr
    done = sites.cli(far, "audit", "verify", proof, "--vkey", vkey)
    assert done.returncode == 0, done.stderr


def test_what_was_imported_goes_on_to_others(sites):
    """Back to where it came from, into a project of its own, by the key of the site between."""
    file, vkey = sites.folder / "onward.tar", sites.folder / "far.vkey"
    done = sites.cli(sites.far, "bundle", "export", file, "models/risk:1", "--vkey", vkey)
    assert done.returncode == 0, done.stderr
    sites.near.admin.ok("PUT", "/v1/projects/returned", {})
    assert sites.cli(sites.near, "bundle", "trust", "far", vkey, role="admin").returncode == 0
    done = sites.cli(sites.near, "bundle", "import", file, "--project", "returned", role="admin")
    assert done.returncode == 0, done.stderr
    here, there = (sites.near.admin.ok("GET", f"/v1/projects/{p}/{MODEL}") for p in ("returned", "credit"))
    assert here["digest"] == there["digest"] and here["origin"]["created_by"] == "the-project-owner"
    graph = sites.near.admin.ok("GET", f"/v1/lineage?node=projects/returned/{MODEL}&direction=upstream")
    assert "imported-imported-dataset-version" in {n["kind"] for n in graph["nodes"]}


def test_an_origin_that_is_trusted_no_more_is_refused(sites):
    assert sites.cli(sites.far, "bundle", "distrust", "near", role="admin").returncode == 0
    with sites.far.service.unchanged():
        reply = sites.send(head(sites.bytes))
        assert reply.status_code == 422 and sites.signer in reply.text
    sites.far.admin.ok("PUT", "/v1/bundle-origins/near", {"vkey": sites.vkey.read_text().strip()})


def test_large_files_pass_through_little_memory(sites):
    """150 MB each way; prompts, which have no files at all, beside them."""
    near, size = sites.near[OWNER], 150 << 20
    base = "/v1/projects/credit/models/large"
    near.ok("PUT", base, {})
    near.ok("POST", base + "/versions", {})
    block = random.Random(7).randbytes(1 << 20)
    near.ok("PUT", base + "/versions/1/files/weights/part.bin", data=io.BytesIO(block * (size >> 20)),
            headers={"Content-Type": "application/octet-stream"})
    near.ok("POST", base + "/versions/1/finalize", {})
    near.ok("PUT", "/v1/projects/credit/prompts/greeting", {})
    near.ok("POST", "/v1/projects/credit/prompts/greeting/versions", {"manifest": {"template": "Dear {name}"}})
    near.ok("POST", "/v1/projects/credit/prompts/greeting/versions/1/finalize", {})
    file = sites.folder / "large.tar"
    for world, words in ((sites.near, ("export", file, "models/large:1", "prompts/greeting:1")),
                         (sites.far, ("import", file, "--vkey", sites.vkey))):
        little = None if SANITIZED else lambda: resource.setrlimit(resource.RLIMIT_DATA, (64 << 20, 64 << 20))
        done = subprocess.run([BUILD / "chancery", "bundle", *map(str, words)], env=sites.environment(world, OWNER),
                              preexec_fn=little, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    for path in ("models/large", "prompts/greeting"):
        here, there = (w[OWNER].ok("GET", f"/v1/projects/credit/{path}/versions/1") for w in (sites.far, sites.near))
        assert here["digest"] == there["digest"] and here["state"] == "ready"
