# SPDX-License-Identifier: Apache-2.0
"""The installation's key on a PKCS#11 token (SoftHSM, in a directory of its own), which it never leaves."""
import os
import pathlib
import re
import secrets
import shutil
import subprocess

import pytest
from idp import Idp
from service import PASSWORD, Service, bootstrap, person
from test_federation import provider, sign_in

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN, OFFICER = "the-users-pin-7421", "the-officers-pin-9935"


class Token:
    """One token with one AES key, as an admin makes it with Debian's tools."""

    def __init__(self, folder, label="chancery"):
        self.folder, self.store = folder, folder / "tokens"
        self.store.mkdir()
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {self.store}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.environment = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
        self.pin = folder / "pin"
        self.pin.write_text(PIN + "\n")
        self.pin.chmod(0o600)
        self.run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", OFFICER)
        self.label = label
        self.keygen("kek")

    def run(self, *command):
        done = subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def keygen(self, name, bits=256, *more):
        self.run("pkcs11-tool", "--module", MODULE, "--token-label", self.label, "--login", "--pin", PIN, "--keygen",
                 "--key-type", f"AES:{bits // 8}", "--label", name, "--sensitive", *more)

    def uri(self, name="kek", **changes):
        query = {"module-path": MODULE, "pin-source": f"file:{self.pin}", **changes}
        return (f"pkcs11:token={self.label};object={name}?"
                + "&".join(f"{k}={v}" for k, v in query.items() if v is not None))


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    made = Idp(tmp_path_factory.mktemp("idp"))
    yield made
    made.close()


@pytest.fixture
def token(tmp_path):
    return Token(tmp_path)


@pytest.fixture
def service(idp, token):
    """Not started: what each story wants of it differs."""
    made = Service(None, *idp.flags(), environment=token.environment)
    yield made
    made.kill()
    made.close()


@pytest.fixture(scope="module")
def ready():
    """A home that has been made, so that further starts are quick."""
    made = Service()
    try:
        made.start()
        made.stop()
        yield made
    finally:
        made.kill()
        made.close()


class Tenants:
    """The admins of acme and globex, and nobody else."""

    def __init__(self, service):
        self.service = service
        self.admin = bootstrap(service, service.bootstrap_code(), "acme")
        code = self.admin.ok("POST", "/v1/tenants", {"name": "globex"})["bootstrap_code"]
        self.foreign_admin = bootstrap(service, code, "globex")

    def sign_in(self):
        for admin in (self.admin, self.foreign_admin):
            reply = self.service.client().post("/v1/login", {"tenant": admin.tenant, "user": "admin",
                                                             "password": PASSWORD})
            assert reply.status_code == 200, reply.text
            admin.token = reply.json()["access_token"]


def opens(service, idp, at, tenant="acme"):
    return sign_in(service, idp, at=at, tenant=tenant, sub="s-" + at).status_code == 200


def wrapped(service):
    return service.sql("SELECT tenant_id, number, kek, encode(wrapped, 'hex') FROM chancery.wrapping_key ORDER BY 1, 2")


def start_refused(service, why):
    with pytest.raises(AssertionError, match=why):
        service.start()
    service.kill()


def memory_of(process):
    """Every readable byte of a process of ours that is not of a file."""
    found = []
    with open(f"/proc/{process.pid}/mem", "rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{process.pid}/maps").read_text().splitlines():
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and "[v" not in line and end - start < 1 << 28:
                memory.seek(start)
                try:
                    found.append(memory.read(end - start))
                except OSError:
                    continue
    return b"".join(found)


def test_a_secret_is_kept_under_a_token_that_comes_back(service, idp, token):
    service.flags += ["--kek", token.uri()]
    service.start()
    world = Tenants(service)
    provider(world.admin, "corp", idp.issuer)
    assert opens(service, idp, "corp")
    before = wrapped(service)
    service.stop()
    service.start()
    world.sign_in()
    assert opens(service, idp, "corp") and wrapped(service) == before
    told = world.admin.ok("GET", "/v1/audit?action=post_identity_provider")["value"]
    assert told and not any("fault" in e for e in told) and "corp" in str(told[0]["detail"]), "nor does the log's key leave it"
    assert PIN not in service.log() and PIN.encode() not in memory_of(service.process), "the PIN is forgotten after use"


def test_only_that_key_of_that_token_opens(service, idp, token, tmp_path_factory):
    service.flags += ["--kek", token.uri()]
    service.start()
    world = Tenants(service)
    provider(world.admin, "corp", idp.issuer)
    service.stop()
    # The same names on another token, and so the same id, but not the same key.
    other = Token(tmp_path_factory.mktemp("other"))
    kept = dict(service.environment)
    service.environment.update(other.environment)
    service.flags[-1] = other.uri()
    service.start()
    assert not opens(service, idp, "corp")
    assert "does not open under key" in service.log()
    service.stop()
    service.environment, service.flags[-1] = kept, token.uri()
    service.start()
    assert opens(service, idp, "corp")
    service.stop()
    service.flags = service.flags[:-2]
    service.start()
    assert not opens(service, idp, "corp"), "without the token nothing opens"
    reply = service.client().post("/v1/login", {"tenant": "acme", "user": "admin", "password": PASSWORD})
    assert reply.status_code == 503, "and nothing is recorded"
    assert "which this service was not given" in service.log()


