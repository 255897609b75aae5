# SPDX-License-Identifier: Apache-2.0
"""Webhooks as MLflow's clients set them up: signed, tried again, logged, and never inside."""
import base64
import hashlib
import hmac
import http.server
import ipaddress
import json
import socket
import ssl
import threading
import time

import pytest
from idp import certificate
from service import Service, World
from test_mlflow import Tracker

PROMPT = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    ca, key = certificate(tmp_path_factory.mktemp("receiver"))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.seen.append((self.path, dict(self.headers), body))
            status = self.server.answers.pop(0) if self.server.answers else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(b"thanks")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.seen, server.answers = [], []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca, key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.ca, server.port = ca, server.server_address[1]
    server.url = f"https://localhost:{server.port}/hook"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


@pytest.fixture(scope="module")
def service(receiver):
    started = Service(None, "--outbound-ca", str(receiver.ca), "--outbound-private", f"localhost:{receiver.port}")
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def world(service):
    return World(service)


@pytest.fixture(scope="module")
def owner(world):
    return Tracker(world["project-owner"])


def event(text):
    entity, action = text.upper().split(".")
    return {"entity": entity, "action": action}


def hook(owner, name, url, *events, **more):
    return owner.ok("POST", "/webhooks", {"name": name, "url": url, "events": [event(e) for e in events], **more})["webhook"]


def wait_for(receiver, count, path="/hook"):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = [s for s in receiver.seen if s[0] == path]
        if len(found) >= count:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{len([s for s in receiver.seen if s[0] == path])} of {count} messages came")


def test_what_happens_is_told_and_signed(world, owner, receiver):
    made = hook(owner, "all-of-it", receiver.url, "registered_model.created", "model_version.created", "model_version_tag.set",
                "model_version_tag.deleted", "model_version_alias.created", "model_version_alias.deleted", "prompt.created",
                "prompt_version.created", "prompt_alias.created", secret="a secret of ours", description="d")
    assert made["status"] == "ACTIVE" and "secret" not in json.dumps(made) and len(made["events"]) == 9
    tracker = Tracker(world["data-scientist"])
    run = tracker.run()
    tracker.ok("PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/m/MLmodel", data=b"x")
    tracker.ok("POST", "/registered-models/create", {"name": "told", "tags": [{"key": "a", "value": "b"}]})
    tracker.ok("POST", "/model-versions/create", {"name": "told", "source": f"runs:/{run}/m"})
    tracker.ok("POST", "/model-versions/set-tag", {"name": "told", "version": "1", "key": "k", "value": "v"})
    tracker.ok("DELETE", "/model-versions/delete-tag", {"name": "told", "version": "1", "key": "k"})
    tracker.ok("POST", "/registered-models/alias", {"name": "told", "alias": "staging", "version": "1"})
    tracker.ok("DELETE", "/registered-models/alias", {"name": "told", "alias": "staging"})
    tracker.ok("POST", "/registered-models/create", {"name": "asked", "tags": PROMPT})
    tracker.ok("POST", "/model-versions/create", {"name": "asked", "source": "x", "tags": PROMPT + [
        {"key": "mlflow.prompt.text", "value": "Hi {{you}}"}]})
    tracker.ok("POST", "/registered-models/alias", {"name": "asked", "alias": "best", "version": "1"})
    seen = wait_for(receiver, 9)
    told = {}
    for _, headers, body in seen:
        message = json.loads(body)
        told[f"{message['entity']}.{message['action']}"] = message["data"]
        signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body.decode()}".encode()
        wanted = base64.b64encode(hmac.new(b"a secret of ours", signed, hashlib.sha256).digest()).decode()
        assert headers["X-MLflow-Signature"] == "v1," + wanted and message["workspace"] == "credit"
    assert told["registered_model.created"] == {"name": "told", "tags": {"a": "b"}, "description": ""}
    assert told["model_version.created"] == {"name": "told", "version": "1", "source": f"runs:/{run}/m", "run_id": run, "tags": {},
                                             "description": ""}
    assert told["model_version_tag.set"] == {"name": "told", "version": "1", "key": "k", "value": "v"}
    assert told["model_version_tag.deleted"] == {"name": "told", "version": "1", "key": "k"}
    assert told["model_version_alias.created"] == {"name": "told", "alias": "staging", "version": "1"}
    assert told["model_version_alias.deleted"] == {"name": "told", "alias": "staging"}
    assert told["prompt_version.created"]["template"] == "Hi {{you}}" and told["prompt_alias.created"]["alias"] == "best"
    log = world["project-owner"].ok("GET", f"/v1/projects/credit/webhooks/{made['webhook_id']}/deliveries?limit=5")
    assert len(log["value"]) == 5 and {d["state"] for d in log["value"]} <= {"delivered", "pending"} and log["nextLink"]
    owner.ok("DELETE", f"/webhooks/{made['webhook_id']}", {})


