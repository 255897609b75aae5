# SPDX-License-Identifier: Apache-2.0
"""Every route × outcome (success, refusal, failure) leaves exactly one entry, by its line's audit level.

The calls are generated from the route table: a stranger is refused everywhere, an administrator fails
everywhere (absent things, odd bodies), and the main story is played through for what succeeds.
"""
import collections
import json
import re
import subprocess

import pytest
import service as stories
from service import BUILD, PASSWORD, Client, Service, World, person

STREAMS = {"get_job_events", "get_audit_tail"}


def route_table():
    out = subprocess.run([BUILD / "chanceryd", "routes", "--json"], capture_output=True, check=True, text=True).stdout
    return json.loads(out)


ROUTES = route_table()
NO_BODY = "takes no body"  # said before anybody is identified: it belongs to no tenant's log


def pattern(path):
    parts = [".+" if p.endswith("+}") else "[^/]+" if p.startswith("{") else re.escape(p) for p in path[1:].split("/")]
    return re.compile("/" + "/".join(parts) + "$")


PATTERNS = [(r, pattern(r["path"])) for r in ROUTES]


def route_of(method, path):
    """As the service finds it: literals win over arguments, from the left."""
    fits = [r for r, p in PATTERNS if r["method"] == method and p.match(path.split("?")[0])]
    return min(fits, key=lambda r: [p.startswith("{") + p.endswith("+}") for p in r["path"].split("/")], default=None)


def fill(path, project="credit"):
    path = path.replace("{project}", project)
    return re.sub(r"{[a-z_]+[+%]?}", "absent", path)


class Heard:
    """Every answer that anybody got, with who asked."""

    def __init__(self):
        self.calls = []

    def listen(self, monkeypatch):
        plain = Client.request

        def request(client, method, path, *args, **kwargs):
            reply = plain(client, method, path, *args, **kwargs)
            self.calls.append((client, route_of(method, path), reply))
            return reply

        monkeypatch.setattr(stories.Client, "request", request)


def play(world):
    """What succeeds: the main story, and the calls beside it."""
    _, job = world.trained()
    version = job["output"]
    world.promoted(version)
    deployer, scientist, admin = world["deployer"], world["data-scientist"], world.admin
    deployer.ok("PUT", "/v1/projects/credit/endpoints/risk", {})
    deployer.request("PUT", "/v1/projects/credit/endpoints/risk/deployment", {"version": version})
    deployer.request("DELETE", "/v1/projects/credit/endpoints/risk/deployment")
    deployer.request("DELETE", "/v1/projects/credit/endpoints/risk")
    scientist.ok("PATCH", "/v1/projects/credit/datasets/cancer", {"description": "of 1995"},
                 headers={"Content-Type": "application/json"})
    scientist.request("POST", "/v1/tokens", {"name": "short"})
    admin.request("POST", "/v1/service-accounts", {"name": "robot", "owner": "admin"})
    admin.ok("PUT", "/v1/projects/spare", {})
    admin.ok("DELETE", "/v1/projects/spare")
    admin.get("/v1/audit/payloads?from_index=0&limit=5")
    admin.ok("PUT", "/v1/projects/pricing", {})
    asker = person(world.service, admin, "asker", [("project-owner", "pricing"), ("reader", "credit")])
    share = asker.ok("POST", "/v1/projects/pricing/shares", {"asset": "datasets/cancer", "from": "credit", "reason": "to compare"})
    world["project-owner"].ok("POST", f"/v1/projects/credit/shares/{share['id']}/decision", {"verdict": "agree", "reason": "so"})
    asker.ok("DELETE", f"/v1/projects/pricing/shares/{share['id']}")
    leaver = person(world.service, admin, "leaver")
    leaver.ok("POST", "/v1/me/password", {"current": leaver.password, "new": PASSWORD + "!"})


@pytest.fixture(scope="module")
def heard():
    patch = pytest.MonkeyPatch()
    calls = Heard()
    calls.listen(patch)
    started = Service()
    try:
        calls.world = World(started.start())
        play(calls.world)
        calls.stranger = person(started, calls.world.admin, "the-stranger")
        for route in ROUTES:
            if route["handler"] in STREAMS:
                continue
            body = {"no-such-member": 1} if route["method"] in ("POST", "PUT", "PATCH") else None
            for client in (calls.stranger, calls.world.admin):
                project = "doomed" if route["handler"] == "delete_project" else "credit"
                headers = {"X-MLFLOW-WORKSPACE": project} if route["scope"] == "workspace" else {}
                reply = client.request(route["method"], fill(route["path"], project), body, headers=headers)
                if NO_BODY in reply.text:
                    client.request(route["method"], fill(route["path"], project), headers=headers)
        patch.undo()
        calls.entries = collections.defaultdict(list)
        path = "/v1/audit?limit=1000"
        while path:
            page = calls.world["auditor"].ok("GET", path)
            for entry in page["value"]:
                calls.entries[entry["request"]].append(entry)
            path = page.get("nextLink")
        yield calls
    finally:
        patch.undo()
        started.close()


