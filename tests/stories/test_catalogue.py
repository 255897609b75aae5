# SPDX-License-Identifier: Apache-2.0
"""Assets of eight kinds on the same routes, each with its manifest, and one catalogue to find them in."""
import json
import subprocess

import pytest
from service import BUILD, person

P = "/v1/projects/credit"
GOOD = {
    "environment": {"python": "3.11", "packages": ["numpy==2.4.6"], "image": "python:3.11"},
    "component": {"command": "python train.py", "inputs": {"data": "dataset"}, "outputs": {"model": "model"},
                  "environment": "environments/base/versions/1"},
    "prompt": {"template": "Hello {{name}}"},
    "flow": {"nodes": [{"name": "a", "uses": "components/x/versions/1"}, {"name": "b", "uses": "prompts/y/versions/1"}],
             "edges": [{"from": "a", "to": "b"}]},
    "connection": {"type": "postgresql", "target": "db.example:5432", "secret": "db-password", "options": {"ssl": True}},
    "notebook": {"kernel": "python3", "entry": "main.ipynb"},
}


@pytest.fixture(scope="module")
def owner(world):
    """What the manifests above name is there."""
    owner = world["project-owner"]
    made = [("environment", "base", GOOD["environment"]), ("component", "x", GOOD["component"]), ("prompt", "y", GOOD["prompt"])]
    for kind, name, manifest in made:
        assert make(owner, kind, name, manifest).status_code == 200
    return owner


def make(owner, kind, name, manifest, files=(), status=200):
    owner.ok("PUT", f"{P}/{kind}s/{name}", {"tags": {"team": "risk"}, "description": f"the {kind} called {name}"})
    made = owner.post(f"{P}/{kind}s/{name}/versions", {"manifest": manifest})
    if made.status_code != 201:
        return made
    place = f"{P}/{kind}s/{name}/versions/{made.json()['number']}"
    for path in files:
        owner.ok("PUT", f"{place}/files/{path}", data=b"{}", headers={"Content-Type": "application/octet-stream"})
    return owner.post(place + "/finalize", {})


@pytest.mark.parametrize("kind", GOOD)
def test_a_version_of_each_kind(world, owner, kind):
    files = ["main.ipynb"] if kind == "notebook" else []
    made = make(owner, kind, "first", GOOD[kind], files)
    assert made.status_code == 200, made.text
    version = made.json()
    assert version["state"] == "ready" and len(version["digest"]) == 64
    assert {k: v for k, v in version["manifest"].items() if k != "files"} == GOOD[kind]
    assert [f["path"] for f in version["manifest"]["files"]] == files
    again = owner.ok("GET", f"{P}/{kind}s/first/versions/1")
    assert again == version
    assert owner.request("PATCH", f"{P}/{kind}s/first/versions/1", {"manifest": GOOD[kind]},
                         headers={"Content-Type": "application/json"}).status_code == 400
    owner.ok("PUT", f"{P}/{kind}s/first/aliases/best", {"version": 1})
    assert owner.ok("GET", f"{P}/{kind}s/first/versions/@best")["number"] == 1
    assert owner.put(f"{P}/{kind}s/first/aliases/production", {"version": 1}).status_code == 403
    approval = world["data-scientist"].ok("POST", P + "/approvals", {"action": "promote", "alias": "production",
                                                                     "subject": f"{kind}s/first/versions/1"})
    world["approver"].ok("POST", f"{P}/approvals/{approval['id']}/decision", {"verdict": "approve", "reason": "so"})
    assert owner.ok("GET", f"{P}/{kind}s/first")["aliases"] == {"best": 1, "production": 1}
    assert kind + "s/first" not in world.foreign_admin.get(f"{P}/{kind}s/first").text


BAD = [("environment", {"python": None}, "manifest.python"), ("environment", {"packages": "numpy"}, "manifest.packages"),
       ("environment", {"password": "x"}, "manifest.password"), ("component", {"environment": "models/x/versions/1"}, "manifest.environment"),
       ("component", {"inputs": []}, "manifest.inputs"), ("prompt", {"template": ""}, "manifest.template"),
       ("prompt", {"template": [{"role": "user"}]}, "manifest.template"), ("prompt", {"template": 1}, "manifest.template"),
       ("flow", {"nodes": []}, "manifest.nodes"), ("flow", {"edges": [{"from": "a", "to": "z"}]}, "manifest.edges"),
       ("flow", {"edges": [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]}, "manifest.edges"),
       ("flow", {"edges": [{"from": "a", "to": "a"}]}, "manifest.edges"),
       ("flow", {"nodes": [{"name": "a", "uses": "x"}, {"name": "a", "uses": "x"}]}, "manifest.nodes"),
       ("connection", {"secret": "Not A Name"}, "manifest.secret"), ("connection", {"password": "hunter2"}, "manifest.password"),
       ("connection", {"target": 7}, "manifest.target"), ("notebook", {"kernel": ""}, "manifest.kernel")]


@pytest.mark.parametrize("kind,change,member", BAD, ids=[f"{k}-{m}-{i}" for i, (k, _, m) in enumerate(BAD)])
def test_a_manifest_that_is_none_names_its_member(owner, kind, change, member):
    manifest = {k: v for k, v in {**GOOD[kind], **change}.items() if v is not None}
    made = make(owner, kind, "bad", manifest)
    error = made.json()["error"]
    assert made.status_code == 400 and error["target"].startswith(member) and member in error["message"], made.text


