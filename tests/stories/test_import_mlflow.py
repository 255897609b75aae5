# SPDX-License-Identifier: Apache-2.0
"""chancery import mlflow: another server's content comes over whole, once, and whatever the other says."""
import json
import os
import subprocess
import uuid

import fake_mlflow
import pytest
from service import BUILD, person
from test_mlflow import Tracker



def fresh(count):
    """Ids as MLflow makes them; an id is a run's in the whole tenant."""
    return [uuid.uuid4().hex for _ in range(count)]


@pytest.fixture
def source():
    made = fake_mlflow.Source()
    yield made
    made.close()


class Importer:
    """Somebody at a terminal, with a project of their own."""

    def __init__(self, world, project):
        world.admin.ok("PUT", f"/v1/projects/{project}", {})
        self.world, self.project = world, project
        if not hasattr(world, "importer"):
            world.importer = person(world.service, world.admin, "importer")
            world.importer.token = world.importer.ok("POST", "/v1/tokens", {"name": "lasting"})["token"]
        world.admin.ok("POST", "/v1/bindings", {"principal": "importer", "role": "project-owner", "scope": "project", "project": project})
        self.person = world.importer
        self.tracker = Tracker(self.person, project)

    def start(self, source, *options, **environment):
        return subprocess.Popen(
            [BUILD / "chancery", "--json", "import", "mlflow", source if isinstance(source, str) else source.url, *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "CHANCERY_URL": self.world.service.url, "CHANCERY_CA": self.world.service.ca,
                 "CHANCERY_TOKEN": self.person.token, "CHANCERY_PROJECT": self.project, "CHANCERY_CONFIG": "/nonexistent/config",
                 **environment})

    def run(self, source, *options, code=0, **environment):
        process = self.start(source, *options, **environment)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{process.returncode}\n{out[out.find(chr(34) + 'differences'):]}\n{err}"
        return Report(json.loads(out)) if out else err

    def experiments(self):
        found = self.tracker.ok("POST", "/experiments/search", {"view_type": "ALL", "max_results": 1000})["experiments"]
        return {e["name"]: e for e in found}

    def show(self, run):
        return self.tracker.ok("GET", "/runs/get", {"run_id": run})["run"]


class Report:
    def __init__(self, whole):
        self.agrees, self.waiting = whole["agrees"], whole["waiting"]
        self.renamed = {d["what"]: d["why"] for d in whole["renamed"]}
        self.counts = {c["kind"]: (c["source"], c["here"], c["written"]) for c in whole["counts"]}
        self.whys = [d["why"] for d in whole["differences"]]
        self.differences = {d["what"]: d["why"] for d in whole["differences"]}


@pytest.fixture
def importer(world):
    return Importer(world, "p-" + uuid.uuid4().hex[:12])


def values(items):
    return {i["key"]: i["value"] for i in items}


