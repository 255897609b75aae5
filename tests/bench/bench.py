#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every bench in one run, and at its end the ratios beside their targets. usage: bench.py BUILD

Ratios, because a time says little about another machine; both sides of each run here, in turn. A machine that does
other work at the same time makes the clock's ratios wander: the lines above the table give CPU time too.
"""
import pathlib
import re
import subprocess
import sys

import bench_barrier
import bench_http
import bench_transfer
import sides

HERE = pathlib.Path(__file__).resolve().parent


def run(*command):
    """What a bench prints, shown as it comes. Its own exit code is the table's business, not ours."""
    lines = []
    with subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True, cwd=HERE) as process:
        for line in process.stdout:
            print("   ", line, end="", flush=True)
            lines.append(line)
    return "".join(lines)


def number(pattern, text):
    found = re.search(pattern, text)
    return float(found.group(1)) if found else float("nan")


def table(rows):
    """rows: (name, measured, target, unit, whether smaller is better). True when every target is met."""
    all_met = True
    print(f"\n{'':46s} measured   target")
    for name, value, target, unit, smaller in rows:
        met = value <= target if smaller else value >= target  # not a number meets nothing
        all_met = all_met and met
        print(f"{name:46s} {value:8.2f}   {'<=' if smaller else '>='} {target:g} {unit:14s} {'met' if met else 'MISSED'}")
    return all_met


def main():
    stories = sides.build(sys.argv[1])
    built = stories.BUILD / "tests" / "bench"
    http = bench_http.bench(stories)
    print("(c) evaluator", flush=True)
    evaluator = run(built / "bench_evaluator")
    print("revocation", flush=True)
    _, revoked = bench_barrier.bench(stories)
    up, down = bench_transfer.bench(stories)
    print("(e) training", flush=True)
    training = run("/usr/bin/python3", HERE / "bench_train.py", stories.BUILD, "3")
    print("audit log", flush=True)
    log = run(built / "bench_log")
    times = r"%s.*?([\d.]+) times as fast"
    met = table([
        (f"(a) point read / pgbench (by CPU {http['a'][1]:.2f})", http["a"][0], 0.5, "", False),
        (f"(b) governed write / pgbench (by CPU {http['b'][1]:.2f})", http["b"][0], 0.7, "", False),
        ("(c) evaluator, 4,000,000 grants, hot", number(r"hot.*: (\d+) ns", evaluator), 500, "ns a check", True),
        ("(c) evaluator, 4,000,000 grants, cold", number(r"cold.*: (\d+) ns", evaluator), 500, "ns a check", True),
        ("    verified token, found again", number(r"token cache hit: (\d+) ns", evaluator) / 1000, 2, "us", True),
        ("    revocation at three replicas, p99", revoked, 50, "ms", True),
        ("(d) upload / cp + sha256sum", up, 0.5, "", False),
        ("(d) download / cp + sha256sum", down, 0.5, "", False),
        ("(e) binary logistic regression / scikit-learn", number(times % "logistic, 2 classes", training), 2, "times as fast", False),
        ("(e) ridge regression / scikit-learn", number(times % "ridge", training), 2, "times as fast", False),
        ("    log verification / plain SHA-256", number(r"verify.*, ([\d.]+) of", log), 0.3, "", False),
    ])
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
