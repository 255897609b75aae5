# SPDX-License-Identifier: Apache-2.0
"""Bytes over TLS, for requests that no HTTP library would send."""
import json
import socket
import ssl
import time
import urllib.parse


def connect(service, limit=20, **options):
    """An open TLS connection that trusts the installation's own CA only."""
    context = ssl.create_default_context(cafile=service.ca)
    context.minimum_version = options.pop("least", ssl.TLSVersion.TLSv1_2)
    context.maximum_version = options.pop("most", ssl.TLSVersion.TLSv1_3)
    where = urllib.parse.urlparse(service.url)
    plain = socket.create_connection((where.hostname, where.port), limit)
    return context.wrap_socket(plain, server_hostname=where.hostname, **options)


class Reply:
    def __init__(self, data):
        head, _, self.content = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status_code = int(lines[0].split()[1]) if lines[0].startswith("HTTP/1.1 ") else 0
        self.headers = {n.lower(): v.strip() for n, _, v in (x.partition(":") for x in lines[1:])}
        self.text = self.content.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.content)


def receive(connection, limit=20, data=b""):
    """One whole reply, which may have begun with data, or what came before the end."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if b"\r\n\r\n" in data:
            reply = Reply(data)
            if len(reply.content) >= int(reply.headers.get("content-length", "0")):
                return reply
        try:
            piece = connection.recv(65536)
        except (ConnectionError, ssl.SSLError, TimeoutError):
            break
        if not piece:
            break
        data += piece
    return Reply(data)


def request(method, target, token=None, *headers, body=b""):
    """The bytes of a request. A body brings its Content-Length unless a header says otherwise."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
    if token:
        lines.append("Authorization: Bearer " + token)
    named = " ".join(headers).lower()
    if body and "content-length" not in named and "transfer-encoding" not in named:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def send_until_answered(connection, pieces):
    """Send pieces until the other side says something; the reply. A library would send on into the void."""
    limit, said = connection.gettimeout(), b""
    for piece in pieces:
        try:
            connection.sendall(piece)
        except (ConnectionError, ssl.SSLError):
            break
        connection.settimeout(0)
        try:
            said = connection.recv(65536)
            break
        except ssl.SSLWantReadError:
            pass
        finally:
            connection.settimeout(limit)
    return receive(connection, data=said)


def exchange(service, data, limit=20):
    """Send bytes as they are; the reply."""
    with connect(service, limit) as connection:
        connection.sendall(data)
        return receive(connection, limit)
