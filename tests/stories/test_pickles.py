# SPDX-License-Identifier: Apache-2.0
"""Pickles are taken as bytes and never loaded; what they would do is on the version, and a policy can refuse them."""
import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import zipfile
import zlib

import pytest
from test_mlflow import Tracker

P = "/v1/projects/credit"
BYTES = {"Content-Type": "application/octet-stream"}


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/chancery-was-here",)


class Plain:
    def __init__(self):
        self.x = 1


@pytest.fixture(scope="module")
def owner(world):
    world["project-owner"].ok("PUT", P + "/models/pickled", {})
    return world["project-owner"]


def seal(owner, files, asset="models/pickled"):
    number = owner.ok("POST", f"{P}/{asset}/versions", {})["number"]
    place = f"{P}/{asset}/versions/{number}"
    for path, data in files.items():
        owner.ok("PUT", f"{place}/files/{path}", data=data, headers=BYTES)
    return owner.post(place + "/finalize", {})


def found(owner, data, path="model.pkl"):
    reply = seal(owner, {path: data})
    assert reply.status_code == 200, reply.text
    return reply.json()["manifest"].get("pickles", [])


@pytest.mark.parametrize("protocol", range(6))
def test_what_would_run_is_named(owner, protocol):
    (seen,) = found(owner, pickle.dumps({"a": [1, 2.5, "x" * 300, b"y" * 300, 10 ** 40], "e": Evil()}, protocol))
    assert seen["path"] == "model.pkl" and seen["complete"] and seen["protocol"] == (protocol if protocol >= 2 else 0)
    assert "posix system" in seen["globals"] and set(seen["globals"]) <= {"posix system", "_codecs encode"}
    assert "REDUCE" in seen["opcodes"]
    assert ("STACK_GLOBAL" if protocol >= 4 else "GLOBAL") in seen["opcodes"]
    assert not os.path.exists("/tmp/chancery-was-here")


@pytest.mark.parametrize("protocol", range(6))
def test_names_that_come_from_the_memo(owner, protocol):
    (seen,) = found(owner, pickle.dumps([Evil(), Plain(), Plain(), Evil(), io.StringIO], protocol))
    assert "posix system" in seen["globals"] and "test_pickles Plain" in seen["globals"] and "_io StringIO" in seen["globals"]
    assert "? ?" not in seen["globals"]


def test_data_alone_has_nothing_to_name(owner):
    (seen,) = found(owner, pickle.dumps([1, "two", (3.0, None, True), {4: b"5"}], 4))
    assert seen["globals"] == [] and seen["opcodes"] == [] and seen["complete"]
    assert found(owner, b"a,b\n1,2\n", "notes.txt") == [] and found(owner, b"", "empty.bin") == []


def test_inside_zip_files(owner):
    for how in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        box = io.BytesIO()
        with zipfile.ZipFile(box, "w", how) as z:
            z.writestr("archive/data.pkl", pickle.dumps(Evil(), 2))
            z.writestr("archive/data/0", os.urandom(100000))
            z.writestr("archive/version", "3\n")
        (seen,) = found(owner, box.getvalue(), "weights.pt")
        assert seen["member"] == "archive/data.pkl" and seen["globals"] == ["posix system"]
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as z, z.open("big.pkl", "w", force_zip64=True) as member:
        member.write(pickle.dumps(Evil(), 4))
    (seen,) = found(owner, box.getvalue(), "wide.zip")
    assert seen["globals"] == ["posix system"]


