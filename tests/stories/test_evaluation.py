# SPDX-License-Identifier: Apache-2.0
"""Evaluation datasets and scorers, in the words of MLflow's clients."""
import json
import secrets

import pytest
from service import person
from test_mlflow import Tracker

V3 = "/api/3.0/mlflow"


class Judge(Tracker):
    def __init__(self, client, project="credit"):
        super().__init__(client, project, V3)

    def experiment(self, name=None):
        return self.ok("POST", "/api/2.0/mlflow/experiments/create", {"name": name or secrets.token_hex(6)})["experiment_id"]

    def dataset(self, name, **more):
        return self.ok("POST", "/datasets/create", {"name": name, **more})["dataset"]

    def put(self, dataset, *records):
        return self.ok("POST", f"/datasets/{dataset}/records", {"records": json.dumps(records)})

    def records(self, dataset, **more):
        page = self.ok("GET", f"/datasets/{dataset}/records", more)
        return json.loads(page["records"]), page.get("next_page_token")

    def found(self, **more):
        return [d["name"] for d in self.ok("POST", "/datasets/search", more)["datasets"]]


@pytest.fixture(scope="module")
def judge(world):
    return Judge(world["data-scientist"])


@pytest.fixture(scope="module")
def others(world):
    """Of the same tenant in another project, and of another tenant."""
    world.admin.ok("PUT", "/v1/projects/elsewhere", {})
    return [Judge(person(world.service, world.admin, "the-stranger", [("data-scientist", "elsewhere")]), "elsewhere"),
            Judge(world.foreign_admin, "claims")]


def test_a_dataset_from_beginning_to_end(judge):
    one, two = judge.experiment(), judge.experiment()
    made = judge.dataset("questions", experiment_ids=[one], tags=json.dumps({"team": "risk"}))
    name = made["dataset_id"]
    assert name.startswith("d-") and made["created_by"] == "the-data-scientist" and json.loads(made["tags"]) == {"team": "risk"}
    assert made["experiment_ids"] == [one] and json.loads(made["profile"]) == {"num_records": 0} and isinstance(made["created_time"], int)
    changed = judge.ok("PATCH", f"/datasets/{name}/tags", {"tags": json.dumps({"a": "b"})})["dataset"]
    assert json.loads(changed["tags"]) == {"team": "risk", "a": "b"} and changed["digest"] != made["digest"]
    judge.ok("DELETE", f"/datasets/{name}/tags/team", {})
    assert json.loads(judge.ok("GET", f"/datasets/{name}")["dataset"]["tags"]) == {"a": "b"}
    assert judge.ok("POST", f"/datasets/{name}/add-experiments", {"experiment_ids": [one, two]})["dataset"]["experiment_ids"] == sorted([one, two], key=int)
    assert judge.ok("POST", f"/datasets/{name}/remove-experiments", {"experiment_ids": [one]})["dataset"]["experiment_ids"] == [two]
    assert judge.ok("GET", f"/datasets/{name}/experiment-ids") == {"experiment_ids": [two]}
    judge.ok("DELETE", f"/datasets/{name}", {})
    judge.refused("GET", f"/datasets/{name}", {}, "RESOURCE_DOES_NOT_EXIST", name, status=404)


def test_the_same_inputs_are_the_same_record(judge):
    name = judge.dataset("records")["dataset_id"]
    first = {"inputs": {"q": "what?", "n": 1}, "expectations": {"a": 1}, "tags": {"t": "1"}, "source": {"source_type": "TRACE", "source_data": {"trace_id": "tr-1"}}}
    assert judge.put(name, first, {"inputs": {"q": "why?", "deep": {"x": None}}, "outputs": "that"}) == {"inserted_count": 2, "updated_count": 0}
    assert judge.put(name, {"inputs": {"n": 1, "q": "what?"}, "expectations": {"b": 2}, "outputs": {"o": 1}}) == {"inserted_count": 0, "updated_count": 1}
    records, token = judge.records(name)
    assert token is None and [r["inputs"]["q"] for r in records] == ["what?", "why?"]
    assert records[0]["expectations"] == {"a": 1, "b": 2} and records[0]["outputs"] == {"o": 1} and records[0]["tags"] == {"t": "1"}
    assert records[0]["source_type"] == "TRACE" and records[0]["source_id"] == "tr-1" and records[1]["inputs"]["deep"] == {"x": None}
    assert records[0]["dataset_record_id"].startswith("dr-") and records[0]["created_by"] == "the-data-scientist" and records[1]["outputs"] == "that"
    gone = judge.ok("DELETE", f"/datasets/{name}/records", {"dataset_record_ids": [records[0]["dataset_record_id"], "dr-" + "0" * 32]})
    assert gone == {"deleted_count": 1} and len(judge.records(name)[0]) == 1


