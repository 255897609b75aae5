# SPDX-License-Identifier: Apache-2.0
"""Reads that a worker asks for together: each caller gets its own answer, whatever the others ask."""
import random
import threading

import pytest

READERS, READS, MODELS = 24, 60, 20


@pytest.fixture(scope="module")
def tenants(world):
    """Models of the same names in both tenants, told apart by their description."""
    both = [(world["data-scientist"], "credit", "acme"), (world.foreign_admin, "claims", "globex")]
    world.foreign_admin.ok("POST", "/v1/bindings", {"principal": "admin", "role": "data-scientist", "scope": "project",
                                                    "project": "claims"})
    for client, project, tenant in both:
        for i in range(MODELS):
            client.ok("PUT", f"/v1/projects/{project}/models/m{i}", {"description": f"{tenant} m{i}"})
    return [(client.token, project, tenant) for client, project, tenant in both]


def read(service, tenants, seed, wrong):
    chance = random.Random(seed)
    clients = [(service.client(token), project, tenant) for token, project, tenant in tenants]
    for _ in range(READS):
        (client, project, tenant), i = chance.choice(clients), chance.randrange(MODELS + 5)
        reply = client.get(f"/v1/projects/{project}/models/m{i}")
        if i >= MODELS and reply.status_code == 404:
            continue
        if reply.status_code != 200 or reply.json()["description"] != f"{tenant} m{i}" or reply.json()["name"] != f"m{i}":
            wrong.append((tenant, i, reply.status_code, reply.text))
        if chance.random() < 0.2 and client.get(f"/v1/projects/{tenants[0][1]}/models/m0").status_code != (
                200 if tenant == tenants[0][2] else 404):
            wrong.append((tenant, "another's project"))


def test_many_readers_of_two_tenants_get_their_own(service, tenants):
    wrong = []
    readers = [threading.Thread(target=read, args=(service, tenants, seed, wrong)) for seed in range(READERS)]
    [r.start() for r in readers]
    [r.join() for r in readers]
    assert wrong == []
