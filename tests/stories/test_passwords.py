# SPDX-License-Identifier: Apache-2.0
"""Which passwords are taken: long enough, not known to attackers, and nothing asked of what they are made of."""
import hashlib

import pytest
from lifecycle_support import new_home, refused, forget
from service import Service, bootstrap, person

KNOWN = ["password1234", "qwertyuiop12", "Summer2026!!!", "жжжжжжжжжжжж"]
GOOD = "all lower case and no digit"


@pytest.fixture(scope="module")
def breached(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "pwned.txt"
    hashes = sorted(hashlib.sha1(p.encode()).hexdigest().upper() for p in KNOWN)
    more = sorted(hashes + [hashlib.sha1(f"{i}".encode()).hexdigest().upper() for i in range(20000)])
    path.write_text("".join(f"{h}:{i + 1}\r\n" for i, h in enumerate(more)))
    return path


@pytest.fixture(scope="module")
def service(breached):
    started = Service(None, "--breached-passwords", str(breached))
    try:
        yield started.start()
    finally:
        started.close()


@pytest.fixture(scope="module")
def admin(service):
    body = {"code": service.bootstrap_code(), "tenant": "acme", "user": "admin", "password": KNOWN[0]}
    reply = service.client().post("/v1/bootstrap", body)
    assert reply.status_code == 400 and reply.json()["error"]["target"] == "password", reply.text
    assert "attackers know" in reply.json()["error"]["message"]
    return bootstrap(service, body["code"], "acme")  # the code is still good


def test_known_passwords_are_refused_everywhere(admin, service):
    with service.unchanged():
        for password in KNOWN:
            reply = admin.post("/v1/users", {"name": "reader", "password": password})
            assert reply.status_code == 400 and "attackers know" in reply.json()["error"]["message"], reply.text
    reader = person(service, admin, "reader")
    with service.unchanged():
        reply = admin.patch("/v1/users/reader", {"password": KNOWN[1]})
        assert (reply.status_code, reply.json()["error"]["target"]) == (400, "password")
        reply = reader.post("/v1/me/password", {"current": reader.password, "new": KNOWN[2]})
        assert (reply.status_code, reply.json()["error"]["target"]) == (400, "new")
        assert KNOWN[2] not in reply.text
    assert reader.post("/v1/me/password", {"current": reader.password, "new": GOOD}).status_code == 204


@pytest.mark.parametrize("password", [GOOD, "0" * 64, "é" * 12, "漢字" * 30, " " * 15, "a" * 256])
def test_nothing_is_asked_of_what_they_are_made_of(admin, service, password):
    user = "user-" + hashlib.sha256(password.encode()).hexdigest()[:8]
    admin.ok("POST", "/v1/users", {"name": user, "password": password})
    login = {"tenant": "acme", "user": user, "password": password}
    assert service.client().post("/v1/login", login).status_code == 200
    assert service.client().post("/v1/login", {**login, "password": password[:-1]}).status_code in (400, 401)


@pytest.mark.parametrize("password", ["elevenchars", "é" * 11, "漢" * 5, "a" * 257])
def test_length_counts_characters(admin, password):
    reply = admin.post("/v1/users", {"name": "short", "password": password})
    assert (reply.status_code, reply.json()["error"]["target"]) == (400, "password"), reply.text


@pytest.mark.parametrize("content", [None, "", "no hashes\n", "FFFFFFFFFFFFFFFFFFFF:1\n" + "0000000000000000FFFF:1\n" * 300])
def test_a_list_that_cannot_be_used_refuses_the_start(tmp_path, content):
    path = tmp_path / "list"
    if content is not None:
        path.write_text(content)
    home = new_home()
    try:
        assert "breached_passwords" in refused(home, "--breached-passwords", str(path))
    finally:
        forget(home)


