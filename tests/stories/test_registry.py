# SPDX-License-Identifier: Apache-2.0
"""What the registry keeps and how: projects, assets, versions, files, uploads, aliases, approvals."""
import base64
import concurrent.futures
import hashlib
import itertools
import time

import pytest
import raw
from service import person

P = "/v1/projects/credit"
COUNT = itertools.count()
BYTES = {"Content-Type": "application/octet-stream"}


def refused(reply, status, code):
    assert reply.status_code == status, reply.text
    assert reply.json()["error"]["code"] == code, reply.text
    return reply.json()["error"]["message"]


def target(reply):
    return reply.json()["error"].get("target")


@pytest.fixture
def scientist(world):
    return world["data-scientist"]


@pytest.fixture
def owner(world):
    return world["project-owner"]


@pytest.fixture
def model(scientist):
    """The path of a new model."""
    path = f"{P}/models/m{next(COUNT)}"
    scientist.ok("PUT", path, {})
    return path


def version_of(scientist, model, files=None):
    """A ready version holding the files; its JSON."""
    number = scientist.ok("POST", model + "/versions", {})["number"]
    for path, data in (files or {"weights.bin": b"w"}).items():
        scientist.ok("PUT", f"{model}/versions/{number}/files/{path}", data=data, headers={**BYTES})
    return scientist.ok("POST", f"{model}/versions/{number}/finalize")


# Projects.

def test_a_project_is_made_replaced_and_patched(world):
    admin, path = world.admin, f"/v1/projects/p{next(COUNT)}"
    made = admin.put(path, {"description": "one"})
    assert made.status_code == 201 and made.headers["ETag"] == '"1"'
    assert made.json()["policy"] == {"train": {"approvals": 1}, "approval_hours": 720,
                                     "promote": {"approvals": 1, "aliases": ["production"]}, "refuse_pickle": False}
    again = admin.put(path, {"description": "two"})
    assert again.status_code == 200 and again.json()["revision"] == 2
    assert admin.ok("PATCH", path, {"policy": {"train": {"approvals": 0}}})["policy"]["train"] == {"approvals": 0}
    assert admin.ok("GET", path)["description"] == "two"
    assert path.rsplit("/", 1)[1] in [p["name"] for p in admin.ok("GET", "/v1/projects")["value"]]
    admin.ok("DELETE", path)
    assert admin.get(path).status_code == 404
    refused(admin.put(path, {}), 409, "conflict")


@pytest.mark.parametrize("policy, member", [
    ({"train": {"approvals": 11}}, "train"),
    ({"train": {"approvals": -1}}, "train"),
    ({"promote": {"approvals": 0, "aliases": ["production"]}}, "promote"),
    ({"promote": {"approvals": 1, "aliases": []}}, "promote"),
    ({"promote": {"approvals": 1, "aliases": ["Not A Name"]}}, "promote"),
    ({"promote": {"approvals": 1, "aliases": ["a", "a"]}}, "promote"),
    ({"approval_hours": 0}, "approval_hours"),
    ({"approval_hours": 8761}, "approval_hours"),
    ({"surprise": 1}, "surprise"),
])
def test_a_policy_that_cannot_be_kept_is_refused_by_name(owner, policy, member):
    whole = {"train": {"approvals": 1}, "promote": {"approvals": 1, "aliases": ["production"]}, "approval_hours": 720}
    reply = owner.put(P + "/policy", {**whole, **policy})
    assert member in refused(reply, 400, "invalid")
    reply = owner.patch(P, {"policy": policy})
    assert member in refused(reply, 400, "invalid")


def test_changing_the_policy_needs_its_own_permission(scientist, world):
    refused(scientist.put(P + "/policy", {}), 403, "denied")
    refused(scientist.patch(P, {"policy": {"train": {"approvals": 0}}}), 403, "denied")
    assert world.admin.ok("GET", P + "/policy")["train"] == {"approvals": 1}


# Entity tags.

