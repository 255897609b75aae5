# SPDX-License-Identifier: Apache-2.0
"""MLflow's own client, unmodified, tracing functions into the real service: a tracking URI, a token, nothing else.

The client lives in the virtual environment of test_mlflow.py.
"""
import json
import os
import re
import subprocess

import pytest
from test_mlflow import HERE, python, world  # noqa: F401  (fixtures)


@pytest.fixture(scope="module")
def client(world, python):  # noqa: F811
    """Calls mlflow_traces_peer.py as one of the people; (its result, what it complained of)."""
    def call(who, *arguments, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        done = subprocess.run(
            [python, HERE / "mlflow_traces_peer.py", *map(str, arguments)], capture_output=True, text=True, timeout=300, cwd="/tmp",
            env={**clean, "MLFLOW_TRACKING_URI": world.service.url, "MLFLOW_TRACKING_TOKEN": who.token,
                 "MLFLOW_TRACKING_SERVER_CERT_PATH": str(world.service.ca), "MLFLOW_DISABLE_TELEMETRY": "true",
                 "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "GIT_PYTHON_REFRESH": "quiet", **environment}, check=False)
        assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
        assert not re.search("Failed to (send|upload|log)", done.stderr), done.stderr[-4000:]
        return json.loads(done.stdout.split("RESULT ")[1])
    return call


@pytest.fixture(scope="module")
def story(world, client):  # noqa: F811
    return client(world["data-scientist"], "story")


def test_nested_spans(story):
    assert story["answer"] == {"answer": "a b", "score": 2.0}
    good = story["good"]
    assert good["state"] == "OK" and good["tags"]["kind"] == "question" and good["metadata"]["mlflow.trace.session"] == "s-1"
    assert [json.loads(p) for p in good["preview"]] == [{"question": "what?", "session": "s-1"}, story["answer"]]
    ask, look_up, rank = (good["spans"][name] for name in ("ask", "look_up", "rank"))
    assert [s["type"] for s in (ask, look_up, rank)] == ["CHAIN", "RETRIEVER", "RERANKER"]
    assert ask["root"] and not look_up["root"] and not rank["root"] and ask["start"] < look_up["start"] < rank["start"]
    assert ask["outputs"] == story["answer"] and isinstance(ask["outputs"]["score"], float) and rank["inputs"] == {"question": "what?", "limit": 3}
    assert rank["attributes"] == {"model": "ranker-2", "weights": [0.5, 1.0, {"deep": None}]}


def test_an_exception_and_what_waits(story):
    bad = story["bad"]
    assert bad["state"] == "ERROR" and bad["spans"]["fail"]["status"] == "ERROR" and bad["spans"]["fail"]["events"] == ["exception"]
    assert bad["spans"]["look_up"]["status"] == "OK" and story["waited"] == ["async", "one", "one", "one"]


def test_search(world, client):  # noqa: F811
    seen = client(world["data-scientist"], "search")
    everything = ["0", "1", "2", "3", "4", "5", "run"]
    assert seen == {"number": ["3"], "session": ["1", "3", "5"], "span": everything, "type": everything, "feedback": ["run"], "run": ["run"],
                    "status": [], "name": everything, "rlike": ["1", "2"], "null": ["run"], "pages": everything[:5], "sessions": [3, 3], "table": 7}


def test_assessments(world, client):  # noqa: F811
    seen = client(world["data-scientist"], "assess")
    assert seen == {"changed": [4.0, "fair"], "old": [4.0, False], "better": [5.0, True], "expected": {"a": [1, 2]}, "error": "no judge",
                    "seen": {"qualityFalse": 4.0, "answerFalse": {"a": [1, 2]}, "qualityTrue": 5.0}}


def test_deletion(world, client):  # noqa: F811
    assert client(world["data-scientist"], "delete") == {"found": 4, "some": 1, "rest": 2, "left": 1}


def test_files_of_a_trace(world, client):  # noqa: F811
    scientist = world["data-scientist"]
    seen = client(scientist, "attachment")
    path = seen["location"].removeprefix("mlflow-artifacts:/")
    found = scientist.ok("GET", f"/api/2.0/mlflow-artifacts/artifacts?path={path}/attachments", headers={"X-MLFLOW-WORKSPACE": "credit"})
    assert [f["file_size"] for f in found["files"]] == [400]


def test_datasets_and_scorers(world, client):  # noqa: F811
    seen = client(world["data-scientist"], "evaluate")
    assert seen["name"] == "questions" and seen["first"] == 2 and seen["again"] == 3 and seen["left"] == 2
    assert seen["expected"] == {"answer": "b", "more": 1} and seen["found"] == ["questions"] and seen["tags"]["team"] == "risk"
    assert seen["by"] == "the-data-scientist" and seen["experiments"] == [1, 2, 1] and seen["gone"] == "RESOURCE_DOES_NOT_EXIST"
    assert seen["versions"] == [1, 2] and seen["listed"] == [["tone", 2]] and seen["text"] == {"n": 1} and seen["after"] == [2]


def test_two_tenants_side_by_side(world, client, story):  # noqa: F811
    theirs = client(world.foreign_admin, "story", MLFLOW_WORKSPACE="claims")
    assert theirs["good"]["spans"].keys() == story["good"]["spans"].keys()
    for trace in story["ids"]:
        assert client_sees(client, world.foreign_admin, trace, "claims") in ({"found": None}, {"code": "RESOURCE_DOES_NOT_EXIST"})
    assert client_sees(client, world["data-scientist"], story["ids"][0], "credit") == {"found": story["ids"][0]}


def client_sees(client, who, trace, project):
    return client(who, "foreign", trace, MLFLOW_WORKSPACE=project)


def test_questions_about_many_traces(world, client):  # noqa: F811
    seen = client(world["data-scientist"], "analyse")
    assert seen["spans"] == {"CHAIN": 4, "RETRIEVER": 4, "RERANKER": 4} and seen["latency"] == ["AVG", "P50.0"]
    assert seen["session"] == {"COUNT": 2} and seen["linked"] == [4, 2, 2, 4] and abs(seen["npmi"]) < 1e-9
    assert seen["sent"] == [200, {}] and seen["there"] == ["I'm a server span", 1544712660000000000, "some value"]
