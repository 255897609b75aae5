# SPDX-License-Identifier: Apache-2.0
"""Artifacts in parts, as MLflow's clients send large ones: tickets instead of tokens, joined into the store."""
import hashlib
import os
import time

import pytest
import requests
from test_mlflow import Tracker

MPU = "/api/2.0/mlflow-artifacts/mpu/"
FILES = "/api/2.0/mlflow-artifacts/artifacts/"


@pytest.fixture(scope="module")
def tracker(world):
    return Tracker(world["data-scientist"])


@pytest.fixture(scope="module")
def place(tracker):
    return f"0/{tracker.run()}/artifacts"


def begin(tracker, place, parts, name="large.bin"):
    return tracker.ok("POST", MPU + "create/" + place, {"path": "/home/somebody/" + name, "num_parts": parts})


def put(tracker, credential, data):
    return requests.put(credential["url"], data=data, headers=credential["headers"], verify=str(tracker.client.service.ca), timeout=60)


def finish(tracker, place, made, replies, name="large.bin"):
    parts = [{"part_number": i + 1, "etag": r.headers["ETag"]} for i, r in enumerate(replies)]
    return tracker.call("POST", MPU + "complete/" + place, {"path": name, "upload_id": made["upload_id"], "parts": parts})


def test_parts_become_the_file(world, tracker, place):
    data = os.urandom((3 << 20) + 5)
    made = begin(tracker, place + "/deep", 4)
    replies = [None] * 4
    for i in (2, 0, 3, 1):
        replies[i] = put(tracker, made["credentials"][i], data[i << 20:(i + 1) << 20])
        assert replies[i].status_code == 200, replies[i].text
    done = finish(tracker, place + "/deep", made, replies)
    assert done.status_code == 200, done.text
    back = tracker.call("GET", FILES + place + "/deep/large.bin")
    assert hashlib.sha256(back.content).digest() == hashlib.sha256(data).digest()
    assert world.service.sql("SELECT count(*) FROM chancery.multipart_part").strip() == "0"
    entry = done.headers["Chancery-Audit"].split(";")[0][3:]
    entry = world["auditor"].ok("GET", f"/v1/audit/entries/{entry}")
    assert hashlib.sha256(data).hexdigest() in str(entry)
    part = replies[0].headers["Chancery-Audit"].split(";")[0][3:]
    shown = world["auditor"].ok("GET", f"/v1/audit/entries/{part}")
    assert shown["actor"] == tracker.client.ok("GET", "/v1/me")["id"] and shown["project"] == "credit", shown


def test_a_ticket_is_good_for_one_part_that_arrives_whole(tracker, place):
    made = begin(tracker, place, 2, "once.bin")
    first = put(tracker, made["credentials"][0], b"a" * 10)
    assert first.status_code == 200
    again = put(tracker, made["credentials"][0], b"b" * 10)
    assert again.status_code == 409, again.text
    for change in (lambda u: u[:-3], lambda u: u[:-1] + ("A" if u[-1] != "A" else "B"), lambda u: u.rsplit("/", 1)[0] + "/AAAA",
                   lambda u: u.rsplit("/", 1)[0] + "/" + "A" * 3000):
        bad = {**made["credentials"][1], "url": change(made["credentials"][1]["url"])}
        assert put(tracker, bad, b"x").status_code == 401
    missing = finish(tracker, place, made, [first], "once.bin")
    assert missing.status_code == 400 and "1 have arrived of the 2" in missing.text
    second = put(tracker, made["credentials"][1], b"c")
    swapped = finish(tracker, place, made, [second, first], "once.bin")
    assert swapped.status_code == 400 and "parts[0]" in swapped.text
    assert tracker.call("POST", MPU + "complete/" + place, {"path": "other.bin", "upload_id": made["upload_id"],
                                                            "parts": []}).status_code == 404
    assert finish(tracker, place, made, [first, second], "once.bin").status_code == 200
    assert finish(tracker, place, made, [first, second], "once.bin").status_code == 404
    assert put(tracker, made["credentials"][1], b"late").status_code == 401
    assert tracker.call("GET", FILES + place + "/once.bin").content == b"a" * 10 + b"c"


