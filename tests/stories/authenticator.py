# SPDX-License-Identifier: Apache-2.0
"""An authenticator in Python: what a passkey and the browser before it send, and what attackers would."""
import base64
import hashlib
import json
import secrets
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

ES256, EDDSA, RS256 = -7, -8, -257
UP, UV, BE, BS, AT, ED = 1, 4, 8, 16, 64, 128


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for low, size in ((24, "B"), (25, ">H"), (26, ">I"), (27, ">Q")):
        if number < 1 << 8 * struct.calcsize(size):
            return bytes([major << 5 | low]) + struct.pack(size, number)
    raise ValueError(number)


def cbor(value):
    """Canonical CBOR of integers, bytes, texts, lists and dictionaries."""
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    pairs = sorted((cbor(k), cbor(v)) for k, v in value.items())
    return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)


class Passkey:
    """One credential of one site. Attributes may be bent before it is used."""

    def __init__(self, origin, algorithm=ES256, flags=UP | UV, counter=1):
        self.origin, self.algorithm, self.flags, self.counter = origin, algorithm, flags, counter
        self.rp_id = origin.split("//")[1].split(":")[0]
        self.id = secrets.token_bytes(32)
        self.kind = {"create": "webauthn.create", "get": "webauthn.get"}
        self.client, self.handle, self.trailing = {}, None, b""
        self.key = {ES256: lambda: ec.generate_private_key(ec.SECP256R1()), EDDSA: ed25519.Ed25519PrivateKey.generate,
                    RS256: lambda: rsa.generate_private_key(65537, 2048)}.get(algorithm, lambda: None)()

    def cose(self):
        if self.algorithm == EDDSA:
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
            return {1: 1, 3: EDDSA, -1: 6, -2: self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)}
        numbers = self.key.public_key().public_numbers()
        if self.algorithm == RS256:
            return {1: 3, 3: RS256, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}
        return {1: 2, 3: ES256, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}

    def sign(self, data):
        if self.algorithm == ES256:
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        if self.algorithm == EDDSA:
            return self.key.sign(data)
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def data(self, attested=b""):
        flags = self.flags | (AT if attested else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + struct.pack(">BI", flags, self.counter) + attested

    def client_data(self, which, options):
        data = {"type": self.kind[which], "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False,
                **self.client}
        return json.dumps({k: v for k, v in data.items() if v is not None}).encode()

    def attested(self):
        return bytes(16) + struct.pack(">H", len(self.id)) + self.id + cbor(self.cose()) + self.trailing

    def statement(self, fmt, signed):
        if fmt == "packed":
            return {"alg": self.algorithm, "sig": self.sign(signed)}
        return {}

    def create(self, options, fmt="none", bend=lambda raw: raw, **more):
        """RegistrationResponseJSON. bend changes the bytes of the attestation object."""
        client = self.client_data("create", options)
        data = self.data(self.attested())
        statement = {**self.statement(fmt, data + hashlib.sha256(client).digest()), **more}
        raw = bend(cbor({"fmt": fmt, "attStmt": statement, "authData": data}))
        return {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "clientExtensionResults": {},
                "response": {"clientDataJSON": b64(client), "attestationObject": b64(raw)}}

    def get(self, options, bend=lambda data: data):
        """AuthenticationResponseJSON; the counter grows."""
        self.counter += 1 if self.counter else 0
        client, data = self.client_data("get", options), bend(self.data())
        response = {"clientDataJSON": b64(client), "authenticatorData": b64(data),
                    "signature": b64(self.sign(data + hashlib.sha256(client).digest()))}
        if self.handle:
            response["userHandle"] = self.handle
        return {"id": b64(self.id), "type": "public-key", "response": response}
