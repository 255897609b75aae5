# SPDX-License-Identifier: Apache-2.0
"""Lists never leak: in random worlds of roles and denies, each surface that shows several things shows exactly those that
a question about each one allows: lists, searches by the beginning of a name, jobs, requests, the graph, its export, the log
and its export.
"""
import json
import os
import random

import pytest
from service import DATA, person

SEED = int(os.environ.get("LISTS_SEED", random.randrange(1 << 32)))
PROJECTS, MODELS, DATASETS, ENDPOINTS = ("credit", "pricing"), 4, 4, 3
ROLES = ("reader", "data-scientist", "data-steward", "deployer", "endpoint-consumer", "approver")
READS = {"models": "assets/read", "datasets": "assets/read", "endpoints": "endpoints/read", "jobs": "jobs/read",
         "approvals": "approvals/read"}
ASSET_ROLES = ("reader", "data-scientist", "data-steward", "deployer")


class Lists:
    """Two projects full of assets, some of them worked on, and people with whatever the dice gave them."""

    def __init__(self, world):
        self.world, self.admin, self.dice = world, world.admin, random.Random(SEED)
        self.admin.ok("PUT", "/v1/projects/pricing", {})
        self.owner = person(world.service, self.admin, "list-owner", [("project-owner", None)])
        self.approver = person(world.service, self.admin, "list-approver", [("approver", None)])
        self.assets = {p: [] for p in PROJECTS}
        for project in PROJECTS:
            self.fill(project)
        self.shared = [self.share(*pair) for pair in zip(PROJECTS, reversed(PROJECTS)) for _ in range(3)]
        self.people = [self.newcomer(i) for i in range(9)]
        self.asked = {}

    def fill(self, project):
        for i in range(MODELS):
            self.make(project, f"models/model-{i}")
        for i in range(ENDPOINTS):
            self.make(project, f"endpoints/endpoint-{i}")
        for i in range(DATASETS):
            self.owner.upload_dataset(project, f"data-{i}", DATA / "iris.csv")
            self.assets[project].append(f"datasets/data-{i}")
            level = self.dice.choice(["public", "internal", "confidential"])
            self.owner.ok("PUT", f"/v1/projects/{project}/datasets/data-{i}/classification", {"level": level})
        jobs = []
        for i in range(3):
            jobs.append(self.owner.ok("POST", f"/v1/projects/{project}/jobs", {
                "kind": "train", "input": f"datasets/data-{i}/versions/1", "output": f"models/model-{i}",
                "trainer": "logistic", "target": "species", "seed": 1, "test_fraction": 0.25}))
        for job in jobs:
            self.approver.ok("POST", f"/v1/projects/{project}/approvals/{job['approval']}/decision",
                             {"verdict": "approve", "reason": "documented"})
        for job in jobs:
            self.owner.await_job(project, job["id"])
        self.owner.ok("POST", f"/v1/projects/{project}/approvals",
                      {"action": "promote", "subject": "models/model-0/versions/1", "alias": "production"})

    def make(self, project, asset):
        self.owner.ok("PUT", f"/v1/projects/{project}/{asset}", {})
        self.assets[project].append(asset)

    def share(self, project, other):
        """Some asset of the one, with the other; (owner, other, asset)."""
        asset = self.dice.choice([a for a in self.assets[project] if not a.startswith("endpoints")])
        second = person(self.world.service, self.admin, f"list-second-{self.dice.randrange(1 << 40)}", [("project-owner", project)])
        share = self.owner.post(f"/v1/projects/{other}/shares", {"asset": asset, "from": project, "reason": "dice"})
        if share.status_code == 201:  # else the dice fell so before
            second.ok("POST", f"/v1/projects/{project}/shares/{share.json()['id']}/decision", {"verdict": "agree", "reason": "dice"})
        return project, other, asset

    def newcomer(self, number):
        who = person(self.world.service, self.admin, f"list-user-{number}")
        for _ in range(self.dice.randint(1, 4)):
            self.give(who)
        if number % 3 == 0:
            self.admin.ok("POST", "/v1/bindings", {"principal": who.name, "role": "auditor", "scope": "tenant"})
        for _ in range(self.dice.randint(0, 3)):
            self.deny(who)
        return who

    def place(self):
        project = self.dice.choice(PROJECTS)
        if self.dice.random() < 0.4:
            return {"scope": "project", "project": project}
        return {"scope": "asset", "project": project, "asset": self.dice.choice(self.assets[project])}

    def give(self, who):
        where = self.place()
        body = {"principal": who.name, "role": self.dice.choice(ASSET_ROLES if "asset" in where else ROLES), **where}
        if self.dice.random() < 0.2:
            body["condition"] = "classification <= internal"
        assert self.admin.post("/v1/bindings", body).status_code in (201, 409)

    def deny(self, who):
        actions = self.dice.choice([["*"], ["assets/*"], ["assets/read"], ["endpoints/*"], ["jobs/read"], ["audit/*"],
                                    ["lineage/*"], ["approvals/*"]])
        self.admin.ok("POST", "/v1/denies", {"principals": [who.name], "actions": actions, "reason": "dice", **self.place()})

    def may(self, who, action, project, asset=None):
        key = (who.name, action, project, asset)
        if key not in self.asked:
            body = {"principal": who.name, "action": action, "project": project, **({"asset": asset} if asset else {})}
            self.asked[key] = self.admin.ok("POST", "/v1/access/check", body)["allowed"]
        return self.asked[key]

    def shown(self, who, path):
        """All pages; nothing where it is refused."""
        found = []
        while path:
            reply = who.get(path)
            if reply.status_code in (403, 404):
                return []
            assert reply.status_code == 200, reply.text
            page = reply.json()
            found += page["value"]
            path = page.get("nextLink")
        return found

    def things_of(self, job):
        things = {"/".join(job[k].split("/")[:2]) for k in ("input", "model", "output") if job.get(k)}
        return things | {job["spec"]["output"]}


