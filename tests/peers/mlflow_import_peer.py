# SPDX-License-Identifier: Apache-2.0
"""MLflow's own client, started by test_import_mlflow.py at an MLflow server or at ours.

Each command does one piece of work and prints what it saw as JSON.
"""
import hashlib
import json
import os
import pathlib
import sys
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, ViewType
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

PROMPT = "tags.`mlflow.prompt.is_prompt` = 'true'"


def log(model, name, table, target):
    mlflow.log_params(model.get_params())
    mlflow.log_metric("accuracy", float(model.fit(table, target).score(table, target)))
    mlflow.sklearn.log_model(model, name="model", registered_model_name=name, serialization_format="cloudpickle",
                             input_example=table.head(2))


def fill(size):
    client = MlflowClient()
    table, target = load_iris(return_X_y=True, as_frame=True)
    mlflow.set_experiment("Credit / risk")
    mlflow.set_experiment_tag("owner", "team ü")
    with mlflow.start_run(run_name="parent", tags={"team": "risk"}, description="words") as parent:
        for k in range(3):
            client.log_batch(parent.info.run_id, metrics=[Metric("loss", 1 / (i + 1), 1000 + i, i) for i in range(k * 900, k * 900 + 900)])
        for value in (float("nan"), float("inf"), 1e20, -0.1):
            mlflow.log_metric("odd", value, step=int(abs(value)) if value == -0.1 else 1)
        mlflow.log_input(mlflow.data.from_pandas(table, name="iris"), context="training")
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "a" / "b").mkdir(parents=True)
            (pathlib.Path(folder) / "a" / "b" / "large.bin").write_bytes(os.urandom(size))
            (pathlib.Path(folder) / "a" / "naïve name.txt").write_text("ü")
            (pathlib.Path(folder) / "empty").write_bytes(b"")
            mlflow.log_artifacts(folder, "files")
        with mlflow.start_run(run_name="linear", nested=True):
            log(LogisticRegression(max_iter=300), "Credit Risk", table, target)
        with mlflow.start_run(run_name="tree", nested=True):
            log(DecisionTreeClassifier(max_depth=1, random_state=1), "Credit Risk", table, target)
    with mlflow.start_run() as dropped:
        mlflow.log_metric("x", 1)
    client.delete_run(dropped.info.run_id)
    gone = client.create_experiment("gone")
    client.log_metric(client.create_run(gone).info.run_id, "q", 2)
    client.delete_experiment(gone)
    client.set_registered_model_alias("Credit Risk", "staging", 1)
    client.set_registered_model_alias("Credit Risk", "production", 2)
    client.set_registered_model_tag("Credit Risk", "tier", "1")
    client.update_registered_model("Credit Risk", "what it is for")
    client.set_model_version_tag("Credit Risk", "1", "checked", "yes")
    mlflow.genai.register_prompt("greeting", "Hello {{who}}", commit_message="first", tags={"lang": "en"})
    mlflow.genai.register_prompt("greeting", [{"role": "user", "content": "{{q}}?"}])
    mlflow.genai.set_prompt_alias("greeting", "champion", 1)
    return {}


def more():
    mlflow.set_experiment("Credit / risk")
    with mlflow.start_run(run_name="later"):
        mlflow.log_metric("loss", 0.5)
    run = mlflow.search_runs(experiment_names=["Credit / risk"], filter_string="run_name = 'parent'").run_id[0]
    MlflowClient().log_metric(run, "loss", 0.25, step=99999)
    return {}


def tags_of(thing):
    return {k: v for k, v in thing.tags.items() if not k.startswith("chancery.imported.")}


def files_of(client, run, path=None):
    found = {}
    for file in client.list_artifacts(run, path):
        if file.is_dir:
            found.update(files_of(client, run, file.path))
        else:
            local = mlflow.artifacts.download_artifacts(run_id=run, artifact_path=file.path)
            found[file.path] = [file.file_size or 0, hashlib.sha256(pathlib.Path(local).read_bytes()).hexdigest()]
    return found


def run_of(client, run):
    seen = client.get_run(run)
    return {"info": [seen.info.run_name, seen.info.status, seen.info.start_time, seen.info.end_time, seen.info.user_id,
                     seen.info.lifecycle_stage],
            "params": seen.data.params, "tags": tags_of(seen.data),
            "metrics": {k: sorted(str((m.value, m.timestamp, m.step)) for m in client.get_metric_history(run, k)) for k in seen.data.metrics},
            "latest": {k: str(v) for k, v in seen.data.metrics.items()},
            "inputs": [[i.dataset.to_dictionary(), [[t.key, t.value] for t in i.tags]] for i in seen.inputs.dataset_inputs],
            "outputs": [[m.model_id, m.step] for m in seen.outputs.model_outputs], "files": files_of(client, run)}


def model_of(model):
    return {"name": model.name, "run": model.source_run_id, "status": str(model.status), "params": model.params, "tags": tags_of(model),
            "metrics": sorted([m.key, m.value, m.run_id] for m in model.metrics or [])}


def version_of(version):
    return {"number": str(version.version), "run": version.run_id, "description": version.description or "", "tags": tags_of(version)}


def tell():
    """Everything that the client can see, under the ids and names that it has at the source."""
    client, seen = MlflowClient(), {}
    for experiment in client.search_experiments(view_type=ViewType.ALL):
        runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)
        models = mlflow.search_logged_models([experiment.experiment_id], output_format="list") if experiment.lifecycle_stage == "active" else []
        seen[experiment.name] = {"stage": experiment.lifecycle_stage, "tags": tags_of(experiment),
                                 "runs": {r.info.run_id: run_of(client, r.info.run_id) for r in runs},
                                 "models": {m.model_id: model_of(m) for m in models}}
    for model in client.search_registered_models():
        versions = client.search_model_versions(f"name = '{model.name}'")
        aliases = {k: str(v) for k, v in model.aliases.items() if k != "production"}
        seen["model " + model.name.lower().replace(" ", "-")] = [model.description, tags_of(model), aliases, sorted(
            (version_of(v) for v in versions), key=lambda v: v["number"])]
    return seen


def logged():
    return sorted(m.model_id for m in mlflow.search_logged_models(
        [MlflowClient().get_experiment_by_name("Credit / risk").experiment_id], output_format="list"))[0]


def predict(uri):
    table, _ = load_iris(return_X_y=True, as_frame=True)
    return [int(x) for x in mlflow.pyfunc.load_model(uri).predict(table)]


def prompt(name):
    chat = mlflow.genai.load_prompt(f"prompts:/{name}/2")
    return [mlflow.genai.load_prompt(f"prompts:/{name}@champion").format(who="you"), chat.template, chat.version,
            [p.name for p in mlflow.genai.search_prompts()]]


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    print("RESULT " + json.dumps(globals()[command](*(int(a) if a.isdigit() else a for a in arguments))))
