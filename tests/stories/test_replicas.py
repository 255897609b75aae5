# SPDX-License-Identifier: Apache-2.0
"""Three services on one database: nothing is allowed at any of them in a request that began after a revocation was
acknowledged, whatever happens to them meanwhile.

A trial is one request that was sent after the acknowledgement. CHANCERY_LONG=1 makes a hundred thousand of them.
"""
import contextlib
import itertools
import os
import random
import signal
import statistics
import threading
import time

import pytest
from raw import connect
from replicas import Line, Replicas
from service import SANITIZED, Client, person

LONG = os.environ.get("CHANCERY_LONG") == "1"
TRIALS = 100_000 if LONG else 4000
BURST, BURSTS = (20, 3) if LONG else (8, 2)
LEASE = 2.0
SEED = int(os.environ.get("CHANCERY_SEED", "20261121"))


@pytest.fixture(scope="module")
def replicas():
    with Replicas(3) as three:
        yield three


@pytest.fixture(scope="module")
def admin(replicas):
    return replicas.world.admin


names = itertools.count()


clients = {}


def at(service, client):
    """The same person at another service, on a connection of its own in each thread."""
    key = (threading.get_ident(), service.url, client.token)
    if key not in clients:
        clients[key] = Client(service, client.token, client.tenant)
    return clients[key]


# What can be taken away: each is a class with give(admin), take(admin), and the requests that were allowed by it.

READ = [("GET", "/v1/projects/credit", b""), ("GET", "/v1/projects/credit/models/probe", b""),
        ("GET", "/v1/projects/credit/jobs", b"")]
WRITE = ("PUT", "/v1/projects/credit/models/probe/tags/turn", b'{"value":"x"}')


class Kind:
    requests = READ

    def __init__(self, replicas, admin):
        self.client = person(replicas[0], admin, f"subject-{next(names)}")
        self.name, self.token = self.client.name, self.client.token
        self.prepare(admin)

    def prepare(self, admin):
        pass


class Binding(Kind):
    role = "reader"

    def give(self, admin):
        self.id = admin.ok("POST", "/v1/bindings", {"principal": self.name, "role": self.role, "scope": "project",
                                                    "project": "credit"})["id"]

    def take(self, admin):
        return admin.delete(f"/v1/bindings/{self.id}")


class Writer(Binding):
    role = "data-scientist"
    requests = [*READ, WRITE, WRITE]


class Owner(Binding):
    role = "project-owner"


class Member(Kind):
    def prepare(self, admin):
        admin.ok("POST", "/v1/groups", {"name": "of-" + self.name})
        admin.ok("POST", "/v1/bindings", {"group": "of-" + self.name, "role": "reader", "scope": "project",
                                          "project": "credit"})

    def give(self, admin):
        admin.ok("POST", f"/v1/groups/of-{self.name}/members", {"principal": self.name})

    def take(self, admin):
        return admin.delete(f"/v1/groups/of-{self.name}/members/{self.name}")


class Denied(Writer):
    requests = [*READ[1:2], WRITE]
    id = deny = None

    def prepare(self, admin):
        Binding.give(self, admin)

    def give(self, admin):
        if self.deny:
            assert admin.delete(f"/v1/denies/{self.deny}").status_code == 204

    def take(self, admin):
        reply = admin.post("/v1/denies", {"principals": [self.name], "actions": ["assets/*"], "reason": "a wall",
                                          "scope": "project", "project": "credit"})
        self.deny = reply.json()["id"]
        return reply


class Token(Kind):
    requests = [("GET", "/v1/me", b"")]

    def give(self, admin):
        made = at(admin.service, self.client).ok("POST", "/v1/tokens", {"name": "short"})
        self.id, self.token = made["id"], made["token"]

    def take(self, admin):
        return at(admin.service, self.client).delete(f"/v1/tokens/{self.id}")