def test_a_change_may_ask_for_the_revision_it_knows(scientist, model):
    refused(scientist.put(model, {}, headers={"If-None-Match": "*"}), 412, "precondition")
    refused(scientist.patch(model, {"description": "x"}, headers={"If-Match": '"7"'}), 412, "precondition")
    refused(scientist.patch(model, {"description": "x"}, headers={"If-Match": 'W/"1"'}), 412, "precondition")
    reply = scientist.patch(model, {"description": "x"}, headers={"If-Match": '"9", "1"'})
    assert reply.status_code == 200 and reply.headers["ETag"] == '"2"'
    refused(scientist.delete(model, headers={"If-Match": '"1"'}), 412, "precondition")
    refused(scientist.put(f"{P}/models/never{next(COUNT)}", {}, headers={"If-Match": "*"}), 412, "precondition")


def test_many_makers_of_one_name_make_it_once(scientist):
    path = f"{P}/models/race{next(COUNT)}"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        codes = sorted(r.status_code for r in pool.map(
            lambda _: scientist.put(path, {}, headers={"If-None-Match": "*"}), range(8)))
    assert codes == [201] + [412] * 7


# Assets.

def test_assets_are_searched_by_beginning_and_tag_and_paged(scientist, world):
    mark = f"s{next(COUNT)}-"
    for i in range(5):
        scientist.ok("PUT", f"{P}/datasets/{mark}{i}", {"tags": {"team": "risk" if i % 2 else "fraud", "n": str(i)}})
    page = scientist.ok("GET", f"{P}/datasets?q={mark}&limit=2")
    names = [a["name"] for a in page["value"]]
    while page.get("nextLink"):
        page = scientist.ok("GET", page["nextLink"])
        names += [a["name"] for a in page["value"]]
    assert names == [f"{mark}{i}" for i in range(5)]
    found = scientist.ok("GET", f"{P}/datasets?q={mark}&tag=team:risk")["value"]
    assert [a["tags"]["n"] for a in found] == ["1", "3"]
    refused(scientist.get(f"{P}/datasets?tag=team"), 400, "invalid")
    refused(scientist.get(f"{P}/datasets?after=!!"), 400, "invalid")
    assert scientist.ok("GET", f"{P}/models?q={mark}")["value"] == []


def test_tags_are_set_and_taken_one_by_one(scientist, model):
    reply = scientist.put(model + "/tags/stage", {"value": "trial"})
    assert (reply.status_code, reply.content) == (204, b"")
    found = scientist.get(model)
    assert found.json()["tags"] == {"stage": "trial"} and found.json()["revision"] == 2
    assert scientist.put(model + "/tags/stage", {"value": "live"},
                         headers={"If-Match": found.headers["ETag"]}).status_code == 204
    refused(scientist.put(model + "/tags/stage", {"value": "x"}, headers={"If-Match": found.headers["ETag"]}),
            412, "precondition")
    refused(scientist.put(model + "/tags/a%3Ab", {"value": "x"}), 400, "invalid")
    assert scientist.put(model + "-absent/tags/stage", {"value": "x"}).status_code == 404
    assert scientist.ok("GET", model)["tags"] == {"stage": "live"}
    scientist.ok("DELETE", model + "/tags/stage")
    assert scientist.delete(model + "/tags/stage").status_code == 404
    refused(scientist.patch(model, {"tags": {"k": 1}}), 400, "invalid")


def test_the_hundred_and_first_tag_is_refused_by_name(scientist, model):
    scientist.ok("PATCH", model, {"tags": {f"t{i}": "x" for i in range(100)}})
    assert scientist.put(model + "/tags/t7", {"value": "y"}).status_code == 204
    error = scientist.put(model + "/tags/one-more", {"value": "x"})
    assert error.status_code == 400 and error.json()["error"]["target"] == "tags"
    assert "100" in error.json()["error"]["message"]
    found = scientist.ok("GET", model)
    assert len(found["tags"]) == 100 and found["tags"]["t7"] == "y"


