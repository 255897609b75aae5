# SPDX-License-Identifier: Apache-2.0
"""OpenLineage under overload and under limits: 2xx, or 503 with Retry-After, never 429, which its clients do not repeat
(openlineage-python repeats on 500, 502, 503 and 504 alone); and what was acknowledged is stored, once."""
import collections
import contextlib
import json
import subprocess
import threading
import time
import uuid

import pytest
from service import PSQL, Client, Service, World
from test_brute_force import Caller
from test_openlineage import dataset, run_event

CLIENTS, EVENTS = 40, 3
SINGLE, BATCH = "/api/v1/lineage", "/api/v1/lineage/batch"


@pytest.fixture(scope="module")
def service():
    started = Service(None, "--workers-write", "2", "--queue-max", "6", "--jobs-parallel", "0", "--rate-bad-tokens", "5")
    try:
        yield started.start()
    finally:
        started.close()


@pytest.fixture(scope="module")
def world(service):
    return World(service)


@contextlib.contextmanager
def locked(service, table):
    """Nobody writes to the table until this ends, or for a minute."""
    with subprocess.Popen([PSQL, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", service.socket(), "-U", "postgres", "-d", "chancery"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as session:
        session.stdin.write(f"SET idle_in_transaction_session_timeout = '60s';\nBEGIN;\nLOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n"
                            "\\echo held\n")
        session.stdin.flush()
        assert session.stdout.readline().strip() == "held"
        try:
            yield
        finally:
            session.stdin.write("COMMIT;\n\\q\n")
            session.stdin.close()


class Emitter(threading.Thread):
    """Sends its events one after the other, each until it is taken, as openlineage-python does; odd ones in batches."""

    def __init__(self, service, token, number, stop_at):
        super().__init__(daemon=True)
        self.client, self.number, self.stop_at = Client(service, token), number, stop_at
        self.seen, self.acknowledged, self.wrong = collections.Counter(), [], []

    def events(self):
        for n in range(EVENTS):
            name = f"job-{self.number}-{n}"
            event = run_event("COMPLETE", uuid.uuid4(), name, [dataset("in")], [dataset(name)])
            yield (BATCH, [event, {**event, "eventType": "START", "eventTime": "2026-01-02T03:04:00Z"}]) if self.number % 2 else (SINGLE, event)

    def run(self):
        for path, body in self.events():
            while time.monotonic() < self.stop_at:
                reply = self.client.post(path, data=json.dumps(body), headers={"Content-Type": "application/json"})
                self.seen[reply.status_code] += 1
                if reply.status_code in (200, 201):
                    self.acknowledged += body if isinstance(body, list) else [body]
                    break
                if reply.status_code != 503 or int(reply.headers.get("Retry-After", 0)) < 1:
                    self.wrong.append(f"{path}: {reply.status_code} {dict(reply.headers)} {reply.text[:200]}")
                    return
                time.sleep(0.2)


def stored(service):
    """(name, type) of every event that is in the database, as often as it is there."""
    return collections.Counter(service.sql("SELECT name || ' ' || type FROM chancery.ol_event WHERE name LIKE 'job-%'").splitlines())


def test_a_slow_database_costs_no_event(world, service):
    scientist = world["data-scientist"]
    stop_at = time.monotonic() + 50
    emitters = [Emitter(service, scientist.token, n, stop_at) for n in range(CLIENTS)]
    with locked(service, "chancery.ol_event"):
        for e in emitters:
            e.start()
        time.sleep(11)  # longer than the service waits for a lock
        alive = service.client().get("/healthz")
        during = sum((e.seen for e in emitters), collections.Counter())
    for e in emitters:
        e.join(60)
    seen = sum((e.seen for e in emitters), collections.Counter())
    assert not [w for e in emitters for w in e.wrong], [w for e in emitters for w in e.wrong][:3]
    assert alive.status_code == 200
    assert during[503] > 0 and set(during) == {503}, "the queue was full and nothing else was wrong"
    assert set(seen) <= {200, 201, 503} and seen[200] == CLIENTS * EVENTS
    wanted = collections.Counter(f"{a['job']['name']} {a['eventType']}" for e in emitters for a in e.acknowledged)
    assert len(wanted) == CLIENTS * EVENTS * 3 // 2 and set(wanted.values()) == {1}
    assert stored(service) == wanted
    told = scientist.ok("GET", "/api/v1/events/lineage?limit=1000")
    assert told["totalCount"] == sum(wanted.values())
    assert scientist.ok("GET", "/api/v1/namespaces/credit/jobs?limit=1000")["totalCount"] == CLIENTS * EVENTS


def test_repeating_what_was_stored_stores_nothing_twice(world, service):
    """A client that lost the answer sends the event again."""
    before, scientist = stored(service), world["data-scientist"]
    kept = scientist.ok("GET", "/api/v1/events/lineage?limit=20")["events"]
    for event in kept:
        assert scientist.post(SINGLE, event).status_code == 200
    assert scientist.post(BATCH, data=json.dumps(kept), headers={"Content-Type": "application/json"}).status_code == 200
    assert stored(service) == before


@pytest.mark.parametrize("limit", ["tenant", "principal", "write"])
@pytest.mark.parametrize("path", [SINGLE, BATCH])
def test_limits_say_503(world, limit, path):
    body = {"events": []} if path == BATCH else run_event("START", uuid.uuid4())
    world.admin.ok("PUT", "/v1/limits", {limit: 2})
    try:
        statuses, end = collections.Counter(), time.monotonic() + 20
        while not statuses[503] and time.monotonic() < end:
            reply = world["data-scientist"].post(path, body)
            statuses[reply.status_code] += 1
        assert set(statuses) <= {200, 503} and statuses[503] == 1, statuses
        assert int(reply.headers["Retry-After"]) >= 1 and reply.headers["RateLimit-Policy"].startswith(f'"{limit}"')
        assert reply.json()["error"]["code"] == "busy"
    finally:
        world.admin.ok("PUT", "/v1/limits", {})
        time.sleep(1.2)  # until what was used up is forgotten


def test_bad_tokens_at_an_address_are_refused_with_503_too(service):
    caller, statuses = Caller(service, "127.0.0.77"), collections.Counter()
    for n in range(200):
        statuses[caller.call("POST", SINGLE, Authorization=f"Bearer no.such.{n}").status] += 1
        if statuses[503]:
            break
    assert set(statuses) == {401, 503}, statuses
