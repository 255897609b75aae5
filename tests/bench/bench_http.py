#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The service against PostgreSQL alone, in one run on this machine: ratios, because times mean little here.

(a) a point read through TLS, JWT and roles against pgbench running the same SQL with as many connections;
(b) a governed write (row and audit entry in one transaction) against pgbench doing the same statements;
(d) upload and download of a large file against cp and sha256sum of it.

usage: bench_http.py BUILD [SECONDS] [ROUNDS]
Sides alternate, and the median of the rounds' ratios is what is printed last.
"""
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
os.environ["CHANCERY_BUILD"] = str((ROOT / sys.argv[1]).resolve())
sys.path.insert(0, str(ROOT / "tests" / "stories"))
from service import BUILD, Service, World  # noqa: E402  (the path is set above)

SECONDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 3
MODELS = 1000
HTTP_CONNECTIONS = 64


def statements():
    out = subprocess.run([BUILD / "chanceryd", "queries"], capture_output=True, text=True, check=True).stdout
    return dict(line.split("\t", 1) for line in out.splitlines())


def run(command, **kwargs):
    return subprocess.run(command, capture_output=True, text=True, check=True, **kwargs).stdout


def as_service(command):
    """The cluster lets in the service's own operating-system user only."""
    return run(command, env={**os.environ, "PGOPTIONS": "-c search_path=chancery -c client_min_messages=error"})


def pgbench(service, script, clients, variables):
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        defines = [x for name, value in variables.items() for x in ("-D", f"{name}={value}")]
        out = as_service(["pgbench", "-n", "-M", "prepared", "-h", service.home / "home/postgres/socket", "-U", "chancery_app",
                          "-c", str(clients), "-j", "2", "-T", str(SECONDS), "-f", file.name, *defines, "chancery"])
    return float(re.search(r"tps = ([\d.]+)", out).group(1))


def wrk(service, token, lua):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(lua)
        file.flush()
        out = run(["wrk", "-t2", f"-c{HTTP_CONNECTIONS}", f"-d{SECONDS}s", "-H", f"Authorization: Bearer {token}",
                   "-s", file.name, service.url])
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    assert not failed, f"{failed.group(0)} in\n{out}"
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))


def substitute(sql, names):
    """$1, $2 … to pgbench's variables."""
    return re.sub(r"\$(\d+)", lambda m: ":" + names[int(m.group(1)) - 1], sql)


SET_TENANT = "SELECT set_config('app.tenant', :tenant, true);"


def read_bench(world, sql, ids):
    service = world.service
    point = substitute(sql["asset_find_sql"], ["project", "kind", "name"]) + ";"
    script = f"\\set n random(1, {MODELS})\n\\startpipeline\n{SET_TENANT}\n" + \
        point.replace(":name", "'m' || :n") + "\n\\endpipeline\n"
    lua = 'request = function() return wrk.format("GET", "/v1/projects/credit/models/m" .. math.random(1, %d)) end' % MODELS
    return lua, script, {"tenant": f"{ids['tenant']}", "project": ids["project"], "kind": "model"}, 4, service


def measure(name, lua, script, variables, clients, service, token):
    ratios = []
    for _ in range(ROUNDS):
        ours = wrk(service, token, lua)
        theirs = pgbench(service, script, clients, variables)
        ratios.append(ours / theirs)
        print(f"{name}: {ours:9.0f} requests/s through TLS, {theirs:9.0f} transactions/s in pgbench -c {clients}:"
              f" {ours / theirs:.2f}", flush=True)
    return statistics.median(ratios)


def write_bench(world, sql, ids):
    service = world.service
    audit = next(name for name in sql if name.startswith("audit_") and "audit_pending" in sql[name] and
                 "audit_payload" in sql[name] and "INSERT INTO" in sql[name])
    tag = next(text for name, text in sql.items() if "tag" in name and "UPDATE asset" in text)
    leaf = '{"action":"put_asset_tag","actor":"' + "0" * 36 + '","at":"2026-11-21T00:00:00.000Z","commit":"' + "0" * 64 + \
        '","id":"' + "0" * 36 + '","method":"PUT","object":"models/m1","outcome":"ok","project":"credit","request":"' + \
        "0" * 36 + '","status":200,"tenant":"' + "0" * 36 + '","v":1}'
    return audit, tag, leaf, service, ids


def transfer_bench(world):
    scientist = world["data-scientist"]
    service = world.service
    size = 1 << 30
    base = "/v1/projects/credit/models/large"
    scientist.ok("PUT", base, {})
    results = []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        source = pathlib.Path(directory) / "source"
        with open(source, "wb") as file:
            block = os.urandom(1 << 20)
            for i in range(size >> 20):
                file.write(i.to_bytes(8, "little") + block[8:])
        curl = ["curl", "-sS", "--fail", "--cacert", service.ca, "-H", f"Authorization: Bearer {scientist.token}"]
        for _ in range(ROUNDS):
            number = scientist.ok("POST", base + "/versions", {})["number"]
            url = f"{service.url}{base}/versions/{number}/files/blob"
            with open(source, "r+b") as file:
                file.write(os.urandom(16))  # other bytes each time: nothing is there already
            began = time.monotonic()
            run(["cp", source, pathlib.Path(directory) / "copy"])
            run(["sha256sum", pathlib.Path(directory) / "copy"])
            plain = time.monotonic() - began
            began = time.monotonic()
            run([*curl, "-T", source, "-H", "Content-Type: application/octet-stream", "-H", "Expect:", url])
            up = time.monotonic() - began
            began = time.monotonic()
            run([*curl, "-o", pathlib.Path(directory) / "copy", url])
            down = time.monotonic() - began
            scientist.ok("DELETE", f"{base}/versions/{number}/files/blob")
            results.append((plain / up, plain / down))
            print(f"(d) cp+sha256sum {size / plain / 1e6:6.0f} MB/s, upload {size / up / 1e6:6.0f} MB/s ({plain / up:.2f}),"
                  f" download {size / down / 1e6:6.0f} MB/s ({plain / down:.2f})", flush=True)
    return [statistics.median(x) for x in zip(*results)]


def main():
    service = Service(None, "--token-minutes", "60").start()
    try:
        world = World(service)
        sql = statements()
        scientist = world["data-scientist"]
        for i in range(1, MODELS + 1):
            scientist.ok("PUT", f"/v1/projects/credit/models/m{i}", {})
        service.sql("ANALYZE")
        ids = {"tenant": service.sql("SELECT tenant_id FROM chancery.tenant WHERE name = 'acme'").strip(),
               "project": service.sql("SELECT id FROM chancery.project WHERE name = 'credit'").strip(),
               "actor": service.sql("SELECT id FROM chancery.principal WHERE name = 'the-data-scientist'").strip()}
        a = measure("(a) point read", *read_bench(world, sql, ids), scientist.token)
        from bench_write import write_sides  # beside this file
        b = measure("(b) governed write", *write_sides(world, sql, ids, MODELS), scientist.token)
        up, down = transfer_bench(world)
        print(f"\n(a) point read / pgbench     {a:.2f}   target 0.5\n(b) governed write / pgbench {b:.2f}   target 0.7\n"
              f"(d) upload / cp+sha256sum    {up:.2f}   target 0.5\n(d) download / cp+sha256sum  {down:.2f}   target 0.5")
    finally:
        service.close()


if __name__ == "__main__":
    main()