def test_a_failure_is_tried_again_and_a_refusal_is_not(world, owner, receiver):
    made = hook(owner, "stumbling", receiver.url.replace("/hook", "/stumble"), "registered_model.created")
    receiver.answers[:] = [503, 429, 200]
    Tracker(world["data-scientist"]).ok("POST", "/registered-models/create", {"name": "twice"})
    seen = wait_for(receiver, 3, "/stumble")
    assert len({h["X-MLflow-Delivery-Id"] for _, h, _ in seen}) == 1 and "X-MLflow-Signature" not in seen[0][1]
    place = f"/v1/projects/credit/webhooks/{made['webhook_id']}/deliveries"

    def last(state):
        end = time.monotonic() + 15
        while time.monotonic() < end:
            found = world["project-owner"].ok("GET", place)["value"][0]
            if found["state"] == state:
                return found
            time.sleep(0.1)
        raise AssertionError(found)

    assert last("delivered")["attempts"] == 3
    receiver.answers[:] = [302]
    Tracker(world["data-scientist"]).ok("POST", "/registered-models/create", {"name": "thrice"})
    assert last("failed")["status"] == 302 and not [s for s in receiver.seen if s[0] == "/elsewhere"]
    owner.ok("PATCH", f"/webhooks/{made['webhook_id']}", {"status": "DISABLED"})
    count = len(receiver.seen)
    Tracker(world["data-scientist"]).ok("POST", "/registered-models/create", {"name": "unheard"})
    time.sleep(1.5)
    assert len(receiver.seen) == count


def test_a_test_sends_an_example_at_once(owner, receiver):
    made = hook(owner, "tested", receiver.url.replace("/hook", "/test"), "model_version.created", "prompt.created")
    result = owner.ok("POST", f"/webhooks/{made['webhook_id']}/test", {})["result"]
    assert result == {"success": True, "response_status": 200, "response_body": "thanks"}
    owner.ok("POST", f"/webhooks/{made['webhook_id']}/test", {"event": event("prompt.created")})
    bodies = [json.loads(b) for p, _, b in receiver.seen if p == "/test"]
    assert [b["entity"] for b in bodies] == ["model_version", "prompt"]
    receiver.answers[:] = [404]
    assert owner.ok("POST", f"/webhooks/{made['webhook_id']}/test", {})["result"]["success"] is False


