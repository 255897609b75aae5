# SPDX-License-Identifier: Apache-2.0
"""Several services on one database, and connections that ask them many things at once."""
import re
import subprocess

from raw import connect
from service import Service, World

URL = "https://chancery.example"  # what all call themselves in tokens
HEAD = re.compile(rb"HTTP/1\.1 (\d{3})[^\r]*\r\n(?:[^\r]+\r\n)*?(?:Content-Length: (\d+)\r\n(?:[^\r]+\r\n)*?)?\r\n", re.I)


def listening(service):
    out = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    return next(line.split()[3] for line in out.splitlines() if f"pid={service.process.pid}," in line)


class Replicas(list):
    """count services; the first brings the database, which belongs to world."""

    def __init__(self, count, *flags):
        super().__init__()
        self.count = count
        self.flags = ("--public-url", URL, "--token-minutes", "60", "--workers-read", "3", "--workers-write", "6",
                      "--workers-slow", "2", *flags)

    def __enter__(self):
        try:
            for i in range(self.count):
                self.append(self.make(i))
                self.start(i)
            self.world = World(self[0])
            self.world.admin.ok("PUT", "/v1/projects/credit/models/probe", {})
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self, i):
        if i == 0:
            return Service(None, *self.flags)
        return Service(None, *self.flags, "--key-file", str(self[0].home / "home" / "secret.key"),
                       "--database", f"postgresql://chancery_app@/chancery?host={self[0].socket()}")

    def start(self, i):
        self[i].start()
        self[i].url = "https://" + listening(self[i])

    def __exit__(self, *_):
        for service in reversed(self):
            service.close()

    def cut_listeners(self):
        self[0].sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chanceryd watch'")


class Line:
    """A keep-alive connection on which many requests are sent before the first is answered."""

    def __init__(self, service):
        self.socket = connect(service, 60)
        self.rest = b""

    @staticmethod
    def pack(requests, token):
        """The bytes of all requests: (method, path, JSON body or b"")."""
        return b"".join(
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
            f"{'Content-Type: application/json' if body else 'Accept: */*'}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".replace("Content-Length: 0\r\n", "").encode() + body
            for method, path, body in requests)

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, count):
        """The statuses of that many replies."""
        statuses, at, data = [], 0, self.rest
        while len(statuses) < count:
            head = HEAD.match(data, at)
            end = head.end() + int(head.group(2) or 0) if head else len(data) + 1
            if end > len(data):
                piece = self.socket.recv(1 << 18)
                assert piece, "the service closed the connection"
                data, at = data[at:] + piece, 0
                continue
            statuses.append(int(head.group(1)))
            at = end
        self.rest = data[at:]
        return statuses

    def burst(self, data, count):
        self.send(data)
        return self.receive(count)
