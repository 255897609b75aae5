# SPDX-License-Identifier: Apache-2.0
"""MLflow's own client at tracing, started by test_mlflow_traces.py with MLFLOW_TRACKING_URI and a token.

Each command does one piece of work and prints what it saw as JSON.
"""
import asyncio
import json
import sys
import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities import AssessmentSource, AssessmentSourceType, Feedback, SpanType
from mlflow.exceptions import MlflowException

HUMAN = AssessmentSource(source_type=AssessmentSourceType.HUMAN, source_id="ann")


def written():
    """Every trace so far is with the server."""
    mlflow.flush_trace_async_logging()


@mlflow.trace(span_type=SpanType.RETRIEVER)
def look_up(question):
    with mlflow.start_span("rank", span_type=SpanType.RERANKER) as span:
        span.set_inputs({"question": question, "limit": 3})
        span.set_attribute("model", "ranker-2")
        span.set_attribute("weights", [0.5, 1.0, {"deep": None}])
        span.set_outputs(["a", "b"])
    return ["a", "b"]


@mlflow.trace(name="ask", span_type=SpanType.CHAIN)
def ask(question, session=None):
    if session:
        mlflow.update_current_trace(metadata={"mlflow.trace.session": session, "mlflow.trace.user": "ann"}, tags={"kind": "question"})
    return {"answer": " ".join(look_up(question)), "score": 2.0}


@mlflow.trace(name="fail")
def fails():
    look_up("what?")
    raise ValueError("it broke")


@mlflow.trace(name="async")
async def parallel():
    @mlflow.trace
    async def one(n):
        await asyncio.sleep(0.01)
        return n
    return await asyncio.gather(*[one(n) for n in range(3)])


def last():
    written()
    return mlflow.get_last_active_trace_id()


def shown(trace):
    return {"state": str(trace.info.state.value), "location": trace.info.experiment_id, "tags": trace.info.tags, "metadata": trace.info.trace_metadata,
            "preview": [trace.info.request_preview, trace.info.response_preview], "duration": trace.info.execution_duration,
            "spans": {s.name: {"type": s.span_type, "inputs": s.inputs, "outputs": s.outputs, "status": s.status.status_code.value, "start": s.start_time_ns,
                               "root": s.parent_id is None, "events": [e.name for e in s.events],
                               "attributes": {k: v for k, v in s.attributes.items() if not k.startswith("mlflow.")}} for s in trace.data.spans}}


def story():
    """Functions that call each other, one that raises and one that waits."""
    mlflow.set_experiment("traced")
    answer = ask("what?", "s-1")
    good = mlflow.get_trace(last())
    try:
        fails()
    except ValueError:
        pass
    bad = mlflow.get_trace(last())
    asyncio.run(parallel())
    waited = mlflow.get_trace(last())
    return {"answer": answer, "good": shown(good), "bad": shown(bad), "waited": sorted(s.name for s in waited.data.spans),
            "ids": [good.info.trace_id, bad.info.trace_id, waited.info.trace_id]}


def search():
    mlflow.set_experiment("searched")
    for n in range(6):
        ask(f"what {n}?", f"s-{n % 2}")
        mlflow.set_trace_tag(last(), "number", str(n))
    with mlflow.start_run() as run:
        ask("in a run")
    trace = last()
    mlflow.log_feedback(trace_id=trace, name="good", value=True, source=HUMAN)

    def tagged(filter, **more):
        return [t.info.tags.get("number", "run") for t in mlflow.search_traces(filter_string=filter, return_type="list", order_by=["timestamp ASC"], **more)]
    written()
    return {"number": tagged("tags.number = '3'"), "session": tagged("metadata.`mlflow.trace.session` = 's-1'"), "span": tagged("span.attributes.model = 'ranker-2'"),
            "type": tagged("span.type = 'RERANKER' AND span.name LIKE 'ra%'"), "feedback": tagged("feedback.good = 'true'"), "run": tagged(None, run_id=run.info.run_id),
            "status": tagged("status = 'ERROR'"), "name": tagged("name = 'ask' AND timestamp_ms > 0"), "rlike": tagged("tags.number RLIKE '^[12]$'"),
            "null": tagged("tags.number IS NULL"), "pages": tagged(None, max_results=5),
            "sessions": sorted(len(s) for s in mlflow.search_sessions()), "table": len(mlflow.search_traces())}


