#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast the catalogue answers among many assets, and what its statements read.

usage: bench_catalogue.py BUILD [ASSETS] [ROUNDS]
One tenant gets ASSETS in twenty projects, another as many, in the database; then each search is asked ROUNDS times over TLS by one
client. Printed are the 95th percentiles in ms, and the plan of the search for a rare word as the service's role runs it.
"""
import os
import statistics
import sys
import time

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build"
os.environ["CHANCERY_BUILD"] = os.path.abspath(BUILD)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stories"))
from service import Service, bootstrap, person  # noqa: E402  (the path is set above)

TARGET = 20.0  # ms, of those that are held to it
SEARCHES = {
    "a rare word": ("?q=rare77&limit=50", True), "a rare tag": ("?tag=ticket:t-77&limit=50", True), "rare word, facets": ("/facets?q=rare77", True),
    "a rare tag, facets": ("/facets?tag=ticket:t-77", True), "beginning of a name": ("?q=thing-4242&limit=50", True), "a page by path": ("?limit=50", True),
    "a word of all": ("?q=forecast&limit=50", False),
    "a word of 1 in 10": ("?q=decile3&limit=50", False), "one project": ("?project=project-19&limit=50", True), "kind and word": ("?kind=prompt&q=decile4&limit=50", False),
    "facets of a project": ("/facets?project=project-07&q=decile7", False), "reader of one project": ("?limit=50", True),
    "reader of one, a rare word": ("?q=rare73&limit=50", True), "facets of all (first 10,000)": ("/facets", False),
}


def fill(service, tenant, count):
    service.sql(f"""
        SET search_path = chancery; SET session_replication_role = replica;
        INSERT INTO asset (tenant_id, id, project_id, kind, name, path, description, tags, created_by)
            SELECT p.tenant_id, gen_random_uuid(), p.id, k.kind, 'thing-' || n, p.name || '/' || k.kind || 's/thing-' || n,
                   'a forecast of decile' || n % 10 || ' in quarter ' || n % 4 || CASE WHEN n % 1000 = 77 THEN ' rare' || n / 1000 ELSE '' END,
                   jsonb_build_object('team', 'team-' || n % 30, 'stage', CASE n % 3 WHEN 0 THEN 'gold' ELSE 'raw' END, 'ticket', 't-' || n / 10), p.created_by
              FROM generate_series(1, {count}) n JOIN project p ON p.name = 'project-' || lpad((n % 20)::text, 2, '0')
              JOIN tenant t ON t.tenant_id = p.tenant_id AND t.name = '{tenant}',
              LATERAL (SELECT (ARRAY['model', 'dataset', 'environment', 'component', 'prompt', 'notebook', 'flow', 'connection'])[1 + n % 8] AS kind) k;
        SET session_replication_role = DEFAULT;
    """)


def asked(client, path, rounds):
    """The 95th percentile in ms, and how much was found."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        found = client.ok("GET", "/v1/catalogue" + path)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.quantiles(took, n=20)[-1], len(found["value"]) if "value" in found else sum(found["kind"].values())


def plan(service, tenant):
    """What the inner statement of a search for a rare word reads: the body of asset_search, as its owner runs it."""
    return service.sql(f"""
        SET search_path = chancery; SET ROLE chancery_owner; SET enable_indexscan = off; SET enable_seqscan = off;
        SELECT set_config('app.tenant', '{tenant}', false);
        EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) SELECT a.id FROM asset a WHERE a.tenant_id = '{tenant}' AND a.state = 'active'
            AND a.search @@ (SELECT asset_query('{tenant}', 'rare77', NULL, NULL)) LIMIT 5001;""")


def main(assets=100000, rounds=60):
    service, wrong = Service(), []
    try:
        client = bootstrap(service.start(), service.bootstrap_code(), "acme")
        other = bootstrap(service, client.ok("POST", "/v1/tenants", {"name": "globex"})["bootstrap_code"], "globex")
        for tenant, admin in (("acme", client), ("globex", other)):
            for n in range(20):
                admin.ok("PUT", f"/v1/projects/project-{n:02}", {})
            fill(service, tenant, assets)
        service.sql("SET search_path = chancery; VACUUM ANALYZE asset; VACUUM ANALYZE project")
        client.ok("PUT", "/v1/projects/project-07/models/own", {})
        newcomer = person(service, client, "newcomer", [("reader", "project-13")])
        for name, (path, held) in SEARCHES.items():
            p95, found = asked(newcomer if name.startswith("reader of one") else client, path, rounds)
            verdict = "ok" if p95 <= TARGET else "not ok" if held else "-"
            wrong += [name] if verdict == "not ok" else []
            print(f"{verdict:8}{name:30} p95 {p95:7.1f} ms, {found} found")
        print(plan(service, client.ok("GET", "/v1/me")["tenant_id"]))
    finally:
        service.close()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[2:])))
