# SPDX-License-Identifier: Apache-2.0
"""The real service for stories: a started chanceryd in a home of its own, and people who talk to it.

Service().start() makes a private PostgreSQL, certificates and a bootstrap code as any installation
does. World() is a service with the tenants acme and globex and one user for each built-in role.
"""
import contextlib
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import tempfile
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("CHANCERY_BUILD", ROOT / "build"))
DATA = ROOT / "tests" / "data"
SANITIZED = BUILD.name != "build"
PATIENCE = 120 if SANITIZED else 60
# Not Debian's wrapper, which takes longer than the statement.
PSQL = str(max(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"), key=lambda p: int(p.parts[4]), default="psql"))
PASSWORD = "correct horse battery staple"


# A sanitizer says more than that something is wrong, and does not stop at what it need not stop at.
SANITIZERS = {"UBSAN_OPTIONS": "print_stacktrace=1", "ASAN_OPTIONS": "detect_stack_use_after_return=0",
              "LSAN_OPTIONS": f"print_suppressions=0:suppressions={ROOT}/tests/check/lsan.txt",
              "TSAN_OPTIONS": f"suppressions={ROOT}/tests/check/tsan.txt history_size=4"} if SANITIZED else {}
REPORT = re.compile("AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:")


class Service:
    """One chanceryd. home lives as long as the object unless one is given."""

    program = BUILD / "chanceryd"

    def __init__(self, home=None, *flags, environment=None):
        self.temporary = None if home else tempfile.TemporaryDirectory(prefix="chancery-")
        self.home = pathlib.Path(home or self.temporary.name)
        if self.temporary:
            os.chmod(self.home, 0o711)  # the cluster's own user passes through
        self.flags = list(flags)
        self.environment = {**os.environ, **SANITIZERS, **(environment or {})}
        self.process = None
        self.tables = None
        self.log_path = self.home / "service.log"

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--home", self.home / "home", "--listen", "127.0.0.1:0", *self.flags],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.environment, cwd=ROOT)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"chanceryd ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            try:
                runtime = json.loads((self.home / "home" / "runtime.json").read_text())
                if runtime["pid"] == self.process.pid:
                    self.runtime, self.url, self.ca = runtime, runtime["url"], runtime["ca"]
                    return self
            except (FileNotFoundError, json.JSONDecodeError):
                pass
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"chanceryd was not ready in {PATIENCE} s:\n{self.log()[-4000:]}")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self, limit=15):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"chanceryd did not stop in {limit} s:\n{self.log()[-4000:]}") from None
        code = self.process.returncode if self.process else 0
        self.process = None
        return code

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def close(self):
        try:
            self.stop(60 if SANITIZED else 15)
            found = REPORT.search(log := self.log())
            assert not found, "a sanitizer reports:\n" + log[max(0, found.start() - 300):found.start() + 8000]
        finally:
            if self.temporary:
                self.temporary.cleanup()

    def close_after(self, mounts):
        """Close, with what is mounted in the home unmounted before it is removed."""
        try:
            if self.process:
                self.stop()
        finally:
            self.kill()
            while mounts:
                subprocess.run(["umount", "-l", mounts.pop()], check=False)
            self.close()

    def client(self, token=None, tenant=None):
        return Client(self, token, tenant)

    def memory(self, field="VmRSS"):
        """Bytes of the service's process, from /proc."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(field + ":")[1].split()[0]) * 1024

    def files(self):
        """Every file that uploads and jobs leave in the home, with its size."""
        home = self.home / "home"
        return {str(f.relative_to(home)): f.stat().st_size
                for part in ("blobs", "uploads", "spool", "jobs") for f in (home / part).rglob("*") if f.is_file()}

    def rows(self):
        """Count and digest of every table that is not the audit log, as the superuser sees them."""
        if self.tables is None:
            self.tables = self.sql("SELECT relname FROM pg_class WHERE relnamespace = 'chancery'::regnamespace"
                                   " AND relkind = 'r' AND relname NOT LIKE 'audit%'"
                                   " AND relname <> 'replica' ORDER BY relname").split()
        each = " UNION ALL ".join(
            f"SELECT '{n}', count(*), md5(coalesce(string_agg(r, '' ORDER BY r), ''))"
            f" FROM (SELECT (to_jsonb(t) - 'last_used_at')::text AS r FROM chancery.{n} t) x" for n in self.tables)
        return self.sql(each).split()

    @contextlib.contextmanager
    def unchanged(self):
        """What happens inside leaves no trace in tables or files; the audit log may grow."""
        before = (self.rows(), self.files())
        yield
        end = time.monotonic() + 3  # temporary files go just after the reply
        while (after := (self.rows(), self.files())) != before and time.monotonic() < end:
            time.sleep(0.1)
        tables = sorted({line.split("|")[0] for line in set(after[0]) ^ set(before[0])})
        assert not tables, f"these tables changed: {tables}"
        files = sorted(set(after[1].items()) ^ set(before[1].items()))
        assert not files, f"these files changed: {files}"

    def bootstrap_code(self):
        return pathlib.Path(self.runtime["bootstrap_code_file"]).read_text().strip()

    def sql(self, statement, database="chancery", role="postgres"):
        """As the private cluster's superuser, behind the service's back."""
        command = [PSQL, "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", self.socket(), "-U", role, "-d", database]
        done = subprocess.run(command, input=statement, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def socket(self):
        """The directory of the private cluster's socket."""
        note = self.home / "home" / "postgres.socket_dir"
        return note.read_text().strip() if note.exists() else str(self.home / "home" / "postgres" / "socket")