def test_who_needs_a_manifest_and_files(owner):
    owner.ok("PUT", P + "/prompts/bare", {})
    assert owner.post(P + "/prompts/bare/versions", {}).json()["error"]["target"] == "manifest"
    owner.ok("PUT", P + "/models/bare", {})
    assert owner.post(P + "/models/bare/versions", {"manifest": {}}).json()["error"]["target"] == "manifest"
    assert make(owner, "notebook", "empty", GOOD["notebook"]).status_code == 409
    wrong = make(owner, "notebook", "other", GOOD["notebook"], ["else.ipynb"])
    assert wrong.status_code == 400 and wrong.json()["error"]["target"] == "manifest.entry"


def paths(client, query=""):
    return [e["path"] for e in client.ok("GET", "/v1/catalogue" + query)["value"]]


def test_one_catalogue_of_all_kinds(world, owner):
    owner.ok("PUT", P + "/models/churn-risk.v2", {"description": "Who leaves, by gradient boosting", "tags": {"owner": "marketing"}})
    owner.ok("PUT", P + "/datasets/churn", {"description": "Customers of 2025"})
    world.admin.ok("PUT", "/v1/projects/second", {})
    world.admin.ok("PUT", "/v1/projects/second/models/churn-old", {"description": "Gradient something"})
    admin = world["tenant-admin"]
    assert paths(owner, "?q=churn") == ["credit/datasets/churn", "credit/models/churn-risk.v2"]
    assert paths(admin, "?q=churn") == ["credit/datasets/churn", "credit/models/churn-risk.v2", "second/models/churn-old"]
    for query, found in {"?q=gradient": ["credit/models/churn-risk.v2", "second/models/churn-old"],
                         "?q=gradient%20-boosting": ["second/models/churn-old"], "?q=%22gradient%20boosting%22": ["credit/models/churn-risk.v2"],
                         "?q=marketing": ["credit/models/churn-risk.v2"], "?q=chur&kind=dataset": ["credit/datasets/churn"],
                         "?tag=owner:marketing": ["credit/models/churn-risk.v2"], "?project=second": ["second/models/churn-old"],
                         "?q=risk%20churn&kind=model": ["credit/models/churn-risk.v2"], "?q=nothing": [],
                         "?q=%27%20OR%201=1%20--": [], "?q=%28%26%7C%21": []}.items():
        assert paths(admin, query) == found, query
    seen, path = [], "/v1/catalogue?limit=3"
    while path:
        page = admin.ok("GET", path)
        assert len(page["value"]) <= 3
        seen += [e["path"] for e in page["value"]]
        path = page.get("nextLink")
    assert seen == sorted(seen) and seen == paths(admin, "?limit=1000") and len(seen) > 6
    facets = admin.ok("GET", "/v1/catalogue/facets?q=churn")
    assert facets == {"kind": {"dataset": 1, "model": 2}, "project": {"credit": 2, "second": 1}, "tag": {"owner:marketing": 1}, "complete": True}
    assert admin.ok("GET", "/v1/catalogue/facets")["kind"]["prompt"] >= 1
    for bad in ("?kind=table", "?q=" + "x" * 501, "?tag=x", "?limit=0"):
        assert admin.get("/v1/catalogue" + bad).status_code == 400, bad


def test_a_catalogue_shows_only_what_its_reader_may_read(world, owner):
    stranger = person(world.service, world.admin, "catalogue-stranger")
    assert paths(stranger) == [] and stranger.ok("GET", "/v1/catalogue/facets") == {"kind": {}, "project": {}, "tag": {}, "complete": True}
    assert not [p for p in paths(world.foreign_admin) if p.startswith("credit/")]
    owner.ok("PUT", P + "/prompts/hush", {})
    world.admin.ok("POST", "/v1/denies", {"principals": ["the-reader"], "actions": ["assets/*"], "reason": "a wall", "scope": "asset",
                                          "project": "credit", "asset": "prompts/hush"})
    assert "credit/prompts/hush" in paths(owner, "?limit=1000") and "credit/prompts/hush" not in paths(world["reader"], "?limit=1000")
    assert world["reader"].get(P + "/prompts/hush").status_code == 404


def test_from_the_command_line(world, owner, tmp_path):
    def cli(*words):
        done = subprocess.run([BUILD / "chancery", "--project", "credit", *map(str, words)], capture_output=True, text=True, check=False,
                              cwd=tmp_path, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "CHANCERY_URL": world.service.url,
                                                 "CHANCERY_CA": str(world.service.ca), "CHANCERY_TOKEN": owner.token})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "m.json").write_text(json.dumps(GOOD["notebook"]))
    (tmp_path / "main.ipynb").write_text("{}")
    cli("notebook", "register", "from-cli", "main.ipynb", "--manifest", "m.json")
    assert "from-cli" in cli("notebook", "list") and "from-cli" in cli("catalogue", "--q", "from-cli")
    cli("notebook", "download", "from-cli", "1", "--output", "back")
    assert (tmp_path / "back" / "main.ipynb").read_text() == "{}"
    (tmp_path / "p.json").write_text(json.dumps(GOOD["prompt"]))
    cli("prompt", "register", "said", "--manifest", "p.json")
    assert owner.ok("GET", P + "/prompts/said/versions/1")["manifest"]["template"] == "Hello {{name}}"
