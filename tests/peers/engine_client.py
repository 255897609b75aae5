# SPDX-License-Identifier: Apache-2.0
"""Runs one job of chancery-engine from Python, as chanceryd does: frames over descriptor 3.

Usable with nothing but the standard library, for tests and benchmarks.
"""
import json
import os
import pathlib
import socket
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = pathlib.Path(os.environ.get("CHANCERY_BUILD", ROOT / "build")) / "chancery-engine"


def environment():
    """OpenBLAS as chanceryd starts it: one thread, and the widest kernel the processor has."""
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    wide = {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= set(flags)
    return {"OPENBLAS_NUM_THREADS": "1", **({"OPENBLAS_CORETYPE": "SkylakeX"} if wide else {})}


class Engine:
    """A running engine; files are paths or None, at their descriptors 4 (read), 5 (written), 6 (read)."""

    def __init__(self, mode, table=None, output=None, model=None):
        ours, theirs = socket.socketpair()
        files = {3: os.dup(theirs.fileno())}
        for fd, path, flags in ((4, table, os.O_RDONLY), (5, output, os.O_RDWR | os.O_CREAT | os.O_TRUNC),
                                (6, model, os.O_RDONLY)):
            if path is not None:
                files[fd] = os.open(path, flags, 0o600)
        lifted = {fd: os.dup2(at, 100 + fd) for fd, at in files.items()}

        def place():
            for fd in range(3, 7):
                if fd in lifted:
                    os.dup2(lifted[fd], fd)
                else:
                    try:
                        os.close(fd)
                    except OSError:
                        pass
            os.closerange(7, 256)

        self.control = ours
        self.process = subprocess.Popen([ENGINE, mode], preexec_fn=place, close_fds=False,
                                        env=environment(), stdin=subprocess.DEVNULL)
        theirs.close()
        for at in list(files.values()) + list(lifted.values()):
            os.close(at)

    def say(self, body, payload=b""):
        text = json.dumps(body).encode()
        self.control.sendall(struct.pack("<II", len(text), len(payload)) + text + payload)

    def _take(self, length):
        data = b""
        while len(data) < length:
            part = self.control.recv(length - len(data))
            if not part:
                raise EOFError("the engine closed its end")
            data += part
        return data

    def hear(self):
        """The next frame that is no progress: (body, payload)."""
        while True:
            text, payload = struct.unpack("<II", self._take(8))
            body, data = json.loads(self._take(text)), self._take(payload)
            if body.get("event") != "progress":
                return body, data

    def close(self):
        self.control.close()
        return self.process.wait(timeout=30)


def job(mode, spec, **files):
    """The last word of a job."""
    engine = Engine(mode, **files)
    engine.say(spec)
    try:
        return engine.hear()[0]
    finally:
        engine.close()
