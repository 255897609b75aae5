# SPDX-License-Identifier: Apache-2.0
"""MLflow's own client, started by test_mlflow.py with MLFLOW_TRACKING_URI and a token and nothing else.

Each command does one piece of work and prints what it saw as JSON.
"""
import hashlib
import json
import os
import pathlib
import sys
import tempfile
import threading

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def data():
    from sklearn.datasets import load_iris
    return load_iris(return_X_y=True, as_frame=True)


def script(name):
    """The whole story: from an experiment to a prediction of a model that an alias names."""
    from sklearn.linear_model import LogisticRegression
    mlflow.set_experiment("iris")
    table, target = data()
    with mlflow.start_run(run_name="first") as run:
        model = LogisticRegression(max_iter=300).fit(table, target)
        mlflow.log_params({"max_iter": 300, "solver": "lbfgs"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"accuracy": float(model.score(table, target))})
        mlflow.set_tag("team", "risk")
        mlflow.log_input(mlflow.data.from_pandas(table, name="iris"), context="training")
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "notes.txt").write_text("words")
            (pathlib.Path(folder) / "empty").write_bytes(b"")
            mlflow.log_artifacts(folder, "notes")
        mlflow.log_dict({"a": 1}, "config.json")
        mlflow.sklearn.log_model(model, name="model", registered_model_name=name, serialization_format="cloudpickle",
                                 input_example=table.head(2))
    found = mlflow.search_runs(experiment_names=["iris"], filter_string="metrics.accuracy > 0.9 and params.solver = 'lbfgs'")
    client = MlflowClient()
    version = client.get_latest_versions(name)[0].version
    client.set_registered_model_alias(name, "staging", version)
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@staging")
    same = bool(np.array_equal(loaded.predict(table), model.predict(table)))
    seen = client.get_run(run.info.run_id)
    return {"run": run.info.run_id, "found": list(found.run_id), "version": version, "same": same, "status": seen.info.status,
            "metrics": seen.data.metrics, "params": seen.data.params, "tags": seen.data.tags,
            "inputs": [i.dataset.name for i in seen.inputs.dataset_inputs],
            "outputs": [m.model_id for m in seen.outputs.model_outputs],
            "history": [m.value for m in client.get_metric_history(run.info.run_id, "loss")],
            "files": sorted(f.path for f in client.list_artifacts(run.info.run_id, "notes")),
            "config": mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/config.json"),
            "source_run": client.get_model_version(name, version).run_id,
            "by_latest": bool(np.array_equal(mlflow.pyfunc.load_model(f"models:/{name}/latest").predict(table),
                                             model.predict(table)))}


def protected(name, version):
    try:
        MlflowClient().set_registered_model_alias(name, "production", version)
    except MlflowException as e:
        return {"code": e.error_code, "message": str(e)}
    return {"code": None}


def load(name, alias):
    table, _ = data()
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@{alias}")
    return {"rows": len(loaded.predict(table))}


def autolog():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import GridSearchCV
    mlflow.set_experiment("autolog")
    mlflow.sklearn.autolog(log_models=True, serialization_format="cloudpickle")
    table, target = data()
    with mlflow.start_run(run_name="parent") as parent:
        GridSearchCV(RandomForestClassifier(random_state=1), {"n_estimators": [3, 5]}, cv=2).fit(table, target)
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_param("depth", 1)
    client = MlflowClient()
    experiment = client.get_experiment_by_name("autolog")
    children = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    models = mlflow.search_logged_models([experiment.experiment_id], output_format="list")
    return {"children": len(children), "child": child.info.run_id in {r.info.run_id for r in children},
            "params": len(client.get_run(parent.info.run_id).data.params),
            "metrics": len(client.get_run(parent.info.run_id).data.metrics),
            "files": sorted(f.path for f in client.list_artifacts(parent.info.run_id)), "models": len(models)}


def artifacts(size):
    mlflow.set_experiment("large")
    with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
        block = os.urandom(1 << 20)
        path = pathlib.Path(folder) / "large.bin"
        with open(path, "wb") as f:
            for _ in range(size >> 20):
                f.write(block)
        mlflow.log_artifact(str(path))
        (pathlib.Path(folder) / "naïve name.txt").write_text("x")
        mlflow.log_artifact(pathlib.Path(folder) / "naïve name.txt", "sub/dir")
        back = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/", dst_path=folder + "/back")
        def digest(p):
            return hashlib.sha256(pathlib.Path(p).read_bytes()).hexdigest()
        same = digest(path) == digest(back + "/large.bin")
        names = sorted(str(p.relative_to(back)) for p in pathlib.Path(back).rglob("*") if p.is_file())
        client = MlflowClient()
        client._tracking_client._get_artifact_repo(run.info.run_id).delete_artifacts("sub")
        return {"same": same, "names": names, "left": [f.path for f in client.list_artifacts(run.info.run_id)]}


