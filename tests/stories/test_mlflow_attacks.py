# SPDX-License-Identifier: Apache-2.0
"""What MLflow's servers were broken with, sent to ours: each a clean 4xx, nothing read, written or fetched."""
import http.server
import json
import threading

import pytest
import raw
from service import person
from test_mlflow import API, Tracker

FILES = "/api/2.0/mlflow-artifacts/artifacts/"
SECRET = "root:"


@pytest.fixture(scope="module")
def tracker(world):
    return Tracker(world["data-scientist"])


@pytest.fixture(scope="module")
def run(tracker):
    made = tracker.run()
    tracker.ok("PUT", f"{FILES}0/{made}/artifacts/model/MLmodel", data=b"x")
    tracker.ok("POST", "/registered-models/create", {"name": "held"})
    return made


@pytest.fixture(scope="module")
def listener():
    """Counts who asks it for anything."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
        do_POST = do_PUT = do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.asked = asked
    yield server
    server.shutdown()


def send(tracker, method, target, body=b"", *headers):
    """Exactly these bytes as the target."""
    with raw.connect(tracker.client.service) as connection:
        connection.sendall(raw.request(method, target, tracker.client.token, f"X-MLFLOW-WORKSPACE: {tracker.project}",
                                       "Connection: close", *headers, body=body))
        return raw.receive(connection)


def clean(reply):
    assert 400 <= reply.status_code < 500, f"{reply.status_code} {reply.text[:300]}"
    assert SECRET not in reply.text and "<html" not in reply.text.lower()
    return True


SOURCES = {
    "CVE-2023-1177 file": "file:///etc", "CVE-2023-1177 proc": "//proc/self/root", "CVE-2023-1176 absolute": "/etc/passwd",
    "CVE-2023-2356 http": "http://127.0.0.1:%d/api/2.0/mlflow-artifacts/artifacts/../../../",
    "CVE-2023-2356 artifacts": "mlflow-artifacts://127.0.0.1:%d/../../etc", "CVE-2023-2780 dot": "file://./etc/passwd",
    "CVE-2023-2780 backslash": "file:\\..\\..\\etc", "CVE-2023-6909 query": "http:///?/../../../../etc/",
    "CVE-2024-3848 fragment": "http:///#/../../../../etc/", "CVE-2024-1593 params": "http:///;/../../../../etc/",
    "CVE-2024-1558 scheme": "local://etc", "CVE-2024-3573 upper": "FILE:///etc/passwd", "CVE-2024-8859 dbfs": "dbfs:/etc/passwd",
    "CVE-2025-11201 traversal": "mlflow-artifacts:/0/../../../../etc", "encoded": "mlflow-artifacts:/%2e%2e/%2e%2e/etc/passwd",
    "twice": "mlflow-artifacts:/%252e%252e/etc", "runs": "runs:/../../etc/passwd", "runs encoded": "runs:/RUN/..%2f..%2fetc",
    "runs traversal": "runs:/RUN/../../../../etc", "models": "models:/../../etc", "models version": "models:/held/0",
    "models missing": "models:/m-00000000000000000000000000000000", "s3": "s3://bucket/key", "ftp": "ftp://127.0.0.1:%d/x",
    "metadata": "http://169.254.169.254/latest/meta-data/", "jar": "jar:file:///etc!/x", "root": "mlflow-artifacts:/0",
    "nul": "mlflow-artifacts:/0/RUN/artifacts/model\0", "empty": "", "elsewhere": "mlflow-artifacts:/1/RUN/artifacts/model",
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("prompt", [False, True], ids=["", "CVE-2026-2614 prompt tag"])
def test_a_source_is_never_dereferenced(tracker, run, listener, name, prompt):
    source = SOURCES[name].replace("%d", str(listener.server_port)).replace("RUN", run)
    body = {"name": "held", "source": source, "run_id": run,
            "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}] if prompt else []}
    with tracker.client.service.unchanged():
        assert clean(tracker.call("POST", "/model-versions/create", body))
        for prefix in ("/model-versions/get-artifact", "/get-artifact", "/ajax-api/2.0/mlflow/get-artifact"):
            assert tracker.client.get(f"{prefix}?name=held&version=1&path=passwd&run_uuid={run}").status_code == 404
    assert not listener.asked


@pytest.mark.parametrize("location", ["http:///?/../../../../etc/", "http:///#/../../etc", "file:///etc", "s3://x", "/etc", "mlflow-artifacts:/x",
                                      "x" * 3000])
def test_an_artifact_location_is_never_the_clients(tracker, location):
    with tracker.client.service.unchanged():
        assert clean(tracker.call("POST", "/experiments/create", {"name": "located", "artifact_location": location}))


TRAVERSALS = ["../../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc%2fpasswd", "%252E%252E%252F%252E%252E%252Fetc",
              "%2e%2e%5c%2e%2e", "..\\..\\etc", "a/../../b", "a//b", "./a", "%00", "a%00b", "%0d%0aX:%20y", "%c0%ae%c0%ae/etc", "%ff",
              "%2e", "a/.", "a/..", "%25%32%65%25%32%65/x", "a%2fb%252fc", "n" * 600, "/etc/passwd", "%2fetc%2fpasswd", "%u002e%u002e/x%2e%2e"]


@pytest.mark.parametrize("path", TRAVERSALS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_no_path_leaves_its_run(tracker, run, method, path):
    """CVE-2023-6831, CVE-2024-1560, CVE-2023-6015, -6975, -6976, -6018 and what is like them."""
    with tracker.client.service.unchanged():
        for base in (FILES, FILES.replace("/api/", "/ajax-api/"), "/api/2.0/mlflow-artifacts/mpu/create/",
                     "/api/2.0/mlflow-artifacts/presigned/"):
            for start in ("", f"0/{run}/artifacts/", f"0/{run}/"):
                assert clean(send(tracker, method, base + start + path, b"evil" if method == "PUT" else b""))


@pytest.mark.parametrize("target", ["", ".", "%2e", "/", "0", "workspaces/ws1", "0/{run}", "0/{run}/artifacts", "0/{run}/artifacts/",
                                    "0/models", "registered-models/held", "registered-models/held/1", "0/{run}/artifacts/.", "*"])
def test_a_root_is_not_deleted(tracker, run, target):
    with tracker.client.service.unchanged():
        assert clean(send(tracker, "DELETE", FILES + target.replace("{run}", run)))


@pytest.mark.parametrize("path", ["../../etc", "%2e%2e", "/etc", "0/../..", "a\\b", "..", "\x01"])
def test_lists_stay_inside(tracker, run, path):
    assert clean(tracker.call("GET", "/artifacts/list", {"run_id": run, "path": path}))
    assert clean(tracker.call("GET", FILES[:-1], {"path": path}))
    assert clean(tracker.call("GET", FILES[:-1], {"path": f"0/{run}/artifacts/{path}"}))


def test_CVE_2024_4263_who_may_not_write_may_not_delete(world, run):
    for who in ("reader", "approver", "auditor"):
        other = Tracker(world[who])
        with world.service.unchanged():
            for method in ("DELETE", "PUT"):
                body = {"data": b"x"} if method == "PUT" else {}
                assert other.call(method, f"{FILES}0/{run}/artifacts/model/MLmodel", **body).status_code == 403
        assert other.call("GET", f"{FILES}0/{run}/artifacts/model/MLmodel").status_code == 403


def test_CVE_2026_2651_every_upload_route_asks_who(world, run):
    stranger = Tracker(person(world.service, world.admin, "uploader"))
    nobody = Tracker(world.service.client())
    foreign = Tracker(world.foreign_admin, "claims")
    with world.service.unchanged():
        for path in (f"mpu/create/0/{run}/artifacts/model", f"mpu/complete/0/{run}/artifacts/model", f"mpu/abort/0/{run}/artifacts/m"):
            assert nobody.call("POST", "/api/2.0/mlflow-artifacts/" + path, {}).status_code == 401
            assert stranger.call("POST", "/api/2.0/mlflow-artifacts/" + path, {}).status_code == 404
        assert foreign.call("PUT", f"{FILES}0/{run}/artifacts/model/evil", data=b"x").status_code == 404
        assert foreign.call("GET", f"{FILES}0/{run}/artifacts/model/MLmodel").status_code in (403, 404)


def test_CVE_2026_2652_nothing_of_mlflows_is_open(world):
    nobody = world.service.client()
    for path in ("/v1/traces", "/ajax-api/3.0/jobs/1", "/ajax-api/3.0/mlflow/jobs", "/graphql", "/api/2.0/mlflow/gateway-proxy",
                 "/ajax-api/2.0/mlflow/upload-artifact", "/signup", "/api/2.0/mlflow/users/create", "/get-artifact"):
        for method in ("GET", "POST"):
            assert nobody.request(method, path).status_code in (401, 404, 405, 415)


def test_CVE_2023_6014_no_spelling_of_a_path_goes_round_the_check(world):
    for path in ("//api/2.0/mlflow/runs/search", "/API/2.0/mlflow/runs/search", "/api/2.0/mlflow/runs/search/", "/api//2.0/mlflow/runs/search",
                 "/api/2.0/mlflow/runs%2fsearch", "/api/./2.0/mlflow/runs/search", "/static/../api/2.0/mlflow/runs/search",
                 "/ajax-api/2.0/mlflow/runs/search", "/api/2.0/mlflow/runs/search;x", "/api/2.0/mlflow/experiments/search"):
        with raw.connect(world.service) as connection:
            connection.sendall(raw.request("POST", path, None, "Content-Type: application/json", "Connection: close", body=b"{}"))
            assert clean(raw.receive(connection))


def test_a_workspace_header_is_one_project(world, tracker, run):
    body = json.dumps({"run_id": run, "key": "a", "value": "b"}).encode()
    for headers in (("X-MLFLOW-WORKSPACE: claims", "X-MLFLOW-WORKSPACE: credit"), ("X-MLFLOW-WORKSPACE: claims, credit",),
                    ("X-MLFLOW-WORKSPACE: claims\tcredit",)):
        with world.service.unchanged(), raw.connect(world.service) as connection:
            connection.sendall(raw.request("POST", API + "/runs/set-tag", world.foreign_admin.token, *headers, "Connection: close",
                                           "Content-Type: application/json", body=body))
            assert clean(raw.receive(connection))


def test_CVE_2023_43472_no_form_of_another_site(tracker, run):
    with tracker.client.service.unchanged():
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; application/json"):
            reply = tracker.call("POST", "/runs/set-tag", None, data=json.dumps({"run_id": run, "key": "a", "value": "b"}),
                                 headers={"Content-Type": kind})
            assert clean(reply) and kind not in reply.text


def test_CVE_2023_6568_nothing_is_echoed_as_html(tracker):
    evil = "<script>alert(1)</script>"
    for reply in (tracker.call("GET", "/experiments/get-by-name", {"experiment_name": evil}),
                  tracker.call("POST", "/runs/search", {"filter": evil}),
                  tracker.call("POST", "/runs/search", None, data="{}", headers={"Content-Type": "text/" + evil})):
        assert "html" not in reply.headers["Content-Type"] and reply.headers["X-Content-Type-Options"] == "nosniff"


def test_an_artifact_is_saved_and_never_shown(tracker, run):
    tracker.ok("PUT", f"{FILES}0/{run}/artifacts/page.html", data=b"<script>alert(1)</script>")
    reply = tracker.call("GET", f"{FILES}0/{run}/artifacts/page.html")
    assert reply.headers["Content-Disposition"].startswith("attachment")
    assert reply.headers["Content-Type"] == "application/octet-stream" and reply.headers["X-Content-Type-Options"] == "nosniff"


def test_CVE_2026_2611_no_site_is_let_in(tracker):
    reply = tracker.call("POST", "/experiments/search", {}, headers={"Origin": "https://evil.example"})
    assert not any(name.lower().startswith("access-control") for name in reply.headers)


def test_CVE_2024_6838_names_have_a_length(tracker):
    with tracker.client.service.unchanged():
        for body in ({"name": "n" * 501}, {"name": "n" * 900000}, {"name": "a", "tags": [{"key": "k" * 300, "value": "v"}]}):
            assert clean(tracker.call("POST", "/experiments/create", body))


def test_CVE_2024_3099_a_name_that_cannot_be_deleted_cannot_be_made(tracker):
    with tracker.client.service.unchanged():
        for name in ("a%2fb", "a/b", "../x", "a b", "a\\b", "%00", "", "x" * 300, "a:b"):
            assert clean(tracker.call("POST", "/registered-models/create", {"name": name}))


@pytest.mark.parametrize("body", [b"[" * 100000, b'{"a":' * 50000, b'{"run_id":{}}', b"null", b'"{}"', b"{", b"\xff", b'{"run_id":"\\u0000"}',
                                  b'{"max_results":1e400}', b'{"max_results":99999999999999999999}', b'{"max_results":-1}'])
def test_odd_bodies(tracker, body):
    for path in ("/runs/search", "/runs/log-batch", "/experiments/create", "/model-versions/create", "/logged-models"):
        reply = tracker.call("POST", path, None, data=body, headers={"Content-Type": "application/json"})
        assert reply.status_code < 500, (path, reply.text)


def test_a_sealed_version_stays_what_it_is(tracker, run):
    """What is registered is not what happens to lie where it came from."""
    tracker.ok("POST", "/registered-models/create", {"name": "sealed"})
    tracker.ok("POST", "/model-versions/create", {"name": "sealed", "source": f"runs:/{run}/model", "run_id": run})
    place = tracker.ok("GET", "/model-versions/get-download-uri", {"name": "sealed", "version": "1"})["artifact_uri"]
    path = FILES + place.removeprefix("mlflow-artifacts:/")
    before = tracker.call("GET", path + "/MLmodel").content
    tracker.ok("PUT", f"{FILES}0/{run}/artifacts/model/MLmodel", data=b"evil")
    assert tracker.call("GET", path + "/MLmodel").content == before == b"x"
    with tracker.client.service.unchanged():
        assert tracker.call("PUT", path + "/MLmodel", data=b"evil").status_code == 403
        assert tracker.call("DELETE", path + "/MLmodel").status_code == 403


def test_files_come_whole_empty_and_in_ranges(tracker, run):
    place = f"{FILES}0/{run}/artifacts/plain"
    tracker.ok("PUT", place, data=b"0123456789")
    part = tracker.call("GET", place, headers={"Range": "bytes=2-4"})
    assert part.status_code == 206 and part.content == b"234"
    tracker.ok("PUT", place, data=iter(()))  # chunked, and nothing
    assert tracker.call("GET", place).content == b""
    reply = tracker.call("GET", f"/api/2.0/mlflow-artifacts/presigned/0/{run}/artifacts/x")
    assert reply.status_code == 501 and reply.json()["error_code"] == "NOT_IMPLEMENTED"
    assert clean(tracker.call("PUT", place + "/below", data=b"x"))
