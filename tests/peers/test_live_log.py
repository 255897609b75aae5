# SPDX-License-Identifier: Apache-2.0
"""The live service before programs that others wrote.

tessera's fsck reads the log over https with an auditor's token, and an export of it from a directory;
logproof checks its inclusion and consistency proofs; torchwood's litewitness cosigns its checkpoints,
and refuses what forks.
"""
import base64
import contextlib
import hashlib
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "stories"), str(ROOT / "tests" / "peers")]
from service import BUILD, PATIENCE, Service, World
from test_log_fsck import TESSERA, go, missing


@pytest.fixture(scope="module")
def world():
    service = Service(None, "--audit-private-targets", "true")
    try:
        made = World(service.start())
        for i in range(300):  # more than one tile
            made.admin.ok("PUT", f"/v1/projects/p{i % 7}", {"description": str(i)})
        write(made)
        yield made
    finally:
        service.close()


def write(world):
    world.admin.ok("PUT", "/v1/projects/last?wait=sequenced", {"description": str(time.monotonic())})


def head(world):
    origin, size, root = world["auditor"].get("/v1/audit/log/checkpoint").text.split("\n")[:3]
    return origin, int(size), root


@pytest.fixture(scope="module")
def fsck():
    return go("fsck", "install", TESSERA.replace("@", "/cmd/fsck@"))


def vkey_file(world, folder):
    (folder / "vkey").write_text(world["auditor"].get("/v1/audit/log/vkey").text)
    return folder / "vkey"


def run_fsck(fsck, world, url, vkey, *flags):
    command = [fsck, "--ui=false", f"--storage_url={url}", f"--public_key={vkey}", f"--origin={head(world)[0]}", *flags]
    try:
        # Half of it: after all of it the service ends our idle connections just when we use them again.
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE / 2,
                              env={**os.environ, "SSL_CERT_FILE": world.service.ca})
    except subprocess.TimeoutExpired as e:  # after a fault it may wait for ever for the rest of its own work
        return False, str(e.stderr)[-800:]
    return "Successfully fsck'd log with size " in done.stderr and done.returncode == 0, done.stderr[-800:]


def test_fsck_accepts_the_live_log(fsck, world, tmp_path):
    good, said = run_fsck(fsck, world, world.service.url + "/v1/audit/log/", vkey_file(world, tmp_path),
                          f"--bearer_token={world['auditor'].token}")
    assert good, said


def test_fsck_sees_an_edited_row_live(fsck, world, tmp_path):
    vkey = vkey_file(world, tmp_path)
    world.service.sql("SET session_replication_role = replica; UPDATE chancery.audit_entry e"
                      " SET leaf = replace(leaf, 'put_project', 'get_project') FROM chancery.audit_leaf l"
                      " WHERE l.seq = e.seq AND l.tenant_id = e.tenant_id AND l.index = 60 AND l.tenant_id ="
                      " (SELECT tenant_id FROM chancery.tenant WHERE name = 'acme')")
    try:
        good, said = run_fsck(fsck, world, world.service.url + "/v1/audit/log/", vkey,
                              f"--bearer_token={world['auditor'].token}")
        assert not good, said
    finally:
        world.service.sql("SET session_replication_role = replica; UPDATE chancery.audit_entry e"
                          " SET leaf = replace(leaf, 'get_project', 'put_project') FROM chancery.audit_leaf l"
                          " WHERE l.seq = e.seq AND l.tenant_id = e.tenant_id AND l.index = 60 AND l.tenant_id ="
                          " (SELECT tenant_id FROM chancery.tenant WHERE name = 'acme')")
    good, said = run_fsck(fsck, world, world.service.url + "/v1/audit/log/", vkey,
                          f"--bearer_token={world['auditor'].token}")
    assert good, said


