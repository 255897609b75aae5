# SPDX-License-Identifier: Apache-2.0
"""Tenants beside each other: nothing of one is seen, guessed or changed by another, nor shown by the service at large."""
import csv
import io
import json
import subprocess
import uuid

import load
import pytest
from service import BUILD, DATA, Client, bootstrap, person

P = "/v1/projects/credit"
CANARY = "zq7canary"
VOLATILE = ("X-Request-Id", "Date", "Chancery-Audit")
ROW = [float(x) for x in (DATA / "breast_cancer.csv").read_text().splitlines()[1].split(",")[:-1]]
QUESTION = {"inputs": [{"name": "features", "shape": [1, len(ROW)], "datatype": "FP64", "data": ROW}]}


@pytest.fixture(scope="module")
def acme(world):
    """acme with one of everything."""
    _, job = world.trained()
    world.promotion = world.promoted(job["output"])
    world["deployer"].ok("PUT", P + "/endpoints/risk", {})
    world["deployer"].ok("POST", P + "/endpoints/risk/deployments", {"version": job["output"]})
    reply = world["endpoint-consumer"].post("/serve/credit/risk/v2/models/risk/infer", QUESTION)
    assert reply.status_code == 200, reply.text
    world.prediction = reply.headers["Chancery-Prediction"]
    world.admin.ok("POST", "/v1/service-accounts", {"name": "robot"})
    world.token = world["project-owner"].ok("POST", "/v1/tokens", {"name": "mine"})
    owner = world["project-owner"]
    version = owner.ok("POST", P + "/models/risk/versions", {})
    asker = person(world.service, world.admin, "asker", [("reader", "credit")])
    world.admin.ok("PUT", "/v1/projects/pricing", {})
    world.admin.ok("POST", "/v1/bindings", {"principal": "asker", "role": "data-scientist", "scope": "project", "project": "pricing"})
    asker.ok("POST", "/v1/projects/pricing/shares", {"asset": "models/risk", "from": "credit", "reason": "to compare"})
    world.upload = owner.ok("POST", f"{P}/models/risk/versions/{version['number']}/uploads", {"path": "a", "size": 9})["id"]
    return world


