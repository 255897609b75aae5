# SPDX-License-Identifier: Apache-2.0
"""Airflow with its OpenLineage provider, as a team would set it up, runs a DAG (airflow_dag.py) and tells of it by itself:
the runs, jobs and datasets stand in the graph and in Marquez' routes.

Its environment is build/peers/venv-airflow (every version pinned in airflow-requirements.txt, one to three minutes to make).
Without it the tests are skipped with the reason, and fail when REQUIRE_PEERS=1.
"""
import json
import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "stories"))
from service import Service, World  # noqa: E402  (the path is set above)

VENV = ROOT / "build" / "peers" / "venv-airflow"
PYTHON = VENV / "bin" / "python"


def missing(reason):
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Calls airflow with a home, a SQLite database and the DAG of its own."""
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import airflow.providers.openlineage"], capture_output=True,
                                             check=False).returncode:
        VENV.parent.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(f"{sys.executable} -m venv {VENV} && {PYTHON} -m pip install --quiet"
                              f" -r {HERE / 'airflow-requirements.txt'}", shell=True, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            missing(f"Airflow cannot be installed: {made.stderr[-300:]}")
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "airflow_dag.py").write_text((HERE / "airflow_dag.py").read_text())

    def call(*words, **environment):
        settings = {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
                    "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "HOME": str(home), **environment}
        done = subprocess.run([PYTHON, "-m", "airflow", *words], capture_output=True, text=True, check=False, cwd=home,
                              env={"PATH": "/usr/bin:/bin", **settings})
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    call("db", "migrate")
    return call


@pytest.fixture(scope="module")
def world():
    service = Service()
    try:
        yield World(service.start())
    finally:
        service.close()


@pytest.fixture(scope="module")
def ran(world, airflow):
    """What Airflow said while it ran the DAG, with nothing but its own settings pointing here."""
    token = world["data-scientist"].ok("POST", "/v1/tokens", {"name": "airflow"})["token"]
    transport = {"type": "http", "url": world.service.url, "endpoint": "api/v1/lineage", "auth": {"type": "api_key", "apiKey": token}}
    return airflow("dags", "test", "nightly", AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps(transport),
                   AIRFLOW__OPENLINEAGE__NAMESPACE="credit", REQUESTS_CA_BUNDLE=str(world.service.ca),
                   SSL_CERT_FILE=str(world.service.ca))


def test_the_dag_its_tasks_and_their_datasets_are_one_graph(world, ran):
    assert ran.count("Successfully emitted OpenLineage") == 5, ran[-3000:]
    scientist = world["data-scientist"]
    graph = scientist.ok("GET", "/v1/lineage?node=ol-dataset:file:/lake/report.csv&direction=upstream")
    names = {n["name"]: n["kind"] for n in graph["nodes"]}
    assert graph["complete"]
    assert {"ol-dataset:lake:raw", "ol-dataset:file:/lake/clean.csv", "ol-dataset:file:/lake/report.csv", "ol-job:credit:nightly",
            "ol-job:credit:nightly.clean", "ol-job:credit:nightly.report"} <= set(names)
    runs = [n for n, kind in names.items() if kind == "ol-run"]
    assert len(runs) == 3, "the DAG's run and those of its tasks"
    edges = {(e["src"], e["kind"], e["dst"]) for e in graph["edges"]}
    report = next(r for r in runs if (r, "produce", "ol-dataset:file:/lake/report.csv") in edges)
    clean = next(r for r in runs if (r, "produce", "ol-dataset:file:/lake/clean.csv") in edges)
    assert ("ol-dataset:file:/lake/clean.csv", "consume", report) in edges and ("ol-dataset:lake:raw", "consume", clean) in edges
    assert ("ol-job:credit:nightly.clean", "run", clean) in edges
    parent = {s for s, kind, d in edges if kind == "parent" and d in (report, clean)}
    assert len(parent) == 1 and ("ol-job:credit:nightly", "run", *parent) in edges
    path = scientist.ok("GET", "/v1/lineage/path?from=ol-dataset:lake:raw&to=ol-dataset:file:/lake/report.csv")
    assert path["found"] and [n["kind"] for n in path["nodes"]] == ["ol-dataset", "ol-run", "ol-dataset", "ol-run", "ol-dataset"]


def test_marquez_readers_see_it(world, ran):
    read = world["reader"]
    jobs = {j["name"]: j for j in read.ok("GET", "/api/v1/namespaces/credit/jobs")["jobs"]}
    assert set(jobs) == {"nightly", "nightly.clean", "nightly.report"}
    assert all(j["latestRun"]["state"] == "COMPLETED" for j in jobs.values())
    assert jobs["nightly.clean"]["inputs"] == [{"namespace": "lake", "name": "raw"}]
    assert jobs["nightly.clean"]["outputs"] == [{"namespace": "file", "name": "/lake/clean.csv"}]
    around = read.ok("GET", "/api/v1/lineage?nodeId=job:credit:nightly.report")["graph"]
    assert {"job:credit:nightly.clean", "dataset:lake:raw", "dataset:file:/lake/report.csv"} <= {n["id"] for n in around}
    columns = read.ok("GET", "/api/v1/column-lineage?nodeId=datasetField:file:/lake/clean.csv:cents")["graph"]
    assert {n["id"] for n in columns} == {"datasetField:file:/lake/clean.csv:cents", "datasetField:lake:raw:euros"}


def test_each_event_is_one_audit_entry(world, ran):
    entries = world["auditor"].ok("GET", "/v1/audit?action=post_openlineage&limit=100")["value"]
    assert len(entries) == 5 and {e["outcome"] for e in entries} == {"ok"}
    assert len({e["actor"] for e in entries}) == 1
