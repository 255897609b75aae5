# SPDX-License-Identifier: Apache-2.0
"""What bad input gets: a clear refusal that names the member or the limit, and nothing is changed."""
import base64
import hashlib
import hmac
import json
import re
import secrets
import socket
import subprocess
import time
import urllib.parse

import pytest
import raw
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from service import BUILD, DATA

P = "/v1/projects/credit"
BYTES = {"Content-Type": "application/octet-stream"}
BODY_MAX = 1 << 20


def refused(reply, status, code=None, *says):
    assert reply.status_code == status, f"{reply.status_code} {reply.text[:300]}"
    error = reply.json()["error"]
    if code:
        assert error["code"] == code, reply.text
    for word in says:
        assert word in error["message"] or word == error.get("target"), f"{word!r} is not in {reply.text[:300]}"
    return error


@pytest.fixture(scope="module")
def owner(world):
    """Somebody who may change everything that is tried here, so that only the input is at fault."""
    owner = world["project-owner"]
    owner.ok("PUT", P + "/models/risk", {})
    owner.ok("PUT", P + "/datasets/cancer", {})
    owner.ok("POST", P + "/models/risk/versions", {})
    owner.upload_dataset("credit", "iris", DATA / "iris.csv")
    owner.ok("PUT", P + "/endpoints/risk", {})
    owner.job = owner.ok("POST", P + "/jobs", {"kind": "train", "input": "datasets/iris/versions/1", "target": "species",
                                               "output": "models/iris", "trainer": "logistic"})
    return owner


@pytest.fixture
def untouched(world, owner):
    with world.service.unchanged():
        yield


# Bodies that are not the JSON a route wants.

MALFORMED = {
    "nothing but garbage": b"hello",
    "a cut off object": b'{"description": "x"',
    "two values": b'{} {}',
    "a text without end": b'{"description": "x}',
    "a trailing comma": b'{"description": "x",}',
    "invalid UTF-8": b'{"description": "\xff\xfe"}',
    "overlong UTF-8": b'{"description": "\xc0\xae"}',
    "half a surrogate": b'{"description": "\\ud800"}',
    "an escaped NUL": b'{"description": "a\\u0000b"}',
    "a bare NUL": b'{"description": "a\x00b"}',
    "not a number": b'{"description": NaN}',
    "a number beyond doubles": b'{"description": 1e999}',
    "100,000 open lists": b"[" * 100000,
    "100,000 open objects": b'{"tags":' * 100000,
    "a byte order mark": b"\xef\xbb\xbf{}",
    "single quotes": b"{'description': 'x'}",
    "a comment": b"{/* x */}",
    "a list": b"[]",
    "a text": b'"description"',
    "a number": b"1",
    "null": b"null",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_json(owner, untouched, body):
    reply = owner.put(P + "/models/risk", data=body, headers={"Content-Type": "application/json"})
    error = refused(reply, 400, "invalid")
    assert len(error["message"]) > 10


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                                  "application/xml", "application/json-seq"])
def test_other_content_types(owner, untouched, kind):
    refused(owner.put(P + "/models/risk", data=b"{}", headers={"Content-Type": kind}), 415, "media-type",
            "application/json")


def test_a_body_over_the_limit_is_refused_before_it_is_sent(world, owner, untouched):
    with raw.connect(world.service) as connection:
        connection.sendall(raw.request("PUT", P + "/models/risk", owner.token, "Content-Type: application/json",
                                       f"Content-Length: {BODY_MAX + 1}"))
        refused(raw.receive(connection), 413, "too-large")


def test_a_chunked_body_over_the_limit(world, owner, untouched):
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    with raw.connect(world.service) as connection:
        try:
            connection.sendall(raw.request("PUT", P + "/models/risk", owner.token, "Content-Type: application/json",
                                           "Transfer-Encoding: chunked"))
            for _ in range(20):
                connection.sendall(chunk)
        except OSError:
            pass  # it may stop reading as soon as it has answered
        refused(raw.receive(connection), 413, "too-large")


def test_duplicate_members(owner, untouched):
    for body in (b'{"description": "a", "description": "b"}', b'{"tags": {"k": "1", "k": "2"}}',
                 b'{"description": "a", "d\\u0065scription": "b"}'):
        reply = owner.put(P + "/models/risk", data=body, headers={"Content-Type": "application/json"})
        refused(reply, 400, "invalid", "duplicate")


# Generated from the interface: every member of every body, missing, misspelt, of wrong types and out of bounds.

@pytest.fixture(scope="module")
def interface(service):
    return service.client().ok("GET", "/openapi.json")


@pytest.fixture(scope="module")
def actors(world, owner):
    """Who may call a route, tried in this order."""
    people = {"tenant-admin": world["tenant-admin"], "project-owner": owner, "approver": world["approver"],
              "data-scientist": world["data-scientist"], "platform-operator": world.admin}
    actions = {name: {b for r in c.ok("GET", "/v1/me")["roles"]
                      for b in world.admin.ok("GET", "/v1/roles/" + r["role"])["actions"]}
               for name, c in people.items()}
    return people, actions


