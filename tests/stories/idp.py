# SPDX-License-Identifier: Apache-2.0
"""An identity provider on loopback, honest or hostile as a story wants: HTTPS under a CA of its own."""
import base64
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import ssl
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils


def b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(n):
    return b64(n.to_bytes((n.bit_length() + 7) // 8, "big"))


def certificate(folder):
    """A self-signed certificate for localhost, which is its own authority; (certificate, key) files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.utcnow()
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"),
                                                        x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256()))
    (folder / "idp.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "idp.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                       serialization.NoEncryption()))
    return folder / "idp.pem", folder / "idp.key"


class Key:
    """A signing key of one algorithm."""

    def __init__(self, alg, kid, bits=2048):
        self.alg, self.kid = alg, kid
        self.private = {"RS256": lambda: rsa.generate_private_key(65537, bits),
                        "PS256": lambda: rsa.generate_private_key(65537, bits),
                        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
                        "EdDSA": ed25519.Ed25519PrivateKey.generate}[alg]()

    def jwk(self, **more):
        public = self.private.public_key()
        base = {"kid": self.kid, "use": "sig", "alg": self.alg}
        if self.alg in ("RS256", "PS256"):
            n = public.public_numbers()
            return {**base, "kty": "RSA", "n": number(n.n), "e": number(n.e), **more}
        if self.alg == "ES256":
            n = public.public_numbers()
            return {**base, "kty": "EC", "crv": "P-256", "x": b64(n.x.to_bytes(32, "big")),
                    "y": b64(n.y.to_bytes(32, "big")), **more}
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {**base, "kty": "OKP", "crv": "Ed25519", "x": b64(raw), **more}

    def sign(self, data):
        if self.alg == "RS256":
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == "PS256":
            return self.private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        if self.alg == "EdDSA":
            return self.private.sign(data)
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def token(self, claims, **header):
        head = {"alg": self.alg, "kid": self.kid, "typ": "JWT", **header}
        head = {k: v for k, v in head.items() if v is not None}
        signed = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
        return signed + "." + b64(self.sign(signed.encode()))

    def pem(self):
        return self.private.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)

    def confused(self, claims):
        """HS256 with the public key as the secret."""
        signed = b64(json.dumps({"alg": "HS256", "kid": self.kid}).encode()) + "." + b64(json.dumps(claims).encode())
        return signed + "." + b64(hmac.new(self.pem(), signed.encode(), hashlib.sha256).digest())


class Idp:
    def __init__(self, folder):
        self.ca, key = certificate(folder)
        self.keys = [Key("RS256", "rsa"), Key("ES256", "ec"), Key("EdDSA", "ed"), Key("PS256", "pss")]
        self.key = self.keys[0]
        self.asked = []  # (path, form)
        self.id_token = None
        self.answers = {}  # path: (status, body, headers), instead of the usual
        self.configuration_more = {}
        idp = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, form=None):
                idp.asked.append((self.path, form, self.headers.get("Authorization")))
                said = idp.answers.get(self.path) or (200, idp.usual(self.path), {})
                status, body, headers = said() if callable(said) else said
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self.answer()

            def do_POST(self):
                text = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                self.answer(dict(urllib.parse.parse_qsl(text)))

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.issuer = self.base = f"https://localhost:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def flags(self):
        return ["--outbound-ca", str(self.ca), "--outbound-private", f"localhost:{self.port}"]

    def at(self, path):
        return f"{self.base}{path}"

    def usual(self, path):
        """Every path is an issuer of its own: /x/.well-known/openid-configuration."""
        if path.endswith("/.well-known/openid-configuration"):
            issuer = self.base + path.removesuffix("/.well-known/openid-configuration")
            return {"issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
                    "jwks_uri": issuer + "/jwks", "response_types_supported": ["code"],
                    "token_endpoint_auth_methods_supported": ["client_secret_basic"], **self.configuration_more}
        if path.endswith("/jwks"):
            return {"keys": [k.jwk() for k in self.keys]}
        return {"access_token": "of no use here", "token_type": "Bearer", "id_token": self.id_token}

    def claims(self, **more):
        now = int(time.time())
        return {"iss": self.issuer, "aud": "chancery-here", "sub": "u-1", "iat": now, "exp": now + 300, **more}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
