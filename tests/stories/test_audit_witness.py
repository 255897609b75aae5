# SPDX-License-Identifier: Apache-2.0
"""Witnesses: a second party signs each checkpoint, and a log that forks finds no second signature."""
import base64
import hashlib
import http.server
import socket
import struct
import threading
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from service import PATIENCE, Service


@pytest.fixture(scope="module")
def service():
    started = Service(None, "--audit-private-targets", "true")
    try:
        yield started.start()
    finally:
        started.close()


class Witness:
    """C2SP tlog-witness, as small as it can be; it checks old sizes and proofs, and trusts no log key."""

    def __init__(self, name="witness.example/w1"):
        self.key, self.name, self.size, self.root, self.conflicts, outer = Ed25519PrivateKey.generate(), name, 0, None, 0, self
        self.lie = False

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, answer = outer.add(body) if self.path == "/add-checkpoint" else (404, "")
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer.encode())))
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def raw(self):
        return b"\4" + self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    @property
    def key_id(self):
        return hashlib.sha256(self.name.encode() + b"\n" + self.raw).digest()[:4]

    @property
    def vkey(self):
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self.raw).decode()}"

    def add(self, body):
        head, _, note = body.partition("\n\n")
        old, *proof = head.split("\n")
        old = int(old.split(" ")[1])
        text = note.partition("\n\n")[0] + "\n"
        size, root = int(text.split("\n")[1]), base64.b64decode(text.split("\n")[2])
        if old != self.size:
            self.conflicts += 1
            return 409, f"{self.size}\n"
        if not consistent(old, size, self.root, root, [base64.b64decode(p) for p in proof]):
            return 422, ""
        self.size, self.root = size, root
        now = int(time.time())
        signed = text if not self.lie else text.replace("\n", "\nx", 1)
        mac = self.key.sign(f"cosignature/v1\ntime {now}\n{signed}".encode())
        return 200, f"— {self.name} {base64.b64encode(self.key_id + struct.pack('>Q', now) + mac).decode()}\n"

    def signed(self, note):
        """Whether it cosigned this note; a wrong signature raises."""
        text, _, lines = note.partition("\n\n")
        for line in lines.strip().split("\n"):
            _, name, blob = line.split(" ")
            raw = base64.b64decode(blob)
            if name == self.name and raw[:4] == self.key_id:
                at = struct.unpack(">Q", raw[4:12])[0]
                self.key.public_key().verify(raw[12:], f"cosignature/v1\ntime {at}\n{text}\n".encode())
                return True
        return False


def consistent(first, second, old_root, new_root, proof):
    """RFC 9162 §2.1.4.2."""
    if first == 0:
        return proof == []
    if first == second:
        return proof == [] and old_root == new_root
    path = ([old_root] if first & (first - 1) == 0 else []) + proof
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    a = b = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            a, b = hashlib.sha256(b"\1" + c + a).digest(), hashlib.sha256(b"\1" + c + b).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            b = hashlib.sha256(b"\1" + b + c).digest()
        fn, sn = fn >> 1, sn >> 1
    return (a, b, sn) == (old_root, new_root, 0)


def write(world, count):
    for i in range(count):
        world.admin.ok("PUT", f"/v1/projects/w{i}?wait=sequenced", {"description": str(time.monotonic())})


def await_cosigned(world, witness):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        note = world["auditor"].get("/v1/audit/log/checkpoint").text
        if witness.signed(note):
            return note
        time.sleep(0.2)
    raise AssertionError(world["auditor"].get("/v1/audit/witnesses").text)


def test_a_witness_cosigns_and_follows(world):
    witness = Witness()
    world.admin.ok("PUT", "/v1/audit/witnesses/first", {"vkey": witness.vkey, "url": witness.url + "/"})
    for _ in range(3):
        write(world, 3)
        await_cosigned(world, witness)
    assert witness.size == world["auditor"].ok("GET", "/v1/audit/witnesses")["value"][0]["size"]
    policy = world["auditor"].get("/v1/audit/log/policy").text
    assert f"witness first {witness.vkey} " in policy and "quorum witnesses" in policy
    entry = world["auditor"].ok("GET", "/v1/audit?action=put_project&limit=1")["value"][0]
    proof = world["auditor"].get(f"/v1/audit/entries/{entry['id']}/proof").text
    assert witness.signed(proof[proof.index("\n\n") + 2:]), "proofs carry cosignatures, too"
    # A witness that lost its memory (or was fed elsewhere) says where it is, and is led from there.
    world.service.sql("UPDATE chancery.audit_witness SET size = 1")
    write(world, 1)
    await_cosigned(world, witness)
    assert witness.conflicts >= 1
    world.admin.ok("DELETE", "/v1/audit/witnesses/first")


def test_two_witnesses_and_one_is_away(world):
    here, away = Witness("witness.example/here"), Witness("witness.example/away")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        world.admin.ok("PUT", "/v1/audit/witnesses/away", {"vkey": away.vkey, "url": url})
        world.admin.ok("PUT", "/v1/audit/witnesses/here", {"vkey": here.vkey, "url": here.url})
        write(world, 2)
        await_cosigned(world, here)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        listed = {w["name"]: w for w in world["auditor"].ok("GET", "/v1/audit/witnesses")["value"]}
        if listed["away"].get("problem"):
            break
        time.sleep(0.2)
    assert "does not take the connection" in listed["away"]["problem"] and "problem" not in listed["here"]
    for name in listed:
        world.admin.ok("DELETE", "/v1/audit/witnesses/" + name)


def test_a_wrong_signature_is_not_served(world):
    liar = Witness("witness.example/liar")
    liar.lie = True
    world.admin.ok("PUT", "/v1/audit/witnesses/liar", {"vkey": liar.vkey, "url": liar.url})
    write(world, 1)
    end = time.monotonic() + PATIENCE
    while not (got := world["auditor"].ok("GET", "/v1/audit/witnesses")["value"][0]).get("problem"):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert "no right signature" in got["problem"]
    assert "liar" not in world["auditor"].get("/v1/audit/log/checkpoint").text
    world.admin.ok("DELETE", "/v1/audit/witnesses/liar")


@pytest.mark.parametrize("url", ["http://example.org", "ftp://127.0.0.1", "https://", "https://u@h/", "http://10.0.0.1/"])
def test_places_that_are_none(world, url):
    vkey = Witness().vkey
    assert world.admin.put("/v1/audit/witnesses/bad", {"vkey": vkey, "url": url}).status_code == 400
    for wrong in (vkey[:-4], vkey.replace("+", "-"), vkey.replace("witness", "wjtness")):
        assert world.admin.put("/v1/audit/witnesses/bad", {"vkey": wrong, "url": "https://w.example"}).status_code == 400
    assert world["auditor"].put("/v1/audit/witnesses/bad", {"vkey": vkey, "url": "https://w.example"}).status_code == 403