def test_runs_come_over_whole_and_once(importer, source):
    A, B, C, D = fresh(4)
    source.experiment("0", "Default")
    source.experiment("1", "Credit risk / 2025", team="risk")
    source.experiment("2", "gone", stage="deleted")
    history = [(0.1 * i, 1000 + i, i) for i in range(2500)]
    odd = [("NaN", 1, 0), ("Infinity", 2, 0), ("-Infinity", 3, 0), (1e20, 4, 0), (0.1 + 0.2, 5, -7), (-0.0, 6, 0)]
    source.run("1", A, params={"depth": "3", "empty": ""}, tags={"mlflow.parentRunId": B, "naïve": "ü"},
               metrics={"loss": history, "odd": odd}, status="FAILED", start_time=123456, end_time=234567)
    source.run("1", B, metrics={"one": [(1, 1, 1)]}, status="RUNNING", end_time=None)
    source.runs[A]["inputs"] = {"dataset_inputs": [{"tags": [{"key": "mlflow.data.context", "value": "training"}], "dataset": {
        "name": "iris", "digest": "12ab", "source_type": "local", "source": "{}", "schema": "s" * 5000}}]}
    source.run("1", C, stage="deleted", params={"x": "1"})
    source.run("2", D, stage="deleted", metrics={"q": [(2, 2, 2)]})

    first = importer.run(source)
    assert first.agrees and first.counts["runs"] == (4, 4, 4) and first.counts["experiments"] == (3, 3, 2)
    assert first.counts["metrics"] == (2508, 2508, 2508) and first.counts["inputs"] == (1, 1, 1)
    run = importer.show(A)
    assert run["info"]["status"] == "FAILED" and (run["info"]["start_time"], run["info"]["end_time"]) == (123456, 234567)
    assert run["info"]["user_id"] == "ann" and values(run["data"]["params"]) == {"depth": "3", "empty": ""}
    tags = values(run["data"]["tags"])
    assert tags["mlflow.parentRunId"] == B and tags["naïve"] == "ü" and tags["chancery.imported.run_id"] == A
    seen = importer.tracker.ok("GET", "/metrics/get-history", {"run_id": A, "metric_key": "loss"})["metrics"]
    assert [(m["value"], m["timestamp"], m["step"]) for m in seen] == history
    seen = importer.tracker.ok("GET", "/metrics/get-history", {"run_id": A, "metric_key": "odd"})["metrics"]
    largest = 1.7976931348623157e308
    assert [m["value"] for m in seen] == ["NaN", largest, -largest, 1e20, 0.1 + 0.2, 0]
    assert run["inputs"]["dataset_inputs"][0]["dataset"]["schema"] == "s" * 5000
    assert importer.show(B)["info"]["status"] == "RUNNING" and "end_time" not in importer.show(B)["info"]
    assert importer.show(C)["info"]["lifecycle_stage"] == importer.show(D)["info"]["lifecycle_stage"] == "deleted"
    experiments = importer.experiments()
    assert experiments["gone"]["lifecycle_stage"] == "deleted"
    assert values(experiments["Credit risk / 2025"]["tags"])["team"] == "risk"

    with importer.world.service.unchanged():
        again = importer.run(source)
    assert again.agrees and all(written == 0 for _, _, written in again.counts.values())
    assert {k: v[:2] for k, v in again.counts.items()} == {k: v[:2] for k, v in first.counts.items()}


def test_what_the_source_adds_later_is_added(importer, source):
    A, = fresh(1)
    source.experiment("1", "grows")
    source.run("1", A, metrics={"loss": [(1, 1, 1)]}, status="RUNNING", end_time=None)
    importer.run(source)
    source.run("1", A, metrics={"loss": [(1, 1, 1), (0.5, 2, 2)], "new": [(3, 3, 3)]}, tags={"more": "yes"})
    later = importer.run(source)
    assert later.counts["metrics"] == (3, 3, 2) and later.counts["runs"] == (1, 1, 0)
    assert importer.show(A)["info"]["status"] == "FINISHED" and values(importer.show(A)["data"]["tags"])["more"] == "yes"


def test_a_value_changed_here_is_named(importer, source):
    A, = fresh(1)
    source.experiment("1", "kept")
    source.run("1", A, params={"depth": "3"}, metrics={"loss": [(1, 1, 1)]})
    importer.run(source)
    source.run("1", A, params={"depth": "4"}, metrics={"loss": [(2, 1, 1)]})
    told = importer.run(source, code=4)
    assert not told.agrees and f"run {A}" in told.differences and values(importer.show(A)["data"]["params"]) == {"depth": "3"}


