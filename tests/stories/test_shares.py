# SPDX-License-Identifier: Apache-2.0
"""An asset of one project in the hands of another of the tenant: by reference, with both sides' consent, until either ends it."""
import itertools

import pytest
from service import DATA, person

OWNER, WITH = "/v1/projects/credit", "/v1/projects/fraud"
names = itertools.count()


class Sides:
    """credit owns; fraud wants. Somebody of each side, and a stranger."""

    def __init__(self, world):
        self.world, self.admin = world, world.admin
        self.admin.ok("PUT", WITH, {})
        self.trains_need(0)
        self.admin.ok("PUT", "/v1/projects/claims", {})

        def new(name, *roles):
            return person(world.service, self.admin, "sh-" + name, roles)

        self.owner = new("owner", ("project-owner", "credit"))
        self.second = new("second", ("project-owner", "credit"))
        self.asker = new("asker", ("data-scientist", "fraud"), ("reader", "credit"))
        self.member = new("member", ("data-scientist", "fraud"))
        self.boss = new("boss", ("project-owner", "fraud"))
        self.metadata = new("metadata", ("reader", "fraud"))
        self.stranger = new("stranger", ("project-owner", "claims"))
        self.offerer = new("offerer", ("project-owner", "credit"), ("reader", "fraud"))

    def trains_need(self, approvals):
        self.admin.ok("PATCH", WITH, {"policy": {"train": {"approvals": approvals}}}, headers={"Content-Type": "application/json"})

    def dataset(self, versions=1):
        name = f"data-{next(names)}"
        for _ in range(versions):
            self.owner.upload_dataset("credit", name, DATA / "iris.csv")
        return "datasets/" + name

    def ask(self, asset, **more):
        return self.asker.ok("POST", WITH + "/shares", {"asset": asset, "from": "credit", "reason": "to train on", **more})

    def agree(self, share, by=None):
        return (by or self.owner).ok("POST", f"{OWNER}/shares/{share['id']}/decision", {"verdict": "agree", "reason": "fine"})

    def shared(self, asset, **more):
        return self.agree(self.ask(asset, **more))


@pytest.fixture(scope="module")
def sides(world):
    return Sides(world)


def reads(client, asset, version=1):
    """(metadata, bytes): the statuses of what a member reads at the owner's own place."""
    place = f"{OWNER}/{asset}/versions/{version}"
    name = asset.split("/")[1]
    return client.get(place).status_code, client.get(f"{place}/files/{name}.csv").status_code


def test_a_share_is_asked_for_agreed_to_read_by_reference_and_ended(sides):
    asset = sides.dataset()
    assert reads(sides.member, asset) == (404, 404)
    share = sides.ask(asset)
    assert (share["state"], share["project"], share["with"], share["version"]) == ("asked", "credit", "fraud", 0)
    assert reads(sides.member, asset) == (404, 404)
    done = sides.agree(share)
    assert (done["state"], done["decided_by"], done["requested_by"]) == ("active", "sh-owner", "sh-asker")
    assert reads(sides.member, asset) == (200, 200) and reads(sides.stranger, asset) == (404, 404)
    assert reads(sides.metadata, asset) == (200, 403), "who may not read bytes there does not read these"
    mine, theirs = (c.ok("GET", f"{OWNER}/{asset}/versions/1") for c in (sides.owner, sides.member))
    assert mine["digest"] == theirs["digest"] and theirs["project"] == "credit"
    name = asset.split("/")[1]
    assert (sides.member.get(f"{OWNER}/{asset}/versions/1/files/{name}.csv").content
            == sides.owner.get(f"{OWNER}/{asset}/versions/1/files/{name}.csv").content)
    assert sides.world.service.sql("SELECT count(*) FROM chancery.asset a JOIN chancery.project p ON p.id = a.project_id"
                                   f" WHERE p.name = 'fraud' AND a.name = '{name}'").strip() == "0", "nothing is copied"
    for method, path, body in (("PATCH", asset, {"description": "x"}), ("DELETE", asset, None), ("PUT", asset + "/tags/a", {"value": "b"}),
                               ("POST", asset + "/versions", {})):
        assert sides.boss.request(method, f"{OWNER}/{path}", body).status_code == 403, "read-only"
    assert sides.member.get(OWNER).status_code == 404 and sides.member.get(OWNER + "/models").status_code == 404
    ended = sides.owner.delete(f"{OWNER}/shares/{share['id']}")
    assert ended.status_code == 204 and "X-Authz-Epoch" in ended.headers
    assert reads(sides.member, asset) == (404, 404)
    assert reads(sides.boss, asset) == (404, 404)


