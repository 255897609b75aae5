# SPDX-License-Identifier: Apache-2.0
"""A tenant's rate is one, however many replicas give it."""
import itertools
import time

from replicas import Replicas
from service import Client

RATE = 20


def granted(replicas, token, seconds):
    """How many reads all of them together let through, each asked as fast as it answers."""
    clients = itertools.cycle([Client(r, token) for r in replicas])
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        count += next(clients).get("/v1/me").status_code == 200
    return count


def test_replicas_share_a_rate():
    with Replicas(2) as two:
        admin, reader = two.world.admin, two.world["reader"]
        admin.ok("PUT", "/v1/limits", {"read": RATE})
        time.sleep(3)  # both have read it, and count each other
        granted(two, reader.token, 3)  # what may be used ahead
        began = time.monotonic()
        count = granted(two, reader.token, 6)
        rate = count / (time.monotonic() - began)
        print(f"two replicas let {rate:.1f} of {RATE} reads a second through")
        assert 0.7 * RATE < rate < 1.3 * RATE
