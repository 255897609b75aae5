# SPDX-License-Identifier: Apache-2.0
"""Events of other systems: taken whatever their order, packing or number; kept; and part of the graph."""
import contextlib
import gzip
import hashlib
import json
import uuid
import zlib

import pytest
import raw
from service import DATA, person

PRODUCER = "https://example.com/pipeline"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"


def dataset(name, namespace="warehouse", **facets):
    return {"namespace": namespace, "name": name, "facets": facets}


def run_event(kind, run, job="etl", inputs=(), outputs=(), namespace="credit", at="2026-01-02T03:04:05.678Z", **more):
    event = {"eventTime": at, "producer": PRODUCER, "schemaURL": SCHEMA + "RunEvent", "eventType": kind,
             "run": {"runId": str(run), "facets": more.pop("run_facets", {})},
             "job": {"namespace": namespace, "name": job, "facets": more.pop("job_facets", {})},
             "inputs": list(inputs), "outputs": list(outputs)}
    event.update(more)
    return event


def post(client, body, path="/api/v1/lineage", **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data=data, headers={"Content-Type": "application/json", **headers})


def names(graph):
    return {n["name"] for n in graph["nodes"] if "name" in n}


def walk(client, node, direction="both", **more):
    query = "&".join(f"{k}={v}" for k, v in more.items())
    return client.ok("GET", f"/v1/lineage?node={node}&direction={direction}&{query}")


@pytest.fixture(scope="module")
def scientist(world):
    return world["data-scientist"]


def test_the_three_kinds_are_told_apart_and_join_one_graph(world, scientist):
    run = uuid.uuid4()
    assert post(scientist, run_event("COMPLETE", run, inputs=[dataset("raw")], outputs=[dataset("clean")])).ok
    assert post(scientist, {"eventTime": "2026-01-01T00:00:00Z", "producer": PRODUCER, "schemaURL": SCHEMA + "JobEvent",
                            "job": {"namespace": "credit", "name": "report"}, "inputs": [dataset("clean")],
                            "outputs": [dataset("board")]}).ok
    assert post(scientist, {"eventTime": "2026-01-01T00:00:00Z", "producer": PRODUCER, "schemaURL": SCHEMA + "DatasetEvent",
                            "dataset": dataset("raw", namespace="credit", schema={"fields": [{"name": "a"}]})}).ok
    found = walk(scientist, "ol-dataset:warehouse:board", "upstream")
    assert found["complete"]
    assert names(found) == {"ol-dataset:warehouse:board", "ol-job:credit:report", "ol-dataset:warehouse:clean",
                            f"ol-run:{run}", "ol-dataset:warehouse:raw", "ol-job:credit:etl"}
    assert {e["origin"] for e in found["edges"]} == {"declared"}
    assert {n["project"] for n in found["nodes"]} == {"credit"}


def test_events_come_in_any_order_alone_and_twice(world, scientist, service):
    run = uuid.uuid4()
    end = run_event("COMPLETE", run, "disorder", outputs=[dataset("o")], at="2026-01-02T00:00:09Z")
    start = run_event("START", run, "disorder", inputs=[dataset("i")], at="2026-01-02T00:00:01Z")
    for event in (end, start, end, start):
        assert post(scientist, event).json()["summary"]["successful"] == 1
    assert service.sql(f"SELECT count(*) FROM chancery.ol_event WHERE run_id = '{run}'").strip() == "2"
    assert service.sql("SELECT state, extract(epoch FROM ended_at - started_at)::int FROM chancery.ol_run"
                       f" WHERE run_id = '{run}'").strip() == "COMPLETE|8"
    assert {"ol-dataset:warehouse:i", "ol-dataset:warehouse:o"} <= names(walk(scientist, f"ol-run:{run}"))
    alone = uuid.uuid4()
    assert post(scientist, run_event("RUNNING", alone, "alone")).ok
    assert service.sql(f"SELECT state FROM chancery.ol_run WHERE run_id = '{alone}'").strip() == "RUNNING"


