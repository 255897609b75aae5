# SPDX-License-Identifier: Apache-2.0
"""Chromium without a window, over the WebDriver protocol by plain HTTP (W3C WebDriver; WebAuthn §11 for authenticators)."""
import base64
import hashlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ROOT = pathlib.Path(__file__).resolve().parents[2]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # W3C WebDriver §11
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"]


def missing(reason):
    if os.environ.get("REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def installed():
    if shutil.which("chromedriver") and shutil.which("chromium"):
        return
    done = subprocess.run([ROOT / "tests/tools/deps.sh", "peers"], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        missing("chromium cannot be installed: " + (done.stdout + done.stderr)[-300:])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def key_digest(url):
    """Of the server certificate's public key, as --ignore-certificate-errors-spki-list takes it."""
    where = urllib.parse.urlsplit(url)
    public = x509.load_pem_x509_certificate(ssl.get_server_certificate((where.hostname, where.port)).encode()).public_key()
    return base64.b64encode(hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()).decode()


class Chromium:
    """One browser with a profile of its own, which believes the certificate at url."""

    def __init__(self, folder, url):
        installed()
        self.port = free_port()
        self.log = open(folder / "chromedriver.log", "wb")
        self.http = requests.Session()
        self.http.trust_env = False
        self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=self.log, stderr=self.log,
                                       env={**os.environ, "HOME": str(folder)})
        self.base = f"http://127.0.0.1:{self.port}"
        try:
            self.wait(lambda: self.ready(), 60)
            options = {"binary": shutil.which("chromium"), "args": [
                *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--ignore-certificate-errors-spki-list={key_digest(url)}"]}
            made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options, "webauthn:virtualAuthenticators": True}}})
            self.base += "/session/" + made["sessionId"]
            self.version = made["capabilities"]["browserVersion"]
        except BaseException:
            self.close()
            raise

    def ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except requests.ConnectionError:
            return False

    @staticmethod
    def wait(what, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := what():
                return found
            time.sleep(0.05)
        raise AssertionError("the browser did not get there in time")

    def call(self, method, path, body=None):
        reply = self.http.request(method, self.base + path, json={} if body is None and method == "POST" else body, timeout=120)
        assert reply.status_code == 200, f"{method} {path}: {reply.text[:1000]}"
        return reply.json()["value"]

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def url(self):
        return self.call("GET", "/url")

    def text(self):
        return self.call("POST", "/execute/sync", {"script": "return document.body.innerText", "args": []})

    def find(self, selector):
        return [e[ELEMENT] for e in self.call("POST", "/elements", {"using": "css selector", "value": selector})]

    def fill(self, **values):
        for name, value in values.items():
            self.call("POST", f"/element/{self.find(f'input[name={name}]')[-1]}/value", {"text": value})

    def press(self, selector):
        self.call("POST", f"/element/{self.find(selector)[-1]}/click")

    def authenticator(self, **more):
        """A security key that says yes to everything, with a PIN of its own."""
        return self.call("POST", "/webauthn/authenticator", {
            "protocol": "ctap2", "transport": "usb", "hasResidentKey": True, "hasUserVerification": True,
            "isUserConsenting": True, "isUserVerified": True, **more})

    def unplug(self, authenticator):
        self.call("DELETE", f"/webauthn/authenticator/{authenticator}")

    def credentials(self, authenticator):
        return self.call("GET", f"/webauthn/authenticator/{authenticator}/credentials")

    def close(self):
        try:
            if "/session/" in self.base:
                self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(20)
            self.log.close()
