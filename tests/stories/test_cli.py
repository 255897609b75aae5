# SPDX-License-Identifier: Apache-2.0
"""The command line client against the real service: what it prints, remembers, checks and survives."""
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import threading

import pytest
from service import BUILD, DATA

CHANCERY = BUILD / "chancery"


class Shell:
    """Somebody's terminal: the client with a profile of its own."""

    def __init__(self, service, folder, client=None):
        self.folder = folder
        self.config = folder / "config.json"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "CHANCERY_CONFIG": str(self.config),
                            "CHANCERY_URL": service.url, "CHANCERY_CA": service.ca, "CHANCERY_PROJECT": "credit"}
        if client is not None:
            self.environment["CHANCERY_TOKEN"] = client.token

    def run(self, *arguments, code=0, text=None, **environment):
        done = subprocess.run([CHANCERY, *map(str, arguments)], capture_output=True, text=True, input=text,
                              env={**self.environment, **environment}, cwd=self.folder, timeout=120, check=False)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stderr + done.stdout

    def json(self, *arguments, **options):
        return json.loads(self.run("--json", *arguments, **options))


@pytest.fixture
def shell(world, tmp_path):
    def make(role):
        folder = tmp_path / role
        folder.mkdir()
        return Shell(world.service, folder, world.admin if role == "admin" else world[role])
    return make


