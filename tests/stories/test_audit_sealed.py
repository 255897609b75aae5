# SPDX-License-Identifier: Apache-2.0
"""The database alone does not say what entries say; and what was forgotten does not come back."""
import base64
import concurrent.futures
import secrets
import subprocess
import time

import pytest
from replicas import Replicas
from service import PATIENCE, person
from test_audit_privacy import entries, verified

REPLICA = "SET session_replication_role = replica; SET search_path = chancery;"  # no trigger fires
AUDIT_TABLES = ("SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c WHERE relnamespace = 'chancery'::regnamespace"
                " AND relkind = 'r' AND relname LIKE 'audit%'")


@pytest.fixture(scope="module")
def two():
    """Two replicas; of these stories all speak to the first."""
    with Replicas(2) as made:
        yield made


@pytest.fixture(scope="module")
def service(two):
    return two[0]


@pytest.fixture(scope="module")
def world(two):
    return two.world


def indexed(service):
    """All words that are on record are in the index."""
    behind = ("SELECT count(*) FROM chancery.audit_log l LEFT JOIN chancery.audit_text_head h USING (tenant_id)"
              " WHERE l.size > coalesce(h.size, 0)")
    end = time.monotonic() + PATIENCE
    while service.sql(behind).strip() != "0":
        assert time.monotonic() < end, "words are not indexed"
        time.sleep(0.1)


def spelt(word):
    """As it is, in hexadecimal, and what base64 surely makes of it, wherever it begins."""
    raw = word.encode()
    return {word, raw.hex()} | {text for n in range(3) if len(text := base64.b64encode(b"x" * n + raw)[2 * n:-4].decode()) > 6}