def assess():
    mlflow.set_experiment("assessed")
    ask("what?")
    trace = last()
    feedback = mlflow.log_feedback(trace_id=trace, name="quality", value=3, rationale="fair", source=HUMAN, metadata={"a": "b"})
    expected = mlflow.log_expectation(trace_id=trace, name="answer", value={"a": [1, 2]}, source=HUMAN)
    error = mlflow.log_feedback(trace_id=trace, name="judged", error=ValueError("no judge"))
    changed = mlflow.update_assessment(trace_id=trace, assessment_id=feedback.assessment_id, assessment=Feedback(name="quality", value=4, source=HUMAN))
    better = mlflow.override_feedback(trace_id=trace, assessment_id=feedback.assessment_id, value=5, source=HUMAN)
    old = mlflow.get_assessment(trace, feedback.assessment_id)
    mlflow.delete_assessment(trace, error.assessment_id)
    seen = {a.name + str(a.assessment_id == better.assessment_id): getattr(a, "value", None) for a in mlflow.get_trace(trace).info.assessments}
    client = MlflowClient()
    client.set_trace_tag(trace, "a", "b")
    client.delete_trace_tag(trace, "a")
    return {"changed": [changed.value, changed.rationale], "old": [old.value, old.valid], "better": [better.value, better.overrides == old.assessment_id],
            "expected": expected.value, "error": error.error.error_message, "seen": seen}


def delete():
    mlflow.set_experiment("deleted")
    for n in range(4):
        ask(str(n))
    written()
    client, experiment = MlflowClient(), mlflow.get_experiment_by_name("deleted").experiment_id
    found = [t.info.trace_id for t in mlflow.search_traces(return_type="list")]
    some = client.delete_traces(experiment, trace_ids=found[:1])
    rest = client.delete_traces(experiment, max_timestamp_millis=int(time.time() * 1000) + 1000, max_traces=2)
    return {"found": len(found), "some": some, "rest": rest, "left": len(mlflow.search_traces(return_type="list"))}


def foreign(trace):
    """What somebody else's client sees of a trace."""
    try:
        found = mlflow.get_trace(trace)
        return {"found": None if found is None else found.info.trace_id}
    except MlflowException as error:
        return {"code": error.error_code}


def attachment():
    """Files of a trace go to its artifacts."""
    from mlflow.tracing.attachments import Attachment
    mlflow.set_experiment("attached")
    with mlflow.start_span("draws") as span:
        span.set_outputs({"image": Attachment(content_type="image/png", content_bytes=b"\x89PNG" * 100)})
    trace = mlflow.get_trace(last())
    return {"location": trace.info.tags["mlflow.artifactLocation"], "trace": trace.info.trace_id}


def records_of(dataset):
    """As the server has them now."""
    from mlflow.tracking._tracking_service.utils import _get_store
    return _get_store()._load_dataset_records(dataset.dataset_id)[0]


