# SPDX-License-Identifier: Apache-2.0
"""Secrets go in and never come out; a row put elsewhere does not open; keys rotate and are shredded."""
import json
import secrets

import pytest
from idp import Idp
from service import Service, World
from test_federation import begin, end, provider, sign_in

VALUE = "the-combination-is-12345"


@pytest.fixture(scope="module")
def idp(tmp_path_factory):
    made = Idp(tmp_path_factory.mktemp("idp"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(idp):
    started = Service(None, *idp.flags())
    try:
        started.start()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def world(service):
    return World(service)


def put(world, name, value, project="credit"):
    return world["project-owner"].put(f"/v1/projects/{project}/secrets/{name}", {"value": value})


def test_a_value_goes_in_and_never_comes_out(world, service):
    assert put(world, "db", VALUE).status_code == 201
    again = put(world, "db", VALUE + "-2")
    assert again.status_code == 200 and again.json()["versions"] == 2
    owner = world["project-owner"]
    answers = [owner.get(p).text for p in ("/v1/projects/credit/secrets", "/v1/projects/credit/secrets/db",
                                           "/v1/projects/credit/secrets/db/versions")]
    assert '"name":"db"' in answers[0] and '"number":2' in answers[2]
    answers += [again.text, world["auditor"].get("/v1/audit?limit=1000").text, service.log()]
    dump = "".join(service.sql(f"SELECT jsonb_agg(to_jsonb(t)) FROM chancery.{t} t")
                   for t in ("secret", "sealed_value", "wrapping_key", "audit_entry"))
    for text in [*answers, dump]:
        assert VALUE not in text and VALUE.encode().hex() not in text
    for number in (1, 2):
        assert owner.get(f"/v1/projects/credit/secrets/db/versions/{number}").status_code in (404, 405)


def test_who_may(world):
    for role in ("data-scientist", "reader", "approver", "deployer", "data-steward", "endpoint-consumer", "auditor",
                 "tenant-admin", "access-admin", "security-operator"):
        reply = world[role].put("/v1/projects/credit/secrets/x", {"value": "v"})
        assert reply.status_code in (403, 404), role
    assert world["data-scientist"].get("/v1/projects/credit/secrets").status_code == 403
    assert world["auditor"].get("/v1/projects/credit/secrets").status_code == 200
    assert world.foreign_admin.get("/v1/projects/credit/secrets/db").status_code == 404


def test_bad_values_and_names(world):
    for name, body in [("ok", {"value": ""}), ("ok", {"value": "x" * 65537}), ("ok", {}), ("ok", {"value": 7}),
                       ("Not%20ok", {"value": "x"})]:
        assert world["project-owner"].put(f"/v1/projects/credit/secrets/{name}", body).status_code == 400
    assert put(world, "big", "x" * 65536).status_code == 201


def test_gone_is_gone(world, service):
    put(world, "brief", VALUE)
    before = service.sql("SELECT count(*) FROM chancery.sealed_value")
    assert world["project-owner"].delete("/v1/projects/credit/secrets/brief").status_code == 204
    assert world["project-owner"].get("/v1/projects/credit/secrets/brief").status_code == 404
    assert int(service.sql("SELECT count(*) FROM chancery.sealed_value")) == int(before) - 1


def opens(world, idp, at, tenant="acme"):
    """Whether the sealed client secret of that provider still opens, seen from outside."""
    reply = sign_in(world.service, idp, at=at, tenant=tenant, sub="s-" + at)
    return reply.status_code == 200


def test_a_row_put_elsewhere_does_not_open(world, service, idp):
    """As the superuser: another id, another version, another purpose, another tenant, its own bytes changed."""
    one, two = provider(world.admin, "one", idp.issuer), provider(world.admin, "two", idp.issuer)
    theirs = provider(world.foreign_admin, "theirs", idp.issuer)
    assert opens(world, idp, "one") and opens(world, idp, "theirs", "globex")

    def swap(into, source):
        kept = service.sql(f"SELECT encode(wrapped, 'hex'), encode(sealed, 'hex') FROM chancery.sealed_value WHERE id = '{into}'")
        service.sql("UPDATE chancery.sealed_value a SET wrapped = b.wrapped, sealed = b.sealed FROM chancery.sealed_value b"
                    f" WHERE a.id = '{into}' AND b.id = '{source}'")
        return kept.strip().split("|")

    def restore(into, kept):
        service.sql(f"UPDATE chancery.sealed_value SET wrapped = decode('{kept[0]}', 'hex'), sealed = decode('{kept[1]}', 'hex')"
                    f" WHERE id = '{into}'")

    for into, source, at, tenant in [(one["id"], two["id"], "one", "acme"), (theirs["id"], one["id"], "theirs", "globex")]:
        kept = swap(into, source)
        assert not opens(world, idp, at, tenant)
        restore(into, kept)
        assert opens(world, idp, at, tenant)
    # The whole row, its id exchanged: also with the tenant's key taken along.
    kept = service.sql("SELECT encode(wrapped, 'hex') FROM chancery.wrapping_key k JOIN chancery.tenant t USING (tenant_id)"
                       " WHERE t.name = 'globex' AND k.wrapped IS NOT NULL").strip()
    service.sql("UPDATE chancery.wrapping_key a SET wrapped = b.wrapped FROM chancery.wrapping_key b, chancery.tenant ta, chancery.tenant tb"
                " WHERE ta.name = 'globex' AND tb.name = 'acme' AND a.tenant_id = ta.tenant_id AND b.tenant_id = tb.tenant_id")
    old = swap(theirs["id"], one["id"])
    assert not opens(world, idp, "theirs", "globex")
    service.sql(f"UPDATE chancery.wrapping_key k SET wrapped = decode('{kept}', 'hex') FROM chancery.tenant t"
                " WHERE t.name = 'globex' AND t.tenant_id = k.tenant_id")
    restore(theirs["id"], old)
    for column, value in [("version", "2"), ("purpose", "'secret'"), ("sealed", "set_byte(sealed, 20, get_byte(sealed, 20) # 1)"),
                          ("wrapped", "set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)")]:
        name = f"changed-{column}"
        made = provider(world.admin, name, idp.issuer)
        assert opens(world, idp, name)
        service.sql(f"UPDATE chancery.sealed_value SET {column} = {value} WHERE id = '{made['id']}'")
        if column == "purpose":  # is not what the reader asks by; put back, it still opens
            continue
        assert not opens(world, idp, name), column


def test_the_tenants_key_rotates(world, service, idp):
    provider(world.admin, "rotated", idp.issuer)
    before = service.sql("SELECT id, encode(sealed, 'hex') FROM chancery.sealed_value ORDER BY id, version")
    # What no longer opens stops the rotation, and nothing changes.
    broken = world.admin.post("/v1/tenant-key/rotate", data=b"")
    assert broken.status_code == 500 and opens(world, idp, "rotated")
    for name in ("changed-version", "changed-purpose", "changed-wrapped"):
        assert world.admin.delete(f"/v1/identity-providers/{name}").status_code == 204
    done = world.admin.ok("POST", "/v1/tenant-key/rotate", data=b"")
    assert done["key"] == 2 and done["values"] > 1
    assert opens(world, idp, "rotated")
    rows = service.sql("SELECT k.number, k.wrapped IS NULL FROM chancery.wrapping_key k JOIN chancery.tenant t USING (tenant_id)"
                       " WHERE t.name = 'acme' ORDER BY 1").split()
    assert rows == ["1|t", "2|f"]
    assert set(service.sql("SELECT id, encode(sealed, 'hex') FROM chancery.sealed_value").split()) <= set(before.split())


def test_the_installations_key_rotates(idp):
    """A newer key is put before the old; tenants' keys move under it; then the old can go."""
    old, new = secrets.token_hex(32), secrets.token_hex(32)
    service = Service(None, *idp.flags(), environment={"CHANCERY_KEK": old})
    try:
        service.start()
        world = World(service)
        provider(world.admin, "corp", idp.issuer)
        assert opens(world, idp, "corp")
        assert world.admin.ok("POST", "/v1/tenant-key/rewrap", data=b"") == {"changed": False}
        service.stop()
        service.environment["CHANCERY_KEK"] = f"{new},{old}"
        service.start()
        world.sign_in()
        assert opens(world, idp, "corp")
        assert world.admin.ok("POST", "/v1/tenant-key/rewrap", data=b"") == {"changed": True}
        service.stop()
        service.environment["CHANCERY_KEK"] = old
        service.start()
        assert not opens(world, idp, "corp"), "the old key opens nothing more"
        service.stop()
        service.environment["CHANCERY_KEK"] = new
        service.start()
        assert opens(world, idp, "corp")
        service.stop()
        service.environment["CHANCERY_KEK"] = "short"
        with pytest.raises(AssertionError, match="64 hexadecimal digits"):
            service.start()
    finally:
        service.kill()
        service.close()


def test_shredding_the_key_ends_every_secret(world, service, idp):
    provider(world.foreign_admin, "doomed", idp.issuer)
    assert opens(world, idp, "doomed", "globex")
    assert world.foreign_admin.delete("/v1/tenant-key").status_code == 400
    assert world.foreign_admin.delete("/v1/tenant-key?confirm=acme").status_code == 400
    assert world["project-owner"].delete("/v1/tenant-key?confirm=acme").status_code == 403
    assert world.foreign_admin.delete("/v1/tenant-key?confirm=globex").json()["values"] >= 1
    assert service.sql("SELECT count(*) FROM chancery.wrapping_key k JOIN chancery.tenant t USING (tenant_id)"
                       " WHERE t.name = 'globex' AND wrapped IS NOT NULL").strip() == "0"
    assert not opens(world, idp, "doomed", "globex")
    provider(world.foreign_admin, "fresh", idp.issuer)
    assert opens(world, idp, "fresh", "globex") and not opens(world, idp, "doomed", "globex")
    assert opens(world, idp, "rotated"), "other tenants do not notice"
