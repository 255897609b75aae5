# SPDX-License-Identifier: Apache-2.0
"""Saved searches of the catalogue: whoever runs one sees what they may read, and nothing else."""
import pytest
from service import person

P = "/v1/projects/credit"


@pytest.fixture(scope="module")
def owner(world):
    owner = world["project-owner"]
    for n in range(5):
        owner.ok("PUT", f"{P}/models/viewed-{n}", {"description": "a walnut model", "tags": {"stage": "gold" if n % 2 else "raw"}})
    owner.ok("PUT", f"{P}/datasets/viewed", {"description": "walnut data"})
    world.admin.ok("PUT", "/v1/projects/hidden", {})
    world.admin.ok("PUT", "/v1/projects/hidden/models/viewed-hidden", {"description": "a walnut model"})
    return owner


def run(client, path):
    found = []
    while path:
        page = client.ok("GET", path)
        found += [x["path"] for x in page["value"]]
        path = page.get("nextLink")
    return found


def test_a_view_is_saved_run_in_pages_changed_and_deleted(world, owner):
    made = owner.put("/v1/views/gold", {"q": "walnut", "kind": "model", "tag": "stage:gold", "project": "credit", "description": "the good ones"})
    assert made.status_code == 201 and made.headers["ETag"] == '"1"' and made.json()["shared"] == "private"
    assert run(owner, "/v1/views/gold?limit=1") == ["credit/models/viewed-1", "credit/models/viewed-3"]
    assert owner.put("/v1/views/gold", {"q": "walnut"}, headers={"If-Match": '"7"'}).status_code == 412
    assert owner.put("/v1/views/gold", {"q": "walnut"}, headers={"If-None-Match": "*"}).status_code == 412
    assert owner.ok("PUT", "/v1/views/gold", {"q": "walnut"}, headers={"If-Match": '"1"'})["revision"] == 2
    assert len(run(owner, "/v1/views/gold?limit=2")) == 6
    assert [v["name"] for v in owner.ok("GET", "/v1/views")["value"]] == ["gold"]
    assert world["reader"].get("/v1/views/gold").status_code == 404 and world["reader"].delete("/v1/views/gold").status_code == 404
    entry = world["auditor"].ok("GET", "/v1/audit?limit=1&action=put_view")["value"][0]
    assert entry["object"] == "views/gold" and {"kind", "q"} & {c["path"] for c in entry["changes"]} == {"kind"}
    assert owner.delete("/v1/views/gold").status_code == 204 and owner.get("/v1/views/gold").status_code == 404


def test_a_shared_view_shows_each_reader_their_own(world, owner):
    admin = world["tenant-admin"]
    assert owner.put("/v1/views/all", {"shared": "tenant", "q": "walnut"}).status_code == 403
    admin.ok("PUT", "/v1/views/all", {"shared": "tenant", "q": "walnut"})
    stranger = person(world.service, world.admin, "view-stranger")
    assert len(run(admin, "/v1/views/all")) == 7 and len(run(owner, "/v1/views/all")) == 6 and run(stranger, "/v1/views/all") == []
    assert world.foreign_admin.get("/v1/views/all").status_code == 404
    assert owner.delete("/v1/views/all").status_code == 403
    owner.ok("PUT", "/v1/views/all", {"q": "walnut", "kind": "dataset"})  # one's own goes before
    assert run(owner, "/v1/views/all") == ["credit/datasets/viewed"] and [v["shared"] for v in owner.ok("GET", "/v1/views")["value"]] == ["private"]
    world["data-scientist"].ok("PUT", f"{P}/views/ours", {"q": "walnut", "kind": "model"})
    assert len(run(world["reader"], f"{P}/views/ours")) == 5
    assert world["reader"].put(f"{P}/views/ours", {"q": "x"}).status_code == 403 and world["reader"].delete(f"{P}/views/ours").status_code == 403
    assert stranger.get(f"{P}/views/ours").status_code == 404 and stranger.get(f"{P}/views").status_code == 404
    deny = world.admin.ok("POST", "/v1/denies", {"principals": ["the-reader"], "actions": ["assets/read"], "reason": "a wall", "scope": "asset",
                                                 "project": "credit", "asset": "models/viewed-2"})
    assert "credit/models/viewed-2" not in run(world["reader"], f"{P}/views/ours")
    world.admin.ok("DELETE", "/v1/denies/" + deny["id"])


def test_what_cannot_be_asked_cannot_be_saved(world, owner):
    before = world.service.sql("SELECT count(*) FROM chancery.saved_view")
    for body, target in (({"kind": "table"}, "kind"), ({"tag": "x"}, "tag"), ({"project": "never-was"}, "project"), ({"project": "hidden"}, "project"),
                         ({"q": "x" * 501}, "q"), ({"shared": "all"}, "shared"), ({"sort": "name"}, "sort")):
        refused = owner.put("/v1/views/bad", body)
        assert refused.status_code == 400 and refused.json()["error"]["target"] == target, refused.text
    assert owner.put("/v1/views/Bad%20Name", {}).status_code == 400
    assert owner.put(f"{P}/views/bad", {"shared": "tenant"}).json()["error"]["target"] == "shared"
    assert world.service.sql("SELECT count(*) FROM chancery.saved_view") == before
    world.service.sql("INSERT INTO chancery.saved_view (tenant_id, id, name, shared, place_id, owner_id) SELECT tenant_id, gen_random_uuid(),"
                      " 'many-' || n, 'private', id, id FROM chancery.principal, generate_series(1, 100) n WHERE name = 'the-deployer'")
    full = world["deployer"].put("/v1/views/one-more", {})
    assert full.status_code == 409 and "100 views" in full.text
    world.service.sql("UPDATE chancery.saved_view SET kind = 'retired' WHERE name = 'many-1'")  # by an older program
    assert world["deployer"].get("/v1/views/many-1").json()["error"]["target"] == "kind"
