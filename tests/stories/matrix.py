# SPDX-License-Identifier: Apache-2.0
"""The matrix's cast: who asks (some thirty identities), what about (five relations), and a tenant full of canaries that
nobody of whom the matrix asks belongs to.
"""
import concurrent.futures
import datetime
import http.client
import json
import re
import secrets
import ssl
import time
import urllib.parse

from bundles import vkey_of
from oauth import App, Browser
from service import PATIENCE, Client, bootstrap, person

# Streams never end by themselves.
STREAMS = {"get_job_events", "get_audit_tail"}
NOBODIES = ("anonymous", "malformed", "expired", "revoked", "disabled", "wrong-audience", "id-token")
ELSEWHERE, FOREIGN = "roles-elsewhere", "foreign-tenant-admin"
OWN, OTHER, GONE, STRANGE, NEVER = "own", "other project", "deleted", "other tenant", "never existed"
STRANGE_INSIDE, NEVER_INSIDE = "own project, other tenant's object", "own project, no such object"
# What is looked for, and what stands for nothing there, have the same length, so that replies can be compared whole.
REAL, NONE = "c-real", "c-none"
# Arguments of projects' routes that are ids, not names which each project has for itself.
IDS = {"approval", "job", "upload", "declassification", "share", "model_id", "trace_id", "assessment_id", "dataset_id", "bundle"}


class Wire:
    """Requests over one kept connection, without the weight of a client library."""

    def __init__(self, service):
        where = urllib.parse.urlparse(service.url)
        context = ssl.create_default_context(cafile=service.ca)
        self.connection = http.client.HTTPSConnection(where.hostname, where.port, timeout=PATIENCE, context=context)

    def request(self, method, path, headers, body=None, stream=False):
        data = None if body is None else json.dumps(body)
        if data is not None:
            headers = {**headers, "Content-Type": "application/json"}
        for attempt in (1, 2):
            try:
                self.connection.request(method, path, data, headers)
                answer = self.connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
                self.connection.close()
                assert attempt == 1
        if stream and answer.status == 200:
            self.connection.close()
            return Reply(answer, b"")
        return Reply(answer, answer.read())


class Reply:
    __slots__ = ("status_code", "headers", "content")

    def __init__(self, answer, content):
        self.status_code, self.content = answer.status, content
        self.headers = {k: v for k, v in answer.getheaders()}

    @property
    def text(self):
        return self.content.decode("utf-8", "replace")

    def code(self):
        if "json" not in self.headers.get("Content-Type", ""):
            return ""
        error = self.json().get("error")
        return error.get("code", "") if isinstance(error, dict) else str(error)

    def json(self):
        return json.loads(self.content or b"{}")