def bodies(interface):
    """(method, path, schema) of every route with a JSON body."""
    for path, methods in interface["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            if schema and schema.get("type") == "object":
                yield method.upper(), path, schema


def real_path(path, owner):
    """With things that exist, so that the body is what is refused."""
    values = {"project": "credit", "name": "risk" if "/models/" in path else "cancer", "version": "1", "alias": "shadow",
              "key": "k", "endpoint": "risk", "job": owner.job["id"], "approval": owner.job["approval"],
              "user": "the-reader", "id": "00000000-0000-7000-8000-000000000000"}
    if "/datasets/" in path:
        values["name"] = "iris"
    if "/service-accounts/" in path:
        values["name"] = "nobody"
    return re.sub(r"{([a-z_-]+)[+%]?}", lambda m: values.get(m.group(1), "x"), path)


def example(schema):
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {n: example(s) for n, s in schema.get("properties", {}).items() if n in schema.get("required", [])}
    if kind == "string" and schema.get("format") == "date-time":
        return "2030-01-01T00:00:00.000Z"
    return {"string": "x" * max(1, schema.get("minLength", 1)), "integer": schema.get("minimum", 1), "number": 0.5,
            "boolean": True, "array": ["x"] * schema.get("minItems", 0), None: None}[kind]


WRONG = {"string": [1, True, [], {}], "integer": ["1", 1.5, True, [], {}], "number": ["1", True, [], {}],
         "boolean": ["true", 1, [], {}], "object": ["x", 1, [], True], "array": ["x", 1, {}, True]}


def mutations(schema):
    """(what, body, member that must be named)"""
    base = example(schema)
    yield "unknown", {**base, "surprise": 1}, "surprise"
    for name, member in schema.get("properties", {}).items():
        if name in schema.get("required", []):
            yield "missing " + name, {n: v for n, v in base.items() if n != name}, name
            yield "null " + name, {**base, name: None}, name
        kinds = member.get("type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        kind = next((k for k in kinds if k != "null"), None)
        for value in WRONG.get(kind, []):
            yield f"{name}={value!r}", {**base, name: value}, name
        if "enum" in member:
            yield name + " of no choice", {**base, name: "no-such-choice"}, name
        if "maxLength" in member:
            yield name + " too long", {**base, name: "x" * (member["maxLength"] + 1)}, name
        for key, step in (("minimum", -1), ("maximum", 1)):
            if key in member and abs(member[key]) < 2 ** 53:
                yield name + " beyond " + key, {**base, name: member[key] + step}, name
        if member.get("minLength", 0) > 0:
            yield name + " empty", {**base, name: ""}, name
        if "pattern" in member:
            yield name + " that is no name", {**base, name: "No Name"}, name
        if "maxItems" in member:
            yield name + " of numbers", {**base, name: [1]}, name
            yield name + " of too many", {**base, name: ["x"] * (member["maxItems"] + 1)}, name
        if kind == "integer":
            yield name + " of 20 digits", {**base, name: 10 ** 19}, "too big integer"
        if kind == "object" and member.get("properties"):
            for what, inner, culprit in mutations(member):
                yield f"{name}: {what}", {**base, name: inner}, culprit


def test_every_member_of_every_body(world, owner, actors, interface):
    people, actions = actors
    table = {(r["method"], r["path"]): r for r in
             json.loads(subprocess.run([BUILD / "chanceryd", "routes", "--json"], capture_output=True, check=True,
                                       text=True).stdout)}
    wrong, tried, routes = [], 0, 0
    before = world.service.rows()
    for method, path, schema in bodies(interface):
        route = next((r for (m, p), r in table.items() if m == method and re.sub("[+%]}", "}", p) == path), None)
        assert route, (method, path)
        if "/mlflow" in path or path.startswith("/scim/"):
            continue  # protocols of others: unknown members are ignored, errors have another shape
        name = next((n for n in people if route["action"] in ("public", "anyone") or route["action"] in actions[n]), None)
        assert name, route
        routes += 1
        for what, body, member in mutations(schema):
            reply = people[name].request(method, real_path(path, owner), body)
            tried += 1
            error = reply.json().get("error") if "json" in reply.headers.get("Content-Type", "") else None
            good = reply.status_code == 400 and isinstance(error, dict) and error["code"] == "invalid"
            if not good or member not in error["message"] + str(error.get("target")):
                wrong.append(f"{name}: {method} {path} {what} -> {reply.status_code} {reply.text[:160]}")
    print(f"{tried} bodies at {routes} routes")
    assert not wrong, "\n".join(wrong)
    assert world.service.rows() == before
    assert routes > 20 and tried > 200


# Names.

BAD_NAMES = ["A", "Risk", "ä", "-a", ".a", "_a", "a b", "a:b", "a@b", "a+b", "a~b", "x" * 64, "x" * 300, "а", "a'b",
             'a"b', "a;b", "a$b", "a\u202eb", "ａ"]
PUTS = {"project": "/v1/projects/{}", "model": P + "/models/{}", "dataset": P + "/datasets/{}",
        "endpoint": P + "/endpoints/{}", "alias": P + "/models/risk/aliases/{}"}
POSTS = {"user": ("/v1/users", "name", {}), "service account": ("/v1/service-accounts", "name", {}),
         "approval's alias": (P + "/approvals", "alias", {"action": "promote", "subject": "models/risk/versions/1"})}
JOB = {"kind": "train", "input": "datasets/iris/versions/1", "target": "species", "trainer": "logistic"}


@pytest.mark.parametrize("kind", PUTS)
def test_names_in_paths(world, owner, untouched, kind):
    body = {"version": 1} if kind == "alias" else {}
    who = world["tenant-admin"] if kind == "project" else owner
    for name in BAD_NAMES:
        reply = who.put(PUTS[kind].format(urllib.parse.quote(name, safe="")), body)
        assert reply.status_code == 400, f"{name!r}: {reply.status_code} {reply.text[:200]}"
        refused(reply, 400, "invalid")


@pytest.mark.parametrize("kind", POSTS)
def test_names_in_bodies(world, owner, untouched, kind):
    path, member, body = POSTS[kind]
    who = owner if "approval" in kind else world["tenant-admin"]
    for name in [*BAD_NAMES, "", "a/b", "a\\b", "a\n", "..", "a\u0001b"]:
        reply = who.post(path, {**body, member: name})
        assert reply.status_code == 400, f"{name!r}: {reply.status_code} {reply.text[:200]}"
        refused(reply, 400, "invalid", member)


def test_keys_and_values_of_tags(owner, untouched):
    """Tags are people's words: any text that is one line, without the colon that ends a key."""
    for key in ("", "a:b", "a\nb", "x" * 300, "\u007f"):
        refused(owner.put(P + "/models/risk", {"tags": {key: "x"}}), 400, "invalid", "tag")
    for value in (1, None, [], {}, True, "x" * 100000):
        refused(owner.put(P + "/models/risk", {"tags": {"k": value}}), 400, "invalid", "k")
    refused(owner.put(P + "/models/risk", {"tags": {f"k{i}": "x" for i in range(1000)}}), 400, "invalid", "tags")


def test_names_of_tenants(world, owner, untouched):
    for name in [*BAD_NAMES, "", "a/b", "..", "a\\b"]:
        refused(world.admin.post("/v1/tenants", {"name": name}), 400, "invalid", "name")


def test_names_in_references(owner, untouched):
    for output in ["models/" + n for n in [*BAD_NAMES, "", "..", "a/b", "a/versions/1"]] + ["risk", "datasets/x", "/models/x"]:
        refused(owner.post(P + "/jobs", {**JOB, "output": output}), 400, "invalid", "output")
    for subject in ["models/risk", "models/risk/versions/0", "models/risk/versions/-1", "models/risk/versions/1x",
                    "models/../versions/1", "datasets/iris/versions/1/", "models/RISK/versions/1",
                    "models/risk/versions/99999999999999999999", "/models/risk/versions/1"]:
        reply = owner.post(P + "/approvals", {"action": "promote", "subject": subject, "alias": "production"})
        assert reply.status_code in (400, 404), f"{subject}: {reply.status_code} {reply.text}"


def test_the_longest_name_is_good(world, owner):
    name = "0" + "a._-" * 15 + "zz"
    assert len(name) == 63
    for path in ("/v1/projects/", P + "/models/", P + "/datasets/"):
        world["tenant-admin"].ok("PUT", path + name, {})


# Paths.

FILE_TRICKS = ["..", ".", "a/..", "../a", "a/../b", "a/./b", "a//b", "/a", "a/", "%2e%2e", "%2E%2e/x", ".%2e", "a/%2e%2e/b",
               "%00", "a%00.csv", "a%2fb", "%2fetc%2fpasswd", "a%5cb", "a\\b", "..%5c..%5cx", "%2e%2e%2fx", "%", "%g1", "%c0%ae%c0%ae",
               "%ff", "a%0ab", "a%7f", "a%c2%85b", "/", "//", "x" * 513, "%252e%252e/%00", "/etc/passwd"]


@pytest.mark.parametrize("trick", FILE_TRICKS, ids=range(len(FILE_TRICKS)))
def test_path_tricks_on_files(world, owner, untouched, trick):
    target = f"{P}/models/risk/versions/1/files/{trick}"
    for method in ("PUT", "GET", "DELETE"):
        body = b"bytes" if method == "PUT" else b""
        reply = raw.exchange(world.service, raw.request(method, target, owner.token, body=body))
        assert reply.status_code in (400, 404, 405), f"{method} {trick}: {reply.status_code} {reply.text[:200]}"
        assert method != "PUT" or reply.status_code in (400, 404), reply.text


def test_path_tricks_in_upload_requests(owner, untouched):
    for path in ["..", "../x", "/x", "x/", "a//b", "a/../b", "a/./b", "a\\b", "a\u0001b", "", "x" * 513, "a\u0085b"]:
        refused(owner.post(P + "/models/risk/versions/1/uploads", {"path": path, "size": 1}), 400, "invalid", "path")


ROUTE_TRICKS = ["//v1/projects", "/v1//projects", "/v1/projects/", "/v1/./projects", "/v1/../v1/projects", "/v1/%2e/projects",
                "/v1/%2e%2e/v1/projects", "/v1/projects%2fcredit", "/v1/projects%5ccredit", "/v1\\projects",
                "/v1/projects/credit%00", "/v1/projects/%00", "/v1/projects/credit/%2e%2e/credit", "/V1/projects",
                "/v1/projects/credit;x=1", "/v1/projects/%", "/v1/projects/%zz", "/v1/projects/%c0%af", "v1/projects",
                "http://localhost/v1/projects", "*", "/v1/projects#x", "/v1/projects?limit=%00", "/../../etc/passwd",
                "/v1/projects/credit/models/risk/versions/1/files/../../../../../../../../etc/passwd",
                "/" + "a/" * 2000, "/v1/projects/" + "a" * 9000, "/v1/audit/log/tile/../checkpoint",
                "/v1/audit/log/tile/%2e%2e/%2e%2e/vkey", "/v1/projects/credit%2f..%2fother", "/api/v1%2fnamespaces",
                "/v1/projects/credit/models/risk%2fversions%2f1", "/api/v1/namespaces/a%2f..%2fb", "/api/v1/namespaces/..%2fx",
                "/api/v1/namespaces/x%2f.", "/api/v1/namespaces/a%5cb", "/api/v1/namespaces/a%2f%00", "/api/v1/namespaces/%2e%2e%2fx",
                "/api/v1/namespaces/a/jobs%2fb", "/v1/projects/credit/models/risk/versions/1/files/a%2fb", "/v1/audit/log/tile/0//000"]


@pytest.mark.parametrize("target", ROUTE_TRICKS, ids=range(len(ROUTE_TRICKS)))
def test_path_tricks_on_routes(world, untouched, target):
    reply = raw.exchange(world.service, raw.request("GET", target, world["tenant-admin"].token))
    assert reply.status_code in (400, 404, 414), f"{target[:80]}: {reply.status_code} {reply.text[:200]}"


FRAMES = {
    "two Content-Lengths": (["Content-Length: 2", "Content-Length: 3"], b"{}x"),
    "Content-Length beside chunked": (["Content-Length: 2", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    "an unknown encoding": (["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n"),
    "a negative Content-Length": (["Content-Length: -1"], b"{}"),
    "a Content-Length with a sign": (["Content-Length: +2"], b"{}"),
    "a Content-Length that is none": (["Content-Length: 2x"], b"{}"),
    "a chunk size that is none": (["Transfer-Encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk larger than memory": (["Transfer-Encoding: chunked"], b"1ffffffffffffffff\r\n{}"),
    "two Hosts": (["Host: elsewhere", "Content-Length: 2"], b"{}"),
    "two tokens": (["Authorization: Bearer x", "Content-Length: 2"], b"{}"),
}


@pytest.mark.parametrize("headers, body", FRAMES.values(), ids=FRAMES)
def test_frames_that_two_servers_could_read_differently(world, owner, untouched, headers, body):
    data = raw.request("PUT", P + "/models/risk", owner.token, "Content-Type: application/json", *headers)
    reply = raw.exchange(world.service, data + body)
    assert reply.status_code in (400, 413, 0), reply.text


# Uploads.

def pending(owner, name="bytes"):
    owner.ok("PUT", f"{P}/models/{name}", {})
    version = owner.ok("POST", f"{P}/models/{name}/versions", {})
    return f"{P}/models/{name}/versions/{version['number']}"


@pytest.fixture(scope="module")
def version(owner):
    return pending(owner)


def test_an_upload_shorter_than_announced(world, owner, version, untouched):
    for announced, sent in ((1000, 999), (3 << 20, 2 << 20), (10, 0)):
        with raw.connect(world.service) as connection:
            connection.sendall(raw.request("PUT", version + "/files/cut.bin", owner.token, *[f"Content-Length: {announced}"])
                               + b"x" * sent)
            connection.unwrap().shutdown(socket.SHUT_RDWR) if sent == 999 else connection.close()
    time.sleep(0.3)
    assert owner.ok("GET", version + "/files")["value"] == []


def test_a_chunked_upload_that_is_aborted(world, owner, version, untouched):
    for tail in (b"5\r\nhello\r\n", b"5\r\nhel", b"100000\r\n" + b"x" * 70000, b""):
        with raw.connect(world.service) as connection:
            connection.sendall(raw.request("PUT", version + "/files/cut.bin", owner.token, "Transfer-Encoding: chunked") + tail)
    time.sleep(0.3)
    assert owner.ok("GET", version + "/files")["value"] == []


def b64(digest):
    return base64.b64encode(digest).decode()


def test_a_wrong_digest_of_an_upload(owner, version, untouched):
    other = b64(hashlib.sha256(b"other").digest())
    for headers in ({"Content-Digest": f"sha-256=:{other}:"}, {"Digest": f"sha-256={other}"}, {"Digest": f"SHA-256=:{other}:"},
                    {"Content-Digest": f"md5=:AAAA:, sha-256=:{other}:"}):
        reply = owner.put(version + "/files/a.bin", data=b"bytes", headers={**BYTES, **headers})
        refused(reply, 400, "digest-mismatch", "digest")


def test_a_malformed_digest_of_an_upload(owner, version, untouched):
    for value in ("sha-256=:AAAA:", "sha-256=", "sha-256=:!!!:", "sha-256=::"):
        refused(owner.put(version + "/files/a.bin", data=b"bytes", headers={**BYTES, "Content-Digest": value}),
                400, "invalid", "content-digest")


def test_a_right_digest_is_stored(owner):
    version = pending(owner)
    right = b64(hashlib.sha256(b"bytes").digest())
    reply = owner.put(version + "/files/a.bin", data=b"bytes", headers={**BYTES, "Content-Digest": f"sha-256=:{right}:"})
    assert reply.status_code == 201 and reply.json()["sha256"] == hashlib.sha256(b"bytes").hexdigest()
    assert owner.get(version + "/files/a.bin").content == b"bytes"


def test_a_resumable_upload_with_a_wrong_digest_begins_again(owner):
    version = pending(owner)
    data = secrets.token_bytes(1000)
    upload = owner.ok("POST", version + "/uploads", {"path": "a.bin", "size": 1000,
                                                     "sha256": hashlib.sha256(data).hexdigest()})
    place = f"{version}/uploads/{upload['id']}"
    bad = owner.request("PATCH", place, data=b"x" * 1000, headers={**BYTES, "Upload-Offset": "0"})
    refused(bad, 400, "digest-mismatch")
    assert owner.ok("GET", place)["received"] == 0
    assert owner.ok("GET", version + "/files")["value"] == []
    owner.ok("PATCH", place, data=data[:300], headers={**BYTES, "Upload-Offset": "0"})
    refused(owner.request("PATCH", place, data=data[300:], headers={**BYTES, "Upload-Offset": "299"}), 409, "conflict", "300")
    refused(owner.request("PATCH", place, data=data, headers={**BYTES, "Upload-Offset": "300"}), 413, "too-large", "700")
    for offset in ("-1", "x", "", "99999999999999999999"):
        refused(owner.request("PATCH", place, data=b"x", headers={**BYTES, "Upload-Offset": offset}), 400, "invalid",
                "Upload-Offset")
    owner.ok("PATCH", place, data=data[300:], headers={**BYTES, "Upload-Offset": "300"})
    assert owner.get(version + "/files/a.bin").content == data


def test_uploads_of_impossible_size_or_digest(owner, version, untouched):
    for body, member in (({"path": "a", "size": -1}, "size"), ({"path": "a", "size": 1 << 60}, "size"),
                         ({"path": "a", "size": 1, "sha256": "abc"}, "sha256"),
                         ({"path": "a", "size": 1, "sha256": "z" * 64}, "sha256")):
        refused(owner.post(version + "/uploads", body), 400, "invalid", member)


def test_a_file_for_a_version_that_is_ready(owner, untouched):
    refused(owner.put(P + "/datasets/iris/versions/1/files/more.csv", data=b"a\n1\n", headers=BYTES), 409, "conflict", "ready")
    refused(owner.delete(P + "/datasets/iris/versions/1/files/iris.csv"), 409, "conflict", "ready")


# Content that is not what it says.

TABLES = {
    "empty": (b"", "csv"),
    "a row too short": (b"a,b\n1,2\n3\n", "line 3"),
    "a row too long": (b"a,b\n1,2\n3,4,5\n", "line 3"),
    "a quote that never ends": (b'a,b\n1,"x\n2,3\n', "quot"),
    "a quote in the middle": (b'a,b\n1,x"y"\n', "line 2"),
    "text after a quote": (b'a,b\n1,"x"y\n', "line 2"),
    "a NUL": (b"a,b\n1,x\0y\n", "line 2"),
    "two columns of one name": (b"a,a\n1,2\n", "a"),
    "a column without name": (b"a,\n1,2\n", "column"),
    "not UTF-8": (b"a,b\n1,\xff\xfe\n", "UTF-8"),
    "no table at all": (secrets.token_bytes(5000), ""),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), ""),
}


@pytest.mark.parametrize("data, says", TABLES.values(), ids=TABLES)
def test_tables_that_are_none(world, owner, data, says):
    owner.ok("PUT", P + "/datasets/bad", {})
    number = owner.ok("POST", P + "/datasets/bad/versions", {})["number"]
    place = f"{P}/datasets/bad/versions/{number}"
    owner.ok("PUT", place + "/files/bad.csv", data=data, headers=BYTES)
    with world.service.unchanged():
        reply = owner.post(place + "/finalize", {})
        error = refused(reply, 422, "content", "bad.csv")
        assert says.lower() in error["message"].lower(), error
    assert owner.ok("GET", place)["state"] == "pending"


def test_a_job_for_a_column_that_is_not_there(world, owner):
    """Refused at once where the schema is known; and it does not wait for an approver's time."""
    with world.service.unchanged():
        refused(owner.post(P + "/jobs", {**JOB, "output": "models/x", "target": "no_such_column"}), 400, "invalid",
                "target", "no_such_column")
        refused(owner.post(P + "/jobs", {**JOB, "output": "models/x", "features": ["sepal_length", "nope"]}), 400, "invalid",
                "features")
        refused(owner.post(P + "/jobs", {k: v for k, v in {**JOB, "output": "models/x"}.items() if k != "target"}), 400,
                "invalid", "target")
        for member, value in (("test_fraction", -0.1), ("test_fraction", 1.0), ("test_fraction", 2), ("l2", -1),
                              ("max_iterations", 0), ("seed", -1), ("trainer", "forest"), ("kind", "tune")):
            refused(owner.post(P + "/jobs", {**JOB, "output": "models/x", member: value}), 400, "invalid", member)


def test_a_job_on_what_is_not_there(owner, untouched):
    for reference in ("datasets/none/versions/1", "datasets/iris/versions/99", "datasets/iris/versions/@none"):
        reply = owner.post(P + "/jobs", {**JOB, "output": "models/x", "input": reference})
        assert reply.status_code in (400, 404), reply.text
    refused(owner.post(P + "/jobs", {**JOB, "output": "models/x", "input": "models/risk/versions/1"}), 400, "invalid", "input")


ONNX = {
    "empty": b"",
    "text": b"this is not a model",
    "random bytes": secrets.token_bytes(4096),
    "a cut off length": b"\x08\x08\x3a\xff\xff\xff\xff\x0f",
    "a length beyond the end": b"\x3a\x7fabc",
    "a zip file": b"PK\x03\x04" + b"\0" * 100,
    "a pickle": b"\x80\x04cposix\nsystem\n(S'id'\ntR.",
    "only a version": b"\x08\x08",
    "a million nested messages": b"\x3a\x80\x80\x80\x01" * 1000,
}


@pytest.mark.parametrize("data", ONNX.values(), ids=ONNX)
def test_model_files_that_are_none(world, owner, data):
    place = pending(owner, "fake")
    owner.ok("PUT", place + "/files/model.onnx", data=data, headers=BYTES)
    with world.service.unchanged():
        refused(owner.post(place + "/finalize", {}), 422, "content", "model.onnx")
    assert owner.ok("GET", place)["state"] == "pending"


def test_a_version_without_files(world, owner):
    place = pending(owner, "hollow")
    with world.service.unchanged():
        refused(owner.post(place + "/finalize", {}), 409, "conflict", "no files")


# Tokens.

def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts(token):
    head, claims, signature = token.split(".")
    decode = lambda x: base64.urlsafe_b64decode(x + "=" * (-len(x) % 4))
    return json.loads(decode(head)), json.loads(decode(claims)), decode(signature)


def sign(key, head, claims):
    text = b64url(json.dumps(head).encode()) + "." + b64url(json.dumps(claims).encode())
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return text + "." + b64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def hs256(secret, head, claims):
    text = b64url(json.dumps({**head, "alg": "HS256"}).encode()) + "." + b64url(json.dumps(claims).encode())
    return text + "." + b64url(hmac.new(secret, text.encode(), "sha256").digest())


def public_pem(service):
    jwk = service.client().ok("GET", "/oauth2/jwks")["keys"][0]
    number = lambda x: int.from_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)), "big")
    key = ec.EllipticCurvePublicNumbers(number(jwk["x"]), number(jwk["y"]), ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), jwk


def forgeries(service, token):
    head, claims, signature = parts(token)
    text = token.rsplit(".", 1)[0]
    own = ec.generate_private_key(ec.SECP256R1())
    pem, jwk = public_pem(service)
    now = int(time.time())
    yield "no token", ""
    yield "not a token", "hello"
    yield "two parts", text
    yield "four parts", token + ".x"
    yield "no signature", text + "."
    yield "another's signature", sign(own, head, claims)
    yield "alg none", b64url(json.dumps({**head, "alg": "none"}).encode()) + "." + token.split(".")[1] + "."
    yield "alg None, capital", b64url(json.dumps({**head, "alg": "None"}).encode()) + "." + token.split(".")[1] + "."
    yield "HS256 with the public key as secret", hs256(pem, head, claims)
    yield "HS256 with the public key's coordinates", hs256(base64.urlsafe_b64decode(jwk["x"] + "="), head, claims)
    yield "HS256 with the empty secret", hs256(b"", head, claims)
    yield "the key in the header", sign(own, {**head, "jwk": jwk}, claims)
    yield "a key elsewhere", sign(own, {**head, "jku": "https://localhost/jwks", "kid": "x"}, claims)
    yield "an unknown key", sign(own, {**head, "kid": "other"}, claims)
    yield "a key id that is a path", sign(own, {**head, "kid": "../../../../dev/null"}, claims)
    yield "a key id that is SQL", sign(own, {**head, "kid": "x' OR '1'='1"}, claims)
    yield "a critical extension", sign(own, {**head, "crit": ["exp"]}, claims)
    yield "the zero signature", text + "." + b64url(bytes(64))
    yield "a signature bit changed", text + "." + b64url(bytes([signature[0] ^ 1]) + signature[1:])
    yield "a signature cut", text + "." + b64url(signature[:-1])
    yield "a signature in DER", text + "." + b64url(own.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    for name, value in (("sub", claims["sub"][::-1]), ("tenant", "globex"), ("exp", now + 10 ** 6), ("aud", "other")):
        changed = b64url(json.dumps({**claims, name: value}).encode())
        yield f"another {name} under the old signature", f"{token.split('.')[0]}.{changed}.{token.split('.')[2]}"
    yield "a token with a space", token[:20] + " " + token[20:]
    yield "padding", token + "=="
    yield "a made-up access token", "chy_pat_" + secrets.token_hex(16) + b64url(secrets.token_bytes(32))
    yield "a cut access token", "chy_pat_" + secrets.token_hex(16)


def test_forged_tokens(world, untouched):
    wrong = []
    for what, token in forgeries(world.service, world["tenant-admin"].token):
        reply = world.service.client().put("/v1/projects/forged", {}, headers={"Authorization": "Bearer " + token})
        if reply.status_code != 401:
            wrong.append(f"{what}: {reply.status_code} {reply.text[:200]}")
        elif "WWW-Authenticate" not in reply.headers:
            wrong.append(what + ": no WWW-Authenticate")
    assert not wrong, "\n".join(wrong)


def test_a_token_of_100_kB(world, untouched):
    with raw.connect(world.service) as connection:
        data = raw.request("PUT", "/v1/projects/forged", world["tenant-admin"].token + "A" * 100000)
        reply = raw.send_until_answered(connection, [data[at:at + 4096] for at in range(0, len(data), 4096)])
    assert reply.status_code in (400, 401, 431, 0), reply.text


def service_key(service):
    """The service's own signing key, as its key file opens it: tokens that are wrong in one claim only."""
    kid, sealed = service.sql("SELECT kid || ' ' || encode(sealed, 'hex') FROM chancery.signing_key"
                              " ORDER BY created_at DESC LIMIT 1").split()
    sealed = bytes.fromhex(sealed)
    secret = AESGCM((service.home / "home" / "secret.key").read_bytes())
    der = secret.decrypt(sealed[:12], sealed[12:], f"signing key {kid}".encode())
    return kid, serialization.load_der_private_key(der, None)


def test_tokens_that_are_wrong_in_one_claim(world, untouched):
    head, claims, _ = parts(world["tenant-admin"].token)
    kid, key = service_key(world.service)
    now = int(time.time())
    other = world.foreign_admin.ok("GET", "/v1/me")
    client = world.service.client()

    def status(head, claims):
        return client.get("/v1/me", headers={"Authorization": "Bearer " + sign(key, head, claims)}).status_code

    assert head["kid"] == kid and status(head, claims) == 200
    wrong = {
        "expired": {"exp": now - 61, "iat": now - 600}, "without an end": {"exp": None}, "an end that is text": {"exp": str(now + 60)},
        "living too long": {"exp": now + 7200}, "from the future": {"iat": now + 600, "exp": now + 900},
        "not valid yet": {"nbf": now + 600}, "for another audience": {"aud": "other"}, "for a longer audience": {"aud": "chancery2"},
        "for no audience": {"aud": None}, "of another issuer": {"iss": "https://evil.example"}, "of no issuer": {"iss": None},
        "of nobody": {"sub": None}, "of somebody unknown": {"sub": "00000000-0000-7000-8000-000000000000"},
        "of a name instead of an id": {"sub": "the-tenant-admin"}, "of another tenant's person": {"sub": other["id"]},
        "of another tenant": {"tenant_id": parts(world.foreign_admin.token)[1]["tenant_id"]},
        "of no tenant": {"tenant_id": None}, "without id": {"jti": None},
    }
    passed = [what for what, change in wrong.items()
              if status(head, {n: v for n, v in {**claims, **change}.items() if v is not None}) != 401]
    passed += [f"typ {kind}" for kind in ("JWT", "id+jwt", None, "logout+jwt")
               if status({n: v for n, v in {**head, "typ": kind}.items() if v is not None}, claims) != 401]
    passed += [f"alg {a}" for a in ("ES384", "RS256", "es256", None) if status({**head, "alg": a}, claims) != 401]
    assert not passed


def test_other_schemes_and_places_for_tokens(world, untouched):
    token = world["tenant-admin"].token
    basic = base64.b64encode(f"the-tenant-admin:{token}".encode()).decode()
    for value in ("Basic " + basic, "Token " + token, token, "Bearer", "Bearer  ", "Digest x", "Bearer " + token + "," + token):
        reply = world.service.client().put("/v1/projects/forged", {}, headers={"Authorization": value})
        assert reply.status_code == 401, f"{value[:20]}: {reply.status_code} {reply.text}"
    reply = world.service.client().put(f"/v1/projects/forged?access_token={token}", {})
    assert reply.status_code == 401


def test_an_ended_access_token(world):
    made = world["tenant-admin"].ok("POST", "/v1/tokens", {"name": "short", "expires_in": 3600})
    client = world.service.client(made["token"])
    assert client.get("/v1/me").status_code == 200
    world["tenant-admin"].ok("DELETE", "/v1/tokens/" + made["id"])
    with world.service.unchanged():
        assert client.put("/v1/projects/forged", {}).status_code == 401


def test_an_expired_access_token(world):
    made = world["tenant-admin"].ok("POST", "/v1/tokens", {"name": "brief", "expires_in": 2})
    client = world.service.client(made["token"])
    assert client.get("/v1/me").status_code == 200
    time.sleep(2.5)
    with world.service.unchanged():
        assert client.put("/v1/projects/forged", {}).status_code == 401


def test_wrong_tenant(world, owner, untouched):
    """Another tenant's administrator, with everything allowed at home."""
    foreign = world.foreign_admin
    for method, path, body in (("PUT", P + "/models/risk", {}), ("DELETE", P + "/models/risk", None),
                               ("POST", P + "/models/risk/versions", {}), ("PATCH", P, {"description": "mine"}),
                               ("POST", P + "/jobs", JOB), ("PUT", P + "/policy", {}),
                               ("POST", f"{P}/approvals/{owner.job['approval']}/decision", {"verdict": "approve", "reason": "x"}),
                               ("POST", f"{P}/jobs/{owner.job['id']}/cancel", {}), ("PATCH", "/v1/users/the-reader", {"state": "disabled"})):
        reply = foreign.request(method, path, body)
        assert reply.status_code == 404, f"{method} {path}: {reply.status_code} {reply.text}"


# Sign-in.

def test_wrong_credentials_all_sound_alike(world, untouched):
    said = set()
    for tenant, user, password in (("acme", "the-reader", "wrong"), ("acme", "nobody-at-all", "wrong"),
                                   ("no-such-tenant", "the-reader", "wrong"), ("globex", "the-reader", world["reader"].password)):
        reply = world.service.client().post("/v1/login", {"tenant": tenant, "user": user, "password": password})
        refused(reply, 401, "credentials")
        said.add(reply.content)
    assert len(said) == 1


def test_a_bootstrap_code_works_once(world, untouched):
    for code in ("", "x", "A" * 43, secrets.token_urlsafe(32)):
        reply = world.service.client().post("/v1/bootstrap", {"code": code, "tenant": "evil", "user": "eve",
                                                              "password": "a long enough password"})
        assert reply.status_code in (400, 401, 403), reply.text


# Lists.

def test_queries_out_of_bounds(world, owner, untouched):
    for query in ("limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1.5", "limit=99999999999999999999"):
        refused(owner.get("/v1/projects?" + query), 400, "invalid", "limit")
    for path in ("/v1/projects", P + "/models", P + "/jobs", P + "/approvals", "/v1/approvals"):
        for cursor in ("x", "%27%20OR%201=1--", "A" * 2000, "..%2f", "00000000"):
            reply = owner.get(f"{path}?after={cursor}")
            assert reply.status_code in (200, 400), f"{path} {cursor}: {reply.status_code}"
    auditor = world["auditor"]
    for query in ("from=yesterday", "to=2026-13-01T00:00:00Z", "request=x", "actor=x%00", "after=x"):
        reply = auditor.get("/v1/audit?" + query)
        assert reply.status_code == 400, f"{query}: {reply.status_code} {reply.text[:200]}"
