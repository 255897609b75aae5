# SPDX-License-Identifier: Apache-2.0
"""Marquez's read routes over what was taken: namespaces, jobs, runs, datasets, lineage, columns, events, search."""
import urllib.parse
import uuid

import pytest
from service import person
from test_openlineage import dataset, post, run_event


@pytest.fixture(scope="module")
def told(world):
    """raw -> etl -> clean -> report -> board in credit; one job of the tenant at large; one of claims."""
    run = uuid.uuid4()
    schema = {"fields": [{"name": "amount", "type": "BIGINT", "description": "in cents"}]}
    columns = {"fields": {"amount": {"inputFields": [{"namespace": "warehouse", "name": "raw", "field": "euros"}],
                                     "transformationType": "DIRECT"}}}
    scientist = world["data-scientist"]
    for event in (
            run_event("START", run, inputs=[dataset("raw")], at="2026-01-01T10:00:00Z"),
            run_event("COMPLETE", run, outputs=[dataset("clean", schema=schema, columnLineage=columns)], at="2026-01-01T10:00:05Z",
                      job_facets={"documentation": {"description": "Cents of euros"}}),
            run_event("FAIL", uuid.uuid4(), "report", [dataset("clean")], [dataset("board")], at="2026-01-02T00:00:00Z")):
        assert post(scientist, event).ok
    assert post(world.admin, run_event("START", uuid.uuid4(), "at-large", [dataset("raw")], [dataset("secret")], "airflow")).ok
    world.run = str(run)
    return world


def get(client, path):
    return client.ok("GET", "/api/v1" + path)


def test_namespaces_jobs_and_datasets(told):
    admin, scientist = told.admin, told["data-scientist"]
    assert {n["name"] for n in get(admin, "/namespaces")["namespaces"]} == {"credit", "warehouse", "airflow"}
    assert {n["name"] for n in get(scientist, "/namespaces")["namespaces"]} == {"credit", "warehouse"}
    assert get(scientist, "/namespaces/credit")["name"] == "credit"
    assert scientist.get("/api/v1/namespaces/airflow").status_code == 404
    jobs = get(scientist, "/namespaces/credit/jobs")
    assert [j["name"] for j in jobs["jobs"]] == ["etl", "report"] and jobs["totalCount"] == 2
    assert get(scientist, "/jobs?limit=1&offset=1")["jobs"][0]["name"] == "report"
    assert {j["name"] for j in get(admin, "/jobs")["jobs"]} == {"etl", "report", "at-large"}
    job = get(scientist, "/namespaces/credit/jobs/etl")
    assert job["inputs"] == [{"namespace": "warehouse", "name": "raw"}]
    assert job["outputs"] == [{"namespace": "warehouse", "name": "clean"}]
    assert job["description"] == "Cents of euros"
    assert job["latestRun"]["id"] == told.run and job["latestRun"]["state"] == "COMPLETED"
    assert job["latestRun"]["durationMs"] == 5000
    assert get(scientist, "/namespaces/credit/jobs/etl/runs")["totalCount"] == 1
    found = get(scientist, "/namespaces/warehouse/datasets/clean")
    assert found["fields"] == [{"name": "amount", "type": "BIGINT", "tags": [], "description": "in cents"}]
    assert [d["name"] for d in get(scientist, "/namespaces/warehouse/datasets")["datasets"]] == ["board", "clean", "raw"]
    assert scientist.get("/api/v1/namespaces/warehouse/datasets/absent").status_code == 404
    assert get(told.foreign_admin, "/jobs") == {"jobs": [], "totalCount": 0}


def ids(graph):
    return {n["id"] for n in graph["graph"]}


def test_lineage_around_a_node(told):
    scientist = told["data-scientist"]
    graph = get(scientist, "/lineage?nodeId=dataset:warehouse:clean&depth=1")
    assert ids(graph) == {"dataset:warehouse:clean", "job:credit:etl", "job:credit:report"}
    whole = get(scientist, "/lineage?nodeId=job:credit:report")
    assert ids(whole) == {"dataset:warehouse:raw", "job:credit:etl", "dataset:warehouse:clean", "job:credit:report",
                          "dataset:warehouse:board"}
    clean = next(n for n in whole["graph"] if n["id"] == "dataset:warehouse:clean")
    assert clean["type"] == "DATASET" and clean["data"]["name"] == "clean"
    assert clean["inEdges"] == [{"origin": "job:credit:etl", "destination": "dataset:warehouse:clean"}]
    assert clean["outEdges"] == [{"origin": "dataset:warehouse:clean", "destination": "job:credit:report"}]
    assert ids(get(told.admin, "/lineage?nodeId=job:credit:report")) == ids(whole) | {
        "job:airflow:at-large", "dataset:warehouse:secret"}
    assert scientist.get("/api/v1/lineage?nodeId=job:airflow:at-large").status_code == 404
    assert scientist.get("/api/v1/lineage").status_code == 400