def test_what_is_deleted_can_come_back_until_it_is_purged(owner, scientist, model):
    version_of(scientist, model)
    owner.ok("DELETE", model)
    assert scientist.get(model).status_code == 404
    assert scientist.get(model + "/versions/1").status_code == 404
    refused(scientist.put(model, {}), 409, "conflict")
    assert model.rsplit("/", 1)[1] in [a["name"] for a in owner.ok("GET", f"{P}/models?state=deleted")["value"]]
    owner.ok("POST", model + "/restore")
    assert scientist.ok("GET", model + "/versions/1")["state"] == "ready"
    refused(owner.post(model + "/purge"), 409, "conflict")
    owner.ok("DELETE", model)
    owner.ok("POST", model + "/purge")
    assert owner.post(model + "/restore").status_code == 404
    assert scientist.put(model, {}).status_code == 201
    assert version_of(scientist, model)["number"] == 2  # numbers are never used again


def test_a_purge_says_what_still_refers(owner, scientist, world, model):
    version = version_of(scientist, model)
    approval = scientist.ok("POST", P + "/approvals", {"action": "promote", "alias": "production",
                                                       "subject": f"models/{version['asset']}/versions/1"})
    owner.ok("DELETE", model)
    assert approval["id"] in refused(owner.post(model + "/purge"), 409, "conflict")


# Versions and files.

def test_a_version_is_what_its_files_are_and_never_changes(scientist, model):
    version = version_of(scientist, model, {"a/b.txt": b"hello", "z.bin": b""})
    assert version["manifest"]["files"] == [
        {"path": "a/b.txt", "size": 5, "sha256": hashlib.sha256(b"hello").hexdigest()},
        {"path": "z.bin", "size": 0, "sha256": hashlib.sha256(b"").hexdigest()}]
    assert version["size"] == 5 and version["ready_at"]
    base = f"{model}/versions/1"
    refused(scientist.put(base + "/files/a/b.txt", data=b"other", headers={**BYTES}), 409, "conflict")
    refused(scientist.delete(base + "/files/z.bin"), 409, "conflict")
    refused(scientist.post(base + "/finalize"), 409, "conflict")
    refused(scientist.post(base + "/uploads", {"path": "x", "size": 1}), 409, "conflict")
    assert version_of(scientist, model, {"z.bin": b"", "a/b.txt": b"hello"})["digest"] == version["digest"]
    assert scientist.ok("PATCH", base, {"description": "words may change"})["revision"] == version["revision"] + 1


def test_an_empty_version_is_not_made_ready(scientist, model):
    scientist.ok("POST", model + "/versions")
    assert "no files" in refused(scientist.post(model + "/versions/1/finalize"), 409, "conflict")


def test_numbers_are_given_once_however_many_ask(scientist, model):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        numbers = sorted(r["number"] for r in pool.map(
            lambda _: scientist.ok("POST", model + "/versions"), range(16)))
    assert numbers == list(range(1, 17))
    listed = [v["number"] for v in scientist.ok("GET", model + "/versions?limit=7")["value"]]
    assert listed == list(range(16, 9, -1))


def test_a_file_comes_back_as_it_was(scientist, world, model):
    data = bytes(range(256)) * 999
    version_of(scientist, model, {"dir/näme (1).bin": data})
    url = f"{model}/versions/1/files/dir/n%C3%A4me%20(1).bin"
    reply = scientist.get(url)
    digest = hashlib.sha256(data).digest()
    assert reply.content == data and reply.headers["ETag"] == f'"{digest.hex()}"'
    assert reply.headers["Content-Digest"] == f"sha-256=:{base64.b64encode(digest).decode()}:"
    assert reply.headers["Content-Disposition"] == "attachment; filename*=UTF-8''n%C3%A4me%20%281%29.bin"
    part = scientist.get(url, headers={"Range": "bytes=1000-1009"})
    assert part.status_code == 206 and part.content == data[1000:1010]
    assert scientist.get(url + "x").status_code == 404


