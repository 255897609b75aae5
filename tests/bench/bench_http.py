#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""(a) a point read and (b) a governed write of the service, against pgbench doing the same SQL.

usage: bench_http.py BUILD [SECONDS] [ROUNDS]
(a) GET of one model among 1,000 through TLS, token and roles by wrk on 64 connections, against the same
statement on as many connections as the service's lane for reads has. (b) setting a tag: the changed row, the
audit entry and one commit, against the same statements on as many connections as its lane for writes has.
Both sides run on the service's private PostgreSQL, as its role, under row-level security, durably.
"""
import re
import sys
import time

import sides

MODELS, HTTP_CONNECTIONS = 1000, 64
READ_LANE, WRITE_LANE = 4, 12  # core/config.def: workers_read, workers_write
SECONDS, ROUNDS = 5, 3
SET_TENANT = "db_set_tenant"


def pipeline(prologue, *texts):
    body = ";\n".join(texts)
    return f"{prologue}\\startpipeline\n{body};\n\\endpipeline\n"


def bind(sql, *values):
    """$1, $2 … to pgbench's own variables or expressions."""
    return re.sub(r"\$(\d+)", lambda m: values[int(m.group(1)) - 1], sql)


def prepared(request):
    """wrk formats its requests beforehand: what it spends is missing to both of ours."""
    return ("wrk.headers['Content-Type'] = 'application/json'\nlocal all = {}\n"
            f"init = function() for i = 1, 4000 do all[i] = {request} end end\n"
            "request = function() return all[math.random(1, 4000)] end")


def reads(service, token, sql, variables, seconds):
    lua = prepared(f"wrk.format('GET', '/v1/projects/credit/models/' .. (i % {MODELS} + 1))")
    script = pipeline(f"\\set name random(1, {MODELS})\n", bind(sql[SET_TENANT], ":tenant"),
                      bind(sql["asset_find_sql"], ":project", ":kind", ":name"))
    return (lambda: sides.wrk(service, token, lua, HTTP_CONNECTIONS, seconds),
            lambda: sides.pgbench(service, script, READ_LANE, seconds, variables))


LEAF = ('{"action":"put_asset_tag","actor":"%(actor)s","at":"2026-11-21T00:00:00.000Z","commit":"' + "0" * 64 +
        '","id":"' + "0" * 36 + '","method":"PUT","object":"models/500","outcome":"ok","project":"credit","request":"' +
        "0" * 36 + '","status":204,"tenant":"%(tenant)s","v":1}')
PAYLOAD = '{"actor":"the-data-scientist","body":{"value":"v500"},"remote":"127.0.0.1","tenant":"acme"}'
SEALED = "ab" * (32 + len(PAYLOAD) + 28)  # salt, payload, nonce and tag


def writes(service, token, sql, variables, seconds):
    lua = prepared(f"wrk.format('PUT', '/v1/projects/credit/models/' .. (i % {MODELS} + 1) .. '/tags/stage',"
                   " wrk.headers, '{\"value\":\"v' .. i .. '\"}')")
    identity = "(:head || :serial)::uuid"  # in order of time, as the service's own are
    audit = bind(re.sub(r"\$(1|2)::uuid", r"$\1", sql["audit_insert"]),
                 ":tenant::uuid", identity, ":at", ":actor", ":action", ":scope", "'models/' || :name", ":outcome", identity,
                 ":leaf", "decode(:hash, 'hex')", ":secret", "decode(:payload, 'hex')")
    tag = bind(sql["asset_tag_sql"], ":project", ":kind", ":name", ":key", "'v' || :value")

    def theirs():
        own = {**variables, "k": 0, "head": f"{int(time.time()):08x}00000", "at": "2026-11-21T00:00:00.000Z",
               "action": "put_asset_tag", "scope": "credit", "outcome": "ok", "leaf": LEAF % variables, "hash": "ab" * 32,
               "payload": SEALED, "key": "stage",
               "secret": service.sql(f"SELECT id FROM chancery.audit_subject_key WHERE subject = '{variables['actor']}'").strip()}
        prologue = (f"\\set name random(1, {MODELS})\n\\set value random(1, 1000)\n\\set k :k + 1\n"
                    "\\set serial 1000000000000000000 + :k * 1000 + :client_id\n")
        return sides.pgbench(service, pipeline(prologue, bind(sql[SET_TENANT], ":tenant"), tag, audit), WRITE_LANE, seconds, own)

    return lambda: sides.wrk(service, token, lua, HTTP_CONNECTIONS, seconds), theirs


def bench(stories, seconds=SECONDS, rounds=ROUNDS, only="ab"):
    """{'a': (ratio, ratio by CPU), 'b': …}"""
    service = stories.Service(None, "--token-minutes", "60", "--workers-read", str(READ_LANE),
                              "--workers-write", str(WRITE_LANE)).start()
    results = {}
    try:
        scientist = stories.World(service)["data-scientist"]
        sql = sides.statements(stories.BUILD)
        for i in range(1, MODELS + 1):
            scientist.ok("PUT", f"/v1/projects/credit/models/{i}", {})
        service.sql("ANALYZE")
        one = lambda text: service.sql(text).strip()  # noqa: E731
        variables = {"tenant": one("SELECT tenant_id FROM chancery.tenant WHERE name = 'acme'"),
                     "project": one("SELECT id FROM chancery.project WHERE name = 'credit'"), "kind": "model",
                     "actor": one("SELECT id FROM chancery.principal WHERE name = 'the-data-scientist'")}
        for letter, name, pair in (("a", "point read", reads), ("b", "governed write", writes)):
            if letter not in only:
                continue
            ours, theirs = pair(service, scientist.token, sql, variables, seconds)
            results[letter] = sides.compare(f"({letter}) {name}", service, ours, theirs, rounds)
    finally:
        service.close()
    return results


def main():
    stories = sides.build(sys.argv[1])
    bench(stories, *map(int, sys.argv[2:4]), *sys.argv[4:5])


if __name__ == "__main__":
    main()
