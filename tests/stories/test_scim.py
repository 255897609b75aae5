# SPDX-License-Identifier: Apache-2.0
"""A directory keeps users and groups by SCIM 2.0, with the habits of Entra and Okta; whoever leaves loses everything."""
import time

import pytest
from idp import Idp
from service import DATA, PASSWORD, Client, Service, World, person
from test_federation import provider, sign_in

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
TYPE = {"Content-Type": "application/scim+json"}


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    made = Idp(tmp_path_factory.mktemp("idp"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(idp):
    started = Service(None, *idp.flags())
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def world(service):
    return World(service)


def provisioner(admin):
    admin.ok("POST", "/v1/service-accounts", {"name": "directory"})
    admin.ok("POST", "/v1/bindings", {"principal": "directory", "role": "provisioner", "scope": "tenant"})
    token = admin.ok("POST", "/v1/tokens", {"name": "scim", "service_account": "directory"})["token"]
    return Client(admin.service, token, admin.tenant)


@pytest.fixture(scope="module")
def scim(world):
    return provisioner(world.admin)


def user(scim, user_name, **more):
    reply = scim.post("/scim/v2/Users", {"schemas": [USER], "userName": user_name, "active": True, **more}, headers=TYPE)
    assert reply.status_code == 201, reply.text
    return reply.json()


def group(scim, name, *members, **more):
    reply = scim.post("/scim/v2/Groups", {"displayName": name, "members": [{"value": m["id"]} for m in members], **more})
    assert reply.status_code == 201, reply.text
    return reply.json()


def patch(scim, kind, thing, *operations, **kwargs):
    return scim.patch(f"/scim/v2/{kind}/{thing['id']}", {"schemas": [PATCH], "Operations": list(operations)},
                      headers={**TYPE, **kwargs})


def state(service, thing):
    return service.sql(f"SELECT state FROM chancery.principal WHERE id = '{thing['id']}'").strip()


def members(scim, thing):
    return {m["value"] for m in scim.get(f"/scim/v2/Groups/{thing['id']}").json()["members"]}


def refused(reply, status, kind=None):
    assert reply.status_code == status, reply.text
    body = reply.json()
    assert body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"] and body["status"] == str(status)
    assert reply.headers["Content-Type"].startswith("application/scim+json"), reply.headers
    if kind:
        assert body["scimType"] == kind, body


def test_what_is_spoken(scim):
    config = scim.ok("GET", "/scim/v2/ServiceProviderConfig")
    assert config["patch"]["supported"] and config["filter"]["supported"] and config["etag"]["supported"]
    assert not config["bulk"]["supported"]
    assert {r["name"] for r in scim.get("/scim/v2/ResourceTypes").json()["Resources"]} == {"User", "Group"}
    assert {r["id"] for r in scim.get("/scim/v2/Schemas").json()["Resources"]} >= {USER}


def test_a_user_comes_and_is_found(scim, world):
    made = user(scim, "Ann.Lee@corp.example", externalId="x-1", displayName="Ann Lee",
                name={"givenName": "Ann", "familyName": "Lee"}, emails=[{"value": "ann@corp.example", "type": "work", "primary": True}])
    assert made["meta"]["resourceType"] == "User" and made["meta"]["location"].endswith(made["id"])
    got = scim.get(f"/scim/v2/Users/{made['id']}")
    assert got.json() == made and got.headers["ETag"] == made["meta"]["version"]
    for text in ('userName eq "ann.lee@CORP.example"', 'externalId eq "x-1"', f'id eq "{made["id"]}"', 'displayName eq "Ann Lee"',
                 'emails.value eq "ANN@corp.example"', 'emails[type eq "work"].value eq "ann@corp.example"',
                 'userName eq "ann.lee@corp.example" and active eq true', f'{USER}:userName Eq "Ann.Lee@corp.example"'):
        found = scim.request("GET", "/scim/v2/Users", params={"filter": text}).json()
        assert found["totalResults"] == 1 and found["Resources"][0]["id"] == made["id"], text
    for text in ('userName eq "nobody"', 'active eq false and externalId eq "x-1"', 'id eq "7"'):
        assert scim.request("GET", "/scim/v2/Users", params={"filter": text}).json()["totalResults"] == 0
    names = [u for u in world.admin.ok("GET", "/v1/users?limit=1000")["value"] if u.get("email") == "ann@corp.example"]
    assert len(names) == 1 and names[0]["name"].startswith("ann.lee.")


@pytest.mark.parametrize("text", ['userName co "a"', 'userName eq', 'userName', 'password eq "x"', 'userName eq "a" or id eq "b"',
                                  'not (userName eq "a")', 'userName eq "a', "userName eq a", 'userName eq "a" and', "(", "]" * 50,
                                  'userName eq "a" and userName eq "b"', "x" * 2000, 'active eq "maybe"', 'emails[type eq "work'])
def test_a_filter_that_is_not_understood(scim, text):
    refused(scim.request("GET", "/scim/v2/Users", params={"filter": text}), 400, "invalidFilter")


def test_pages(scim):
    for i in range(5):
        user(scim, f"page-{i}")
    seen, start = [], 1
    while True:
        page = scim.get(f"/scim/v2/Users?startIndex={start}&count=2").json()
        assert page["startIndex"] == start and page["itemsPerPage"] == len(page["Resources"]) <= 2
        seen += [u["id"] for u in page["Resources"]]
        start += 2
        if start > page["totalResults"]:
            break
    assert len(seen) == len(set(seen)) == page["totalResults"]
    assert scim.get("/scim/v2/Users?count=0").json()["Resources"] == []
    assert scim.get("/scim/v2/Users?startIndex=-5&count=100000").json()["startIndex"] == 1


def test_names_are_unique(scim):
    made = user(scim, "unique", externalId="u-1")
    refused(scim.post("/scim/v2/Users", {"userName": "UNIQUE"}), 409, "uniqueness")
    refused(scim.post("/scim/v2/Users", {"userName": "other", "externalId": "u-1"}), 409, "uniqueness")
    other = user(scim, "other")
    refused(patch(scim, "Users", other, {"op": "replace", "path": "userName", "value": "unique"}), 409, "uniqueness")
    assert scim.delete(f"/scim/v2/Users/{made['id']}").status_code == 204
    again = user(scim, "unique", externalId="u-1")
    assert again["id"] != made["id"], "a new person, not the old account awake"


@pytest.mark.parametrize("body", [{}, {"userName": ""}, {"userName": 7}, {"userName": "x" * 256}, {"userName": "a", "active": "maybe"},
                                  {"userName": "a", "active": 1}, [], "text"])
def test_bad_users(scim, body):
    refused(scim.post("/scim/v2/Users", body), 400)


def test_entra_deactivates_with_a_text(scim, service):
    for i, value in enumerate(("False", "false", False)):
        made = user(scim, f"entra-{i}")
        assert patch(scim, "Users", made, {"op": "Replace", "path": "active", "value": value}).json()["active"] is False
        assert state(service, made) == "disabled"
        assert patch(scim, "Users", made, {"op": "Add", "path": "active", "value": "True"}).json()["active"] is True
        assert state(service, made) == "active"


def test_entra_patches_without_a_path_and_by_filter(scim):
    made = user(scim, "patchy", emails=[{"type": "work", "value": "old@x"}, {"type": "home", "value": "home@x"}])
    got = patch(scim, "Users", made, {"op": "replace", "value": {"displayName": "New", "name.familyName": "Lee", "Active": True}},
                {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "new@x"},
                {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "123"},
                {"op": "Add", "path": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "value": "ML"},
                {"op": "remove", "path": 'emails[type eq "home"]'}).json()
    assert got["displayName"] == "New" and got["name"]["familyName"] == "Lee"
    assert got["emails"] == [{"type": "work", "value": "new@x"}] and got["phoneNumbers"] == [{"type": "mobile", "value": "123"}]
    assert got["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] == {"department": "ML"}
    for operation, kind in [({"op": "move", "path": "x", "value": 1}, "invalidSyntax"), ({"op": "remove"}, "noTarget"),
                            ({"op": "add", "path": "emails[", "value": 1}, "invalidPath"), ({"op": "add", "path": "x"}, "invalidValue"),
                            ({"op": "add", "path": "", "value": 1}, "invalidValue"),
                            ({"op": "replace", "path": 'emails[type co "w"].value', "value": 1}, "invalidPath")]:
        refused(patch(scim, "Users", made, operation), 400, kind)


def test_okta_puts_the_whole(scim, service):
    made = user(scim, "okta@corp", displayName="Old", nickName="O")
    got = scim.put(f"/scim/v2/Users/{made['id']}", {"schemas": [USER], "id": made["id"], "userName": "okta@corp", "active": False,
                                                   "displayName": "New", "meta": {"x": 1}, "groups": []}, headers=TYPE).json()
    assert got["displayName"] == "New" and got["active"] is False and "nickName" not in got
    assert state(service, made) == "disabled"


def test_versions(scim):
    made = user(scim, "versioned")
    tag = made["meta"]["version"]
    change = {"op": "replace", "path": "displayName", "value": "x"}
    assert patch(scim, "Users", made, change, **{"If-Match": tag}).json()["meta"]["version"] != tag
    refused(patch(scim, "Users", made, change, **{"If-Match": tag}), 412)
    assert patch(scim, "Users", made, change, **{"If-Match": "*"}).status_code == 200


def test_groups_and_their_members(scim):
    a, b, c = (user(scim, f"member-{x}") for x in "abc")
    made = group(scim, "Risk Modellers", a, externalId="g-1")
    patch(scim, "Groups", made, {"op": "Add", "path": "members", "value": [{"value": b["id"]}, {"value": a["id"]}]})
    assert members(scim, made) == {a["id"], b["id"]}
    patch(scim, "Groups", made, {"op": "Remove", "path": f'members[value eq "{a["id"]}"]'})
    assert members(scim, made) == {b["id"]}
    patch(scim, "Groups", made, {"op": "add", "value": {"members": [{"value": a["id"]}, {"value": c["id"]}]}})
    patch(scim, "Groups", made, {"op": "Remove", "path": "members", "value": [{"value": c["id"]}]})
    assert members(scim, made) == {a["id"], b["id"]}, "Entra's remove names who goes; the others stay"
    scim.put(f"/scim/v2/Groups/{made['id']}", {"displayName": "Renamed", "members": [{"value": c["id"]}]})
    assert members(scim, made) == {c["id"]}
    found = scim.request("GET", "/scim/v2/Groups", params={"filter": f'id eq "{made["id"]}" and members eq "{c["id"]}"',
                                                           "excludedAttributes": "members"}).json()
    assert found["totalResults"] == 1 and "members" not in found["Resources"][0]
    patch(scim, "Groups", made, {"op": "remove", "path": "members"})
    assert members(scim, made) == set()
    for value in ("nonsense", "00000000-0000-7000-8000-000000000000"):
        refused(patch(scim, "Groups", made, {"op": "add", "path": "members", "value": [{"value": value}]}), 400, "invalidValue")
    assert scim.delete(f"/scim/v2/Groups/{made['id']}").status_code == 204
    refused(scim.get(f"/scim/v2/Groups/{made['id']}"), 404)


def test_groups_in_groups_never_in_a_circle(scim):
    inner = group(scim, "inner")
    outer = group(scim, "outer", inner)
    refused(patch(scim, "Groups", inner, {"op": "add", "path": "members", "value": [{"value": outer["id"]}]}), 400, "invalidValue")


def test_the_directory_touches_only_its_own(scim, world, service):
    admin = world.admin.ok("GET", "/v1/me")["id"]
    for method, path in [("GET", "Users"), ("DELETE", "Users")]:
        refused(scim.request(method, f"/scim/v2/{path}/{admin}"), 404)
    refused(scim.patch(f"/scim/v2/Users/{admin}", {"Operations": [{"op": "replace", "path": "active", "value": False}]}), 404)
    refused(scim.post("/scim/v2/Groups", {"displayName": "sly", "members": [{"value": admin}]}), 400, "invalidValue")
    world.admin.ok("POST", "/v1/groups", {"name": "by-hand"})
    local = service.sql("SELECT id FROM chancery.principal_group WHERE name = 'by-hand'").strip()
    refused(scim.delete(f"/scim/v2/Groups/{local}"), 404)
    for path in ("/v1/projects/credit", "/v1/users"):
        assert scim.get(path).status_code in (403, 404)


def test_who_may(scim, world):
    for client in [world.admin, *world.people.values(), world.foreign_admin]:
        refused(client.get("/scim/v2/Users"), 403)
    refused(Client(world.service).get("/scim/v2/Users"), 401)
    theirs = provisioner(world.foreign_admin)
    mine = user(scim, "mine")
    refused(theirs.get(f"/scim/v2/Users/{mine['id']}"), 404)
    assert theirs.get("/scim/v2/Users").json()["totalResults"] == 0
    user(theirs, "mine")


def test_a_hand_and_a_directory_do_not_fight(scim, world, service):
    made = user(scim, "fought")
    name = service.sql(f"SELECT name FROM chancery.principal WHERE id = '{made['id']}'").strip()
    world.admin.ok("PATCH", f"/v1/users/{name}", {"state": "disabled"})
    patch(scim, "Users", made, {"op": "replace", "path": "displayName", "value": "still there"})
    patch(scim, "Users", made, {"op": "replace", "path": "active", "value": True})
    assert state(service, made) == "disabled", "an admin's word stands until the directory changes its mind"
    held = group(scim, "held")
    group_name = service.sql(f"SELECT name FROM chancery.principal_group WHERE id = '{held['id']}'").strip()
    world.admin.ok("POST", f"/v1/groups/{group_name}/members", {"principal": name})
    patch(scim, "Groups", held, {"op": "remove", "path": "members"})
    assert name in world.admin.get(f"/v1/groups/{group_name}/members").text


def test_a_group_gives_its_role_and_takes_it(scim, world, service, idp):
    provider(world.admin, "corp", idp.issuer, provisioning="provisioned", subject_claim="oid")
    made = user(scim, "worker@corp", externalId="o-7")
    readers = group(scim, "Readers")
    name = service.sql(f"SELECT name FROM chancery.principal_group WHERE id = '{readers['id']}'").strip()
    world.admin.ok("POST", "/v1/bindings", {"group": name, "role": "reader", "scope": "project", "project": "credit"})
    client = Client(world.service, sign_in(service, idp, sub="w", oid="o-7").json()["access_token"])
    assert client.get("/v1/projects/credit").status_code == 404
    patch(scim, "Groups", readers, {"op": "add", "path": "members", "value": [{"value": made["id"]}]})
    assert client.get("/v1/projects/credit").status_code == 200
    patch(scim, "Groups", readers, {"op": "remove", "path": f'members[value eq "{made["id"]}"]'})
    assert client.get("/v1/projects/credit").status_code == 404
    refused(scim.delete(f"/scim/v2/Groups/{readers['id']}"), 409)


@pytest.mark.parametrize("way", ["active", "delete"])
def test_whoever_leaves_loses_everything_at_once(scim, world, service, idp, way):
    """Sessions, personal tokens, tokens of their service accounts, waiting jobs, and signing in again."""
    if way == "active":
        world.admin.delete("/v1/identity-providers/leave")
    provider(world.admin, f"leave-{way}", idp.issuer, provisioning="provisioned", subject_claim="oid")
    made = user(scim, f"leaver-{way}", externalId=f"leaver-{way}")
    access = sign_in(service, idp, at=f"leave-{way}", sub=way, oid=f"leaver-{way}").json()
    client = Client(service, access["access_token"])
    world.admin.ok("POST", "/v1/bindings", {"principal": access["user"], "role": "data-scientist", "scope": "project", "project": "credit"})
    token = Client(service, client.ok("POST", "/v1/tokens", {"name": "laptop"})["token"])
    world.admin.ok("POST", "/v1/service-accounts", {"name": f"bot-{way}", "owner": access["user"]})
    bot = Client(service, client.ok("POST", "/v1/tokens", {"name": "bot", "service_account": f"bot-{way}"})["token"])
    assert token.get("/v1/projects/credit").status_code == 200 and bot.get("/v1/me").status_code == 200
    version = client.upload_dataset("credit", f"data-{way}", DATA / "iris.csv")
    job = client.ok("POST", "/v1/projects/credit/jobs", {"kind": "train", "input": f"datasets/data-{way}/versions/{version['number']}",
                                                        "output": f"models/m-{way}", "trainer": "logistic", "target": "species"})
    assert job["state"] == "waiting", job
    service.sql("INSERT INTO chancery.login_session (tenant_id, id, principal_id, kind, client_id, remote, expires_at)"
                " SELECT p.tenant_id, gen_random_uuid(), p.id, 'client', c.id, '', now() + interval '1 day' FROM chancery.principal p"
                f" JOIN chancery.oauth_client c USING (tenant_id) WHERE p.id = '{made['id']}' AND c.name = 'chancery-cli'")
    open_sessions = ("SELECT count(*) FROM chancery.login_session s JOIN chancery.principal p USING (tenant_id)"
                     f" WHERE p.id = s.principal_id AND ended_at IS NULL AND '{made['id']}' IN (p.id::text, p.owner_id::text)")
    assert int(service.sql(open_sessions)) > 0
    if way == "active":
        assert patch(scim, "Users", made, {"op": "Replace", "path": "active", "value": "False"}).status_code == 200
    else:
        assert scim.delete(f"/scim/v2/Users/{made['id']}").status_code == 204
    for gone in (client, token, bot):
        assert gone.get("/v1/me").status_code == 401
    assert int(service.sql(open_sessions)) == 0  # nor does a refresh token of theirs work
    assert world["project-owner"].ok("GET", f"/v1/projects/credit/jobs/{job['id']}")["state"] == "cancelled"
    assert sign_in(service, idp, at=f"leave-{way}", sub=way, oid=f"leaver-{way}").status_code == 403
    if way == "active":  # back again: a person, but with no old token
        patch(scim, "Users", made, {"op": "Replace", "path": "active", "value": "True"})
        assert token.get("/v1/me").status_code == 401 and client.get("/v1/me").status_code == 401
        assert sign_in(service, idp, at=f"leave-{way}", sub=way, oid=f"leaver-{way}").status_code == 200


def test_it_is_on_record(scim, world):
    text = world["auditor"].get("/v1/audit?limit=1000").text
    for name in ("post_scim_user", "patch_scim_group", "delete_scim_user"):
        assert name in text, name