def test_records_in_pages(judge):
    name = judge.dataset("many")["dataset_id"]
    judge.put(name, *[{"inputs": {"n": n}} for n in range(25)])
    seen, token = [], None
    while True:
        page, token = judge.records(name, max_results=10, **({"page_token": token} if token else {}))
        seen += [r["inputs"]["n"] for r in page]
        if token is None:
            break
    assert sorted(seen) == list(range(25)) and len(seen) == 25


def test_search(judge):
    experiment = judge.experiment()
    for n in range(4):
        judge.dataset(f"found-{n}", tags=json.dumps({"n": str(n)}), **({"experiment_ids": [experiment]} if n % 2 else {}))
    assert judge.found(filter_string="name LIKE 'found-%'", order_by=["name"]) == [f"found-{n}" for n in range(4)]
    assert judge.found(filter_string="tags.n = '2'") == ["found-2"] and judge.found(experiment_ids=[experiment], order_by=["name DESC"]) == ["found-3", "found-1"]
    assert len(judge.found(filter_string="created_time > 0 AND created_by = 'the-data-scientist' AND name LIKE 'found-%'")) == 4
    page = judge.ok("GET", "/datasets/search", {"max_results": 1})
    assert len(page["datasets"]) == 1 and page["next_page_token"]
    for wrong in ({"filter_string": "nothing = 'a'"}, {"order_by": ["tags.n"]}, {"page_token": "x"}, {"max_results": 0}):
        judge.refused("POST", "/datasets/search", wrong, "INVALID_PARAMETER_VALUE")


def test_wrong_datasets_and_records(world, judge):
    name = judge.dataset("whole")["dataset_id"]
    with world.service.unchanged():
        judge.refused("POST", "/datasets/create", {}, "INVALID_PARAMETER_VALUE", "name")
        judge.refused("POST", "/datasets/create", {"name": "x" * 256}, "INVALID_PARAMETER_VALUE", "name")
        judge.refused("POST", "/datasets/create", {"name": "x", "tags": "[]"}, "INVALID_PARAMETER_VALUE", "tags")
        judge.refused("POST", "/datasets/create", {"name": "x", "tags": '{"a": 1}'}, "INVALID_PARAMETER_VALUE", "tags")
        judge.refused("POST", "/datasets/create", {"name": "x", "experiment_ids": ["99"]}, "RESOURCE_DOES_NOT_EXIST", status=404)
        for records in ("{}", "[1]", '[{"outputs": 1}]', '[{"inputs": 1}]', '[{"inputs": {}, "tags": []}]', "[", '[{"inputs": ' + "[" * 500 + "]" * 500 + "}]"):
            judge.refused("POST", f"/datasets/{name}/records", {"records": records}, "INVALID_PARAMETER_VALUE", "records")
        judge.refused("GET", f"/datasets/{name}/records", {"page_token": "x"}, "INVALID_PARAMETER_VALUE", "page_token")
        judge.refused("DELETE", f"/datasets/{name}/records", {"dataset_record_ids": ["x"]}, "INVALID_PARAMETER_VALUE", "dataset_record_ids")
        for odd in ("d-0", "x", "d-" + "z" * 32, "m-" + "0" * 32):
            judge.refused("GET", f"/datasets/{odd}", {}, "RESOURCE_DOES_NOT_EXIST", status=404)


