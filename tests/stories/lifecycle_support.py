# SPDX-License-Identifier: Apache-2.0
"""Starting, killing and looking into real chanceryd processes, for the stories about their life."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHANCERYD = pathlib.Path(os.environ.get("CHANCERY_BUILD", ROOT / "build")) / "chanceryd"
START_S = 40


def new_home(parent=None):
    """A home that does not exist yet, below a directory that PostgreSQL's user may pass through."""
    top = pathlib.Path(tempfile.mkdtemp(prefix="chancery-life-", dir=parent))
    top.chmod(0o711)
    return top / "home"


def run(*arguments, timeout=60, **options):
    """A command of chanceryd to its end."""
    return subprocess.run([CHANCERYD, *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, check=False, **options)


def sql(home, statement, database="chancery", role="postgres"):
    """What psql says to a statement, in the private cluster of a home."""
    done = subprocess.run(
        ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", socket_dir(home), "-U", role,
         "-d", database, "-c", statement],
        capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def socket_dir(home):
    note = home / "postgres.socket_dir"
    return note.read_text() if note.exists() else str(home / "postgres" / "socket")


def postmaster(home):
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def alive(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(what, condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


class Service:
    """A chanceryd that serves. Stopped by its process id, at the latest when the test ends."""

    def __init__(self, home, *arguments, **options):
        self.home = pathlib.Path(home)
        self.log_path = self.home.parent / f"log-{time.monotonic_ns()}"
        self.log_file = self.log_path.open("wb")
        self.process = subprocess.Popen(
            [CHANCERYD, "serve", "--home", str(home), "--listen", "127.0.0.1:0", *map(str, arguments)],
            stdout=subprocess.DEVNULL, stderr=self.log_file, **options)
        self.runtime = None

    @property
    def log(self):
        return self.log_path.read_text()

    def wait_ready(self):
        path = self.home / "runtime.json"

        def ready():
            assert self.process.poll() is None, self.log
            return path.exists() and json.loads(path.read_text())["pid"] == self.process.pid

        wait_until("runtime.json", ready, START_S)
        self.runtime = json.loads(path.read_text())
        return self

    def get(self, path, timeout=10):
        """(status, body) of a GET over TLS that trusts the installation's own CA only."""
        context = ssl.create_default_context(cafile=self.runtime["ca"])
        try:
            with urllib.request.urlopen(self.runtime["url"] + path, timeout=timeout,
                                        context=context) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()

    def is_ready(self):
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def stop(self, how=signal.SIGTERM, timeout=15):
        """Seconds it took."""
        start = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(timeout)
        return time.monotonic() - start

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log_file.close()


@contextlib.contextmanager
def serving(home, *arguments, **options):
    service = Service(home, *arguments, **options)
    try:
        yield service.wait_ready()
    finally:
        service.close()


def refused(home, *arguments, timeout=60):
    """The log of a start that must fail."""
    done = run("serve", "--home", home, "--listen", "127.0.0.1:0", *arguments, timeout=timeout)
    assert done.returncode == 1, done.stderr
    assert not (pathlib.Path(home) / "runtime.json").exists()
    return done.stderr


def forget(home):
    """Remove what a test made; its processes have ended."""
    shutil.rmtree(home.parent, ignore_errors=True)