def test_lists_mark_it_and_show_it_to_whom_it_may_be_shown(sides):
    asset = sides.dataset()
    name = asset.split("/")[1]
    sides.member.upload_dataset("fraud", name, DATA / "iris.csv")  # one of the same name
    share = sides.shared(asset)

    def listed(client, path):
        found, page = [], path
        while page:
            reply = client.ok("GET", page)
            found += reply["value"]
            page = reply.get("nextLink")
        return found

    for limit in (1, 2, 100):
        there = [(a["name"], a["project"], a.get("shared_from")) for a in listed(sides.member, f"{WITH}/datasets?limit={limit}&q={name}")
                 if a["name"] == name]
        assert there == [(name, "fraud", None), (name, "credit", "credit")]
    assert [a["name"] for a in listed(sides.member, OWNER + "/datasets") if a["name"] == name] == [name]
    assert share["id"] in [s["id"] for s in listed(sides.metadata, WITH + "/shares?direction=in&state=active&limit=1")]
    assert share["id"] in [s["id"] for s in listed(sides.owner, OWNER + "/shares?direction=out")]
    assert share["id"] not in [s["id"] for s in listed(sides.owner, OWNER + "/shares?direction=in")]
    assert sides.stranger.get(f"{WITH}/shares/{share['id']}").status_code == 404
    assert sides.stranger.get(f"/v1/projects/claims/shares/{share['id']}").status_code == 404
    found = sides.member.ok("GET", f"/v1/catalogue?q={name}")["value"]
    assert {x["path"] for x in found} == {f"credit/{asset}", f"fraud/{asset}"}
    assert {x["path"]: x["shared_with"] for x in found} == {f"credit/{asset}": ["fraud"], f"fraud/{asset}": []}
    assert [x["shared_with"] for x in sides.second.ok("GET", f"/v1/catalogue?q={name}")["value"]] == [[]], "with whom is not for all"
    assert {x["path"] for x in sides.member.ok("GET", f"/v1/catalogue?q={name}&project=fraud")["value"]} == {f"credit/{asset}", f"fraud/{asset}"}
    assert {x["path"] for x in sides.asker.ok("GET", f"/v1/catalogue?q={name}&project=credit")["value"]} == {f"credit/{asset}"}
    assert sides.stranger.ok("GET", f"/v1/catalogue?q={name}")["value"] == []
    sides.boss.ok("DELETE", f"{WITH}/shares/{share['id']}")  # given back
    assert [a["project"] for a in listed(sides.member, f"{WITH}/datasets?q={name}") if a["name"] == name] == ["fraud"]
    assert {x["path"] for x in sides.member.ok("GET", f"/v1/catalogue?q={name}")["value"]} == {f"fraud/{asset}"}


def test_one_version_is_that_version_and_no_more(sides):
    asset = sides.dataset(versions=2)
    sides.owner.ok("PUT", f"{OWNER}/{asset}/aliases/best", {"version": 1})
    share = sides.shared(asset + "/versions/1")
    assert share["digest"] == sides.owner.ok("GET", f"{OWNER}/{asset}/versions/1")["digest"]
    assert reads(sides.member, asset) == (200, 200) and reads(sides.member, asset, 2) == (404, 404)
    for path in ("", "/versions", "/aliases", "/versions/@best"):
        assert sides.member.get(f"{OWNER}/{asset}{path}").status_code == 404
    assert share["id"] in [s["id"] for s in sides.member.ok("GET", WITH + "/shares")["value"]]