def dump(service):
    """All audit tables and their indexes, as who has all rights on the database sees them."""
    tables = service.sql("SET search_path = ''; " + AUDIT_TABLES).split()
    assert "chancery.audit_payload" in tables and "chancery.audit_text" in tables and len(tables) > 10
    done = subprocess.run(["pg_dump", "-h", service.socket(), "-U", "postgres", "--inserts", *(f"--table={t}" for t in tables),
                           "chancery"], capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dump_of_the_audit_tables_says_nothing(world, service):
    admin, auditor = world.admin, world["auditor"]
    marmoset = person(service, admin, "marmoset.miller", [("data-scientist", "credit")])
    admin.ok("PATCH", "/v1/users/marmoset.miller", {"email": "marmoset@canary.example", "display_name": "Xenia Quagmire"})
    refused = marmoset.put("/v1/projects/credit/datasets/d", {"description": "a", "note": "swordfish-7781"})
    assert refused.status_code == 400
    service.client().post("/v1/login", {"tenant": "acme", "user": "narwhal.nobody", "password": "wrong"})
    marmoset.ok("PUT", "/v1/projects/credit/datasets/d?wait=sequenced", {"description": "Ärger im Käfig"})
    admin.ok("POST", "/v1/audit/erasures", {"principal": "the-reader", "reason": "Wilhelmina asked for it"})
    indexed(service)
    text = dump(service)
    assert text.count("INSERT INTO chancery.audit_payload") > 30
    for canary in ("marmoset", "Xenia", "Quagmire", "quagmire", "swordfish", "narwhal", "Wilhelmina", "wilhelmina", "canary.example", "Käfig", "käfig"):
        for form in spelt(canary):
            assert form not in text, (canary, form)
    # What was said nowhere but in an entry is nowhere in the cluster's files either, the write-ahead log included.
    service.sql("CHECKPOINT")
    files = [f for f in (service.home / "home").rglob("*") if f.is_file()]
    assert any("pg_wal" in str(f) for f in files)
    for file in files:
        assert b"swordfish" not in file.read_bytes(), file
    assert entries(auditor, "q=swordfish")[0]["detail"]["body"]["note"] == "swordfish-7781"
    for query in ('q=swordfish-7781', 'q="xenia quagmire"', "q=marmoset@canary.example", "q=narwhal.nobody", "q=käfig"):
        assert len(entries(auditor, query)) >= 1, query
    assert entries(auditor, 'q="quagmire xenia"') == [] and entries(auditor, "q=sword") == []
    assert len(entries(auditor, "q=swordfish or narwhal")) == len(entries(auditor, "q=swordfish")) + len(entries(auditor, "q=narwhal"))
    assert entries(auditor, "q=swordfish -7781") == []
    assert auditor.get("/v1/audit?q=" + "+".join(f"w{i}" for i in range(40))).status_code == 400


def erased_by(world, name):
    asked = world.admin.ok("POST", "/v1/audit/erasures", {"principal": name, "reason": "article 17"})
    return world["tenant-admin"].ok("POST", f"/v1/audit/erasures/{asked['id']}/decision?wait=sequenced", {"verdict": "approve"})


def test_what_was_erased_stays_so_when_old_rows_are_put_back(world, service, tmp_path):
    admin, auditor = world.admin, world["auditor"]
    tapir = person(service, admin, "tapir.thomas", [("data-scientist", "credit")])
    tapir.ok("PUT", "/v1/projects/credit/datasets/diary", {"description": "the forgotten quokkabird"})
    admin.ok("PATCH", "/v1/users/tapir.thomas?wait=sequenced", {"display_name": "Quokkabird keeper"})
    indexed(service)
    told = entries(auditor, "q=quokkabird")
    assert {e["actor_name"] for e in told} == {"tapir.thomas", "admin"}, "of what they did, and of what was done to them"
    service.sql("CREATE TABLE public.kept_payload AS TABLE chancery.audit_payload; CREATE TABLE public.kept_text AS TABLE chancery.audit_text")
    done = erased_by(world, "tapir.thomas")
    assert done["erased"] >= 4
    silent = [auditor.ok("GET", f"/v1/audit/entries/{e['id']}") for e in told]
    service.sql(REPLICA + "DELETE FROM audit_payload p USING public.kept_payload k WHERE p.id = k.id;"
                          "INSERT INTO audit_payload SELECT * FROM public.kept_payload;"
                          "DELETE FROM audit_text t USING public.kept_text k WHERE t.seq = k.seq;"
                          "INSERT INTO audit_text SELECT * FROM public.kept_text; DROP TABLE public.kept_payload, public.kept_text")
    assert int(service.sql(f"SELECT count(*) FROM chancery.audit_payload WHERE id = '{told[0]['id']}' AND sealed IS NOT NULL")) == 1
    for entry, before in zip(told, silent):
        again = auditor.ok("GET", f"/v1/audit/entries/{entry['id']}")
        assert again == before and again["erased"] and again["detail"] is None and "fault" not in again
    assert entries(auditor, "q=quokkabird") == []
    assert "uokkabird" not in auditor.get("/v1/audit/payloads?limit=10000").text
    assert "uokkabird" not in auditor.get("/v1/audit/export").text
    check = auditor.ok("GET", "/v1/audit/check")
    assert check["faults"] == 0 and check["complete"], check
    proof = verified(world, tmp_path / "log", "--payloads")
    assert proof.returncode == 0, proof.stdout + proof.stderr


def test_who_was_erased_and_acts_again_has_a_fresh_key_everywhere(world, two):
    """The second replica still has the old key in memory when it is destroyed at the first."""
    admin, auditor = world.admin, world["auditor"]
    person_ = person(two[0], admin, "lemur.lane", [("data-scientist", "credit")])
    here, there = person_, two[1].client(person_.token, "acme")
    for client in (here, there, here, there):
        client.ok("PUT", "/v1/projects/credit/datasets/lemurs", {"description": "before"})
    erased_by(world, "lemur.lane")
    for n, client in enumerate((there, here, there, here)):
        client.ok("PUT", "/v1/projects/credit/datasets/lemurs", {"description": f"afterwards {n}"})
    mine = entries(auditor, "actor=lemur.lane&action=put_dataset") or entries(auditor, "actor=lemur.lane&object=datasets/lemurs")
    assert [e["erased"] for e in mine] == [False] * 4 + [True] * 4
    assert [e["detail"]["body"]["description"] for e in mine[:4]] == [f"afterwards {n}" for n in (3, 2, 1, 0)]
    states = world.service.sql("SELECT string_agg((wrapped IS NULL)::text, ',' ORDER BY k.id) FROM chancery.audit_subject_key k JOIN"
                               " chancery.principal p ON p.id::text = k.subject WHERE p.name = 'lemur.lane'").strip()
    assert states == "true,false"
    assert auditor.ok("GET", "/v1/audit/check")["faults"] == 0


def test_replicas_that_race_for_a_subjects_first_key_agree(world, two):
    admin, auditor = world.admin, world["auditor"]
    names = [f"racer-{i}" for i in range(6)]
    passwords = {}
    for name in names:
        passwords[name] = secrets.token_urlsafe(18)
        admin.ok("POST", "/v1/users", {"name": name, "password": passwords[name]})
    # Their creation made keys; without them the race begins anew.
    world.service.sql(REPLICA + "UPDATE audit_subject_key k SET wrapped = NULL, destroyed_at = now() FROM principal p"
                                " WHERE p.id::text = k.subject AND p.name LIKE 'racer-%'")

    def enter(job):
        name, replica = job
        return replica.client().post("/v1/login", {"tenant": "acme", "user": name, "password": passwords[name]}).status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(enter, [(n, r) for n in names for r in two for _ in range(2)])) == {200}
    assert world.service.sql("SELECT count(*), count(DISTINCT subject) FROM chancery.audit_subject_key k JOIN chancery.principal p"
                             " ON p.id::text = k.subject WHERE p.name LIKE 'racer-%' AND wrapped IS NOT NULL").strip() == "6|6"
    for name in names:
        mine = entries(auditor, f"object=users/{name}&action=post_login")
        assert len(mine) == 4 and not any(e["erased"] or "fault" in e for e in mine), mine
