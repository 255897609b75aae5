# SPDX-License-Identifier: Apache-2.0
"""What MLflow's clients send: tracking, in the words and with the limits of MLflow's server."""
import threading

import pytest
from service import World, person

API = "/api/2.0/mlflow"


class Tracker:
    """One person in one project, speaking MLflow."""

    def __init__(self, client, project="credit", prefix=API):
        self.client, self.project, self.prefix = client, project, prefix

    def call(self, method, path, body=None, **kwargs):
        headers = {"X-MLFLOW-WORKSPACE": self.project, **kwargs.pop("headers", {})}
        path = path if path.startswith("/api") else self.prefix + path
        if method == "GET":
            return self.client.request("GET", path, params=body, headers=headers, **kwargs)
        return self.client.request(method, path, body, headers=headers, **kwargs)

    def ok(self, method, path, body=None, **kwargs):
        reply = self.call(method, path, body, **kwargs)
        assert reply.status_code == 200, f"{method} {path}: {reply.status_code} {reply.text[:500]}"
        return reply.json()

    def refused(self, method, path, body, code, says="", status=400):
        reply = self.call(method, path, body)
        assert reply.status_code == status, reply.text
        assert reply.json()["error_code"] == code and says in reply.json()["message"], reply.text

    def experiment(self, name):
        return self.ok("POST", "/experiments/create", {"name": name})["experiment_id"]

    def run(self, experiment="0", **more):
        return self.ok("POST", "/runs/create", {"experiment_id": experiment, "start_time": 1000, **more})["run"]["info"]["run_id"]

    def search(self, experiment, filter="", **more):
        found = self.ok("POST", "/runs/search", {"experiment_ids": [experiment], "filter": filter, **more})
        return [run["info"]["run_id"] for run in found["runs"]]


@pytest.fixture
def tracker(world):
    return Tracker(world["data-scientist"])


def test_probes_need_no_token(world):
    nobody = world.service.client()
    assert nobody.get("/health").text == "OK"
    assert nobody.get("/version", headers={"User-Agent": "mlflow-python-client/3.16.1"}).text == "3.16.1"
    assert nobody.get("/version").json()["name"] == "chancery"
    assert nobody.get("/api/3.0/mlflow/server-info").json()["workspaces_enabled"] is True


def test_an_unknown_route_is_no_json(tracker):
    for path in ("/api/2.0/mlflow/nothing", "/api/3.0/mlflow/traces/nothing/more", "/ajax-api/2.0/x"):
        reply = tracker.client.get(path)
        assert reply.status_code == 404 and "json" not in reply.headers["Content-Type"]


