#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long taking a role away lasts with three replicas on one database: from the request to the reply, which comes when
no replica allows by it any more. usage: bench_barrier.py BUILD [REVOCATIONS]
"""
import sys
import time

import sides

REVOCATIONS = 500


def timed(line, method, path, body, token):
    data = line.pack([(method, path, body)], token)
    began = time.perf_counter()
    assert line.burst(data, 1) == [204]
    return (time.perf_counter() - began) * 1000


def summary(name, took):
    took.sort()
    median, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    print(f"{name}: median {median:.1f} ms, p99 {p99:.1f} ms, worst {took[-1]:.1f} ms", flush=True)
    return median, p99


def bench(stories, revocations=REVOCATIONS):
    """(median, p99) in milliseconds; a write that waits for nobody is measured in turn with it."""
    import replicas  # beside the stories

    took, other = [], []
    with replicas.Replicas(3) as three:
        admin = three.world.admin
        stories.person(three[0], admin, "leaver")
        lines = [replicas.Line(s) for s in three]
        for i in range(revocations):
            given = admin.ok("POST", "/v1/bindings", {"principal": "leaver", "role": "reader", "scope": "project",
                                                      "project": "credit"})
            line = lines[i % 3]
            took.append(timed(line, "DELETE", f"/v1/bindings/{given['id']}", b"", admin.token))
            other.append(timed(line, "PUT", "/v1/projects/credit/models/probe/tags/turn", b'{"value":"%d"}' % i,
                               admin.token))
    summary("a write that waits for nobody", other)
    return summary("revocation, three replicas", took)


if __name__ == "__main__":
    bench(sides.build(sys.argv[1]), *map(int, sys.argv[2:3]))
