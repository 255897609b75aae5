# SPDX-License-Identifier: Apache-2.0
"""A small MLflow server for stories of the import: it answers as MLflow's REST API does from what the
story puts into it, counts what it is asked, and lies, fails or cuts off where the story says so.
"""
import http.server
import json
import threading
import urllib.parse

API = "/api/2.0/mlflow"


class Source:
    """experiments: id -> dict; runs: id -> dict(info, data, inputs, outputs); histories: (run, key) -> points;
    files: {"runs/ID": {path: bytes}}; models: id -> {info, data}; registered: name -> dict; versions: list of dicts.
    answers: path -> function(query, body) -> (status, headers, bytes), tried before everything else."""

    def __init__(self):
        self.experiments, self.runs, self.histories, self.files = {}, {}, {}, {}
        self.models, self.registered, self.versions, self.answers = {}, {}, [], {}
        self.asked, self.page, self.authorization = [], 2, None
        self.lock = threading.Lock()
        source = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                source.serve(self, None)

            def do_POST(self):
                source.serve(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # What a story puts in.

    def experiment(self, id, name, stage="active", **tags):
        self.experiments[id] = {"experiment_id": id, "name": name, "lifecycle_stage": stage, "creation_time": 5,
                                "last_update_time": 6, "tags": pairs(tags)}

    def run(self, experiment, id, stage="active", params=None, tags=None, metrics=None, files=None, **info):
        """metrics: key -> [(value, timestamp, step)]."""
        self.runs[id] = {
            "info": {"run_id": id, "run_uuid": id, "experiment_id": experiment, "run_name": "run-" + id[:4], "user_id": "ann",
                     "status": "FINISHED", "start_time": 1000, "end_time": 2000, "lifecycle_stage": stage,
                     "artifact_uri": f"mlflow-artifacts:/{experiment}/{id}/artifacts", **info},
            "data": {"params": pairs(params or {}), "tags": pairs({"mlflow.runName": "run-" + id[:4], **(tags or {})}),
                     "metrics": [point(key, *points[-1]) for key, points in (metrics or {}).items()]},
            "inputs": {}, "outputs": {}}
        for key, points in (metrics or {}).items():
            self.histories[id, key] = [point(key, *p) for p in points]
        self.files[f"{experiment}/{id}/artifacts"] = files or {}
        return id

    def model(self, experiment, id, run, files, **info):
        self.models[id] = {"info": {"model_id": id, "experiment_id": experiment, "name": "model", "status": "LOGGED_MODEL_READY",
                                    "source_run_id": run, "artifact_uri": f"mlflow-artifacts:/{experiment}/models/{id}/artifacts",
                                    "tags": pairs({"of": "model"}), "creation_timestamp_ms": 7, **info},
                           "data": {"params": pairs({"depth": "3"}), "metrics": []}}
        self.files[f"{experiment}/models/{id}/artifacts"] = files
        return id

    def register(self, name, aliases=None, versions=(), **tags):
        """versions: (number, source, run, tags)."""
        self.registered[name] = {"name": name, "description": "words of " + name, "creation_timestamp": 8, "tags": pairs(tags),
                                 "aliases": [{"alias": a, "version": str(v)} for a, v in (aliases or {}).items()]}
        for number, source, run, more in versions:
            self.versions.append({"name": name, "version": str(number), "source": source, "run_id": run, "status": "READY",
                                  "current_stage": "None", "creation_timestamp": 9, "description": f"number {number}",
                                  "tags": pairs(more)})

    # How it answers.

    def serve(self, request, body):
        path, _, query = request.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        path = urllib.parse.unquote(path)
        with self.lock:
            self.asked.append((request.command, path, query, request.headers.get("Authorization")))
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            status, headers, data = 401, {}, b"no"
        elif path in self.answers:
            status, headers, data = self.answers[path](query, body)
        else:
            status, headers, data = self.answer(path, query, body or {})
        request.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        try:
            request.wfile.write(data)
        except OSError:
            pass
        if headers.get("Content-Length", str(len(data))) != str(len(data)):
            request.close_connection = True

    def paged(self, member, items, token, size=None):
        at, size = int(token or 0), size or self.page
        page = {member: items[at:at + size]}
        if at + size < len(items):
            page["next_page_token"] = str(at + size)
        return ok(page)

    def answer(self, path, query, body):
        lists = {
            f"{API}/experiments/search": ("experiments", lambda: list(self.experiments.values()), body),
            f"{API}/runs/search": ("runs", lambda: [r for r in self.runs.values()
                                                    if r["info"]["experiment_id"] in body["experiment_ids"]], body),
            f"{API}/logged-models/search": ("models", lambda: [m for m in self.models.values()
                                                               if m["info"]["experiment_id"] in body["experiment_ids"]], body),
            f"{API}/registered-models/search": ("registered_models", lambda: [
                m for m in self.registered.values()
                if (("mlflow.prompt.is_prompt", "true") in [(t["key"], t["value"]) for t in m["tags"]]) == ("filter" in query)], query),
            f"{API}/model-versions/search": ("model_versions", lambda: [
                v for v in self.versions if query["filter"].startswith(f"name='{v['name']}'")
                and any(t["key"] == "mlflow.prompt.is_prompt" for t in v["tags"]) == ("is_prompt" in query["filter"])], query),
        }
        if path in lists:
            member, items, asked = lists[path]
            return self.paged(member, items(), asked.get("page_token"))
        if path == f"{API}/runs/get":
            return ok({"run": self.runs[query["run_id"]]}) if query["run_id"] in self.runs else absent()
        if path == f"{API}/metrics/get-history":
            return self.paged("metrics", self.histories.get((query["run_id"], query["metric_key"]), []), query.get("page_token"), 1000)
        if path == f"{API}/artifacts/list":
            info = self.runs[query["run_id"]]["info"]
            return self.listing(f"{info['experiment_id']}/{query['run_id']}/artifacts", query.get("path", ""))
        if path.startswith(f"{API}/logged-models/") and path.endswith("/artifacts/directories"):
            info = self.models[path.split("/")[5]]["info"]
            return self.listing(f"{info['experiment_id']}/models/{info['model_id']}/artifacts", query.get("artifact_directory_path", ""))
        if path.startswith("/api/2.0/mlflow-artifacts/artifacts/"):
            place, _, file = path.removeprefix("/api/2.0/mlflow-artifacts/artifacts/").partition("/artifacts/")
            data = self.files.get(place + "/artifacts", {}).get(file)
            return (200, {}, data) if data is not None else absent()
        return 404, {}, b"nothing here"

    def listing(self, place, folder):
        prefix, found = folder + "/" if folder else "", {}
        for path, data in self.files[place].items():
            if path.startswith(prefix):
                name, _, rest = path[len(prefix):].partition("/")
                found[prefix + name] = {"path": prefix + name, "is_dir": True} if rest else {
                    "path": prefix + name, "is_dir": False, "file_size": len(data)}
        return ok({"files": list(found.values())})


def pairs(values):
    return [{"key": k, "value": v} for k, v in values.items()]


def point(key, value, timestamp, step):
    return {"key": key, "value": value, "timestamp": timestamp, "step": step}


def ok(value):
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def absent():
    return 404, {"Content-Type": "application/json"}, json.dumps(
        {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"}).encode()
