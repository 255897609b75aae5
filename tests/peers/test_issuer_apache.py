# SPDX-License-Identifier: Apache-2.0
"""Debian's mod_auth_openidc signs somebody in at our issuer: an apache2 of the test's own, on loopback, in its own folder.

It discovers the issuer, runs the code flow with PKCE, checks the ID token, asks userinfo, refreshes, and signs out.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse

import pytest
import requests

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "stories"))
from npm import free_port, missing  # noqa: E402  (the path is set above)
from oauth import Browser  # noqa: E402
from service import Client  # noqa: E402
from test_issuer_peers import Setting  # noqa: E402

MODULES = pathlib.Path("/usr/lib/apache2/modules")
LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "dir", "alias", "auth_openidc")
CONFIG = """
ServerRoot {folder}
ServerName 127.0.0.1
PidFile {folder}/pid
Listen 127.0.0.1:{port}
ErrorLog {folder}/error.log
LogLevel warn auth_openidc:info
DefaultRuntimeDir {folder}
Mutex file:{folder}
{modules}
DocumentRoot {folder}/www
User {user}
Group {group}
OIDCProviderMetadataURL {url}/.well-known/openid-configuration
OIDCCABundlePath {ca}
OIDCClientID {client}
OIDCClientSecret {secret}
OIDCRedirectURI http://127.0.0.1:{port}/callback
OIDCDefaultLoggedOutURL http://127.0.0.1:{port}/bye
OIDCCryptoPassphrase {passphrase}
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCIDTokenSignedResponseAlg ES256
OIDCSSLValidateServer On
OIDCRemoteUserClaim preferred_username
OIDCInfoHook access_token id_token userinfo refresh_token
OIDCRefreshAccessTokenBeforeExpiry 3600
<Location "/secure">
  AuthType openid-connect
  Require valid-user
  Header set X-User "%{{OIDC_CLAIM_preferred_username}}e"
  Header set X-Issuer "%{{OIDC_CLAIM_iss}}e"
</Location>
<Location "/callback">
  AuthType openid-connect
  Require valid-user
</Location>
"""


class Apache:
    def __init__(self, setting, folder):
        self.folder, self.port = folder, free_port()
        os.chmod(folder, 0o755)
        (folder / "www" / "secure").mkdir(parents=True)
        (folder / "www" / "secure" / "page.html").write_text("inside")
        (folder / "www" / "bye").write_text("out")
        known = setting.clients["server"]
        root = os.geteuid() == 0
        ca = folder / "ca.pem"
        shutil.copy(setting.service.ca, ca)
        ca.chmod(0o644)
        modules = "\n".join(f"LoadModule {m}_module {MODULES}/mod_{m}.so" for m in LOADED if (MODULES / f"mod_{m}.so").exists())
        (folder / "apache.conf").write_text(CONFIG.format(
            folder=folder, port=self.port, modules=modules, url=setting.service.url, ca=ca, client=known["id"],
            secret=known["secret"], passphrase=os.urandom(16).hex(), user="www-data" if root else f"#{os.geteuid()}",
            group="www-data" if root else f"#{os.getegid()}"))
        if root:
            shutil.chown(folder, "www-data")
        self.process = subprocess.Popen(["/usr/sbin/apache2", "-X", "-f", folder / "apache.conf"],
                                        stdout=open(folder / "out", "w"), stderr=subprocess.STDOUT)
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(self.log())

    def log(self):
        return "".join(p.read_text(errors="replace") for p in (self.folder / "out", self.folder / "error.log") if p.exists())

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def setting():
    if not pathlib.Path("/usr/sbin/apache2").exists() or not (MODULES / "mod_auth_openidc.so").exists():
        missing("apache2-bin and libapache2-mod-auth-openidc are not installed")
    made = Setting()
    try:
        yield made
    finally:
        made.service.close()


@pytest.fixture(scope="module")
def apache(setting, tmp_path_factory):
    folder = pathlib.Path("/tmp") / f"chancery-apache-{os.getpid()}"  # pytest's own folders let nobody else in
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    made = None
    try:
        made = Apache(setting, folder)
        yield made
    finally:
        if made:
            made.close()
        shutil.rmtree(folder, ignore_errors=True)


class Person:
    """One browser at the site and at the issuer."""

    def __init__(self, setting, apache):
        self.setting, self.apache = setting, apache
        self.site, self.issuer = requests.Session(), Browser(setting.service)
        self.site.trust_env = False

    def at(self, where):
        url = where if where.startswith("http") else f"http://127.0.0.1:{self.apache.port}{where}"
        return self.site.get(url, allow_redirects=False, timeout=30)

    def sign_in(self):
        reply = self.at("/secure/page.html")
        assert reply.status_code == 302, f"{reply.status_code} {reply.text} {self.apache.log()}"
        there = reply.headers["Location"]
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(there).query))
        assert asked["code_challenge_method"] == "S256" and asked["nonce"] and asked["state"]
        reply = self.issuer.get(there.removeprefix(self.setting.service.url))
        if reply.status_code == 200:
            reply = self.issuer.submit(reply, user=self.setting.ann.name, password=self.setting.ann.password)
        assert reply.status_code == 303, reply.text
        self.back = reply.headers["Location"]
        reply = self.at(self.back)
        assert reply.status_code == 302, f"{reply.status_code} {reply.text} {self.apache.log()}"
        return self.at(reply.headers["Location"])


def test_somebody_signs_in_at_a_site_of_apache(setting, apache):
    ann = Person(setting, apache)
    page = ann.sign_in()
    assert page.status_code == 200 and page.text == "inside", apache.log()
    assert page.headers["X-User"] == setting.ann.name and page.headers["X-Issuer"] == setting.service.url
    told = ann.at("/callback?info=json").json()
    assert told["id_token"]["aud"] == setting.clients["server"]["id"] and told["userinfo"]["sub"] == told["id_token"]["sub"]
    me = Client(setting.service, told["access_token"]).get("/oauth2/userinfo")
    assert me.json()["preferred_username"] == setting.ann.name
    again = Person(setting, apache)
    again.issuer = ann.issuer
    assert again.sign_in().text == "inside", "signed in here already, no password is asked for there"


def test_an_answer_is_good_once_and_in_its_browser(setting, apache):
    ann = Person(setting, apache)
    assert ann.sign_in().status_code == 200
    stranger = Person(setting, apache)
    reply = stranger.at(ann.back)
    assert reply.status_code != 302 or "/secure" not in reply.headers["Location"]
    assert stranger.at("/secure/page.html").status_code == 302


def test_signing_out_there_signs_out_here(setting, apache):
    """It sends the ID token, not its name."""
    ann = Person(setting, apache)
    ann.sign_in()
    token = ann.at("/callback?info=json").json()["access_token"]
    bye = f"http://127.0.0.1:{apache.port}/bye"
    reply = ann.at("/callback?logout=" + urllib.parse.quote(bye, safe=""))
    assert reply.status_code == 302, apache.log()
    there = reply.headers["Location"]
    assert there.startswith(setting.service.url + "/oauth2/logout?") and "id_token_hint=" in there and "client_id" not in there
    page = ann.issuer.get(there.removeprefix(setting.service.url))
    assert page.status_code == 200, page.text
    reply = ann.issuer.submit(page)
    assert reply.status_code == 303 and reply.headers["Location"].startswith(bye), reply.text
    assert Client(setting.service, token).get("/oauth2/userinfo").status_code == 401
    assert re.match(r"http", ann.at("/secure/page.html").headers["Location"])