class Session(Kind):
    requests = [("GET", "/v1/me", b"")]

    def give(self, admin):
        reply = admin.service.client().post("/v1/login", {"tenant": "acme", "user": self.name,
                                                          "password": self.client.password})
        assert reply.status_code == 200, reply.text
        self.token = reply.json()["access_token"]

    def take(self, admin):
        return admin.delete(f"/v1/users/{self.name}/sessions")


class Disabled(Session):
    """Whoever is woken again signs in again."""
    role = "reader"
    requests = READ

    def prepare(self, admin):
        Binding.give(self, admin)

    def give(self, admin):
        admin.ok("PATCH", f"/v1/users/{self.name}", {"state": "active"})
        super().give(admin)

    def take(self, admin):
        return admin.patch(f"/v1/users/{self.name}", {"state": "disabled"})


KINDS = [Binding, Binding, Writer, Member, Denied, Disabled, Token, Session]


class Reader(threading.Thread):
    """Asks one replica without pause. A burst counts if it began while nothing may be allowed, and ended so."""

    def __init__(self, service, shared):
        super().__init__(daemon=True)
        self.line, self.shared = Line(service), shared
        self.turn = self.bursts = self.trials = 0
        self.allowed = []
        self.failure = None

    def run(self):
        try:
            while not self.shared.over:
                turn, forbidden, data, count = self.shared.state
                if turn != self.turn:
                    self.turn, self.bursts = turn, 0
                if not count or self.bursts >= BURSTS:
                    time.sleep(0.0005)
                    continue
                statuses = self.line.burst(data, count)
                if forbidden and self.shared.state[0] == turn:
                    self.trials += count
                    self.allowed += [s for s in statuses if s < 300]
                    self.bursts += 1
                elif not forbidden and any(s < 300 for s in statuses):
                    self.shared.seen.add(self)
        except Exception as e:  # the story looks at it
            self.failure = e


class Shared:
    def __init__(self):
        self.state = (0, False, b"", 0)
        self.over = False
        self.seen = set()

    def turn(self, forbidden, kind, line=None):
        self.seen.clear()
        requests = list(itertools.islice(itertools.cycle(kind.requests), BURST)) if kind else []
        self.state = (self.state[0] + 1, forbidden, Line.pack(requests, kind and kind.token), len(requests))


def wait_until(true, readers, limit=30):
    end = time.monotonic() + limit
    while not true():
        assert not [r.failure for r in readers if r.failure], [r.failure for r in readers if r.failure]
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.0005)


class Trouble:
    """What happens to the replicas while something is taken away."""

    def __init__(self, replicas, dice):
        self.replicas, self.dice = replicas, dice
        self.stopped = self.late = None
        self.stops = self.cuts = 0

    def begin(self, turn, other_than):
        one = self.dice.choice([s for s in self.replicas if s is not other_than])
        if turn % 25 == 10:  # until after the acknowledgement: its lease has to run out
            self.stopped, self.late = one, Line(one)
            one.process.send_signal(signal.SIGSTOP)
            self.stops += 1
        elif turn % 10 == 5:  # for a moment
            one.process.send_signal(signal.SIGSTOP)
            threading.Timer(self.dice.uniform(0.01, 1), one.process.send_signal, [signal.SIGCONT]).start()
            self.stops += 1
        if self.dice.random() < 0.1:
            self.replicas.cut_listeners()
            self.cuts += 1
            return True
        return turn % 5 == 0

    def end(self):
        if self.stopped:
            self.stopped.process.send_signal(signal.SIGCONT)
        self.stopped = None


