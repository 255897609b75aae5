#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What audit costs a governed write: the service and itself without entries (unaudited.c), in turns, under the
same 16 clients: PUT of a tag through TLS, token, roles, change and commit. "row" is what the entry costs the write
that makes it; "all" counts also what follows at the same time: places in the tree, signing, the index of words.

usage: bench_audited.py BUILD [SECONDS] [ROUNDS]
"""
import contextlib
import pathlib
import statistics
import subprocess
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


@contextlib.contextmanager
def nothing_follows(service):
    """Holds the rows that the sequencer and the keeper lock before they work."""
    psql = subprocess.Popen(["psql", "-X", "-q", "-At", "-h", service.socket(), "-U", "postgres", "chancery"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        psql.stdin.write("BEGIN; SELECT 1 FROM chancery.audit_log FOR UPDATE; SELECT 1 FROM chancery.audit_text_head FOR UPDATE;"
                         " SELECT 'held';\n")
        psql.stdin.flush()
        while psql.stdout.readline() not in ("held\n", ""):
            pass
        yield
    finally:
        psql.stdin.close()
        psql.wait(30)
        psql.stdout.close()


def main(build="build", seconds=5, rounds=5):
    stories = sides.build(build)
    both = []
    try:
        both.append(begin(stories))
        both.append(begin(stories, pathlib.Path(build).resolve() / "tests/bench/chanceryd-unaudited"))
        (audited, token), (bare, bare_token) = both
        load = bench_http.prepared(PUT)

        def row():
            with nothing_follows(audited):
                return sides.wrk(audited, token, load, CLIENTS, int(seconds))

        ways = {"without": lambda: sides.wrk(bare, bare_token, load, CLIENTS, int(seconds)), "row": row,
                "all": lambda: sides.wrk(audited, token, load, CLIENTS, int(seconds))}
        costs = {"row": [], "all": []}
        for i in range(int(rounds)):
            rates = {}
            for way in list(ways) if i % 2 == 0 else reversed(ways):
                sides.settled(audited)
                rates[way] = ways[way]().rate
            for way, list_ in costs.items():
                list_.append(1 - rates[way] / rates["without"])
            print(f"governed write, {CLIENTS} clients: {rates['without']:6.0f}/s without audit, {rates['row']:6.0f}/s with the row"
                  f" ({100 * costs['row'][-1]:.0f} %), {rates['all']:6.0f}/s with all of it ({100 * costs['all'][-1]:.0f} %)", flush=True)
        entries = int(bare.sql("SELECT count(*) FROM chancery.audit_entry"))
        assert entries == 0, f"the other side wrote {entries} entries"
    finally:
        for service, _ in both:
            service.close()
    cost, whole = (statistics.median(costs[way]) for way in ("row", "all"))
    print(f"audit costs a governed write {100 * cost:.0f} % of its throughput (target: at most {100 * CEILING:.0f} %),"
          f" {100 * whole:.0f} % while sequencer and index keep up")
    return cost <= CEILING


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
