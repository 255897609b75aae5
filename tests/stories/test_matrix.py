# SPDX-License-Identifier: Apache-2.0
"""Every route × every built-in role × own and other tenant × no token, generated from the route table.

What must be answered follows from the table and the roles alone: nobody is 401, a role without the
action is 403 where it may read and 404 where it may not, another tenant sees what an absent thing
looks like, byte for byte. Every refusal and every change leaves exactly one audit entry, and nobody
ever gets more than one.
"""
import collections
import datetime
import json
import re
import subprocess
import time

import pytest
from service import BUILD, Client, person

NOBODY = "nobody"
FOREIGN = "foreign-tenant-admin"
READ = "projects/read"


def route_table():
    out = subprocess.run([BUILD / "chanceryd", "routes", "--json"], capture_output=True, check=True, text=True).stdout
    table = json.loads(out)
    for route in table:  # a project that a header names is a project too
        route["header"] = route["scope"] == "workspace"
        route["scope"] = "project" if route["header"] else route["scope"]
    return table


ROUTES = route_table()
# Streams never end by themselves; the operations' own routes are public.
STREAMS = {"get_job_events", "get_audit_tail"}


def fill(path, project, absent="absent"):
    names = re.findall(r"{([a-z_]+)\+?}", path)
    for name in names:
        value = project if name == "project" else absent
        path = re.sub(r"{%s\+?}" % name, value, path, count=1)
    return path


def call(client, route, project):
    """One request that reaches as far as the caller's rights do, and changes little if they suffice."""
    body = {} if route["method"] in ("POST", "PUT", "PATCH") else None
    headers = {"X-MLFLOW-WORKSPACE": project} if route["header"] else {}
    if route["handler"] not in STREAMS:
        reply = client.request(route["method"], fill(route["path"], project), body, headers=headers)
        if "takes no body" in reply.text:
            reply = client.request(route["method"], fill(route["path"], project), headers=headers)
        return reply
    reply = client.request(route["method"], fill(route["path"], project), body, stream=True)
    if reply.status_code == 200:
        reply.close()
    return reply


class Matrix:
    def __init__(self, world):
        self.world = world
        self.clients = {NOBODY: Client(world.service), FOREIGN: world.foreign_admin, **world.people}
        self.actions = {role: set(world.admin.ok("GET", f"/v1/roles/{role}")["actions"]) for role in world.people}
        self.cells = []  # (route, identity, response)
        self.add_others(world)
        # A project for each to destroy.
        for role, client in world.people.items():
            world.admin.ok("PUT", f"/v1/projects/victim-{role}", {})
            if role in world.PROJECT_ROLES:
                world.admin.ok("POST", "/v1/bindings", {"principal": client.name, "role": role, "scope": "project",
                                                        "project": f"victim-{role}"})

    def add_others(self, world):
        """Who has a role of the tenant's own, one through a group, one that a deny cuts, one that has run out."""
        admin, credit = world.admin, {"scope": "project", "project": "credit"}
        own = admin.ok("PUT", "/v1/roles/matrix-own", {"actions": ["projects/read", "assets/*", "jobs/read"],
                                                       "not_actions": ["assets/purge"]})
        self.others = {
            "own-role": (person(world.service, admin, "m-own", [("matrix-own", "credit")]), set(own["actions"])),
            "in-group": (person(world.service, admin, "m-group"), self.actions["reader"]),
            "denied": (person(world.service, admin, "m-denied", [("data-scientist", "credit")]),
                       {a for a in self.actions["data-scientist"] if not a.startswith("assets/")}),
            "expired": (person(world.service, admin, "m-expired"), set()),
        }
        admin.ok("POST", "/v1/groups", {"name": "matrix"})
        admin.ok("POST", "/v1/groups/matrix/members", {"principal": "m-group"})
        admin.ok("POST", "/v1/bindings", {"group": "matrix", "role": "reader", **credit})
        admin.ok("POST", "/v1/denies", {"principals": ["m-denied"], "actions": ["assets/*"], "reason": "a wall", **credit})
        soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)).isoformat()
        admin.ok("POST", "/v1/bindings", {"principal": "m-expired", "role": "project-owner", "valid_until": soon, **credit})
        time.sleep(1.1)
        for name, (client, actions) in self.others.items():
            self.clients[name], self.actions[name] = client, actions

    def project_for(self, route, identity):
        if route["scope"] != "project":
            return f"made-by-{identity}"
        if route["handler"] == "delete_project" and identity in self.world.people:
            return f"victim-{identity}"
        return "credit"

    def run(self):
        for route in ROUTES:
            for identity, client in self.clients.items():
                self.cells.append((route, identity, call(client, route, self.project_for(route, identity))))
        return self

    def granted(self, identity, route):
        actions = self.actions[identity]
        tenant_wide = identity in self.world.TENANT_ROLES
        if route["scope"] == "platform":
            return False
        if route["scope"] == "tenant" and not tenant_wide:
            return False
        return route["action"] in actions

    def reads_project(self, identity):
        return READ in self.actions[identity]