def test_a_pending_file_can_be_replaced_and_removed(scientist, model):
    scientist.ok("POST", model + "/versions")
    base = model + "/versions/1/files"
    scientist.ok("PUT", base + "/a", data=b"one", headers={**BYTES})
    assert scientist.ok("PUT", base + "/a", data=b"three", headers={**BYTES})["size"] == 5
    scientist.ok("PUT", base + "/b", data=b"", headers={**BYTES})
    assert [f["path"] for f in scientist.ok("GET", base)["value"]] == ["a", "b"]
    scientist.ok("DELETE", base + "/b")
    assert [(f["path"], f["size"]) for f in scientist.ok("GET", base)["value"]] == [("a", 5)]


@pytest.mark.parametrize("path", ["..%2Fx", "a%2F..%2Fb", "a//b", "a%5Cb", "%01", "x" * 513, "a%2F.", "%ff"])
def test_a_path_that_could_leave_its_place_is_refused(scientist, world, model, path):
    scientist.ok("POST", model + "/versions")
    reply = raw.exchange(world.service, raw.request("PUT", f"{model}/versions/1/files/{path}", scientist.token, body=b"x"))
    assert reply.status_code in (400, 404), reply.text
    assert scientist.ok("GET", model + "/versions/1/files")["value"] == []


@pytest.mark.parametrize("header", ["Digest", "Content-Digest"])
def test_bytes_with_another_digest_are_refused(scientist, world, model, header):
    scientist.ok("POST", model + "/versions")
    url = model + "/versions/1/files/a"
    good = base64.b64encode(hashlib.sha256(b"right").digest()).decode()
    with world.service.unchanged():
        refused(scientist.put(url, data=b"wrong", headers={**BYTES, header: f"sha-256=:{good}:"}), 400,
                "digest-mismatch")
        refused(scientist.put(url, data=b"right", headers={**BYTES, header: "sha-256=:AAAA:"}), 400, "invalid")
    scientist.ok("PUT", url, data=b"right", headers={**BYTES, header: f"md5=:xx:, sha-256=:{good}:"})


def test_equal_bytes_are_stored_once(scientist, world, model):
    data = b"the same in every version" * 1000
    version_of(scientist, model, {"a": data})
    with_one = {n for n in world.service.files() if n.startswith("blobs/")}
    version_of(scientist, model, {"b": data, "c": data})
    assert {n for n in world.service.files() if n.startswith("blobs/")} == with_one


def test_a_malformed_table_stays_pending_and_says_where(scientist):
    base = f"{P}/datasets/bad{next(COUNT)}"
    scientist.ok("PUT", base)
    scientist.ok("POST", base + "/versions")
    scientist.ok("PUT", base + "/versions/1/files/t.csv", data=b"a,b\n1,2\n3,4,5\n", headers={**BYTES})
    message = refused(scientist.post(base + "/versions/1/finalize"), 422, "content")
    assert "t.csv" in message and "3" in message
    assert scientist.ok("GET", base + "/versions/1")["state"] == "pending"
    scientist.ok("PUT", base + "/versions/1/files/t.csv", data=b"a,b\n1,2\n3,4\n", headers={**BYTES})
    assert scientist.ok("POST", base + "/versions/1/finalize")["manifest"]["rows"] == 2


def test_numbers_beyond_64_bits_in_a_profile_survive(scientist):
    version = scientist.upload_dataset("credit", f"big{next(COUNT)}", b"a,b\n1e20,1\n1e300,2\n-3,3\n")
    assert scientist.ok("GET", f"{P}/datasets/{version['asset']}/versions/1")["digest"] == version["digest"]


def test_a_model_that_does_not_load_is_not_made_ready(scientist, model):
    scientist.ok("POST", model + "/versions")
    scientist.ok("PUT", model + "/versions/1/files/model.onnx", data=b"\x08\x01junk", headers={**BYTES})
    refused(scientist.post(model + "/versions/1/finalize"), 422, "content")
    assert scientist.ok("GET", model + "/versions/1")["state"] == "pending"


