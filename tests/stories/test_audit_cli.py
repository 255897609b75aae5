# SPDX-License-Identifier: Apache-2.0
"""The auditor's and the administrator's commands, against the service."""
import json
import os
import subprocess
import threading
import time

import pytest
from service import BUILD, PATIENCE


class Cli:
    def __init__(self, client, folder):
        self.environment = {"CHANCERY_CONFIG": str(folder / "config"), "CHANCERY_URL": client.service.url,
                            "CHANCERY_CA": client.service.ca, "CHANCERY_TOKEN": client.token, "PATH": os.environ["PATH"]}

    def run(self, *words):
        return subprocess.run([BUILD / "chancery", *map(str, words)], capture_output=True, text=True, timeout=PATIENCE,
                              env=self.environment)

    def ok(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def json(self, *words):
        return json.loads(self.ok(*words, "--json"))


@pytest.fixture
def admin(world, tmp_path):
    (tmp_path / "a").mkdir()
    return Cli(world.admin, tmp_path / "a")


@pytest.fixture
def auditor(world, tmp_path):
    (tmp_path / "b").mkdir()
    return Cli(world["auditor"], tmp_path / "b")


def change(world, text="x"):
    world.admin.ok("PUT", "/v1/projects/cli?wait=sequenced", {"description": text})


def test_a_key_is_replaced_and_exports_follow_it(world, admin, auditor, tmp_path):
    folder, first = tmp_path / "log", tmp_path / "first"
    change(world)
    auditor.ok("audit", "export", folder)
    first.write_text((folder / "vkey").read_text())
    auditor.ok("audit", "verify", folder, "--vkey", first)
    for hours in (24, 0):
        admin.ok("audit", "rotate", "--overlap-hours", hours)
        change(world, str(hours))
    (tmp_path / "policy").write_text(auditor.ok("audit", "policy"))
    assert (tmp_path / "policy").read_text().count("\nlog ") == 2 and "quorum none" in auditor.ok("audit", "policy")
    auditor.ok("audit", "export", folder)  # goes from key to key by what each said of the next
    auditor.ok("audit", "verify", folder, "--vkey", tmp_path / "policy", "--payloads")
    admin.ok("audit", "rotate", "--overlap-hours", 0)
    change(world)
    auditor.ok("audit", "export", folder)
    assert auditor.run("audit", "verify", folder, "--vkey", tmp_path / "nothing").returncode == 2
    # A key that no known key named is refused.
    other = (folder / "vkey").read_text().split("+")[0] + "+e51d91f2+ASzgh21+rXWoU0o2O/4NRu0nf3VCjnJtXD/BjeCYyBeI"
    (folder / "vkey").write_text(other)
    assert auditor.run("audit", "export", folder).returncode in (2, 4)


def test_consistency_and_search_and_report(world, auditor, tmp_path):
    change(world, "the singular pangolin")
    size = int(world["auditor"].get("/v1/audit/log/checkpoint").text.split("\n")[1])
    got = auditor.json("audit", "consistency", 1, size)
    assert got["from"] == 1 and got["to"] == size and got["hashes"]
    listed = auditor.json("audit", "list", "--q", "pangolin")
    assert len(listed["value"] if isinstance(listed, dict) else listed) == 1
    auditor.ok("audit", "report", tmp_path / "r.csv", "--format", "csv", "--q", "pangolin")
    assert (tmp_path / "r.csv").read_text().count("pangolin") >= 1
    auditor.ok("audit", "report", tmp_path / "r.jsonl", "--q", "pangolin")
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 1
    assert auditor.run("audit", "report", tmp_path / "x", "--format", "xml").returncode == 1


def test_sinks_witnesses_and_retention(world, admin, auditor, tmp_path):
    admin.ok("audit", "sink", "disk", "file")
    change(world)
    assert "disk" in auditor.ok("audit", "sinks")
    assert auditor.run("audit", "sink", "mine", "file").returncode == 1
    admin.ok("audit", "unsink", "disk")
    admin.ok("audit", "keep", "read", 365)
    assert "365" in auditor.ok("audit", "retention")
    assert admin.run("audit", "keep", "read", 10).returncode == 1
    admin.ok("audit", "keep", "read")
    assert admin.run("audit", "witness", "w", "no-key", "https://w.example").returncode == 1
    assert auditor.ok("audit", "witnesses") is not None


def test_erasure_needs_a_reason_and_is_told_by_verify(world, admin, auditor, tmp_path):
    world["deployer"].ok("GET", "/v1/projects/credit")
    world["deployer"].put("/v1/projects/credit", {})
    assert admin.run("audit", "erase", "the-deployer").returncode == 2
    asked = admin.json("audit", "erase", "the-deployer", "--reason", "asked for")
    assert asked["id"] in admin.ok("audit", "erasures")
    assert admin.run("audit", "decide", asked["id"], "approve").returncode != 0, "it takes another person"
    done = world["tenant-admin"].ok("POST", f"/v1/audit/erasures/{asked['id']}/decision", {"verdict": "approve"})
    assert done["erased"] >= 1
    change(world)
    auditor.ok("audit", "export", tmp_path / "log")
    auditor.ok("audit", "policy")
    (tmp_path / "p").write_text(auditor.ok("audit", "policy"))
    told = auditor.run("audit", "verify", tmp_path / "log", "--vkey", tmp_path / "p", "--payloads")
    assert told.returncode == 0 and "are erased" in told.stdout + told.stderr


def test_the_tail_prints_entries(world, auditor):
    tail = subprocess.Popen([BUILD / "chancery", "audit", "tail", "--from-index", "0"], stdout=subprocess.PIPE, text=True,
                            env=auditor.environment)
    try:
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(tail.stdout.readline, "")), daemon=True)
        reader.start()
        end = time.monotonic() + PATIENCE
        while len(lines) < 5 and time.monotonic() < end:
            time.sleep(0.1)
        assert len(lines) >= 5 and any("put_project" in line or "post_" in line for line in lines)
    finally:
        tail.terminate()
        tail.wait(10)