def test_what_is_given_up_is_gone(world, tracker, place):
    made = begin(tracker, place, 2, "gone.bin")
    first = put(tracker, made["credentials"][0], b"a" * 10)
    tracker.ok("POST", MPU + "abort/" + place, {"path": "gone.bin", "upload_id": made["upload_id"]})
    assert put(tracker, made["credentials"][1], b"b").status_code == 401
    assert finish(tracker, place, made, [first, first], "gone.bin").status_code == 404
    assert tracker.call("GET", FILES + place + "/gone.bin").status_code == 404
    assert world.service.sql("SELECT count(*) FROM chancery.multipart_part").strip() == "0"


def test_only_who_began_an_upload_ends_it(world, tracker, place):
    """CVE-2026-2651: multipart uploads into another's experiment were not authorised."""
    made = begin(tracker, place, 1, "mine.bin")
    put(tracker, made["credentials"][0], b"a")
    body = {"path": "mine.bin", "upload_id": made["upload_id"], "parts": []}
    other = Tracker(world["project-owner"])
    for step in ("complete", "abort"):
        assert other.call("POST", MPU + f"{step}/{place}", body).status_code == 404
        assert Tracker(world["reader"]).call("POST", MPU + f"{step}/{place}", body).status_code == 403
        assert Tracker(world.foreign_admin, "claims").call("POST", MPU + f"{step}/{place}", body).status_code == 404
    assert Tracker(world["reader"]).call("POST", MPU + "create/" + place, {"path": "x"}).status_code == 403
    assert Tracker(world.foreign_admin, "claims").call("POST", MPU + "create/" + place, {"path": "x"}).status_code == 404


@pytest.mark.parametrize("body", [{}, {"path": ""}, {"path": "a/"}, {"path": "x/.."}, {"path": "x/."}, {"path": "%2e%2e"},
                                  {"path": "a\u0000b"}, {"path": "x" * 600}, {"path": "x", "num_parts": 0},
                                  {"path": "x", "num_parts": 10001}, {"path": 1.5}])
def test_an_upload_that_is_none(world, tracker, place, body):
    reply = tracker.call("POST", MPU + "create/" + place, body)
    assert 400 <= reply.status_code < 500, reply.text
    assert world.service.sql("SELECT count(*) FROM chancery.multipart WHERE path LIKE '%..%'").strip() == "0"


def test_an_expired_ticket_and_upload(world, tracker, place):
    made = begin(tracker, place, 1, "late.bin")
    world.service.sql(f"UPDATE chancery.multipart SET expires_at = now() WHERE id = '{made['upload_id']}'")
    assert put(tracker, made["credentials"][0], b"x").status_code == 401


def peak(service):
    status = open(f"/proc/{service.process.pid}/status").read()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.mark.skipif(os.environ.get("CHANCERY_LONG") != "1", reason="takes a minute; CHANCERY_LONG=1 runs it")
def test_a_gigabyte_in_parts_with_flat_memory(world, tracker, place):
    piece, count = os.urandom(16 << 20), 64
    made = begin(tracker, place, count, "giga.bin")
    before, began = peak(world.service), time.monotonic()
    replies = [put(tracker, c, piece) for c in made["credentials"]]
    assert {r.status_code for r in replies} == {200}
    assert finish(tracker, place, made, replies, "giga.bin").status_code == 200
    took, grown = time.monotonic() - began, peak(world.service) - before
    print(f"1 GiB in {count} parts: {took:.1f} s, peak memory +{grown / 1024:.1f} MiB")
    assert grown < 64 << 10
    wanted = hashlib.sha256()
    for _ in range(count):
        wanted.update(piece)
    seen = hashlib.sha256()
    with tracker.client.session.get(tracker.client.service.url + FILES + place + "/giga.bin", stream=True, headers={
            "Authorization": "Bearer " + tracker.client.token, "X-MLFLOW-WORKSPACE": "credit"}) as reply:
        for chunk in reply.iter_content(1 << 20):
            seen.update(chunk)
    assert seen.digest() == wanted.digest()