@pytest.fixture(scope="module")
def lists(world):
    print(f"LISTS_SEED={SEED}")
    return Lists(world)


@pytest.mark.parametrize("kind, action", [("models", "assets/read"), ("datasets", "assets/read"),
                                          ("endpoints", "endpoints/read")])
def test_a_list_shows_what_each_check_allows(lists, kind, action):
    seen = 0
    for who in lists.people:
        for project in PROJECTS:
            names = [a for a in lists.assets[project] if a.startswith(kind)]
            allowed = {a for a in names if lists.may(who, action, project, a)}
            for query in ("?limit=1000", "?limit=2"):
                shown = lists.shown(who, f"/v1/projects/{project}/{kind}{query}")
                listed = {f"{kind}/{x['name']}" for x in shown if "shared_from" not in x}
                assert listed == allowed, (SEED, who.name, project, query)
                shared = {(x["project"], f"{kind}/{x['name']}") for x in shown if "shared_from" in x}
                expected = {(p, a) for p, other, a in lists.shared if other == project and a.startswith(kind)
                            and lists.may(who, action, p, a)}
                refused = who.get(f"/v1/projects/{project}/{kind}").status_code in (403, 404)
                assert shared == (set() if refused else expected), (SEED, who.name, project, query)
            seen += len(allowed)
    assert seen, "dice that give nothing prove nothing"


def test_a_search_by_the_beginning_of_a_name_finds_no_more(lists):
    for who in lists.people:
        for project in PROJECTS:
            for asset in lists.assets[project][:MODELS]:
                found = lists.shown(who, f"/v1/projects/{project}/models?q={asset.split('/')[1]}")
                found = [x for x in found if "shared_from" not in x]
                assert bool(found) == lists.may(who, "assets/read", project, asset), (SEED, who.name, asset)


def test_shares_are_listed_to_whom_their_asset_is(lists):
    for who in lists.people:
        for project in PROJECTS:
            listed = {(s["project"], s["with"], s["asset"]) for s in lists.shown(who, f"/v1/projects/{project}/shares?limit=2")}
            if who.get(f"/v1/projects/{project}/shares").status_code == 200:
                assert listed == {s for s in lists.shared if project in s[:2] and lists.may(who, "assets/read", s[0], s[2])}, (SEED, who.name)


def test_projects_are_listed_as_they_are_allowed(lists):
    for who in lists.people:
        listed = {p["name"] for p in lists.shown(who, "/v1/projects?limit=100")}
        assert listed == {p for p in PROJECTS if lists.may(who, "projects/read", p)}, (SEED, who.name)


def test_jobs_about_what_is_hidden_are_hidden(lists):
    counted = 0
    for who in lists.people:
        for project in PROJECTS:
            every = lists.shown(lists.owner, f"/v1/projects/{project}/jobs?limit=100")
            allowed = {j["id"] for j in every if lists.may(who, "jobs/read", project, "jobs")
                       and all(lists.may(who, "assets/read", project, t) for t in lists.things_of(j))}
            assert {j["id"] for j in lists.shown(who, f"/v1/projects/{project}/jobs?limit=100")} == allowed, (SEED, who.name)
            for job in every:
                one = who.get(f"/v1/projects/{project}/jobs/{job['id']}")
                assert (one.status_code == 200) == (job["id"] in allowed), (SEED, who.name, one.text)
                events = who.get(f"/v1/projects/{project}/jobs/{job['id']}/events", stream=True)
                assert (events.status_code == 200) == (job["id"] in allowed)
                events.close()
            counted += len(allowed)
    assert counted