def test_by_alias_only_where_the_owner_lets(sides):
    asset = sides.dataset(versions=2)
    sides.owner.ok("PUT", f"{OWNER}/{asset}/aliases/best", {"version": 1})
    share = sides.shared(asset)
    assert sides.member.get(f"{OWNER}/{asset}/versions/@best").status_code == 404
    assert reads(sides.member, asset, 2) == (200, 200)
    sides.owner.ok("DELETE", f"{OWNER}/shares/{share['id']}")
    sides.shared(asset, by_alias=True)
    assert sides.member.ok("GET", f"{OWNER}/{asset}/versions/@best")["number"] == 1
    sides.owner.ok("PUT", f"{OWNER}/{asset}/aliases/best", {"version": 2})
    assert sides.member.ok("GET", f"{OWNER}/{asset}/versions/@best")["number"] == 2


def train(client, path, **more):
    return client.request("POST", WITH + "/jobs", {"kind": "train", "input": path, "output": f"models/m-{next(names)}", "trainer": "logistic",
                                                   "target": "species", "seed": 1, "test_fraction": 0.25, **more})


def test_a_job_reads_what_is_shared_and_its_lineage_names_the_owner(sides):
    asset = sides.dataset()
    path = f"projects/credit/{asset}/versions/1"
    refused = train(sides.member, path)
    assert refused.status_code == 400 and refused.json()["error"]["target"] == "input"
    assert train(sides.asker, path).status_code == 400, "who reads it elsewhere cannot bring it here"
    sides.shared(asset)
    assert train(sides.member, f"projects/credit/{asset}/versions/@best").status_code == 400
    job = train(sides.member, path)
    assert job.status_code == 202, job.text
    job = sides.member.await_job("fraud", job.json()["id"])
    assert job["state"] == "succeeded" and job["input"] == path and job["spec"]["input"]["version"] == path
    seen = sides.member.ok("GET", f"/v1/lineage?node=projects/fraud/{job['output']}&direction=upstream&depth=3")
    assert path in {n["name"] for n in seen["nodes"]}, seen
    assert "projects/credit/" not in sides.stranger.get(f"/v1/lineage?node={path}&direction=downstream").text


def test_ending_it_stops_what_reads_it(sides):
    sides.trains_need(1)
    try:
        asset = sides.dataset()
        share = sides.shared(asset)
        job = train(sides.member, f"projects/credit/{asset}/versions/1").json()
        assert job["state"] == "waiting"
        sides.owner.ok("DELETE", f"{OWNER}/shares/{share['id']}")
        assert sides.member.await_job("fraud", job["id"])["state"] == "cancelled"
    finally:
        sides.trains_need(0)


def refused(reply, status, target=None):
    assert reply.status_code == status, reply.text
    assert target is None or reply.json()["error"]["target"] == target, reply.text


def failing(sides, statement):
    """What the database itself says to somebody who goes past the service."""
    with pytest.raises(AssertionError) as refusal:
        sides.world.service.sql(statement)
    return str(refusal.value)


