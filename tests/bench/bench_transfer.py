#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""(d) upload and download of one large file by curl, against cp and sha256sum of it.

usage: bench_transfer.py BUILD [MEGABYTES] [ROUNDS]
The service does what cp and sha256sum do (take the bytes, hash them, keep them durably) plus TLS on both ends.
Both sides work on the same file system, which is the one the home is on; the file is in the page cache.
"""
import os
import statistics
import subprocess
import sys
import time

import sides

MEGABYTES, ROUNDS, ENOUGH_S = 1024, 3, 60


def timed(*command):
    began = time.monotonic()
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def write_source(path, megabytes):
    block = os.urandom(1 << 20)
    with open(path, "wb") as file:
        for i in range(megabytes):
            file.write(i.to_bytes(8, "little") + block[8:])


def touch(path):
    """Other bytes than before, so that no round finds its file in the store already."""
    with open(path, "r+b") as file:
        file.write(os.urandom(16))


def bench(stories, megabytes=MEGABYTES, rounds=ROUNDS):
    """(upload, download): medians of plain seconds divided by ours."""
    service = stories.Service(None, "--token-minutes", "60").start()
    ups, downs = [], []
    try:
        scientist = stories.World(service)["data-scientist"]
        base = "/v1/projects/credit/models/large"
        scientist.ok("PUT", base, {})
        source, copy = service.home / "source", service.home / "copy"
        write_source(source, megabytes)
        curl = ["curl", "-sS", "--fail", "--cacert", service.ca, "-H", f"Authorization: Bearer {scientist.token}"]
        began = time.monotonic()
        for _ in range(rounds):
            if time.monotonic() > began + ENOUGH_S:
                break
            number = scientist.ok("POST", base + "/versions", {})["number"]
            url = f"{service.url}{base}/versions/{number}/files/blob"
            touch(source)
            plain = timed("cp", source, copy)
            quick = plain + timed("openssl", "dgst", "-sha256", copy)  # with the processor's SHA instructions
            plain += timed("sha256sum", copy)
            copy.unlink()
            up = timed(*curl, "-T", source, "-H", "Content-Type: application/octet-stream", url)
            down = timed(*curl, "-o", copy, url)
            if subprocess.run(["cmp", "-s", source, copy], check=False).returncode != 0:
                raise SystemExit("what came back is not what was sent")
            copy.unlink()
            scientist.ok("DELETE", f"{base}/versions/{number}/files/blob")
            ups.append(plain / up)
            downs.append(plain / down)
            print(f"(d) {megabytes} MiB: cp + sha256sum {megabytes / plain:4.0f} MiB/s, upload {megabytes / up:4.0f} MiB/s"
                  f" ({ups[-1]:.2f}), download {megabytes / down:4.0f} MiB/s ({downs[-1]:.2f}); against cp +"
                  f" openssl dgst {megabytes / quick:.0f} MiB/s: {quick / up:.2f}, {quick / down:.2f}", flush=True)
    finally:
        service.close()
    return statistics.median(ups), statistics.median(downs)


if __name__ == "__main__":
    bench(sides.build(sys.argv[1]), *map(int, sys.argv[2:4]))
