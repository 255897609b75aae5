# SPDX-License-Identifier: Apache-2.0
"""chancery import mlflow from a server that lies: each lie is named, and the rest comes."""
import uuid

import fake_mlflow
import pytest
from import_support import fresh, importer, source, values  # noqa: F401  (fixtures)


@pytest.mark.parametrize("lie, says", [
    ({"path": "../../../etc/passwd", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": "/etc/passwd", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": "elsewhere/x", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": "a\\b", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": "file:///etc/passwd", "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": ".", "is_dir": True}, "no path of a file"),
    ({"path": "a" * 600, "is_dir": False, "file_size": 3}, "no path of a file"),
    ({"path": 7, "is_dir": False}, "without a path"),
    ({"path": "longer", "is_dir": False, "file_size": 2}, "larger than its listing"),
    ({"path": "shorter", "is_dir": False, "file_size": 9}, "shorter than its listing"),
    ({"path": "away", "is_dir": False, "file_size": 3}, "redirects"),
    ({"path": "broken", "is_dir": False, "file_size": 3}, "500"),
])
def test_a_lie_about_files_is_named_and_nothing_is_taken(importer, source, lie, says):
    run, = fresh(1)
    source.experiment("1", "lies")
    source.run("1", run, files={"good": b"good"})
    listing = fake_mlflow.ok({"files": [{"path": "good", "is_dir": False, "file_size": 4}, lie]})
    source.answers["/api/2.0/mlflow/artifacts/list"] = lambda query, body: listing
    where = f"/api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/"
    source.answers[where + "longer"] = source.answers[where + "shorter"] = lambda query, body: (200, {}, b"abc")
    source.answers[where + "away"] = lambda query, body: (302, {"Location": importer.world.service.url + "/health"}, b"")
    source.answers[where + "broken"] = lambda query, body: (500, {}, b"")
    told = importer.run(source, code=4)
    assert [why for why in told.whys if says in why], told.whys
    place = f"{importer.experiments()['lies']['experiment_id']}/{run}/artifacts"
    assert [f["path"] for f in importer.tracker.ok("GET", "/api/2.0/mlflow-artifacts/artifacts", {"path": place})["files"]] == ["good"]


def test_a_file_without_end_or_size_is_left(importer, source):
    run, = fresh(1)
    source.experiment("1", "endless")
    source.run("1", run)
    source.answers["/api/2.0/mlflow/artifacts/list"] = lambda query, body: fake_mlflow.ok({"files": [
        {"path": "endless", "is_dir": False, "file_size": 1000}, {"path": "empty", "is_dir": False}]})
    where = f"/api/2.0/mlflow-artifacts/artifacts/1/{run}/artifacts/"
    source.answers[where + "endless"] = lambda query, body: (200, {"Content-Length": str(1 << 40)}, b"x" * 100_000)
    source.answers[where + "empty"] = lambda query, body: (200, {}, b"")
    told = importer.run(source, code=4)
    assert told.whys == ["the file is larger than its listing says"] and told.counts["files"] == (2, 1, 1)


def test_folders_without_end_are_left(importer, source):
    run, = fresh(1)
    source.experiment("1", "deep")
    source.run("1", run)
    source.answers["/api/2.0/mlflow/artifacts/list"] = lambda query, body: fake_mlflow.ok(
        {"files": [{"path": (query.get("path", "") + "/d").lstrip("/"), "is_dir": True}]})
    told = importer.run(source, code=4)
    assert any("nested more than" in why for why in told.whys)


def pages_of_the_same(source):
    run, = fresh(1)
    source.experiment("1", "round")
    source.run("1", run)
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: fake_mlflow.ok(
        {"runs": [source.runs[run]], "next_page_token": uuid.uuid4().hex})
    return "page after page"


def histories_of_the_same(source):
    run, = fresh(1)
    source.experiment("1", "history")
    source.run("1", run, metrics={"m": [(1, 1, 1)]})
    source.answers["/api/2.0/mlflow/metrics/get-history"] = lambda query, body: fake_mlflow.ok(
        {"metrics": source.histories[run, "m"], "next_page_token": "again"})
    return "no end"


def no_json(source):
    source.experiment("1", "words")
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: (200, {}, b"<html>welcome</html>")
    return "no JSON"


def no_object(source):
    source.experiment("1", "list")
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: (200, {}, b"[1, 2, 3]")
    return "no JSON object"


def nested(source):
    source.experiment("1", "nested")
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: (200, {}, b'{"runs":' + b"[" * 100_000)
    return "no JSON"


def huge(source):
    source.experiment("1", "huge")
    source.answers["/api/2.0/mlflow/runs/search"] = lambda query, body: (200, {}, b" " * (65 << 20))
    return "larger than 64 MiB"


def no_types(source):
    run, = fresh(1)
    source.experiment("1", "types")
    source.run("1", run, params={"a": "1"}, metrics={"m": [({"of": "what"}, "x", [])]})
    source.runs[run]["data"]["tags"] = "none"
    return "no numbers"


def bad_key(source):
    run, = fresh(1)
    source.experiment("1", "keys")
    source.run("1", run, params={"good": "1", "bad\x07key": "2", "k" * 300: "3"})
    return "is refused"


def longer_value(source):
    run, = fresh(1)
    source.experiment("1", "long")
    source.run("1", run, params={"good": "1", "long": "ü" * 4000})
    return "--shorten"


def foreign_place(source):
    run, = fresh(1)
    source.experiment("1", "places")
    source.run("1", run)
    source.register("somewhere", {}, [(1, "s3://bucket/models/of/others", "", {}), (2, "file:///etc/passwd", "", {})])
    return "no run or model of the source"


def no_ids(source):
    source.experiments["x"] = {"name": 7, "experiment_id": "x"}
    return "without name or id"


@pytest.mark.parametrize("lie", [pages_of_the_same, histories_of_the_same, no_json, no_object, nested, huge, no_types, bad_key,
                                 longer_value, foreign_place, no_ids])
def test_a_lying_source_is_named_and_the_rest_comes(importer, source, lie):
    says, (run,) = lie(source), fresh(1)
    source.experiment("2", "honest")
    source.runs = {run: None, **source.runs}
    source.run("2", run, params={"a": "b"}, files={"f": b"1"})
    told = importer.run(source, code=4)
    assert [why for why in told.whys if says in why], told.whys
    if "runs/search" not in str(list(source.answers)):
        assert values(importer.show(run)["data"]["params"]) == {"a": "b"}