@pytest.mark.parametrize("name, change, why", [
    ("wrong PIN", {"pin": "0000"}, "the token lets nobody in: .*PIN is incorrect"),
    ("empty PIN file", {"pin": ""}, "the PIN's file .*/pin is empty"),
    ("PIN file without a PIN", {"pin": "\n"}, "the PIN's file has no PIN"),
    ("PIN file that others can read", {"mode": 0o640}, "readable by nobody else"),
    ("PIN file a folder", {"pin-source": "file:/tmp"}, "the PIN's file /tmp is no file"),
    ("no PIN file", {"pin-source": "file:/nonexistent"}, "the PIN's file /nonexistent cannot be read"),
    ("no pin-source", {"pin-source": None}, "the URI has no pin-source"),
    ("PIN in the open", {"pin-source": None, "pin-value": PIN}, "pin-value, which others can see"),
    ("relative PIN file", {"pin-source": "file:pin"}, "no file: with an absolute path"),
    ("no such module", {"module-path": "/nonexistent.so"}, "/nonexistent.so cannot be loaded"),
    ("no such token", {"label": "elsewhere"}, "no token fits the URI"),
    ("no such key", {"object": "lost"}, "the token has no AES key that fits the URI"),
    ("no URI", {"text": "pkcs11:%"}, "no URI of RFC 7512"),
    ("unknown attribute", {"text": "pkcs11:token=chancery;colour=red"}, "an attribute that is not known"),
    ("token removed", {"removed": True}, "no token fits the URI"),
    ("two keys", {"second": ("kek", 256)}, "more than one AES key of the token fits"),
    ("short key", {"second": ("short", 128)}, "the key is not of 256 bits"),
    ("key that may leave", {"second": ("loose", 256, "--extractable")}, "the key may leave its token"),
    ("a key twice", {"twice": True}, "are the same"),
    ("nonsense", {"text": "hunter2hunter2"}, "none of 64 hexadecimal digits, pkcs11:… and derived"),
])
def test_what_is_wrong_stops_the_start(ready, token, name, change, why):
    if "pin" in change:
        token.pin.write_text(change["pin"])
    token.pin.chmod(change.get("mode", 0o600))
    if "second" in change:
        token.keygen(*change["second"])
    if "label" in change:
        token.label = change["label"]
    if "removed" in change:
        shutil.rmtree(token.store)
        token.store.mkdir()
    query = {k: v for k, v in change.items() if "-" in k}
    uri = change.get("text", token.uri(change.get("object", change.get("second", ["kek"])[0]), **query))
    ready.flags = ["--kek", uri + ("," + uri if "twice" in change else "")]
    ready.environment.update(token.environment)
    before = len(ready.log())
    start_refused(ready, why)
    log = ready.log()[before:]
    assert PIN not in log and "hunter2" not in log
    if name == "wrong PIN":
        assert log.count("lets nobody in") == 1, "a refused PIN is not tried again"


def test_from_the_key_file_to_a_token_and_on_to_a_file(service, idp, token, tmp_path):
    """Tenants' keys are wrapped anew; what they sealed stays byte for byte."""
    service.start()
    world = Tenants(service)
    provider(world.admin, "corp", idp.issuer)
    provider(world.foreign_admin, "theirs", idp.issuer)
    sealed = service.sql("SELECT id, encode(wrapped, 'hex'), encode(sealed, 'hex') FROM chancery.sealed_value ORDER BY 1")
    first = wrapped(service)

    def again(*flags):
        service.stop()
        service.flags = [*idp.flags(), *flags]
        service.start()
        world.sign_in()
        assert opens(service, idp, "corp") and opens(service, idp, "theirs", "globex")

    def rewrap(changed=True):
        for admin in (world.admin, world.foreign_admin):
            assert admin.ok("POST", "/v1/tenant-key/rewrap", data=b"") == {"changed": changed}

    again("--kek", token.uri() + ",derived")
    rewrap()
    second = wrapped(service)
    assert second != first and [x.split("|")[:2] for x in second.split()] == [x.split("|")[:2] for x in first.split()]
    rewrap(changed=False)
    again("--kek", token.uri())
    key_file = tmp_path / "keks"
    key_file.write_text(f"{secrets.token_hex(32)}\n{token.uri()}\n")
    with pytest.raises(AssertionError, match="kek_file: .* readable by nobody else"):
        again("--kek-file", str(key_file))
    key_file.chmod(0o400)
    again("--kek-file", str(key_file))
    rewrap()
    key_file.chmod(0o600)
    key_file.write_text(key_file.read_text().split("\n")[0] + "\n")
    again("--kek-file", str(key_file))
    assert service.sql("SELECT id, encode(wrapped, 'hex'), encode(sealed, 'hex') FROM chancery.sealed_value ORDER BY 1") == sealed
    assert len({tuple(x.split("|")[2:]) for w in (first, second, wrapped(service)) for x in w.split()}) == 6