def test_what_is_unknown_is_kept_word_for_word(scientist, service):
    run = uuid.uuid4()
    facet = {"_producer": PRODUCER, "_schemaURL": "https://example.com/x", "deep": [1, 2.5, {"ä": None}], "big": 2**53 + 1}
    event = run_event("START", run, run_facets={"acme_custom": facet}, beyond="the specification")
    assert post(scientist, event).ok
    assert json.loads(service.sql(f"SELECT raw FROM chancery.ol_event WHERE run_id = '{run}'")) == event


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_gzip_of_every_level_and_a_charset(scientist, level):
    run = uuid.uuid4()
    facet = {"words": [hashlib.sha256(bytes([i % 251])).hexdigest() * (i % 7) for i in range(3000)]}
    body = json.dumps(run_event("START", run, run_facets={"x": facet})).encode()
    packed = gzip.compress(body, level)
    for encoded in (packed, gzip.compress(body[:100], level) + gzip.compress(body[100:], level)):
        reply = post(scientist, encoded, **{"Content-Encoding": "gzip", "Content-Type": "application/json; charset=UTF-8"})
        assert reply.status_code == 200, reply.text
    engine = zlib.compressobj(level, zlib.DEFLATED, 31, 9, zlib.Z_FIXED)
    fixed = engine.compress(body) + engine.flush()
    assert post(scientist, fixed, **{"Content-Encoding": "gzip"}).ok


def test_broken_packing_is_refused(scientist):
    packed = gzip.compress(json.dumps(run_event("START", uuid.uuid4())).encode() * 50)
    for at in (0, 3, 12, len(packed) // 2, len(packed) - 6, len(packed) - 2):
        broken = bytearray(packed)
        broken[at] ^= 0x55
        assert post(scientist, bytes(broken), **{"Content-Encoding": "gzip"}).status_code == 400, at
    assert post(scientist, packed[:-9], **{"Content-Encoding": "gzip"}).status_code == 400
    assert post(scientist, packed, **{"Content-Encoding": "br"}).status_code == 415
    bomb = gzip.compress(bytes(200 << 20))
    assert post(scientist, bomb, **{"Content-Encoding": "gzip"}).status_code == 413


def test_large_bodies_up_to_16_mebibytes(scientist):
    body = json.dumps(run_event("START", uuid.uuid4(), run_facets={"x": {"t": "y" * (15 << 20)}})).encode()
    assert post(scientist, body).status_code == 200
    assert post(scientist, body + b" " * (2 << 20)).status_code == 413


def test_larger_ones_are_refused_before_they_came(scientist, service):
    """By what they announce, or at the byte too many: nothing is kept until the end."""
    head = (f"POST /api/v1/lineage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {scientist.token}\r\n"
            "Content-Type: application/json\r\n")
    with raw.connect(service) as c:
        c.sendall((head + f"Content-Length: {17 << 20}\r\n\r\n").encode())
        assert raw.receive(c).status_code == 413, "announced, and not a byte of it sent"
    with raw.connect(service) as c:
        c.sendall((head + "Transfer-Encoding: chunked\r\n\r\n").encode())
        with contextlib.suppress(OSError):  # the answer may come, and the end, while we are still sending
            for _ in range(17):
                c.sendall(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
        assert raw.receive(c).status_code == 413, "the end never came"


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: {"events": e}])
def test_batches_take_what_is_good_and_name_the_rest(scientist, wrap):
    run = uuid.uuid4()
    events = [run_event("START", run), {"eventTime": "yesterday", "job": {"namespace": "credit", "name": "x"}},
              run_event("COMPLETE", run, outputs=[dataset("b")]), run_event("SOMETIME", run),
              run_event("START", run, namespace="claims-of-nobody"), {}]
    answer = post(scientist, wrap(events), "/api/v1/lineage/batch").json()
    assert answer["status"] == "partial_success"
    assert answer["summary"] == {"received": 6, "successful": 2, "failed": 4, "retriable": 0, "non_retriable": 4}
    assert sorted(f["index"] for f in answer["failed_events"]) == [1, 3, 4, 5]
    assert all(f["reason"] and f["retriable"] is False for f in answer["failed_events"])
    assert post(scientist, wrap([]), "/api/v1/lineage/batch").json()["status"] == "success"
    assert post(scientist, b'"x"', "/api/v1/lineage/batch").status_code == 400


