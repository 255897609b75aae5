# SPDX-License-Identifier: Apache-2.0
"""Traces, spans and assessments, in the words of MLflow's clients and of OpenTelemetry's programs."""
import base64
import gzip
import hashlib
import itertools
import json
import math
import secrets

import otlp
import pytest
from service import person
from test_mlflow import Tracker

V3 = "/api/3.0/mlflow"
V2 = "/api/2.0/mlflow"
NUMBERS = itertools.count(1)


class Traces(Tracker):
    """Somebody's traces in one project."""

    def __init__(self, client, project="credit"):
        super().__init__(client, project, V3)

    def experiment(self, name=None):
        return self.ok("POST", V2 + "/experiments/create", {"name": name or secrets.token_hex(6)})["experiment_id"]

    def send(self, experiment, *spans, data=None, **headers):
        headers = {"Content-Type": "application/x-protobuf", "X-MLFLOW-WORKSPACE": self.project,
                   "x-mlflow-experiment-id": experiment, **headers}
        return self.client.post("/v1/traces", data=otlp.request(*spans) if data is None else data, headers=headers)

    def sent(self, experiment, *spans, **headers):
        reply = self.send(experiment, *spans, **headers)
        assert reply.status_code == 200 and reply.content == b"", reply.text
        assert reply.headers["Content-Type"] == "application/x-protobuf"

    def told(self, experiment, trace=None, **info):
        """A trace that its client describes; its id."""
        trace = trace or f"tr-{secrets.token_hex(16)}"
        self.ok("POST", "/traces", {"trace": {"trace_info": {
            "trace_id": trace, "request_time": "2026-01-31T08:00:00.123Z", "execution_duration": "1.5s", "state": "OK",
            "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}, **info}}})
        return trace

    def info(self, trace):
        return self.ok("GET", f"/traces/{trace}")["trace"]["trace_info"]

    def whole(self, trace):
        return self.ok("GET", "/traces/get", {"trace_id": trace})["trace"]

    def page(self, experiment, filter="", **more):
        return self.ok("POST", "/traces/search", {
            "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}], "filter": filter, **more})

    def found(self, experiment, filter="", **more):
        return [t["trace_id"] for t in self.page(experiment, filter, **more)["traces"]]

    def assess(self, trace, name="correct", **what):
        return self.ok("POST", f"/traces/{trace}/assessments", {"assessment": {
            "assessment_name": name, "trace_id": trace, "source": {"source_type": "HUMAN", "source_id": "ann"}, **what}})["assessment"]


@pytest.fixture(scope="module")
def traces(world):
    return Traces(world["data-scientist"])


@pytest.fixture
def stranger(world):
    """Of the same tenant, in another project."""
    world.admin.ok("PUT", "/v1/projects/elsewhere", {})
    name = f"the-stranger-{next(NUMBERS)}"
    return Traces(person(world.service, world.admin, name, [("data-scientist", "elsewhere")]), "elsewhere")


def test_a_trace_that_its_client_describes(traces):
    experiment = traces.experiment()
    trace = traces.told(experiment, request_preview="what?", response_preview="that", client_request_id="c-1",
                        trace_metadata={"mlflow.trace.session": "s-1", "long": "x" * 9000}, unknown=1,
                        tags={"mlflow.traceName": "ask", "team": "risk", "mlflow.artifactLocation": "file:///etc"})
    info = traces.info(trace)
    assert info["request_time"] == "2026-01-31T08:00:00.123Z" and info["execution_duration"] == "1.500s"
    assert info["state"] == "OK" and info["client_request_id"] == "c-1" and info["request_preview"] == "what?"
    assert info["trace_location"] == {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    assert info["trace_metadata"]["mlflow.trace.session"] == "s-1" and len(info["trace_metadata"]["long"]) == 8000
    assert info["tags"] == {"mlflow.traceName": "ask", "team": "risk",
                            "mlflow.artifactLocation": f"mlflow-artifacts:/{experiment}/traces/{trace}/artifacts"}
    traces.told(experiment, trace, state="ERROR", tags={"team": "other"})  # again is not once more
    again = traces.info(trace)
    assert again["state"] == "ERROR" and again["tags"]["team"] == "other" and again["tags"]["mlflow.traceName"] == "ask"
    assert traces.found(experiment) == [trace]


def test_spans_come_back_as_they_were_sent(traces):
    experiment, trace = traces.experiment(), secrets.randbits(127) + 1
    values = {"text": "naïve \"quoted\"\n", "yes": True, "count": -7, "share": 0.25, "whole": 2.0, "list": [1, "a", None, [2.5]],
              "deep": {"a": {"b": [{}]}}, "bytes": b"\x00\xff", "big": 2**63 - 1, "nothing": None, "odd": "a\x00b",
              "mlflow.spanType": "CHAIN", "mlflow.spanInputs": {"q": "what?"}, "session.id": "s-9", "mlflow.traceTag.team": "risk"}
    traces.sent(experiment, otlp.span(trace, 2, "child", parent=1, start=1_700_000_000_100, took=50, status=2, message="it broke"),
                otlp.span(trace, 1, "root", attributes=values, events=["exception"], links=[(77, 8)]))
    whole = traces.whole(otlp.name_of(trace))
    info, root, child = whole["trace_info"], *whole["spans"]
    assert info["state"] == "OK" and info["execution_duration"] == "1.000s" and info["request_time"] == "2023-11-14T22:13:20.000Z"
    assert info["tags"]["mlflow.trace.spansLocation"] == "TRACKING_STORE" and info["tags"]["team"] == "risk"
    assert info["tags"]["mlflow.traceName"] == "root" and info["trace_metadata"] == {"mlflow.trace.session": "s-9"}
    assert info["request_preview"] == '{"q":"what?"}'
    assert base64.b64decode(root["trace_id"]) == trace.to_bytes(16, "big") and "parent_span_id" not in root
    assert base64.b64decode(child["parent_span_id"]) == base64.b64decode(root["span_id"]) == (1).to_bytes(8, "big")
    assert child["status"] == {"code": "STATUS_CODE_ERROR", "message": "it broke"} and root["status"]["code"] == "STATUS_CODE_OK"
    assert root["start_time_unix_nano"] == 1_700_000_000_000_000_000 and root["kind"] == 1
    said = {p["key"]: p["value"] for p in root["attributes"]}
    assert said["text"] == {"string_value": "naïve \"quoted\"\n"} and said["yes"] == {"bool_value": True}
    assert said["count"] == {"int_value": -7} and said["big"] == {"int_value": 2**63 - 1} and said["nothing"] == {}
    assert said["share"] == {"double_value": 0.25} and said["whole"] == {"double_value": 2.0}
    assert said["list"] == {"array_value": {"values": [{"int_value": 1}, {"string_value": "a"}, {},
                                                       {"array_value": {"values": [{"double_value": 2.5}]}}]}}
    assert said["deep"]["kvlist_value"]["values"][0]["key"] == "a" and said["bytes"] == {"string_value": "AP8="}
    assert said["odd"] == {"string_value": "a\ufffdb"}
    assert root["events"] == [{"name": "exception", "time_unix_nano": 1_700_000_000_000_000_000,
                               "attributes": [{"key": "why", "value": {"string_value": "it did"}}]}]
    assert base64.b64decode(root["links"][0]["trace_id"]) == (77).to_bytes(16, "big")


def test_spans_before_between_and_after_the_description(traces):
    experiment, trace = traces.experiment(), secrets.randbits(127) + 1
    name = otlp.name_of(trace)
    traces.sent(experiment, otlp.span(trace, 2, "child", parent=1, start=1_700_000_000_500))
    assert traces.info(name)["state"] == "IN_PROGRESS"
    traces.told(experiment, name, tags={"mlflow.traceName": "mine"}, state="ERROR")
    traces.sent(experiment, otlp.span(trace, 1, "root"))
    info = traces.info(name)
    assert info["state"] == "ERROR" and info["request_time"] == "2026-01-31T08:00:00.123Z" and info["tags"]["mlflow.traceName"] == "mine"
    for _ in range(2):
        traces.sent(experiment, otlp.span(trace, 1, "root again"))
    assert [s["name"] for s in traces.whole(name)["spans"]] == ["root again", "child"]


def test_packed_spans_and_partial_success(traces):
    experiment, trace = traces.experiment(), secrets.randbits(127) + 1
    packed = gzip.compress(otlp.request(otlp.span(trace, 1)))
    assert traces.send(experiment, data=packed, **{"Content-Encoding": "gzip"}).status_code == 200
    reply = traces.send(experiment, otlp.span(trace, 2, parent=1), otlp.span(b"short", 3), otlp.span(trace, b"\0" * 8))
    assert reply.status_code == 200
    assert reply.content == otlp.field(1, otlp.field(1, 2) + otlp.field(2, "span_id is not 8 bytes"))
    assert len(traces.whole(otlp.name_of(trace))["spans"]) == 2


def test_how_much_two_conditions_go_together(world, traces):
    """Normalized pointwise mutual information of a table that can be worked out by hand."""
    experiment = traces.experiment()
    for n in range(10):
        traces.told(experiment, tags={"a": str(n < 4), "b": str(n in (0, 1, 2, 9)), "c": "yes"}, state="ERROR" if n == 5 else "OK")
    def ask(first, second, **more):
        return traces.ok("POST", "/traces/calculate-filter-correlation", {
            "experiment_ids": [experiment], "filter_string1": first, "filter_string2": second, **more})
    def by_hand(both, first, second, every, more=0):
        both, first, second, every = both + more, first + 2 * more, second + 2 * more, every + 4 * more
        return math.log(both * every / (first * second)) / -math.log(both / every)
    seen = ask("tags.a = 'True'", "tags.b = 'True'")
    assert [seen[k] for k in ("filter1_count", "filter2_count", "joint_count", "total_count")] == [4, 4, 3, 10]
    assert seen["npmi"] == pytest.approx(by_hand(3, 4, 4, 10)) and seen["npmi_smoothed"] == pytest.approx(by_hand(3, 4, 4, 10, 0.5))
    never = ask("tags.a = 'True'", "status = 'ERROR'")
    assert never["npmi"] == -1 and never["joint_count"] == 0 and -1 < never["npmi_smoothed"] < 0
    assert ask("tags.c = 'yes'", "tags.c = 'yes'")["npmi"] == 1
    nothing = ask("tags.a = 'True'", "tags.z = 'x'")
    assert "npmi" not in nothing and "npmi_smoothed" not in nothing and nothing["filter2_count"] == 0
    based = ask("tags.a = 'True'", "tags.b = 'True'", base_filter="status = 'OK'")
    assert based["total_count"] == 9 and based["npmi"] == pytest.approx(by_hand(3, 4, 4, 9))
    path = "/traces/calculate-filter-correlation"
    with world.service.unchanged():
        for body, says in (({"filter_string1": "status = 'OK'", "filter_string2": "status = 'OK'"}, "experiment_ids"),
                           ({"experiment_ids": [experiment], "filter_string2": "status = 'OK'"}, "filter_string1"),
                           ({"experiment_ids": [experiment], "filter_string1": "nonsense", "filter_string2": "status = 'OK'"}, ""),
                           ({"experiment_ids": "x", "filter_string1": "a", "filter_string2": "b"}, "experiment_ids")):
            traces.refused("POST", path, body, "INVALID_PARAMETER_VALUE", says)


def test_counts_sums_and_percentiles(world, traces):
    experiment, minute = traces.experiment(), 1_700_000_040_000
    for n in range(6):
        trace, ms = secrets.randbits(127) + 1, (100, 200, 300, 400, 500, 1000)[n]
        traces.sent(experiment, otlp.span(trace, 1, "chat" if n < 4 else "plan", start=minute + n * 20_000, took=ms, status=2 if n == 5 else 1,
                                          attributes={"mlflow.spanType": "AGENT", "mlflow.llm.model": '"m1"',
                                                      "mlflow.llm.cost": json.dumps({"input_cost": 0.5, "total_cost": n})}))
        name = otlp.name_of(trace)
        traces.told(experiment, name, request_time=f"2023-11-14T22:1{4 + n // 3}:{n % 3 * 20:02}.000Z", execution_duration=f"{ms / 1000}s",
                    state="ERROR" if n == 5 else "OK", tags={"mlflow.traceName": "chat" if n < 4 else "plan", "a.b": str(n % 2)},
                    trace_metadata={"mlflow.trace.session": f"s{n % 2}", "mlflow.trace.tokenUsage": json.dumps(
                        {"input_tokens": 10 * n, "output_tokens": 1}) if n else '{"input_tokens": "many"'})
        traces.assess(name, "good", feedback={"value": "yes" if n % 2 else "no"})
    def ask(view, metric, *aggregations, **more):
        kinds = [{"aggregation_type": "PERCENTILE", "percentile_value": a} if isinstance(a, (int, float)) else {"aggregation_type": a}
                 for a in aggregations]
        points = traces.ok("POST", "/traces/metrics", {"experiment_ids": [experiment], "view_type": view, "metric_name": metric,
                                                      "aggregations": kinds, **more})["data_points"]
        assert all(p["metric_name"] == metric for p in points)
        return [(p["dimensions"], p["values"]) for p in points]
    assert ask("TRACES", "trace_count", "COUNT") == [({}, {"COUNT": 6})]
    assert ask("TRACES", "trace_count", "COUNT", dimensions=["trace_name", "trace_status"]) == [
        ({"trace_name": "chat", "trace_status": "OK"}, {"COUNT": 4}), ({"trace_name": "plan", "trace_status": "ERROR"}, {"COUNT": 1}),
        ({"trace_name": "plan", "trace_status": "OK"}, {"COUNT": 1})]
    assert ask("TRACES", "session_count", "COUNT") == [({}, {"COUNT": 2})]
    (_, latency), = ask("TRACES", "latency", "AVG", 50, 99.9, 0)
    assert latency["AVG"] == pytest.approx(2500 / 6) and latency["P50.0"] == 350 and latency["P0.0"] == 100
    assert latency["P99.9"] == pytest.approx(500 + 500 * (0.999 * 5 - 4))
    assert ask("TRACES", "input_tokens", "SUM", "AVG") == [({}, {"SUM": 150, "AVG": 30})]
    assert ask("TRACES", "cache_read_input_tokens", "SUM") == []
    assert ask("TRACES", "trace_count", "COUNT", time_interval_seconds=60, start_time_ms=0, end_time_ms=minute + 10 ** 9) == [
        ({"time_bucket": "2023-11-14T22:14:00+00:00"}, {"COUNT": 3}), ({"time_bucket": "2023-11-14T22:15:00+00:00"}, {"COUNT": 3})]
    assert ask("TRACES", "trace_count", "COUNT", start_time_ms=minute + 60_000) == [({}, {"COUNT": 3})]
    assert ask("TRACES", "trace_count", "COUNT", filters=["trace.tag.`a.b` = '1'", "trace.status = 'OK'"]) == [({}, {"COUNT": 2})]
    assert ask("TRACES", "trace_count", "COUNT", filters=["trace.metadata.mlflow.trace.session = 's0'"]) == [({}, {"COUNT": 3})]
    assert ask("SPANS", "span_count", "COUNT", dimensions=["span_name", "span_type"]) == [
        ({"span_name": "chat", "span_type": "AGENT"}, {"COUNT": 4}), ({"span_name": "plan", "span_type": "AGENT"}, {"COUNT": 2})]
    assert ask("SPANS", "total_cost", "SUM", dimensions=["span_model_name"]) == [({"span_model_name": "m1"}, {"SUM": 15})]
    assert ask("SPANS", "span_count", "COUNT", filters=["span.status = 'ERROR'"]) == [({}, {"COUNT": 1})]
    assert ask("SPANS", "latency", 100, filters=["span.name = 'chat'"]) == [({}, {"P100.0": 400})]
    assert ask("ASSESSMENTS", "assessment_value", "AVG", dimensions=["assessment_name"]) == [({"assessment_name": "good"}, {"AVG": 0.5})]
    assert ask("ASSESSMENTS", "assessment_count", "COUNT", dimensions=["assessment_value"]) == [
        ({"assessment_value": '"no"'}, {"COUNT": 3}), ({"assessment_value": '"yes"'}, {"COUNT": 3})]
    assert ask("ASSESSMENTS", "assessment_count", "COUNT", filters=["assessment.name = 'bad'"]) == [({}, {"COUNT": 0})]

    good = {"experiment_ids": [experiment], "view_type": "TRACES", "metric_name": "latency", "aggregations": [{"aggregation_type": "AVG"}]}
    with world.service.unchanged():
        for change, says in (({"view_type": "NONE"}, "view_type"), ({"metric_name": "x'--"}, "metric"), ({"aggregations": []}, "aggregations"),
                             ({"aggregations": [{"aggregation_type": "SUM"}]}, "AVG"), ({"aggregations": [5]}, "AVG"),
                             ({"aggregations": [{"aggregation_type": "PERCENTILE"}]}, "percentile"),
                             ({"aggregations": [{"aggregation_type": "PERCENTILE", "percentile_value": 101}]}, "percentile"),
                             ({"dimensions": ["t.id) --"]}, "dimension"), ({"filters": ["span.name = 'x'"]}, "filter"),
                             ({"filters": ["trace.status > 'x'"]}, "filter"), ({"filters": ["trace.status = 'a' AND trace.status = 'b'"]}, "filter"),
                             ({"time_interval_seconds": 60}, "start_time_ms"), ({"time_interval_seconds": -1}, "time_interval_seconds"),
                             ({"max_results": 10 ** 9}, "max_results"), ({"experiment_ids": []}, "experiment_ids")):
            traces.refused("POST", "/traces/metrics", {**good, **change}, "INVALID_PARAMETER_VALUE", says)


def test_spans_as_json_are_the_same_spans(traces):
    """OTLP/HTTP's JSON: hexadecimal ids, 64-bit integers as texts or numbers, enumerations as numbers."""
    experiment, trace = traces.experiment(), secrets.token_hex(16)
    attributes = [{"key": "s", "value": {"stringValue": "ü\n"}}, {"key": "b", "value": {"boolValue": True}},
                  {"key": "i", "value": {"intValue": "-9007199254740993"}}, {"key": "n", "value": {"intValue": 7}},
                  {"key": "d", "value": {"doubleValue": 0.1}}, {"key": "nan", "value": {"doubleValue": "NaN"}},
                  {"key": "x", "value": {"bytesValue": "AAEC"}}, {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {}]}}},
                  {"key": "m", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": 1}}]}}}]
    root = {"traceId": trace.upper(), "spanId": "0000000000000001", "name": "root", "kind": 2, "startTimeUnixNano": "1700000000000000001",
            "endTimeUnixNano": 1700000000500000001, "attributes": attributes, "status": {"code": 2, "message": "no"}, "unknown": {"a": [1]},
            "events": [{"timeUnixNano": "1700000000000000002", "name": "e", "attributes": attributes[:1]}],
            "links": [{"traceId": trace, "spanId": "0000000000000009"}], "parentSpanId": ""}
    child = {"traceId": trace, "spanId": "0000000000000002", "parentSpanId": "0000000000000001", "name": "child",
             "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    def send(*spans, **headers):
        body = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]}
        return traces.send(experiment, data=json.dumps(body).encode(), **{"Content-Type": "application/json; charset=utf-8", **headers})
    reply = send(root, child)
    assert reply.status_code == 200 and reply.json() == {} and reply.headers["Content-Type"].startswith("application/json"), reply.text
    spans = {s["name"]: s for s in traces.whole("tr-" + trace)["spans"]}
    assert len(spans) == 2 and spans["root"]["start_time_unix_nano"] == 1700000000000000001, spans
    said = {a["key"]: a["value"] for a in spans["root"]["attributes"]}
    assert said["i"] == {"int_value": -9007199254740993} and said["d"] == {"double_value": 0.1} and said["s"] == {"string_value": "ü\n"}
    assert said["l"]["array_value"]["values"][0] == {"string_value": "a"} and said["nan"] == {"string_value": "NaN"}
    assert said["x"] == {"string_value": "AAEC"} and spans["root"]["status"]["message"] == "no"

    wrong = [{**child, "spanId": "xyz"}, {**child, "traceId": "0" * 32}, {**child, "parentSpanId": "no id"}, {**child, "spanId": "00"}]
    reply = send({**child, "spanId": "0000000000000003"}, *wrong)
    assert reply.status_code == 200 and reply.json()["partialSuccess"]["rejectedSpans"] == "4", reply.text
    assert len(traces.whole("tr-" + trace)["spans"]) == 3


BAD_JSON = {
    "nothing": "", "a list": "[]", "no spans": '{"resourceSpans":[]}', "not closed": '{"resourceSpans":[', "not a list": '{"resourceSpans":{}}',
    "a member twice": '{"resourceSpans":[],"resourceSpans":[]}', "spans that are numbers": '{"resourceSpans":[{"scopeSpans":[{"spans":[5]}]}]}',
    "protobuf": otlp.request(otlp.span(1, 1)).decode("latin1"),
    **{f"a span whose {k} is {v}": json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "1" * 32, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1", "endTimeUnixNano": "2", k: v}]}]}]})
       for k, v in (("name", 5), ("startTimeUnixNano", "now"), ("startTimeUnixNano", "-1"), ("endTimeUnixNano", 1.5), ("kind", "x"),
                    ("attributes", [{"key": "k", "value": {"intValue": "9" * 30}}]), ("attributes", [{"key": "k", "value": {"bytesValue": "*"}}]),
                    ("attributes", [{"key": "k", "value": {"boolValue": "true"}}]), ("attributes", [5]), ("status", []), ("traceId", 7))},
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON)
def test_malformed_json_spans_are_refused_whole(world, traces, body):
    with world.service.unchanged():
        reply = traces.send("0", data=body.encode("latin1"), **{"Content-Type": "application/json"})
        assert reply.status_code == 400 and reply.json()["error_code"] == "INVALID_PARAMETER_VALUE", reply.text


def test_bombs_of_json_spans(world, traces):
    def deep(levels):
        value = '{"arrayValue":{"values":[' * levels + "{}" + "]}}" * levels
        return ('{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"' + "1" * 32 + '","spanId":"' + "1" * 16
                + '","attributes":[{"key":"k","value":' + value + "}]}]}]}]}").encode()
    with world.service.unchanged():
        for body, status in ((deep(100), 400), (deep(20000), 400), (b"[" * 100000, 400), (b" " * (5 << 20), 413),
                             (gzip.compress(b" " * (80 << 20)), 413)):
            packed = {"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
            assert traces.send("0", data=body, **{"Content-Type": "application/json", **packed}).status_code == status


MALFORMED = {
    "nothing": b"", "garbage": b"\xff" * 40, "no spans": otlp.field(1, b""), "cut off": otlp.request(otlp.span(1, 1))[:-3],
    "a length past the end": b"\x0a\xff\xff\xff\xff\x0f", "the wrong form": otlp.field(1, 7),
    "a group": b"\x0b\x0c", "a span that is a number": otlp.field(1, otlp.field(2, otlp.field(2, 5))),
    "a time that is text": otlp.request(otlp.span(1, 1, raw=otlp.field(7, "now"))),
    "a value of the wrong form": otlp.request(otlp.span(1, 1, raw=otlp.field(9, otlp.field(1, "k") + otlp.field(2, otlp.field(1, 5))))),
    "JSON": b'{"resourceSpans":[]}',
}


def nested(depth):
    value = b""
    for _ in range(depth):
        value = otlp.field(5, otlp.field(1, value))
    return value


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_spans_are_refused_whole(world, traces, body):
    with world.service.unchanged():
        reply = traces.send("0", data=body)
        assert reply.status_code == 400 and reply.json()["error_code"] == "INVALID_PARAMETER_VALUE", reply.text


def test_bombs_of_spans(world, traces):
    deep = otlp.request(otlp.span(1, 1, raw=otlp.field(9, otlp.field(1, "k") + otlp.field(2, nested(5000)))))
    many = otlp.request(*[otlp.span(1, n + 1) for n in range(20001)])
    empty = otlp.request(otlp.span(1, 1, raw=otlp.field(9, otlp.field(1, "k") + otlp.field(2, otlp.field(5, b"\x0a\x00" * (15 << 20))))))
    with world.service.unchanged():
        for body, status in ((deep, 400), (many, 413), (gzip.compress(b"\0" * (80 << 20)), 413), (gzip.compress(empty), 413), (b"x" * (17 << 20), 413)):
            packed = {"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
            assert traces.send("0", data=body, **packed).status_code == status


def test_headers_of_spans(world, traces):
    body = otlp.request(otlp.span(5, 1))
    with world.service.unchanged():
        assert traces.send("0", data=body, **{"Content-Type": "text/plain"}).status_code == 400
        assert traces.send("0", data=body, **{"Content-Encoding": "br"}).status_code == 400
        assert traces.send("0", data=gzip.compress(body)[:-9], **{"Content-Encoding": "gzip"}).status_code == 400
        assert traces.send("", data=body).status_code == 400 and traces.send("99", data=body).status_code == 404
        assert traces.send("../0", data=body).status_code == 404
        assert traces.send("0", data=body, **{"x-mlflow-run-id": "0" * 32}).status_code == 404


@pytest.fixture(scope="module")
def searched(traces):
    """An experiment of ten traces: (its id, their names, oldest first)."""
    experiment, names = traces.experiment(), []
    for n in range(10):
        trace = secrets.randbits(127) + 1
        traces.sent(experiment, otlp.span(trace, 1, f"root {n % 3}", start=1_700_000_000_000 + n * 1000, took=n * 10,
                                          status=2 if n == 4 else 1, attributes={"mlflow.spanType": "AGENT", "model": f"m{n}", "n": n}),
                    otlp.span(trace, 2, "tool", parent=1, start=1_700_000_000_000 + n * 1000, attributes={"mlflow.spanType": "TOOL" if n % 2 else "LLM", "50%": "a_b"}))
        names.append(otlp.name_of(trace))
        traces.ok("PATCH", f"/traces/{names[-1]}/tags", {"key": "number", "value": str(n)})
    traces.told(experiment, names[7], request_time="2023-11-14T22:13:27Z", execution_duration="0.07s", client_request_id="seven",
                trace_metadata={"mlflow.trace.session": "s", "mlflow.sourceRun": "abc", "user": "ann"})
    traces.assess(names[1], feedback={"value": True}, rationale="it is")
    traces.assess(names[2], feedback={"value": False})
    traces.assess(names[3], "score", feedback={"value": 0.75})
    traces.assess(names[4], "score", feedback={"value": 3})
    traces.assess(names[5], "answer", expectation={"value": "Paris"})
    traces.assess(names[6], "answer", expectation={"serialized_value": {"serialization_format": "JSON_FORMAT", "value": '["a"]'}})
    return experiment, names


FILTERS = {
    "status = 'ERROR'": [4], "attributes.status != 'OK'": [4], "trace.status IN ('ERROR', 'IN_PROGRESS')": [4],
    "timestamp_ms > 1700000007000": [8, 9], "timestamp < 1700000001000": [0], "attributes.timestamp_ms = 1700000003000": [3],
    "execution_time_ms >= 80 AND timestamp <= 1700000008000": [8], "end_time_ms = 1700000002020": [2],
    "name = 'root 2'": [2, 5, 8], "name LIKE 'root%' AND name != 'root 0' AND name != 'root 1'": [2, 5, 8], "name RLIKE '^root [12]$' AND name RLIKE '1'": [1, 4, 7],
    "tags.number = '3'": [3], "tag.number IN ('3', '4')": [3, 4], "tags.`number` ILIKE '3'": [3], "tags.number IS NULL": [],
    "tags.absent IS NOT NULL": [], "tags.number IS NOT NULL AND status = 'ERROR'": [4],
    "metadata.user = 'ann'": [7], "request_metadata.user LIKE 'a%'": [7], "metadata.user IS NULL AND status = 'ERROR'": [4],
    "metadata.`mlflow.trace.session` = 's'": [7], "run_id = 'abc'": [7], "attribute.run_id IN ('abc', 'x')": [7], "client_request_id = 'seven'": [7],
    "span.name = 'tool' AND status = 'ERROR'": [4], "span.type = 'TOOL' AND timestamp < 1700000004000": [1, 3], "span.status = 'ERROR'": [4],
    "span.type IN ('TOOL', 'X') AND tags.number = '1'": [1], "span.attributes.model = 'm6'": [6], "span.attributes.n = '6'": [6],
    "span.attributes.model RLIKE 'm[89]'": [8, 9], "span.content LIKE '%\"m7\"%'": [7], "text LIKE '%\"m7%'": [7], "trace.text ILIKE '%\"M7\"%'": [7],
    "span.attributes.absent IS NULL AND tags.number = '2'": [2],
    "feedback.correct = 'true'": [1], "feedback.correct = 'false'": [2], "feedback.correct != 'true'": [2], "feedback.score > 0.5": [3, 4],
    "feedback.score >= 3": [4], "feedback.score = '0.75'": [3], "feedback.score < 0.5": [], "expectation.answer = 'Paris'": [5], "expectation.answer LIKE '%a%'": [5, 6],
    "expectation.correct = 'true'": [], "feedback.correct IS NOT NULL": [1, 2], "expectation.answer IS NULL AND tags.number = '5'": [],
}


@pytest.mark.parametrize("filter", FILTERS)
def test_search_by(traces, searched, filter):
    experiment, names = searched
    assert traces.found(experiment, filter, order_by=["timestamp ASC"]) == [names[n] for n in FILTERS[filter]]


WRONG = ["status = OK", "status > 'OK'", "timestamp = 'x'", "nothing = 'a'", "span.nothing = 'a'", "metrics.a = 1", "a.b.c = 'd'", "name = 'a' OR name = 'b'",
         "name RLIKE '('", "name RLIKE '" + "a" * 1001 + "'", "feedback.score > 'a'", "feedback.score = 0.5 x", "tags.a IS", "tags.a IS NOT", "tags.a NOT NULL",
         "timestamp BETWEEN 1 AND 2", "name = 'a", "'; DROP TABLE trace; --", "feedback.x LIKE 5", "attributes. = 'a'"]


@pytest.mark.parametrize("filter", WRONG, ids=range(len(WRONG)))
def test_a_wrong_filter_is_refused(traces, searched, filter):
    reply = traces.call("POST", "/traces/search", {"locations": [{"mlflow_experiment": {"experiment_id": searched[0]}}], "filter": filter})
    assert reply.status_code == 400 and reply.json()["error_code"] == "INVALID_PARAMETER_VALUE", reply.text


@pytest.mark.parametrize("order", [[], ["timestamp_ms DESC"], ["timestamp ASC"], ["execution_time_ms DESC"], ["name", "timestamp"], ["status ASC"], ["run_id"]], ids=str)
def test_pages_hold_every_trace_once(traces, searched, order):
    experiment, names = searched
    seen, token = [], None
    while True:
        page = traces.page(experiment, max_results=3, order_by=order, **({"page_token": token} if token else {}))
        seen += [t["trace_id"] for t in page["traces"]]
        token = page.get("next_page_token")
        if token is None:
            break
    assert sorted(seen) == sorted(names) and len(seen) == 10
    if order in ([], ["timestamp_ms DESC"]):
        assert seen == names[::-1]
    if order == ["timestamp ASC"]:
        assert seen == names


def test_odd_pages(traces, searched):
    at = {"locations": [{"mlflow_experiment": {"experiment_id": searched[0]}}]}
    for more in ({"max_results": 501}, {"max_results": 0}, {"page_token": "x"}, {"page_token": "1:'"}, {"page_token": "+5"}, {"order_by": ["tags.a"]},
                 {"order_by": ["nothing"]}, {"locations": []}, {"locations": [{}]}, {"locations": "0"}):
        traces.refused("POST", "/traces/search", {**at, **more}, "INVALID_PARAMETER_VALUE")


def test_many_at_once(traces, searched):
    _, names = searched
    asked = [names[3], "tr-absent", names[1]]
    whole = traces.ok("GET", "/traces/batchGet", {"trace_ids": asked})["traces"]
    assert [t["trace_info"]["trace_id"] for t in whole] == [names[3], names[1]] and all(len(t["spans"]) == 2 for t in whole)
    infos = traces.ok("POST", "/traces/batchGetInfos", {"trace_ids": asked})["trace_infos"]
    assert [t["trace_id"] for t in infos] == [names[3], names[1]]
    traces.refused("GET", "/traces/get", {"trace_id": "tr-absent"}, "RESOURCE_DOES_NOT_EXIST", "tr-absent", status=404)
    traces.refused("GET", "/traces/batchGet", {}, "INVALID_PARAMETER_VALUE", "trace_ids")


def test_tags(traces):
    trace = traces.told(traces.experiment())
    for prefix in (V2, V3):
        traces.ok("PATCH", f"{prefix}/traces/{trace}/tags", {"key": "team", "value": "risk"})
        assert traces.info(trace)["tags"]["team"] == "risk"
        traces.ok("DELETE", f"{prefix}/traces/{trace}/tags", {"key": "team"})
        assert "team" not in traces.info(trace)["tags"]
        traces.refused("DELETE", f"{prefix}/traces/{trace}/tags", {"key": "team"}, "RESOURCE_DOES_NOT_EXIST", "team", status=404)
        traces.refused("PATCH", f"{prefix}/traces/{trace}/tags", {"key": "mlflow.artifactLocation", "value": "file:///"}, "INVALID_PARAMETER_VALUE", "immutable")
        traces.refused("PATCH", f"{prefix}/traces/tr-absent/tags", {"key": "a", "value": "b"}, "RESOURCE_DOES_NOT_EXIST", status=404)


def test_a_tag_leads_to_its_traces_whether_few_or_many_have_it(traces):
    """Up to 5,000 are looked up by a mark of the tag; more are met along the time. Neither shows those of another experiment."""
    experiment, other = traces.experiment(), traces.experiment()
    names = [traces.told(experiment, tags={"app": "ask", "odd": "50% \u2013 {a}"}) for _ in range(3)]
    traces.told(other, tags={"app": "ask"})
    assert sorted(traces.found(experiment, "tags.app = 'ask'")) == sorted(names)
    assert sorted(traces.found(experiment, "tags.odd = '50% \u2013 {a}'")) == sorted(names)
    traces.ok("PATCH", f"/traces/{names[0]}/tags", {"key": "app", "value": "other"})
    traces.ok("DELETE", f"{V2}/traces/{names[1]}/tags", {"key": "app"})
    assert traces.found(experiment, "tags.app = 'ask'") == [names[2]]
    assert traces.found(experiment, "tags.app = 'ask' AND tags.app = 'other'") == []
    assert traces.found(experiment, "tags.app = 'absent'") == [] and traces.found(experiment, "tags.absent = 'ask'") == []
    traces.client.service.sql("INSERT INTO chancery.trace (tenant_id, project_id, experiment_id, id, state, start_ms, tags, created_by) SELECT tenant_id,"
                       f" project_id, experiment_id, 'tr-many-' || n, 'OK', n, '{{\"app\": \"ask\"}}', created_by FROM chancery.trace,"
                       f" generate_series(1, 5100) n WHERE id = '{names[2]}'")
    newest = traces.found(experiment, "tags.app = 'ask'", max_results=3)
    assert newest == [names[2], "tr-many-5100", "tr-many-5099"]
    assert len(traces.found(experiment, "tags.app = 'other'")) == 1


def test_traces_of_a_run(traces):
    experiment = traces.experiment()
    run = traces.ok("POST", V2 + "/runs/create", {"experiment_id": experiment, "start_time": 1})["run"]["info"]["run_id"]
    trace, other = traces.told(experiment), traces.told(experiment)
    traces.ok("POST", V2 + "/traces/link-to-run", {"trace_ids": [trace, "tr-absent"], "run_id": run})
    sent = secrets.randbits(127) + 1
    traces.sent(experiment, otlp.span(sent, 1), **{"x-mlflow-run-id": run})
    assert sorted(traces.found(experiment, f"run_id = '{run}'")) == sorted([trace, otlp.name_of(sent)])
    assert traces.found(experiment, f"run_id != '{run}'") == [other]
    traces.refused("POST", V2 + "/traces/link-to-run", {"trace_ids": [trace], "run_id": "0" * 32}, "RESOURCE_DOES_NOT_EXIST", status=404)
    traces.ok("POST", V2 + "/traces/link-prompts", {"trace_id": trace, "prompt_versions": [{"name": "p", "version": "2"}]})
    assert traces.info(trace)["tags"]["mlflow.linkedPrompts"] == '[{"name": "p", "version": "2"}]'


def test_assessments(traces):
    trace = traces.told(traces.experiment(), assessments=[{
        "assessment_name": "early", "source": {"source_type": "CODE", "source_id": "judge"}, "feedback": {"value": "yes"},
        "create_time": "2026-01-31T08:00:00Z"}])
    assert [a["assessment_name"] for a in traces.info(trace)["assessments"]] == ["early"]
    made = traces.assess(trace, "score", feedback={"value": 1, "error": {"error_code": "E", "error_message": "m"}}, rationale="why",
                         metadata={"a": "b"}, span_id="s")
    assert made["assessment_id"].startswith("a-") and made["valid"] is True and made["feedback"]["error"]["error_code"] == "E"
    path = f"/traces/{trace}/assessments/{made['assessment_id']}"
    assert traces.ok("GET", path)["assessment"] == made
    changed = traces.ok("PATCH", path, {"assessment": {"feedback": {"value": 2}, "rationale": "not this", "metadata": {"c": "d"}},
                                        "update_mask": "feedback,metadata"})["assessment"]
    assert changed["feedback"] == {"value": 2} and changed["rationale"] == "why" and changed["metadata"] == {"a": "b", "c": "d"}
    renamed = traces.ok("PATCH", path, {"assessment": {"assessment_name": "mark"}, "update_mask": "assessmentName"})["assessment"]
    assert renamed["assessment_name"] == "mark" and renamed["feedback"] == {"value": 2}
    better = traces.assess(trace, "mark", feedback={"value": 5}, overrides=made["assessment_id"])
    assert traces.ok("GET", path)["assessment"]["valid"] is False and better["overrides"] == made["assessment_id"]
    traces.ok("DELETE", f"/traces/{trace}/assessments/{better['assessment_id']}")
    assert traces.ok("GET", path)["assessment"]["valid"] is True
    traces.ok("DELETE", path)
    traces.refused("GET", path, {}, "RESOURCE_DOES_NOT_EXIST", status=404)


def test_wrong_assessments(world, traces):
    trace = traces.told(traces.experiment())
    good = {"assessment_name": "a", "feedback": {"value": 1}}
    expected = traces.assess(trace, "e", expectation={"value": 1})
    with world.service.unchanged():
        for wrong in ({"feedback": {"value": 1}}, {"assessment_name": "a"}, {**good, "expectation": {"value": 1}}, {**good, "assessment_name": "x" * 251},
                      {**good, "source": {"source_type": "GOD"}}, {**good, "metadata": {"a": 1}}, {**good, "create_time": "yesterday"}):
            traces.refused("POST", f"/traces/{trace}/assessments", {"assessment": wrong}, "INVALID_PARAMETER_VALUE")
        traces.refused("POST", f"/traces/{trace}/assessments", {}, "INVALID_PARAMETER_VALUE", "assessment")
        traces.refused("POST", f"/traces/{trace}/assessments", {"assessment": {**good, "overrides": "a-absent"}}, "RESOURCE_DOES_NOT_EXIST", status=404)
        traces.refused("POST", "/traces/tr-absent/assessments", {"assessment": good}, "RESOURCE_DOES_NOT_EXIST", status=404)
        traces.refused("PATCH", f"/traces/{trace}/assessments/{expected['assessment_id']}",
                       {"assessment": {"feedback": {"value": 1}}, "update_mask": "feedback"}, "RESOURCE_DOES_NOT_EXIST", status=404)


def test_deletion(world, traces):
    experiment, other = traces.experiment(), traces.experiment()
    names = []
    for n in range(5):
        trace = secrets.randbits(127) + 1
        traces.sent(experiment, otlp.span(trace, 1, start=1000 + n), otlp.span(trace, 2, parent=1))
        names.append(otlp.name_of(trace))
    traces.assess(names[0], feedback={"value": 1})
    kept = traces.told(other)
    delete = "/traces/delete-traces"
    assert traces.ok("POST", V2 + delete, {"experiment_id": experiment, "request_ids": [names[4], kept, "tr-absent"]}) == {"traces_deleted": 1}
    assert traces.ok("POST", delete, {"experiment_id": experiment, "max_timestamp_millis": 1002, "max_traces": 2}) == {"traces_deleted": 2}
    assert traces.found(experiment) == [names[3], names[2]] and traces.found(other) == [kept]
    assert world.service.sql(f"SELECT count(*) FROM chancery.trace_span s JOIN chancery.trace t ON t.key = s.trace_key"
                             f" WHERE t.experiment_id = {experiment}").strip() == "4"
    with world.service.unchanged():
        for wrong in ({}, {"request_ids": names, "max_timestamp_millis": 5}, {"max_timestamp_millis": 5, "max_traces": 0}):
            traces.refused("POST", delete, {"experiment_id": experiment, **wrong}, "INVALID_PARAMETER_VALUE")


def test_a_trace_belongs_to_one_experiment(traces):
    one, two, trace = traces.experiment(), traces.experiment(), secrets.randbits(127) + 1
    traces.sent(one, otlp.span(trace, 1))
    reply = traces.send(two, otlp.span(trace, 2, parent=1))
    assert reply.status_code == 200 and b"another experiment" in reply.content
    body = {"trace_id": otlp.name_of(trace), "request_time": "2026-01-31T08:00:00Z",
            "trace_location": {"mlflow_experiment": {"experiment_id": two}}}
    traces.refused("POST", "/traces", {"trace": {"trace_info": body}}, "RESOURCE_ALREADY_EXISTS", "another experiment")
    assert len(traces.whole(otlp.name_of(trace))["spans"]) == 1


def test_files_of_a_trace(world, traces, stranger):
    experiment = traces.experiment()
    trace = traces.told(experiment)
    place = f"{V2}-artifacts/artifacts/{experiment}/traces/{trace}/artifacts"
    header = {"X-MLFLOW-WORKSPACE": "credit"}
    put = traces.client.put(f"{place}/traces.json", data=b'{"spans":[]}', headers={**header, "Content-Type": "application/octet-stream"})
    assert put.status_code == 200, put.text
    assert traces.client.get(f"{place}/traces.json", headers=header).content == b'{"spans":[]}'
    listed = traces.ok("GET", f"{V2}-artifacts/artifacts", {"path": f"{experiment}/traces/{trace}/artifacts"})["files"]
    assert listed == [{"path": "traces.json", "is_dir": False, "file_size": 12, "sha256": hashlib.sha256(b'{"spans":[]}').hexdigest()}]
    for path in (f"{place}/traces.json", place.replace(trace, "tr-absent") + "/traces.json", place.replace(experiment, "0") + "/traces.json",
                 place.replace(trace, "..") + "/traces.json"):
        with world.service.unchanged():
            reply = stranger.client.put(path, data=b"theirs", headers={"X-MLFLOW-WORKSPACE": "elsewhere"})
            assert reply.status_code in (400, 404) and stranger.client.get(path, headers={"X-MLFLOW-WORKSPACE": "elsewhere"}).status_code in (400, 404)
    traces.ok("POST", "/traces/delete-traces", {"experiment_id": experiment, "request_ids": [trace]})
    assert traces.client.get(f"{place}/traces.json", headers=header).status_code == 404
    assert world.service.sql("SELECT count(*) FROM chancery.artifact WHERE owner = 'trace'").strip() == "0"


PATHS = [("GET", "{v3}/traces/{t}"), ("GET", "{v3}/traces/get?trace_id={t}"), ("PATCH", "{v3}/traces/{t}/tags"), ("DELETE", "{v3}/traces/{t}/tags"),
         ("PATCH", "{v2}/traces/{t}/tags"), ("DELETE", "{v2}/traces/{t}/tags"), ("POST", "{v3}/traces/{t}/assessments"),
         ("GET", "{v3}/traces/{t}/assessments/{a}"), ("PATCH", "{v3}/traces/{t}/assessments/{a}"), ("DELETE", "{v3}/traces/{t}/assessments/{a}")]
BODY = {"key": "k", "value": "v", "update_mask": "rationale", "assessment": {"assessment_name": "n", "feedback": {"value": 1}, "rationale": "r"}}


@pytest.mark.parametrize("method,path", PATHS, ids=[" ".join(p) for p in PATHS])
def test_cve_2025_15381_and_2026_8147_traces_of_another_project(world, traces, stranger, method, path):
    """A foreign trace is answered as one that never was, by either prefix, and stays as it is."""
    trace = traces.told(traces.experiment())
    assessment = traces.assess(trace, feedback={"value": 1})["assessment_id"]
    foreign = Traces(world.foreign_admin, "claims")
    body = BODY if method != "GET" else None
    for who in (stranger, foreign):
        for api in ("/api", "/ajax-api"):
            with world.service.unchanged():
                url = path.format(v3=api + "/3.0/mlflow", v2=api + "/2.0/mlflow", t=trace, a=assessment)
                never = f"tr-{secrets.token_hex(16)}"
                replies = [who.client.request(method, u, body, headers={"X-MLFLOW-WORKSPACE": who.project}) for u in (url, url.replace(trace, never))]
                assert [r.status_code for r in replies] == [404, 404], replies[0].text
                assert replies[0].text.replace(trace, never) == replies[1].text


def test_cve_2025_15381_lists_of_another_project(world, traces, stranger):
    experiment = traces.experiment()
    trace = traces.told(experiment)
    for who in (stranger, Traces(world.foreign_admin, "claims")):
        assert who.found(experiment) == [] and who.found("0") == []
        assert who.ok("GET", "/traces/batchGet", {"trace_ids": [trace]}) == {"traces": []}
        assert who.ok("POST", "/traces/batchGetInfos", {"trace_ids": [trace]}) == {"trace_infos": []}
        with world.service.unchanged():
            who.refused("POST", "/traces/delete-traces", {"experiment_id": experiment}, "INVALID_PARAMETER_VALUE")
            assert who.ok("POST", "/traces/delete-traces", {"experiment_id": experiment, "request_ids": [trace]}) == {"traces_deleted": 0}
            assert who.ok("POST", V2 + "/traces/delete-traces", {"experiment_id": experiment, "max_timestamp_millis": 2**62}) == {"traces_deleted": 0}
    for project in ("credit", "claims"):  # a header grants nothing
        assert stranger.client.get(f"{V3}/traces/{trace}", headers={"X-MLFLOW-WORKSPACE": project}).status_code == 404


def test_cve_2026_2652_spans_need_a_token(world, traces):
    body = otlp.request(otlp.span(9, 1))
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": "0", "X-MLFLOW-WORKSPACE": "credit"}
    nobody = world.service.client()
    with world.service.unchanged():
        for path in ("/v1/traces", "//v1/traces", "/v1/traces/", "/V1/traces", "/v1//traces", "/v1/%74races", "/v1/traces?x=1"):
            for more in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic YWRtaW46cGFzc3dvcmQxMjM0"}):
                assert nobody.post(path, data=body, headers={**headers, **more}).status_code in (400, 401, 404)
        assert world["reader"].post("/v1/traces", data=body, headers=headers).status_code == 403
        assert world.foreign_admin.post("/v1/traces", data=body, headers=headers).status_code == 404
        assert world["approver"].post("/v1/traces", data=body, headers=headers).status_code == 403


def test_the_same_id_in_two_projects_is_two_traces(traces, stranger):
    trace = secrets.randbits(127) + 1
    one = traces.experiment()
    traces.sent(one, otlp.span(trace, 1, "ours"))
    stranger.sent("0", otlp.span(trace, 1, "theirs"))
    assert [s["name"] for s in traces.whole(otlp.name_of(trace))["spans"]] == ["ours"]
    assert [s["name"] for s in stranger.whole(otlp.name_of(trace))["spans"]] == ["theirs"]
    assert stranger.ok("POST", "/traces/delete-traces", {"experiment_id": "0", "request_ids": [otlp.name_of(trace)]}) == {"traces_deleted": 1}
    assert traces.found(one) == [otlp.name_of(trace)]


def test_ids_that_are_none(world, traces):
    with world.service.unchanged():
        for odd in ("%2e%2e", "a%2Fb", "a%00b", "a'b", "x" * 65, "-a", "%F0%9F%98%80"):
            assert traces.client.get(f"{V3}/traces/{odd}", headers={"X-MLFLOW-WORKSPACE": "credit"}).status_code in (400, 404)
            body = {"trace_id": odd, "request_time": "2026-01-31T08:00:00Z", "trace_location": {"mlflow_experiment": {"experiment_id": "0"}}}
            traces.refused("POST", "/traces", {"trace": {"trace_info": body}}, "INVALID_PARAMETER_VALUE", "trace_id")


def test_each_change_is_on_record_once(world, traces):
    experiment = traces.experiment()
    trace = traces.told(experiment)
    replies = [traces.send(experiment, otlp.span(11, 1, attributes={"secret": "rosebud"})),
               traces.call("PATCH", f"/traces/{trace}/tags", {"key": "a", "value": "rosebud"}),
               traces.call("POST", f"/traces/{trace}/assessments", {"assessment": {"assessment_name": "a", "feedback": {"value": "rosebud"}}}),
               traces.call("POST", "/traces/delete-traces", {"experiment_id": experiment, "request_ids": [trace]})]
    assert [r.status_code for r in replies] == [200] * 4
    entries = {e["request"]: e for e in world["auditor"].ok("GET", "/v1/audit?limit=200")["value"]}
    found = [entries[r.headers["X-Request-Id"]] for r in replies]
    assert [e["action"] for e in found] == ["post_otlp_traces", "patch_mlflow_trace_tag", "post_mlflow_assessment", "post_mlflow_trace_deletion"]
    assert "rosebud" not in str(found) and found[3]["detail"]["body"]["request_ids"] == [trace] and found[3]["detail"]["detail"]["deleted"] == 1


def test_the_projects_policy_keeps_traces(world, stranger):
    policy = {"train": {"approvals": 1}, "promote": {"approvals": 1, "aliases": ["production"]}, "approval_hours": 720}
    path = "/v1/projects/elsewhere"
    old, young, delete = stranger.told("0"), stranger.told("0"), "/traces/delete-traces"
    world.service.sql(f"UPDATE chancery.trace SET created_ms = created_ms - 31 * 86400000::bigint WHERE id = '{old}'")
    assert world.admin.patch(path, {"policy": {**policy, "trace_days": 36501}}).status_code == 400
    world.admin.ok("PATCH", path, {"policy": {**policy, "trace_days": 30}})
    assert world.admin.ok("GET", path)["policy"]["trace_days"] == 30
    with world.service.unchanged():
        stranger.refused("POST", delete, {"experiment_id": "0", "request_ids": [old, young]}, "PERMISSION_DENIED", "30 days", status=403)
    assert stranger.ok("POST", delete, {"experiment_id": "0", "max_timestamp_millis": 2**62}) == {"traces_deleted": 1}
    assert young in stranger.found("0") and old not in stranger.found("0")
    world.admin.ok("PATCH", path, {"policy": {**policy, "trace_days": 0}})
    assert stranger.ok("POST", delete, {"experiment_id": "0", "request_ids": [young]}) == {"traces_deleted": 1}