def test_nothing_is_allowed_after_an_acknowledged_revocation(replicas, admin):
    dice = random.Random(SEED)
    kinds = [k(replicas, admin) for k in KINDS]
    trouble = Trouble(replicas, dice)
    shared = Shared()
    readers = [Reader(s, shared) for s in replicas]
    for r in readers:
        r.start()
    delays, extra, turns = [], 0, 0
    try:
        while sum(r.trials for r in readers) + extra < TRIALS:
            kind, where = dice.choice(kinds), dice.choice(list(replicas))
            shared.turn(False, None)
            kind.give(at(dice.choice(list(replicas)), admin))
            shared.turn(False, kind)
            wait_until(lambda: len(shared.seen) == 3, readers)  # it was allowed, at each
            calm = not trouble.begin(turns, where)
            began = time.monotonic()
            reply = kind.take(at(where, admin))
            assert reply.status_code in (200, 201, 204), reply.text
            assert int(reply.headers["X-Authz-Epoch"]) > 1
            delays.append((time.monotonic() - began, calm))
            shared.turn(True, kind)
            if trouble.stopped:  # what it finds when it wakes up
                _, _, data, count = shared.state
                trouble.late.send(data)
                trouble.end()
                answers = trouble.late.receive(count)
                assert not [s for s in answers if s < 300], (kind.__class__.__name__, "after SIGCONT", answers)
                extra += count
            now = shared.state[0]
            wait_until(lambda: all(r.turn == now and r.bursts == BURSTS for r in readers), readers)  # noqa: B023
            wrong = [(kind.__class__.__name__, s) for r in readers for s in r.allowed]
            assert not wrong, f"allowed after {turns} turns: {wrong[:20]} ({len(wrong)} in all)"
            turns += 1
    finally:
        trouble.end()
        shared.over = True
        for r in readers:
            r.join(30)
    quiet = sorted(d for d, calm in delays if calm)
    print(f"{sum(r.trials for r in readers) + extra} trials after {turns} revocations, {trouble.stops} stops,"
          f" {trouble.cuts} cuts: 0 allowed; a revocation took {statistics.median(quiet) * 1000:.1f} ms,"
          f" p99 {quiet[int(len(quiet) * 0.99)] * 1000:.1f} ms in calm,"
          f" at most {max(d for d, _ in delays) * 1000:.0f} ms in trouble")
    assert max(d for d, _ in delays) < LEASE + (20 if SANITIZED else 6)


def test_what_is_made_at_one_is_there_at_the_others(replicas, admin):
    assert at(replicas[1], admin).ok("GET", "/v1/me")["name"] == "admin"
    admin.ok("PUT", "/v1/projects/shared", {})
    assert at(replicas[1], admin).get("/v1/projects/shared").status_code == 200
    assert at(replicas[2], person(replicas[0], admin, "newcomer")).get("/v1/me").status_code == 200


@contextlib.contextmanager
def standing_still(service):
    service.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        service.process.send_signal(signal.SIGCONT)


def test_a_process_that_stood_still_asks_before_it_allows(replicas, admin):
    """Requests that wait in its sockets, while its ear is cut too: the first thing it does is not to trust itself."""
    kind = Binding(replicas, admin)
    line, count = Line(replicas[2]), 60
    data = Line.pack([READ[0]] * count, kind.token)
    for _ in range(2):
        kind.give(admin)
        assert set(line.burst(data, count)) == {200}
        with standing_still(replicas[2]):
            assert kind.take(admin).status_code == 204
            replicas.cut_listeners()
            line.send(data)
        assert not [s for s in line.receive(count) if s < 300]


def test_an_epoch_is_said_and_can_be_asked_for(replicas, admin):
    kind = Binding(replicas, admin)
    kind.give(admin)
    there = at(replicas[1], kind.client)
    assert there.get("/v1/projects/credit").status_code == 200
    taken = kind.take(admin)
    epoch = int(taken.headers["X-Authz-Epoch"])
    seen = at(replicas[2], admin).get("/v1/me", headers={"If-Authz-Epoch-At-Least": str(epoch)})
    assert seen.status_code == 200 and int(seen.headers["X-Authz-Epoch"]) >= epoch
    ahead = admin.get("/v1/me", headers={"If-Authz-Epoch-At-Least": str(epoch + 1000)})
    assert ahead.status_code == 503 and "epoch" in ahead.json()["error"]["message"]
    assert admin.get("/v1/me", headers={"If-Authz-Epoch-At-Least": "soon"}).status_code == 400