@pytest.mark.parametrize("event", [
    b"", b"[]", b"{", b"7", b'{"eventTime":"2026-01-01T00:00:00Z"}',
    json.dumps(run_event("START", "not-a-uuid")).encode(),
    json.dumps(run_event("START", uuid.uuid4(), at="2026-01-01")).encode(),
    json.dumps(run_event("START", uuid.uuid4(), job="j" * 1000)).encode(),
    json.dumps(run_event("START", uuid.uuid4(), inputs=[{"name": "n"}])).encode(),
    json.dumps(run_event("START", uuid.uuid4(), inputs="many")).encode(),
    json.dumps(run_event("START", uuid.uuid4())).replace("etl", "e\\u0000l").encode(),
])
def test_what_is_no_event_is_refused_and_nothing_stays(service, scientist, event):
    with service.unchanged():
        assert post(scientist, event).status_code == 400


def test_who_may_write_where(world, service):
    event = run_event("START", uuid.uuid4())
    for role, status in (("reader", 403), ("auditor", 403), ("endpoint-consumer", 403), ("data-scientist", 200)):
        assert post(world[role], event).status_code == status, role
    at_large = run_event("START", uuid.uuid4(), namespace="airflow")
    assert post(world["data-scientist"], at_large).status_code == 403
    assert post(world["data-scientist"], at_large, **{"Chancery-Project": "credit"}).status_code == 200
    other = run_event("START", uuid.uuid4(), namespace="spark")
    assert post(world.admin, other).status_code == 200
    # What the tenant at large has begun is not a project's to go on with.
    assert post(world["data-scientist"], {**other, "eventType": "COMPLETE"}, **{"Chancery-Project": "credit"}).status_code == 403
    assert post(world.foreign_admin, run_event("START", uuid.uuid4(), outputs=[dataset("theirs")])).status_code == 200
    assert world.admin.get("/v1/lineage?node=ol-dataset:warehouse:theirs").status_code == 404
    assert post(service.client(), event).status_code == 401
    assert post(world["reader"], run_event("START", uuid.uuid4()), "/api/v1/lineage?project=credit").status_code == 403
    assert post(world["data-scientist"], other, **{"Chancery-Project": "nowhere"}).status_code in (403, 404)


def test_the_audit_entry_bears_the_digest_of_the_body(world, scientist):
    body = gzip.compress(json.dumps(run_event("OTHER", uuid.uuid4())).encode())
    reply = post(scientist, body, **{"Content-Encoding": "gzip"})
    entry = world["auditor"].ok("GET", f"/v1/audit?request={reply.headers['X-Request-Id']}")["value"]
    assert len(entry) == 1 and entry[0]["outcome"] == "ok"
    assert entry[0]["detail"]["detail"]["body_sha256"] == hashlib.sha256(body).hexdigest()
    assert entry[0]["object"].endswith(hashlib.sha256(body).hexdigest())


def test_columns_parents_and_commits(scientist):
    run, parent = uuid.uuid4(), uuid.uuid4()
    out = dataset("scores", columnLineage={"fields": {"score": {"inputFields": [
        {"namespace": "warehouse", "name": "people", "field": "income"},
        {"namespace": "warehouse", "name": "people", "field": "age"}]}}})
    event = run_event("COMPLETE", run, "score", inputs=[dataset("people")], outputs=[out],
                      run_facets={"parent": {"run": {"runId": str(parent)}, "job": {"namespace": "credit", "name": "dag"}}},
                      job_facets={"sourceCodeLocation": {"type": "git", "url": "https://git.example/etl", "version": "abc123"}})
    assert post(scientist, event).ok
    assert names(walk(scientist, "ol-column:warehouse:scores:score", "upstream")) == {
        "ol-column:warehouse:scores:score", "ol-column:warehouse:people:income", "ol-column:warehouse:people:age"}
    assert {f"ol-run:{parent}", "ol-job:credit:dag", "projects/credit/code/git.example/etl@abc123"} <= names(
        walk(scientist, f"ol-run:{run}", "upstream"))


