# SPDX-License-Identifier: Apache-2.0
"""Somebody with all rights on the database changes history: it is found and named, and a fork is never signed."""
import hashlib
import json
import os
import shutil
import subprocess
import time

import pytest
from service import BUILD, Service, settled
from test_crash import chancery, sequenced

P = "/v1/projects/store"
AS_OWNER = "SET session_replication_role = replica; SET search_path = chancery;"  # no trigger fires


@pytest.fixture(scope="module")
def owner(service):
    """A log of some hundred entries."""
    owner = settled(service)
    for i in range(300):
        owner.ok("PUT", f"{P}/models/m{i % 60}", {"description": f"change {i}"})
    sequenced(owner.admin)
    owner.ok("PUT", f"{P}/models/m0?wait=sequenced", {"description": "the last"})
    assert check(owner)["size"] > 300
    return owner


@pytest.fixture(scope="module")
def genuine(service, owner, tmp_path_factory):
    """What somebody keeps elsewhere: the key, and an export from before."""
    folder = tmp_path_factory.mktemp("genuine")
    (folder / "vkey").write_bytes(owner.admin.get("/v1/audit/log/vkey").content)
    done = chancery(service, owner.admin, "audit", "export", folder / "log")
    assert done.returncode == 0, done.stderr
    assert verify(service, owner, folder / "log", folder / "vkey")[0] == 0
    return folder


def sql(service, statement):
    return service.sql(AS_OWNER + statement).strip()


def check(owner):
    return owner.admin.ok("GET", "/v1/audit/check")


def verify(service, owner, log, vkey):
    done = chancery(service, owner.admin, "--json", "audit", "verify", log, "--vkey", vkey, "--payloads")
    return done.returncode, json.loads(done.stdout)["problems"] if done.stdout else done.stderr


def exported(service, owner, folder):
    """(exit code, problems) of the offline proof of the log as it is now."""
    shutil.rmtree(folder, ignore_errors=True)
    done = chancery(service, owner.admin, "audit", "export", folder)
    if done.returncode != 0:
        return done.returncode, done.stderr
    return verify(service, owner, folder, folder.parent / "vkey")


class Victim:
    """One entry of the log."""

    def __init__(self, service, offset=150):
        row = sql(service, "SELECT jsonb_build_object('tenant', e.tenant_id, 'seq', e.seq, 'id', e.id, 'index', l.index,"
                           " 'leaf', e.leaf, 'hash', encode(e.leaf_hash, 'hex')) FROM audit_entry e JOIN audit_leaf l"
                           f" USING (tenant_id, seq) ORDER BY l.index OFFSET {offset} LIMIT 1")
        self.__dict__.update(json.loads(row))
        self.where = f"tenant_id = '{self.tenant}' AND seq = {self.seq}"
        self.payload_where = f"tenant_id = '{self.tenant}' AND id = '{self.id}'"


def leaf_hash(leaf):
    return hashlib.sha256(b"\0" + leaf.encode()).hexdigest()


class Damage:
    """A change behind the service's back, with the statement that takes it back."""

    def __init__(self, service, do, undo):
        self.service, self.do, self.undo = service, do, undo

    def __enter__(self):
        sql(self.service, self.do)

    def __exit__(self, *_):
        sql(self.service, self.undo)


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def edited(victim):
    leaf = json.loads(victim.leaf)
    name = next(n for n in ("outcome", "action", "method") if n in leaf)
    return victim.leaf.replace(f'"{name}":"{leaf[name]}"', f'"{name}":"forged"')


def named(report, victim, *words):
    found = [p for p in report["problems"] if p["index"] == victim.index or p["id"] == victim.id]
    assert report["faults"] > 0 and found, report
    for word in words:
        assert any(word in p["what"] for p in found), found


def test_an_edited_leaf(service, owner, genuine):
    v = Victim(service)
    forged = edited(v)
    assert forged != v.leaf
    with Damage(service, f"UPDATE audit_entry SET leaf = {quoted(forged)} WHERE {v.where}",
                f"UPDATE audit_entry SET leaf = {quoted(v.leaf)} WHERE {v.where}"):
        named(check(owner), v)
        code, problems = exported(service, owner, genuine / "now")
        assert code == 4 and any(p.get("leaf") == v.index for p in problems), problems
        shown = owner.admin.ok("GET", f"/v1/audit/entries/{v.id}")
        assert shown.get("fault") or shown.get("tampered"), shown
    assert check(owner)["faults"] == 0