class Client:
    """Somebody with a token. Every call returns the response; checks are the story's."""

    def __init__(self, service, token=None, tenant=None):
        self.service, self.token, self.tenant = service, token, tenant
        self.session = requests.Session()
        self.session.verify = service.ca
        self.session.trust_env = False

    def request(self, method, path, body=None, **kwargs):
        headers = dict(kwargs.pop("headers", {}))
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = "Bearer " + self.token
        if body is not None:
            kwargs["json"] = body
        return self.session.request(method, self.service.url + path, headers=headers, timeout=PATIENCE, **kwargs)

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.request("POST", path, {} if body is None and "data" not in kwargs else body, **kwargs)

    def put(self, path, body=None, **kwargs):
        return self.request("PUT", path, {} if body is None and "data" not in kwargs else body, **kwargs)

    def patch(self, path, body=None, **kwargs):
        return self.request("PATCH", path, body, **kwargs)

    def delete(self, path, **kwargs):
        return self.request("DELETE", path, **kwargs)

    def ok(self, method, path, body=None, **kwargs):
        """The JSON of an answer that must be a success."""
        if body is None and method in ("POST", "PUT", "PATCH") and "data" not in kwargs:
            body = {}
        reply = self.request(method, path, body, **kwargs)
        assert 200 <= reply.status_code < 300, f"{method} {path}: {reply.status_code} {reply.text[:500]}"
        return reply.json() if reply.content and "json" in reply.headers.get("Content-Type", "") else reply.content

    def upload_dataset(self, project, name, path, file_name=None):
        """A CSV file as a ready dataset version; its JSON."""
        data = path if isinstance(path, bytes) else pathlib.Path(path).read_bytes()
        base = f"/v1/projects/{project}/datasets/{name}"
        self.ok("PUT", base, {})
        number = self.ok("POST", base + "/versions", {})["number"]
        self.ok("PUT", f"{base}/versions/{number}/files/{file_name or name + '.csv'}", data=data,
                headers={"Content-Type": "application/octet-stream"})
        return self.ok("POST", f"{base}/versions/{number}/finalize", {})

    def await_job(self, project, job, limit=PATIENCE * 2):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            found = self.ok("GET", f"/v1/projects/{project}/jobs/{job}")
            if found["state"] in ("succeeded", "failed", "cancelled"):
                return found
            time.sleep(0.05)
        raise AssertionError(f"job {job} is still {found['state']} after {limit} s: {found}")


def bootstrap(service, code, tenant, user="admin"):
    reply = service.client().post("/v1/bootstrap", {"code": code, "tenant": tenant, "user": user, "password": PASSWORD})
    assert reply.status_code == 201, reply.text
    return Client(service, reply.json()["access_token"], tenant)


