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
        self.person = person(world.service, world.admin, project + "-owner", [("project-owner", project)])
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
        assert process.returncode == code, f"{process.returncode}\n{out}\n{err}"
        return Report(json.loads(out)) if out else err

    def experiments(self):
        found = self.tracker.ok("POST", "/experiments/search", {"view_type": "ALL", "max_results": 1000})["experiments"]
        return {e["name"]: e for e in found}

    def show(self, run):
        return self.tracker.ok("GET", "/runs/get", {"run_id": run})["run"]


class Report:
    def __init__(self, whole):
        self.agrees, self.waiting = whole["agrees"], whole["waiting"]
        self.counts = {c["kind"]: (c["source"], c["here"], c["written"]) for c in whole["counts"]}
        self.differences = {d["what"]: d["why"] for d in whole["differences"]}


@pytest.fixture
def importer(world, request):
    return Importer(world, request.node.name.replace("test_", "").replace("_", "-")[:40].strip("-"))


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