class Canaries:
    """A tenant with one marker in each field that it can fill, and objects of each kind that a path can name."""

    PREFIX = b"cnry-"

    def __init__(self, service, platform_admin):
        self.service, self.count = service, 0
        code = platform_admin.ok("POST", "/v1/tenants", {"name": "initech"})["bootstrap_code"]
        self.admin = bootstrap(service, code, "initech")
        self.id = self.admin.ok("GET", "/v1/me")["tenant_id"]
        self.args = {}
        self.people()
        self.policy()
        self.assets()
        self.work()
        self.outside()
        self.settle()

    def mark(self, field):
        self.count += 1
        return f"cnry-{field}-{secrets.token_hex(8)}"

    def people(self):
        ok, mark = self.admin.ok, self.mark
        ok("POST", "/v1/users", {"name": REAL, "display_name": mark("user"), "email": mark("email") + "@initech.example",
                                 "password": mark("password")})
        self.scientist = person(self.service, self.admin, "scientist", [("data-scientist", None)])
        ok("POST", "/v1/service-accounts", {"name": REAL + "-bot", "display_name": mark("account")})
        ok("POST", "/v1/groups", {"name": REAL, "display_name": mark("group")})
        ok("POST", f"/v1/groups/{REAL}/members", {"principal": REAL})
        self.args.update(user=REAL, account=REAL + "-bot", group=REAL, member=REAL)
        self.args["token"] = ok("POST", "/v1/tokens", {"name": mark("token")})["id"]
        self.args["session"] = self.scientist.ok("GET", "/v1/me/sessions")["value"][0]["id"]
        self.args["passkey"] = self.service.sql(  # a browser would have to make one
            "INSERT INTO chancery.webauthn_credential (tenant_id, id, principal_id, name, credential_id, public, algorithm,"
            f" counter, synced) SELECT tenant_id, gen_random_uuid(), id, '{mark('passkey')}', decode(repeat('ca', 16), 'hex'),"
            f" 'key', -7, 0, false FROM chancery.principal WHERE tenant_id = '{self.id}' AND name = '{REAL}' RETURNING id").strip()

    def policy(self):
        ok, mark = self.admin.ok, self.mark
        ok("PUT", f"/v1/roles/{REAL}", {"actions": ["projects/read"], "description": mark("role")})
        ok("PUT", f"/v1/duties/{REAL}", {"roles": ["reader", "approver"], "description": mark("duty")})
        where = {"scope": "tenant"}
        binding = ok("POST", "/v1/bindings", {"principal": REAL, "role": "reader", **where})
        deny = ok("POST", "/v1/denies", {"principals": [REAL], "actions": ["jobs/*"], "reason": mark("deny"), **where})
        ceiling = ok("POST", "/v1/ceilings", {"principal": REAL + "-bot", "actions": ["projects/read"], **where})
        eligible = ok("POST", "/v1/eligible", {"principal": "scientist", "role": "deployer", **where})
        asked = self.scientist.ok("POST", "/v1/activations", {"eligible": eligible["id"], "justification": mark("why"),
                                                              "ticket": mark("ticket")})
        due = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=9)).isoformat()
        ok("POST", "/v1/reviews", {"name": REAL, "reviewers": ["scientist"], "due_at": due})
        self.args.update(role=REAL, duty=REAL, review=REAL, binding=binding["id"], deny=deny["id"], ceiling=ceiling["id"],
                         eligible=eligible["id"], activation=asked["id"])

    def assets(self):
        ok, mark = self.admin.ok, self.mark
        ok("PUT", "/v1/projects/vault-r", {"description": mark("project")})
        self.owner = person(self.service, self.admin, "owner", [("project-owner", None)])
        base = "/v1/projects/vault-r"
        for kind in ("models", "datasets", "environments", "components", "prompts", "notebooks", "flows", "connections"):
            self.owner.ok("PUT", f"{base}/{kind}/{REAL}", {"description": mark(kind), "tags": {"note": mark(kind + "-tag")}})
        self.owner.ok("PUT", f"{base}/endpoints/{REAL}", {"description": mark("endpoint")})
        table = f"{mark('column')},y\n" + "".join(f"{i},{i % 2}\n" for i in range(40))
        self.owner.upload_dataset("vault-r", REAL, table.encode(), mark("file") + ".csv")
        version = f"{base}/datasets/{REAL}/versions"
        self.owner.ok("POST", version, {"description": mark("version"), "tags": {"note": mark("version-tag")}})
        upload = self.owner.ok("POST", version + "/2/uploads", {"path": "f.bin", "size": 4, "sha256": "0" * 64})
        self.owner.ok("PUT", f"{base}/datasets/{REAL}/classification", {"level": "restricted", "purposes": [mark("purpose")]})
        asked = self.owner.ok("PUT", f"{base}/datasets/{REAL}/classification", {"level": "public", "reason": mark("lower")})
        self.owner.ok("PUT", f"{base}/secrets/{REAL}", {"value": mark("secret")})
        ok("PUT", "/v1/projects/vault-s", {})
        offer = self.owner.ok("POST", base + "/shares", {"asset": f"models/{REAL}", "with": "vault-s", "reason": mark("share")})
        self.args.update(share=offer["id"], view=REAL)
        ok("PUT", f"/v1/views/{REAL}", {"shared": "tenant", "description": mark("view")})
        self.owner.ok("PUT", f"{base}/views/{REAL}", {"q": mark("view-words"), "description": mark("project-view")})
        self.args.update(name=REAL, dataset=REAL, model=REAL, endpoint=REAL, version="1", upload=upload["id"], secret=REAL,
                         declassification=asked["id"], alias="production", key="note", document="dossier.json")

    def work(self):
        mark = self.mark
        # A column that is not there would do as well: what counts is that the job and its request are there.
        job = self.owner.ok("POST", "/v1/projects/vault-r/jobs", {
            "kind": "train", "input": f"datasets/{REAL}/versions/1", "output": f"models/{REAL}", "trainer": "logistic",
            "target": "y", "seed": 1, "test_fraction": 0.25})
        self.args.update(job=job["id"], approval=job["approval"])
        space = {"headers": {"X-MLFLOW-WORKSPACE": "vault-r"}}
        mlflow = "/api/2.0/mlflow/"
        made = self.owner.ok("POST", mlflow + "experiments/create", {"name": mark("experiment")}, **space)
        run = self.owner.ok("POST", mlflow + "runs/create", {"experiment_id": made["experiment_id"],
                                                             "run_name": mark("run")}, **space)["run"]["info"]["run_id"]
        self.owner.ok("POST", mlflow + "runs/log-parameter", {"run_id": run, "key": mark("param"), "value": mark("value")}, **space)
        self.owner.ok("POST", mlflow + "runs/set-tag", {"run_id": run, "key": mark("tag-key"), "value": mark("tag-value")}, **space)
        logged = self.owner.ok("POST", mlflow + "logged-models", {"experiment_id": made["experiment_id"],
                                                                  "name": mark("logged")}, **space)
        hook = self.owner.ok("POST", mlflow + "webhooks", {
            "name": mark("webhook"), "url": f"https://{mark('hook-url')}.example/", "description": mark("hook-words"),
            "secret": mark("hook-secret"), "events": [{"entity": "PROMPT_TAG", "action": "DELETED"}]}, **space)
        # A true ticket would be good for whoever has it: that is what it is for.
        self.args.update(webhook=hook["webhook"]["webhook_id"], ticket="made-up-ticket")
        self.args.update(model_id=logged["model"]["info"]["model_id"], path=f"{made['experiment_id']}/{run}/artifacts/x")
        self.traces(made["experiment_id"], space)
        event = {"eventType": "COMPLETE", "eventTime": "2026-11-21T10:00:00Z", "producer": "https://initech.example",
                 "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/definitions/RunEvent",
                 "run": {"runId": "01a1fd00-0000-7000-8000-000000000001"},
                 "job": {"namespace": mark("namespace"), "name": mark("ol-job")}, "inputs": [], "outputs": []}
        self.owner.ok("POST", "/api/v1/lineage?project=vault-r", event)

    def traces(self, experiment, space):
        mark, v3, trace = self.mark, "/api/3.0/mlflow/", f"tr-{secrets.token_hex(16)}"
        self.owner.ok("POST", v3 + "traces", {"trace": {"trace_info": {
            "trace_id": trace, "request_time": "2026-11-21T10:00:00Z", "request_preview": mark("preview"), "tags": {"note": mark("trace-tag")},
            "trace_location": {"mlflow_experiment": {"experiment_id": experiment}}}}}, **space)
        assessed = self.owner.ok("POST", v3 + f"traces/{trace}/assessments", {"assessment": {
            "assessment_name": mark("assessment"), "feedback": {"value": mark("feedback")}, "rationale": mark("rationale")}}, **space)
        made = self.owner.ok("POST", v3 + "datasets/create", {"name": mark("evaluation"), "tags": json.dumps({"note": mark("evaluation-tag")})}, **space)
        judged = made["dataset"]["dataset_id"]
        self.owner.ok("POST", v3 + f"datasets/{judged}/records", {"records": json.dumps([{"inputs": {"q": mark("inputs")}}])}, **space)
        self.args.update(trace_id=trace, assessment_id=assessed["assessment"]["assessment_id"], dataset_id=judged)

    def outside(self):
        ok, mark = self.admin.ok, self.mark
        ok("POST", "/v1/identity-providers", {"name": REAL, "issuer": f"https://{mark('idp')}.example", "client_id": mark("client"),
                                              "client_secret": mark("client-secret"), "provisioning": "jit"})
        ok("POST", "/v1/workload-identities", {"name": REAL, "issuer": f"https://{mark('workload')}.example",
                                               "subject": mark("subject"), "service_account": REAL + "-bot"})
        ok("POST", "/v1/oauth/clients", {"name": REAL, "kind": "public", "display_name": mark("oauth"),
                                         "redirect_uris": ["https://app.example/cb"], "grants": ["authorization_code"]})
        ok("PUT", f"/v1/bundle-origins/{REAL}", {"vkey": vkey_of(mark("origin"))})
        self.args["bundle"] = "ab" * 32  # another installation would have to seal one
        self.service.sql("INSERT INTO chancery.bundle (tenant_id, project_id, id, head, imported_by) SELECT p.tenant_id, p.id,"
                         f" decode('{self.args['bundle']}', 'hex'), '{mark('bundle')}', u.id FROM chancery.project p JOIN"
                         f" chancery.principal u ON u.tenant_id = p.tenant_id AND u.name = '{REAL}' WHERE p.tenant_id = '{self.id}'")
        asked = ok("POST", "/v1/audit/erasures", {"principal": REAL, "reason": mark("erasure")})
        self.args["erasure"] = asked["id"]
        entry = ok("GET", "/v1/audit?limit=1")["value"][0]
        self.args["erasure"] = ok("POST", "/v1/audit/erasures", {"principal": REAL, "reason": mark("erasure")})["id"]
        self.args.update(provider=REAL, workload=REAL, client=REAL, id=entry["id"], namespace=REAL, tenant="initech", origin=REAL,
                         **{"class": "change"})

    def settle(self):
        """Until its log is signed: what comes after that would be the matrix's doing."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            check = self.admin.ok("GET", "/v1/audit/check")
            left = self.service.sql(f"SELECT count(*) FROM chancery.audit_pending WHERE tenant_id = '{self.id}'").strip()
            if left == "0" and check["complete"]:
                break
            time.sleep(0.1)
        time.sleep(1.5)

    def rows(self):
        """Count and digest of every row of the tenant, in every table, its log included."""
        tables = self.service.sql("SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname ="
                                  " 'tenant_id' WHERE c.relnamespace = 'chancery'::regnamespace AND c.relkind = 'r'"
                                  " ORDER BY 1").split()
        each = " UNION ALL ".join(
            f"SELECT '{n}', count(*), md5(coalesce(string_agg(r, '' ORDER BY r), '')) FROM (SELECT to_jsonb(t)::text AS r"
            f" FROM chancery.{n} t WHERE tenant_id = '{self.id}') x" for n in tables)
        return self.service.sql(each).split()


class Cast:
    """Everybody who asks: a token, or an Authorization header that is none."""

    def __init__(self, world, old_token):
        self.world, self.admin, self.service = world, world.admin, world.service
        self.headers, self.actions, self.wide, self.people = {"anonymous": {}}, {}, set(), {}
        self.bearer("malformed", "eyJhbGciOiJub25lIn0.e30.")
        self.bearer("wrong-audience", old_token)
        for role, client in world.people.items():
            self.add(role, client, set(self.admin.ok("GET", f"/v1/roles/{role}")["actions"]))
        self.wide |= set(world.TENANT_ROLES)
        self.add_dead()
        self.add_others()
        self.headers[FOREIGN] = {"Authorization": "Bearer " + world.foreign_admin.token}
        self.spare = {**world.people, ELSEWHERE: self.people[ELSEWHERE]}
        for role, client in self.spare.items():  # projects for each to destroy
            for kind in ("victim", "spare"):
                self.admin.ok("PUT", f"/v1/projects/{kind}-{role}", {})
            if role in world.PROJECT_ROLES or role == ELSEWHERE:
                self.admin.ok("POST", "/v1/bindings", {
                    "principal": client.name, "role": "project-owner" if role == ELSEWHERE else role, "scope": "project",
                    "project": f"spare-{role}" if role == ELSEWHERE else f"victim-{role}"})

    def bearer(self, name, token):
        self.headers[name] = {"Authorization": "Bearer " + token}

    def add(self, name, client, actions):
        self.bearer(name, client.token)
        self.actions[name], self.people[name] = actions, client

    def new(self, name, *bindings):
        return person(self.service, self.admin, f"m-{name}", bindings)

    def add_dead(self):
        late = self.new("late", ("project-owner", "credit"))
        self.bearer("expired", late.ok("POST", "/v1/tokens", {"name": "t", "expires_in": 1})["token"])
        token = late.ok("POST", "/v1/tokens", {"name": "r"})
        self.admin.delete(f"/v1/tokens/{token['id']}")
        self.bearer("revoked", token["token"])
        gone = self.new("left", ("project-owner", "credit"))
        self.admin.ok("PATCH", f"/v1/users/{gone.name}", {"state": "disabled"})
        self.bearer("disabled", gone.token)
        app = App(self.service, "acme/matrix")
        self.admin.ok("POST", "/v1/oauth/clients", {"name": "matrix", "kind": "public", "redirect_uris": [app.redirect],
                                                    "grants": ["authorization_code"]})
        self.bearer("id-token", app.tokens(Browser(self.service), late)["id_token"])
        time.sleep(1.1)

    def add_others(self):
        """Roles of the tenant's own, through a group, cut by a deny, run out, to be asked for, elsewhere; machines."""
        admin, credit = self.admin, {"scope": "project", "project": "credit"}
        reader = self.actions["reader"]
        own = admin.ok("PUT", "/v1/roles/matrix-own", {"actions": ["projects/read", "assets/*", "jobs/read"],
                                                       "not_actions": ["assets/purge"]})
        self.add("own-role", self.new("own", ("matrix-own", "credit")), set(own["actions"]))
        admin.ok("PUT", "/v1/roles/matrix-least", {"actions": ["projects/read"]})
        self.add("least-role", self.new("least", ("matrix-least", "credit")), {"projects/read"})
        self.add("in-group", self.new("group"), reader)
        admin.ok("POST", "/v1/groups", {"name": "matrix"})
        admin.ok("POST", "/v1/groups/matrix/members", {"principal": "m-group"})
        admin.ok("POST", "/v1/bindings", {"group": "matrix", "role": "reader", **credit})
        self.add("denied", self.new("denied", ("data-scientist", "credit")),
                 {a for a in self.actions["data-scientist"] if not a.startswith("assets/")})
        admin.ok("POST", "/v1/denies", {"principals": ["m-denied"], "actions": ["assets/*"], "reason": "a wall", **credit})
        self.add("expired-grant", self.new("expired"), set())
        soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=3)).isoformat()
        admin.ok("POST", "/v1/bindings", {"principal": "m-expired", "role": "project-owner", "valid_until": soon, **credit})
        self.add("eligible", self.new("eligible"), set())
        admin.ok("POST", "/v1/eligible", {"principal": "m-eligible", "role": "project-owner", **credit})
        admin.ok("PUT", "/v1/projects/pricing", {})
        elsewhere = self.new("elsewhere", ("project-owner", "pricing"))
        elsewhere.token = elsewhere.ok("POST", "/v1/tokens", {"name": "t"})["token"]
        self.add(ELSEWHERE, elsewhere, set())
        operator = self.new("operator")
        admin.ok("POST", "/v1/bindings", {"principal": "m-operator", "role": "platform-operator", "scope": "platform"})
        self.add("platform-operator", operator, set())
        admin.ok("POST", "/v1/service-accounts", {"name": "m-robot"})
        admin.ok("POST", "/v1/bindings", {"principal": "m-robot", "role": "reader", **credit})
        robot = Client(self.service, admin.ok("POST", "/v1/tokens", {"name": "t", "service_account": "m-robot"})["token"])
        self.add("service-account", robot, reader)
        time.sleep(3.1)