def test_changing_and_listing(owner, receiver):
    made = [hook(owner, f"listed-{i}", receiver.url, "prompt.created") for i in range(3)]
    changed = owner.ok("PATCH", f"/webhooks/{made[0]['webhook_id']}", {"name": "renamed", "events": [event("prompt_tag.set")]})["webhook"]
    assert changed["name"] == "renamed" and changed["events"] == [event("prompt_tag.set")] and changed["url"] == receiver.url
    seen, token = [], None
    while token != "":
        page = owner.ok("GET", "/webhooks", {"max_results": 2, **({"page_token": token} if token else {})})
        seen += [w["name"] for w in page["webhooks"]]
        token = page.get("next_page_token") or ""
    assert seen == sorted(seen) and {"renamed", "listed-1", "listed-2"} <= set(seen)
    owner.refused("POST", "/webhooks", {"name": "listed-1", "url": receiver.url, "events": [event("prompt.created")]},
                  "RESOURCE_ALREADY_EXISTS")
    for bad in ({"name": "-x"}, {"name": "a b"}, {"events": []}, {"events": [{"entity": "RUN", "action": "CREATED"}]}, {"url": ""},
                {"status": "SLEEPING"}, {"secret": "x" * 1001}, {"events": [{"entity": "PROMPT", "action": "DELETED"}]}):
        owner.refused("POST", "/webhooks", {"name": "good", "url": receiver.url, "events": [event("prompt.created")], **bad},
                      "INVALID_PARAMETER_VALUE")
    for made_one in made:
        owner.ok("DELETE", f"/webhooks/{made_one['webhook_id']}", {})
    owner.refused("GET", f"/webhooks/{made[0]['webhook_id']}", None, "RESOURCE_DOES_NOT_EXIST", status=404)


INSIDE = ["https://169.254.169.254/latest", "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f.0.0.1/",
          "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://10.0.0.1/", "https://0.0.0.0/",
          "https://localhost/", "https://a.localhost/", "http://example.com/", "file:///etc/passwd", "gopher://x/", "https://u:p@example.com/",
          "https://example.com/#f", "//example.com", "https://", "https://100.64.0.1/", "https://192.168.1.1:8443/"]


@pytest.mark.parametrize("url", INSIDE)
def test_CVE_2026_2393_a_webhook_never_goes_inside(world, owner, url):
    """Refused when it is made and when it is changed."""
    with world.service.unchanged():
        owner.refused("POST", "/webhooks", {"name": "inside", "url": url, "events": [event("prompt.created")]},
                      "INVALID_PARAMETER_VALUE", "URL")


def resolves(name):
    try:
        return ipaddress.ip_address(socket.getaddrinfo(name, 1)[0][4][0]).is_global is False
    except OSError:
        return False


def test_CVE_2026_2393_a_name_that_leads_inside(world, owner, receiver):
    """A name is judged by the address that is connected to; this machine's own leads inside."""
    name = next((n for n in ("ip6-localhost", socket.gethostname()) if resolves(n)), None)
    if name is None:
        pytest.skip("this machine has no other name that leads inside")
    made = hook(owner, "rebinding", f"https://{name}:{receiver.port}/inside", "prompt.created")
    result = owner.ok("POST", f"/webhooks/{made['webhook_id']}/test", {})["result"]
    assert result["success"] is False and "address" in result["error_message"], result
    assert not [s for s in receiver.seen if s[0] == "/inside"]
    owner.refused("PATCH", f"/webhooks/{made['webhook_id']}", {"url": "https://127.0.0.1/"}, "INVALID_PARAMETER_VALUE", "URL")


def test_only_who_manages_the_project(world, owner, receiver):
    made = hook(owner, "managed", receiver.url, "prompt.created", secret="do not show")
    reader = Tracker(world["reader"])
    assert "do not show" not in reader.call("GET", f"/webhooks/{made['webhook_id']}").text
    for method, path in (("POST", "/webhooks"), ("PATCH", f"/webhooks/{made['webhook_id']}"),
                         ("DELETE", f"/webhooks/{made['webhook_id']}"), ("POST", f"/webhooks/{made['webhook_id']}/test")):
        assert reader.call(method, path, {}).status_code == 403
        assert Tracker(world.foreign_admin, "claims").call(method, path, {}).status_code in (400, 404)
    entries = world["auditor"].ok("GET", "/v1/audit?limit=200")["value"]
    assert "do not show" not in json.dumps(entries)
