# SPDX-License-Identifier: Apache-2.0
"""The log's keys and origins: rotation with overlap, a database that was set back, a new origin, idle logs."""
import base64
import hashlib
import socket
import subprocess
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from service import BUILD, PATIENCE, Service, World


@pytest.fixture(scope="module")
def service():
    """On a port that stays, so that tokens outlive a restart."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = Service(None, "--listen", f"127.0.0.1:{port}")
    try:
        yield started.start()
    finally:
        started.close()


def parse_vkey(vkey):
    name, key_id, key = vkey.strip().split("+", 2)
    raw = base64.b64decode(key)
    assert raw[0] == 1 and hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] == key_id
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(raw[1:])


def signers(note, vkeys):
    """Which of these keys signed the note; a wrong signature raises."""
    text, _, lines = note.rpartition("\n\n")
    found = set()
    for line in lines.strip().split("\n"):
        _, name, blob = line.split(" ")
        raw = base64.b64decode(blob)
        for vkey in vkeys:
            known, key_id, key = parse_vkey(vkey)
            if (known, key_id) == (name, raw[:4]):
                key.verify(raw[4:], (text + "\n").encode())
                found.add(vkey)
    return found


def text_of(client, path):
    reply = client.get(path)
    assert reply.status_code == 200, reply.text
    return reply.text


def head(client):
    origin, size, root = text_of(client, "/v1/audit/log/checkpoint").split("\n")[:3]
    return origin, int(size), root


def write(world, times=3):
    for i in range(times):
        world.admin.ok("PUT", f"/v1/projects/p{i}?wait=sequenced", {"description": str(time.monotonic())})


def test_consistency_proofs(world):
    write(world)
    size = head(world["auditor"])[1]
    for old in range(size + 1):
        got = world["auditor"].ok("GET", f"/v1/audit/log/consistency?from={old}&to={size}")
        assert (got["from"], got["to"]) == (old, size)
        assert old in (0, size) or consistent(got), got
    assert world["auditor"].get(f"/v1/audit/log/consistency?from={size + 1}").status_code == 400
    assert world["reader"].get("/v1/audit/log/consistency").status_code == 403


def consistent(got):
    """RFC 9162 §2.1.4.2."""
    first, second = got["from"], got["to"]
    path = [base64.b64decode(h) for h in got["hashes"]]
    roots = [base64.b64decode(got[n]) for n in ("from_root", "to_root")]
    if first & (first - 1) == 0:
        path.insert(0, roots[0])
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
    return (a, b, sn) == (roots[0], roots[1], 0)


def test_a_key_is_replaced_with_overlap(world):
    auditor = world["auditor"]
    write(world, 1)
    old = text_of(auditor, "/v1/audit/log/vkey").strip()
    assert world["auditor"].post("/v1/audit/log/rotate").status_code == 403
    got = world.admin.ok("POST", "/v1/audit/log/rotate?wait=sequenced", {"overlap_hours": 1})
    assert got["former"] == old and got["vkey"] == text_of(auditor, "/v1/audit/log/vkey").strip()
    both = {old, got["vkey"]}
    assert signers(text_of(auditor, "/v1/audit/log/checkpoint"), both) == both
    body = f"{parse_vkey(old)[0]}\nkey rotation\n{old}\n{got['vkey']}"
    assert signers(got["statement"], both) == {old} and got["statement"].startswith(body)
    entry = auditor.ok("GET", "/v1/audit?action=post_audit_rotate&outcome=ok")["value"][0]
    assert entry["statement"] == got["statement"] and entry["detail"]["response"] == got
    logs = [line[4:] for line in text_of(auditor, "/v1/audit/log/policy").split("\n") if line.startswith("log ")]
    assert logs == [got["vkey"], old]
    assert [r["statement"] for r in auditor.ok("GET", "/v1/audit/log/rotations")["value"]] == [got["statement"]]
    assert auditor.ok("GET", "/v1/audit/check")["faults"] == 0


def test_without_overlap_the_old_key_is_silent(world):
    auditor = world["auditor"]
    got = world.admin.ok("POST", "/v1/audit/log/rotate?wait=sequenced", {"overlap_hours": 0})
    write(world, 1)
    note = text_of(auditor, "/v1/audit/log/checkpoint")
    assert signers(note, {got["former"], got["vkey"]}) == {got["vkey"]}
    assert auditor.ok("GET", "/v1/audit/check")["faults"] == 0
    world.service.stop()
    world.service.start()  # the guard file is known by the new key, too
    write(world, 1)


@pytest.fixture
def set_back(world):
    """A service whose database is older than what it signed."""
    service = world.service
    write(world, 2)
    tables = ["audit_entry", "audit_payload", "audit_pending", "audit_log", "audit_leaf", "audit_tile",
              "audit_checkpoint"]
    for name in tables:
        service.sql(f"CREATE TABLE public.{name} AS TABLE chancery.{name}")
    before = head(world["auditor"])
    write(world, 4)
    after = head(world["auditor"])
    service.sql("SET session_replication_role = replica;" + "".join(
        f"DELETE FROM chancery.{n}; INSERT INTO chancery.{n} {'OVERRIDING SYSTEM VALUE ' if n == 'audit_entry' else ''}"
        f"SELECT {columns(service, n)} FROM public.{n}; DROP TABLE public.{n};" for n in tables))
    return before, after


def columns(service, table):
    return service.sql("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid ="
                       f" 'chancery.{table}'::regclass AND attnum > 0 AND attgenerated = ''").strip()


def await_status(client, method, path, status):
    end = time.monotonic() + PATIENCE
    while (reply := client.request(method, path, {})).status_code != status and time.monotonic() < end:
        time.sleep(0.3)
    assert reply.status_code == status, reply.text
    return reply


def test_a_set_back_log_is_refused_and_can_begin_anew(world, set_back):
    before, after = set_back
    service, admin, auditor = world.service, world.admin, world["auditor"]
    refused = await_status(admin, "PUT", "/v1/projects/late", 503)
    assert "audit log" in refused.json()["error"]["message"]
    assert "behind a checkpoint that was signed" in service.log()
    assert head(auditor)[1] == before[1], "nothing was signed"
    restart = [BUILD / "chanceryd", "audit-restart", "--home", service.home / "home", "acme"]
    done = subprocess.run(restart, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    await_status(admin, "PUT", "/v1/projects/later", 201)
    write(world, 1)
    origin, size, _ = head(auditor)
    assert origin == before[0].split("/audit/")[0] + "/audit/" + before[0].split("/audit/")[1].split("/")[0] + "/2"
    first = auditor.ok("GET", "/v1/audit?action=audit_restart")["value"][0]
    assert first["index"] == 0 and first["statement"].split("\n")[:3] == [after[0], str(after[1]), after[2]]
    check = auditor.ok("GET", "/v1/audit/check")
    assert check["faults"] == 0 and check["checked"] == size and size > before[1]
    logs = [line[4:] for line in text_of(auditor, "/v1/audit/log/policy").split("\n") if line.startswith("log ")]
    assert parse_vkey(logs[0])[0] == origin and parse_vkey(logs[1])[0] == before[0]
    assert signers(first["statement"], set(logs[1:])), "the old origin's key signed it"
    # What the old origin's tree was is still there, one leaf on.
    leaves = [bytes.fromhex(e["leaf_hash"]) for e in every_entry(auditor)][1:1 + before[1]]
    assert base64.b64encode(root_of(leaves)).decode() == before[2]
    again = subprocess.run(restart, capture_output=True, text=True)
    assert again.returncode == 1 and "need not be" in again.stderr
    assert head(auditor)[0] == origin


def every_entry(auditor):
    found, path = [], "/v1/audit?order=asc&limit=1000"
    while path:
        page = auditor.ok("GET", path)
        found += page["value"]
        path = page.get("nextLink")
    return sorted((e for e in found if e["index"] is not None), key=lambda e: e["index"])


def root_of(leaves):
    """RFC 6962 §2.1."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def test_the_service_alone_cannot_restart_a_log(world):
    out = subprocess.run(["psql", "-X", "-qAt", "-h", world.service.socket(), "-U", "chancery_app", "-d", "chancery"],
                         input="SELECT set_config('app.tenant', (SELECT id::text FROM chancery.tenant_find('acme')),"
                               " false); SELECT chancery.audit_restart('x', '', '', '', '');",
                         capture_output=True, text=True, cwd="/")
    assert "has not permitted" in out.stderr or "peer" in out.stderr.lower() or "auth" in out.stderr.lower(), out


def test_an_idle_log_is_signed_again():
    idle = Service(None, "--audit-idle-seconds", "2")
    try:
        lonely = World(idle.start())
        write(lonely, 1)
        time.sleep(0.5)
        count = f"SELECT count(*) FROM chancery.audit_checkpoint WHERE size = {head(lonely.admin)[1]}"
        seen = int(idle.sql(count))
        time.sleep(5)
        assert int(idle.sql(count)) >= seen + 2
    finally:
        idle.close()