def test_ids_and_numbers_are_given_once_and_tell_nothing(world, importer):
    """What imports need of our routes: an id or number that a client names."""
    tracker, (run, model) = importer.tracker, fresh(2)
    assert tracker.run("0", run_id=run) == run
    tracker.refused("POST", "/runs/create", {"experiment_id": "0", "run_id": run}, "RESOURCE_ALREADY_EXISTS", run)
    for bad in ("short", run + "0", "g" * 32, "../" + "0" * 29):
        tracker.refused("POST", "/runs/create", {"experiment_id": "0", "run_id": bad}, "INVALID_PARAMETER_VALUE", "run_id")
    made = tracker.ok("POST", "/logged-models", {"experiment_id": "0", "model_id": "m-" + model, "name": "x"})["model"]
    assert made["info"]["model_id"] == "m-" + model
    tracker.refused("POST", "/logged-models", {"experiment_id": "0", "model_id": "m-" + model}, "RESOURCE_ALREADY_EXISTS")
    tracker.refused("POST", "/logged-models", {"experiment_id": "0", "model_id": model}, "INVALID_PARAMETER_VALUE", "model_id")
    # Another tenant takes the same ids as any other.
    world.foreign_admin.ok("PUT", "/v1/projects/elsewhere", {})
    elsewhere = Tracker(world.foreign_admin, "elsewhere")
    assert elsewhere.run("0", run_id=run) == run
    assert elsewhere.ok("POST", "/logged-models", {"experiment_id": "0", "model_id": "m-" + model})["model"]["info"]["model_id"]
    assert tracker.ok("GET", "/runs/get", {"run_id": run})["run"]["info"]["user_id"] == importer.person.name

    tracker.ok("POST", "/registered-models/create", {"name": "said", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
    def number(**more):
        return {"name": "said", "source": "x", "tags": [{"key": "mlflow.prompt.text", "value": "t"}], **more}
    assert tracker.ok("POST", "/model-versions/create", number(version="7"))["model_version"]["version"] == "7"
    assert tracker.ok("POST", "/model-versions/create", number())["model_version"]["version"] == "8"
    for taken in (3, 7, 8):
        tracker.refused("POST", "/model-versions/create", number(version=taken), "RESOURCE_ALREADY_EXISTS", "never used again")
    for bad in (-1, 10 ** 12, "x"):
        tracker.refused("POST", "/model-versions/create", number(version=bad), "INVALID_PARAMETER_VALUE", "version")
    assert tracker.ok("POST", "/model-versions/create", number())["model_version"]["version"] == "9"


FILES = {"MLmodel": b"flavors: {}\n", "empty": b"", "a/b/c/deep file.bin": os.urandom(300_000), "a/naïve.txt": "ü".encode()}


def fill(source, sizes=FILES):
    """Two experiments, a logged model, a registered model of it and one of a run's files, and a prompt."""
    run, other, model = fresh(3)
    source.experiment("1", "work")
    source.experiment("2", "more work")
    source.run("1", run, params={"a": "1"}, metrics={"loss": [(i / 7, i, i) for i in range(1500)]}, files={"plots/one.png": b"png" * 9})
    source.run("2", other, files={f"model/{p}": b for p, b in sizes.items()})
    source.model("1", "m-" + model, run, sizes)
    source.models["m-" + model]["data"]["metrics"] = [
        {"key": "loss", "value": 0.0, "timestamp": 0, "step": 0, "run_id": run, "model_id": "m-" + model, "dataset_name": "iris"}]
    source.runs[run]["outputs"] = {"model_outputs": [{"model_id": "m-" + model, "step": 3}]}
    source.runs[other]["inputs"] = {"model_inputs": [{"model_id": "m-" + model}]}
    source.register("Credit Risk", {"Staging": 2, "production": 7}, [
        (7, f"runs:/{other}/model", other, {}), (2, f"models:/m-{model}", run, {"checked": "yes"})], team="risk")
    source.register("copies", {}, [(1, "models:/Credit Risk/2", run, {})])
    source.register("Ask", {"champion": 1}, [
        (1, "prompt-template", "", {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "Hello {{who}}"}),
        (3, "prompt-template", "", {"mlflow.prompt.is_prompt": "true", "_mlflow_prompt_type": "chat",
                                    "mlflow.prompt.text": '[{"role": "user", "content": "{{q}}?"}]'})],
        **{"mlflow.prompt.is_prompt": "true", "lang": "en"})
    return run, other, "m-" + model


def test_files_models_versions_aliases_and_prompts(importer, source):
    run, other, model = fill(source)
    first = importer.run(source)
    assert first.agrees and first.differences == {}, first.differences
    assert first.counts["files"] == (9, 9, 9) and first.counts["logged-models"] == (1, 1, 1)
    assert first.counts["file-bytes"][:2] == (27 + 2 * sum(map(len, FILES.values())),) * 2
    assert first.counts["model-links"] == (2, 2, 2) and first.counts["versions"] == (5, 5, 5)
    assert first.counts["registered-models"] == (2, 2, 2) and first.counts["prompts"] == (1, 1, 1)
    assert first.counts["aliases"] == (3, 2, 2) and first.renamed == {
        "registered model Credit Risk": "credit-risk", "prompt Ask": "ask"}
    tracker, here = importer.tracker, importer.experiments()
    for path, data in FILES.items():
        for place in (f"{here['more work']['experiment_id']}/{other}/artifacts/model", f"registered-models/credit-risk/7",
                      f"{here['work']['experiment_id']}/models/{model}/artifacts", "registered-models/credit-risk/2"):
            reply = tracker.call("GET", f"/api/2.0/mlflow-artifacts/artifacts/{place}/{path}")
            assert reply.status_code == 200 and reply.content == data, (place, path)
    logged = tracker.ok("GET", f"/logged-models/{model}")["model"]
    assert logged["info"]["status"] == "LOGGED_MODEL_READY" and logged["info"]["source_run_id"] == run
    assert values(logged["data"]["params"]) == {"depth": "3"} and values(logged["info"]["tags"])["of"] == "model"
    assert [(m["key"], m["run_id"], m["dataset_name"]) for m in logged["data"]["metrics"]] == [("loss", run, "iris")]
    assert importer.show(run)["outputs"]["model_outputs"] == [{"model_id": model, "step": 3}]
    shown = tracker.ok("GET", "/registered-models/get", {"name": "credit-risk"})["registered_model"]
    assert shown["description"] == "words of Credit Risk" and values(shown["tags"])["team"] == "risk"
    assert values(shown["tags"])["chancery.imported.name"] == "Credit Risk"
    version = tracker.ok("GET", "/model-versions/get", {"name": "credit-risk", "version": "2"})["model_version"]
    assert version["run_id"] == run and version["description"] == "number 2" and values(version["tags"])["checked"] == "yes"
    assert tracker.ok("GET", "/registered-models/alias", {"name": "credit-risk", "alias": "staging"})["model_version"]["version"] == "2"
    prompt = tracker.ok("GET", "/model-versions/get", {"name": "ask", "version": "3"})["model_version"]
    assert json.loads(values(prompt["tags"])["mlflow.prompt.text"]) == [{"role": "user", "content": "{{q}}?"}]
    lineage = importer.person.ok("GET", f"/v1/lineage?node=projects/{importer.project}/models/credit-risk/versions/2&direction=upstream")
    assert f"projects/{importer.project}/runs/{run}" in json.dumps(lineage)

    # A protected alias is asked for and waits; asking again asks for nothing more.
    waiting, = first.waiting
    pending = importer.person.ok("GET", f"/v1/projects/{importer.project}/approvals?state=pending")["value"]
    assert [p["id"] for p in pending] == [waiting["why"].split()[1]] and "production" in waiting["what"]
    with importer.world.service.unchanged():
        again = importer.run(source, "--reread")
    assert again.agrees and all(written == 0 for _, _, written in again.counts.values()) and again.waiting == first.waiting


def test_a_filter_brings_one_experiment_and_what_came_of_it(importer, source):
    run, other, _ = fill(source)
    told = importer.run(source, "--experiment", "more work")
    assert set(importer.experiments()) == {"Default", "more work"} and told.counts["registered-models"] == (0, 0, 0)
    importer.tracker.refused("GET", "/runs/get", {"run_id": run}, "RESOURCE_DOES_NOT_EXIST", status=404)
    told = importer.run(source, "--experiment", "more work", "--experiment", "work")
    assert told.counts["registered-models"] == (2, 2, 2) and told.counts["model-links"] == (2, 2, 2)
    assert importer.run(source).counts["prompts"] == (1, 1, 1)


def test_a_dry_run_tells_and_changes_nothing(importer, source):
    fill(source)
    with importer.world.service.unchanged():
        told = importer.run(source, "--dry-run")
    assert told.counts["runs"] == (2, 0, 0) and told.counts["files"][0] == 9 and told.counts["versions"][0] == 5
    assert told.renamed["registered model Credit Risk"] == "credit-risk"


def test_new_ids_let_the_same_come_into_two_projects(world, importer, source):
    run, other, model = fill(source)
    second = Importer(world, "second-import")
    importer.run(source)
    refused = second.run(source, code=4)
    assert "--new-ids" in refused.differences[f"run {run}"]
    third = Importer(world, "third-import")
    made = third.run(source, "--new-ids")
    assert made.agrees and made.counts["runs"] == (2, 2, 2), made.differences
    with world.service.unchanged():
        assert third.run(source, "--new-ids").agrees
    found = third.tracker.ok("POST", "/runs/search", {
        "experiment_ids": [third.experiments()["work"]["experiment_id"]], "filter": f"tags.`chancery.imported.run_id` = '{run}'"})["runs"]
    assert len(found) == 1 and found[0]["info"]["run_id"] != run
    version = third.tracker.ok("GET", "/model-versions/get", {"name": "credit-risk", "version": "2"})["model_version"]
    assert version["run_id"] == found[0]["info"]["run_id"]


def test_what_is_here_already_is_not_taken_over(importer, source):
    run, _, _ = fill(source)
    importer.tracker.experiment("work")
    importer.tracker.ok("POST", "/registered-models/create", {"name": "credit-risk"})
    told = importer.run(source, code=4)
    assert "--merge" in told.differences["experiment work"] and "--rename" in told.differences["registered model Credit Risk"]
    importer.tracker.refused("GET", "/runs/get", {"run_id": run}, "RESOURCE_DOES_NOT_EXIST", status=404)
    told = importer.run(source, "--merge", "--rename", "Credit Risk=risk-of-old")
    assert told.agrees and importer.show(run)["info"]["status"] == "FINISHED"
    assert importer.tracker.ok("GET", "/model-versions/get", {"name": "risk-of-old", "version": "7"})


def test_two_names_that_would_be_one_are_told(importer, source):
    run, = fresh(1)
    source.experiment("1", "names")
    source.run("1", run, files={"m/MLmodel": b"x"})
    source.register("Über Model", {"Prod 1": 1, "prod-1": 1}, [(1, f"runs:/{run}/m", run, {})])
    source.register("ber-model", {}, [(1, f"runs:/{run}/m", run, {})])
    source.register("../../etc/passwd", {}, [(1, f"runs:/{run}/m", run, {})])
    source.register("x" * 200, {}, [(1, f"runs:/{run}/m", run, {})])
    told = importer.run(source, code=4)
    assert set(told.differences) == {"registered model ber-model", "registered model Über Model"}
    assert "Über Model" in told.differences["registered model ber-model"] and "alias" in told.differences["registered model Über Model"]
    names = {m["name"] for m in importer.tracker.ok("GET", "/registered-models/search", {})["registered_models"]}
    assert names == {"ber-model", "etc-passwd", "x" * 63}


def test_killed_again_and_again_it_goes_on_and_makes_no_doubles(importer, source):
    run, other, model = fill(source)
    plain, asked = source.serve, []
    killed = {}

    def serve(request, body):
        asked.append(request.path)
        if killed and len(asked) > killed["after"]:
            killed["process"].kill()
        plain(request, body)
    source.serve = serve
    # Each attempt dies a little later; what it wrote stays.
    for after in range(2, 60, 8):
        asked.clear()
        killed.clear()
        process = importer.start(source)
        killed.update(process=process, after=after)
        process.communicate(timeout=60)
        assert process.returncode in (-9, 0)
    killed.clear()
    last = importer.run(source)
    assert last.agrees and last.counts["runs"][:2] == (2, 2) and last.counts["metrics"][:2] == (1500, 1500)
    assert last.counts["versions"][:2] == (5, 5) and len(last.waiting) == 1
    for name in ("work", "more work"):
        assert len(importer.tracker.search(importer.experiments()[name]["experiment_id"])) == 1
    assert len(importer.person.ok("GET", f"/v1/projects/{importer.project}/approvals?state=pending")["value"]) == 1
    found = importer.tracker.ok("GET", "/model-versions/search", {"filter": "name = 'credit-risk'"})["model_versions"]
    assert sorted(v["version"] for v in found) == ["2", "7"]


def test_a_cut_network_is_told_and_gone_over(importer, source):
    run, _, _ = fill(source)
    path, cuts = f"/api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/plots/one.png", []

    def cut_once(query, body):
        cuts.append(1)
        return 200, {"Content-Length": "27" if len(cuts) == 1 else "27"}, b"png" * (4 if len(cuts) == 1 else 9)
    source.answers[path] = cut_once
    assert importer.run(source).agrees and len(cuts) == 2
    source.close()
    told = importer.run(source.url, code=3)
    assert "run it again" in told


@pytest.mark.parametrize("lie, says", [
    ({"path": "../../../etc/passwd", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": "/etc/passwd", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": "elsewhere/x", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": "a\\b", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": "file:///etc/passwd", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": ".", "is_dir": True}, "no path of a file"),
    ({"path": "a" * 600, "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": 7, "is_dir": False}, "without a path"),
    ({"path": "longer", "is_dir": False, "file_size": 2}, "larger than its listing"),
    ({"path": "shorter", "is_dir": False, "file_size": 9}, "shorter than its listing"),
    ({"path": "away", "is_dir": False, "file_size": 3}, "redirects"),
    ({"path": "broken", "is_dir": False, "file_size": 3}, "500"),
])
def test_a_lie_about_files_is_named_and_nothing_is_taken(importer, source, lie, says):
    run, = fresh(1)
    source.experiment("1", "lies")
    source.run("1", run, files={"good": b"good"})
    listing = fake_mlflow.ok({"files": [{"path": "good", "is_dir": False, "file_size": 4}, lie]})
    source.answers["/api/2.0/mlflow/artifacts/list"] = lambda query, body: listing
    where = f"/api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/"
    source.answers[where + "longer"] = source.answers[where + "shorter"] = lambda query, body: (200, {}, b"abc")
    source.answers[where + "away"] = lambda query, body: (302, {"Location": importer.world.service.url + "/health"}, b"")
    source.answers[where + "broken"] = lambda query, body: (500, {}, b"")
    told = importer.run(source, code=4)
    assert [why for why in told.whys if says in why], told.whys
    place = f"{importer.experiments()['lies']['experiment_id']}/{run}/artifacts"
    assert [f["path"] for f in importer.tracker.ok("GET", "/api/2.0/mlflow-artifacts/artifacts", {"path": place})["files"]] == ["good"]


def test_a_file_without_end_or_size_is_left(importer, source):
    run, = fresh(1)
    source.experiment("1", "endless")
    source.run("1", run)
    source.answers["/api/2.0/mlflow/artifacts/list"] = lambda query, body: fake_mlflow.ok({"files": [
        {"path": "endless", "is_dir": False, "file_size": 1000}, {"path": "empty", "is_dir": False}]})
    where = f"/api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/"
    source.answers[where + "endless"] = lambda query, body: (200, {"Content-Length": str(1 << 40)}, b"x" * 100_000)
    source.answers[where + "empty"] = lambda query, body: (200, {}, b"")
    told = importer.run(source, code=4)
    assert told.whys == ["the file is larger than its listing says"] and told.counts["files"] == (2, 1, 1)


def test_folders_without_end_are_left(importer, source):
    run, = fresh(1)
    source.experiment("1", "deep")
    source.run("1", run)
    source.answers["/api/2.0/mlflow/artifacts/list"] = lambda query, body: fake_mlflow.ok(
        {"files": [{"path": (query.get("path", "") + "/d").lstrip("/"), "is_dir": True}]})
    told = importer.run(source, code=4)
    assert any("nested more than" in why for why in told.whys)


def pages_of_the_same(source):
    run, = fresh(1)
    source.experiment("1", "round")
    source.run("1", run)
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: fake_mlflow.ok(
        {"runs": [source.runs[run]], "next_page_token": uuid.uuid4().hex})
    return "page after page"


def histories_of_the_same(source):
    run, = fresh(1)
    source.experiment("1", "history")
    source.run("1", run, metrics={"m": [(1, 1, 1)]})
    source.answers["/api/2.0/mlflow/metrics/get-history"] = lambda query, body: fake_mlflow.ok(
        {"metrics": source.histories[run, "m"], "next_page_token": "again"})
    return "no end"


def no_json(source):
    source.experiment("1", "words")
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: (200, {}, b"<html>welcome</html>")
    return "no JSON"


def no_object(source):
    source.experiment("1", "list")
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: (200, {}, b"[1, 2, 3]")
    return "no JSON object"


def nested(source):
    source.experiment("1", "nested")
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: (200, {}, b'{"runs":' + b"[" * 100_000)
    return "no JSON"


def huge(source):
    source.experiment("1", "huge")
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: (200, {}, b" " * (65 << 20))
    return "larger than 64 MiB"


def no_types(source):
    run, = fresh(1)
    source.experiment("1", "types")
    source.run("1", run, params={"a": "1"}, metrics={"m": [({"of": "what"}, "x", [])]})
    source.runs[run]["data"]["tags"] = "none"
    return "no numbers"


def bad_key(source):
    run, = fresh(1)
    source.experiment("1", "keys")
    source.run("1", run, params={"good": "1", "bad\x07key": "2", "k" * 300: "3"})
    return "is refused"


def longer_value(source):
    run, = fresh(1)
    source.experiment("1", "long")
    source.run("1", run, params={"good": "1", "long": "ü" * 4000})
    return "--shorten"


def foreign_place(source):
    run, = fresh(1)
    source.experiment("1", "places")
    source.run("1", run)
    source.register("somewhere", {}, [(1, "s3://bucket/models/of/others", "", {}), (2, "file:///etc/passwd", "", {})])
    return "no run or model of the source"


def no_ids(source):
    source.experiments["x"] = {"name": 7, "experiment_id": "x"}
    return "without name or id"


@pytest.mark.parametrize("lie", [pages_of_the_same, histories_of_the_same, no_json, no_object, nested, huge, no_types, bad_key,
                                 longer_value, foreign_place, no_ids])
def test_a_lying_source_is_named_and_the_rest_comes(importer, source, lie):
    says, (run,) = lie(source), fresh(1)
    source.experiment("2", "honest")
    source.runs = {run: None, **source.runs}
    source.run("2", run, params={"a": "b"}, files={"f": b"1"})
    told = importer.run(source, code=4)
    assert [why for why in told.whys if says in why], told.whys
    if "runs/search" not in str(list(source.answers)):
        assert values(importer.show(run)["data"]["params"]) == {"a": "b"}


def test_a_value_that_is_cut_can_be_accepted(importer, source):
    run, = fresh(1)
    source.experiment("1", "long")
    source.run("1", run, params={"long": "ü" * 4000})
    assert importer.run(source, "--shorten").agrees
    assert values(importer.show(run)["data"]["params"])["long"] == "ü" * 3000


def test_credentials_go_to_the_source_only_and_not_in_the_clear(importer, source):
    source.experiment("1", "secret")
    source.authorization = "Bearer s3cret"
    assert "MLFLOW_SOURCE_TOKEN" in importer.run(source, code=1)
    importer.run(source, MLFLOW_SOURCE_TOKEN="s3cret")
    source.authorization = "Basic YW5uOnB3"
    importer.run(source, MLFLOW_SOURCE_USERNAME="ann", MLFLOW_SOURCE_PASSWORD="pw", MLFLOW_SOURCE_TOKEN="unused")
    for uri in ("http://ann:pw@127.0.0.1:1/", "ftp://127.0.0.1/", "http://127.0.0.1:1/?token=x", "file:///etc/passwd"):
        assert "usage: URI" in importer.run(uri, code=2)
    assert "--cleartext" in importer.run("http://mlflow.example", code=2, MLFLOW_SOURCE_TOKEN="x")