def evaluate():
    """Evaluation datasets and scorers by the client's own functions."""
    from mlflow.genai import datasets
    from mlflow.tracking._tracking_service.utils import _get_store
    one, two = (mlflow.set_experiment(name).experiment_id for name in ("judged", "judged too"))
    made = datasets.create_dataset(name="questions", experiment_id=[one], tags={"team": "risk"})
    made.merge_records([{"inputs": {"q": "a"}, "expectations": {"answer": "a"}}, {"inputs": {"q": "b"}, "expectations": {"answer": "?"}}])
    first = len(records_of(made))
    made.merge_records([{"inputs": {"q": "b"}, "expectations": {"answer": "b", "more": 1}}, {"inputs": {"q": "c"}}])
    seen = datasets.get_dataset(dataset_id=made.dataset_id)
    records = {r.inputs["q"]: r for r in records_of(seen)}
    found = [d.name for d in datasets.search_datasets(experiment_ids=[one], filter_string="name LIKE 'quest%'")]
    store, again, experiments = _get_store(), len(records), [len(seen.experiment_ids)]
    experiments.append(len(datasets.add_dataset_to_experiments(made.dataset_id, [two]).experiment_ids))
    experiments.append(len(datasets.remove_dataset_from_experiments(made.dataset_id, [one]).experiment_ids))
    store.delete_dataset_records(made.dataset_id, [records["c"].dataset_record_id])
    left = len(records_of(made))
    datasets.set_dataset_tags(dataset_id=made.dataset_id, tags={"a": "b"})
    datasets.delete_dataset_tag(dataset_id=made.dataset_id, key="a")
    datasets.delete_dataset(dataset_id=made.dataset_id)
    try:
        gone = datasets.get_dataset(dataset_id=made.dataset_id).name
    except MlflowException as error:
        gone = error.error_code
    for n in (1, 2):
        store.register_scorer(one, "tone", json.dumps({"n": n}))
    versions = [s.scorer_version for s in store.list_scorer_versions(one, "tone")]
    listed = [[s.scorer_name, s.scorer_version] for s in store.list_scorers(one)]
    text = json.loads(store.get_scorer(one, "tone", 1)._serialized_scorer)
    store.delete_scorer(one, "tone", 1)
    return {"name": seen.name, "first": first, "again": again, "left": left, "expected": records["b"].expectations, "found": found, "tags": seen.tags,
            "by": seen.created_by, "experiments": experiments, "gone": gone, "versions": versions, "listed": listed, "text": text,
            "after": [s.scorer_version for s in store.list_scorer_versions(one, "tone")]}


def analyse():
    """What the client asks of many traces at once, and spans as another program's JSON."""
    import os
    import requests
    from mlflow.entities.trace_metrics import AggregationType, MetricAggregation, MetricViewType
    from mlflow.tracking._tracking_service.utils import _get_store
    experiment = mlflow.set_experiment("analysed").experiment_id
    for n in range(4):
        ask(f"question {n}", session=f"s-{n % 2}")
    written()
    store, count = _get_store(), [MetricAggregation(AggregationType.COUNT)]
    spans = store.query_trace_metrics([experiment], MetricViewType.SPANS, "span_count", count, dimensions=["span_type"])
    latency = store.query_trace_metrics([experiment], MetricViewType.TRACES, "latency", [
        MetricAggregation(AggregationType.AVG), MetricAggregation(AggregationType.PERCENTILE, 50.0)])
    session = store.query_trace_metrics([experiment], MetricViewType.TRACES, "trace_count", count,
                                        filters=["trace.metadata.`mlflow.trace.session` = 's-1'"])
    linked = store.calculate_trace_filter_correlation([experiment], "tag.kind = 'question'", "metadata.`mlflow.trace.session` = 's-1'")
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "name": "I'm a server span", "kind": 2,
        "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000",
        "attributes": [{"key": "my.attr", "value": {"stringValue": "some value"}}]}]}]}]}
    sent = requests.post(os.environ["MLFLOW_TRACKING_URI"] + "/v1/traces", json=body, verify=os.environ["MLFLOW_TRACKING_SERVER_CERT_PATH"], timeout=60,
                         headers={"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"], "x-mlflow-experiment-id": experiment})
    there = mlflow.get_trace("tr-5b8efff798038103d269b633813fc60c").data.spans[0]
    return {"spans": {p.dimensions["span_type"]: p.values["COUNT"] for p in spans}, "latency": sorted(latency[0].values),
            "session": session[0].values, "linked": [linked.filter1_count, linked.filter2_count, linked.joint_count, linked.total_count],
            "npmi": linked.npmi, "sent": [sent.status_code, sent.json()], "there": [there.name, there.start_time_ns, there.attributes["my.attr"]]}


if __name__ == "__main__":
    print("RESULT " + json.dumps(globals()[sys.argv[1]](*sys.argv[2:]), default=str))