def own(heard):
    """Calls by people of the tenant whose log we read."""
    return [(c, r, a) for c, r, a in heard.calls if r and c.token and c.tenant == "acme" and NO_BODY not in a.text]


def told(route, reply):
    return f"{route['method']} {route['path']} -> {reply.status_code} {reply.text[:160]}"


def test_each_call_leaves_one_entry_or_none_as_its_line_says(heard):
    wrong = []
    for client, route, reply in own(heard):
        refused = client is heard.stranger and route["action"] not in ("public", "anyone")
        refused = refused or (route["scope"] == "project" and "/doomed" in reply.url)
        expected = 1 if refused or reply.status_code == 403 or route["audit"] != "none" else 0
        if route["action"] == "public" and route["scope"] == "none":
            continue  # whose log it is in depends on what the body says
        found = len(heard.entries[reply.headers["X-Request-Id"]])
        if found != expected:
            wrong.append(f"{found} instead of {expected}: {told(route, reply)}")
    assert not wrong, "\n".join(wrong)


def test_entries_say_what_was_answered(heard):
    wrong = []
    for _, route, reply in own(heard):
        for entry in heard.entries[reply.headers["X-Request-Id"]]:
            well = entry["status"] == reply.status_code and entry["action"] == route["handler"]
            well = well and (entry["outcome"] == "ok") == (reply.status_code < 400)
            well = well and f"id={entry['id']}; leaf={entry['leaf_hash']}" == reply.headers.get("Chancery-Audit")
            if not well:
                wrong.append(f"{entry['action']} {entry['status']} {entry['outcome']}: {told(route, reply)}")
    assert not wrong, "\n".join(wrong)


def test_levels_keep_what_they_say(heard):
    wrong, seen = [], collections.Counter()
    for _, route, reply in own(heard):
        sent = reply.request.body
        for entry in heard.entries[reply.headers["X-Request-Id"]]:
            ok, level = entry["outcome"] == "ok", route["audit"]
            body, response = entry["detail"].get("body"), entry["detail"].get("response")
            json_body = sent and "json" in reply.request.headers.get("Content-Type", "")
            if body is not None and level not in ("request", "response"):
                wrong.append(f"keeps the body: {told(route, reply)}")
            if ok and json_body and level in ("request", "response") and body is None and route["tx"] != "manual":
                wrong.append(f"lacks the body: {told(route, reply)}")
            if (response is not None) != (ok and level == "response" and reply.content != b""):
                wrong.append(f"response {response is not None}: {told(route, reply)}")
            seen[level, ok] += 1
    assert not wrong, "\n".join(wrong)
    assert all(seen["request", ok] for ok in (True, False)), seen


def test_every_governed_route_is_covered(heard):
    governed = {r["handler"] for r in ROUTES if r["audit"] != "none"} - STREAMS
    reached = collections.defaultdict(set)
    for _, route, reply in own(heard):
        for entry in heard.entries[reply.headers["X-Request-Id"]]:
            reached[route["handler"]].add("ok" if entry["outcome"] == "ok" else "refused")
    public = {r["handler"] for r in ROUTES if r["action"] == "public"}
    missing = sorted(h for h in governed - public if "refused" not in reached[h])
    assert not missing, missing
    done = sorted(h for h in governed if "ok" in reached[h])
    print(f"governed {len(governed)}, with a success {len(done)}")
    assert len(done) >= 20, done


def test_secrets_stay_out(heard):
    for entries in heard.entries.values():
        for entry in entries:
            text = json.dumps(entry)
            assert PASSWORD not in text and heard.world.admin.token not in text


def test_a_change_waits_for_its_place_when_asked(heard):
    for _ in range(3):
        reply = heard.world.admin.put("/v1/projects/waited?wait=sequenced", {"description": "x"})
        index = int(reply.headers["Chancery-Audit-Index"])
        entry_id = reply.headers["Chancery-Audit"].split(";")[0][3:]
        entry = heard.world["auditor"].ok("GET", f"/v1/audit/entries/{entry_id}")
        assert entry["index"] == index
        assert b"tlog-proof" in heard.world["auditor"].ok("GET", f"/v1/audit/entries/{entry_id}/proof")


def test_nothing_changes_that_cannot_be_recorded(heard):
    service, admin = heard.world.service, heard.world.admin
    service.sql("SET search_path = chancery; CREATE FUNCTION no_entry() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'the audit table is gone'; END $$;"
                " CREATE TRIGGER no_entry BEFORE INSERT ON audit_entry EXECUTE FUNCTION no_entry()")
    try:
        with service.unchanged():
            replies = [admin.put("/v1/projects/unheard", {}), admin.post("/v1/users", {"name": "unheard"}),
                       heard.stranger.delete("/v1/projects/credit"),
                       admin.get("/v1/audit/payloads?from_index=0&limit=1")]
        assert [r.status_code for r in replies] == [503] * len(replies), [r.text for r in replies]
        assert all(r.json()["error"]["code"] == "unavailable" for r in replies)
    finally:
        service.sql("DROP TRIGGER no_entry ON chancery.audit_entry; DROP FUNCTION chancery.no_entry()")
    assert admin.put("/v1/projects/heard", {}).status_code in (200, 201)