def args_of(route):
    return re.findall(r"{([a-z_]+)[+%]?}", route["path"])


def names_its_own(route):
    """Each tenant has its own names: what makes a thing by its name makes the caller's own."""
    return route["method"] == "PUT" and not route["path"].startswith("/scim")


def relations(route):
    """Which relations a route can have: without an argument, or a caller, there is nothing of others to ask for."""
    names = args_of(route)
    if route["scope"] == "project":
        return [OWN, OTHER, GONE, STRANGE, NEVER] + ([STRANGE_INSIDE, NEVER_INSIDE] if IDS & set(names) else [])
    return [OWN] if not names or route["action"] == "public" or names_its_own(route) else [OWN, GONE, STRANGE, NEVER]


def none_of(value):
    """A value like it that stands for nothing."""
    if re.fullmatch(r"[0-9a-f]{8}-.*", value):
        return "01a1fd00-0000-7000-8000-000000000000"
    return re.sub(r"[0-9a-f]{32}", "0" * 32, value.replace(REAL, NONE))


class Asking:
    """One identity's requests, on a connection of its own."""

    def __init__(self, cast, canaries):
        self.cast, self.canaries = cast, canaries

    def project(self, route, identity, relation):
        if route["scope"] != "project":
            return f"made-by-{identity}"
        if route["handler"] == "delete_project" and relation in (OWN, OTHER) and identity in self.cast.spare:
            return ("victim-" if relation == OWN else "spare-") + identity
        return {OTHER: "pricing", GONE: "gone", STRANGE: "vault-r", NEVER: "vault-n"}.get(relation, "credit")

    def value(self, route, name, relation):
        real = self.canaries.args.get(name, REAL)
        if relation in (STRANGE_INSIDE, NEVER_INSIDE) and name not in IDS:
            return "absent"
        if relation in (STRANGE, STRANGE_INSIDE) or (relation == NEVER and route["scope"] == "project"):
            return real
        return none_of(real) if relation in (NEVER, NEVER_INSIDE) else "m-gone" if relation == GONE else "absent"

    def path(self, route, identity, relation):
        path = route["path"]
        for name in args_of(route):
            value = self.project(route, identity, relation) if name == "project" else self.value(route, name, relation)
            path = re.sub(rf"{{{name}[+%]?}}", value, path, count=1)
        return path

    def ask(self, wire, route, identity, relation):
        """As far as the caller's rights reach, with little changed where they suffice."""
        headers = dict(self.cast.headers[identity])
        if route["header"]:
            headers["X-MLFLOW-WORKSPACE"] = self.project(route, identity, relation)
        stream = route["handler"] in STREAMS
        body = {} if route["method"] in ("POST", "PUT", "PATCH") and not route.get("bodiless") else None
        path = self.path(route, identity, relation)
        reply = wire.request(route["method"], path, headers, body, stream)
        if body is not None and b"takes no body" in reply.content:
            route["bodiless"] = True
            reply = wire.request(route["method"], path, headers, None, stream)
        return route, identity, relation, reply

    def all_of(self, identity, routes):
        wire = Wire(self.cast.service)
        return [self.ask(wire, route, identity, relation) for route in routes for relation in relations(route)]


def ask_everything(cast, canaries, routes, threads=4):
    asking = Asking(cast, canaries)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        parts = [pool.submit(asking.all_of, identity, routes) for identity in cast.headers]
        return [cell for part in parts for cell in part.result()]

