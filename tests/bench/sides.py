# SPDX-License-Identifier: Apache-2.0
"""Both sides of the benches: wrk against the service, pgbench against its private PostgreSQL.

A side gives a Load: how many a second, and CPU microseconds each by who spent them. The CPU column
says where a ratio comes from, and is steadier than the clock when the machine is shared.
"""
import collections
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
Load = collections.namedtuple("Load", "rate client service database")
TICK = os.sysconf("SC_CLK_TCK")


def build(name):
    """Make tests/stories importable for a build directory; its Service and World."""
    os.environ["CHANCERY_BUILD"] = str((ROOT / name).resolve())
    sys.path.insert(0, str(ROOT / "tests" / "stories"))
    import service
    return service


def statements(build_directory):
    """Every statement of the service by name, as it prepares them."""
    out = subprocess.run([build_directory / "chanceryd", "queries"], capture_output=True, text=True, check=True).stdout
    return dict(line.split("\t", 1) for line in out.splitlines())


def _ticks(pid):
    """User and system time of a process: its own, and that of its children that ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):  # it ended just now
        return 0, 0
    return sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))


def _database_ticks(postmaster):
    own, ended = _ticks(postmaster)
    children = pathlib.Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return own + ended + sum(_ticks(child)[0] for child in children)


class Meter:
    """What client, service and database spend while something runs."""

    def __init__(self, service):
        self.service = service.process.pid
        cluster = next((service.home / "home" / "postgres").rglob("postmaster.pid"))
        self.postmaster = int(cluster.read_text().split()[0])

    def _read(self):
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (children.ru_utime + children.ru_stime, _ticks(self.service)[0] / TICK,
                _database_ticks(self.postmaster) / TICK)

    def run(self, command, **kwargs):
        """The command's output, and the three seconds of CPU."""
        before = self._read()
        out = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True, **kwargs).stdout
        return out, [b - a for a, b in zip(before, self._read())]


def wrk(service, token, lua, connections, seconds):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(lua)
        file.flush()
        out, cpu = Meter(service).run(["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-s", file.name,
                                       "-H", f"Authorization: Bearer {token}", service.url])
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors.*", out)
    if failed:
        raise SystemExit(f"wrk: {failed.group(0)} in\n{out}\n{service.log()[-2000:]}")
    count = int(re.search(r"(\d+) requests in", out).group(1))
    return Load(float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), *(1e6 * c / count for c in cpu))


def pgbench(service, script, clients, seconds, variables):
    """As the service's own role, prepared, over the same socket."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        os.chmod(file.name, 0o644)
        defines = [x for name, value in variables.items() for x in ("-D", f"{name}={value}")]
        out, cpu = Meter(service).run(
            ["pgbench", "-n", "-M", "prepared", "-h", service.socket(), "-U", "chancery_app", "-c", clients,
             "-j", "2", "-T", seconds, "-f", file.name, *defines, "chancery"],
            env={**os.environ, "PGOPTIONS": "-c search_path=chancery -c client_min_messages=error"})
    count = int(re.search(r"transactions actually processed: (\d+)", out).group(1))
    failed = int(re.search(r"number of failed transactions: (\d+)", out).group(1))
    if failed or count == 0:
        raise SystemExit(f"pgbench: {out}")
    return Load(float(re.search(r"tps = ([\d.]+)", out).group(1)), *(1e6 * c / count for c in cpu))


def settled(service):
    """Wait until the sequencer has placed every entry, so that no side pays for the other's."""
    end = time.monotonic() + 60
    while service.sql("SELECT count(*) FROM chancery.audit_pending").strip() != "0":
        if time.monotonic() > end:
            raise SystemExit("the sequencer does not catch up")
        time.sleep(0.1)


def compare(name, service, ours, theirs, rounds):
    """Alternate the sides; the median of the rounds' ratios. A round whose order is swapped evens out drift."""
    ratios, cpu = [], []
    for i in range(rounds):
        loads = {}
        for side in ((ours, theirs) if i % 2 == 0 else (theirs, ours)):
            settled(service)
            loads[side] = side()
        a, b = loads[ours], loads[theirs]
        ratios.append(a.rate / b.rate)
        cpu.append(sum(b[1:]) / sum(a[1:]))
        print(f"{name}: service {a.rate:7.0f}/s (CPU us: wrk {a.client:.0f} + chanceryd {a.service:.0f} + postgres"
              f" {a.database:.0f}), pgbench {b.rate:7.0f}/s (CPU us: {b.client:.0f} + {b.database:.0f} postgres):"
              f" {ratios[-1]:.2f} by the clock, {cpu[-1]:.2f} by CPU", flush=True)
    return statistics.median(ratios), statistics.median(cpu)
