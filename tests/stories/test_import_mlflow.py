# SPDX-License-Identifier: Apache-2.0
"""chancery import mlflow: another server's content comes over whole and once, and goes on where it stopped."""
import json

from import_support import FILES, Importer, fill, fresh, importer, source, values  # noqa: F401  (fixtures)
from test_mlflow import Tracker


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


def test_a_version_waits_for_all_of_its_files(importer, source):
    run, other, model = fill(source)
    broken = f"/api/2.0/mlflow-artifacts/artifacts/1/models/{model}/artifacts/a/b/c/deep file.bin"
    source.answers[broken] = lambda query, body: (404, {}, b"")
    told = importer.run(source, code=4)
    assert "not all here" in told.differences["registered model Credit Risk version 2"]
    assert "lower number" in told.differences["registered model Credit Risk version 7"]
    found = importer.tracker.ok("GET", "/model-versions/search", {"filter": "name = 'credit-risk'"})
    assert found.get("model_versions", []) == []
    del source.answers[broken]
    assert importer.run(source).counts["versions"] == (5, 5, 3)


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
