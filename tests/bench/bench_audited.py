#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What audit costs a governed write: the service and itself without entries (unaudited.c), in turns, under the
same 16 clients: PUT of a tag through TLS, token, roles, change and commit. All that audit does is counted:
entry and payload, their places in the tree, signing, the index of words.

usage: bench_audited.py BUILD [SECONDS] [ROUNDS]
"""
import pathlib
import statistics
import sys

import bench_http
import sides

CLIENTS, CEILING = 16, 0.25
PUT = ("wrk.format('PUT', '/v1/projects/credit/models/' .. (i % 1000 + 1) .. '/tags/stage',"
       " wrk.headers, '{\"value\":\"v' .. i .. '\"}')")


def begin(stories, program=None):
    """A service with a project of 1,000 models, and the token of who may tag them."""
    service = stories.Service(None, "--token-minutes", "60")
    if program:
        service.program = program
    service.start()
    scientist = stories.World(service)["data-scientist"]
    for i in range(1, bench_http.MODELS + 1):
        scientist.ok("PUT", f"/v1/projects/credit/models/{i}", {})
    service.sql("ANALYZE")
    return service, scientist.token


def main(build="build", seconds=5, rounds=5):
    stories = sides.build(build)
    both = []
    try:
        both.append(begin(stories))
        both.append(begin(stories, pathlib.Path(build).resolve() / "tests/bench/chanceryd-unaudited"))
        costs = []
        for i in range(int(rounds)):
            loads = {}
            for side in ((0, 1) if i % 2 == 0 else (1, 0)):
                service, token = both[side]
                sides.settled(service)
                loads[side] = sides.wrk(service, token, bench_http.prepared(PUT), CLIENTS, int(seconds))
            costs.append(1 - loads[0].rate / loads[1].rate)
            cpu = [sum(loads[side][1:]) for side in (0, 1)]
            print(f"governed write, {CLIENTS} clients: {loads[0].rate:6.0f}/s with audit, {loads[1].rate:6.0f}/s without:"
                  f" audit costs {100 * costs[-1]:3.0f} % (of the processors' time {100 * (1 - cpu[1] / cpu[0]):3.0f} %)", flush=True)
        entries = int(both[1][0].sql("SELECT count(*) FROM chancery.audit_entry"))
        assert entries == 0, f"the other side wrote {entries} entries"
    finally:
        for service, _ in both:
            service.close()
    cost = statistics.median(costs)
    print(f"audit costs a governed write {100 * cost:.0f} % of its throughput (target: at most {100 * CEILING:.0f} %)")
    return cost <= CEILING


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