def test_nobody_consents_alone(sides):
    asset = sides.dataset()
    share = sides.ask(asset)
    both = person(sides.world.service, sides.admin, "sh-both", [("project-owner", "credit"), ("project-owner", "fraud")])
    refused(sides.asker.post(f"{OWNER}/shares/{share['id']}/decision", {"verdict": "agree", "reason": "x"}), 403)
    refused(sides.boss.post(f"{WITH}/shares/{share['id']}/decision", {"verdict": "agree", "reason": "x"}), 403)
    refused(sides.stranger.post(f"{OWNER}/shares/{share['id']}/decision", {"verdict": "agree", "reason": "x"}), 404)
    refused(sides.admin.post(f"{OWNER}/shares/{share['id']}/decision", {"verdict": "agree", "reason": "x"}), 403)  # lacks the bytes
    mine = both.ok("POST", WITH + "/shares", {"asset": sides.dataset(), "from": "credit", "reason": "mine"})
    alone = both.post(f"{OWNER}/shares/{mine['id']}/decision", {"verdict": "agree", "reason": "x"})
    refused(alone, 403)
    assert alone.json()["error"]["code"] == "four-eyes"
    robot = sides.admin.ok("POST", "/v1/service-accounts", {"name": "sh-robot", "owner": "sh-both"})["name"]
    sides.admin.ok("POST", "/v1/bindings", {"principal": robot, "role": "project-owner", "scope": "project", "project": "credit"})
    token = both.ok("POST", "/v1/tokens", {"name": "t", "service_account": robot})["token"]
    machine = sides.world.service.client(token)
    refused(machine.post(f"{OWNER}/shares/{mine['id']}/decision", {"verdict": "agree", "reason": "x"}), 403)
    assert "nobody agrees with themselves" in failing(
        sides, f"UPDATE chancery.asset_share SET state = 'active', decided_by = requested_by WHERE id = '{mine['id']}'")
    assert sides.agree(share)["state"] == "active"
    refused(sides.second.post(f"{OWNER}/shares/{share['id']}/decision", {"verdict": "refuse", "reason": "x"}), 409)


def test_an_offer_needs_the_other_side_and_an_offerer_who_still_has_it(sides):
    asset = sides.dataset()
    offer = sides.offerer.ok("POST", OWNER + "/shares", {"asset": asset, "with": "fraud", "reason": "useful to you"})
    assert offer["state"] == "offered"
    assert offer["id"] in [s["id"] for s in sides.member.ok("GET", WITH + "/shares?state=offered")["value"]]
    assert offer["id"] not in [s["id"] for s in sides.metadata.ok("GET", WITH + "/shares")["value"]]
    refused(sides.second.post(f"{OWNER}/shares/{offer['id']}/decision", {"verdict": "agree", "reason": "x"}), 403)
    deny = sides.admin.ok("POST", "/v1/denies", {"principals": ["sh-offerer"], "actions": ["assets/files/read"], "reason": "a wall",
                                                 "scope": "project", "project": "credit"})
    place = f"{WITH}/shares/{offer['id']}/decision"
    refused(sides.member.post(place, {"verdict": "agree", "reason": "thanks"}), 403)
    sides.admin.ok("DELETE", "/v1/denies/" + deny["id"])
    assert sides.member.ok("POST", place, {"verdict": "agree", "reason": "thanks"})["state"] == "active"
    assert reads(sides.member, asset) == (200, 200)
    other = sides.offerer.ok("POST", OWNER + "/shares", {"asset": sides.dataset(), "with": "fraud", "reason": "and this"})
    assert sides.boss.ok("POST", f"{WITH}/shares/{other['id']}/decision", {"verdict": "refuse", "reason": "no need"})["state"] == "refused"


