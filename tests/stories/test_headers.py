# SPDX-License-Identifier: Apache-2.0
"""What every answer carries, whoever asks for what, and what is never believed of a request."""
import pytest
from service import Client, person

PATHS = ["/healthz", "/v1/me", "/v1/projects", "/v1/projects/credit", "/v1/nowhere", "/oauth2/authorize", "/device", "/metrics",
         "/api/2.0/mlflow/experiments/search", "/serve/credit/none/v2", "/scim/v2/Users", "/.well-known/openid-configuration"]


def answers(world):
    for path in PATHS:
        for client in (world.service.client(), world.admin, world["reader"]):
            for method in ("GET", "POST", "PATCH"):
                yield f"{method} {path}", client.request(method, path)


def test_every_answer_forbids_sniffing_framing_and_plain_http(world):
    for what, reply in answers(world):
        h = reply.headers
        assert h.get("X-Content-Type-Options") == "nosniff", what
        assert int(h["Strict-Transport-Security"].split("max-age=")[1].split(";")[0]) >= 31536000, what
        policy = h["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy, what
        if reply.content:
            assert h.get("Content-Type"), what
            assert "json" in h["Content-Type"] or "charset=utf-8" in h["Content-Type"].lower(), (what, h["Content-Type"])


def test_answers_about_the_tenant_are_not_kept(world):
    for path in ("/v1/me", "/v1/users", "/v1/projects", "/v1/audit", "/v1/tokens", "/oauth2/authorize"):
        assert "no-store" in world.admin.get(path).headers["Cache-Control"], path
    login = world.service.client().post("/v1/login", {"tenant": "acme", "user": "admin", "password": "wrong"})
    assert "no-store" in login.headers["Cache-Control"]


def test_no_other_origin_is_let_in(world):
    for method in ("GET", "OPTIONS", "POST"):
        reply = world.admin.request(method, "/v1/projects", headers={"Origin": "https://evil.example",
                                                                     "Access-Control-Request-Method": "PUT"})
        assert not [h for h in reply.headers if h.lower().startswith("access-control-")], method


def test_pages_tell_no_other_site_where_one_was(world):
    for path in ("/oauth2/authorize?response_type=code", "/device"):
        reply = world.service.client().get(path, allow_redirects=False)
        assert reply.headers["Referrer-Policy"] in ("no-referrer", "same-origin"), path


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "DEBUG"])
def test_methods_that_are_for_debugging_are_refused(world, method):
    reply = world.admin.request(method, "/v1/projects", headers={"X-Canary": "sings"})
    assert reply.status_code in (400, 404, 405, 501) and "sings" not in reply.text


def test_there_are_no_directories_to_list(world):
    for path in ("/", "/v1/", "/static/", "/.git/HEAD", "/.git/", "/.svn/entries", "/v1/projects/"):
        reply = world.admin.get(path)
        assert reply.status_code in (400, 404) and "<a " not in reply.text, path


def test_tokens_in_urls_are_not_taken(world):
    stranger = world.service.client()
    for query in ("access_token", "token", "bearer", "api_key"):
        assert stranger.get(f"/v1/me?{query}={world.admin.token}").status_code == 401, query
    assert stranger.get("/v1/me", headers={"Cookie": f"access_token={world.admin.token}"}).status_code == 401
    assert world.admin.token not in world.service.log()


def test_a_forwarded_address_is_not_believed(world):
    ann = person(world.service, world.admin, "header-ann")
    world.admin.ok("POST", "/v1/bindings", {"principal": ann.name, "role": "reader", "scope": "project", "project": "credit",
                                            "condition": "network in 203.0.113.0/24"})
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"):
        value = "for=203.0.113.9" if name == "Forwarded" else "203.0.113.9"
        assert ann.get("/v1/projects/credit", headers={name: value}).status_code == 404, name


def test_a_method_is_not_overridden_by_a_header(world):
    world.admin.ok("PUT", "/v1/projects/header-kept", {})
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert world.admin.get("/v1/projects/header-kept", headers={name: "DELETE"}).status_code == 200
    assert world.admin.get("/v1/projects/header-kept?_method=DELETE").status_code == 200
    assert world.admin.get("/v1/projects/header-kept").status_code == 200


def test_reading_changes_nothing(world):
    """No method that browsers send by themselves does: each route that is not read-only is POST, PUT, PATCH or DELETE."""
    with world.service.unchanged():
        for path in PATHS:
            Client(world.service, world.admin.token).get(path)


def test_what_fails_says_nothing_of_the_inside(world):
    for what, reply in answers(world):
        for word in ("libpq", "postgres", "SELECT ", "/home/", ".c:", "stack", "errno", "SQLSTATE"):
            assert word not in reply.text, (what, word)