class CuttingProxy:
    """Passes TCP on to the service, and cuts the first connections after so many bytes."""

    def __init__(self, url, cuts, after):
        self.target = (url.split("//")[1].split(":")[0], int(url.rsplit(":", 1)[1]))
        self.cuts, self.after, self.cut = cuts, after, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                inner, _ = self.listener.accept()
            except OSError:
                return
            outer = socket.create_connection(self.target)
            threading.Thread(target=self.pump, args=(inner, outer, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(outer, inner, False), daemon=True).start()

    def pump(self, source, sink, counted):
        passed = 0
        try:
            while data := source.recv(65536):
                passed += len(data)
                if counted and self.cut < self.cuts and passed > self.after:
                    self.cut += 1
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


def test_signing_in_is_remembered_and_kept_private(world, tmp_path):
    world.admin.ok("POST", "/v1/users", {"name": "ann", "password": "a long enough password"})
    ann = Shell(world.service, tmp_path)
    ann.run("login", "--tenant", "acme", "--user", "ann", "--password-stdin", text="a long enough password\n")
    assert ann.config.stat().st_mode & 0o777 == 0o600
    stored = json.loads(ann.config.read_text())["profiles"]["default"]
    assert stored["tenant"] == "acme" and stored["user"] == "ann" and stored["url"] == world.service.url
    assert "password" not in ann.config.read_text()
    del ann.environment["CHANCERY_URL"], ann.environment["CHANCERY_CA"]
    assert ann.json("whoami")["name"] == "ann"
    wrong = ann.run("login", "--tenant", "acme", "--user", "ann", code=1, CHANCERY_PASSWORD="not it")
    assert wrong.startswith("chancery: credentials: ") and "(request " in wrong and wrong.count("\n") == 1
    ann.config.chmod(0o644)
    assert "can be read by others" in ann.run("whoami", code=2)
    ann.config.chmod(0o600)
    ann.run("logout")
    assert "token" not in json.loads(ann.config.read_text())["profiles"]["default"]
    assert ann.run("whoami", code=1).startswith("chancery: token: ")


def test_the_certificate_is_always_checked(world, tmp_path):
    nobody = Shell(world.service, tmp_path)
    nobody.environment["CHANCERY_CA"] = ""
    assert "certificate" in nobody.run("whoami", code=3)
    assert "does not begin with https://" in nobody.run("--url", "http://127.0.0.1:1", "whoami", code=2)
    assert "unreachable" in nobody.run("--url", "https://127.0.0.1:1", "whoami", code=3)


def test_tables_for_people_json_for_programs_names_for_scripts(shell):
    admin = shell("admin")
    table = admin.run("user", "list")
    assert table.splitlines()[0].startswith("NAME ") and "\x1b" not in table
    users = admin.json("user", "list")["value"]
    assert {"admin", "the-approver"} <= {user["name"] for user in users}
    assert len(admin.run("--quiet", "user", "list", "--limit", "2").split()) == 2
    assert admin.run("user", "shwo", code=2).startswith("chancery: usage: there is no command user shwo")
    assert admin.run("user", "show", "nobody", code=1).startswith("chancery: not-found: ")


def test_a_data_set_goes_up_with_its_schema_and_comes_down_whole(shell):
    scientist = shell("data-scientist")
    printed = scientist.run("dataset", "upload", DATA / "iris.csv")
    assert "schema of 150 rows" in printed and "sepal_length_cm" in printed
    scientist.run("dataset", "download", "iris", "1", "--output", "down")
    assert (scientist.folder / "down" / "iris.csv").read_bytes() == (DATA / "iris.csv").read_bytes()
    scientist.run("dataset", "download", "iris", "1", "iris.csv")
    assert (scientist.folder / "iris.csv").read_bytes() == (DATA / "iris.csv").read_bytes()


def test_a_malformed_table_is_refused_and_leaves_nothing_behind(shell):
    scientist = shell("data-scientist")
    broken = scientist.folder / "broken.csv"
    broken.write_text("a,b\n1,2\n3\n")
    assert scientist.run("dataset", "upload", broken, code=1).startswith("chancery: content: ")
    assert scientist.json("dataset", "versions", "broken")["value"] == []


def test_a_large_upload_goes_on_where_the_line_was_cut(shell, world):
    scientist = shell("data-scientist")
    large = scientist.folder / "weights.bin"
    with large.open("wb") as out:
        for block in range(70):
            out.write(hashlib.sha256(bytes([block])).digest() * (1 << 15))
    proxy = CuttingProxy(world.service.url, cuts=2, after=20 << 20)
    try:
        scientist.run("--url", proxy.url, "dataset", "upload", large)
    finally:
        proxy.close()
    assert proxy.cut == 2
    version = scientist.json("dataset", "show", "weights", "1")
    assert version["size"] == 70 << 20
    assert version["manifest"]["files"][0]["sha256"] == hashlib.sha256(large.read_bytes()).hexdigest()


def test_an_exported_log_is_proven_offline_and_must_continue_the_last_export(shell, world):
    auditor = shell("auditor")
    auditor.run("audit", "export", "log")
    log = auditor.folder / "log"
    key = auditor.folder / "vkey"
    key.write_bytes((log / "vkey").read_bytes())
    assert "are proven" in auditor.run("audit", "verify", "log", "--vkey", "vkey", "--payloads")
    first = json.loads(auditor.run("--json", "audit", "verify", "log", "--vkey", "vkey"))["size"]
    world.admin.ok("POST", "/v1/users", {"name": "one-more"})
    wait_until_sequenced(auditor)
    auditor.run("audit", "export", "log")
    assert (log / f"checkpoint.{first}").exists()
    assert json.loads(auditor.run("--json", "audit", "verify", "log", "--vkey", "vkey"))["size"] > first

    lines = (log / "payloads.jsonl").read_text().splitlines()
    changed = json.loads(lines[3])
    changed["payload"] = changed["payload"].replace('"actor":"', '"actor":"not-')
    lines[3] = json.dumps(changed)
    (log / "payloads.jsonl").write_text("\n".join(lines) + "\n")
    found = auditor.run("audit", "verify", "log", "--vkey", "vkey", "--payloads", code=4)
    assert "leaf 3: wrong payload in payloads.jsonl" in found
    del lines[3]
    (log / "payloads.jsonl").write_text("\n".join(lines) + "\n")
    assert "leaf 3: missing payload" in auditor.run("audit", "verify", "log", "--vkey", "vkey", "--payloads", code=4)

    other = auditor.folder / "other-key"
    other.write_text("elsewhere+" + key.read_text().split("+", 1)[1])
    assert "does not hold a verifier key" in auditor.run("audit", "verify", "log", "--vkey", "other-key", code=2)
    (log / "checkpoint").write_text((log / "checkpoint").read_text().replace("\n", "\n1", 1))
    assert "not genuine" in auditor.run("audit", "export", "log", code=4)


def wait_until_sequenced(auditor):
    for _ in range(100):
        if auditor.json("audit", "list", "--limit", "1")["value"][0]["index"] is not None:
            return
    raise AssertionError("the newest entry is not in the tree")


def test_a_proof_is_printed_as_it_is(shell):
    auditor = shell("auditor")
    wait_until_sequenced(auditor)
    entry = auditor.json("audit", "list", "--limit", "50")["value"][-1]["id"]
    assert auditor.run("audit", "proof", entry).startswith("c2sp.org/tlog-proof@v1\n")


def test_completion_is_a_script_the_shell_takes(shell, tmp_path):
    script = tmp_path / "completion.bash"
    script.write_text(shell("reader").run("completion", "bash"))
    answer = subprocess.run(
        ["bash", "-c", f". {script}; COMP_WORDS=(chancery job train --t); COMP_CWORD=3; _chancery;"
         " echo ${COMPREPLY[@]}"], capture_output=True, text=True, check=True).stdout.split()
    assert answer == ["--target", "--trainer", "--test-fraction"]


def test_every_command_has_help(shell):
    reader = shell("reader")
    overview = reader.run("help")
    for line in pathlib.Path(__file__).parents[2].joinpath("clients/cli/commands.def").read_text().splitlines():
        if line.startswith(("COMMAND(", "LIST(", "SHOW(", "ACT(")):
            name = line.split('"')[1]
            assert f"\n  {name} " in overview
            assert reader.run("help", *name.split()).startswith(f"chancery {name}")


def test_access_is_asked_given_and_reviewed_from_the_command_line(shell, world):
    """Roles, groups, walls, duties, eligible roles and reviews, each by its command; every answer also as JSON."""
    admin, reader = shell("admin"), shell("reader")
    made = admin.json("role", "create", "cli-role", "--actions", "projects/read,assets/*", "--not-actions", "assets/purge")
    assert "assets/read" in made["actions"] and "assets/purge" not in made["actions"]
    admin.run("group", "create", "cli-team", "--display-name", "The team")
    admin.run("group", "add", "cli-team", "the-reader")
    assert [m["principal"] for m in admin.json("group", "members", "cli-team")["value"]] == ["the-reader"]
    assert "cli-team" in admin.run("group", "list")
    assert reader.json("access", "check", "assets/read", "--project", "credit")["allowed"]
    assert "refused: no role in force allows it there" in reader.run("access", "explain", "assets/write", "--project",
                                                                     "credit", code=1)
    who = {w["principal"] for w in admin.json("access", "who-can", "approvals/decide", "--project", "credit")["value"]}
    assert {"the-approver", "the-project-owner"} <= who and "the-reader" not in who
    assert any(p["project"] == "credit" for p in admin.json("access", "what-can", "--principal", "the-reader")["value"])
    gained = admin.json("access", "what-if", "give", "--principal", "the-reader", "--role", "deployer", "--project", "credit")
    assert {"principal": "the-reader", "action": "endpoints/deploy", "at": "project credit"} in gained["gained"]
    assert "endpoints/deploy" in admin.run("access", "what-if", "give", "--principal", "the-reader", "--role", "deployer",
                                           "--project", "credit")
    deny = admin.json("deny", "create", "--principals", "group:cli-team", "--actions", "jobs/*", "--project", "credit",
                      "--reason", "a wall")
    assert "a wall" in admin.run("deny", "list")
    reader.run("access", "check", "jobs/read", "--project", "credit", code=1)
    assert deny["id"] in admin.run("deny", "list")
    admin.run("deny", "lift", deny["id"])
    admin.run("group", "remove", "cli-team", "the-reader")
    admin.run("group", "delete", "cli-team")
    admin.run("role", "delete", "cli-role")
    admin.run("duty", "set", "cli-duty", "data-steward", "auditor", "--description", "apart")
    assert "cli-duty" in admin.run("duty", "list")
    assert "train_approve_deploy" in admin.json("access", "duties")
    admin.run("duty", "delete", "cli-duty")
    eligible = admin.json("eligible", "grant", "the-reader", "deployer", "--project", "credit", "--hours", "2")
    assert eligible["id"] in reader.run("eligible", "list")
    asked = reader.json("eligible", "activate", eligible["id"], "--reason", "release", "--hours", "1")
    assert asked["state"] == "pending"
    assert admin.json("eligible", "approve", asked["id"], "--reason", "planned")["state"] == "active"
    assert "active" in admin.run("eligible", "requests")
    admin.json("review", "start", "cli-review", "--project", "credit", "--reviewers", "the-auditor", "--due", "2099-01-01T00:00:00Z")
    auditor = shell("auditor")
    items = auditor.json("review", "show", "cli-review")["value"]
    binding = next(i["binding"] for i in items if i["holder"] == "the-reader" and i["role"] == "deployer")
    auditor.run("review", "remove", "cli-review", binding, "--reason", "done")
    for item in items:
        if item["binding"] != binding:
            auditor.run("review", "keep", "cli-review", item["binding"], "--reason", "needed")
    assert auditor.json("review", "evidence", "cli-review")["signatures"]
    robot = "cli-robot"
    admin.run("service-account", "create", robot)
    cap = admin.json("ceiling", "create", robot, "--actions", "projects/read")
    assert cap["id"] in admin.run("ceiling", "list")
    admin.run("ceiling", "lift", cap["id"])
    words = admin.run("completion", "bash")
    assert "'access') echo ' check explain who-can what-can what-if duties'" in words and "--not-data-actions" in words