def test_many_revocations_at_once_starve_nobody(replicas, admin):
    """While a replica stands still each waits for its lease; no worker waits with them."""
    someone = person(replicas[0], admin, "has-much").name
    given, replies, worst = [], [], 0
    for i in range(16):
        admin.ok("PUT", f"/v1/projects/much-{i}", {})
        given.append(admin.ok("POST", "/v1/bindings", {"principal": someone, "role": "reader", "scope": "project",
                                                       "project": f"much-{i}"})["id"])
    with standing_still(replicas[2]):
        threads = [threading.Thread(target=lambda i=i: replies.append(at(replicas[0], admin).delete(f"/v1/bindings/{i}")))
                   for i in given]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            began = time.monotonic()
            admin.ok("PUT", "/v1/projects/credit/models/probe", {})
            worst = max(worst, time.monotonic() - began)
        for t in threads:
            t.join()
    print(f"the slowest write beside 16 waiting revocations took {worst * 1000:.0f} ms")
    assert [r.status_code for r in replies] == [204] * 16
    assert SANITIZED or worst < 1


def test_a_sensitive_write_is_over_before_the_revocation(replicas, admin):
    """Its transaction holds the policy it was allowed by: after the acknowledgement nothing more is written."""
    kind = Owner(replicas, admin)
    stop, written = threading.Event(), []

    def write(service):
        client, i = at(service, kind.client), 0
        while not stop.is_set():
            i += 1
            written.append(client.put(f"/v1/projects/credit/secrets/s{i % 20}", {"value": f"v{i}"}).status_code)

    def count():
        return replicas[0].sql("SELECT sum(versions) FROM chancery.secret")

    kind.give(admin)
    threads = [threading.Thread(target=write, args=[s]) for s in replicas]
    for t in threads:
        t.start()
    try:
        for _ in range(20):
            time.sleep(0.05)
            assert kind.take(admin).status_code == 204
            before = count()
            time.sleep(0.03)
            assert count() == before
            kind.give(admin)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert set(written) <= {200, 201, 204, 403, 404, 503}
    assert sum(s < 300 for s in written) > 20


def test_a_stream_ends_with_the_right_to_it(replicas, admin):
    auditor = person(replicas[0], admin, "leaving-auditor")
    given = admin.ok("POST", "/v1/bindings", {"principal": auditor.name, "role": "auditor", "scope": "tenant"})
    with connect(replicas[1], 10) as line:
        line.sendall(Line.pack([("GET", "/v1/audit/tail", b"")], auditor.token))
        said = line.recv(1 << 16)
        assert b" 200 " in said
        admin.ok("PUT", "/v1/projects/credit/models/seen-before", {})
        while b"seen-before" not in said:
            said += line.recv(1 << 16)
        assert admin.delete(f"/v1/bindings/{given['id']}").status_code == 204
        admin.ok("PUT", "/v1/projects/credit/models/seen-after", {})
        while piece := line.recv(1 << 16):
            said += piece
            if said.endswith(b"0\r\n\r\n"):
                break
        assert b"seen-after" not in said


def test_who_leaves_is_gone_everywhere(replicas, admin):
    """Stopped cleanly, a replica takes its lease with it, so nobody waits for it."""
    assert int(replicas[0].sql("SELECT count(*) FROM chancery.replica WHERE lease_until > now()")) == 3
    replicas[2].stop()
    assert int(replicas[0].sql("SELECT count(*) FROM chancery.replica WHERE lease_until > now()")) == 2
    kind = Binding(replicas, admin)
    kind.give(admin)
    began = time.monotonic()
    assert kind.take(admin).status_code == 204
    assert time.monotonic() - began < (10 if SANITIZED else 1)
    replicas.start(2)