def test_rows_put_elsewhere_and_shredding(service, idp, token):
    """Under a token as under a key in memory: the place is part of what the token authenticates."""
    service.flags += ["--kek", token.uri()]
    service.start()
    world = Tenants(service)
    provider(world.admin, "corp", idp.issuer)
    provider(world.foreign_admin, "theirs", idp.issuer)
    kept = service.sql("SELECT encode(k.wrapped, 'hex') FROM chancery.wrapping_key k JOIN chancery.tenant t USING (tenant_id)"
                       " WHERE t.name = 'globex'").strip()
    swap = ("UPDATE chancery.wrapping_key a SET wrapped = {} FROM chancery.wrapping_key b, chancery.tenant ta, chancery.tenant tb"
            " WHERE ta.name = 'globex' AND tb.name = 'acme' AND a.tenant_id = ta.tenant_id AND b.tenant_id = tb.tenant_id")
    service.sql(swap.format("b.wrapped"))
    assert not opens(service, idp, "theirs", "globex"), "another tenant's key, in this tenant's place"
    more = {"name": "more", "issuer": idp.issuer, "client_id": "x", "client_secret": "y", "provisioning": "jit"}
    assert world.foreign_admin.post("/v1/identity-providers", more).status_code == 500, "nor is it sealed with"
    service.sql(swap.format(f"set_byte(decode('{kept}', 'hex'), 20, get_byte(decode('{kept}', 'hex'), 20) # 1)"))
    assert not opens(service, idp, "theirs", "globex"), "one bit"
    service.sql(swap.format(f"decode('{kept}', 'hex')"))
    assert opens(service, idp, "theirs", "globex") and opens(service, idp, "corp")
    assert world.foreign_admin.delete("/v1/tenant-key?confirm=globex").status_code == 200
    assert not opens(service, idp, "theirs", "globex") and opens(service, idp, "corp")


def test_a_token_that_goes_while_serving_fails_closed_and_comes_back(service, idp, token):
    service.flags += ["--kek", token.uri()]
    service.start()
    world = Tenants(service)
    provider(world.admin, "corp", idp.issuer)
    world.admin.ok("PUT", "/v1/projects/credit", {})
    owner = person(service, world.admin, "owner", [("project-owner", "credit")])
    assert opens(service, idp, "corp")
    aside = token.folder / "aside"
    token.store.rename(aside)
    reply = owner.put("/v1/projects/credit/secrets/db", {"value": "x"})
    assert reply.status_code in (500, 503), reply.text
    assert not opens(service, idp, "corp")
    assert world.admin.get("/v1/me").status_code == 200, "what needs no secret goes on"
    aside.rename(token.store)
    assert opens(service, idp, "corp")
    assert owner.put("/v1/projects/credit/secrets/db", {"value": "x"}).status_code == 201
    # A PIN that was changed at the token: shown once, and then never until a restart.
    log = len(service.log())
    token.store.rename(aside)
    assert not opens(service, idp, "corp")
    aside.rename(token.store)
    token.pin.write_text("another-pin")
    for _ in range(4):
        opens(service, idp, "corp")
    assert len(re.findall("lets nobody in", service.log()[log:])) <= 1


def test_a_key_is_neither_in_the_arguments_nor_the_environment_of_what_runs(idp):
    """Nor in any child's: given as a flag, given in the environment, read as the superuser."""
    given, shown = secrets.token_hex(32), secrets.token_hex(32)
    service = Service(None, *idp.flags(), "--kek", shown, environment={"CHANCERY_KEK": given})
    try:
        service.start()
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                text = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
                parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            except OSError:
                continue
            if folder.name == str(service.process.pid) or parent == str(service.process.pid):
                assert given.encode() not in text and shown.encode() not in text, folder
        assert b"--kek" in pathlib.Path(f"/proc/{service.process.pid}/cmdline").read_bytes()
        status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text()
        assert pathlib.Path(f"/proc/{service.process.pid}/limits").read_text().split("Max core file size")[1].split()[0] == "0"
        assert "CoreDumping:\t0" in status
        # SIGHUP reads the settings again, and finds them as they were.
        service.process.send_signal(1)
        world = Tenants(service)
        provider(world.admin, "corp", idp.issuer)
        assert opens(service, idp, "corp")
        assert "setting kek has changed" not in service.log()
        assert given not in service.log() and shown not in service.log()
    finally:
        service.kill()
        service.close()