def test_a_version_is_deleted_unless_something_means_it(owner, scientist, model):
    version_of(scientist, model)
    scientist.ok("PUT", model + "/aliases/best", {"version": 1})
    assert "best" in refused(owner.delete(model + "/versions/1"), 409, "conflict")
    scientist.ok("DELETE", model + "/aliases/best")
    owner.ok("DELETE", model + "/versions/1")
    assert scientist.get(model + "/versions/1").status_code == 404
    scientist.ok("POST", model + "/versions")
    scientist.ok("PUT", model + "/versions/2/files/x", data=b"x", headers={**BYTES})
    owner.ok("DELETE", model + "/versions/2")
    assert scientist.ok("POST", model + "/versions")["number"] == 3


# Resumable uploads.

def patch(client, url, offset, data, **headers):
    return client.request("PATCH", url, data=data, headers={**BYTES, "Upload-Offset": str(offset), **headers})


def begin(client, model, data, sha256=None):
    client.ok("POST", model + "/versions")
    body = {"path": "big.bin", "size": len(data)}
    if sha256:
        body["sha256"] = sha256
    reply = client.post(model + "/versions/1/uploads", body)
    assert reply.status_code == 201 and reply.json()["received"] == 0
    return reply.headers["Location"]


def test_an_upload_goes_on_where_it_stopped(scientist, model):
    data = bytes(range(251)) * 4000
    url = begin(scientist, model, data, hashlib.sha256(data).hexdigest())
    assert patch(scientist, url, 0, data[:300000]).json()["received"] == 300000
    message = refused(patch(scientist, url, 0, data), 409, "conflict")
    assert "300000" in message
    assert scientist.get(url).json()["received"] == 300000
    refused(patch(scientist, url, 300000, data), 413, "too-large")
    done = patch(scientist, url, 300000, data[300000:])
    assert done.status_code == 200 and done.json()["received"] == len(data), done.text
    assert scientist.get(url).status_code == 404
    assert scientist.get(model + "/versions/1/files/big.bin").content == data


def broken_off(service, head, part):
    """Headers that announce more bytes than come before the connection ends."""
    with raw.connect(service) as connection:
        connection.sendall(head + part)
        time.sleep(0.3)


def test_what_came_before_a_connection_broke_is_kept(scientist, world, model):
    data = bytes(range(256)) * 2000
    url = begin(scientist, model, data)
    head = raw.request("PATCH", url, scientist.token, f"Content-Length: {len(data)}", "Upload-Offset: 0")
    broken_off(world.service, head, data[:200000])
    end = time.monotonic() + 10
    while (received := scientist.ok("GET", url)["received"]) == 0 and time.monotonic() < end:
        time.sleep(0.1)
    assert 0 < received <= 200000
    assert patch(scientist, url, received, data[received:]).status_code == 200
    assert scientist.get(model + "/versions/1/files/big.bin").content == data


def test_a_truncated_file_is_not_stored(scientist, world, model):
    scientist.ok("POST", model + "/versions")
    with world.service.unchanged():
        head = raw.request("PUT", model + "/versions/1/files/a", scientist.token, "Content-Length: 1000")
        broken_off(world.service, head, b"only this")
    assert scientist.ok("GET", model + "/versions/1/files")["value"] == []


def test_an_upload_with_the_wrong_digest_begins_again(scientist, model):
    data = b"0123456789"
    url = begin(scientist, model, data, hashlib.sha256(data).hexdigest())
    refused(patch(scientist, url, 0, b"012345678X"), 400, "digest-mismatch")
    assert scientist.get(url).json()["received"] == 0
    assert patch(scientist, url, 0, data).status_code == 200
    assert scientist.get(model + "/versions/1/files/big.bin").content == data


