# SPDX-License-Identifier: Apache-2.0
"""Ten thousand idle TLS connections in less than 1 GiB, while others are answered."""
import resource
import statistics
import subprocess
import time
import urllib.parse

import pytest
from service import BUILD, SANITIZED, Service, settled

COUNT = 500 if SANITIZED else 10000
GIB = 1 << 30


@pytest.fixture(scope="module")
def service():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[1] < COUNT + 1000:
        pytest.skip(f"only {limit[1]} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
    started = Service()
    try:
        yield started.start()
    finally:
        started.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def test_ten_thousand_idle_connections(service):
    owner = settled(service)
    where = urllib.parse.urlparse(service.url)
    before = service.memory()
    crowd = subprocess.Popen([BUILD / "tests/tools/idle_connections", "127.0.0.1", str(where.port), str(COUNT), "6", service.ca],
                             stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout.readline() == f"{COUNT} of {COUNT} connections are open\n"
        took = []
        for i in range(30):
            began = time.monotonic()
            owner.ok("PUT", f"/v1/projects/store/models/m{i}", {})
            assert owner.ok("GET", "/v1/projects/store")["name"] == "store"
            took.append(time.monotonic() - began)
        assert service.client().get("/readyz").status_code == 200  # a connection of its own
        held = service.memory()
        print(f"{COUNT} connections: {(held - before) / COUNT / 1024:.1f} KiB each, {held >> 20} MiB in all,"
              f" a write and a read in {statistics.median(took) * 1000:.1f} ms")
        assert SANITIZED or held < GIB
        assert statistics.median(took) < (5 if SANITIZED else 0.5)
        assert crowd.stdout.readline() == f"{COUNT} of {COUNT} answered again\n"
        assert crowd.wait(60) == 0
    finally:
        crowd.kill()
        crowd.wait()
    owner.ok("GET", "/v1/projects/store")
