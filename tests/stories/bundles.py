# SPDX-License-Identifier: Apache-2.0
"""Bundles taken apart and put together again, with or without a right seal: what a forger would do."""
import base64
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BLOCK = 512


def number(value):
    """A float as ECMAScript writes it (RFC 8785 §3.2.2.3)."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    digits, _, exponent = repr(value).partition("e")
    if not exponent:
        return digits
    power = int(exponent)
    if power < -6:
        return f"{digits}e{power}"
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    return sign + "0." + "0" * (-power - 1) + digits.replace(".", "")


def canonical(value):
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda m: m[0].encode("utf-16-be"))
        return b"{" + b",".join(canonical(k) + b":" + canonical(v) for k, v in members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    if isinstance(value, float):
        return number(value).encode()
    return json.dumps(value, ensure_ascii=False).encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def read(data):
    """[(name, bytes)] of a tape archive, as it is."""
    members, at = [], 0
    while data[at] != 0:
        name = data[at:at + 100].split(b"\0")[0].decode()
        size = int(data[at + 124:at + 135], 8)
        members.append((name, data[at + BLOCK:at + BLOCK + size]))
        at += BLOCK + -(-size // BLOCK) * BLOCK
    return members


def header(name, size, kind=b"0", link=b""):
    block = bytearray(BLOCK)
    block[:len(name)] = name.encode()
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124:136], block[136:148], block[148:156] = b"%011o\0" % size, b"00000000000\0", b" " * 8
    block[156:157], block[157:157 + len(link)], block[257:265] = kind, link, b"ustar\00000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name, data, **kwargs):
    return header(name, len(data), **kwargs) + data + bytes(-len(data) % BLOCK)


def write(members, end=bytes(2 * BLOCK)):
    return b"".join(member(n, d) for n, d in members) + end


def head(data):
    """What is sent first: all before the files."""
    return write([(n, d) for n, d in read(data) if not n.startswith("files/")], b"")


class Key:
    """An Ed25519 key of a log, as C2SP signed notes know it."""

    def __init__(self, name):
        self.name, self.secret = name, Ed25519PrivateKey.generate()
        public = b"\x01" + self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(public).decode()}"

    def note(self, text):
        signature = base64.b64encode(self.id + self.secret.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n".encode()


def vkey_of(name):
    return Key(name).vkey


def rank(name):
    order = ("checkpoint", "lineage.json", "versions.json", "manifests/", "documents/", "files/")
    return next((i for i, n in enumerate(order) if name.startswith(n)), len(order)), name


def sealed(key, parts, order=True, **listing):
    """The parts under a seal of that key, whatever they say. listing: what it says otherwise."""
    body = dict(parts[2:])
    old = json.loads(dict(parts)["listing.json"])
    names = sorted(body, key=rank) if order else list(body)
    said = {**old, "origin": key.name, "vkey": key.vkey,
            "members": [{"name": n, "sha256": sha256(body[n]), "size": len(body[n])} for n in names], **listing}
    text = canonical(said)
    digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
    return [("listing.json", text), ("seal.note", key.note(f"{key.name}\nbundle\n{digest}\n")), *((n, body[n]) for n in names)]


def adopted(key, members):
    """The same bundle as if the key's log had made it: its checkpoint and every proof under it are of that key."""
    body = dict(members)
    _, size, root, *_ = body["checkpoint"].decode().split("\n")
    checkpoint = key.note(f"{key.name}\n{size}\n{root}\n")
    lineage = json.loads(body["lineage.json"])
    for entry in lineage["entries"]:
        entry["proof"] = entry["proof"].replace(body["checkpoint"].decode(), checkpoint.decode())
    body["checkpoint"], body["lineage.json"] = checkpoint, canonical(lineage)
    return list(body.items())


def changed(members, name, change):
    """With one JSON member changed by a function."""
    body = dict(members)
    value = json.loads(body[name])
    body[name] = canonical(change(value) or value)
    return list(body.items())