def test_an_upload_needs_an_offset_and_can_be_given_up(scientist, model):
    url = begin(scientist, model, b"xyz")
    refused(scientist.request("PATCH", url, data=b"x", headers={**BYTES}), 400, "invalid")
    scientist.ok("DELETE", url)
    assert patch(scientist, url, 0, b"xyz").status_code == 404


def test_writers_of_one_upload_do_not_mix(scientist, model):
    data = b"ab" * 200000
    url = begin(scientist, model, data)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        codes = sorted(r.status_code for r in pool.map(lambda _: patch(scientist, url, 0, data), range(6)))
    assert codes[0] == 200 and set(codes[1:]) <= {404, 409}, codes
    assert scientist.get(model + "/versions/1/files/big.bin").content == data


# Aliases and approvals.

def test_an_alias_remembers_what_it_meant(scientist, model):
    for _ in range(2):
        version_of(scientist, model)
    for number in (1, 2, 1):
        scientist.ok("PUT", model + "/aliases/staging", {"version": number})
    scientist.ok("DELETE", model + "/aliases/staging")
    history = scientist.ok("GET", model + "/aliases/staging/history")["value"]
    assert [h["version"] for h in history] == [0, 1, 2, 1]
    assert scientist.put(model + "/aliases/staging", {"version": 9}).status_code == 404
    assert scientist.get(model + "/versions/@staging").status_code == 404


def decide(client, approval, verdict="approve", **more):
    return client.post(f"{P}/approvals/{approval['id']}/decision", {"verdict": verdict, "reason": "because", **more})


def ask(client, version, alias="production"):
    return client.ok("POST", P + "/approvals", {"action": "promote", "alias": alias,
                                                "subject": f"models/{version['asset']}/versions/{version['number']}"})


def test_a_decision_is_about_what_was_shown(world, scientist, model):
    approver = world["approver"]
    approval = ask(scientist, version_of(scientist, model))
    refused(decide(approver, approval, evidence_digest="0" * 64), 409, "conflict")
    done = decide(approver, approval, evidence_digest=approval["evidence_digest"]).json()
    assert done["state"] == "approved" and done["decisions"][0]["by"] == "the-approver"
    assert scientist.ok("GET", model)["aliases"] == {"production": 1}
    refused(decide(approver, approval), 409, "conflict")


def test_who_put_a_file_into_anothers_version_cannot_approve_it(world, scientist, model):
    both = person(world.service, world.admin, f"both{next(COUNT)}", [("approver", "credit"), ("data-scientist", "credit")])
    scientist.ok("POST", model + "/versions")
    both.ok("PUT", model + "/versions/1/files/weights.bin", data=b"theirs", headers={**BYTES})
    scientist.ok("POST", model + "/versions/1/finalize")
    approval = ask(scientist, {"asset": model.rsplit("/", 1)[1], "number": 1})
    assert "author" in refused(decide(both, approval), 403, "four-eyes")
    assert decide(world["approver"], approval).json()["state"] == "approved"


def test_an_approval_given_on_stale_evidence_is_void(world, scientist, model):
    approver = world["approver"]
    first, second = ask(scientist, version_of(scientist, model)), ask(scientist, version_of(scientist, model))
    assert decide(approver, first).json()["state"] == "approved"
    assert decide(approver, second).json()["state"] == "void"  # production was nothing, and is 1 now
    assert scientist.ok("GET", model)["aliases"] == {"production": 1}
    third = ask(scientist, {"asset": model.rsplit("/", 1)[1], "number": 2})
    assert third["evidence"]["current"]["number"] == 1
    assert decide(approver, third).json()["state"] == "approved"
    owner = world["project-owner"]
    assert owner.put(model + "/aliases/production", {"version": 1}).status_code == 200  # its approval still holds


