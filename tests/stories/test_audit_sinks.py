# SPDX-License-Identifier: Apache-2.0
"""Outside copies of the log: signed webhooks, syslog over TLS, files. Nothing is lost, nobody waits."""
import base64
import contextlib
import datetime
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
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from service import PATIENCE, Service, World

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def service():
    started = Service(None, "--listen", f"127.0.0.1:{free_port()}", "--audit-private-targets", "true")
    try:
        yield started.start()
    finally:
        started.close()


@pytest.fixture(scope="module")
def identity(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1: (server context, PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "collector")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
                   .serial_number(1).not_valid_before(now - datetime.timedelta(1))
                   .not_valid_after(now + datetime.timedelta(1))
                   .add_extension(x509.BasicConstraints(True, None), True)
                   .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
                   .sign(key, hashes.SHA256()))
    folder = tmp_path_factory.mktemp("tls")
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "cert").write_bytes(pem)
    (folder / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                   serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context, pem.decode()


class Receiver:
    """A webhook that answers 500 as often as told, and keeps what it took."""

    def __init__(self, context, failures=0, port=0):
        self.taken, self.refused, self.failures, outer = [], 0, failures, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.check(self.headers, body)
                status = 200
                if outer.failures > 0:
                    outer.failures, outer.refused, status = outer.failures - 1, outer.refused + 1, 500
                else:
                    outer.taken.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def check(self, headers, body):
        """As Standard Webhooks verifies."""
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.new(base64.b64decode(SECRET), signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == "v1," + mac
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60

    def indexes(self):
        return [e["metadata"]["sequence"] for batch in self.taken for e in batch["events"]]


def write(world, count, name="s"):
    for i in range(count):
        world.admin.ok("PUT", f"/v1/projects/{name}{i % 5}", {"description": str(i)})
    world.admin.ok("PUT", f"/v1/projects/{name}-end?wait=sequenced", {})


def await_all(world, name, limit=PATIENCE):
    """Until the sink has everything that was signed when we began to wait."""
    size = int(world["auditor"].get("/v1/audit/log/checkpoint").text.split("\n")[1])
    end = time.monotonic() + limit
    while (sink := world["auditor"].ok("GET", f"/v1/audit/sinks/{name}"))["next"] < size and time.monotonic() < end:
        time.sleep(0.2)
    assert sink["next"] >= size, sink
    return size


def test_a_webhook_gets_every_entry_in_order_through_failures_and_a_kill(world, identity):
    context, pem = identity
    receiver = Receiver(context, failures=2)
    world.admin.ok("PUT", "/v1/audit/sinks/siem", {"kind": "webhook", "target": f"https://127.0.0.1:{receiver.port}/in",
                                                   "secret": "whsec_" + SECRET, "ca": pem, "from_index": 0})
    write(world, 10)
    await_all(world, "siem")
    assert receiver.refused == 2
    write(world, 30)
    world.service.kill()
    world.service.start()
    write(world, 10)
    size = await_all(world, "siem")
    got = receiver.indexes()
    assert sorted(set(got)) == list(range(len(set(got)))) and len(set(got)) >= size, "none is missing"
    first_seen = list(dict.fromkeys(got))
    assert first_seen == sorted(first_seen), "in order"
    event = receiver.taken[-1]["events"][-1]
    assert event["class_uid"] == 6003 and event["type_uid"] == 600300 + event["activity_id"]
    assert event["metadata"]["product"]["name"] == "Chancery" and event["api"]["operation"] == "put_project"
    assert event["actor"]["user"]["name"] == "admin" and event["status_id"] == 1 and event["time"] > 1.7e12
    assert SECRET not in json.dumps(world["auditor"].ok("GET", "/v1/audit?action=put_audit_sink"))
    assert SECRET not in world["auditor"].get("/v1/audit/sinks").text
    world.admin.ok("DELETE", "/v1/audit/sinks/siem")


def test_a_hung_sink_delays_no_request(world, identity):
    _, pem = identity
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        world.admin.ok("PUT", "/v1/audit/sinks/hung", {
            "kind": "webhook", "target": f"https://127.0.0.1:{silent.getsockname()[1]}/", "secret": SECRET, "ca": pem})
        began = time.monotonic()
        write(world, 20)
        assert time.monotonic() - began < 5
        end = time.monotonic() + PATIENCE
        while not (sink := world["auditor"].ok("GET", "/v1/audit/sinks/hung"))["failures"] and time.monotonic() < end:
            time.sleep(0.3)
        assert sink["failures"] >= 1 and "TLS" in sink["problem"]
    world.admin.ok("DELETE", "/v1/audit/sinks/hung")


def test_a_stranger_in_the_collectors_place_gets_nothing(world, identity):
    context, _ = identity
    receiver = Receiver(context)
    world.admin.ok("PUT", "/v1/audit/sinks/strange", {"kind": "webhook", "secret": SECRET, "from_index": 0,
                                                      "target": f"https://127.0.0.1:{receiver.port}/"})
    write(world, 2)
    end = time.monotonic() + PATIENCE
    while not (sink := world["auditor"].ok("GET", "/v1/audit/sinks/strange"))["failures"] and time.monotonic() < end:
        time.sleep(0.3)
    assert "self-signed" in sink["problem"] and receiver.taken == []
    world.admin.ok("DELETE", "/v1/audit/sinks/strange")


def read_frames(data):
    """RFC 6587 octet counting."""
    while data:
        length, _, rest = data.partition(b" ")
        yield rest[:int(length)].decode()
        data = rest[int(length):]


def test_syslog_over_tls(world, identity):
    context, pem = identity
    got, listener = [], socket.create_server(("127.0.0.1", 0))

    def collect():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as tls:
                    data = b""
                    while part := tls.recv(65536):
                        data += part
                    got.extend(read_frames(data))

    threading.Thread(target=collect, daemon=True).start()
    world.admin.ok("PUT", "/v1/audit/sinks/log", {"kind": "syslog", "ca": pem, "from_index": 0,
                                                  "target": f"syslog+tls://127.0.0.1:{listener.getsockname()[1]}"})
    world["reader"].put("/v1/projects/credit", {})
    write(world, 5)
    size = await_all(world, "log")
    listener.close()
    indexes = []
    for message in got:
        head, _, event = message.partition("] ")
        priority, when, host, app, process, kind, _ = head.split(" ", 6)
        assert priority in ("<109>1", "<108>1") and (host, app, process, kind) == ("-", "chancery", "-", "audit")
        datetime.datetime.fromisoformat(when.replace("Z", "+00:00"))
        indexes.append(json.loads(event)["metadata"]["sequence"])
    assert sorted(set(indexes))[:size] == list(range(size))
    assert any(m.startswith("<108>1") for m in got)
    world.admin.ok("DELETE", "/v1/audit/sinks/log")


def test_files_that_turn_over(world):
    world.admin.ok("PUT", "/v1/audit/sinks/disk", {"kind": "file", "from_index": 0, "file_bytes": 16384, "keep": 50})
    for _ in range(6):
        write(world, 15)
        size = await_all(world, "disk")
    files = list((world.service.home / "home" / "audit" / "sinks").rglob("disk.jsonl*"))
    assert len(files) >= 3 and all(f.stat().st_mode & 0o077 == 0 for f in files)
    order = sorted(files, key=lambda f: -int(f.suffix[1:]) if f.suffix[1:].isdigit() else 0)
    indexes = [json.loads(line)["metadata"]["sequence"] for f in order for line in f.read_text().splitlines()]
    assert list(dict.fromkeys(indexes))[:size] == list(range(size))
    assert world.admin.put("/v1/audit/sinks/..%2fescape", {"kind": "file"}).status_code in (400, 404)
    assert world.admin.put("/v1/audit/sinks/x", {"kind": "file", "target": "/etc/passwd"}).status_code == 400
    world.admin.ok("DELETE", "/v1/audit/sinks/disk")


@pytest.mark.parametrize("body", [
    {"kind": "webhook", "target": "http://example.org/", "secret": SECRET},
    {"kind": "webhook", "target": "https://user@example.org/", "secret": SECRET},
    {"kind": "webhook", "target": "file:///etc/passwd", "secret": SECRET},
    {"kind": "webhook", "target": "https://example.org/"},
    {"kind": "webhook", "target": "https://example.org/", "secret": "c2hvcnQ="},
    {"kind": "syslog", "target": "syslog://example.org"},
    {"kind": "fax", "target": "https://example.org/", "secret": SECRET},
    {"kind": "webhook", "target": "https://example.org\r\nX: y/", "secret": SECRET},
])
def test_targets_that_are_none(world, body):
    assert world.admin.put("/v1/audit/sinks/bad", body).status_code == 400
    assert world["auditor"].put("/v1/audit/sinks/bad", body).status_code == 403


def test_nobody_inside_is_called_unless_that_is_allowed(identity):
    context, pem = identity
    receiver = Receiver(context)
    fenced = Service()
    try:
        world = World(fenced.start())
        for i, host in enumerate(("127.0.0.1", "localhost", "[::1]", "169.254.169.254", "10.0.0.1", "0.0.0.0", "2130706433",
                                  "[::ffff:127.0.0.1]", "100.64.0.1", "[fe80::1]", "[fd00::1]")):
            world.admin.ok("PUT", f"/v1/audit/sinks/in{i}", {
                "kind": "webhook", "target": f"https://{host}:{receiver.port}/", "secret": SECRET, "ca": pem,
                "from_index": 0})
        write(world, 1)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            sinks = world["auditor"].ok("GET", "/v1/audit/sinks")["value"]
            if all(s["failures"] for s in sinks):
                break
            time.sleep(0.3)
        assert all(s["failures"] and ("public" in s["problem"] or "resolved" in s["problem"]) for s in sinks), sinks
        assert receiver.taken == [] and receiver.refused == 0
    finally:
        fenced.close()
