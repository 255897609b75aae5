# SPDX-License-Identifier: Apache-2.0
"""Two services on one database: what is given or taken on one counts on the other, and what happens when
one of them cannot hear of it."""
import statistics
import subprocess
import threading
import time

import pytest
from service import Client, Service, World, person

URL = "https://chancery.example"  # what both call themselves in tokens


@pytest.fixture(scope="module")
def pair():
    first = Service(None, "--public-url", URL)
    second = None
    try:
        first.start()
        second = Service(None, "--public-url", URL, "--key-file", str(first.home / "home" / "secret.key"),
                         "--database", f"postgresql://chancery_app@/chancery?host={first.socket()}")
        for service in (first, second):
            if service is second:
                service.start()
            service.url = "https://" + listening(service)
        yield World(first), second
    finally:
        if second is not None:
            second.close()
        first.close()


def listening(service):
    out = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    return next(line.split()[3] for line in out.splitlines() if f"pid={service.process.pid}," in line)


def at(service, client):
    """The same person at the other service."""
    return Client(service, client.token, client.tenant)


def test_a_token_of_one_is_good_at_the_other(pair):
    world, second = pair
    assert at(second, world.admin).ok("GET", "/v1/me")["name"] == "admin"


def test_revoking_at_one_counts_at_the_other(pair):
    world, second = pair
    ann = person(world.service, world.admin, "ann")
    there = at(second, ann)
    delays = []
    for _ in range(40):
        assert there.get("/v1/projects/credit").status_code == 404
        given = world.admin.ok("POST", "/v1/bindings", {"principal": "ann", "role": "reader", "scope": "project",
                                                        "project": "credit"})
        # A refusal is checked against the database, so a grant counts at once everywhere.
        assert there.get("/v1/projects/credit").status_code == 200
        assert world.admin.delete(f"/v1/bindings/{given['id']}").status_code == 204
        start = time.monotonic()
        while there.get("/v1/projects/credit").status_code != 404:
            assert time.monotonic() - start < 2
        delays.append(time.monotonic() - start)
    print(f"revocation: median {statistics.median(delays) * 1000:.1f} ms, worst {max(delays) * 1000:.1f} ms")
    assert statistics.median(delays) < 0.1


def test_what_is_made_at_one_is_there_at_the_other(pair):
    world, second = pair
    world.admin.ok("PUT", "/v1/projects/shared", {})
    assert at(second, world.admin).get("/v1/projects/shared").status_code == 200
    carl = person(world.service, world.admin, "carl")
    assert at(second, carl).get("/v1/me").status_code == 200


def test_a_lost_ear_is_no_open_door(pair):
    """The connections that listen are cut over and over: no right is honoured half a second after its end."""
    world, second = pair
    bob = person(world.service, world.admin, "bob")
    there = at(second, bob)
    stop = threading.Event()

    def cut():
        while not stop.wait(0.05):
            world.service.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                              " AND (query LIKE '%LISTEN authz%' OR query LIKE '%authz_epoch%')")

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        end = time.monotonic() + 8
        rounds = 0
        while time.monotonic() < end:
            given = world.admin.post("/v1/bindings", {"principal": "bob", "role": "reader", "scope": "project",
                                                      "project": "credit"})
            if given.status_code != 201:
                continue
            there.get("/v1/projects/credit")
            while world.admin.delete(f"/v1/bindings/{given.json()['id']}").status_code not in (204, 404):
                pass
            time.sleep(0.5)
            assert there.get("/v1/projects/credit").status_code != 200
            rounds += 1
        assert rounds > 3
    finally:
        stop.set()
        thread.join()
