#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run every test in parallel and end with the plain line "N passed, N failed[, N skipped]".

usage: run.py BUILD [--peers] [PATTERN]
Unit tests are the programs BUILD/tests/unit/test_*, one "ok NAME" or "not ok NAME" line a test; fuzz
targets are BUILD/tests/fuzz/fuzz_*, which replay and mutate their corpus for FUZZ_SECONDS.
Stories are the pytest files in tests/stories (tests/peers with --peers); each file runs as a process
of its own. PATTERN keeps only what has it in its name. A program that dies counts as one failure.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = int(os.environ.get("TEST_LIMIT", "600"))
FUZZ_SECONDS = os.environ.get("FUZZ_SECONDS", "3")


def run(command, log, **kwargs):
    with open(log, "w", encoding="utf-8", errors="replace") as out:
        try:
            return subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT,
                                  stdin=subprocess.DEVNULL, timeout=LIMIT, check=False, **kwargs).returncode
        except subprocess.TimeoutExpired:
            out.write(f"\nstopped after {LIMIT} s\n")
            return 124


def timed(test, *arguments):
    """What the test says of itself, and the seconds it took."""
    began = time.monotonic()
    return *test(*arguments), time.monotonic() - began


def unit(program, logs):
    log = logs / (program.name + ".log")
    corpus = ROOT / "tests/fuzz/corpus" / program.name.removeprefix("fuzz_")
    code = run([program] if program.name.startswith("test_") else [program, corpus, FUZZ_SECONDS], log)
    text = log.read_text(errors="replace")
    passed = len(re.findall(r"^ok ", text, re.M))
    failed = len(re.findall(r"^not ok ", text, re.M))
    skipped = len(re.findall(r"^skipped ", text, re.M))
    if failed == 0 and (code != 0 or passed + skipped == 0):
        failed = 1
    return program.name, passed, failed, skipped, log


def story(path, logs, build):
    log, report = logs / (path.stem + ".log"), logs / (path.stem + ".xml")
    report.unlink(missing_ok=True)
    code = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfEs", f"--junitxml={report}", path],
               log, env={**os.environ, "CHANCERY_BUILD": str(build), "PYTHONDONTWRITEBYTECODE": "1"})
    passed = failed = skipped = 0
    if report.exists():
        suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
        skipped = int(suite.get("skipped"))
        failed = int(suite.get("failures")) + int(suite.get("errors"))
        passed = int(suite.get("tests")) - failed - skipped
    if failed == 0 and code not in (0, 5):
        failed = 1
    return path.name, passed, failed, skipped, log


def main():
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    peers = "--peers" in sys.argv
    build = (ROOT / arguments[0]).resolve()
    pattern = arguments[1] if len(arguments) > 1 else ""
    logs = build / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    stories = sorted((ROOT / "tests" / ("peers" if peers else "stories")).glob("test_*.py"))
    units = [] if peers else sorted(p for pattern_ in ("unit/test_*", "fuzz/fuzz_*")
                                    for p in (build / "tests").glob(pattern_) if p.suffix == "")
    total = [0, 0, 0]
    began = time.monotonic()
    workers = int(os.environ.get("TEST_JOBS", max(2, (os.cpu_count() or 2) + 1)))
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        # The long ones first, so that the end is not one of them alone.
        waiting = [pool.submit(timed, story, p, logs, build) for p in stories if pattern in p.name]
        waiting += [pool.submit(timed, unit, p, logs) for p in units if pattern in p.name]
        for done in concurrent.futures.as_completed(waiting):
            name, passed, failed, skipped, log, took = done.result()
            total = [a + b for a, b in zip(total, (passed, failed, skipped))]
            print(f"{'ok  ' if failed == 0 else 'FAIL'} {name}: {passed} passed, {failed} failed, {skipped} skipped"
                  f" ({took:.1f} s)", flush=True)
            if failed or skipped:
                lines = log.read_text(errors="replace").splitlines()
                keep = [x for x in lines if x.startswith("SKIPPED") or x.startswith("skipped ")] if not failed else lines[-60:]
                print("\n".join("    " + x for x in keep), flush=True)
    print(f"all tests together took {time.monotonic() - began:.0f} s")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