def test_fsck_accepts_an_export_which_is_the_live_log(fsck, world, tmp_path):
    folder = tmp_path / "export"
    done = subprocess.run([BUILD / "chancery", "audit", "export", folder], capture_output=True, text=True, env={
        "CHANCERY_CONFIG": str(tmp_path / "config"), "CHANCERY_URL": world.service.url, "CHANCERY_CA": world.service.ca,
        "CHANCERY_TOKEN": world["auditor"].token, "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    good, said = run_fsck(fsck, world, f"file://{folder}/", vkey_file(world, tmp_path))
    assert good, said
    tiles = [f for f in folder.rglob("*") if f.is_file() and "tile" in f.parts]
    assert len(tiles) >= 4
    for file in tiles:
        live = world["auditor"].get(f"/v1/audit/log/{file.relative_to(folder)}")
        assert live.content == file.read_bytes(), file


def test_others_verify_live_proofs(world, tmp_path):
    logproof = go("logproof", "build", "-o", ROOT / "build/peers/bin/logproof", ".", cwd=ROOT / "tests/peers/logproof")
    auditor = world["auditor"]
    note = auditor.get("/v1/audit/log/checkpoint").text
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "checkpoint").write_text(note)
    size = int(note.split("\n")[1])
    for entry in auditor.ok("GET", "/v1/audit?limit=40")["value"]:
        proof = auditor.get(f"/v1/audit/entries/{entry['id']}/proof")
        if proof.status_code != 200:
            continue
        leaf = world.service.sql(f"SELECT leaf FROM chancery.audit_entry WHERE id = '{entry['id']}'").rstrip("\n")
        assert hashlib.sha256(b"\0" + leaf.encode()).hexdigest() == entry["leaf_hash"]
        (tmp_path / "p" / f"{entry['index']}.tlog-proof").write_bytes(proof.content)
        (tmp_path / "p" / f"{entry['index']}.entry").write_text(leaf)
    for old in (1, 2, 255, 256, 257, size - 1):
        got = auditor.ok("GET", f"/v1/audit/log/consistency?from={old}&to={size}")
        (tmp_path / "p" / f"{old}.consistency").write_text("\n".join([str(old), got["from_root"], *got["hashes"]]) + "\n")
    done = subprocess.run([logproof, vkey_file(world, tmp_path), tmp_path / "p"], capture_output=True, text=True)
    assert done.returncode == 0 and "6 consistency" in done.stdout, done.stderr + done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def litewitness(world, tmp_path):
    """A running litewitness that knows acme's log: (url, vkey, database)."""
    program = go("litewitness", "build", "-o", ROOT / "build/peers/bin/litewitness", "filippo.io/torchwood/cmd/litewitness",
                 cwd=ROOT / "tests/peers/litewitness")
    if shutil.which("ssh-agent") is None:
        missing("there is no ssh-agent")
    agent_socket, key, database = tmp_path / "agent", tmp_path / "key", tmp_path / "witness.db"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", agent_socket], stdout=subprocess.DEVNULL)
    await_path(agent_socket)
    subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(agent_socket)})
    public = base64.b64decode((tmp_path / "key.pub").read_text().split()[1])[-32:]
    url = f"127.0.0.1:{free_port()}"
    name = "witness.test/lite"
    with open(tmp_path / "log", "wb") as log:
        witness = subprocess.Popen([program, f"-db={database}", f"-name={name}", f"-ssh-agent={agent_socket}",
                                    f"-key={hashlib.sha256(public).hexdigest()}", f"-listen={url}"], stdout=log, stderr=log)
    try:
        await_port(url, witness, tmp_path / "log")
        introduce(world, database)
        key_id = hashlib.sha256(name.encode() + b"\n\4" + public).hexdigest()[:8]
        yield "http://" + url, f"{name}+{key_id}+{base64.b64encode(bytes([4]) + public).decode()}", database
    finally:
        for process in (witness, agent):
            process.terminate()
            process.wait(10)


def await_path(path):
    end = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def await_port(address, process, log):
    host, port = address.split(":")
    end = time.monotonic() + 15
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def introduce(world, database):
    """As witnessctl add-log and add-key do."""
    origin, vkey = head(world)[0], world["auditor"].get("/v1/audit/log/vkey").text.strip()
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as db, db:
        db.execute("INSERT INTO log VALUES (?, 0, ?)", (origin, base64.b64encode(hashlib.sha256().digest()).decode()))
        db.execute("INSERT INTO key VALUES (?, ?)", (origin, vkey))


def await_cosignature(world, size, name="witness.test/lite"):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        note = world["auditor"].get("/v1/audit/log/checkpoint").text
        if f"— {name} " in note and int(note.split("\n")[1]) >= size:
            return note
        time.sleep(0.2)
    raise AssertionError(world["auditor"].get("/v1/audit/witnesses").text + note)


def test_litewitness_cosigns_and_follows(world, litewitness):
    url, vkey, database = litewitness
    world.admin.ok("PUT", "/v1/audit/witnesses/lite", {"vkey": vkey, "url": url})
    for _ in range(3):
        write(world)
        await_cosignature(world, head(world)[1])
    with contextlib.closing(sqlite3.connect(database)) as db:
        origin, size, root = db.execute("SELECT * FROM log").fetchone()
    assert (origin, size) == head(world)[:2] or size <= head(world)[1]
    # It was asked from a size it is not at: 409, and the service goes on from what it says.
    world.service.sql("UPDATE chancery.audit_witness SET size = 3")
    write(world)
    await_cosignature(world, head(world)[1])
    assert world["auditor"].ok("GET", "/v1/audit/check")["faults"] == 0
    # It has seen another tree of this size: no second signature for ours.
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as db, db:
        db.execute("UPDATE log SET tree_hash = ?", (base64.b64encode(hashlib.sha256(b"fork").digest()).decode(),))
    write(world)
    end = time.monotonic() + PATIENCE
    while "answered 422" not in (listed := world["auditor"].get("/v1/audit/witnesses").text) and time.monotonic() < end:
        time.sleep(0.2)
    assert "answered 422" in listed
    assert "witness.test/lite" not in world["auditor"].get("/v1/audit/log/checkpoint").text
    world.admin.ok("DELETE", "/v1/audit/witnesses/lite")
