#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""MLflow's own server 3.16 and ours under the same requests, on one PostgreSQL cluster, in one run.

usage: bench_mlflow.py BUILD [RUNS] [SECONDS]
Both are filled with RUNS runs of 100 metric values each; how our searches grow is asked at a tenth and at ten times of that. wrk sends the same bodies to both: to ours through
TLS, with a token, roles, row-level security and an audit entry for each change; to MLflow's in the clear,
with none of these. Printed are requests a second and the 95th percentile, and ours over theirs.
The server lives in a virtual environment of its own: $MLFLOW_SERVER_VENV, or build/peers/mlflow-server.
"""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

import requests
import sides

CONNECTIONS, SIZE, PINNED = 16, 100 << 20, ("mlflow==3.16.1", "psycopg2-binary")
API = "/api/2.0/mlflow"
RESULT = """
done = function(summary, latency, n)
  io.write(string.format('RESULT %d %f %f %d\\n', summary.requests, summary.duration / 1e6, latency:percentile(95) / 1e3,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


class Side:
    def __init__(self, name, url, headers, verify):
        self.name, self.url, self.headers, self.verify = name, url, headers, verify

    def wrk(self, lua, seconds, connections=CONNECTIONS):
        """Requests a second and the 95th percentile in ms."""
        head = "".join(f"wrk.headers['{k}'] = '{v}'\n" for k, v in {**self.headers, "Content-Type": "application/json"}.items())
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write(head + lua + RESULT)
            file.flush()
            out = subprocess.run(["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", file.name, self.url],
                                 capture_output=True, text=True, check=True).stdout
        count, took, p95, errors = re.search(r"RESULT (\S+) (\S+) (\S+) (\S+)", out).groups()
        if int(errors):
            raise SystemExit(f"{self.name}: {errors} of {count} failed\n{out}")
        return int(count) / float(took), float(p95)

    def call(self, method, path, **kwargs):
        reply = requests.request(method, self.url + path, headers=self.headers, verify=self.verify, timeout=300, **kwargs)
        assert reply.status_code == 200, f"{self.name} {path}: {reply.status_code} {reply.text[:300]}"
        return reply


def server(venv, service, database):
    """MLflow's server on a database of the service's own cluster; the process and its URL."""
    if not (venv / "bin" / "mlflow").exists():
        venv.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "--quiet", *PINNED], check=True)
    service.sql(f"CREATE DATABASE {database}", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = service.home / "mlflow-artifacts"
    log = open(service.home / "mlflow.log", "w")
    process = subprocess.Popen(
        [venv / "bin" / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--artifacts-destination", place,
         "--backend-store-uri", f"postgresql+psycopg2://postgres@/{database}?host={service.socket()}"],
        stdout=log, stderr=log, cwd=service.home, env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}, start_new_session=True)
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"http://127.0.0.1:{port}/health", timeout=20).ok:
                return process, f"http://127.0.0.1:{port}"
        except requests.RequestException:
            time.sleep(0.3)
    os.killpg(process.pid, 15)
    process.wait(30)
    raise SystemExit("mlflow server did not start:\n" + (service.home / "mlflow.log").read_text()[-3000:])


def fill_mlflow(service, database, runs):
    """RUNS runs in experiment 0, each with 10 metrics of 10 steps."""
    values = f"generate_series(1, {runs}) i, generate_series(0, 9) k, generate_series(0, 9) s"
    service.sql(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,"
        " source_version, lifecycle_stage, artifact_uri, experiment_id) SELECT md5(i::text), 'r' || i, 'LOCAL', '', '', 'u', 'FINISHED',"
        f" 1700000000000 + i, 1700000000001 + i, '', 'active', 'mlflow-artifacts:/0/x', 0 FROM generate_series(1, {runs}) i;"
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) SELECT 'm' || k, (i * 7919 % 100000) / 1e5 + s / 1e7,"
        f" s, md5(i::text), s, false FROM {values};"
        "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) SELECT key, value, timestamp, step, is_nan, run_uuid"
        " FROM metrics WHERE step = 9", database)
    service.sql("VACUUM ANALYZE", database)