def test_column_lineage(told):
    scientist = told["data-scientist"]
    up = get(scientist, "/column-lineage?nodeId=datasetField:warehouse:clean:amount")
    assert ids(up) == {"datasetField:warehouse:clean:amount", "datasetField:warehouse:raw:euros"}
    amount = next(n for n in up["graph"] if n["id"].endswith("amount"))
    assert amount["data"]["fieldType"] == "BIGINT" and amount["data"]["transformationType"] == "DIRECT"
    assert amount["data"]["inputFields"] == [{"namespace": "warehouse", "dataset": "raw", "field": "euros"}]
    assert ids(get(scientist, "/column-lineage?nodeId=dataset:warehouse:raw")) == {"datasetField:warehouse:raw:euros"}
    assert ids(get(scientist, "/column-lineage?nodeId=dataset:warehouse:raw&withDownstream=true")) == ids(up)


def test_events_and_search(told):
    scientist = told["data-scientist"]
    events = get(scientist, "/events/lineage?limit=2")
    assert events["totalCount"] == 3 and len(events["events"]) == 2
    assert events["events"][0]["eventType"] == "FAIL"
    assert get(scientist, "/events/lineage?sortDirection=asc")["events"][0]["eventType"] == "START"
    assert get(scientist, "/events/lineage?after=2026-01-02T00:00:00Z")["totalCount"] == 1
    assert get(scientist, "/events/lineage?before=2026-01-01T10:00:05Z")["totalCount"] == 1
    found = get(scientist, "/search?q=E")
    assert {r["nodeId"] for r in found["results"]} == {"job:credit:etl", "job:credit:report", "dataset:warehouse:clean"}
    assert get(scientist, "/search?q=e&filter=DATASET")["totalCount"] == 1
    assert scientist.get("/api/v1/search").status_code == 400


def test_another_project_sees_none_of_it(told):
    told.admin.ok("PUT", "/v1/projects/aside", {})
    stranger = person(told.service, told.admin, "aside", [("reader", "aside")])
    assert get(stranger, "/namespaces") == {"namespaces": []}
    assert get(stranger, "/search?q=e")["totalCount"] == 0
    assert get(stranger, "/events/lineage")["totalCount"] == 0
    assert stranger.get("/api/v1/lineage?nodeId=dataset:warehouse:clean").status_code == 404


def test_names_with_slashes_are_one_part_of_the_path(told):
    """As Marquez' clients send them: s3%3A%2F%2Fbucket."""
    scientist, bucket = told["data-scientist"], "s3://lake.example/raw"
    out = {"namespace": bucket, "name": "/year=2026/cents.parquet"}
    assert post(scientist, run_event("COMPLETE", uuid.uuid4(), "load/nightly", [], [out], at="2026-01-03T00:00:00Z")).ok
    namespace, name = (urllib.parse.quote(t, safe="") for t in (bucket, out["name"]))
    assert "%2F" in namespace and get(scientist, f"/namespaces/{namespace}")["name"] == bucket
    found = get(scientist, f"/namespaces/{namespace}/datasets")["datasets"]
    assert [d["name"] for d in found] == [out["name"]]
    assert get(scientist, f"/namespaces/{namespace}/datasets/{name}")["name"] == out["name"]
    job = get(scientist, "/namespaces/credit/jobs/load%2Fnightly")
    assert job["outputs"] == [out] and get(scientist, "/namespaces/credit/jobs/load%2fnightly/runs")["totalCount"] == 1
    assert told.foreign_admin.get(f"/api/v1/namespaces/{namespace}").status_code == 404
    for elsewhere in ("/v1/projects/credit%2Fmodels", "/api/v1/namespaces/credit%2Fjobs/x%2F..%2Fy", "/api%2Fv1/namespaces"):
        assert scientist.get(elsewhere).status_code == 400