def person(service, admin, name, bindings=()):
    """A new user of the admin's tenant, signed in. bindings: (role, project or None)."""
    password = secrets.token_urlsafe(18)
    admin.ok("POST", "/v1/users", {"name": name, "password": password})
    for role, project in bindings:
        scope = {"scope": "project", "project": project} if project else {"scope": "tenant"}
        admin.ok("POST", "/v1/bindings", {"principal": name, "role": role, **scope})
    reply = service.client().post("/v1/login", {"tenant": admin.tenant, "user": name, "password": password})
    assert reply.status_code == 200, reply.text
    client = Client(service, reply.json()["access_token"], admin.tenant)
    client.name, client.password = name, password
    return client


def settled(service, project="store"):
    """The owner of a project in a new installation, with a token that survives restarts; and the admin."""
    admin = bootstrap(service, service.bootstrap_code(), "acme")
    admin.token = admin.ok("POST", "/v1/tokens", {"name": "lasting"})["token"]
    admin.ok("PUT", f"/v1/projects/{project}", {})
    owner = person(service, admin, "owner", [("project-owner", project)])
    owner.token = owner.ok("POST", "/v1/tokens", {"name": "lasting"})["token"]
    owner.admin = admin
    return owner


class World:
    """acme with the project credit and a user for each role there, and globex with its own."""

    TENANT_ROLES = ("tenant-admin", "access-admin", "auditor", "security-operator")
    PROJECT_ROLES = ("project-owner", "data-scientist", "approver", "deployer", "reader", "endpoint-consumer",
                     "data-steward")

    def __init__(self, service):
        self.service = service
        self.admin = bootstrap(service, service.bootstrap_code(), "acme")
        self.admin.ok("PUT", "/v1/projects/credit", {"description": "Credit decisions"})
        self.people = {}
        for role in self.TENANT_ROLES:
            self.people[role] = person(service, self.admin, "the-" + role, [(role, None)])
        for role in self.PROJECT_ROLES:
            self.people[role] = person(service, self.admin, "the-" + role, [(role, "credit")])
        code = self.admin.ok("POST", "/v1/tenants", {"name": "globex"})["bootstrap_code"]
        self.foreign_admin = bootstrap(service, code, "globex")
        self.foreign_admin.ok("PUT", "/v1/projects/claims", {})

    def __getitem__(self, role):
        return self.people[role]

    def sign_in(self):
        """Everybody of acme again: access tokens name the address that gave them."""
        everybody = [(self.admin, "admin", PASSWORD), *((c, c.name, c.password) for c in self.people.values())]
        for client, name, password in everybody:
            reply = self.service.client().post("/v1/login", {"tenant": "acme", "user": name, "password": password})
            assert reply.status_code == 200, reply.text
            client.token = reply.json()["access_token"]

    def trained(self, dataset="cancer", model="risk", target="diagnosis", trainer="logistic",
                path=DATA / "breast_cancer.csv"):
        """A trained model version under the project's policy; (dataset version, job)."""
        scientist, approver = self["data-scientist"], self["approver"]
        version = scientist.upload_dataset("credit", dataset, path)
        job = scientist.ok("POST", "/v1/projects/credit/jobs", {
            "kind": "train", "input": f"datasets/{dataset}/versions/{version['number']}", "output": f"models/{model}",
            "trainer": trainer, "target": target, "seed": 7, "test_fraction": 0.25})
        assert job["state"] == "waiting", job
        approver.ok("POST", f"/v1/projects/credit/approvals/{job['approval']}/decision",
                    {"verdict": "approve", "reason": "the data is documented"})
        job = scientist.await_job("credit", job["id"])
        assert job["state"] == "succeeded", job
        return version, job

    def promoted(self, version, alias="production"):
        """An approved promotion of models/…/versions/N; the approval."""
        approval = self["data-scientist"].ok("POST", "/v1/projects/credit/approvals",
                                             {"action": "promote", "subject": version, "alias": alias})
        return self["approver"].ok("POST", f"/v1/projects/credit/approvals/{approval['id']}/decision",
                                   {"verdict": "approve", "reason": "the metrics hold"})