def test_a_pipeline_that_made_our_data_stands_behind_the_served_model(world):
    version, job = world.trained(dataset="fed", model="fedmodel")
    node = f"projects/credit/datasets/fed/versions/{version['number']}"
    model = next(e for e in walk(world["auditor"], node, "downstream")["nodes"] if e["kind"] == "model-version")["name"]
    short = model.removeprefix("projects/credit/")
    world.promoted(short)
    world["deployer"].ok("PUT", "/v1/projects/credit/endpoints/fed", {})
    world["deployer"].ok("POST", "/v1/projects/credit/endpoints/fed/deployments", {"version": short})
    source = "/v1/lineage/impact?node=ol-dataset:warehouse:ledger"
    assert world["auditor"].get(source).status_code == 404
    run = uuid.uuid4()
    event = run_event("COMPLETE", run, "feed", inputs=[dataset("ledger")], outputs=[dataset(node, namespace="chancery")])
    assert post(world["data-scientist"], event).ok
    for who in ("auditor", "reader"):  # by look-up and by walk
        found = world[who].ok("GET", source)
        assert [e["endpoint"] for e in found["endpoints"]] == ["projects/credit/endpoints/fed"], who
        assert found["endpoints"][0]["serving"] and len(found["endpoints"][0]["approvals"]) == 2
        assert {a["action"] for a in found["endpoints"][0]["approvals"]} == {"train", "promote"}
        assert all(a["decided_by"] == ["the-approver"] for a in found["endpoints"][0]["approvals"])
    path = world["auditor"].ok("GET", f"/v1/lineage/path?from=ol-dataset:warehouse:ledger&to={model}")
    assert path["found"] and path["direction"] == "downstream"
    assert [n["kind"] for n in path["nodes"]] == ["ol-dataset", "ol-run", "dataset-version", "job", "model-version"]
    before = world["auditor"].ok("GET", source + "&known_at=2026-01-01T00:00:00Z")
    assert before["endpoints"] == []
    world["deployer"].ok("DELETE", "/v1/projects/credit/endpoints/fed/deployment")
    after = world["auditor"].ok("GET", source)["endpoints"][0]
    assert after["serving"] is False and after["until"] > after["from"]
    # A reader of another project neither adds to it nor sees it.
    world.admin.ok("PUT", "/v1/projects/elsewhere", {})
    stranger = person(world.service, world.admin, "stranger", [("data-scientist", "elsewhere")])
    assert stranger.get(source).status_code == 404
    assert post(stranger, run_event("START", uuid.uuid4(), "steal", namespace="elsewhere",
                                    outputs=[dataset(node, namespace="chancery")])).status_code == 403


def test_coverage_names_models_of_unknown_origin(world):
    world.trained(dataset="known", model="known")
    world.promoted("models/known/versions/1")
    deployer, owner = world["deployer"], world["project-owner"]
    model = owner.ok("GET", "/v1/projects/credit/models/known/versions/1")
    file = owner.get("/v1/projects/credit/models/known/versions/1/files/model.onnx").content
    base = "/v1/projects/credit/models/found"
    owner.ok("PUT", base, {})
    owner.ok("POST", base + "/versions", {})
    owner.ok("PUT", base + "/versions/1/files/model.onnx", data=file, headers={"Content-Type": "application/octet-stream"})
    owner.ok("POST", base + "/versions/1/finalize", {})
    approval = owner.ok("POST", "/v1/projects/credit/approvals",
                        {"action": "promote", "subject": "models/found/versions/1", "alias": "production"})
    world["approver"].ok("POST", f"/v1/projects/credit/approvals/{approval['id']}/decision", {"verdict": "approve", "reason": "ok"})
    for name in ("known", "found"):
        deployer.ok("PUT", f"/v1/projects/credit/endpoints/{name}", {})
        deployer.ok("POST", f"/v1/projects/credit/endpoints/{name}/deployments", {"version": f"models/{name}/versions/1"})
    answer = world["auditor"].ok("GET", "/v1/lineage/coverage")
    rows = {r["endpoint"].rsplit("/", 1)[1]: r for r in answer["models"]}
    assert rows["known"]["complete"] and not rows["found"]["complete"]
    assert rows["found"]["unknown"] == ["projects/credit/models/found/versions/1"]
    assert answer["production"] == len(answer["models"]) and answer["share"] == round(answer["complete"] / answer["production"], 4)
    assert world.foreign_admin.ok("GET", "/v1/lineage/coverage")["production"] == 0
    assert model["digest"]