def test_denies_classes_and_ceilings_win(sides):
    asset = sides.dataset()
    sides.shared(asset)
    assert reads(sides.member, asset) == (200, 200)
    for where in ({"scope": "asset", "project": "credit", "asset": asset}, {"scope": "project", "project": "fraud"}, {"scope": "tenant"}):
        deny = sides.admin.ok("POST", "/v1/denies", {"principals": ["sh-member"], "actions": ["assets/files/read"], "reason": "a wall", **where})
        assert reads(sides.member, asset) == (200, 403), where
        sides.admin.ok("DELETE", "/v1/denies/" + deny["id"])
    cleared = person(sides.world.service, sides.admin, "sh-cleared")
    sides.admin.ok("POST", "/v1/bindings", {"principal": "sh-cleared", "role": "data-scientist", "scope": "project", "project": "fraud",
                                            "condition": "classification <= internal"})
    assert reads(cleared, asset) == (200, 200)
    sides.owner.ok("PUT", f"{OWNER}/{asset}/classification", {"level": "restricted"})
    assert reads(cleared, asset) == (404, 404) and reads(sides.member, asset) == (200, 200)
    sides.admin.ok("POST", "/v1/service-accounts", {"name": "sh-capped", "owner": "sh-boss"})
    sides.admin.ok("POST", "/v1/bindings", {"principal": "sh-capped", "role": "data-scientist", "scope": "project", "project": "fraud"})
    capped = sides.world.service.client(sides.boss.ok("POST", "/v1/tokens", {"name": "t", "service_account": "sh-capped"})["token"])
    assert reads(capped, asset) == (200, 200)
    sides.admin.ok("POST", "/v1/ceilings", {"principal": "sh-capped", "actions": ["*"], "scope": "project", "project": "fraud"})
    assert reads(capped, asset) == (404, 404), "a ceiling is about where the thing lies"
    why = sides.admin.ok("POST", "/v1/access/explain", {"principal": "sh-member", "action": "assets/read",
                                                        "project": "credit", "asset": asset})
    assert why["allowed"] and "project fraud, with which it is shared" in why["reason"], why


def test_bad_requests_say_what_is_wrong_and_change_nothing(sides):
    asset = sides.dataset()
    pending = sides.owner.ok("POST", f"{OWNER}/{asset}/versions", {})["number"]
    gone = sides.dataset()
    sides.owner.ok("DELETE", f"{OWNER}/{gone}")
    before = sides.world.service.sql("SELECT count(*) FROM chancery.asset_share")

    def ask(client=sides.asker, **body):
        return client.post(WITH + "/shares", {"asset": asset, "from": "credit", "reason": "x", **body})

    refused(ask(**{"from": "nowhere"}), 400, "from")
    refused(ask(**{"from": "claims"}), 400, "from")  # which the asker may not see
    refused(ask(**{"from": "fraud"}), 400, "from")
    refused(ask(**{"with": "claims"}), 400, "from")
    refused(ask(**{"from": None}), 400, "from")
    refused(ask(asset="datasets/never-was"), 400, "asset")
    refused(ask(asset=gone), 400, "asset")
    refused(ask(asset="things/x"), 400, "asset")
    refused(ask(asset=asset + "/versions/@best"), 400, "asset")
    refused(ask(asset=asset + "/versions/99"), 400, "asset")
    refused(ask(asset=f"{asset}/versions/{pending}"), 400, "asset")
    refused(ask(asset=asset + "/versions/1", by_alias=True), 400, "by_alias")
    refused(ask(reason=""), 400, None)
    refused(ask(surprise=1), 400, None)
    refused(sides.member.post(WITH + "/shares", {"asset": asset, "from": "credit", "reason": "x"}), 400, "from")
    refused(sides.metadata.post(WITH + "/shares", {"asset": asset, "from": "credit", "reason": "x"}), 403)
    refused(sides.admin.post(OWNER + "/shares", {"asset": asset, "with": "fraud", "reason": "x"}), 403)  # lacks the bytes
    refused(sides.asker.get(WITH + "/shares?state=maybe"), 400, "state")
    refused(sides.asker.get(WITH + "/shares?direction=up"), 400, "direction")
    assert sides.world.service.sql("SELECT count(*) FROM chancery.asset_share") == before
    share = sides.ask(asset)
    refused(ask(), 409)
    refused(sides.offerer.post(OWNER + "/shares", {"asset": asset, "with": "fraud", "reason": "x"}), 409)
    refused(sides.owner.request("DELETE", f"{OWNER}/shares/{share['id']}", headers={"If-Match": '"9"'}), 412)
    sides.asker.ok("DELETE", f"{WITH}/shares/{share['id']}")  # withdrawn
    refused(sides.owner.post(f"{OWNER}/shares/{share['id']}/decision", {"verdict": "agree", "reason": "x"}), 409)
    refused(sides.owner.delete(f"{OWNER}/shares/{share['id']}"), 409)
    assert sides.ask(asset)["state"] == "asked", "and may be asked for again"


