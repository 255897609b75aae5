# SPDX-License-Identifier: Apache-2.0
"""Every route × some thirty identities × own, other project, deleted, other tenant, never existed; from the route table.

What must be answered follows from the table and the roles alone: nobody is 401, a role without the
action is 403 where it may read and 404 where it may not, and what is another tenant's looks like what
never was, byte for byte. A tenant that nobody here belongs to has a canary in each field: none sings,
in replies, log, metrics and exports, and not one of its rows changes. Every refusal and every change
leaves exactly one audit entry.
"""
import collections
import json
import subprocess
import time

import pytest
from matrix import (FOREIGN, GONE, NEVER, NEVER_INSIDE, NOBODIES, NONE, OTHER, OWN, REAL, STRANGE, STRANGE_INSIDE,
                    Canaries, Cast, args_of, ask_everything, none_of, relations)
from service import BUILD, PASSWORD, Service, World, person

READ = "projects/read"


def route_table():
    out = subprocess.run([BUILD / "chanceryd", "routes", "--json"], capture_output=True, check=True, text=True).stdout
    table = json.loads(out)
    for route in table:  # a project that a header names is a project too
        route["header"] = route["scope"] == "workspace"
        route["scope"] = "project" if route["header"] else route["scope"]
    return table


ROUTES = route_table()


class Matrix:
    def __init__(self, service):
        self.service = service
        self.world = world = World(service)
        old = world["project-owner"].token
        service.stop()  # at another address the same keys sign for another audience
        service.start()
        world.sign_in()
        reply = service.client().post("/v1/login", {"tenant": "globex", "user": "admin", "password": PASSWORD})
        world.foreign_admin.token = reply.json()["access_token"]
        self.canaries = Canaries(service, world.admin)
        self.cast = Cast(world, old)
        world.admin.ok("PUT", "/v1/projects/gone", {})
        world.admin.delete("/v1/projects/gone")
        world.admin.ok("POST", "/v1/groups", {"name": "m-gone"})
        world.admin.delete("/v1/groups/m-gone")
        self.before = self.canaries.rows()
        began = time.monotonic()
        self.cells = ask_everything(self.cast, self.canaries, ROUTES)
        self.took = time.monotonic() - began
        self.after = self.canaries.rows()

    def living(self):
        """The cells of those of acme who are somebody."""
        return ((r, i, x, reply) for r, i, x, reply in self.cells if i in self.cast.actions and r["action"] != "public")

    def granted(self, identity, route, relation):
        if identity == "platform-operator":
            return route["action"] == "platform/tenants/write"
        if route["scope"] == "platform" or (route["scope"] == "tenant" and identity not in self.cast.wide):
            return False
        if relation in (GONE, STRANGE, NEVER) and route["scope"] == "project":
            return False
        if relation == OTHER and identity not in self.cast.wide:
            return identity == "roles-elsewhere" and route["action"] in self.cast.actions["project-owner"]
        return route["action"] in self.cast.actions[identity]

    def reads_project(self, identity, relation):
        if relation in (GONE, STRANGE, NEVER):
            return False
        if identity == "roles-elsewhere":
            return relation == OTHER
        return READ in self.cast.actions[identity] and (relation != OTHER or identity in self.cast.wide)


@pytest.fixture(scope="module")
def matrix():
    service = Service(None, "--rate-bad-tokens", "100000", "--rate-auth", "100000")
    try:
        service.start()
        yield Matrix(service)
    finally:
        service.close()


def describe(route, identity, relation, reply):
    return f"{identity}, {relation}: {route['method']} {route['path']} -> {reply.status_code} {reply.text[:200]}"


def few(wrong):
    return "\n".join(wrong[:30]) + f"\n{len(wrong)} in all"


def test_nobody_passes_without_a_good_token(matrix):
    wrong = [describe(*cell) for cell in matrix.cells
             if cell[1] in NOBODIES and cell[0]["action"] != "public" and cell[3].status_code != 401]
    assert not wrong, few(wrong)


def test_all_who_are_nobody_are_answered_alike(matrix):
    """Whatever is asked about: the answer does not depend on what is there."""
    told = collections.defaultdict(set)
    for route, identity, _, reply in matrix.cells:
        if identity in NOBODIES and route["action"] != "public":
            told[identity, route["method"], route["path"]].add(reply.content)
    wrong = [str(k) for k, v in told.items() if len(v) != 1]
    assert not wrong, few(wrong)


def test_nothing_fails(matrix):
    wrong = [describe(*cell) for cell in matrix.cells if cell[3].status_code >= 500 and cell[3].status_code != 501]
    assert not wrong, few(wrong)


def test_public_routes_need_no_token(matrix):
    wrong = [describe(*cell) for cell in matrix.cells
             if cell[0]["action"] == "public" and "{" not in cell[0]["path"] and cell[3].status_code in (403, 404, 405)]
    assert not wrong, few(wrong)


def test_each_may_what_the_line_says_and_nothing_else(matrix):
    wrong = []
    for route, identity, relation, reply in matrix.living():
        status, code = reply.status_code, reply.code() if reply.status_code == 403 else ""
        if route["action"] == "anyone":  # the handler decides by what is asked for
            good = status != 401
        elif matrix.granted(identity, route, relation):
            good = status not in (401, 500) and code not in ("denied", "access_denied")
        elif route["scope"] == "project" and not matrix.reads_project(identity, relation):
            good = status == 404
        else:
            good = status == 403
        if not good:
            wrong.append(describe(route, identity, relation, reply))
    assert not wrong, few(wrong)


HIDDEN = {"X-Request-Id", "Date", "Chancery-Audit"}