def test_an_edited_leaf_with_its_hash(service, owner, genuine):
    v = Victim(service, 200)
    forged = edited(v)
    with Damage(service, f"UPDATE audit_entry SET leaf = {quoted(forged)}, leaf_hash = '\\x{leaf_hash(forged)}' WHERE {v.where}",
                f"UPDATE audit_entry SET leaf = {quoted(v.leaf)}, leaf_hash = '\\x{v.hash}' WHERE {v.where}"):
        named(check(owner), v)
        code, problems = exported(service, owner, genuine / "now")
        assert code == 4 and any(p.get("leaf") == v.index for p in problems), problems
    assert check(owner)["faults"] == 0


def test_an_edited_column_only(service, owner):
    v = Victim(service, 100)
    for column, value in (("action", "'forged'"), ("outcome", "'forged'"), ("object", "'models/other'"), ("project", "'other'"),
                          ("actor", "gen_random_uuid()"), ("request_id", "gen_random_uuid()"), ("at", "at - interval '1 day'")):
        before = sql(service, f"SELECT quote_nullable({column}) FROM audit_entry WHERE {v.where}")
        with Damage(service, f"UPDATE audit_entry SET {column} = {value} WHERE {v.where}",
                    f"UPDATE audit_entry SET {column} = {before} WHERE {v.where}"):
            named(check(owner), v, "columns")
        assert check(owner)["faults"] == 0


def test_an_edited_payload(service, owner, genuine):
    """One bit of what is sealed; the bytes of another entry; the key of another subject."""
    v, other = Victim(service, 120), Victim(service, 121)
    before, key = sql(service, f"SELECT encode(sealed, 'hex'), key_id FROM audit_payload WHERE {v.payload_where}").split("|")
    foreign = sql(service, f"SELECT encode(sealed, 'hex') FROM audit_payload WHERE {other.payload_where}")
    wrong = sql(service, f"SELECT id FROM audit_subject_key WHERE id <> '{key}' AND tenant_id = '{v.tenant}' LIMIT 1")
    assert wrong
    flipped = f"{int(before[:40], 16) ^ 1:040x}" + before[40:]
    for change in (f"sealed = '\\x{flipped}'", f"sealed = '\\x{foreign}'", f"key_id = '{wrong}'", f"about_id = '{wrong}'"):
        with Damage(service, f"UPDATE audit_payload SET {change} WHERE {v.payload_where}",
                    f"UPDATE audit_payload SET sealed = '\\x{before}', key_id = '{key}', about_id = NULL WHERE {v.payload_where}"):
            named(check(owner), v, "payload")
            shown = owner.admin.ok("GET", f"/v1/audit/entries/{v.id}")
            assert shown["tampered"] and shown["fault"] == "payload" and shown["detail"] is None
            code, problems = exported(service, owner, genuine / "now")
            assert code == 4 and any(p.get("leaf") == v.index and "payload" in p["problem"] for p in problems), problems
    assert check(owner)["faults"] == 0


def test_an_emptied_payload_that_no_erasure_accounts_for(service, owner):
    """It looks as if it had been erased, but the tree would say so."""
    v = Victim(service, 130)
    kept = sql(service, f"SELECT encode(sealed, 'hex'), key_id FROM audit_payload WHERE {v.payload_where}")
    before, key = kept.split("|")
    with Damage(service, f"UPDATE audit_payload SET sealed = NULL WHERE {v.payload_where}",
                f"UPDATE audit_payload SET sealed = '\\x{before}' WHERE {v.payload_where}"):
        named(check(owner), v, "erased, and nothing in the log says why")
    wrapped = sql(service, f"SELECT encode(wrapped, 'hex') FROM audit_subject_key WHERE id = '{key}'")
    with Damage(service, f"UPDATE audit_subject_key SET wrapped = NULL, destroyed_at = now() WHERE id = '{key}'",
                f"UPDATE audit_subject_key SET wrapped = '\\x{wrapped}', destroyed_at = NULL WHERE id = '{key}'"):
        report = check(owner)
        assert any(p["what"] == "erased, and nothing in the log says why" for p in report["problems"]), report
    assert check(owner)["faults"] == 0


