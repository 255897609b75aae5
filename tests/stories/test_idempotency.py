# SPDX-License-Identifier: Apache-2.0
"""A POST that is sent again with the same Idempotency-Key is done once."""
import concurrent.futures
import secrets

import pytest


@pytest.fixture(scope="module")
def owner(world):
    world["project-owner"].ok("PUT", "/v1/projects/credit/models/once", {})
    return world["project-owner"]


VERSIONS = "/v1/projects/credit/models/once/versions"


def again(client, key, path=VERSIONS, body=None):
    return client.post(path, body or {}, headers={"Idempotency-Key": key})


def test_the_second_answer_is_the_first_one(owner):
    key = secrets.token_hex(8)
    first, second = again(owner, key), again(owner, key)
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert "Idempotency-Replayed" not in first.headers and second.headers["Idempotency-Replayed"] == "true"


def test_another_request_under_the_same_key_is_refused(owner):
    key = secrets.token_hex(8)
    assert again(owner, key).status_code == 201
    other = again(owner, key, body={"description": "another"})
    assert other.status_code == 409 and other.json()["error"]["code"] == "conflict"


def test_ten_at_once_make_one_version(owner):
    key = secrets.token_hex(8)
    before = owner.ok("GET", "/v1/projects/credit/models/once")["versions"]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: again(owner, key), range(10)))
    assert {r.status_code for r in replies} == {201}
    assert len({r.json()["number"] for r in replies}) == 1
    assert owner.ok("GET", "/v1/projects/credit/models/once")["versions"] == before + 1


def test_keys_belong_to_their_caller(world, owner):
    key = secrets.token_hex(8)
    mine, theirs = again(owner, key), again(world["data-scientist"], key)
    assert mine.json()["number"] != theirs.json()["number"]


def test_what_was_refused_may_be_tried_again(world, owner):
    key = secrets.token_hex(8)
    path = "/v1/projects/credit/models/later/versions"
    assert again(owner, key, path).status_code == 404
    owner.ok("PUT", "/v1/projects/credit/models/later", {})
    assert again(owner, key, path).status_code == 201


def test_a_kept_secret_is_sealed(world):
    key = secrets.token_hex(8)
    first = again(world["data-scientist"], key, "/v1/tokens", {"name": "kept"})
    token = first.json()["token"]
    assert again(world["data-scientist"], key, "/v1/tokens", {"name": "kept"}).json()["token"] == token
    kept = world.service.sql("SELECT encode(answer, 'escape') FROM chancery.idempotency_key")
    assert token not in kept


@pytest.mark.parametrize("length", [256, 4000])
def test_a_key_out_of_bounds_is_named(owner, length):
    reply = again(owner, "x" * length)
    assert reply.status_code == 400 and "Idempotency-Key" in reply.json()["error"]["message"]