def test_requests_about_what_is_hidden_are_hidden(lists):
    for who in lists.people:
        inbox = {a["id"] for a in lists.shown(who, "/v1/approvals?limit=100")}
        wanted = set()
        for project in PROJECTS:
            jobs = {j["id"]: j for j in lists.shown(lists.owner, f"/v1/projects/{project}/jobs?limit=100")}
            for a in lists.shown(lists.owner, f"/v1/projects/{project}/approvals?limit=100"):
                kind, name = a["subject"].split("/")[:2]
                things = lists.things_of(jobs[name]) if kind == "jobs" else {f"{kind}/{name}"}
                if lists.may(who, "approvals/read", project) and all(
                        lists.may(who, "assets/read", project, t) for t in things):
                    wanted.add(a["id"])
                one = who.get(f"/v1/projects/{project}/approvals/{a['id']}")
                assert (one.status_code == 200) == (a["id"] in wanted), (SEED, who.name, a["subject"], one.text)
            listed = {a["id"] for a in lists.shown(who, f"/v1/projects/{project}/approvals?limit=100")}
            assert listed == {i for i in wanted if i in {a["id"] for a in lists.shown(
                lists.owner, f"/v1/projects/{project}/approvals?limit=100")}}
        assert inbox == wanted, (SEED, who.name)


def sees(lists, who, project, name):
    parts = name.split("/")
    asset = "/".join(parts[2:4]) if parts[2] in ("models", "datasets") else None
    if not lists.may(who, "lineage/read", project) and not (asset and lists.may(who, "lineage/read", project, asset)):
        return False
    if parts[2] in ("models", "datasets"):
        return lists.may(who, "assets/read", project, "/".join(parts[2:4]))
    return parts[2] != "jobs" or lists.may(who, "jobs/read", project, "jobs")


def test_the_graph_redacts_what_is_hidden(lists):
    for who in lists.people:
        for project in PROJECTS:
            for i in range(3):
                root = f"projects/{project}/models/model-{i}/versions/1"
                whole = lists.owner.ok("GET", f"/v1/lineage?node={root}")
                reply = who.get(f"/v1/lineage?node={root}")
                assert (reply.status_code == 200) == sees(lists, who, project, root), (SEED, who.name, root, reply.text)
                if reply.status_code != 200:
                    absent = who.get(f"/v1/lineage?node=projects/{project}/models/never/versions/1")
                    assert reply.content == absent.content
                    continue
                shown = {n["name"] for n in reply.json()["nodes"] if "name" in n}
                assert shown <= {n["name"] for n in whole["nodes"] if sees(lists, who, project, n["name"])}
                near = {n["name"] for n in whole["nodes"] if n["depth"] <= 1 and sees(lists, who, project, n["name"])}
                assert near <= shown
                hidden = {n["name"] for n in whole["nodes"]} - shown
                export = who.get(f"/v1/lineage/export?node={root}")
                assert export.status_code == 200 and not any(f'"{n}"' in export.text or n in reply.text for n in hidden)


def test_impact_and_paths_do_not_tell_of_hidden_things(lists):
    for who in lists.people:
        for project in PROJECTS:
            for i in range(3):
                end = f"projects/{project}/datasets/data-{i}/versions/1"
                begin = f"projects/{project}/models/model-{i}/versions/1"
                impact = who.get(f"/v1/lineage/impact?node={end}")
                assert (impact.status_code == 200) == sees(lists, who, project, end), (SEED, who.name)
                path = who.get(f"/v1/lineage/path?from={begin}&to={end}")
                assert (path.status_code == 200) == (sees(lists, who, project, begin) and sees(lists, who, project, end))


def test_the_log_and_its_export_leave_out_what_is_taken(lists):
    def told(who, entry):
        project, thing = entry["project"], "/".join((entry["object"] or "").split("/")[:2])
        if project not in PROJECTS:
            return True
        if not (lists.may(who, "audit/read", project) and lists.may(who, "projects/read", project)):
            return False
        kind = thing.split("/")[0]
        if kind not in READS or (entry["object"] == kind):
            return True
        asset = thing if thing in lists.assets[project] else "jobs" if kind == "jobs" else None
        return lists.may(who, READS[kind], project, asset) and lists.may(who, "audit/read", project, asset)
    auditors, cut = [w for i, w in enumerate(lists.people) if i % 3 == 0], 0
    for who in auditors:
        if who.get("/v1/audit?limit=1").status_code == 403:
            continue
        every = lists.shown(lists.owner, "/v1/audit?limit=1000&order=asc")
        listed = [e["id"] for e in lists.shown(who, "/v1/audit?limit=1000&order=asc")]
        wanted = [e["id"] for e in every if told(who, e)]
        odd = [e for e in every if (e["id"] in listed) != (e["id"] in wanted)][:2]
        assert listed[:len(wanted)] == wanted, (SEED, who.name, [(e["action"], e["project"], e["object"]) for e in odd])
        gone = next((e for e in every if not told(who, e)), None)
        exported = [json.loads(line)["id"] for line in who.get("/v1/audit/export?order=asc").text.splitlines()]
        assert not set(exported) & {e["id"] for e in every if not told(who, e)} and set(wanted) <= set(exported)
        payloads = who.get("/v1/audit/payloads?limit=1")
        if gone:
            cut += 1
            absent = who.get("/v1/audit/entries/01a1fd00-0000-7000-8000-000000000000")
            assert who.get(f"/v1/audit/entries/{gone['id']}").content == absent.content
        assert payloads.status_code in ((200, 403) if gone is None else (403,))
    print(f"{cut} of {len(auditors)} auditors had something hidden")