def writers(count):
    mlflow.set_experiment("writers")
    client, failures = MlflowClient(), []
    run = client.create_run(client.get_experiment_by_name("writers").experiment_id)
    def write(number):
        try:
            for step in range(20):
                client.log_metric(run.info.run_id, f"m{number}", step, step=step)
                client.log_metric(run.info.run_id, "shared", number, step=step)
        except Exception as e:
            failures.append(str(e))
    threads = [threading.Thread(target=write, args=(n,)) for n in range(count)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return {"failures": failures, "metrics": len(client.get_run(run.info.run_id).data.metrics),
            "history": len(client.get_metric_history(run.info.run_id, "m0"))}


def registry(source, name):
    """Everything the client can do to registered models and their versions."""
    client, seen = MlflowClient(), {}
    client.create_registered_model(name, tags={"a": "1"}, description="words")
    first = client.copy_model_version(f"models:/{source}/1", name)
    client.copy_model_version(f"models:/{source}/1", name)
    client.update_registered_model(name, "other words")
    client.set_registered_model_tag(name, "b", "2")
    client.delete_registered_model_tag(name, "a")
    client.update_model_version(name, "1", "the first")
    client.set_model_version_tag(name, "1", "k", "v")
    client.set_model_version_tag(name, "1", "gone", "v")
    client.delete_model_version_tag(name, "1", "gone")
    shown, version = client.get_registered_model(name), client.get_model_version(name, "1")
    seen["model"] = [shown.description, shown.tags, version.description, version.tags, first.source]
    seen["found"] = [m.name for m in client.search_registered_models(f"name = '{name}' AND tags.b = '2'", order_by=["name DESC"])]
    seen["versions"] = [v.version for v in client.search_model_versions(f"name = '{name}'", order_by=["version_number ASC"])]
    client.transition_model_version_stage(name, "1", "Staging")
    seen["stage"] = client.transition_model_version_stage(name, "2", "Staging", archive_existing_versions=True).current_stage
    seen["archived"] = client.get_model_version(name, "1").current_stage
    seen["latest"] = [v.version for v in client.get_latest_versions(name, ["Staging"])]
    seen["uri"] = client.get_model_version_download_uri(name, "1")
    client.set_registered_model_alias(name, "champion", "1")
    client.delete_registered_model_alias(name, "champion")
    try:
        client.transition_model_version_stage(name, "1", "Production")
    except MlflowException as e:
        seen["refused"] = e.error_code
    client.create_registered_model(name + "-young")
    client.rename_registered_model(name + "-young", name + "-grown")
    seen["renamed"] = client.get_registered_model(name + "-grown").name
    seen["loaded"] = len(mlflow.pyfunc.load_model(f"models:/{name}/Staging").predict(data()[0]))
    return seen


def prompts(name):
    first = mlflow.genai.register_prompt(name, "Hello {{who}}", commit_message="first", tags={"lang": "en"})
    second = mlflow.genai.register_prompt(name, [{"role": "user", "content": "{{q}}?"}])
    mlflow.genai.set_prompt_alias(name, "champion", first.version)
    chat = mlflow.genai.load_prompt(f"prompts:/{name}/{second.version}")
    seen = {"versions": [first.version, second.version], "chat": chat.template,
            "text": mlflow.genai.load_prompt(f"prompts:/{name}@champion").format(who="you"),
            "found": [p.name for p in mlflow.genai.search_prompts()],
            "tagged": [p.name for p in mlflow.genai.search_prompts("tags.lang = 'de'")],
            "all": [v.version for v in MlflowClient().search_prompt_versions(name)],
            "models": [m.name for m in MlflowClient().search_registered_models()]}
    mlflow.genai.delete_prompt_alias(name, "champion")
    try:
        mlflow.genai.set_prompt_alias(name, "production", first.version)
    except MlflowException as e:
        seen["refused"] = e.error_code
    return seen


def webhooks(url):
    from mlflow.entities.webhook import WebhookStatus
    client = MlflowClient()
    made = client.create_webhook("hook", url, ["model_version.created", "prompt_alias.deleted"], description="words", secret="s" * 32)
    changed = client.update_webhook(made.webhook_id, name="renamed", status=WebhookStatus.DISABLED)
    shown = client.get_webhook(made.webhook_id)
    seen = {"made": [made.name, made.url, [str(e) for e in made.events], made.description, str(made.status)],
            "changed": [changed.name, str(shown.status), shown.secret], "listed": [w.name for w in client.list_webhooks()]}
    client.delete_webhook(made.webhook_id)
    seen["left"] = [w.name for w in client.list_webhooks()]
    try:
        client.create_webhook("inside", "https://127.0.0.1/", ["model_version.created"])
    except MlflowException as e:
        seen["refused"] = e.error_code
    return seen


def names(workspace):
    if workspace:
        mlflow.set_workspace(workspace)
    return {"experiments": sorted(e.name for e in mlflow.search_experiments())}


if __name__ == "__main__":
    command, arguments = sys.argv[1], sys.argv[2:]
    print("RESULT " + json.dumps(globals()[command](*(int(a) if a.isdigit() else a for a in arguments))))