def test_scorers(world, judge):
    experiment = judge.experiment()
    def key(**more):
        return {"experiment_id": experiment, "name": "tone", **more}
    made = judge.ok("POST", "/scorers/register", key(serialized_scorer='{"n": 1}'))
    assert made["version"] == 1 and made["experiment_id"] == experiment and made["serialized_scorer"] == '{"n": 1}'
    assert judge.ok("POST", "/scorers/register", key(serialized_scorer='{"n": 2}'))["scorer_id"] == made["scorer_id"]
    assert [s["scorer_version"] for s in judge.ok("GET", "/scorers/list", {"experiment_id": experiment})["scorers"]] == [2]
    assert [s["scorer_version"] for s in judge.ok("GET", "/scorers/versions", key())["scorers"]] == [1, 2]
    assert judge.ok("GET", "/scorers/get", key(version=1))["scorer"]["serialized_scorer"] == '{"n": 1}'
    assert judge.ok("GET", "/scorers/get", key())["scorer"]["scorer_version"] == 2
    judge.ok("DELETE", "/scorers/delete", key(version=2))
    judge.refused("GET", "/scorers/get", key(version=2), "RESOURCE_DOES_NOT_EXIST", status=404)
    assert judge.ok("POST", "/scorers/register", key(serialized_scorer="{}"))["version"] == 3  # no number comes back
    judge.ok("DELETE", "/scorers/delete", key())
    judge.refused("GET", "/scorers/versions", key(), "RESOURCE_DOES_NOT_EXIST", status=404)
    with world.service.unchanged():
        for wrong in ("x", "[]", '{"call_source": "import os"}'):
            judge.refused("POST", "/scorers/register", key(serialized_scorer=wrong), "INVALID_PARAMETER_VALUE", "serialized_scorer")
        judge.refused("POST", "/scorers/register", {"experiment_id": "99", "name": "a", "serialized_scorer": "{}"}, "RESOURCE_DOES_NOT_EXIST", status=404)


def test_pr_25066_datasets_and_scorers_of_another_project(world, judge, others):
    """What belongs to another project is answered as what never was, and stays as it is."""
    experiment = judge.experiment()
    name = judge.dataset("ours", experiment_ids=[experiment])["dataset_id"]
    judge.put(name, {"inputs": {"n": 1}})
    record = judge.records(name)[0][0]["dataset_record_id"]
    judge.ok("POST", "/scorers/register", {"experiment_id": experiment, "name": "tone", "serialized_scorer": "{}"})
    never = "d-" + "0" * 31 + "1"
    calls = [("GET", "", None), ("DELETE", "", {}), ("PATCH", "/tags", {"tags": "{}"}), ("DELETE", "/tags/a", {}), ("GET", "/records", None),
             ("POST", "/records", {"records": "[]"}), ("DELETE", "/records", {"dataset_record_ids": [record]}), ("GET", "/experiment-ids", None),
             ("POST", "/add-experiments", {"experiment_ids": []}), ("POST", "/remove-experiments", {"experiment_ids": [experiment]})]
    for who in others:
        with world.service.unchanged():
            for api in ("/api", "/ajax-api"):
                for method, path, body in calls:
                    replies = [who.call(method, f"{api}/3.0/mlflow/datasets/{d}{path}", body) for d in (name, never)]
                    assert [r.status_code for r in replies] == [404, 404], (method, path, replies[0].text)
                    assert replies[0].text.replace(name, never) == replies[1].text
            assert who.found() == [] and who.found(experiment_ids=[experiment]) == []
            assert who.ok("GET", "/scorers/list", {"experiment_id": experiment}) == {"scorers": []} == who.ok("GET", "/scorers/list")
            for path, method in (("get", "GET"), ("versions", "GET"), ("delete", "DELETE")):
                who.refused(method, f"/scorers/{path}", {"experiment_id": experiment, "name": "tone"}, "RESOURCE_DOES_NOT_EXIST", status=404)