@pytest.mark.parametrize("table, what", [("audit_entry", "missing"), ("audit_leaf", "missing"), ("audit_payload", "payload"),
                                         ("audit_tile", "tree"), ("audit_subject_key", "payload"), ("audit_root", "payload")])
def test_a_truncated_table(service, owner, genuine, table, what):
    """The check and, where the database still has a log to export, the export's verification name it."""
    columns = sql(service, "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid ="
                           f" 'chancery.{table}'::regclass AND attnum > 0 AND attgenerated = '' AND NOT attisdropped")
    quiet_checkpoint(service, Victim(service).tenant)
    with Damage(service, f"CREATE TABLE kept AS SELECT {columns} FROM {table}; ALTER TABLE {table} DISABLE TRIGGER USER;"
                         f" TRUNCATE {table}; ALTER TABLE {table} ENABLE TRIGGER USER",
                f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT * FROM kept ON CONFLICT DO NOTHING; DROP TABLE kept"):
        report = check(owner)
        assert report["faults"] >= 1 and any(what in p["what"] for p in report["problems"]), report
        # An export is on record, which would make a new subject's key; and what is in memory opens without the root for minutes.
        if table not in ("audit_subject_key", "audit_root"):
            code, _ = exported(service, owner, genuine / "now")
            assert code != 0
    assert check(owner)["faults"] == 0


def test_a_deleted_entry(service, owner, genuine):
    v = Victim(service, 170)
    with Damage(service, f"CREATE TABLE kept AS SELECT * FROM audit_entry WHERE {v.where};"
                         f" DELETE FROM audit_entry WHERE {v.where}",
                "INSERT INTO audit_entry OVERRIDING SYSTEM VALUE SELECT * FROM kept; DROP TABLE kept"):
        named(check(owner), v, "missing")
        code, _ = exported(service, owner, genuine / "now")
        assert code != 0
    assert check(owner)["faults"] == 0


def test_a_deleted_tail(service, owner, genuine):
    """The newest entries and their places are gone; the signed head still counts them."""
    size = check(owner)["size"]
    v = Victim(service, size - 5)
    cut = f"tenant_id = '{v.tenant}' AND seq >= {v.seq}"
    with Damage(service, f"CREATE TABLE kept AS SELECT * FROM audit_entry WHERE {cut};"
                         f" CREATE TABLE kept_leaf AS SELECT * FROM audit_leaf WHERE {cut};"
                         f" DELETE FROM audit_entry WHERE {cut}; DELETE FROM audit_leaf WHERE {cut}",
                "INSERT INTO audit_entry OVERRIDING SYSTEM VALUE SELECT * FROM kept WHERE seq NOT IN (SELECT seq FROM audit_entry);"
                " INSERT INTO audit_leaf (tenant_id, index, seq) SELECT tenant_id, index, seq FROM kept_leaf WHERE seq NOT IN (SELECT seq FROM audit_leaf);"
                " DROP TABLE kept, kept_leaf"):
        report = check(owner)
        missing = {p["index"] for p in report["problems"] if "missing" in p["what"]}
        assert set(range(v.index, size)) <= missing, report
        code, _ = exported(service, owner, genuine / "now")
        assert code != 0
    assert check(owner)["faults"] == 0


def test_two_entries_that_changed_places(service, owner, genuine):
    a, b = Victim(service, 30), Victim(service, 31)
    swap = (f"UPDATE audit_leaf SET seq = -1 WHERE tenant_id = '{a.tenant}' AND index = {a.index};"
            f" UPDATE audit_leaf SET seq = {{0}} WHERE tenant_id = '{a.tenant}' AND index = {b.index};"
            f" UPDATE audit_leaf SET seq = {{1}} WHERE tenant_id = '{a.tenant}' AND index = {a.index}")
    with Damage(service, swap.format(a.seq, b.seq), swap.format(b.seq, a.seq)):
        report = check(owner)
        assert {a.index, b.index} <= {p["index"] for p in report["problems"]}, report
        code, problems = exported(service, owner, genuine / "now")
        assert code == 4 and {a.index, b.index} <= {p.get("leaf") for p in problems}, problems
    assert check(owner)["faults"] == 0


@pytest.mark.parametrize("level", [0, 1])
def test_a_changed_tile(service, owner, genuine, level):
    where = f"level = {level} AND n = 0"
    tenant = Victim(service).tenant
    before = sql(service, f"SELECT encode(hashes, 'hex') FROM audit_tile WHERE {where} AND tenant_id = '{tenant}'")
    assert before
    at = len(before) // 2 - 10 if level == 0 else 0
    forged = before[:at] + ("0" if before[at] != "0" else "1") + before[at + 1:]
    with Damage(service, f"UPDATE audit_tile SET hashes = '\\x{forged}' WHERE {where} AND tenant_id = '{tenant}'",
                f"UPDATE audit_tile SET hashes = '\\x{before}' WHERE {where} AND tenant_id = '{tenant}'"):
        report = check(owner)
        assert any(f"tile/{level}/000" in p["what"] for p in report["problems"]), report
        code, problems = exported(service, owner, genuine / "now")
        assert code == 4 and any(f"tile/{level}/" in p["file"] for p in problems), problems
    assert check(owner)["faults"] == 0


def quiet_checkpoint(service, tenant):
    """The newest checkpoint, once no entry waits for its place: what is put back later must still be the newest."""
    older = None
    for _ in range(60):
        newest = sql(service, f"SELECT checkpoint FROM audit_log WHERE tenant_id = '{tenant}'") + "\n"
        if newest == older:
            break
        older = newest
        time.sleep(1)
    return newest


def test_a_forged_checkpoint(service, owner, genuine):
    tenant = Victim(service).tenant
    before = quiet_checkpoint(service, tenant)
    lines = before.split("\n")
    lines[2] = hashlib.sha256(b"x").digest().hex()[:43] + "="
    with Damage(service, f"UPDATE audit_log SET checkpoint = {quoted(chr(10).join(lines))} WHERE tenant_id = '{tenant}'",
                f"UPDATE audit_log SET checkpoint = {quoted(before)} WHERE tenant_id = '{tenant}'"):
        report = owner.admin.get("/v1/audit/check").json()
        assert "checkpoint" in str(report), report
        code, _ = exported(service, owner, genuine / "now")
        assert code == 4
    assert check(owner)["faults"] == 0


def test_an_export_that_does_not_continue_the_last_one(service, owner, genuine):
    """The same folder again: the client itself measures the new log against the one it has."""
    assert service.stop() == 0  # what it found while the stories above ran keeps it from signing until it starts anew
    service.start()
    owner.ok("PUT", P + "/models/m1", {"description": "one more"})
    sequenced(owner.admin)
    done = chancery(service, owner.admin, "audit", "export", genuine / "log")
    assert done.returncode == 0, done.stderr
    checkpoint = genuine / "log" / "checkpoint"
    assert verify(service, owner, genuine / "log", genuine / "vkey")[0] == 0
    text = checkpoint.read_text()
    checkpoint.write_text(text.replace("\n", "\n1", 1))
    done = chancery(service, owner.admin, "audit", "export", genuine / "log")
    assert done.returncode == 4, done.stdout + done.stderr
    checkpoint.write_text(text)


# Forks: a history that is consistent in itself, and another than the one that was signed.

def tree_root(hashes):
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\1" + tree_root(hashes[:k]) + tree_root(hashes[k:])).digest()


def rewrite(service, offset):
    """All that the database holds of the log, made anew with one entry forged; the head is not signed."""
    v = Victim(service, offset)
    forged = edited(v)
    mine = f"tenant_id = '{v.tenant}'"
    sql(service, f"UPDATE audit_entry SET leaf = {quoted(forged)}, leaf_hash = '\\x{leaf_hash(forged)}' WHERE {v.where}")
    hashes = [bytes.fromhex(h) for h in sql(service, "SELECT encode(e.leaf_hash, 'hex') FROM audit_leaf l JOIN audit_entry e"
                                                     f" USING (tenant_id, seq) WHERE l.{mine} ORDER BY l.index").split()]
    statements, level, row = [], 0, hashes
    while row:
        for n in range(0, len(row), 256):
            statements.append(f"UPDATE audit_tile SET hashes = '\\x{b''.join(row[n:n + 256]).hex()}'"
                              f" WHERE {mine} AND level = {level} AND n = {n // 256}")
        row = [tree_root(row[n:n + 256]) for n in range(0, len(row) - 255, 256)]
        level += 1
    statements.append(f"UPDATE audit_log SET root = '\\x{tree_root(hashes).hex()}' WHERE {mine}")
    sql(service, "; ".join(statements))
    return v


def frozen(service, owner, limit=15):
    """The service takes no change of this tenant any more, says why, and signs nothing."""
    signed = sql(service, "SELECT max(size) FROM audit_checkpoint")
    end = time.monotonic() + limit
    while (reply := owner.put(P + "/models/after", {})).status_code != 503:
        assert time.monotonic() < end, f"changes are still taken: {reply.status_code}"
        time.sleep(0.1)
    assert reply.json()["error"]["code"] == "unavailable" and "audit log" in reply.text, reply.text
    assert owner.get(P).status_code == 200, "reading goes on"
    assert "must not go on" in service.log()
    time.sleep(1)
    assert sql(service, "SELECT max(size) FROM audit_checkpoint") == signed


@pytest.fixture
def lone():
    """A service whose history may be spoilt."""
    service = Service().start()
    owner = settled(service)
    for i in range(20):
        owner.ok("PUT", f"{P}/models/m{i}", {})
    sequenced(owner.admin)
    service.owner = owner
    yield service
    service.close()


def test_a_rewritten_history_is_never_signed(lone):
    owner = lone.owner
    (lone.home / "vkey").write_bytes(owner.admin.get("/v1/audit/log/vkey").content)
    rewrite(lone, 10)
    report = check(owner)
    assert report["faults"] > 0, report
    frozen(lone, owner)
    lone.stop()
    lone.start()
    frozen(lone, owner)
    code, _ = exported(lone, owner, lone.home / "log")
    assert code == 4


def test_a_rewritten_history_with_its_checkpoints_deleted_is_never_signed(lone):
    """Even when the database has forgotten what was signed: the home remembers."""
    rewrite(lone, 10)
    sql(lone, "DELETE FROM audit_checkpoint; UPDATE audit_log SET checkpoint = NULL, signed_size = 0, signed_at = NULL")
    frozen(lone, lone.owner)
    assert sql(lone, "SELECT count(*) FROM audit_checkpoint") == "0"


def test_a_log_that_fits_again_goes_on_without_a_restart(lone):
    """Who put the right tiles back need not stop the service, which told them what was wrong."""
    owner, admin = lone.owner, lone.owner.admin
    assert admin.ok("GET", "/v1/audit/log/state") == {"state": "extended"}
    tile = "audit_tile WHERE level = 0 AND n = 0 AND tenant_id = (SELECT tenant_id FROM tenant WHERE name = 'acme')"
    genuine = sql(lone, "SELECT encode(hashes, 'hex') FROM " + tile)
    assert genuine and "\n" not in genuine
    put = "UPDATE audit_tile SET hashes = '\\x{}'" + tile.removeprefix("audit_tile")
    sql(lone, put.format("00" * 32 + genuine[64:]))
    frozen(lone, owner)
    state = admin.ok("GET", "/v1/audit/log/state")
    assert state["state"] == "refused" and "tiles" in state["reason"] and state["since"].startswith("20"), state
    assert owner.get("/v1/audit/log/state").status_code == 403
    sql(lone, put.format(genuine))
    end = time.monotonic() + 20
    while admin.ok("GET", "/v1/audit/log/state")["state"] != "extended":
        assert time.monotonic() < end, "nobody looked again"
        time.sleep(0.2)
    owner.ok("PUT", P + "/models/mended", {})
    sequenced(admin)
    assert check(owner)["faults"] == 0


def test_an_old_database_restored_is_never_continued(lone):
    """The whole cluster is put back to yesterday, with a log that is perfect in itself."""
    owner, data = lone.owner, lone.home / "home/postgres/data"
    assert lone.stop() == 0
    copy = lone.home / "yesterday"
    subprocess.run(["cp", "-a", data, copy], check=True)
    lone.start()
    for i in range(10):
        owner.ok("PUT", f"{P}/models/today{i}", {})
    sequenced(owner.admin)
    assert lone.stop() == 0
    shutil.rmtree(data)
    os.rename(copy, data)
    lone.start()
    reply = owner.put(P + "/models/again", {})
    assert reply.status_code == 503 and "audit log" in reply.text, reply.text
    frozen(lone, owner)
    assert "behind a checkpoint" in lone.log()
