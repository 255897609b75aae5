# SPDX-License-Identifier: Apache-2.0
"""What the stories of the import share: a source, somebody who imports, and what they are told."""
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


@pytest.fixture
def source():
    made = fake_mlflow.Source()
    yield made
    made.close()


@pytest.fixture
def importer(world):
    return Importer(world, "p-" + uuid.uuid4().hex[:12])


def values(items):
    return {i["key"]: i["value"] for i in items}