def test_of_promotions_approved_at_once_one_is_void(world, scientist, model):
    requests = [ask(scientist, version_of(scientist, model)) for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        states = sorted(r.json()["state"] for r in pool.map(lambda a: decide(world["approver"], a), requests))
    assert states == ["approved", "void", "void", "void"]
    assert len(scientist.ok("GET", model + "/aliases/production/history")["value"]) == 1


def test_the_same_thing_is_asked_for_once(scientist, model):
    version = version_of(scientist, model)
    ask(scientist, version)
    refused(scientist.post(P + "/approvals", {"action": "promote", "alias": "production",
                                              "subject": f"models/{version['asset']}/versions/1"}), 409, "exists")


def test_two_of_two_means_two_people(world, scientist, model):
    admin, approver = world.admin, world["approver"]
    project = f"two{next(COUNT)}"
    admin.ok("PUT", f"/v1/projects/{project}", {"policy": {
        "train": {"approvals": 1}, "promote": {"approvals": 2, "aliases": ["production"]}, "approval_hours": 1}})
    for who, role in ((scientist, "data-scientist"), (approver, "approver")):
        admin.ok("POST", "/v1/bindings", {"principal": who.name, "role": role, "scope": "project", "project": project})
    second = person(world.service, admin, f"second{next(COUNT)}", [("approver", project)])
    base = f"/v1/projects/{project}"
    scientist.ok("PUT", base + "/models/m")
    version_of(scientist, base + "/models/m")
    approval = scientist.ok("POST", base + "/approvals", {"action": "promote", "alias": "production",
                                                          "subject": "models/m/versions/1"})
    url = f"{base}/approvals/{approval['id']}/decision"
    yes = {"verdict": "approve", "reason": "fine"}
    assert approver.ok("POST", url, yes)["state"] == "pending"
    refused(approver.post(url, yes), 403, "four-eyes")
    inbox = second.ok("GET", "/v1/approvals?state=pending")["value"]
    assert approval["id"] in [a["id"] for a in inbox]
    assert second.ok("POST", url, yes)["state"] == "approved"


def test_a_request_is_withdrawn_by_who_made_it(world, scientist, model):
    approval = ask(scientist, version_of(scientist, model))
    other = person(world.service, world.admin, f"other{next(COUNT)}", [("data-scientist", "credit")])
    url = f"{P}/approvals/{approval['id']}/revoke"
    refused(other.post(url, {"reason": "not mine"}), 403, "denied")
    assert scientist.ok("POST", url, {"reason": "a mistake"})["state"] == "revoked"
    refused(decide(world["approver"], approval), 409, "conflict")


def test_a_deleted_version_voids_what_was_asked(owner, world, scientist, model):
    approval = ask(scientist, version_of(scientist, model))
    owner.ok("DELETE", model + "/versions/1")
    assert world["approver"].ok("GET", f"{P}/approvals/{approval['id']}")["state"] == "void"


def test_a_request_names_a_ready_version(scientist, model):
    scientist.ok("POST", model + "/versions")
    name = model.rsplit("/", 1)[1]
    body = {"action": "promote", "alias": "production"}
    refused(scientist.post(P + "/approvals", {**body, "subject": f"models/{name}/versions/1"}), 409, "conflict")
    for subject in (f"models/{name}/versions/2", f"models/{name}", "x", f"models/{name}/versions/1/files/a"):
        reply = scientist.post(P + "/approvals", {**body, "subject": subject})
        refused(reply, 400, "invalid")
        assert target(reply) == "subject"


def test_z_uploads_survive_a_kill(world, scientist, model):
    data = bytes(range(256)) * 1000
    url = begin(scientist, model, data, hashlib.sha256(data).hexdigest())
    assert patch(scientist, url, 0, data[:100000]).status_code == 200
    world.service.kill()
    world.service.start()  # on another port, so with another issuer: everybody signs in anew
    for somebody in [*world.people.values()]:
        login = {"tenant": "acme", "user": somebody.name, "password": somebody.password}
        somebody.token = world.service.client().post("/v1/login", login).json()["access_token"]
    assert scientist.get(url).json()["received"] == 100000
    done = patch(scientist, url, 100000, data[100000:])
    assert done.status_code == 200, done.text
    assert scientist.get(model + "/versions/1/files/big.bin").content == data