def test_experiments(tracker):
    made = tracker.experiment("first")
    tracker.refused("POST", "/experiments/create", {"name": "first"}, "RESOURCE_ALREADY_EXISTS")
    tracker.refused("POST", "/experiments/create", {"name": "x", "artifact_location": "file:///etc"}, "INVALID_PARAMETER_VALUE")
    tracker.refused("POST", "/experiments/create", {}, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'")
    tracker.refused("GET", "/experiments/get-by-name", {"experiment_name": "none"}, "RESOURCE_DOES_NOT_EXIST", status=404)
    assert tracker.ok("GET", "/experiments/get-by-name", {"experiment_name": "Default"})["experiment"]["experiment_id"] == "0"
    tracker.ok("POST", "/experiments/set-experiment-tag", {"experiment_id": made, "key": "team", "value": "risk"})
    tracker.ok("POST", "/experiments/update", {"experiment_id": made, "new_name": "renamed"})
    shown = tracker.ok("GET", "/experiments/get", {"experiment_id": made})["experiment"]
    assert shown["name"] == "renamed" and shown["tags"] == [{"key": "team", "value": "risk"}]
    assert isinstance(shown["creation_time"], int)
    def names(filter):
        return [e["name"] for e in tracker.ok("POST", "/experiments/search", {"filter": filter})["experiments"]]
    assert names("tags.team = 'risk'") == ["renamed"] and names("name LIKE 'ren%'") == ["renamed"]
    assert names("name ILIKE 'REN%' AND tags.team != 'x'") == ["renamed"]
    tracker.ok("POST", "/experiments/delete", {"experiment_id": made})
    assert names("name = 'renamed'") == []
    tracker.ok("POST", "/experiments/restore", {"experiment_id": made})
    tracker.ok("POST", "/experiments/delete-experiment-tag", {"experiment_id": made, "key": "team"})
    page = tracker.ok("GET", "/experiments/search", {"max_results": 1, "order_by": ["name ASC"]})
    assert len(page["experiments"]) == 1 and page["next_page_token"]


def test_a_run_from_beginning_to_end(tracker):
    made = tracker.ok("POST", "/runs/create", {"experiment_id": "0", "start_time": "1700000000000", "run_name": "first",
                                               "tags": [{"key": "mlflow.user", "value": "ann"}], "unknown": 1})["run"]
    run = made["info"]["run_id"]
    assert len(run) == 32 and made["info"]["status"] == "RUNNING" and made["info"]["user_id"] == "ann"
    assert made["info"]["artifact_uri"] == f"mlflow-artifacts:/0/{run}/artifacts"
    tracker.ok("POST", "/runs/log-parameter", {"run_id": run, "key": "depth", "value": "3"})
    tracker.ok("POST", "/runs/log-metric", {"run_id": run, "key": "loss", "value": 0.5, "timestamp": 1, "step": "2"})
    tracker.ok("POST", "/runs/log-metric", {"run_id": run, "key": "loss", "value": "NaN", "timestamp": 2, "step": 1})
    tracker.ok("POST", "/runs/log-metric", {"run_id": run, "key": "odd", "value": "NaN", "timestamp": 2})
    tracker.ok("POST", "/runs/log-metric", {"run_id": run, "key": "big", "value": "Infinity", "timestamp": 2})
    tracker.ok("POST", "/runs/set-tag", {"run_id": run, "key": "mlflow.runName", "value": "renamed"})
    tracker.ok("POST", "/runs/update", {"run_id": run, "status": "FINISHED", "end_time": 1700000001000})
    shown = tracker.ok("GET", "/runs/get", {"run_id": run})["run"]
    assert shown["info"]["run_name"] == "renamed" and shown["info"]["end_time"] == 1700000001000
    metrics = {m["key"]: m["value"] for m in shown["data"]["metrics"]}
    assert metrics == {"loss": 0.5, "odd": "NaN", "big": 1.7976931348623157e308}
    assert shown["data"]["params"] == [{"key": "depth", "value": "3"}]
    tracker.ok("POST", "/runs/delete", {"run_id": run})
    tracker.refused("POST", "/runs/set-tag", {"run_id": run, "key": "a", "value": "b"}, "RESOURCE_DOES_NOT_EXIST", status=404)
    tracker.ok("POST", "/runs/restore", {"run_id": run})
    tracker.ok("POST", "/runs/set-tag", {"run_id": run, "key": "a", "value": "b"})
    tracker.ok("POST", "/runs/delete-tag", {"run_id": run, "key": "a"})
    tracker.refused("POST", "/runs/delete-tag", {"run_id": run, "key": "a"}, "RESOURCE_DOES_NOT_EXIST", status=404)


def test_a_batch_twice_is_a_batch_once(tracker):
    run = tracker.run()
    batch = {"run_id": run, "metrics": [{"key": f"m{i % 20}", "value": i / 7, "timestamp": i, "step": i} for i in range(900)],
             "params": [{"key": f"p{i}", "value": str(i)} for i in range(50)],
             "tags": [{"key": f"t{i}", "value": str(i)} for i in range(50)]}
    for _ in range(3):
        tracker.ok("POST", "/runs/log-batch", batch)
    shown = tracker.ok("GET", "/runs/get", {"run_id": run})["run"]["data"]
    assert len(shown["params"]) == 50 and len(shown["metrics"]) == 20
    history = tracker.ok("GET", "/metrics/get-history", {"run_id": run, "metric_key": "m3"})["metrics"]
    assert len(history) == 45 and history[0]["step"] == 3
    latest = next(m for m in shown["metrics"] if m["key"] == "m3")
    assert latest["step"] == 883 and latest["value"] == 883 / 7
    tracker.refused("POST", "/runs/log-batch", {"run_id": run, "params": [{"key": "p1", "value": "other"}],
                                                "metrics": [{"key": "new", "value": 1, "timestamp": 1}]},
                    "INVALID_PARAMETER_VALUE", "Changing param values is not allowed")
    assert not any(m["key"] == "new" for m in tracker.ok("GET", "/runs/get", {"run_id": run})["run"]["data"]["metrics"])


def test_limits_are_mlflows(tracker):
    run = tracker.run()
    metric = {"key": "m", "value": 1, "timestamp": 1}
    for body in ({"metrics": [metric] * 1001}, {"params": [{"key": f"p{i}", "value": "1"} for i in range(101)]},
                 {"tags": [{"key": f"p{i}", "value": "1"} for i in range(101)]},
                 {"metrics": [metric] * 990, "tags": [{"key": f"t{i}", "value": "1"} for i in range(20)]},
                 {"metrics": [{"key": "k" * 251, "value": 1, "timestamp": 1}]}, {"metrics": [{**metric, "timestamp": -1}]},
                 {"metrics": [{**metric, "key": "../x"}]}, {"metrics": [{**metric, "key": "a//b"}]},
                 {"metrics": [{"key": "m", "timestamp": 1}]}, {"metrics": [{**metric, "value": "x"}]}, {"metrics": 1},
                 {"params": [{"key": "d", "value": "1"}, {"key": "d", "value": "2"}]}):
        tracker.refused("POST", "/runs/log-batch", {"run_id": run, **body}, "INVALID_PARAMETER_VALUE")
    tracker.ok("POST", "/runs/log-parameter", {"run_id": run, "key": "long", "value": "é" * 4000})
    tracker.ok("POST", "/runs/set-tag", {"run_id": run, "key": "long", "value": "x" * 9000})
    data = tracker.ok("GET", "/runs/get", {"run_id": run})["run"]["data"]
    assert data["params"] == [{"key": "long", "value": "é" * 3000}]
    assert {"key": "long", "value": "x" * 8000} in data["tags"]
    reply = tracker.client.post(API + "/runs/search", data="{}", headers={"Content-Type": "text/plain",
                                                                         "X-MLFLOW-WORKSPACE": "credit"})
    assert reply.status_code == 400 and "Content-Type must be" in reply.json()["message"]
    reply = tracker.call("POST", "/runs/log-batch", None, data="[1]", headers={"Content-Type": "application/json"})
    assert reply.status_code == 400 and reply.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_metric_history_in_pages_and_thinned(tracker):
    runs = [tracker.run(), tracker.run()]
    for run in runs:
        tracker.ok("POST", "/runs/log-batch", {"run_id": run, "metrics": [
            {"key": "loss", "value": "NaN" if i == 5 else -i, "timestamp": 1, "step": i} for i in range(100)]})
    seen, token = [], None
    while token != "":
        page = tracker.ok("GET", "/metrics/get-history", {"run_id": runs[0], "metric_key": "loss", "max_results": 30,
                                                          **({"page_token": token} if token else {})})
        seen += [m["step"] for m in page["metrics"]]
        token = page.get("next_page_token", "")
    assert seen == list(range(100))
    tracker.refused("GET", "/metrics/get-history", {"run_id": runs[0], "metric_key": "loss", "page_token": "1:x:'"},
                    "INVALID_PARAMETER_VALUE")
    thin = tracker.ok("GET", "/metrics/get-history-bulk-interval", {"run_ids": runs, "metric_key": "loss", "max_results": 10})
    assert 20 <= len(thin["metrics"]) <= 24 and {m["run_id"] for m in thin["metrics"]} == set(runs)
    assert max(m["step"] for m in thin["metrics"]) == 99


def test_search_speaks_the_whole_grammar(tracker):
    experiment = tracker.experiment("grammar")
    runs = []
    for i in range(6):
        run = tracker.run(experiment, start_time=1000 + i, run_name=f"Run-{i}")
        tracker.ok("POST", "/runs/log-batch", {
            "run_id": run, "metrics": [{"key": "loss", "value": "NaN" if i == 5 else i / 2, "timestamp": 1}] if i else [],
            "params": [{"key": "my-p", "value": "a%b" if i == 2 else f"v{i}"}],
            "tags": [{"key": "mlflow.parentRunId", "value": "p" if i % 2 else "q"}]})
        runs.append(run)
    tracker.ok("POST", "/runs/log-inputs", {"run_id": runs[1], "datasets": [{
        "dataset": {"name": "wine", "digest": "d1", "source_type": "local", "source": "file:///etc/passwd"},
        "tags": [{"key": "mlflow.data.context", "value": "training"}]}]})
    newest = runs[::-1]
    cases = {
        "": newest, "metrics.loss > 1": [runs[4], runs[3]], "metric.loss >= 0.5 and metrics.`loss` < 1.5": [runs[2], runs[1]],
        "params.\"my-p\" = 'v3'": [runs[3]], "params.`my-p` LIKE 'v%'": [r for r in newest if r != runs[2]],
        "params.my-p LIKE 'V%'": [], "params.my-p ILIKE 'V1'": [runs[1]], "params.my-p != 'v1'": [r for r in newest if r != runs[1]],
        "tags.mlflow.parentRunId = 'q'": [runs[4], runs[2], runs[0]], "tag.`mlflow.parentRunId` != \"q\" AND metrics.loss=0.5": [runs[1]],
        "attributes.run_name = 'Run-4'": [runs[4]], "`run name` ILIKE 'run-4'": [runs[4]], "run_id IN ('%s', '%s')" % (runs[0], runs[1]):
        [runs[1], runs[0]], "run_id NOT IN ('%s',)" % runs[0]: newest[:-1], "start_time >= 1004": [runs[5], runs[4]],
        "status = 'RUNNING' AND end_time > 0": [], "datasets.name = 'wine' AND dataset.context ILIKE 'TRAIN%'": [runs[1]],
        "dataset.digest IN ('d1', 'd2')": [runs[1]], "tags.nothing != 'x'": [], "params.my-p = 'it''s'": [],
        "params.my-p LIKE '%\\'": [],
    }
    for text, expected in cases.items():
        assert tracker.search(experiment, text) == expected, text
    assert tracker.search(experiment, order_by=["metrics.loss ASC"]) == [*runs[1:5], runs[5], runs[0]]
    assert tracker.search(experiment, order_by=["metrics.`loss` DESC"]) == [*runs[4:0:-1], runs[5], runs[0]]
    assert tracker.search(experiment, order_by=["params.`my-p` DESC", "start_time"]) == [*runs[:2:-1], runs[1], runs[0], runs[2]]
    assert tracker.search(experiment, order_by=["attribute.start_time ASC"]) == runs


@pytest.mark.parametrize("text", [
    "metrics.loss = 'a'", "metrics.loss LIKE 1", "params.a = 1", "params.a > 'x'", "a.b = 'c'", "unknown = 'c'", "metrics.loss > 1 OR 1=1",
    "(metrics.loss > 1)", "run_name = 'a' AND", "AND", "run_name", "run_name =", "run_name = 'a", "run_name IN 'a'", "run_name = ('a')",
    "run_id IN ()", "run_name = 'a'; DROP TABLE run", "metrics.loss > 1e999", "tags.`a = 'b'", "run_name RLIKE '(a+)+$'", "' OR ''='",
    "a" * 70000, " AND ".join(["metrics.a > 1"] * 1000), "start_time = 'x'", "run_name = 'a' run_name = 'b'"])
def test_a_filter_that_is_none_is_refused(tracker, text):
    tracker.refused("POST", "/runs/search", {"experiment_ids": ["0"], "filter": text}, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("text", ["", "metrics", "metrics.a; DROP TABLE run", "nothing.a", "start_time SIDEWAYS", "1"])
def test_an_order_that_is_none_is_refused(tracker, text):
    tracker.refused("POST", "/runs/search", {"experiment_ids": ["0"], "order_by": [text]}, "INVALID_PARAMETER_VALUE")


def test_pages_are_complete_whatever_the_order(tracker):
    experiment = tracker.experiment("pages")
    runs = [tracker.run(experiment, start_time=1000 + i // 3) for i in range(20)]
    for more in ({}, {"order_by": ["run_name ASC"]}):
        seen, token = [], None
        while token != "":
            page = tracker.ok("POST", "/runs/search", {"experiment_ids": [experiment], "max_results": 7, "page_token": token, **more})
            seen += [run["info"]["run_id"] for run in page["runs"]]
            token = page.get("next_page_token") or ""
        assert sorted(seen) == sorted(runs) and len(seen) == 20
    for token in ("x", "1:2", "+5", "1:';--", "9" * 40):
        tracker.refused("POST", "/runs/search", {"experiment_ids": [experiment], "page_token": token}, "INVALID_PARAMETER_VALUE")


def test_pages_over_several_experiments_are_in_one_order(tracker):
    """Each experiment is searched by itself, up to sixteen of them; the pages are the same as beyond that."""
    ids = [tracker.experiment(f"several-{i}") for i in range(17)]
    runs = [tracker.run(ids[i % 3], start_time=1000 + i // 4) for i in range(24)]
    for i, run in enumerate(runs):
        tracker.ok("POST", "/runs/log-metric", {"run_id": run, "key": "score", "value": i % 2, "timestamp": 1, "step": 0})
    for filter, expected in (("", runs), ("metrics.score > 0", runs[1::2])):
        found = []
        for experiments in (ids[:3] + ids[:1], ids):
            seen, token = [], None
            while token != "":
                page = tracker.ok("POST", "/runs/search", {"experiment_ids": experiments, "max_results": 5, "filter": filter,
                                                          "page_token": token})
                assert len(page["runs"]) <= 5
                seen += [(-run["info"]["start_time"], run["info"]["run_id"]) for run in page["runs"]]
                token = page.get("next_page_token") or ""
            found.append(seen)
        assert found[0] == found[1] == sorted(found[0])
        assert sorted(run for _, run in found[0]) == sorted(expected)


def test_pages_in_the_order_of_a_metric_go_on_to_runs_without_it(tracker):
    """Runs that have the metric by its value, then those where it is no number, then the others."""
    experiment = tracker.experiment("ranks")
    values = [3.0, 1.0, "NaN", 2.0, None, -1.0, None, 2.0]
    runs = [tracker.run(experiment, start_time=i) for i in range(len(values))]
    for run, value in zip(runs, values):
        if value is not None:
            tracker.ok("POST", "/runs/log-metric", {"run_id": run, "key": "score", "value": value, "timestamp": 1, "step": 0})
    numbers = [i for i, value in enumerate(values) if isinstance(value, float)]
    for descending in (False, True):
        numbers.sort(key=lambda i: (-values[i] if descending else values[i], -i))
        expected = [runs[i] for i in (*numbers, 2, 6, 4)]
        for size in (1, 3, 5, 6, 8, 100):
            seen, token = [], None
            while token != "":
                page = tracker.ok("POST", "/runs/search", {
                    "experiment_ids": [experiment], "max_results": size, "page_token": token,
                    "order_by": ["metrics.score DESC" if descending else "metrics.score"]})
                seen += [run["info"]["run_id"] for run in page["runs"]]
                token = page.get("next_page_token") or ""
            assert seen == expected, (descending, size)


def test_writers_at_once_lose_nothing(tracker, world):
    run = tracker.run()
    failures = []

    def write(number):
        mine = Tracker(type(tracker.client)(world.service, tracker.client.token, "acme"))
        for i in range(20):
            reply = mine.call("POST", "/runs/log-batch", {"run_id": run, "metrics": [
                {"key": f"k{k}", "value": number * 100 + i, "timestamp": 1, "step": number * 100 + i} for k in range(10)],
                "params": [{"key": "same", "value": "same"}]})
            if reply.status_code != 200:
                failures.append(reply.text)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failures
    data = tracker.ok("GET", "/runs/get", {"run_id": run})["run"]["data"]
    assert all(m["step"] == 319 and m["value"] == 319 for m in data["metrics"]) and len(data["metrics"]) == 10
    assert len(tracker.ok("GET", "/metrics/get-history", {"run_id": run, "metric_key": "k1"})["metrics"]) == 80


def test_a_workspace_selects_only_what_the_token_grants(world, tracker):
    run = tracker.run()
    reader = Tracker(world["reader"])
    assert reader.ok("GET", "/runs/get", {"run_id": run})
    reader.refused("POST", "/runs/create", {"experiment_id": "0"}, "PERMISSION_DENIED", "experiments/write", status=403)
    foreign = Tracker(world.foreign_admin)
    stranger = Tracker(person(world.service, world.admin, "mlflow-stranger"))
    absent = Tracker(world.foreign_admin, "never-was")
    for other in (foreign, stranger, absent):
        other.refused("GET", "/runs/get", {"run_id": run}, "RESOURCE_DOES_NOT_EXIST", status=404)
        other.refused("POST", "/runs/search", {"experiment_ids": ["0"]}, "RESOURCE_DOES_NOT_EXIST", status=404)
    claims = Tracker(world.foreign_admin, "claims")
    claims.refused("GET", "/runs/get", {"run_id": run}, "RESOURCE_DOES_NOT_EXIST", status=404)
    claims.refused("POST", "/runs/log-metric", {"run_id": run, "key": "a", "value": 1, "timestamp": 1},
                   "RESOURCE_DOES_NOT_EXIST", status=404)
    assert claims.search("0") == []
    for header in ("credit, claims", "../credit", "CREDIT", "", "credit%00", "a" * 64):
        assert tracker.call("POST", "/runs/search", {}, headers={"X-MLFLOW-WORKSPACE": header}).status_code in (400, 404)
    nobody = Tracker(world.service.client())
    assert nobody.call("GET", "/runs/get", {"run_id": run}).status_code == 401


def test_without_a_header_it_is_the_only_project(world):
    """A caller with one project needs no header; one with more is told nothing of either."""
    client = world["data-scientist"]
    made = client.request("POST", API + "/runs/create", {"experiment_id": "0"})
    assert made.status_code == 200, made.text
    assert Tracker(client).ok("GET", "/runs/get", {"run_id": made.json()["run"]["info"]["run_id"]})


def test_what_is_logged_is_on_record_as_a_fact(world, tracker):
    run = tracker.run()
    reply = tracker.call("POST", "/runs/log-metric", {"run_id": run, "key": "secret-metric", "value": 1, "timestamp": 1})
    entry_id = reply.headers["Chancery-Audit"].split(";")[0][3:]
    entry = world["auditor"].ok("GET", f"/v1/audit/entries/{entry_id}")
    assert entry["action"] == "post_mlflow_log_metric" and run in entry["object"]
    assert "secret-metric" not in str(entry)
