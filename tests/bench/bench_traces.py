#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How searches of traces grow with the number of traces, and how many spans a second are taken.

usage: bench_traces.py BUILD [LARGEST] [ROUNDS]
Three experiments, each ten times the one before, are filled in the database; then each search is asked ROUNDS times
over TLS by one client. Printed are the 95th percentiles in ms and their growth from the smallest to the largest.
"""
import os
import secrets
import statistics
import sys
import time

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build"
os.environ["CHANCERY_BUILD"] = os.path.abspath(BUILD)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stories"))
import otlp  # noqa: E402  (the path is set above)
from service import Service, bootstrap  # noqa: E402

MOST = 3.0  # how much slower a search that goes along an index may be among a hundred times as many
FILTERS = {
    "newest 50": ("", True), "a minute": ("timestamp_ms >= {before} AND timestamp_ms < {last}", True),
    "a session": ("metadata.`mlflow.trace.session` = 's-7'", True), "a run": ("run_id = 'r-7'", True), "status": ("status = 'ERROR'", True),
    "name and span": ("name = 'ask-3' AND span.type = 'LLM'", True), "a tag of one trace": ("tags.number = '7'", True), "a tag of all": ("tags.app = 'bench'", True),
}


def fill(service, experiment, count):
    service.sql(f"""
        SET search_path = chancery; SET session_replication_role = replica;
        CREATE TEMP TABLE made AS SELECT gen_random_uuid() AS key, n FROM generate_series(1, {count}) n;
        INSERT INTO trace (tenant_id, key, project_id, experiment_id, id, state, start_ms, duration_ms, metadata, tags, told, spanned, created_by)
            SELECT e.tenant_id, m.key, e.project_id, e.id, 'tr-' || md5(m.n || '/{experiment}'), CASE WHEN n % 100 = 0 THEN 'ERROR' ELSE 'OK' END,
            1700000000000 + n * 1000::bigint, n % 997, jsonb_build_object('mlflow.trace.session', 's-' || n / 20),
            jsonb_build_object('mlflow.traceName', 'ask-' || n % 10, 'number', n::text, 'app', 'bench'), true, true, gen_random_uuid()
            FROM made m, experiment e WHERE e.id = {experiment};
        INSERT INTO trace_span (tenant_id, trace_key, id, name, type, status, kind, start_ns, end_ns, attributes, events, links)
            SELECT e.tenant_id, m.key, lpad(to_hex(s), 16, '0'), 'step', CASE s WHEN 1 THEN 'LLM' ELSE 'CHAIN' END, 'OK', 1, 1, 2,
            json_build_object('model', 'm', 'n', m.n), '[]', '[]' FROM made m, generate_series(1, 2) s, experiment e WHERE e.id = {experiment};
        INSERT INTO trace_run (tenant_id, trace_key, run) SELECT e.tenant_id, m.key, 'r-' || m.n / 20 FROM made m, experiment e WHERE e.id = {experiment};
    """)


def asked(client, experiment, filter, last, rounds):
    """The 95th percentile in ms."""
    body = {"locations": [{"mlflow_experiment": {"experiment_id": experiment}}], "max_results": 50, "filter": filter.format(last=last, before=last - 60000)}
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        assert client.ok("POST", "/api/3.0/mlflow/traces/search", body, headers={"X-MLFLOW-WORKSPACE": "bench"})["traces"]
        took.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(took, n=20)[-1]


def ingest(client, experiment, batches=50, size=200):
    """Spans a second, in batches of a hundred traces of two spans."""
    bodies = []
    for _ in range(batches):
        ids = [secrets.randbits(127) + 1 for _ in range(size // 2)]
        bodies.append(otlp.request(*[otlp.span(t, n, f"step {n}", parent=1 if n == 2 else None, attributes={"model": "m", "tokens": 17}) for t in ids for n in (1, 2)]))
    began = time.perf_counter()
    for body in bodies:
        reply = client.post("/v1/traces", data=body, headers={"Content-Type": "application/x-protobuf", "X-MLFLOW-WORKSPACE": "bench",
                                                              "x-mlflow-experiment-id": experiment})
        assert reply.status_code == 200, reply.text
    return batches * size / (time.perf_counter() - began)


def main(largest=200000, rounds=60):
    service = Service()
    wrong = []
    try:
        client = bootstrap(service.start(), service.bootstrap_code(), "acme")
        client.ok("PUT", "/v1/projects/bench", {})
        space = {"headers": {"X-MLFLOW-WORKSPACE": "bench"}}
        sizes = {n: client.ok("POST", "/api/2.0/mlflow/experiments/create", {"name": f"of {n}"}, **space)["experiment_id"]
                 for n in (largest // 100, largest // 10, largest)}
        print(f"spans taken: {ingest(client, '0'):.0f} a second, by one client in batches of 200")
        for count, experiment in sizes.items():
            fill(service, experiment, count)
        service.sql("SET search_path = chancery; VACUUM ANALYZE trace; VACUUM ANALYZE trace_span; VACUUM ANALYZE trace_run")
        for name, (filter, indexed) in FILTERS.items():
            p95 = [asked(client, e, filter, 1700000000000 + n * 1000, rounds) for n, e in sizes.items()]
            grown = p95[-1] / p95[0]
            verdict = "ok" if grown <= MOST else "not ok" if indexed else "no index"
            wrong += [name] if verdict == "not ok" else []
            print(f"{verdict:9}{name:20} p95 " + " / ".join(f"{t:.1f}" for t in p95) + f" ms at {' / '.join(map(str, sizes))}: x {grown:.1f}")
    finally:
        service.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[2:])))