@pytest.fixture(scope="module")
def matrix(world):
    return Matrix(world).run()


def describe(route, identity, reply):
    return f"{identity}: {route['method']} {route['path']} -> {reply.status_code} {reply.text[:200]}"


def test_nobody_passes_without_a_token(matrix):
    wrong = [describe(*cell) for cell in matrix.cells
             if cell[1] == NOBODY and (cell[0]["scope"] != "none") != (cell[2].status_code == 401)
             and cell[0]["action"] != "public"]
    assert not wrong, "\n".join(wrong)


def test_nothing_fails(matrix):
    wrong = [describe(*cell) for cell in matrix.cells if cell[2].status_code >= 500 and cell[2].status_code != 501]
    assert not wrong, "\n".join(wrong)


def test_public_routes_need_no_token(matrix):
    wrong = [describe(*cell) for cell in matrix.cells
             if cell[0]["action"] == "public" and cell[2].status_code in (403, 404, 405)]
    assert not wrong, "\n".join(wrong)


def test_each_role_may_what_its_line_says_and_nothing_else(matrix):
    wrong = []
    for route, identity, reply in matrix.cells:
        if identity in (NOBODY, FOREIGN) or route["action"] == "public":
            continue
        status, code = reply.status_code, ""
        if status == 403 and "json" in reply.headers.get("Content-Type", ""):
            error = reply.json().get("error")
            code = error.get("code") if isinstance(error, dict) else "denied"
        if route["action"] == "anyone":  # the handler decides by what is asked for
            good = status != 401
        elif matrix.granted(identity, route):
            good = status not in (401, 500) and code != "denied"
        elif route["scope"] == "project" and not matrix.reads_project(identity):
            good = status == 404
        else:
            good = status == 403 and code == "denied"
        if not good:
            wrong.append(describe(route, identity, reply))
    assert not wrong, "\n".join(wrong)


def test_another_tenants_things_look_absent(matrix):
    """Byte for byte the same answer for acme's project and for one that never was."""
    wrong = []
    for route, identity, reply in matrix.cells:
        if identity != FOREIGN or route["scope"] != "project":
            continue
        absent = call(matrix.clients[FOREIGN], route, "never-was")
        hidden = ("X-Request-Id", "Date", "Chancery-Audit")
        headers = [{k: v for k, v in r.headers.items() if k not in hidden} for r in (reply, absent)]
        if reply.status_code != 404 or reply.content != absent.content or headers[0] != headers[1]:
            wrong.append(describe(route, identity, reply) + f" but absent: {absent.status_code} {absent.text[:200]}")
    assert not wrong, "\n".join(wrong)


def audit_entries(auditor):
    """All entries by request id."""
    found = collections.Counter()
    path = "/v1/audit?limit=1000"
    while path:
        page = auditor.ok("GET", path)
        found.update(entry["request"] for entry in page["value"])
        path = page.get("nextLink")
    return found


def test_every_refusal_and_every_change_is_on_record_once(matrix):
    entries = audit_entries(matrix.world["auditor"])
    wrong = []
    for route, identity, reply in matrix.cells:
        if identity in (NOBODY, FOREIGN) or route["action"] == "public":
            continue
        count = entries[reply.headers["X-Request-Id"]]
        denied = reply.status_code == 403 or not (route["action"] == "anyone" or matrix.granted(identity, route))
        expected = 1 if denied or route["audit"] != "none" else 0
        if count != expected:
            wrong.append(f"{count} entries instead of {expected}: " + describe(route, identity, reply))
    assert not wrong, "\n".join(wrong)


def test_the_table_is_covered(matrix):
    routes = {(r["method"], r["path"]) for r in ROUTES}
    cells = {(c[0]["method"], c[0]["path"], c[1]) for c in matrix.cells}
    actions = {r["action"] for r in ROUTES}
    print(f"routes {len({c[:2] for c in cells})}/{len(routes)}, actions {len(actions)}, cells {len(cells)}")
    assert len(cells) == len(routes) * len(matrix.clients)


def test_disabled_users_and_old_tokens_are_nobody(world):
    leaver = person(world.service, world.admin, "the-leaver", [("reader", "credit")])
    assert leaver.get("/v1/projects/credit").status_code == 200
    world.admin.ok("PATCH", "/v1/users/the-leaver", {"state": "disabled"})
    began = time.monotonic()
    assert leaver.get("/v1/projects/credit").status_code == 401
    assert time.monotonic() - began < 5
    reply = world.service.client().post("/v1/login", {"tenant": "acme", "user": leaver.name,
                                                      "password": leaver.password})
    assert reply.status_code == 401