def bare(reply, values):
    """The reply without what was asked for and what is never the same."""
    body, headers = reply.content, {k: v for k, v in reply.headers.items() if k not in HIDDEN}
    for value in sorted(values, key=len, reverse=True):
        body = body.replace(value.encode(), b"?")
    return reply.status_code, body, headers


def test_what_is_anothers_looks_like_what_never_was(matrix):
    """Byte for byte, for every identity: in another tenant's project, and by another tenant's ids in one's own."""
    cells = {(r["method"], r["path"], i, x): reply for r, i, x, reply in matrix.cells}
    real = set(matrix.canaries.args.values()) - {"1"}
    values = real | {none_of(v) for v in real} | {"vault-r", "vault-n", REAL, NONE}
    wrong, compared = [], 0
    for (method, path, identity, relation), reply in cells.items():
        pair = {STRANGE: NEVER, STRANGE_INSIDE: NEVER_INSIDE}.get(relation)
        if pair is None or reply.status_code < 300:
            continue
        other = cells[method, path, identity, pair]
        compared += 1
        if bare(reply, values) != bare(other, values):
            wrong.append(f"{identity}, {relation}: {method} {path} -> {reply.status_code} {reply.text[:200]} but"
                         f" {other.status_code} {other.text[:200]}")
    assert not wrong, few(wrong)
    print(f"{compared} pairs are the same byte for byte")


def test_a_success_about_anothers_is_one_about_ones_own(matrix):
    """Where a name makes or finds something, it is the caller's: the other tenant's canary is not in it (see below)."""
    cells = {(r["method"], r["path"], i, x): reply for r, i, x, reply in matrix.cells}
    wrong = [f"{k}: {v.status_code} but {cells[k[:3] + (NEVER,)].status_code}" for k, v in cells.items()
             if k[3] == STRANGE and v.status_code < 300 and cells[k[:3] + (NEVER,)].status_code >= 300]
    assert not wrong, few(wrong)


def test_no_canary_sings(matrix):
    """In no reply, header, log line, metric, or export of anybody else."""
    canary = matrix.canaries.PREFIX
    wrong = [describe(*cell) for cell in matrix.cells
             if canary in cell[3].content or any("cnry-" in v for v in cell[3].headers.values())]
    assert not wrong, few(wrong)
    auditor = matrix.world["auditor"]
    for path in ("/metrics", "/v1/audit/export", "/v1/audit/export?format=csv", "/openapi.json", "/readyz"):
        assert canary not in auditor.get(path).content, path
    assert "cnry-" not in matrix.service.log()
    assert matrix.canaries.count >= 35 and canary in matrix.canaries.admin.get("/v1/audit/export").content


def test_not_one_row_of_the_other_tenant_has_changed(matrix):
    tables = sorted({line.split("|")[0] for line in set(matrix.after) ^ set(matrix.before)})
    assert not tables, f"rows of the other tenant changed in {tables}"


def audit_entries(auditor):
    """All entries by request id."""
    found = collections.Counter()
    for line in auditor.get("/v1/audit/export").text.splitlines():
        found[json.loads(line)["request"]] += 1
    return found


def test_every_refusal_and_every_change_is_on_record_once(matrix):
    entries = audit_entries(matrix.world["auditor"])
    wrong = []
    for route, identity, relation, reply in matrix.living():
        count = entries[reply.headers["X-Request-Id"]]
        denied = reply.status_code == 403 or not (route["action"] == "anyone" or matrix.granted(identity, route, relation))
        expected = 1 if denied or route["audit"] != "none" else 0
        if count != expected:
            wrong.append(f"{count} entries instead of {expected}: " + describe(route, identity, relation, reply))
    assert not wrong, few(wrong)


def test_the_table_is_covered(matrix):
    routes = {(r["method"], r["path"]) for r in ROUTES}
    asked = {(c[0]["method"], c[0]["path"]) for c in matrix.cells}
    actions = {r["action"] for r in ROUTES}
    roles = {"nobody": NOBODIES, **{i: (i,) for i in matrix.cast.actions}, FOREIGN: (FOREIGN,)}
    reached = {(i, c[0]["action"]) for c in matrix.cells for i in [c[1]]}
    grid = [(i, a) for ids in roles.values() for i in ids for a in actions]
    done = sum(cell in reached for cell in grid)
    wanted = len(matrix.cast.headers) * sum(len(relations(r)) for r in ROUTES)
    print(f"routes {len(asked & routes)}/{len(routes)}, actions {len({a for _, a in reached})}/{len(actions)}, role x action cells"
          f" {done}/{len(grid)}, identities {len(matrix.cast.headers)}, requests {len(matrix.cells)}/{wanted} in {matrix.took:.0f} s")
    assert asked == routes and done == len(grid) and len(matrix.cells) == wanted and len(matrix.cast.headers) >= 22
    assert all(set(args_of(r)) - {"project"} <= set(matrix.canaries.args) for r in ROUTES), "a new name in a path: give the" \
        " canaries' tenant such an object"


def test_disabled_users_and_old_tokens_are_nobody(matrix):
    world = matrix.world
    leaver = person(world.service, world.admin, "the-leaver", [("reader", "credit")])
    assert leaver.get("/v1/projects/credit").status_code == 200
    world.admin.ok("PATCH", "/v1/users/the-leaver", {"state": "disabled"})
    began = time.monotonic()
    assert leaver.get("/v1/projects/credit").status_code == 401
    assert time.monotonic() - began < 5
    reply = world.service.client().post("/v1/login", {"tenant": "acme", "user": leaver.name, "password": leaver.password})
    assert reply.status_code == 401