def fill_ours(service, ours, first, runs, steps=10):
    """The same in ours: runs number FIRST to RUNS."""
    values = f"generate_series({first}, {runs}) i, generate_series(0, 9) k, generate_series({10 - steps}, 9) s"
    service.sql(
        "SET search_path = chancery; INSERT INTO run (tenant_id, id, project_id, experiment_id, name, user_name, status, start_ms,"
        " end_ms, created_by) SELECT p.tenant_id, md5(i::text)::uuid, p.id, 0, 'r' || i, 'u', 'FINISHED', 1700000000000 + i,"
        f" 1700000000001 + i, (SELECT id FROM principal q WHERE q.tenant_id = p.tenant_id AND q.name = '{ours}')"
        f" FROM project p, generate_series({first}, {runs}) i WHERE p.name = 'credit';"
        "INSERT INTO metric (tenant_id, run_id, key, at, step, value) SELECT p.tenant_id, md5(i::text)::uuid, 'm' || k, s, s,"
        f" (i * 7919 % 100000) / 1e5 + s / 1e7 FROM {values}, project p WHERE p.name = 'credit';"
        "INSERT INTO metric_latest (tenant_id, run_id, key, at, step, value) SELECT tenant_id, run_id, key, at, step, value FROM metric"
        " WHERE step = 9 ON CONFLICT DO NOTHING")
    service.sql("VACUUM ANALYZE")


def batches(ids, metrics):
    """log-batch to one of many runs, each value new."""
    return (f"local ids = {{{','.join(repr(i) for i in ids)}}}\nlocal t = 0\n"
            "setup = function(thread) offset = (offset or 0) + 1; thread:set('base', offset * 1000000000) end\n"
            f"request = function() t = t == 0 and base or t + {metrics}\n"
            f"local id = ids[math.random(1, #ids)]\n"
            f"local m = {{}}\nfor k = 1, {metrics} do m[k] = '{{\"key\":\"m' .. k % 20 .. '\",\"value\":0.5,\"timestamp\":' .. (t + k) ..\n"
            " ',\"step\":' .. (t + k) .. '}' end\n"
            f"return wrk.format('POST', '{API}/runs/log-batch', wrk.headers, '{{\"run_id\":\"' .. id .. '\",\"metrics\":[' ..\n"
            " table.concat(m, ',') .. ']}') end\n")


# They are older than those that are searched for: a search in the order of time would first pass over all of them.
CREATE = f"""request = function() return wrk.format('POST', '{API}/runs/create', wrk.headers,
'{{"experiment_id":"0","start_time":1600000000000,"run_name":"a","user_id":"u","tags":[{{"key":"mlflow.user","value":"u"}}]}}') end
"""


def get(ids):
    return (f"local ids = {{{','.join(repr(i) for i in ids)}}}\n"
            f"request = function() return wrk.format('GET', '{API}/runs/get?run_id=' .. ids[math.random(1, #ids)]) end\n")


def search(**more):
    body = json.dumps({"experiment_ids": ["0"], "max_results": 50, **more})
    return f"request = function() return wrk.format('POST', '{API}/runs/search', wrk.headers, '{body}') end\n"


SEARCHES = {"m3 > 0.9": {"filter": "metrics.m3 > 0.9"}, "m3 > 0.999": {"filter": "metrics.m3 > 0.999"},
            "by m3": {"order_by": ["metrics.m3 DESC"]}}


def searched(side, runs, seconds):
    times = [side.wrk(search(**more), seconds, 4)[1] for more in SEARCHES.values()]
    print(f"{runs:8} runs, ours:  " + "   ".join(f"{what} p95 {ms:7.2f} ms" for what, ms in zip(SEARCHES, times)), flush=True)