def npy(kind, data):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (1,), }}".encode()
    head += b" " * (64 - (10 + len(head) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def test_arrays_of_objects(owner):
    assert found(owner, npy("<f8", struct.pack("<d", 1.0)), "a.npy") == []
    (seen,) = found(owner, npy("|O", pickle.dumps([Evil()], 3)), "a.npy")
    assert seen["globals"] == ["posix system"]
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("plain.npy", npy("<f8", struct.pack("<d", 1.0)))
        z.writestr("objects.npy", npy("|O", pickle.dumps([Evil()], 3)))
    (seen,) = found(owner, box.getvalue(), "arrays.npz")
    assert seen["member"] == "objects.npy" and seen["globals"] == ["posix system"]


def test_compressed_and_in_a_row(owner):
    evil = pickle.dumps(Evil(), 4)
    for data, path in ((gzip.compress(evil), "m.pkl.gz"), (zlib.compress(evil), "m.joblib")):
        (seen,) = found(owner, data, path)
        assert seen["globals"] == ["posix system"], path
    row = found(owner, pickle.dumps(1, 2) + pickle.dumps("magic", 2) + pickle.dumps(Evil(), 2), "old.pth")
    assert len(row) == 3 and row[2]["globals"] == ["posix system"]
    assert found(owner, pickle.dumps(Evil(), 4), "innocent.txt")[0]["globals"] == ["posix system"]


def test_what_is_packed_otherwise_is_flagged_as_not_walked(owner):
    """joblib.dump(…, compress=("lz4", 3)) and its like: in files named as pickles, and in zip files' members."""
    evil = pickle.dumps(Evil(), 4)
    lz4 = b"\x04\x22\x4d\x18" + evil
    for data, path, how in ((bz2.compress(evil), "m.joblib", "bz2"), (lzma.compress(evil), "m.pkl", "xz"), (lz4, "m.joblib", "lz4"),
                            (lzma.compress(evil, lzma.FORMAT_ALONE), "m.pkl", "lzma"), (bz2.compress(evil), "m.pkl.bz2", "bz2"),
                            (lz4, "m.joblib.lz4", "lz4"), (b"ZF0x10" + zlib.compress(evil), "old.joblib", "joblib zfile"),
                            (gzip.compress(gzip.compress(evil)), "twice.pkl", "gzip")):
        (seen,) = found(owner, data, path)
        assert (seen["compression"], seen["note"], seen["complete"]) == (how, "compressed, not walked", False), path
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as z:
        z.writestr("inner.pkl", zlib.compress(evil))
    (seen,) = found(owner, box.getvalue(), "box.zip")
    assert (seen["member"], seen["compression"]) == ("inner.pkl", "zlib")
    assert found(owner, bz2.compress(b"a,b\n1,2\n"), "table.csv.bz2") == []


def test_what_is_broken_is_said_to_be(owner):
    evil = pickle.dumps(Evil(), 4)
    for data in (evil[:-1], evil[:20], b"\x80\x04\xff", b"\x80\x04X\xff\xff\xff\xff", b"\x80\x04\x8d" + b"\xff" * 8, b"(" * 100000,
                 b"\x80\x05\x95" + b"\xff" * 8 + b"N"):
        (seen,) = found(owner, data)
        assert seen["complete"] is False, data[:20]
    bomb = gzip.compress(b"\x80\x04" + b"N" * (80 << 20))
    (seen,) = found(owner, bomb, "bomb.pkl")
    assert seen["complete"] is False
    assert found(owner, b"PK\x03\x04" + b"\0" * 100, "broken.zip") == []


def test_a_policy_that_begins_to_refuse_them_voids_what_was_asked_for(world, owner):
    policy, admin, asker = owner.ok("GET", P + "/policy"), world["tenant-admin"], world["data-scientist"]

    def ask(files):
        number = seal(owner, files).json()["number"]
        return asker.ok("POST", P + "/approvals", {"action": "promote", "subject": f"models/pickled/versions/{number}", "alias": "production"})["id"]

    evil, plain = ask({"m.pkl": pickle.dumps(Evil(), 4)}), ask({"m.txt": b"words"})
    admin.ok("PUT", P + "/policy", {**policy, "approval_hours": 9})
    assert owner.ok("GET", f"{P}/approvals/{evil}")["state"] == "pending"
    admin.ok("PUT", P + "/policy", {**policy, "refuse_pickle": True})
    try:
        assert [owner.ok("GET", f"{P}/approvals/{x}")["state"] for x in (evil, plain)] == ["void", "pending"]
        late = world["approver"].post(f"{P}/approvals/{evil}/decision", {"verdict": "approve", "reason": "x"})
        assert late.status_code == 409 and "void" in late.text
    finally:
        admin.ok("PUT", P + "/policy", policy)


def test_a_policy_refuses_them(world, owner):
    policy = owner.ok("GET", P + "/policy")
    number = seal(owner, {"m.pkl": pickle.dumps(Evil(), 4)}).json()["number"]
    world["tenant-admin"].ok("PUT", P + "/policy", {**policy, "refuse_pickle": True})
    try:
        refused = seal(owner, {"m.pkl": pickle.dumps(Evil(), 4)})
        assert refused.status_code == 422 and "m.pkl is a pickle" in refused.text
        assert seal(owner, {"m.txt": b"words"}).status_code == 200
        asked = owner.post(P + "/approvals", {"action": "promote", "subject": f"models/pickled/versions/{number}",
                                              "alias": "production"})
        assert asked.status_code == 422 and "policy refuses" in asked.text
        tracker = Tracker(world["data-scientist"])
        run = tracker.run()
        tracker.ok("PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/m/model.pkl", data=pickle.dumps(Evil(), 4))
        made = tracker.call("POST", "/model-versions/create", {"name": "pickled", "source": f"runs:/{run}/m"})
        assert 400 <= made.status_code < 500 and "pickle" in made.text, made.text
        moved = tracker.call("POST", "/registered-models/alias", {"name": "pickled", "alias": "production", "version": str(number)})
        assert 400 <= moved.status_code < 500 and "policy refuses" in moved.text, moved.text
    finally:
        world["tenant-admin"].ok("PUT", P + "/policy", policy)
    made = tracker.ok("POST", "/model-versions/create", {"name": "pickled", "source": f"runs:/{run}/m"})["model_version"]
    shown = owner.ok("GET", f"{P}/models/pickled/versions/{made['version']}")
    assert shown["manifest"]["pickles"][0]["globals"] == ["posix system"]
    assert not os.path.exists("/tmp/chancery-was-here")