def every_path(world):
    """[(path, who in acme may read it)] of everything of acme that has a path, from its own lists."""
    owner, admin, auditor = world["project-owner"], world["tenant-admin"], world["auditor"]
    found = [(P, owner), (P + "/policy", owner)]
    for kind in ("models", "datasets"):
        found.append((f"{P}/{kind}", owner))
        for asset in load.pages(owner, f"{P}/{kind}"):
            base = f"{P}/{kind}/{asset['name']}"
            found += [(base, owner), (base + "/aliases", owner), (base + "/versions", owner)]
            found += [(f"{base}/aliases/{a}/history", owner) for a in asset["aliases"]]
            for version in load.pages(owner, base + "/versions"):
                place = f"{base}/versions/{version['number']}"
                found += [(place, owner), (place + "/files", owner)]
                found += [(f"{place}/files/{f['path']}", owner) for f in load.pages(owner, place + "/files")]
                if version["state"] == "pending":
                    found.append((f"{place}/uploads/{world.upload}", owner))
    for collection in ("approvals", "jobs", "endpoints", "shares"):
        found.append((f"{P}/{collection}", owner))
        for item in load.pages(owner, f"{P}/{collection}"):
            found.append((f"{P}/{collection}/{item['name' if collection == 'endpoints' else 'id']}", owner))
    found.append((P + "/endpoints/risk/deployments", owner))
    found += [("/serve/credit/risk" + x, world["endpoint-consumer"]) for x in
              ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/risk", "/v2/models/risk/ready")]
    found += [("/v1/users/" + u["name"], admin) for u in load.pages(admin, "/v1/users")]
    found += [("/v1/service-accounts/" + u["name"], admin) for u in load.pages(admin, "/v1/service-accounts")]
    entries = load.pages(auditor, "/v1/audit")
    found += [(f"/v1/audit/entries/{e['id']}", auditor) for e in entries[:20] + entries[-20:]]
    return found


def bare(reply):
    return (reply.status_code, reply.content, {k: v for k, v in reply.headers.items() if k not in VOLATILE})


def absent(path):
    """The same path to something that never was."""
    if path.startswith(("/v1/projects/credit", "/serve/credit")):
        return path.replace("/credit", "/never-was", 1)
    head, _ = path.rsplit("/", 1)
    return f"{head}/{uuid.uuid4() if 'entries' in path else 'never-was'}"


def test_everything_of_acme_is_there_for_acme(acme):
    paths = every_path(acme)
    wrong = [f"{p}: {r.status_code} {r.text[:100]}" for p, who in paths if (r := who.get(p)).status_code != 200]
    assert not wrong, "\n".join(wrong)
    assert len(paths) > 60


def test_everything_of_acme_is_absent_for_globex(acme):
    foreign, wrong = acme.foreign_admin, []
    for path, who in every_path(acme):
        theirs, none = foreign.get(path), foreign.get(absent(path))
        if path == "/v1/users/admin":  # each has one
            assert theirs.json()["id"] != who.get(path).json()["id"]
            continue
        if theirs.status_code != 404 or bare(theirs) != bare(none):
            wrong.append(f"{path}: {bare(theirs)} but absent {bare(none)}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture(scope="module")
def twin(acme):
    """A tenant with the same names for everything, and its own things behind them."""
    code = acme.admin.ok("POST", "/v1/tenants", {"name": "initech"})["bootstrap_code"]
    admin = bootstrap(acme.service, code, "initech")
    admin.ok("PUT", P, {"description": "the twin's"})
    owner = person(acme.service, admin, "the-project-owner", [("project-owner", "credit"), ("auditor", None)])
    for kind, name in (("models", "risk"), ("datasets", "cancer")):
        owner.ok("PUT", f"{P}/{kind}/{name}", {"description": "the twin's"})
        owner.ok("POST", f"{P}/{kind}/{name}/versions", {})
    owner.ok("PUT", P + "/endpoints/risk", {})
    owner.admin = admin
    return owner


def test_equal_names_are_different_things(acme, twin):
    for path in (P, P + "/models/risk", P + "/datasets/cancer", P + "/endpoints/risk", "/v1/users/the-project-owner"):
        mine, theirs = acme["project-owner"].ok("GET", path), twin.ok("GET", path)
        assert mine["id"] != theirs["id"], path
    assert twin.ok("GET", P + "/models/risk")["versions"] == 1
    assert twin.ok("GET", P + "/jobs")["value"] == [] and twin.ok("GET", P + "/approvals")["value"] == []
    assert twin.get("/serve/credit/risk/v2/models/risk").status_code == 503  # nothing is deployed there
    assert twin.get(P + "/models/risk/versions/1/files/model.onnx").status_code == 404


def strange_ids(world):
    """Every id of acme where a path of the twin could take it."""
    owner, admin, auditor = world["project-owner"], world["tenant-admin"], world["auditor"]
    jobs = [j["id"] for j in load.pages(owner, P + "/jobs")]
    approvals = [a["id"] for a in load.pages(owner, P + "/approvals")]
    bindings = [b["id"] for b in load.pages(admin, "/v1/bindings")]
    entries = [e["id"] for e in load.pages(auditor, "/v1/audit")][:10]
    for job in jobs:
        yield "GET", P + "/jobs/{}", job, None
        yield "GET", P + "/jobs/{}/events", job, None
        yield "POST", P + "/jobs/{}/cancel", job, {}
    for approval in approvals:
        yield "GET", P + "/approvals/{}", approval, None
        yield "POST", P + "/approvals/{}/decision", approval, {"verdict": "approve", "reason": "x"}
        yield "POST", P + "/approvals/{}/revoke", approval, {"reason": "x"}
    for binding in bindings:
        yield "DELETE", "/v1/bindings/{}", binding, None
    for entry in entries:
        yield "GET", "/v1/audit/entries/{}", entry, None
        yield "GET", "/v1/audit/entries/{}/proof", entry, None
    yield "DELETE", "/v1/tokens/{}", world.token["id"], None
    for method in ("GET", "DELETE"):
        yield method, P + "/models/risk/versions/1/uploads/{}", world.upload, None


def test_ids_of_acme_mean_nothing_in_a_twin(acme, twin):
    wrong = []
    with acme.service.unchanged():
        for method, path, id_, body in strange_ids(acme):
            theirs, none = (twin.request(method, path.format(i), body) for i in (id_, uuid.uuid4()))
            if theirs.status_code != 404 or bare(theirs) != bare(none):
                wrong.append(f"{method} {path.format(id_)}: {bare(theirs)[:2]} but absent {bare(none)[:2]}")
    assert not wrong, "\n".join(wrong)


def test_lineage_of_acme_is_absent_in_a_twin(acme, twin):
    nodes = acme["auditor"].ok("GET", "/v1/lineage", params={"node": acme.prediction, "direction": "both"})["nodes"]
    names = [n["name"] for n in nodes if "jobs" in n["name"] or "predictions" in n["name"] or "approvals" in n["name"]]
    assert len(names) >= 4
    for node in names:
        for path in ("/v1/lineage", "/v1/lineage/impact"):
            theirs = twin.get(path, params={"node": node})
            none = twin.get(path, params={"node": node.rsplit("/", 1)[0] + "/" + str(uuid.uuid4())})
            assert theirs.status_code == 404 and bare(theirs) == bare(none), node


def test_tokens_of_one_tenant_do_not_open_another(acme, twin):
    """The path never says the tenant, the token does: it cannot be talked out of it."""
    for headers in ({"X-Tenant": "acme"}, {"Chancery-Tenant": "acme"}, {"Host": "acme"}, {"X-Forwarded-Host": "acme"}):
        assert twin.ok("GET", P + "/models/risk", headers=headers)["description"] == "the twin's"
    assert twin.get(P + "/models/risk?tenant=acme").json()["description"] == "the twin's"


# Canaries.

def secret_life(acme):
    """globex fills everything that takes a text with its canary, and makes every kind of mistake."""
    service, admin = acme.service, acme.foreign_admin
    name = CANARY + "-name"
    project = f"/v1/projects/{name}"
    admin.ok("PUT", project, {"description": CANARY + " description"})
    owner = person(service, admin, CANARY + "-owner", [("project-owner", name)])
    other = person(service, admin, CANARY + "-other", [("approver", name)])
    admin.ok("PATCH", f"/v1/users/{owner.name}", {"display_name": CANARY + " Owner", "email": f"{CANARY}@example.com"})
    admin.ok("POST", "/v1/service-accounts", {"name": CANARY + "-robot"})
    owner.ok("POST", "/v1/tokens", {"name": CANARY + " token"})
    owner.ok("PUT", f"{project}/models/{name}", {"description": CANARY, "tags": {CANARY: CANARY}})
    table = (DATA / "iris.csv").read_bytes().replace(b"setosa", CANARY.encode()).replace(b"sepal_length", CANARY.encode() + b"_l")
    owner.upload_dataset(name, CANARY, table, CANARY + ".csv")
    job = owner.ok("POST", project + "/jobs", {"kind": "train", "input": f"datasets/{CANARY}/versions/1", "trainer": "logistic",
                                               "output": "models/" + CANARY, "target": "species"})
    other.ok("POST", f"{project}/approvals/{job['approval']}/decision", {"verdict": "approve", "reason": CANARY + " reason"})
    job = owner.await_job(name, job["id"])
    assert job["state"] == "succeeded", job
    approval = owner.ok("POST", project + "/approvals", {"action": "promote", "subject": job["output"], "alias": "production",
                                                        "reason": CANARY})
    other.ok("POST", f"{project}/approvals/{approval['id']}/decision", {"verdict": "approve", "reason": CANARY})
    owner.ok("PUT", f"{project}/endpoints/{CANARY}", {"description": CANARY})
    owner.ok("POST", f"{project}/endpoints/{CANARY}/deployments", {"version": job["output"]})
    rows = [float(x) for x in next(csv.reader(io.StringIO((DATA / "iris.csv").read_text().splitlines()[1])))[:-1]]
    reply = owner.post(f"/serve/{name}/{CANARY}/v2/models/{CANARY}/infer",
                       {"inputs": [{"name": "features", "shape": [1, len(rows)], "datatype": "FP64", "data": rows}]})
    assert reply.status_code == 200, reply.text
    mistakes(service, owner, admin, project)
    return owner


def mistakes(service, owner, admin, project):
    owner.post(project + "/jobs", {CANARY: CANARY})
    owner.post(project + "/jobs", data=f'{{"{CANARY}'.encode(), headers={"Content-Type": "application/json"})
    owner.put(f"{project}/models/{CANARY}%00", {})
    owner.get(f"/v1/{CANARY}/{CANARY}")
    owner.get(f"{project}/jobs?state={CANARY}&after={CANARY}")
    owner.ok("PUT", project + "/datasets/broken", {})
    owner.ok("POST", project + "/datasets/broken/versions", {})
    owner.ok("PUT", project + "/datasets/broken/versions/1/files/t.csv", data=f"a,b\n1,2\n{CANARY}\n".encode(),
             headers={"Content-Type": "application/octet-stream"})
    assert owner.post(project + "/datasets/broken/versions/1/finalize", {}).status_code == 422
    owner.ok("PUT", project + "/models/broken", {})
    owner.ok("POST", project + "/models/broken/versions", {})
    owner.ok("PUT", project + "/models/broken/versions/1/files/model.onnx", data=CANARY.encode() * 50,
             headers={"Content-Type": "application/octet-stream"})
    assert owner.post(project + "/models/broken/versions/1/finalize", {}).status_code == 422
    service.client().post("/v1/login", {"tenant": "globex", "user": owner.name, "password": CANARY + " wrong password"})
    service.client().get("/v1/me", headers={"Authorization": "Bearer " + CANARY})
    admin.post("/v1/users", {"name": owner.name, "password": CANARY + " password"})
    admin.get("/v1/lineage", params={"node": CANARY})


def walk(client, routes, seen):
    """Every GET route that needs no name. Streams never end by themselves: what they say at once is enough."""
    for route in routes:
        if route["method"] != "GET" or "{" in route["path"]:
            continue
        with client.get(route["path"], params={"limit": 1000} if "List" in route["help"] else None, stream=True) as reply:
            if reply.headers.get("Content-Type", "").startswith("text/event-stream"):
                continue
            seen.append((route["path"], reply))
            assert reply.text is not None


def test_canaries_of_globex_are_nowhere_in_acme(acme):
    owner = secret_life(acme)
    assert CANARY in owner.get(f"/v1/projects/{CANARY}-name").text  # the canary sings at home
    routes = json.loads(subprocess.run([BUILD / "chanceryd", "routes", "--json"], capture_output=True, check=True, text=True).stdout)
    seen = []
    everybody = [acme.admin, *acme.people.values()]
    for client in everybody:
        walk(client, routes, seen)
    for path, who in every_path(acme):
        seen.append((path, who.get(path)))
    for path in ("/v1/audit/payloads?limit=1000", "/v1/audit/check", "/v1/audit?limit=1000", "/v1/lineage?node=" + acme.prediction):
        seen.append((path, acme["auditor"].get(path)))
    for q in ("zq7", "z", CANARY):
        seen.append((q, acme["project-owner"].get(f"{P}/models?q={q}")))
    heard = [path for path, reply in seen if CANARY in reply.text.replace(path, "") or CANARY in str(reply.headers)]
    assert not heard, heard
    assert sum(r.status_code == 200 for _, r in seen) > 150


def test_canaries_of_globex_are_in_no_metric_and_no_log(acme, service):
    nobody = service.client()
    for path in ("/metrics", "/version", "/healthz", "/readyz", "/openapi.json", "/oauth2/jwks"):
        reply = nobody.get(path)
        assert reply.status_code == 200 and CANARY not in reply.text, path
    heard = [line for line in service.log().splitlines() if CANARY in line]
    assert not heard, "\n".join(heard[:5])


# The floor under it.

def test_without_a_tenant_the_services_role_sees_no_row(acme, service):
    tables = service.sql("SELECT c.relname FROM pg_class c WHERE relnamespace = 'chancery'::regnamespace AND relkind IN ('r', 'p')"
                         " AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')").split()
    assert len(tables) > 20
    counts = " UNION ALL ".join(f"SELECT '{t}', count(*) FROM chancery.{t}" for t in tables)
    filled = sum(not line.endswith("|0") for line in service.sql(counts).split())
    readable = service.sql("SELECT t FROM unnest(string_to_array('{}', ',')) t".format(",".join(tables)) +
                           " WHERE has_table_privilege('chancery_app', 'chancery.' || t, 'SELECT')").split()
    assert len(readable) > 20
    counts = " UNION ALL ".join(f"SELECT '{t}', count(*) FROM chancery.{t}" for t in readable)
    for tenant in ("", "SET app.tenant = '';", "SET app.tenant = '00000000-0000-0000-0000-000000000000';"):
        shown = [x for x in service.sql(f"SET ROLE chancery_app; {tenant} {counts}").split() if not x.endswith("|0")]
        assert not shown, f"rows without a tenant: {shown}"
    assert filled > 15


def test_as_one_tenant_the_services_role_sees_and_writes_only_its_own(acme, twin, service):
    ids = dict(line.split("|") for line in service.sql("SELECT name, tenant_id FROM chancery.tenant").split())
    as_acme = f"SET ROLE chancery_app; SET app.tenant = '{ids['acme']}'; SET search_path = chancery;"
    for table in ("project", "principal", "asset", "version", "job", "approval", "audit_entry", "lineage_node", "binding"):
        seen = service.sql(as_acme + f"SELECT DISTINCT tenant_id FROM {table}").split()
        assert seen == [ids["acme"]], table
    stolen = service.sql(as_acme + f"WITH x AS (UPDATE project SET description = 'stolen' WHERE tenant_id = '{ids['initech']}'"
                         " RETURNING 1) SELECT count(*) FROM x").strip()
    assert stolen == "0"
    with pytest.raises(AssertionError, match="row-level security"):
        service.sql(as_acme + "INSERT INTO project (tenant_id, id, name, policy, created_by) SELECT"
                    f" '{ids['initech']}', gen_random_uuid(), 'planted', policy, created_by FROM project LIMIT 1")
    with pytest.raises(AssertionError, match="permission denied|append-only|append only"):
        service.sql(as_acme + "DELETE FROM audit_entry")
    assert twin.ok("GET", P)["description"] == "the twin's"