def test_another_tenant_is_out_of_reach(sides):
    asset = sides.dataset()
    share = sides.shared(asset)
    foreign = sides.world.foreign_admin
    assert foreign.get(f"{WITH}/shares/{share['id']}").status_code == 404
    ids = sides.world.service.sql("SELECT tenant_id, id FROM chancery.project WHERE name = 'claims' AND tenant_id <>"
                                  f" (SELECT tenant_id FROM chancery.asset_share WHERE id = '{share['id']}')").strip().split("|")
    broken = failing(
        sides, "INSERT INTO chancery.asset_share (tenant_id, id, asset_id, owner_id, project_id, state, reason, requested_by) SELECT tenant_id,"
        f" gen_random_uuid(), asset_id, owner_id, '{ids[1]}', 'asked', 'x', requested_by FROM chancery.asset_share WHERE id = '{share['id']}'")
    assert "asset_share_project" in broken


def test_what_is_deleted_is_not_read_and_what_is_shared_not_purged(sides):
    asset = sides.dataset()
    share = sides.shared(asset)
    sides.owner.ok("DELETE", f"{OWNER}/{asset}")
    assert reads(sides.member, asset) == (404, 404)
    kept = sides.owner.post(f"{OWNER}/{asset}/purge", {})
    assert kept.status_code == 409 and "fraud" in kept.text and share["id"] in kept.text
    sides.owner.ok("POST", f"{OWNER}/{asset}/restore", {})
    assert reads(sides.member, asset) == (200, 200), "as before"
    sides.owner.ok("DELETE", f"{OWNER}/shares/{share['id']}")
    sides.owner.ok("DELETE", f"{OWNER}/{asset}")
    assert sides.owner.post(f"{OWNER}/{asset}/purge", {}).status_code == 204
    assert sides.owner.get(f"{OWNER}/shares/{share['id']}").status_code == 404


def test_each_step_is_in_the_log_with_what_changed(sides):
    asset = sides.dataset()
    share = sides.shared(asset)
    sides.owner.ok("DELETE", f"{OWNER}/shares/{share['id']}")
    entries = [e for e in sides.admin.ok("GET", "/v1/audit?limit=200")["value"] if e["object"] == "shares/" + share["id"]]
    assert [(e["actor_name"], e["project"]) for e in reversed(entries)] == [("sh-asker", "fraud"), ("sh-owner", "credit"), ("sh-owner", "credit")]
    changes = [{c["path"]: (c["before"], c["after"]) for c in e["changes"]} for e in entries[:2]]
    assert changes[1]["state"] == ("asked", "active") and changes[1]["decided_by"] == (None, "sh-owner")
    assert changes[0]["state"] == ("active", None) and "credit/" + asset in str(entries[1]["detail"]), entries[1]


def test_a_deleted_project_reads_nothing(sides):
    sides.admin.ok("PUT", "/v1/projects/short-lived", {})
    asset = sides.dataset()
    visitor = person(sides.world.service, sides.admin, "sh-visitor", [("project-owner", "short-lived"), ("reader", "credit")])
    friend = person(sides.world.service, sides.admin, "sh-friend", [("data-scientist", "short-lived")])
    share = visitor.ok("POST", "/v1/projects/short-lived/shares", {"asset": asset, "from": "credit", "reason": "x"})
    sides.agree(share)
    assert reads(friend, asset) == (200, 200)
    visitor.ok("DELETE", "/v1/projects/short-lived")
    assert reads(friend, asset) == (404, 404)