def ingest(service, rate):
    """Metrics a second of log-batch(1,000) beside COPY of as many rows into the same table, in batches of 1,000."""
    rows = 200_000
    script = "".join(
        "COPY chancery.metric FROM stdin;\n" + "".join(
            f"{tenant}\t{run}\tcopied{k % 20}\t{b * 1000 + k}\t{b * 1000 + k}\t0.5\n" for k in range(1000)) + "\\.\n"
        for tenant, run in [service.sql("SELECT tenant_id || ' ' || id FROM chancery.run LIMIT 1").split()] for b in range(rows // 1000))
    began = time.monotonic()
    service.sql(script)
    copied = rows / (time.monotonic() - began)
    print(f"{'metrics by log-batch of 1,000':34} ours {rate * 1000:9.0f}/s   COPY {copied:9.0f}/s   {rate * 1000 / copied:7.2f} (target 0.3)")


def compare(name, two, lua, seconds, p95=False, connections=CONNECTIONS):
    for side in two:
        side.wrk(lua, 1, connections)
    (a, b), (c, d) = (side.wrk(lua, seconds, connections) for side in two)
    ratio = d / b if p95 else a / c
    print(f"{name:34} ours {a:9.1f}/s p95 {b:8.2f} ms   MLflow {c:9.1f}/s p95 {d:8.2f} ms   {ratio:7.1f} x (target 10)", flush=True)


def transfers(two):
    block = os.urandom(SIZE)
    times = []
    for side in two:
        run = side.call("POST", API + "/runs/create", json={"experiment_id": "0", "start_time": 1}).json()["run"]["info"]["run_id"]
        path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/large.bin"
        began = time.monotonic()
        side.call("PUT", path, data=block)
        middle = time.monotonic()
        assert side.call("GET", path).content == block
        times.append((SIZE / (middle - began) / 1e6, SIZE / (time.monotonic() - middle) / 1e6))
    for i, what in enumerate(("artifact of 100 MB up", "artifact of 100 MB down")):
        print(f"{what:34} ours {times[0][i]:9.1f} MB/s            MLflow {times[1][i]:9.1f} MB/s            {times[0][i] / times[1][i]:7.1f} x")


def main(build="build", runs=20000, seconds=5):
    runs, seconds = int(runs), int(seconds)
    stories = sides.build(build)
    venv = pathlib.Path(os.environ.get("MLFLOW_SERVER_VENV", sides.ROOT / "build" / "peers" / "mlflow-server"))
    service = stories.Service()
    process = None
    try:
        service.start()
        world = stories.World(service)
        scientist = world["data-scientist"]
        process, url = server(venv, service, "mlflow")
        fill_mlflow(service, "mlflow", runs)
        fill_ours(service, scientist.name, 1, runs // 10)
        ours = Side("ours", service.url, {"Authorization": "Bearer " + scientist.token, "X-MLFLOW-WORKSPACE": "credit"}, str(service.ca))
        searched(ours, runs // 10, seconds)
        fill_ours(service, scientist.name, runs // 10 + 1, runs)
        searched(ours, runs, seconds)
        two = (ours, Side("MLflow", url, {}, True))
        fresh = [[s.call("POST", API + "/runs/create", json={"experiment_id": "0", "start_time": 1}).json()["run"]["info"]["run_id"]
                  for _ in range(64)] for s in two]
        print(f"{runs} runs and {runs * 100} metric rows on both, {CONNECTIONS} connections, {os.cpu_count()} CPUs")
        old = [__import__("hashlib").md5(str(i).encode()).hexdigest() for i in range(1, min(runs, 500))]
        for name, metrics in (("log-batch of 10 metrics", 10), ("log-batch of 1,000 metrics", 1000)):
            for side, ids in zip(two, fresh):
                side.wrk(batches(ids, metrics), 1)
            (a, b), (c, d) = (side.wrk(batches(ids, metrics).replace("* 1000000000", "* 3000000000"), seconds) for side, ids in zip(two, fresh))
            print(f"{name:34} ours {a:9.1f}/s p95 {b:8.2f} ms   MLflow {c:9.1f}/s p95 {d:8.2f} ms   {a / c:7.1f} x (target 10)", flush=True)
        ingest(service, a)
        compare("get run", two, get(old), seconds)
        for what, more in SEARCHES.items():
            compare("search runs, " + what, two, search(**more), seconds, p95=True, connections=4)
        compare("create run", two, CREATE, seconds)
        transfers(two)
        fill_ours(service, scientist.name, runs + 1, runs * 10, steps=1)
        searched(ours, runs * 10, seconds)
    finally:
        if process:
            os.killpg(process.pid, 15)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
        service.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
